package main

import (
	"context"
	"log/slog"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/internal/journal"
)

// voided implements door.Voided: a revocation list, of the random ids of the grants that somebody logged out of, each until it would
// have expired. Redis tells every replica; the journal keeps the list where Redis is volatile or away; Has answers from memory.
type voided struct {
	rdb     redis.UniversalClient
	key     string // a sorted set of ids by Unix expiry
	journal *journal.Journal

	mu    sync.RWMutex
	known map[string]int64 // id → Unix expiry
}

// entryVoided is a mark of the journal, under the grant's id.
const entryVoided = "voided"

type voidedEntry struct {
	ID    string `json:"id"`
	Until int64  `json:"until"`
}

func newVoided(rdb redis.UniversalClient, prefix string, j *journal.Journal) *voided {
	v := &voided{rdb: rdb, key: prefix + "voided", journal: j, known: map[string]int64{}}
	journal.Handle(j, entryVoided, v.restore)
	return v
}

// Add implements door.Voided. In this process the grant is void at once, also if writing it fails.
func (v *voided) Add(ctx context.Context, id string, until time.Time) error {
	e := voidedEntry{id, until.Unix()}
	v.remember(e)
	marks := []journal.Mark{{Kind: entryVoided, Key: id, Value: e}}
	return v.journal.Keep(ctx, marks, func(ctx context.Context) error { return v.apply(ctx, e) })
}

// Has implements door.Voided.
func (v *voided) Has(id string) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	_, ok := v.known[id]
	return ok
}

func (v *voided) remember(entries ...voidedEntry) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, e := range entries {
		v.known[e.ID] = e.Until
	}
}

// restore applies an entry of the journal.
func (v *voided) restore(ctx context.Context, e voidedEntry) error {
	v.remember(e)
	return v.apply(ctx, e)
}

func (v *voided) apply(ctx context.Context, e voidedEntry) error {
	_, err := v.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.ZAdd(ctx, v.key, redis.Z{Score: float64(e.Until), Member: e.ID})
		p.ZRemRangeByScore(ctx, v.key, "-inf", unixNow())
		return nil
	})
	return err
}

func unixNow() string { return strconv.FormatInt(time.Now().Unix(), 10) }

const (
	readVoidedEvery   = time.Second
	forgetVoidedEvery = time.Hour
)

// follow reads every second what other replicas void, until ctx ends, so that no request has to; every hour it forgets what has expired.
func (v *voided) follow(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(readVoidedEvery)
	defer tick.Stop()
	for forgot := (time.Time{}); ; {
		_ = v.read(ctx) // the watcher logs that Redis is away; the list in memory stays valid
		if time.Since(forgot) > forgetVoidedEvery {
			forgot = time.Now()
			if err := v.forget(); err != nil {
				log.Error("logouts that are over", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (v *voided) read(ctx context.Context) error {
	return v.journal.Try(ctx, func(ctx context.Context) error {
		found, err := v.rdb.ZRangeByScoreWithScores(ctx, v.key, &redis.ZRangeBy{Min: unixNow(), Max: "+inf"}).Result()
		if err != nil {
			return err
		}
		entries := make([]voidedEntry, len(found))
		for i, z := range found {
			id, _ := z.Member.(string) // always
			entries[i] = voidedEntry{id, int64(z.Score)}
		}
		v.remember(entries...)
		return nil
	})
}

// forget drops the ids of grants that have expired, from the journal too.
func (v *voided) forget() error {
	now, over := time.Now().Unix(), []journal.Mark{}
	v.mu.Lock()
	maps.DeleteFunc(v.known, func(id string, until int64) bool {
		if until > now {
			return false
		}
		over = append(over, journal.Mark{Kind: entryVoided, Key: id})
		return true
	})
	v.mu.Unlock()
	return v.journal.Note(over)
}
