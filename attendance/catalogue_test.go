package attendance

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/internal/redistest"
)

// counting counts the commands that go to the store.
type counting struct{ commands, trips atomic.Int64 }

func counted(t *testing.T, shared redis.UniversalClient) (*redis.Client, *counting) {
	t.Helper()
	rdb, count := redis.NewClient(shared.(*redis.Client).Options()), &counting{}
	t.Cleanup(func() { _ = rdb.Close() })
	rdb.AddHook(count)
	return rdb, count
}

func (c *counting) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *counting) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() != "hello" { // of a new connection
			c.commands.Add(1)
			c.trips.Add(1)
		}
		return next(ctx, cmd)
	}
}

func (c *counting) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.commands.Add(int64(len(cmds)))
		c.trips.Add(1)
		return next(ctx, cmds)
	}
}

// A start costs a few commands, however many sessions there are, and so does looking after them.
func TestAThousandSessionsStartInAFewCommands(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, shared redis.UniversalClient, prefix string) {
		rdb, count := counted(t, shared)
		file := make([]Session, 1000)
		for i := range file {
			file[i] = hourLong(fmt.Sprint("s", i), Room{"live", fmt.Sprint(i)})
		}
		var s *Store
		for _, row := range []struct {
			name string
			do   func() error
			most int64
		}{
			{"the first start", func() error { return s.Configure(t.Context(), file) }, 10},
			{"another one", func() error { return s.Configure(t.Context(), file) }, 4},
			{"with all but one gone", func() error { return s.Configure(t.Context(), file[:1]) }, 10},
			{"with all of them back", func() error { return s.Configure(t.Context(), file) }, 10},
			{"nothing to restore", func() error { return s.Restore(t.Context(), file) }, 2},
		} {
			if row.name != "nothing to restore" {
				s = New(rdb, Options{Prefix: prefix, Key: make([]byte, 32), Now: func() time.Time { return planned }})
			}
			before, began := count.commands.Load(), time.Now()
			if err := row.do(); err != nil {
				t.Fatal(err)
			}
			n := count.commands.Load() - before
			t.Logf("%s: %d commands, %s", row.name, n, time.Since(began).Round(time.Millisecond))
			if n > row.most {
				t.Errorf("%s: %d commands", row.name, n)
			}
		}
		if sessions, err := s.Sessions(t.Context()); err != nil || len(sessions) != len(file) {
			t.Errorf("%d sessions (%v)", len(sessions), err)
		}
		rdb.Del(t.Context(), s.keys.sessions())
		s.know(true)
		trips := count.trips.Load()
		if err := s.Restore(t.Context(), file); err != nil || count.trips.Load()-trips > 2 {
			t.Errorf("%d round trips to restore (%v)", count.trips.Load()-trips, err)
		}
		if sessions, err := s.Sessions(t.Context()); err != nil || len(sessions) != len(file) {
			t.Errorf("%d sessions restored (%v)", len(sessions), err)
		}
	})
}

// A session that was accepted while the store was away, or taken to be, is there at once, and its events are its own.
func TestASessionAcceptedInAHiccupIsKnown(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		over bool // the store is back before the call; the journal does not try it yet
	}{{"while the store is away", false}, {"just after", true}} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s, other, store, c := beside(t, hourLong("known"))
			store.away.Store(true)
			if _, err := s.Record(t.Context(), "live", []Event{c.event(Joined, "ann", "c1", 0)}); err != nil { // notices
				t.Fatal(err)
			}
			store.away.Store(!row.over)
			if err := s.Create(t.Context(), hourLong("talk", Room{"live", "room"})); err != nil {
				t.Fatal(err)
			}
			for _, id := range []string{"talk", "known"} {
				if err := s.Create(t.Context(), hourLong(id)); !errors.Is(err, ErrExists) {
					t.Errorf("%s is created again: %v", id, err)
				}
			}
			changed := hourLong("talk", Room{"live", "room"})
			changed.Invited = 7
			if err := s.Put(t.Context(), changed); err != nil {
				t.Fatal(err)
			}
			s.know(true) // the catalogue is read anew; what waits in the journal is known nevertheless
			if got, err := s.Session(t.Context(), "talk"); err != nil || got.Invited != 7 {
				t.Fatalf("%+v (%v)", got, err)
			}
			unnamed := c.event(Joined, "bob", "c2", 0)
			unnamed.Occurrence = ""
			if _, err := s.Record(t.Context(), "live", []Event{unnamed}); err != nil {
				t.Fatal(err)
			}
			store.away.Store(false)
			if err := s.journal.Drain(t.Context(), func(err error) { t.Error(err) }); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Reclaim(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, s := range []*Store{s, other} {
				if got, err := s.Session(t.Context(), "talk"); err != nil || got.Invited != 7 || *figures(t, s, "talk").Unique != 2 {
					t.Errorf("%+v (%v)", got, err)
				}
			}
			if len(s.news) != 0 {
				t.Errorf("%v waits for ever", s.news)
			}
			changed.Invited = 9 // by the other replica
			if err := other.Put(t.Context(), changed); err != nil {
				t.Fatal(err)
			}
			s.know(true)
			if got, err := s.Session(t.Context(), "talk"); err != nil || got.Invited != 9 {
				t.Errorf("%+v (%v)", got, err)
			}
		})
	}
}
