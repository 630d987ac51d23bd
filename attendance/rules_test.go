package attendance

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/attendance/marks"
	"jauge/internal/redistest"
)

// expected is what one rule makes of a few events; 0 where the rule says nothing else.
type expected struct {
	present, connections, unique, peak, leaving int
	peakAt                                      time.Duration // after the planned start
	watch                                       time.Duration
	curve                                       string // seconds after the planned start: "0+1 60-1"
}

// rules are the definitions of the figures, one by one, told by what they make of a few events. It is 15:30, and the session is
// planned from 15:00 to 16:00.
func rules(c *clock) map[string]struct {
	events []Event
	want   expected
} {
	const m = time.Minute
	join := func(who, connection string, at time.Duration) Event { return c.event(Joined, who, connection, at) }
	leave := func(who, connection string, at time.Duration) Event { return c.event(Left, who, connection, at) }
	of := func(occurrence string, e Event) Event { e.Occurrence = occurrence; return e }
	elsewhere := func(e Event) Event { e.Room = "annexe"; return e }
	staff := func(e Event) Event { e.Staff = true; return e }
	bound := func(a, b string) Event { e := c.event(Bound, "", a, 0); e.Peer = b; return e }
	return map[string]struct {
		events []Event
		want   expected
	}{
		"nobody": {[]Event{c.event(Started, "", "", 0)}, expected{}},
		"who has joined is present, until now": {
			[]Event{join("ann", "c1", 0)},
			expected{present: 1, connections: 1, unique: 1, peak: 1, watch: 30 * m, curve: "0+1"},
		},
		"who has left is not, and came": {
			[]Event{join("ann", "c1", 0), leave("", "c1", 10*m)},
			expected{unique: 1, peak: 1, watch: 10 * m, curve: "0+1 600-1"},
		},
		"two tabs are one person": {
			[]Event{join("ann", "c1", 0), join("ann", "c2", 5*m), leave("", "c1", 10*m)},
			expected{present: 1, connections: 1, unique: 1, peak: 1, watch: 30 * m, curve: "0+1"},
		},
		"a gap is no watch time": {
			[]Event{join("ann", "c1", 0), leave("", "c1", 10*m), join("ann", "c2", 20*m)},
			expected{present: 1, connections: 1, unique: 1, peak: 1, watch: 20 * m, curve: "0+1 600-1 1200+1"},
		},
		"the joins and leaves of a connection pair up": {
			[]Event{join("ann", "c1", 0), leave("", "c1", 10*m), join("ann", "c1", 12*m), leave("", "c1", 15*m)},
			expected{unique: 1, peak: 1, watch: 13 * m, curve: "0+1 600-1 720+1 900-1"},
		},
		"a join while in and a leave while out are ignored": {
			[]Event{leave("", "c1", 0), join("ann", "c1", m), join("ann", "c1", 2*m), leave("", "c1", 5*m), leave("", "c1", 7*m)},
			expected{unique: 1, peak: 1, peakAt: m, watch: 4 * m, curve: "60+1 300-1"},
		},
		"the leave of one moment goes before the join": {
			[]Event{join("ann", "c1", 0), leave("", "c1", 5*m), join("ann", "c1", 5*m)},
			expected{present: 1, connections: 1, unique: 1, peak: 1, watch: 30 * m, curve: "0+1"},
		},
		"a join and a leave of one moment: still in": {
			[]Event{join("ann", "c1", 5*m), leave("", "c1", 5*m)},
			expected{present: 1, connections: 1, unique: 1, peak: 1, peakAt: 5 * m, watch: 25 * m, curve: "300+1"},
		},
		"without connections, the person is one": {
			[]Event{join("ann", "", 0), leave("ann", "", 10*m), join("ann", "", 12*m), leave("ann", "", 15*m)},
			expected{unique: 1, peak: 1, watch: 13 * m, curve: "0+1 600-1 720+1 900-1"},
		},
		"a leave that names no connection is of each of the person's": {
			[]Event{join("ann", "c1", 0), join("ann", "c2", m), leave("ann", "", 5*m)},
			expected{unique: 1, peak: 1, watch: 5 * m, curve: "0+1 300-1"},
		},
		"a join that names no connection is of the one that leaves": {
			[]Event{join("ann", "", 0), leave("ann", "c1", 5*m)},
			expected{unique: 1, peak: 1, watch: 5 * m, curve: "0+1 300-1"},
		},
		"who was seen leaving only is nobody's visit, and said": {
			[]Event{leave("", "c1", 5*m), leave("", "c1", 6*m), leave("", "c2", 5*m), leave("ann", "c3", m), leave("ann", "c4", m)},
			expected{leaving: 3},
		},
		"who leaves on two connections at once has left on both": {
			[]Event{join("ann", "c1", 0), leave("ann", "c2", 5*m), leave("", "c1", 5*m)},
			expected{unique: 1, peak: 1, watch: 5 * m, curve: "0+1 300-1"},
		},
		"whose join comes after all was not seen leaving only": {
			[]Event{leave("ann", "c1", 5*m), leave("ann", "c2", 6*m), join("ann", "c1", m)},
			expected{unique: 1, peak: 1, peakAt: m, watch: 4 * m, curve: "60+1 300-1"},
		},
		"a leave finds its person when the join names them": {
			[]Event{leave("", "c1", 5*m), join("ann", "c1", m), join("ann", "c2", 2*m)},
			expected{present: 1, connections: 1, unique: 1, peak: 1, peakAt: m, watch: 29 * m, curve: "60+1"},
		},
		"where no join names anybody, a leave does": {
			[]Event{join("", "c1", 0), leave("ann", "c1", 5*m), join("ann", "c2", 5*m)},
			expected{present: 1, connections: 1, unique: 1, peak: 1, watch: 30 * m, curve: "0+1"},
		},
		"a connection is of whom its earliest join names": {
			[]Event{join("bob", "c1", 2*m), join("ann", "c1", m), join("ann", "c2", m), join("bob", "c3", m)},
			expected{present: 2, connections: 3, unique: 2, peak: 2, peakAt: m, watch: 58 * m, curve: "60+2"},
		},
		"a connection that names nobody is a person": {
			[]Event{join("", "c1", 0), join("", "c2", 0)},
			expected{present: 2, connections: 2, unique: 2, peak: 2, watch: 60 * m, curve: "0+2"},
		},
		"a phone leg that is bound to a screen is the same person": {
			[]Event{join("ann", "c1", 0), join("", "phone", 5*m), leave("", "c1", 10*m), bound("phone", "c1")},
			expected{present: 1, connections: 1, unique: 1, peak: 1, watch: 30 * m, curve: "0+1"},
		},
		"staff are in no figure": {
			[]Event{join("ann", "c1", 0), staff(join("host", "c2", 0)), staff(leave("", "c2", 5*m))},
			expected{present: 1, connections: 1, unique: 1, peak: 1, watch: 30 * m, curve: "0+1"},
		},
		"once staff, staff: before and after": {
			[]Event{join("ann", "c1", 0), join("host", "c2", 0), leave("", "c2", m), staff(join("host", "c3", 2*m)), join("host", "c4", 3*m)},
			expected{present: 1, connections: 1, unique: 1, peak: 1, watch: 30 * m, curve: "0+1"},
		},
		"a connection of staff makes its person staff": {
			[]Event{join("ann", "c1", 0), join("host", "c2", 0), join("host", "c3", 0), staff(leave("", "c2", 5*m))},
			expected{present: 1, connections: 1, unique: 1, peak: 1, watch: 30 * m, curve: "0+1"},
		},
		"a connection of staff that leaves is theirs": {
			[]Event{join("ann", "c1", 0), join("host", "c2", 0), staff(join("", "c2", m)), leave("", "c2", 5*m)},
			expected{present: 1, connections: 1, unique: 1, peak: 1, watch: 30 * m, curve: "0+1"},
		},
		"who is bound to staff is staff": {
			[]Event{join("ann", "c1", 0), join("", "phone", 0), staff(join("host", "c2", 0)), staff(bound("phone", "c2"))},
			expected{present: 1, connections: 1, unique: 1, peak: 1, watch: 30 * m, curve: "0+1"},
		},
		"staff seen leaving only are not said": {
			[]Event{leave("host", "c1", 5*m), staff(leave("host", "c2", 6*m))},
			expected{},
		},
		"an end closes whoever is in": {
			[]Event{join("ann", "c1", 0), join("bob", "c2", 0), leave("", "c2", 5*m), c.event(Ended, "", "", 10*m)},
			expected{unique: 2, peak: 2, watch: 15 * m, curve: "0+2 300-1 600-1"},
		},
		"the latest end counts": {
			[]Event{c.event(Ended, "", "", 20*m), join("ann", "c1", 0), c.event(Ended, "", "", 10*m)},
			expected{unique: 1, peak: 1, watch: 20 * m, curve: "0+1 1200-1"},
		},
		"an end that staff report is an end": {
			[]Event{join("ann", "c1", 0), staff(c.event(Ended, "", "", 10*m))},
			expected{unique: 1, peak: 1, watch: 10 * m, curve: "0+1 600-1"},
		},
		"who joins after the end came, for no time": {
			[]Event{join("ann", "c1", 0), c.event(Ended, "", "", 10*m), join("bob", "c2", 15*m)},
			expected{unique: 2, peak: 1, watch: 10 * m, curve: "0+1 600-1"},
		},
		"a leave after the end is cut": {
			[]Event{join("ann", "c1", 0), c.event(Ended, "", "", 10*m), leave("", "c1", 15*m)},
			expected{unique: 1, peak: 1, watch: 10 * m, curve: "0+1 600-1"},
		},
		"a room without occurrences is open again when somebody joins after its end": {
			[]Event{of("", join("ann", "c1", 0)), of("", join("bob", "c2", 0)), of("", c.event(Ended, "", "", 10*m)), of("", join("ann", "c3", 20*m)), of("", leave("", "c2", 11*m))},
			expected{present: 1, connections: 1, unique: 2, peak: 2, watch: 30 * m, curve: "0+2 600-2 1200+1"},
		},
		"each end of a room without occurrences closes who is inside then": {
			[]Event{
				of("", join("ann", "c1", 0)), of("", join("bob", "c2", 20*m)), of("", c.event(Ended, "", "", 25*m)),
				of("", join("cid", "c3", 26*m)), of("", c.event(Ended, "", "", 10*m)), of("", c.event(Started, "", "", 19*m)),
			},
			expected{present: 1, connections: 1, unique: 3, peak: 1, watch: 19 * m, curve: "0+1 600-1 1200+1 1500-1 1560+1"},
		},
		"in a room without occurrences, one connection may be inside twice": {
			[]Event{of("", join("ann", "c1", 0)), of("", join("ann", "c1", 20*m)), of("", c.event(Ended, "", "", 10*m))},
			expected{present: 1, connections: 1, unique: 1, peak: 1, watch: 20 * m, curve: "0+1 600-1 1200+1"},
		},
		"who joins at the end of a room without occurrences opens it again": {
			[]Event{of("", join("ann", "c1", 0)), of("", c.event(Ended, "", "", 10*m)), of("", join("bob", "c2", 10*m))},
			expected{present: 1, connections: 1, unique: 2, peak: 1, watch: 30 * m, curve: "0+1"},
		},
		"an end after the end, with nobody between, is none": {
			[]Event{of("", join("ann", "c1", 0)), of("", c.event(Ended, "", "", 10*m)), of("", c.event(Ended, "", "", 20*m)), of("", leave("", "c1", 15*m))},
			expected{unique: 1, peak: 1, watch: 10 * m, curve: "0+1 600-1"},
		},
		"the next occurrence of the room ends the one before": {
			[]Event{join("ann", "c1", 0), of("two", join("bob", "c2", 10*m)), of("two", c.event(Started, "", "", 8*m))},
			expected{present: 1, connections: 1, unique: 2, peak: 1, watch: 28 * m, curve: "0+1 480-1 600+1"},
		},
		"an end of its own stands, though the next occurrence began earlier": {
			[]Event{join("ann", "c1", 0), c.event(Ended, "", "", 12*m), of("two", join("bob", "c2", 10*m))},
			expected{present: 1, connections: 1, unique: 2, peak: 2, peakAt: 10 * m, watch: 32 * m, curve: "0+1 600+1 720-1"},
		},
		"an occurrence of another room ends nothing": {
			[]Event{join("ann", "c1", 0), elsewhere(of("two", join("bob", "c2", 10*m)))},
			expected{present: 2, connections: 2, unique: 2, peak: 2, peakAt: 10 * m, watch: 50 * m, curve: "0+1 600+1"},
		},
		"a person in two rooms is one, and stays until the last ends": {
			[]Event{join("ann", "c1", 0), elsewhere(join("ann", "c2", 5*m)), c.event(Ended, "", "", 10*m)},
			expected{present: 1, connections: 1, unique: 1, peak: 1, watch: 30 * m, curve: "0+1"},
		},
		"the peak is at the earliest second of its height": {
			[]Event{join("ann", "c1", 0), join("bob", "c2", m), leave("", "c2", 2*m), join("cid", "c3", 3*m)},
			expected{present: 2, connections: 2, unique: 3, peak: 2, peakAt: m, watch: 58 * m, curve: "0+1 60+1 120-1 180+1"},
		},
		"within a second nobody is seen to come and go": {
			[]Event{join("ann", "c1", 100*time.Millisecond), leave("", "c1", 900*time.Millisecond)},
			expected{unique: 1, watch: 800 * time.Millisecond},
		},
		"presence before the planned start counts": {
			[]Event{join("ann", "c1", -10*m), leave("", "c1", 10*m)},
			expected{unique: 1, peak: 1, peakAt: -10 * m, watch: 20 * m, curve: "-600+1 600-1"},
		},
	}
}

