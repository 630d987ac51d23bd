package attendance

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/attendance/marks"
	"jauge/internal/redistest"
	"jauge/internal/text"
	"jauge/programme"
)

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = t
}

var planned = time.UnixMilli(plannedStart).UTC()

// in is a room of a source.
func in(source, id string) programme.Room { return programme.Room{Source: source, ID: id} }

func hourLong(id string, rooms ...programme.Room) programme.Session {
	return programme.Session{ID: id, Title: text.Text{"fr": id}, StartsAt: planned, EndsAt: planned.Add(time.Hour), Rooms: rooms}
}

// opened gives a store and its programme.
func opened(rdb redis.UniversalClient, o Options) *Store {
	return New(rdb, programme.New(rdb, programme.Options{Prefix: o.Prefix, Journal: o.Journal}), o)
}

// define defines a session and counts what was aside of it.
func define(ctx context.Context, s *Store, session programme.Session) error {
	if err := s.programme.Put(ctx, session); err != nil {
		return err
	}
	_, err := s.Reclaim(ctx)
	return err
}

func newStore(t *testing.T, rdb redis.UniversalClient, prefix string, sessions ...programme.Session) (*Store, *clock) {
	t.Helper()
	c := &clock{at: planned}
	s := opened(rdb, Options{
		Prefix: prefix, Key: []byte(strings.Repeat("k", 32)), Now: c.now, Capabilities: map[string]Capability{"totals": Totals}, Patience: redistest.Patience,
	})
	if err := s.programme.Configure(t.Context(), sessions); err != nil {
		t.Fatal(err)
	}
	return s, c
}

func (c *clock) event(kind Kind, attendee, connection string, after time.Duration) Event {
	return Event{Kind: kind, Room: "room", Occurrence: "one", Attendee: attendee, Connection: connection, At: planned.Add(after)}
}

func record(t *testing.T, s *Store, source string, events ...Event) []Result {
	t.Helper()
	results, err := s.Record(t.Context(), source, events)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func figures(t *testing.T, s *Store, id string) Figures {
	t.Helper()
	session, err := s.programme.Session(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.Figures(t.Context(), session)
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

func summary(t *testing.T, s *Store, id string) Summary {
	t.Helper()
	return *status(t, s, id).Summary
}

func TestRecordCountsAndIsIdempotent(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("live", "room")))
		c.set(planned.Add(10 * time.Minute))
		join := c.event(Joined, "ann", "c1", 0)
		host := c.event(Joined, "host", "c9", 0)
		host.Staff = true
		got := record(t, s, "live", join, c.event(Joined, "bob", "c2", time.Minute), join, host, c.event(Left, "", "c2", 2*time.Minute))
		if diff := cmp.Diff([]Result{Recorded, Recorded, Duplicate, StaffSeen, Recorded}, got); diff != "" {
			t.Error(diff)
		}
		f := figures(t, s, "talk")
		if *f.Present != 1 || *f.Unique != 2 || *f.Peak != 2 || f.Watch != 11*time.Minute || f.State != InSession {
			t.Errorf("present %d, unique %d, peak %d, watch %s, %s", *f.Present, *f.Unique, *f.Peak, f.Watch, f.State)
		}
		if !f.PeakAt.Equal(planned.Add(time.Minute)) || !f.StartedAt.Equal(planned) {
			t.Errorf("peak at %s, started at %s", f.PeakAt, f.StartedAt)
		}
	})
}

func TestSilentSessionClosesItself(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("live", "room")))
		record(t, s, "live", c.event(Joined, "ann", "c1", 0), c.event(Joined, "bob", "c2", 0), c.event(Left, "", "c2", 30*time.Minute))
		closeAt := planned.Add(time.Hour + marks.CloseAfter)
		c.set(closeAt.Add(-time.Second))
		if f := figures(t, s, "talk"); *f.Present != 1 || f.State != InSession {
			t.Errorf("a second before: present %d, %s", *f.Present, f.State)
		}
		c.set(closeAt)
		f := figures(t, s, "talk")
		if *f.Present != 0 || *f.Connections != 0 || f.State != Over || !f.EndedAt.Equal(closeAt) {
			t.Errorf("present %d, connections %d, %s, ended %s", *f.Present, *f.Connections, f.State, f.EndedAt)
		}
		sum := summary(t, s, "talk")
		want := Summary{Attended: 2, Completed: 1, StayMean: time.Hour, StayMedian: time.Hour, Watch: 2 * time.Hour, WatchLow: 30 * time.Minute}
		if diff := cmp.Diff(want, sum); diff != "" {
			t.Error(diff)
		}
		if f.Watch != sum.Watch {
			t.Errorf("watch %s, by rows %s", f.Watch, sum.Watch)
		}
	})
}

func TestRestartKilledRoomIsSuperseded(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("live", "room")))
		c.set(planned.Add(20 * time.Minute))
		second := c.event(Joined, "ann", "c3", 10*time.Minute)
		second.Occurrence = "two"
		record(t, s, "live", c.event(Joined, "ann", "c1", 0), c.event(Joined, "bob", "c2", 0), second)
		f := figures(t, s, "talk")
		if *f.Present != 1 || *f.Unique != 2 || *f.Connections != 1 || f.Watch != 30*time.Minute {
			t.Errorf("present %d, unique %d, connections %d, watch %s", *f.Present, *f.Unique, *f.Connections, f.Watch)
		}
	})
}

