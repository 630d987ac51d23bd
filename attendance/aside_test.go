package attendance

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/internal/journal"
	"jauge/internal/redistest"
	"jauge/programme"
)

// asideCount is how many events are aside in all.
func asideCount(t *testing.T, s *Store) int {
	t.Helper()
	counts, err := s.AsideCounts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}

// asideEvents lists all that is aside, and holds it against the groups.
func asideEvents(t *testing.T, s *Store) []AsideEvent {
	t.Helper()
	events, err := s.AsideEvents(t.Context(), 100_000)
	if err != nil {
		t.Fatal(err)
	}
	want := map[AsideGroup]AsideGroup{}
	for _, e := range events {
		key := AsideGroup{Source: e.Source, Room: e.Room, Alias: e.Alias, Kind: e.Kind, Reason: e.Reason}
		g, ok := want[key]
		if !ok {
			g = key
			g.FirstAt, g.LastAt = e.At, e.At
		}
		g.Count++
		if e.At.Before(g.FirstAt) {
			g.FirstAt = e.At
		}
		if e.At.After(g.LastAt) {
			g.LastAt = e.At
		}
		want[key] = g
	}
	groups, err := s.AsideGroups(t.Context())
	got := map[AsideGroup]AsideGroup{}
	for _, g := range groups {
		got[AsideGroup{Source: g.Source, Room: g.Room, Alias: g.Alias, Kind: g.Kind, Reason: g.Reason}] = g
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" || asideCount(t, s) != len(events) {
		t.Errorf("%v, %d counted, groups are not what is listed (-list +groups):\n%s", err, asideCount(t, s), diff)
	}
	return events
}

// What is aside is listed for a week, and then dropped, in rooms that hear of nothing any more, too.
func TestAsideIsListedForAWeek(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix)
		e := c.event(Joined, "ann", "c1", 0)
		e.Alias = "series"
		record(t, s, "live", e)
		want := AsideEvent{Source: "live", Room: "room", Alias: "series", Kind: Joined, Reason: NoSession, At: planned, ReceivedAt: planned}
		c.set(planned.Add(time.Hour))
		e.Attendee = "bob"
		e.At = planned.Add(time.Minute)
		record(t, s, "live", e)
		later := want
		later.At, later.ReceivedAt = e.At, c.now()
		for _, row := range []struct {
			after time.Duration
			want  []AsideEvent
		}{
			{time.Hour, []AsideEvent{want, later}},
			{asideFor, []AsideEvent{want, later}},
			{asideFor + time.Millisecond, []AsideEvent{later}},
			{asideFor + time.Hour + time.Millisecond, nil},
		} {
			c.set(planned.Add(row.after))
			if _, err := s.ExpireAside(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, asideEvents(t, s)); diff != "" {
				t.Errorf("after %s: %s", row.after, diff)
			}
		}
		left, _, err := rdb.Scan(t.Context(), 0, prefix+"*", 10_000).Result()
		if diff := cmp.Diff([]string{s.keys.asideSources()}, left); err != nil || diff != "" {
			t.Errorf("left behind (%v): %s", err, diff)
		}
	})
}

// What is older than a week is neither listed nor counted, though nothing has dropped it yet.
func TestWhatIsTooOldDoesNotCount(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix)
		record(t, s, "live", c.event(Joined, "ann", "c1", 0))
		c.set(planned.Add(time.Millisecond))
		record(t, s, "live", c.event(Joined, "bob", "c2", 0))
		c.set(planned.Add(asideFor + time.Millisecond))
		events, err := s.AsideEvents(t.Context(), 10)
		if err != nil || len(events) != 1 || !events[0].ReceivedAt.Equal(planned.Add(time.Millisecond)) {
			t.Errorf("%+v (%v)", events, err)
		}
		if err := define(t.Context(), s, hourLong("talk", in("live", "room"))); err != nil {
			t.Fatal(err)
		}
		if n := *figures(t, s, "talk").Unique; n != 1 {
			t.Errorf("%d people", n)
		}
		old := s.seal.seal("live", c.event(Joined, "cid", "c3", 0)) // of a journal that is replayed late
		old.RoomID, old.Arrived = "elsewhere", planned.UnixMilli()
		if err := s.applyKept(t.Context(), append([]sealed(nil), old)); err != nil {
			t.Fatal(err)
		}
		if n, err := s.ExpireAside(t.Context()); n != 1 || err != nil { // ann's
			t.Errorf("%d expired (%v)", n, err)
		}
	})
}