// Each rule holds in the reference model and in both stores, in whatever order the events come.
func TestRules(t *testing.T) {
	t.Parallel()
	c := &clock{at: planned.Add(30 * time.Minute)}
	for name, rule := range rules(c) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
				for seed := range uint64(4) { // in order and in another one, in one call and in one for each event
					s, store := newStore(t, rdb, fmt.Sprint(prefix, seed, ":"), hourLong("talk", in("live", "room"), in("live", "annexe")))
					store.set(c.now())
					events := append([]Event(nil), rule.events...)
					if seed%2 > 0 {
						rand.New(rand.NewPCG(seed, 4)).Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
					}
					size := len(events)
					if seed > 1 {
						size = 1
					}
					for some := range slices.Chunk(events, size) {
						record(t, s, "live", some...)
					}
					if diff := cmp.Diff(rule.want, shownBy(t, s), cmp.AllowUnexported(expected{})); diff != "" {
						t.Errorf("in order %d:\n%s", seed, diff)
					}
					if found := drifts(t, s); found != "" {
						t.Errorf("in order %d: %s", seed, found)
					}
				}
			})
			set := marks.NewSet()
			seal := newSealer([]byte(strings.Repeat("k", 32)), nil)
			for _, e := range rule.events {
				set.Add(seal.within("talk", seal.seal("live", e), false).Mark)
			}
			counted := set.Count(planned.Add(time.Hour).UnixMilli(), c.now().UnixMilli())
			got := expectedOf(counted)
			if diff := cmp.Diff(rule.want, got, cmp.AllowUnexported(expected{})); diff != "" {
				t.Errorf("the model: %s", diff)
			}
		})
	}
}

