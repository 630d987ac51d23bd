package attendance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/internal/journal"
	"jauge/internal/redistest"
)

func TestAsideIsListedForAWeek(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix)
		e := c.event(Joined, "ann", "c1", 0)
		e.Alias = "series"
		record(t, s, "live", e)
		for at, want := range map[time.Duration]int{0: 1, AsideFor: 1, AsideFor + time.Millisecond: 0} {
			c.set(planned.Add(at))
			got, err := s.AsideEvents(t.Context())
			n, countErr := s.AsideCount(t.Context())
			if err != nil || countErr != nil || len(got) != want || n != int64(want) {
				t.Errorf("after %s: %v, %d (%v, %v)", at, got, n, err, countErr)
			}
		}
		c.set(planned)
		got, err := s.AsideEvents(t.Context())
		want := []AsideEvent{{Source: "live", Room: "room", Alias: "series", Kind: Joined, Reason: NoSession, At: planned, ReceivedAt: planned}}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
	})
}

// unusable are events that can never count, with why.
func unusable(c *clock) map[Event]Reason {
	at := func(t time.Time) Event { e := c.event(Joined, "eve", "c5", 0); e.At = t; return e }
	return map[Event]Reason{
		at(time.Unix(0, 0).UTC()):                                    OutOfRange,
		at(time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC)):         OutOfRange,
		at(c.now().Add(maxAhead + time.Millisecond)):                 OutOfRange,
		at(time.UnixMilli(1e15).UTC()):                               OutOfRange, // in the year 33658
		at(time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)):                OutOfRange,
		c.event(Left, "", "", 0):                                     Nobody,
		c.event(Joined, "", "", 0):                                   Nobody,
		c.event(Bound, "", "c1", 0):                                  Nobody,
		c.event(Registered, "", "c1", 0):                             Nobody,
		{Kind: Ended, Room: "room", At: time.Unix(1, 0).UTC()}:       OutOfRange,
		{Kind: Attended, Room: "room", Occurrence: "o", At: planned}: Nobody,
	}
}

// reasons counts what is aside by reason.
func reasons(t *testing.T, s *Store) map[Reason]int {
	t.Helper()
	events, err := s.AsideEvents(t.Context())
	n, countErr := s.AsideCount(t.Context())
	if err != nil || countErr != nil || int(n) != len(events) {
		t.Fatalf("%d counted, %d listed (%v, %v)", n, len(events), countErr, err)
	}
	counts := map[Reason]int{}
	for _, e := range events {
		counts[e.Reason]++
	}
	return counts
}

// What cannot be used of a delivery is kept aside, once, for good; the rest counts.
func TestUnusableEventsLeaveTheOthersAlone(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", Room{"live", "room"}))
		good := c.event(Joined, "ann", "c1", 0)
		for e, reason := range unusable(c) {
			before := reasons(t, s)[reason]
			results := record(t, s, "live", e, good, e)
			if results[0] != Aside || results[1] == Aside || results[2] != Aside {
				t.Errorf("%+v: %v", e, results)
			}
			if again := record(t, s, "live", e); again[0] != Aside || reasons(t, s)[reason] != before+1 {
				t.Errorf("%+v, %s: %d aside, then %d", e, reason, before, reasons(t, s)[reason])
			}
		}
		edge := c.event(Left, "", "c1", 0)
		for _, at := range []time.Time{oldest, c.now().Add(maxAhead)} {
			if edge.At = at; record(t, s, "live", edge)[0] != Recorded {
				t.Errorf("%s is refused", at)
			}
		}
		record(t, s, "live", Event{Kind: Joined, Room: "elsewhere", Attendee: "bob", At: planned})
		want := map[Reason]int{OutOfRange: 6, Nobody: 5, NoSession: 1}
		if diff := cmp.Diff(want, reasons(t, s)); diff != "" {
			t.Error(diff)
		}
		if err := s.Put(t.Context(), hourLong("other", Room{"live", "elsewhere"}, Room{"live", "room"})); err != nil {
			t.Fatal(err)
		}
		delete(want, NoSession)
		n, err := s.Reclaim(t.Context())
		if diff := cmp.Diff(want, reasons(t, s)); diff != "" || n != 0 || err != nil {
			t.Errorf("%d reclaimed (%v): %s", n, err, diff)
		}
		if talk, other := figures(t, s, "talk"), figures(t, s, "other"); *talk.Unique != 1 || *other.Unique != 1 {
			t.Errorf("unique %d and %d", *talk.Unique, *other.Unique)
		}
		members, err := rdb.ZRange(t.Context(), s.keys.aside(), 0, -1).Result()
		if text := strings.Join(members, ""); err != nil || strings.Contains(text, "eve") || strings.Contains(text, "c5") {
			t.Errorf("%v: an id in clear: %s", err, text)
		}
	})
}