// What the journal kept was within the bounds of its time: a replay puts all of it aside again.
func TestAReplayIsNotBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &clock{at: planned}, true)
	w.restart(nil)
	defer func() { w.stop() }()
	var batch []sealed
	for i := range 3 {
		batch = append(batch, w.seal.seal("live", w.clock.event(Joined, fmt.Sprint(i), "", 0)))
	}
	w.bounds = asideBounds{events: 1, perRoom: 1, rooms: 1}
	if err := w.applyKept(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if n := asideCount(t, w.Store); n != 3 {
		t.Errorf("%d aside", n)
	}
}

// An event of nobody's room that waits in the journal is as old, once it is aside, as it was when it came.
func TestWhatWaitsIsAsOldAsItWas(t *testing.T) {
	t.Parallel()
	s, _, line, c := beside(t)
	line.Cut()
	if _, err := s.Record(t.Context(), "live", []Event{c.event(Joined, "ann", "c1", 0)}); err != nil {
		t.Fatal(err)
	}
	line.Mend()
	c.set(planned.Add(3 * 24 * time.Hour))
	if err := s.journal.Drain(t.Context(), func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	if events := asideEvents(t, s); len(events) != 1 || !events[0].ReceivedAt.Equal(planned) {
		t.Errorf("%+v", events)
	}
}

// unusable are events that can never count, with why.
func unusable(c *clock) map[Event]Reason {
	at := func(t time.Time) Event { e := c.event(Joined, "eve", "c5", 0); e.At = t; return e }
	return map[Event]Reason{
		at(time.Unix(0, 0).UTC()):                                                     OutOfRange,
		at(time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC)):                          OutOfRange,
		at(c.now().Add(maxAhead + time.Millisecond)):                                  OutOfRange,
		at(time.UnixMilli(1e15).UTC()):                                                OutOfRange, // in the year 33658
		at(time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)):                                 OutOfRange,
		c.event(Left, "", "", 0):                                                      Nobody,
		c.event(Joined, "", "", 0):                                                    Nobody,
		c.event(Bound, "", "c1", 0):                                                   Nobody,
		c.event(Registered, "", "c1", 0):                                              Nobody,
		{Kind: Ended, Room: "room", At: time.Unix(1, 0).UTC()}:                        OutOfRange,
		{Kind: Attended, Room: "room", Occurrence: "o", At: planned}:                  Nobody,
		{Kind: Joined, Room: "room", Attendee: "eve", At: planned, Reason: Malformed}: Malformed, // as its decoder says
	}
}

// reasons counts what is aside by reason.
func reasons(t *testing.T, s *Store) map[Reason]int {
	t.Helper()
	counts := map[Reason]int{}
	for _, e := range asideEvents(t, s) {
		counts[e.Reason]++
	}
	return counts
}

// What cannot be used of a delivery is kept aside, once, for good; the rest counts.
func TestUnusableEventsLeaveTheOthersAlone(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("live", "room")))
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
		want := map[Reason]int{OutOfRange: 6, Nobody: 5, Malformed: 1, NoSession: 1}
		if diff := cmp.Diff(want, reasons(t, s)); diff != "" {
			t.Error(diff)
		}
		if err := s.programme.Put(t.Context(), hourLong("other", in("live", "elsewhere"), in("live", "room"))); err != nil {
			t.Fatal(err)
		}
		delete(want, NoSession)
		n, err := s.Reclaim(t.Context())
		if diff := cmp.Diff(want, reasons(t, s)); diff != "" || n != 1 || err != nil {
			t.Errorf("%d reclaimed (%v): %s", n, err, diff)
		}
		if talk, other := figures(t, s, "talk"), figures(t, s, "other"); *talk.Unique != 1 || *other.Unique != 1 {
			t.Errorf("unique %d and %d", *talk.Unique, *other.Unique)
		}
		first, last := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
		ends := map[time.Time]int{first: 0, last: 0}
		for _, e := range asideEvents(t, s) { // JSON writes no other years
			if ends[e.At]++; e.At.Before(first) || e.At.After(last) {
				t.Errorf("aside at %s", e.At)
			}
		}
		if ends[first] != 1 || ends[last] != 1 {
			t.Errorf("%d at the beginning and %d at the end of what can be written", ends[first], ends[last])
		}
		if text := asideTexts(t, s); strings.Contains(text, "eve") || strings.Contains(text, "c5") {
			t.Errorf("an id in clear: %s", text)
		}
	})
}