func TestUnclaimedRoomIsCountedOnceASessionClaimsIt(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix)
		for range 2 { // a redelivery is not kept twice
			if got := record(t, s, "live", c.event(Joined, "ann", "c1", 0), c.event(Joined, "bob", "c2", 0)); got[0] != Aside {
				t.Fatal(got)
			}
		}
		if aside := asideEvents(t, s); len(aside) != 2 || aside[0].Room != "room" {
			t.Fatal(aside)
		}
		if err := define(t.Context(), s, hourLong("talk", in("live", "room"))); err != nil {
			t.Fatal(err)
		}
		if f := figures(t, s, "talk"); *f.Present != 2 {
			t.Errorf("present %d", *f.Present)
		}
		if n := asideCount(t, s); n != 0 {
			t.Errorf("%d events are still aside", n)
		}
	})
}

func TestSameRoomGoesToTheSessionOfTheDay(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		next := hourLong("next", in("live", "room"))
		next.StartsAt, next.EndsAt = planned.Add(24*time.Hour), planned.Add(25*time.Hour)
		s, c := newStore(t, rdb, prefix, next, hourLong("first", in("live", "room")))
		late := c.event(Joined, "cid", "c3", 23*time.Hour+30*time.Minute) // the doors of next are open
		late.Occurrence = "two"
		record(t, s, "live", c.event(Joined, "ann", "c1", -2*time.Hour), c.event(Joined, "bob", "c2", 0), late)
		if first, second := *figures(t, s, "first").Unique, *figures(t, s, "next").Unique; first != 2 || second != 1 {
			t.Errorf("first %d, next %d", first, second)
		}
	})
}

func TestEndByHand(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("live", "room")), hourLong("empty"))
		record(t, s, "live", c.event(Joined, "ann", "c1", 0))
		c.set(planned.Add(12 * time.Minute))
		for _, id := range []string{"talk", "empty"} {
			if err := s.End(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			f := figures(t, s, id)
			if f.State != Over || !f.EndedAt.Equal(c.now()) {
				t.Errorf("%s: %s, ended %s", id, f.State, f.EndedAt)
			}
		}
		c.set(planned.Add(20 * time.Minute))
		if f := figures(t, s, "talk"); *f.Present != 0 || f.Watch != 12*time.Minute {
			t.Errorf("present %d, watch %s", *f.Present, f.Watch)
		}
		if err := s.End(t.Context(), "nobody"); !errors.Is(err, programme.ErrNotFound) {
			t.Errorf("unknown session: %v", err)
		}
	})
}

func TestDeclaredAndReportedFigures(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("totals", "room")))
		if f := figures(t, s, "talk"); f.Declared != nil || f.Present != nil || f.Registered != nil || f.NoShowRate != nil {
			t.Errorf("what is not known must be nil: %+v", f)
		}
		if err := s.Declare(t.Context(), "talk", 27); err != nil {
			t.Fatal(err)
		}
		stay := c.event(Attended, "ann", "", time.Hour)
		stay.Total = 40 * time.Minute
		record(t, s, "totals", c.event(Registered, "ann", "", 0), c.event(Registered, "bob", "", 0), stay, stay)
		f := figures(t, s, "talk")
		if *f.Declared != 27 || *f.Registered != 2 || *f.NoShowRate != 0.5 || *f.Unique != 1 || f.Watch != 40*time.Minute || f.Present != nil {
			t.Errorf("%+v", f)
		}
		rows, err := s.Rows(t.Context(), "talk")
		if err != nil || len(rows) != 1 || rows[0].Provenance != "reported" || !rows[0].Attended {
			t.Errorf("%+v %v", rows, err)
		}
	})
}

func TestCurveSamplesEveryStep(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("live", "room")))
		record(t, s, "live", c.event(Joined, "ann", "c1", 0), c.event(Joined, "bob", "c2", 90*time.Second), c.event(Ended, "", "", 5*time.Minute))
		c.set(planned.Add(time.Hour))
		got, err := s.Curve(t.Context(), status(t, s, "talk").Figures, 2*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		want := []Point{{planned, 1}, {planned.Add(2 * time.Minute), 2}, {planned.Add(4 * time.Minute), 2}, {planned.Add(5 * time.Minute), 0}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestScrapeShowsASessionInItsWindow(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("live", "room")))
		seen := func() bool {
			all, err := s.Scrape(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return slices.ContainsFunc(all, func(f Status) bool { return f.Session.ID == "talk" })
		}
		for _, row := range []struct {
			after time.Duration
			want  bool
		}{{-61 * time.Minute, false}, {-time.Hour, true}, {25 * time.Hour, true}, {25*time.Hour + time.Second, false}} {
			if c.set(planned.Add(row.after)); seen() != row.want {
				t.Errorf("%s after the planned start: want %v", row.after, row.want)
			}
		}
		years := c.event(Joined, "ann", "c1", 0)
		years.At = planned.AddDate(6, 0, 0)
		if c.set(years.At); len(record(t, s, "live", c.event(Started, "", "", 0), years)) == 2 && !seen() {
			t.Error("a meeting that goes on for years does not show")
		}
	})
}

// A webhook waits for Record: what it is cancelled for must not be lost, only repeated.
func TestCancelledRecordCanBeRepeated(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("live", "room")))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Record(ctx, "live", []Event{c.event(Joined, "ann", "c1", 0)}); err == nil {
			t.Fatal("a cancelled call succeeded")
		}
		if record(t, s, "live", c.event(Joined, "ann", "c1", 0)); *figures(t, s, "talk").Unique != 1 {
			t.Error("not counted")
		}
	})
}
