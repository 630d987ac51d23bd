package attendance

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/internal/redistest"
	"jauge/programme"
)

// people are the sessions' people, told apart by when they came and how long they stayed: pseudonyms differ between sessions.
func people(t *testing.T, s *Store, ids ...string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, id := range ids {
		rows, err := s.Rows(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		all[id] = []string{}
		for _, r := range rows {
			all[id] = append(all[id], fmt.Sprint(r.FirstJoinedAt.Sub(planned), " ", r.Watch, " ", r.Visits, " ", r.Provenance))
		}
		slices.Sort(all[id])
		if drifts, err := s.Verify(t.Context(), id); err != nil || len(drifts) > 0 {
			t.Errorf("%s: %v (%v)", id, drifts, err)
		}
	}
	return all
}

// twoLessons are two sessions of a room, back to back, and what happens there: a first meeting, and one that begins in the first session's time and
// lasts until the second one's end.
func twoLessons(c *clock) ([]programme.Session, []Event) {
	first, second := hourLong("first", in("live", "room")), hourLong("second", in("live", "room"))
	second.StartsAt, second.EndsAt = planned.Add(time.Hour), planned.Add(2*time.Hour)
	across := []Event{
		c.event(Started, "", "", 50*time.Minute),
		c.event(Joined, "ann", "c1", 51*time.Minute),
		c.event(Joined, "bob", "c2", 65*time.Minute),
		c.event(Left, "ann", "c1", 70*time.Minute),
		c.event(Attended, "ann", "", 100*time.Minute),
		c.event(Left, "bob", "c2", 115*time.Minute),
		c.event(Ended, "", "", 119*time.Minute),
	}
	across[4].Total = 19 * time.Minute
	before := []Event{c.event(Joined, "dan", "d1", -5*time.Minute), c.event(Left, "dan", "d1", 40*time.Minute)}
	after := []Event{c.event(Joined, "eve", "e1", 121*time.Minute), c.event(Left, "eve", "e1", 125*time.Minute)}
	for i := range 2 {
		before[i].Occurrence, after[i].Occurrence = "before", "after"
	}
	return []programme.Session{first, second}, slices.Concat(across, before, after)
}

// Two sessions of one room, back to back, with windows that overlap, and an occurrence across both: every order of arrival, one by one
// or in batches, with restarts and other replicas between, ends with the same people in each session.
func TestEveryOrderOfArrivalHasTheSamePeople(t *testing.T) {
	t.Parallel()
	n := max(15, *histories/10)
	for name, embedded := range map[string]bool{"redis": false, "embedded": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want map[string][]string
			for seed := range uint64(n) {
				chance := rand.New(rand.NewPCG(seed, 9))
				c := &clock{at: planned.Add(2 * time.Hour)}
				file, events := twoLessons(c)
				w := newWorld(t, c, embedded)
				w.restart(file)
				if seed > 0 {
					chance.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
				}
				for len(events) > 0 {
					batch := events[:1+chance.IntN(min(3, len(events)))]
					record(t, w.Store, "live", batch...)
					if chance.IntN(5) == 0 {
						record(t, w.Store, "live", batch...) // the platform repeats
					}
					switch events = events[len(batch):]; chance.IntN(6) {
					case 0:
						w.restart(file)
					case 1:
						later := hourLong("later", in("live", "room"))
						later.StartsAt = planned.Add(45 * time.Minute)
						w.restart(append(slices.Clone(file), later)) // nearer, and too late for what is claimed
						w.restart(file)
					}
				}
				got := people(t, w.Store, "first", "second")
				if want == nil {
					want = got
				}
				if diff := gocmp.Diff(want, got); diff != "" {
					t.Fatalf("seed %d: %s", seed, diff)
				}
				if n := asideCount(t, w.Store); n != 0 {
					t.Errorf("seed %d: %d aside", seed, n)
				}
				if torn := w.torn(); torn != "" {
					t.Errorf("seed %d: an occurrence is torn between %s", seed, torn)
				}
				w.restart(file)
				if diff := gocmp.Diff(want, people(t, w.Store, "first", "second")); diff != "" {
					t.Errorf("seed %d: after a restart: %s", seed, diff)
				}
				w.stop()
			}
			if len(want["first"]) != 3 || len(want["second"]) != 1 {
				t.Errorf("%v", want)
			}
		})
	}
}