// asideTexts is everything that is kept of the events aside.
func asideTexts(t *testing.T, s *Store) string {
	t.Helper()
	var all []string
	groups, err := s.AsideGroups(t.Context())
	for _, g := range groups {
		values, err := s.rdb.HVals(t.Context(), s.keys.asideRoom(g.Source, s.asideToken(asideRoom{g.Source, g.Room, g.Alias}))).Result()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, values...)
	}
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), "\n")
}

// Where a bound is reached, what comes new is dropped and counted, and nobody else's events are.
func TestAsideIsBounded(t *testing.T) {
	t.Parallel()
	from := func(room, attendee string, kind Kind) Event {
		return Event{Kind: kind, Room: room, Occurrence: "o", Attendee: attendee, Connection: attendee, At: planned}
	}
	var flood, crowd, rooms []Event
	for i := range 300 {
		flood = append(flood, from(fmt.Sprint("r", i%10), fmt.Sprint(i), Joined))
		crowd = append(crowd, from("r0", fmt.Sprint(i), Joined))
		rooms = append(rooms, from(fmt.Sprint("r", i), "p", Joined))
	}
	for _, row := range []struct {
		name   string
		bounds asideBounds
		events []Event
		kept   int
	}{
		{"of a source", asideBounds{events: 40, perRoom: 1000, rooms: 1000}, flood, 40},
		{"of a room", asideBounds{events: 1000, perRoom: 25, rooms: 1000}, crowd, 25},
		{"of the rooms", asideBounds{events: 1000, perRoom: 1000, rooms: 7}, rooms, 7},
		{"none is reached", asideBounds{events: 300, perRoom: 30, rooms: 10}, flood, 300},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
				s, c := newStore(t, rdb, prefix)
				s.bounds = row.bounds
				lost := map[string]int{}
				s.ObserveDropped(func(source string, n int) { lost[source] += n })
				quiet := from("r0", "quiet", Left)
				record(t, s, "other", quiet)
				for range 2 { // a redelivery of what is kept is no new event
					for i, result := range record(t, s, "live", row.events...) {
						if result != Aside {
							t.Fatalf("event %d: %s", i, result)
						}
					}
				}
				counts, err := s.AsideCounts(t.Context())
				if diff := cmp.Diff(map[string]int{"live": row.kept, "other": 1}, counts); err != nil || diff != "" {
					t.Errorf("%v %s", err, diff)
				}
				if want := 2 * (len(row.events) - row.kept); lost["live"] != want || lost["other"] != 0 {
					t.Errorf("%v were dropped, %d of live should be", lost, want)
				}
				asideEvents(t, s)
				if err := define(t.Context(), s, hourLong("talk", in("other", "r0"), in("live", "r0"))); err != nil {
					t.Fatal(err)
				}
				if f := figures(t, s, "talk"); *f.Unique == 0 {
					t.Error("what was kept does not count")
				}
				asideEvents(t, s)
				c.set(planned.Add(asideFor + time.Millisecond)) // there is place again
				if _, err := s.ExpireAside(t.Context()); err != nil {
					t.Fatal(err)
				}
				record(t, s, "live", from("r1", "late", Joined))
				if n := asideCount(t, s); n != 1 {
					t.Errorf("%d aside", n)
				}
			})
		})
	}
}