func shownBy(t *testing.T, s *Store) expected {
	t.Helper()
	f := figures(t, s, "talk")
	seen, err := s.marks.Look(t.Context(), "talk")
	if err != nil {
		t.Fatal(err)
	}
	c := seen[0].Counts
	return expected{
		*f.Present, *f.Connections, *f.Unique, *f.Peak, int(c["leaving"]), sincePlanned(*f.Peak, c["peak_at"]), f.Watch, curveText(seen[0].Curve),
	}
}

// expectedOf reads the reference model.
func expectedOf(m marks.Moment) expected {
	c := m.Counts
	return expected{
		int(c["present"]), int(c["connections"]), int(c["unique"]), int(c["peak"]), int(c["leaving"]), sincePlanned(int(c["peak"]), c["peak_at"]),
		time.Duration(c["watch"]) * time.Millisecond, curveText(m.Curve),
	}
}

func sincePlanned(peak int, second int64) time.Duration {
	if peak == 0 {
		return 0
	}
	return time.Unix(second, 0).Sub(planned)
}

// curveText writes a curve as the rules do.
func curveText(curve map[int64]int64) string {
	var parts []string
	for _, second := range slices.Sorted(maps.Keys(curve)) {
		parts = append(parts, fmt.Sprintf("%d%+d", second-planned.Unix(), curve[second]))
	}
	return strings.Join(parts, " ")
}

