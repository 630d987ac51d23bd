package attendance

import (
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/internal/redistest"
	"jauge/programme"
)

// An end by hand closes what is open, and nothing else: twice, before and after the platform's own end.
func TestEndByHandClosesWhatIsOpen(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		ctx := t.Context()
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("live", "room"), in("live", "annexe")))
		annexe := c.event(Joined, "bob", "c2", 0)
		annexe.Room = "annexe"
		ended := annexe
		ended.Kind, ended.Attendee, ended.Connection, ended.At = Ended, "", "", planned.Add(5*time.Minute)
		record(t, s, "live", c.event(Joined, "ann", "c1", 0), annexe, ended)
		shows := func(when string, state State, end, watch time.Duration) {
			t.Helper()
			f := figures(t, s, "talk")
			if f.State != state || !f.EndedAt.Equal(planned.Add(end)) || f.Watch != watch {
				t.Errorf("%s: %s, ended %s, watched %s", when, f.State, f.EndedAt, f.Watch)
			}
			if found := drifts(t, s); found != "" {
				t.Errorf("%s: %s", when, found)
			}
		}
		end := func(at time.Duration) {
			t.Helper()
			c.set(planned.Add(at))
			if err := s.End(ctx, "talk"); err != nil {
				t.Fatal(err)
			}
		}
		end(20 * time.Minute)
		shows("by hand", Over, 20*time.Minute, 25*time.Minute)
		end(30 * time.Minute)
		shows("by hand once more", Over, 20*time.Minute, 25*time.Minute)
		record(t, s, "live", c.event(Ended, "", "", 10*time.Minute))
		shows("an earlier end of the platform", Over, 20*time.Minute, 25*time.Minute)
		record(t, s, "live", c.event(Ended, "", "", 40*time.Minute))
		shows("a later end of the platform", Over, 40*time.Minute, 45*time.Minute)
	})
}

// A head count that was typed again replaces the one before it; the journal keeps it while Redis is away.
func TestDeclare(t *testing.T) {
	t.Parallel()
	s, _, line, _ := beside(t, hourLong("talk"))
	ctx := t.Context()
	if err := s.Declare(ctx, "nobody", 3); !errors.Is(err, programme.ErrNotFound) {
		t.Errorf("no such session: %v", err)
	}
	for i, n := range []int{27, 0, 31} {
		if i == 2 {
			line.Cut()
		}
		if err := s.Declare(ctx, "talk", n); err != nil {
			t.Fatal(err)
		}
		if i == 2 {
			line.Mend()
			if err := s.journal.Drain(ctx, func(err error) { t.Error(err) }); err != nil {
				t.Fatal(err)
			}
		}
		if f := figures(t, s, "talk"); f.Declared == nil || *f.Declared != n {
			t.Errorf("%v, not %d", f.Declared, n)
		}
	}
}

// With Redis away, an end waits, and closes what was open when it was said.
func TestEndWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	s, _, line, c := beside(t, hourLong("talk", in("live", "room")))
	ctx := t.Context()
	record(t, s, "live", c.event(Joined, "ann", "c1", 0))
	line.Cut()
	c.set(planned.Add(10 * time.Minute))
	if err := s.End(ctx, "talk"); err != nil {
		t.Fatal(err)
	}
	line.Mend()
	c.set(planned.Add(20 * time.Minute))
	if err := s.journal.Drain(ctx, func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	if f := figures(t, s, "talk"); f.State != Over || f.Watch != 10*time.Minute || *f.Present != 0 {
		t.Errorf("%s, watched %s", f.State, f.Watch)
	}
}