// The journal ahead of a volatile store grows by what is kept, not by what floods.
func TestDroppedIsNotInTheJournal(t *testing.T) {
	t.Parallel()
	c := &clock{at: planned}
	w := newWorld(t, c, true)
	w.restart(nil)
	defer func() { w.stop() }()
	w.bounds.events = 2
	entries := func() (n int) {
		t.Helper()
		if err := w.journal.Replay(t.Context(), func(_, of int) { n = of }, func(err error) { t.Error(err) }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	record(t, w.Store, "live", c.event(Joined, "ann", "c1", 0))
	record(t, w.Store, "live", c.event(Joined, "bob", "c2", 0), c.event(Joined, "cid", "c3", 0)) // the second one is one too many
	for range 3 {
		if got := record(t, w.Store, "live", c.event(Joined, "dan", "c4", 0)); len(got) != 1 || got[0] != Aside {
			t.Errorf("what was dropped is %v", got)
		}
	}
	w.bounds.events = 100
	if n := entries(); n != 2 || asideCount(t, w.Store) != 2 {
		t.Errorf("%d entries, %d aside", n, asideCount(t, w.Store))
	}
	batch := []sealed{{Reason: Nobody}, {Reason: dropped}}
	if text, err := json.Marshal(forJournal{w.Store, batch}); err != nil || strings.Count(string(text), `"x":`) != 1 || strings.Contains(string(text), "dropped") {
		t.Errorf("%s (%v)", text, err)
	}
}

// What an earlier version kept aside under one key is taken over, whole and as old as it was.
func TestAsideOfBeforeIsTakenOver(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix)
		s.bounds = asideBounds{1, 1, 1}
		for i := range batchSize + 3 {
			e := s.seal.seal("live", c.event(Joined, fmt.Sprint(i), "", time.Duration(i)*time.Second))
			text, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			rdb.ZAdd(t.Context(), s.keys.asideBefore(), redis.Z{Score: float64(planned.UnixMilli() - int64(i)), Member: string(text)})
		}
		if n, err := s.Reclaim(t.Context()); n != 0 || err != nil {
			t.Fatalf("%d reclaimed (%v)", n, err)
		}
		events := asideEvents(t, s)
		if len(events) != batchSize+3 || !events[1].ReceivedAt.Equal(planned.Add(-(batchSize+1)*time.Millisecond)) {
			t.Fatalf("%d events, the second of %s", len(events), events[1].ReceivedAt)
		}
		if record(t, s, "live", c.event(Joined, "3", "", 3*time.Second)); asideCount(t, s) != len(events) {
			t.Error("a redelivery of what was taken over is another event")
		}
		if err := define(t.Context(), s, hourLong("talk", in("live", "room"))); err != nil {
			t.Fatal(err)
		}
		if n := *figures(t, s, "talk").Unique; n != len(events) || rdb.Exists(t.Context(), s.keys.asideBefore()).Val() != 0 {
			t.Errorf("unique %d of %d", n, len(events))
		}
	})
}

