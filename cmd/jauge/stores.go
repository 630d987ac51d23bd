package main

import (
	"context"
	"crypto/rand"
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
	"jauge/programme"
)

// stores is what serve, demo and verify work on: Redis or the embedded store, the journal, and the domains.
type stores struct {
	rdb        redis.UniversalClient
	guard      *guard
	embedded   *embedded.Store // nil: Redis
	journal    *journal.Journal
	programme  *programme.Catalogue
	attendance *attendance.Store
	feedback   *feedback.Store
	voided     *voided
	key        []byte
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
	s.guard = newGuard(keyPrefix, s.key)
	mode := journal.Options{Mode: journal.Beside, Judge: judge, Probe: s.probe}
	if c.RedisURL == "" {
		mode.Mode = journal.Ahead
		if s.embedded, err = embedded.Start(); err != nil {
			return nil, fmt.Errorf("embedded store: %w", err)
		}
		s.rdb = hooked(s.embedded.Client(), s.guard)
	} else {
		dial, err := parseRedisURL(c.RedisURL)
		if err != nil {
			return nil, fmt.Errorf("redis_url: %w", err)
		}
		s.rdb = hooked(dial(), s.guard)
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
	return s, s.sameKey()
}

// sameKey fails if the journal was begun with another secret key.
func (s *stores) sameKey() error {
	kept, err := s.journal.Once("fingerprint", s.guard.fingerprint)
	if err != nil || kept == s.guard.fingerprint {
		return err
	}
	return errOtherKey
}

// openRedis opens what verify needs of a Redis that a service may be working on: read-only, without a journal.
func openRedis(c *Config, now func() time.Time) (*stores, error) {
	dial, err := parseRedisURL(c.RedisURL)
	if err != nil {
		return nil, fmt.Errorf("redis_url: %w", err)
	}
	s := &stores{guard: &guard{prefix: keyPrefix, readOnly: true}, key: make([]byte, 32)}
	s.rdb = hooked(dial(), s.guard)
	return s, s.build(c, keyPrefix, now)
}

// build puts the domains on the store and the journal.
func (s *stores) build(c *Config, prefix string, now func() time.Time) (err error) {
	s.programme = programme.New(s.rdb, programme.Options{Prefix: prefix, Journal: s.journal})
	s.attendance = attendance.New(s.rdb, s.programme, attendance.Options{
		Prefix: prefix, Key: s.key, Now: now, Capabilities: capabilities(c.Sources), Journal: s.journal,
		Staff: c.Staff, GuestsByName: guestsByName(c.Sources),
	})
	s.feedback, err = feedback.New(s.rdb, feedback.Options{
		Prefix: prefix, Secret: s.key, Now: now, Journal: s.journal, Names: s.attendance.NamesIn, Surveys: c.surveys(), MinimumGroup: c.Privacy.MinimumGroup,
	})
	if err != nil {
		return err
	}
	s.voided = newVoided(s.rdb, prefix, s.journal)
	if !s.guard.readOnly {
		s.guard.migration.run = s.migrate
	}
	return nil
}

// migrate brings data of an earlier format to this one.
func (s *stores) migrate(ctx context.Context) error {
	began, said := time.Now(), time.Now()
	slog.Info("the data in Redis has an earlier format: it is brought to this version's; what comes meanwhile is kept on this disk")
	err := s.attendance.Migrate(ctx, func(done, of int) {
		if time.Since(said) > time.Second {
			said = time.Now()
			slog.Info("migrating", "sessions", done, "of", of)
		}
	})
	if err != nil {
		slog.Error("the data in Redis could not be brought to this version's format: it is tried again", "why", whyOf(err))
		return err
	}
	slog.Info("migrated", "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// migrating says whether Redis holds data of an earlier format and is not done with it in a moment.
func (s *stores) migrating(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, probePatience/4)
	defer cancel()
	return s.embedded == nil && errors.Is(s.probe(ctx), errMigrating)
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
	s.reclaim(ctx, log) // the file may name their room by now; and journals of earlier versions have no claims
	return nil
}

// configure brings the file's sessions into the store.
func (s *stores) configure(ctx context.Context, c *Config) error {
	if err := s.programme.Configure(ctx, c.Sessions); err != nil {
		return err
	}
	s.configured.Store(true)
	return nil
}

// probePatience is how long a probe may take.
const probePatience = time.Second

// probe has the guard examine the store, which another version may have changed meanwhile, and writes a key: a store that is full,
// read-only or without its replicas still answers a PING.
func (s *stores) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	if err := s.guard.examine(ctx, s.rdb.Process); err != nil {
		return err
	}
	return s.rdb.Set(ctx, keyPrefix+"probe", "", time.Minute).Err()
}

// trouble says why the store takes no writes now, as one of a few fixed words; empty: it takes them.
func (s *stores) trouble(ctx context.Context) string { return whyOf(s.probe(ctx)) }

func whyOf(err error) string {
	if err == nil {
		return ""
	}
	_, why := judge(err)
	return why
}

// ready says whether the service can keep and show everything: nil, or why not, in words that may be shown to anybody.
func (s *stores) ready(ctx context.Context) error {
	if s.journal.Broken() != nil {
		return errors.New("the journal on disk cannot be written")
	}
	switch err := s.probe(ctx); {
	case isUnfit(err):
		return fmt.Errorf("redis is not used: %s: %w", whyOf(err), err)
	case err != nil:
		return fmt.Errorf("redis takes nothing: %s", whyOf(err))
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

func guestsByName(sources []Source) map[string]bool {
	m := map[string]bool{}
	for _, source := range sources {
		m[source.Name] = source.Guests == guestsAreNames
	}
	return m
}

// secretKey is the configured key, or one that is made once and kept in data_dir: pseudonyms and receipts depend on it.
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