// The oldest give way, whatever their reasons.
func TestAsideIsCapped(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix)
		record(t, s, "live", c.event(Joined, "ann", "c1", 0))
		c.set(planned.Add(time.Second))
		record(t, s, "live", c.event(Joined, "", "", 0))
		c.set(planned.Add(time.Minute))
		rest := make([]sealed, asideCap-1)
		for i := range rest {
			rest[i] = sealed{Kind: Joined, Source: "live", RoomID: "room", Person: fmt.Sprint(i)}
		}
		if err := s.putAside(t.Context(), rest); err != nil {
			t.Fatal(err)
		}
		first, err := s.rdb.ZRange(t.Context(), s.keys.aside(), 0, 0).Result()
		if n, countErr := s.AsideCount(t.Context()); n != asideCap || countErr != nil || err != nil || !strings.Contains(first[0], `"nobody"`) {
			t.Errorf("%d aside, from %s (%v, %v)", n, first, countErr, err)
		}
		record(t, s, "live", c.event(Left, "", "", 0))
		if n, err := s.AsideCount(t.Context()); n != asideCap || err != nil {
			t.Errorf("%d aside (%v)", n, err)
		}
	})
}

// failing is a Redis that can be away.
type failing struct{ away atomic.Bool }

var errAway = errors.New("away")

func (f *failing) DialHook(next redis.DialHook) redis.DialHook { return next }

func (f *failing) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if f.away.Load() {
			return errAway
		}
		return next(ctx, cmd)
	}
}

func (f *failing) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if f.away.Load() {
			return errAway
		}
		return next(ctx, cmds)
	}
}

// The journal remembers why an event was of no use and when it came, by the clock of that moment.
func TestUnusableEventsGoThroughTheJournal(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]journal.Mode{"ahead": journal.Ahead, "beside": journal.Beside} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, shared redis.UniversalClient, prefix string) {
				store := &failing{}
				rdb := redis.NewClient(shared.(*redis.Client).Options())
				defer rdb.Close()
				rdb.AddHook(store)
				j, err := journal.Open(t.TempDir(), journal.Options{Mode: mode, Judge: judge})
				if err != nil {
					t.Fatal(err)
				}
				defer j.Close()
				c := &clock{at: planned}
				s := New(rdb, Options{Prefix: prefix, Key: make([]byte, 32), Now: c.now, Journal: j})
				observed := map[string]int{}
				s.Observe(func(_, _, result string) { observed[result]++ })
				if err := s.Configure(t.Context(), []Session{hourLong("talk", Room{"live", "room"})}); err != nil {
					t.Fatal(err)
				}
				store.away.Store(mode == journal.Beside)
				early := c.event(Joined, "eve", "c5", 48*time.Hour) // two days later its time will have come
				if _, err := s.Record(t.Context(), "live", []Event{early, c.event(Joined, "ann", "c1", 0), c.event(Left, "", "", 0)}); err != nil {
					t.Fatal(err)
				}
				store.away.Store(false)
				apply := func() error { return j.Drain(t.Context(), func(err error) { t.Error(err) }) }
				if mode == journal.Ahead {
					apply = func() error {
						if err := rdb.Del(t.Context(), append(s.keys.session("talk"), s.keys.aside())...).Err(); err != nil {
							t.Fatal(err)
						}
						return j.Replay(t.Context(), nil, func(err error) { t.Error(err) })
					}
				}
				c.set(planned.Add(3 * 24 * time.Hour))
				if err := apply(); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(map[Reason]int{OutOfRange: 1, Nobody: 1}, reasons(t, s)); diff != "" || *figures(t, s, "talk").Unique != 1 {
					t.Errorf("unique %d, aside %s", *figures(t, s, "talk").Unique, diff)
				}
				if diff := cmp.Diff(map[string]int{"aside": 2, "recorded": 1}, observed); diff != "" {
					t.Error(diff)
				}
				events, err := s.AsideEvents(t.Context())
				if err != nil || !events[0].ReceivedAt.Equal(planned) {
					t.Errorf("%+v %v", events, err)
				}
				c.set(planned.Add(AsideFor + time.Millisecond))
				if mode == journal.Ahead {
					if err := apply(); err != nil {
						t.Fatal(err)
					}
				}
				if left := reasons(t, s); len(left) != 0 {
					t.Errorf("after a week: %v", left)
				}
			})
		})
	}
}