// beside gives a store on the real redis-server with a journal beside it, another replica that nothing keeps from that
// server, and what can take it away from the first.
func beside(t *testing.T, file ...programme.Session) (s, other *Store, line *redistest.Line, c *clock) {
	t.Helper()
	shared, prefix := redistest.Redis()
	rdb, line := redistest.Cuttable(t, shared)
	c = &clock{at: planned}
	j, err := journal.Open(t.TempDir(), journal.Options{Mode: journal.Beside, Judge: judge})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	s = opened(rdb, Options{Prefix: prefix, Key: make([]byte, 32), Now: c.now, Journal: j})
	if err := s.programme.Configure(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	return s, opened(shared, Options{Prefix: prefix, Key: make([]byte, 32), Now: c.now}), line, c
}

// The journal remembers why an event was of no use and when it came, by the clock of that moment.
func TestUnusableEventsGoThroughTheJournal(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]journal.Mode{"ahead": journal.Ahead, "beside": journal.Beside} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, shared redis.UniversalClient, prefix string) {
				rdb, line := redistest.Cuttable(t, shared)
				j, err := journal.Open(t.TempDir(), journal.Options{Mode: mode, Judge: judge})
				if err != nil {
					t.Fatal(err)
				}
				defer j.Close()
				c := &clock{at: planned}
				s := opened(rdb, Options{Prefix: prefix, Key: make([]byte, 32), Now: c.now, Journal: j})
				observed := map[string]int{}
				s.Observe(func(_, _, result string) { observed[result]++ })
				if err := s.programme.Configure(t.Context(), []programme.Session{hourLong("talk", in("live", "room"))}); err != nil {
					t.Fatal(err)
				}
				if mode == journal.Beside {
					line.Cut()
				}
				early := c.event(Joined, "eve", "c5", 48*time.Hour) // two days later its time will have come
				if _, err := s.Record(t.Context(), "live", []Event{early, c.event(Joined, "ann", "c1", 0), c.event(Left, "", "", 0)}); err != nil {
					t.Fatal(err)
				}
				line.Mend()
				apply := func() error { return j.Drain(t.Context(), func(err error) { t.Error(err) }) }
				if mode == journal.Ahead {
					apply = func() error {
						keys := rdb.Keys(t.Context(), prefix+"*").Val()
						keys = slices.DeleteFunc(keys, func(key string) bool { return key == prefix+"sessions" })
						if err := rdb.Del(t.Context(), keys...).Err(); err != nil {
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
				if events := asideEvents(t, s); !events[0].ReceivedAt.Equal(planned) {
					t.Errorf("%+v", events)
				}
				c.set(planned.Add(asideFor + time.Millisecond))
				if mode == journal.Ahead {
					if err := apply(); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := s.ExpireAside(t.Context()); err != nil {
					t.Fatal(err)
				}
				if left := reasons(t, s); len(left) != 0 {
					t.Errorf("after a week: %v", left)
				}
			})
		})
	}
}

func TestAsideListsTheFirstOnly(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix)
		for i, source := range []string{"a", "b", "a", "b"} {
			c.set(planned.Add(time.Duration(i) * time.Second))
			record(t, s, source, c.event(Joined, fmt.Sprint(i), "", 0))
		}
		got, err := s.AsideEvents(t.Context(), 3)
		if err != nil || len(got) != 3 || got[0].Source != "a" || got[1].Source != "b" || !got[2].ReceivedAt.Equal(planned.Add(2*time.Second)) {
			t.Errorf("%+v (%v)", got, err)
		}
	})
}

// A no-show can only be told once somebody could have been seen.
func TestNoShowRateIsKnownWhenItCanBe(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("totals", "room")), hourLong("live", in("live", "room")))
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

// What is aside is counted without reading an event, and claimed without reading other rooms.
func TestAsideIsReadInAFewCommands(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, shared redis.UniversalClient, prefix string) {
		rdb, count := redistest.Counted(t, shared)
		s, c := newStore(t, rdb, prefix)
		for _, source := range []string{"a", "b"} {
			var events []Event
			for i := range 1000 {
				e := c.event(Joined, fmt.Sprint(i), "", 0)
				e.Room = fmt.Sprint("r", i%50)
				events = append(events, e)
			}
			record(t, s, source, events...)
		}
		if err := s.programme.Put(t.Context(), hourLong("talk")); err != nil {
			t.Fatal(err)
		}
		for _, row := range []struct {
			name string
			do   func() error
			most int64
		}{
			{"groups", func() error { _, err := s.AsideGroups(t.Context()); return err }, 6}, // and the sessions
			{"counts", func() error { _, err := s.AsideCounts(t.Context()); return err }, 3},
			{"reclaim of no room", func() error { _, err := s.Reclaim(t.Context()); return err }, 7},
			{"expire nothing", func() error { _, err := s.ExpireAside(t.Context()); return err }, 3},
			// 20 events are recorded, a command each, or two before the script is loaded. There are 99 other rooms.
			{"reclaim of one room", func() error { return define(t.Context(), s, hourLong("talk", in("a", "r7"))) }, 65},
		} {
			before := count.Commands.Load()
			if err := row.do(); err != nil {
				t.Fatal(err)
			}
			if n := count.Commands.Load() - before; n > row.most {
				t.Errorf("%s: %d commands", row.name, n)
			}
		}
		if n := *figures(t, s, "talk").Unique; n != 20 || asideCount(t, s) != 1980 {
			t.Errorf("%d people, %d aside", n, asideCount(t, s))
		}
	})
}
