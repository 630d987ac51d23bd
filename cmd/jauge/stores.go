package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/attendance"
	"jauge/feedback"
	"jauge/internal/embedded"
	"jauge/internal/journal"
	"jauge/platforms"
)

// stores is what serve, demo and verify work on: Redis or the embedded store, the journal, and the two domains.
type stores struct {
	rdb        redis.UniversalClient
	embedded   *embedded.Store // nil: Redis
	journal    *journal.Journal
	attendance *attendance.Store
	feedback   *feedback.Store
	voided     *voided
	key        []byte
	surveys    map[string]*feedback.Survey
	configured atomic.Bool // the file's sessions are in the store
}

const keyPrefix = "jauge:"

// openStores connects and builds; it does not wait for Redis. Close what it returns.
func openStores(c *Config, now func() time.Time) (_ *stores, err error) {
	s := &stores{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.key, err = secretKey(c); err != nil {
		return nil, err
	}
	mode := journal.Options{Mode: journal.Beside, Judge: judge, Probe: s.probe}
	if c.RedisURL == "" {
		mode.Mode = journal.Ahead
		if s.embedded, err = embedded.Start(); err != nil {
			return nil, fmt.Errorf("embedded store: %w", err)
		}
		s.rdb = s.embedded.Client()
		s.rdb.AddHook(transport{})
	} else {
		dial, err := parseRedisURL(c.RedisURL)
		if err != nil {
			return nil, fmt.Errorf("redis_url: %w", err)
		}
		s.rdb = newRedis(dial)
	}
	if mode.Mode == journal.Ahead {
		if err := journal.Compact(c.DataDir); err != nil {
			return nil, err
		}
	}
	if s.journal, err = journal.Open(c.DataDir, mode); err != nil {
		return nil, err
	}
	if err := s.build(c, keyPrefix, now); err != nil {
		return nil, err
	}
	return s, s.sameKey(s.journal.Once)
}

// errOtherKey is a start with another secret key than what is stored was hashed with: everybody would be counted twice, and
// no receipt found.
var errOtherKey = errors.New("secret_key is not the one that the stored data was made with: set the same key on every replica, " +
	"or start on another store and data_dir")

// sameKey holds the key's fingerprint against the one kept, which once keeps the first time.
func (s *stores) sameKey(once func(name, value string) (string, error)) error {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte("jauge fingerprint"))
	fingerprint := hex.EncodeToString(mac.Sum(nil)[:8])
	kept, err := once("fingerprint", fingerprint)
	if err != nil || kept == fingerprint {
		return err
	}
	return errOtherKey
}

// onceInRedis keeps a value under a name in Redis the first time, and gives what is kept there.
func (s *stores) onceInRedis(ctx context.Context) func(name, value string) (string, error) {
	return func(name, value string) (string, error) {
		if err := s.rdb.SetNX(ctx, keyPrefix+name, value, 0).Err(); err != nil {
			return "", err
		}
		return s.rdb.Get(ctx, keyPrefix+name).Result()
	}
}

// openRedis opens what verify needs of a Redis that a service may be working on: no journal, and nothing is written.
func openRedis(c *Config, now func() time.Time) (*stores, error) {
	dial, err := parseRedisURL(c.RedisURL)
	if err != nil {
		return nil, fmt.Errorf("redis_url: %w", err)
	}
	s := &stores{rdb: newRedis(dial), key: make([]byte, 32)}
	return s, s.build(c, keyPrefix, now)
}

// build puts the domains on the store and the journal.
func (s *stores) build(c *Config, prefix string, now func() time.Time) (err error) {
	s.surveys = c.surveys()
	s.attendance = attendance.New(s.rdb, attendance.Options{
		Prefix: prefix, Key: s.key, Now: now, Capabilities: capabilities(c.Sources), Journal: s.journal,
	})
	if s.feedback, err = feedback.New(s.rdb, prefix, s.key, now); err != nil {
		return err
	}
	s.feedback.UseJournal(s.journal)
	s.feedback.UseNames(s.attendance.NamesIn)
	s.voided = newVoided(s.rdb, prefix, s.journal)
	return nil
}