// A row is what a report says of one person.
func TestRows(t *testing.T) {
	t.Parallel()
	const m = time.Minute
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("live", "room")))
		total := func(who string, d time.Duration) Event {
			e := c.event(Attended, who, "", time.Hour)
			e.Total = d
			return e
		}
		record(t, s, "live",
			c.event(Joined, "to the end", "1", m),
			c.event(Joined, "a short gap", "2", 2*m), c.event(Left, "", "2", 10*m), c.event(Joined, "a short gap", "3", 11*m), c.event(Left, "", "3", 20*m),
			c.event(Joined, "a long gap", "4", 3*m), c.event(Left, "", "4", 10*m), c.event(Joined, "a long gap", "5", 11*m+time.Millisecond), c.event(Left, "", "5", 20*m),
			c.event(Joined, "five minutes", "6", 4*m), c.event(Left, "", "6", 9*m),
			c.event(Joined, "almost", "7", 5*m), c.event(Left, "", "7", 10*m-time.Millisecond),
			c.event(Joined, "85 percent", "8", 6*m), c.event(Left, "", "8", 57*m),
			c.event(Joined, "seen again", "9", 7*m), c.event(Joined, "seen again", "10", 8*m), c.event(Left, "", "10", 30*m),
			c.event(Ended, "", "", time.Hour), c.event(Started, "", "", 0),
			total("absent", 50*m), total("85 percent", time.Hour), c.event(Registered, "nobody", "", 0),
		)
		type told struct {
			first, last, watch, low time.Duration
			visits                  int
			attended, completed     bool
			provenance              Provenance
		}
		const none = -1 // a time that is not known
		since := func(at time.Time) time.Duration {
			if at.IsZero() {
				return none
			}
			return at.Sub(planned)
		}
		want := map[string]told{
			"to the end":   {m, time.Hour, 59 * m, 0, 1, true, true, FromInferred},
			"a short gap":  {2 * m, 20 * m, 17 * m, 17 * m, 1, true, false, FromMarks},
			"a long gap":   {3 * m, 20 * m, 16*m - time.Millisecond, 16*m - time.Millisecond, 2, true, false, FromMarks},
			"five minutes": {4 * m, 9 * m, 5 * m, 5 * m, 1, true, false, FromMarks},
			"almost":       {5 * m, 10*m - time.Millisecond, 5*m - time.Millisecond, 5*m - time.Millisecond, 1, false, false, FromMarks},
			"85 percent":   {6 * m, 57 * m, 51 * m, 51 * m, 1, true, true, FromMarks},
			"seen again":   {7 * m, time.Hour, 53 * m, 23 * m, 1, true, true, FromInferred},
			"absent":       {none, none, 50 * m, 50 * m, 0, true, false, FromPlatform},
		}
		c.set(planned.Add(61 * m))
		rows := rowsOf(t, s)
		got := map[string]told{}
		for i, r := range rows {
			for who := range want {
				if r.Attendee == s.seal.pseudonym("talk", s.seal.optional("person", "live", who)) {
					got[who] = told{since(r.FirstJoinedAt), since(r.LastLeftAt), r.Watch, r.WatchLow, r.Visits, r.Attended, r.Completed, r.Provenance}
				}
			}
			if i > 0 && (rows[i-1].FirstJoinedAt.After(r.FirstJoinedAt) && !r.FirstJoinedAt.IsZero() || rows[i-1].FirstJoinedAt.IsZero()) {
				t.Errorf("row %d is not in order", i)
			}
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(told{})); diff != "" || len(rows) != len(want) {
			t.Errorf("%d rows: %s", len(rows), diff)
		}
	})
}

