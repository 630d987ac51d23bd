package programme

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/internal/redistest"
)

// A start costs a few commands, however many sessions there are, and so does looking after them.
func TestAThousandSessionsStartInAFewCommands(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, shared redis.UniversalClient, prefix string) {
		rdb, count := redistest.Counted(t, shared)
		file := make([]Session, 1000)
		for i := range file {
			file[i] = hourLong(fmt.Sprint("s", i), Room{"live", fmt.Sprint(i)})
		}
		var c *Catalogue
		for _, row := range []struct {
			name string
			do   func() error
			most int64
		}{
			{"the first start", func() error { return c.Configure(t.Context(), file) }, 10},
			{"another one", func() error { return c.Configure(t.Context(), file) }, 4},
			{"with all but one gone", func() error { return c.Configure(t.Context(), file[:1]) }, 10},
			{"with all of them back", func() error { return c.Configure(t.Context(), file) }, 10},
			{"nothing to restore", func() error { return c.Restore(t.Context(), file) }, 2},
		} {
			if row.name != "nothing to restore" {
				c = New(rdb, Options{Prefix: prefix})
			}
			before := count.Commands.Load()
			if err := row.do(); err != nil {
				t.Fatal(err)
			}
			if n := count.Commands.Load() - before; n > row.most {
				t.Errorf("%s: %d commands", row.name, n)
			}
		}
		if sessions, err := c.Sessions(t.Context()); err != nil || len(sessions) != len(file) {
			t.Errorf("%d sessions (%v)", len(sessions), err)
		}
		rdb.Del(t.Context(), c.keys.sessions())
		c.forgetful()
		trips := count.Trips.Load()
		if err := c.Restore(t.Context(), file); err != nil || count.Trips.Load()-trips > 2 {
			t.Errorf("%d round trips to restore (%v)", count.Trips.Load()-trips, err)
		}
		if sessions, err := c.Sessions(t.Context()); err != nil || len(sessions) != len(file) {
			t.Errorf("%d sessions restored (%v)", len(sessions), err)
		}
	})
}

// Sessions are listed by their planned start, whatever the order of the file; one that the file drops is found, and not listed.
func TestSessionsAreListedByTheirStart(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		late, twin, gone := hourLong("a"), hourLong("c"), hourLong("d", Room{"live", "room"})
		late.StartsAt, late.EndsAt = planned.Add(time.Minute), planned.Add(time.Hour)
		c := configured(t, rdb, prefix, late, twin, gone, hourLong("b"))
		listed := func() (ids []string) {
			t.Helper()
			sessions, err := c.Sessions(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range sessions {
				ids = append(ids, s.ID)
			}
			return ids
		}
		if diff := cmp.Diff([]string{"b", "c", "d", "a"}, listed()); diff != "" {
			t.Error(diff)
		}
		c = configured(t, rdb, prefix, late, twin, hourLong("b"))
		if diff := cmp.Diff([]string{"b", "c", "a"}, listed()); diff != "" {
			t.Error(diff)
		}
		mine, err := c.Sessions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		clear(mine) // a caller's list is the caller's
		if diff := cmp.Diff([]string{"b", "c", "a"}, listed()); diff != "" {
			t.Error(diff)
		}
		if got, err := c.Session(t.Context(), "d"); err != nil || got.ID != "d" {
			t.Errorf("what the file has dropped: %+v (%v)", got, err)
		}
		if _, ok, err := c.Find(t.Context(), Seen{Room: Room{"live", "room"}, At: planned}); ok || err != nil {
			t.Errorf("what the file has dropped takes events (%v)", err)
		}
		if _, err := c.Session(t.Context(), "nobody"); !errors.Is(err, ErrNotFound) {
			t.Errorf("no such session: %v", err)
		}
	})
}

// A Redis that is away takes nothing from what is known of the sessions: pages and surveys go on.
func TestSessionsAreKnownWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, shared redis.UniversalClient, prefix string) {
		rdb, line := redistest.Cuttable(t, shared)
		c := configured(t, rdb, prefix, hourLong("talk", Room{"live", "room"}))
		line.Cut()
		c.forgetful()
		if _, err := c.Session(t.Context(), "talk"); err != nil {
			t.Errorf("after it was known: %v", err)
		}
		fresh := New(rdb, Options{Prefix: prefix})
		if _, err := fresh.Sessions(t.Context()); err == nil {
			t.Error("a service that has never seen Redis knows its sessions")
		}
		if err := fresh.Configure(t.Context(), []Session{hourLong("other")}); err == nil {
			t.Error("a Redis that is away took the sessions")
		}
		if _, err := fresh.Session(t.Context(), "other"); err != nil {
			t.Errorf("of the file: %v", err)
		}
		line.Mend()
		fresh.forgetful()
		if _, err := fresh.Session(t.Context(), "talk"); err != nil {
			t.Errorf("when Redis is back: %v", err)
		}
	})
}

// BenchmarkStart is a start with 1,000 sessions in the file.
func BenchmarkStart(b *testing.B) {
	file := make([]Session, 1000)
	for i := range file {
		file[i] = hourLong(fmt.Sprint("s", i), Room{"live", fmt.Sprint(i)})
	}
	for name, start := range map[string]func() (redis.UniversalClient, string){"redis": redistest.Redis, "embedded": redistest.Embedded} {
		b.Run(name, func(b *testing.B) {
			rdb, prefix := start()
			for b.Loop() {
				c := configured(b, rdb, prefix, file...)
				rdb.Del(b.Context(), c.keys.sessions())
			}
		})
	}
}