// prepare brings the file's sessions into the store and, on the embedded one, everything that the journal kept.
func (s *stores) prepare(ctx context.Context, c *Config, log *slog.Logger) error {
	if err := s.configure(ctx, c); err != nil || s.embedded == nil {
		return err
	}
	began, said, count := time.Now(), time.Now(), 0
	err := s.journal.Replay(ctx, func(done, of int) {
		if count = of; time.Since(said) > time.Second {
			said = time.Now()
			log.Info("reading the journal", "done", done, "of", of)
		}
	}, func(err error) { log.Warn("an entry of the journal cannot be used any more", "error", err) })
	if err != nil {
		return err
	}
	if count > 0 {
		log.Info("journal read", "entries", count, "took", time.Since(began).Round(time.Millisecond))
	}
	s.reclaim(ctx, c, log) // a changed file may name their room; and a journal of an earlier version says of none that it was claimed
	return nil
}

// configure brings the file's sessions into the store, unless it belongs to another secret key.
func (s *stores) configure(ctx context.Context, c *Config) error {
	if err := s.attendance.Configure(ctx, c.Sessions); err != nil {
		return err
	}
	if err := s.sameKey(s.onceInRedis(ctx)); err != nil {
		return err
	}
	s.configured.Store(true)
	return nil
}

// probePatience is how long the store has for the probe.
const probePatience = time.Second

// probe writes something: a store that is full, read-only or without its replicas still answers a PING.
func (s *stores) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	return s.rdb.Set(ctx, keyPrefix+"probe", "", time.Minute).Err()
}

// trouble says why the store takes nothing now, in a word of a fixed few; empty: it does.
func (s *stores) trouble(ctx context.Context) string {
	err := s.probe(ctx)
	if err == nil {
		return ""
	}
	_, why := judge(err)
	return why
}

// ready says whether the service can keep and show everything: nil, or why not, in words that may leave the house.
func (s *stores) ready(ctx context.Context) error {
	if s.journal.Broken() != nil {
		return errors.New("the journal on disk cannot be written")
	}
	if why := s.trouble(ctx); why != "" {
		return fmt.Errorf("redis takes nothing: %s", why)
	}
	if !s.configured.Load() {
		return errors.New("the sessions are not in the store yet")
	}
	return nil
}

func (s *stores) close() {
	if s.rdb != nil {
		_ = s.rdb.Close()
	}
	if s.embedded != nil {
		s.embedded.Close()
	}
	_ = s.journal.Close()
}

// name is how the metrics call the store.
func (s *stores) name() string {
	if s.embedded != nil {
		return "embedded"
	}
	return "redis"
}

func capabilities(sources []Source) map[string]attendance.Capability {
	m := map[string]attendance.Capability{}
	for _, source := range sources {
		m[source.Name] = platforms.Dialects[source.Platform].Capability
	}
	return m
}

// secretKey is the configured key, or one that is made once and kept in data_dir: pseudonyms and receipts hang on it.
func secretKey(c *Config) ([]byte, error) {
	if c.SecretKey != "" {
		return []byte(c.SecretKey), nil
	}
	file := filepath.Join(c.DataDir, "secret_key")
	text, err := os.ReadFile(file)
	if err == nil {
		if key := strings.TrimSpace(string(text)); len(key) >= 32 {
			return []byte(key), nil
		}
		return nil, fmt.Errorf("%s holds no key of at least 32 bytes: restore it, or remove it to start with new pseudonyms", file)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("secret key: %w", err)
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	made := hex.EncodeToString(key)
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("secret key: %w", err)
	}
	if err := os.WriteFile(file, []byte(made+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("secret key: %w", err)
	}
	return []byte(made), nil
}