// While somebody is in, their row has no leave, and counts until now.
func TestARowOfWhoIsIn(t *testing.T) {
	t.Parallel()
	rdb, prefix := redistest.Embedded()
	s, c := newStore(t, rdb, prefix, hourLong("talk", in("live", "room")))
	record(t, s, "live", c.event(Joined, "ann", "1", 0), c.event(Left, "", "1", time.Minute), c.event(Joined, "ann", "2", 5*time.Minute))
	c.set(planned.Add(15 * time.Minute))
	r := rowsOf(t, s)[0]
	if !r.LastLeftAt.IsZero() || r.Watch != 11*time.Minute || r.Visits != 2 || r.Provenance != FromMarks || !r.Attended || r.Completed {
		t.Errorf("%+v", r)
	}
	if _, err := s.Rows(t.Context(), "nobody"); err == nil {
		t.Error("rows of no session")
	}
}

// The live time of a session is what its occurrences cover together of the planned time, those that go on until now; where they cover none
// The automatic close is half an hour after the planned end, or after the last event where that is later.
func TestTheAutomaticClose(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		for last, want := range map[time.Duration]time.Duration{0: 90 * time.Minute, time.Hour: 90 * time.Minute, 70 * time.Minute: 100 * time.Minute} {
			s, c := newStore(t, rdb, fmt.Sprint(prefix, last, ":"), hourLong("talk", in("live", "room")))
			record(t, s, "live", c.event(Joined, "ann", "1", 0), c.event(Started, "", "", last))
			c.set(planned.Add(want - time.Millisecond))
			if f := figures(t, s, "talk"); f.State != InSession || *f.Present != 1 || !f.EndedAt.IsZero() {
				t.Errorf("last event %s, just before: %s, %d present", last, f.State, *f.Present)
			}
			c.set(planned.Add(want))
			f := figures(t, s, "talk")
			if f.State != Over || *f.Present != 0 || !f.EndedAt.Equal(planned.Add(want)) || f.Watch != want {
				t.Errorf("last event %s: %s, %d present, ended %s, watch %s", last, f.State, *f.Present, f.EndedAt, f.Watch)
			}
			c.set(planned.Add(want + time.Hour))
			if late := figures(t, s, "talk"); late.Watch != f.Watch || !late.EndedAt.Equal(f.EndedAt) {
				t.Errorf("last event %s, an hour later: watch %s, ended %s", last, late.Watch, late.EndedAt)
			}
		}
	})
}