// Replicas that record at the same time leave no mark where the occurrence is not.
func TestReplicasMoveTogether(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		c := &clock{at: planned}
		file, events := twoLessons(c)
		var replicas []*Store
		for range 3 {
			s := opened(rdb, Options{Prefix: prefix, Key: []byte(strings.Repeat("k", 32)), Now: c.now, Patience: redistest.Patience})
			if err := s.programme.Configure(t.Context(), file); err != nil {
				t.Fatal(err)
			}
			replicas = append(replicas, s)
		}
		for round := range 10 {
			chance := rand.New(rand.NewPCG(uint64(round), 4))
			mine := slices.Clone(events)
			for i := range mine {
				mine[i].Occurrence = fmt.Sprint(mine[i].Occurrence, round)
				mine[i].Connection = cmp.Or(mine[i].Connection, "") // its own in each occurrence
			}
			chance.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
			var all sync.WaitGroup
			for i, s := range replicas {
				all.Go(func() {
					for k := i; k < len(mine); k += len(replicas) {
						if _, err := s.Record(t.Context(), "live", []Event{mine[k]}); err != nil {
							t.Error(err)
						}
					}
				})
			}
			all.Wait()
		}
		for _, s := range replicas {
			for {
				_, err := s.Reclaim(t.Context()) // tries again what was busy
				if err != nil {
					t.Fatal(err)
				}
				if s.mu.Lock(); len(s.waiting) == 0 {
					s.mu.Unlock()
					break
				}
				s.mu.Unlock()
			}
		}
		got := people(t, replicas[0], "first", "second")
		if len(got["first"]) != 3 || len(got["second"]) != 1 {
			t.Errorf("%v", got)
		}
		w := &world{t: t, rdb: rdb, prefix: prefix, Store: replicas[0]}
		if torn := w.torn(); torn != "" {
			t.Errorf("an occurrence is torn between %s", torn)
		}
	})
}

// The events of an occurrence are kept only while another session could take it.
func TestEventsAreKeptWhileTheyMayMove(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		first, second := hourLong("first", in("live", "room")), hourLong("second", in("live", "room"))
		second.StartsAt, second.EndsAt = planned.Add(time.Hour), planned.Add(2*time.Hour)
		s, c := newStore(t, rdb, prefix, first, second)
		kept := func() int {
			keys, err := rdb.Keys(t.Context(), prefix+"*moving*").Result()
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range keys {
				if ttl := rdb.PTTL(t.Context(), key).Val(); ttl <= 0 || ttl > 3*time.Hour {
					t.Errorf("kept for %s", ttl)
				}
			}
			return len(keys)
		}
		record(t, s, "live", c.event(Joined, "ann", "c1", 10*time.Minute))
		if n := kept(); n != 0 {
			t.Errorf("%d kept of what nobody else can take", n)
		}
		late := c.event(Joined, "bob", "c2", 80*time.Minute)
		late.Occurrence = "two"
		record(t, s, "live", late)
		if n := kept(); n != 1 {
			t.Errorf("%d kept of what the first session could take", n)
		}
		late.At = planned.Add(10 * time.Minute)
		record(t, s, "live", late)
		if n := kept(); n != 0 {
			t.Errorf("%d kept after it has moved for good", n)
		}
		if got := people(t, s, "first", "second"); len(got["first"]) != 2 || len(got["second"]) != 0 {
			t.Errorf("%v", got)
		}
	})
}

// A move that another process has left half done, or that was not possible at once, is seen through.
func TestMovesAreSeenThrough(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		c := &clock{at: planned}
		file, events := twoLessons(c)
		s := opened(rdb, Options{Prefix: prefix, Key: make([]byte, 32), Now: c.now})
		if err := s.programme.Configure(t.Context(), file); err != nil {
			t.Fatal(err)
		}
		record(t, s, "live", events[2], events[5])
		early := s.seal.seal("live", events[1])
		if err := s.decide(t.Context(), []sealed{early}); err != nil { // and then it dies
			t.Fatal(err)
		}
		other := opened(rdb, Options{Prefix: prefix, Key: make([]byte, 32), Now: c.now})
		if err := rdb.Set(t.Context(), other.keys.forgetting("second"), "", 0).Err(); err != nil { // somebody else is at it
			t.Fatal(err)
		}
		record(t, other, "live", events[1])
		if got := people(t, other, "first", "second"); len(got["first"]) != 2 || len(got["second"]) != 1 {
			t.Errorf("recorded first, dropped after: %v", got)
		}
		if err := rdb.Del(t.Context(), other.keys.forgetting("second")).Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := other.Reclaim(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := people(t, other, "first", "second"); len(got["first"]) != 2 || len(got["second"]) != 0 {
			t.Errorf("seen through: %v", got)
		}
		if err := other.forget(t.Context(), "second", "nothing"); err != nil && !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
	})
}