func TestAsideIsListedPageByPage(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix)
		events := make([]Event, asidePage+3)
		for i := range events {
			events[i] = c.event(Joined, fmt.Sprint(i), "", 0)
		}
		record(t, s, "live", events...)
		if got, err := s.AsideEvents(t.Context()); err != nil || len(got) != len(events) {
			t.Errorf("%d of %d (%v)", len(got), len(events), err)
		}
	})
}

func TestClaimGoesByTheMoment(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		next := hourLong("next", Room{"live", "room"})
		next.StartsAt, next.EndsAt = planned.Add(24*time.Hour), planned.Add(25*time.Hour)
		s, _ := newStore(t, rdb, prefix, next, hourLong("first", Room{"live", "room"}))
		for at, want := range map[time.Duration]string{30 * time.Minute: "first", 24 * time.Hour: "next"} {
			if got, ok, err := s.Claim(t.Context(), "live", "room", planned.Add(at)); !ok || err != nil || got.ID != want {
				t.Errorf("after %s: %s %t %v", at, got.ID, ok, err)
			}
		}
		if _, ok, err := s.Claim(t.Context(), "live", "elsewhere", planned); ok || err != nil {
			t.Errorf("nobody's room: %t %v", ok, err)
		}
	})
}

// A no-show can only be told once somebody could have been seen.
func TestNoShowRateIsKnownWhenItCanBe(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", Room{"totals", "room"}), hourLong("live", Room{"live", "room"}))
		rate := func(id string) any {
			if r := figures(t, s, id).NoShowRate; r != nil {
				return *r
			}
			return nil
		}
		for _, source := range []string{"totals", "live"} {
			record(t, s, source, c.event(Registered, "ann", "", -time.Hour), c.event(Registered, "bob", "", -time.Hour))
		}
		if a, b := rate("talk"), rate("live"); a != nil || b != nil {
			t.Errorf("before: %v %v", a, b)
		}
		for _, source := range []string{"totals", "live"} {
			record(t, s, source, c.event(Started, "", "", 0))
		}
		if err := s.Arrive(t.Context(), "talk", "a tab"); err != nil {
			t.Fatal(err)
		}
		if a, b := rate("talk"), rate("live"); a != nil || b != 1.0 {
			t.Errorf("at the start: %v %v", a, b)
		}
		total := c.event(Attended, "ann", "", time.Hour)
		total.Total = time.Hour
		record(t, s, "totals", total)
		record(t, s, "live", c.event(Joined, "ann", "c1", 0))
		if a, b := rate("talk"), rate("live"); a != 0.5 || b != 0.5 {
			t.Errorf("after: %v %v", a, b)
		}
	})
}
