package marks

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/internal/redistest"
)

// write records marks in a session, however long that takes, and gives what became of the last.
func write(t *testing.T, s *Store, session string, marks ...Mark) Outcome {
	t.Helper()
	var last Outcome
	for some := range slices.Chunk(marks, atOnce) {
		placed := make([]Placed, len(some))
		for i, m := range some {
			placed[i] = Placed{Session: session, Mark: m}
		}
		got, err := s.call(t.Context(), session, placed)
		if err != nil {
			t.Fatal(err)
		}
		last = got[len(got)-1]
	}
	return last
}

// agrees expects the counts to be what the set of these marks says, and Verify to find nothing.
func agrees(t *testing.T, s *Store, session string, marks ...Mark) {
	t.Helper()
	set := NewSet()
	for _, m := range marks {
		set.Add(m)
	}
	want := set.Counts()
	seen, err := s.Look(t.Context(), session)
	if err != nil {
		t.Fatal(err)
	}
	got := seen[0].Counts
	for _, name := range []string{"present", "connections", "unique", "known", "names", "leaving", "occurrences", "live", "measured", "reported", "last", "peak", "peak_at"} {
		if got[name] != want[name] {
			t.Errorf("%s: %s is %d, not %d", session, name, got[name], want[name])
		}
	}
	drifts, err := s.Verify(t.Context(), session, never-CloseAfter.Milliseconds())
	if err != nil || len(drifts) > 0 {
		t.Errorf("%s: %v %v", session, drifts, err)
	}
}

// Of each thing there is a most. What goes beyond is refused and leaves nothing behind; what is there already, or is of another one, is not.
func TestLimits(t *testing.T) {
	t.Parallel()
	times := func(n int, f func(i int) Mark) []Mark {
		out := make([]Mark, n)
		for i := range out {
			out[i] = f(i)
		}
		return out
	}
	at := func(i int) int64 { return plannedStart + int64(i)*1000 }
	in := func(kind Kind, person, connection string, i int) Mark {
		return Mark{Kind: kind, Room: "room", Occurrence: "one", Person: person, Connection: connection, At: at(i)}
	}
	nameless := func(kind Kind, i int) Mark { return Mark{Kind: kind, Room: "room", Occurrence: "any/", At: at(i)} }
	bound := func(a, b string) Mark { m := in(Bound, "", a, 0); m.Peer = b; return m }
	total := func(i int) Mark {
		return Mark{Kind: Attended, Person: "ann", Occurrence: fmt.Sprint("occ", i), Seconds: 60}
	}
	anew := in(Joined, "ann", "elsewhere", 0)
	anew.Occurrence, anew.Room = "another", "another room"
	started := func(i int) Mark {
		m := in(Started, "", "", i)
		m.Occurrence = fmt.Sprint("occ", i)
		return m
	}
	staff := nameless(Joined, 1001)
	staff.Staff, staff.Connection = true, "host"
	for _, row := range []struct {
		name     string
		most     []Mark
		oneMore  Mark
		fine     Mark
		standing Mark // is there already, and is still said to be
	}{
		{"occurrences of a session", times(250, started), started(250), in(Ended, "", "", 0).of("occ7"), started(249)},
		{
			"ends of a room without occurrences", append(times(249, func(i int) Mark { return nameless(Ended, 2*i) }), nameless(Joined, 3).by("ann", "c1")),
			nameless(Ended, 1000), nameless(Joined, 2).by("bob", "c2"), nameless(Ended, 2),
		},
		{"marks of a connection", times(500, func(i int) Mark { return in(Joined, "ann", "c1", i) }), in(Left, "", "c1", 501), in(Joined, "bob", "c2", 501), bound("c9", "c9")},
		{"marks of a person's connections", times(500, func(i int) Mark { return in(Joined, "ann", fmt.Sprint("c", i%7), i) }), in(Left, "ann", "new", 501), in(Joined, "bob", "c8", 501), bound("c9", "c9")},
		{"marks without a connection", times(500, func(i int) Mark { return in(Joined, "ann", "", i) }), in(Left, "ann", "", 501), in(Joined, "bob", "", 501), bound("c9", "c9")},
		{"marks of somebody in a new occurrence", times(500, func(i int) Mark { return in(Joined, "ann", "c1", i) }), anew, in(Joined, "bob", "c2", 501), bound("c9", "c9")},
		{"starts of a room without occurrences", times(500, func(i int) Mark { return nameless(Started, i) }), nameless(Started, 1000), nameless(Joined, 1000).by("ann", "c1"), nameless(Started, 499)},
		{"starts by staff of a room without occurrences", times(500, func(i int) Mark { return nameless(Started, i) }), staff, nameless(Ended, 1000), nameless(Started, 0)},
		{"connections that are one person", append(times(49, func(i int) Mark { return bound("c0", fmt.Sprint("c", i+1)) }), in(Joined, "ann", "c7", 0)), bound("c9", "c50"), bound("c50", "c51"), bound("c9", "c0")},
		{"totals of a person", times(250, total), total(250), Mark{Kind: Attended, Person: "bob", Occurrence: "occ0", Seconds: 60}, Mark{Kind: Attended, Person: "bob", Occurrence: "occ0", Seconds: 60}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
				s := New(rdb, prefix)
				write(t, s, "talk", row.most...)
				if len(row.most) > 0 {
					agrees(t, s, "talk", row.most...)
				}
				if got := write(t, s, "talk", row.oneMore); got != TooMany {
					t.Errorf("one more: %d", got)
				}
				agrees(t, s, "talk", row.most...)
				// What is refused leaves nothing, also where something else of its call counts.
				if got, err := s.call(t.Context(), "talk", []Placed{{Session: "talk", Mark: row.oneMore}, {Session: "talk", Mark: row.fine}}); err != nil || got[0] != TooMany || got[1] != Recorded {
					t.Errorf("with one of another: %v %v", got, err)
				}
				rev := readCounts(t, s)["rev"]
				if got := write(t, s, "talk", row.standing); got != Duplicate || readCounts(t, s)["rev"] != rev {
					t.Errorf("what is there: %d; rev %d, then %d", got, rev, readCounts(t, s)["rev"])
				}
				agrees(t, s, "talk", append(row.most, row.fine)...)
			})
		})
	}
}

func called(name string, e Mark) Mark { e.Name = name; return e }

// of and by change a mark's occurrence, and whose it is.
func (e Mark) of(occurrence string) Mark { e.Occurrence = occurrence; return e }

func (e Mark) by(person, connection string) Mark {
	e.Person, e.Connection = person, connection
	return e
}

// Corrections append to the log. Now and then it is written anew without what they cancelled: whoever has read a part of it reads it again, and all
// see the same. The log of a large session is as long as it has to be.
func TestTheLogIsCompacted(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s := New(rdb, prefix)
		follows := func(session string) Moment {
			t.Helper()
			read, err := s.Look(t.Context(), session)
			if err != nil {
				t.Fatal(err)
			}
			fresh, err := New(rdb, prefix).Look(t.Context(), session)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(fresh, read); diff != "" {
				t.Fatalf("who reads on sees something else:\n%s", diff)
			}
			return fresh[0].Moment
		}
		start := Mark{Kind: Started, Room: "room", Occurrence: "one", At: plannedStart}
		const people, corrections = 150, 25
		write(t, s, "talk", start)
		first, all, longest := follows("talk").Counts["epoch"], []Mark{start}, int64(0)
		for i := range corrections { // each join is earlier than the one before, which opens nothing from then on
			batch := make([]Mark, people)
			for p := range batch {
				batch[p] = Mark{Kind: Joined, Room: "room", Occurrence: "one", Person: fmt.Sprint("p", p), Connection: fmt.Sprint("c", p), At: plannedStart + 2_000_000_000 - int64(i)*1000}
			}
			write(t, s, "talk", batch...)
			all = append(all, batch...)
			longest = max(longest, rdb.StrLen(t.Context(), s.keys.Log("talk")).Val())
			if i%5 == 0 {
				follows("talk")
			}
		}
		m := follows("talk")
		if m.Counts["epoch"] != first+1 || longest > 65536 {
			t.Errorf("epoch %d after %d; the log grew to %d bytes", m.Counts["epoch"], first, longest)
		}
		agrees(t, s, "talk", all...)

		write(t, s, "hall", start)
		first, all = follows("hall").Counts["epoch"], []Mark{start}
		for p := range 3200 {
			stay := Mark{Kind: Joined, Room: "room", Occurrence: "one", Person: fmt.Sprint("p", p), Connection: fmt.Sprint("c", p), At: plannedStart + 2_000_000_000 + int64(p)}
			leave := stay
			leave.Kind, leave.At = Left, stay.At+1_000_000
			all = append(all, stay, leave)
		}
		write(t, s, "hall", all...)
		if n := rdb.StrLen(t.Context(), s.keys.Log("hall")).Val(); n <= 65536 || follows("hall").Counts["epoch"] != first {
			t.Errorf("the log of a large session, %d bytes, was written anew", n)
		}
		agrees(t, s, "hall", all...)
	})
}

// Ids and addresses of one person: whatever was said under each of them is said of the person, and of the addresses the first is who it is.
func TestSamePerson(t *testing.T) {
	t.Parallel()
	const m = int64(60_000)
	stay := func(kind Kind, person, connection string, minute int64) Mark {
		return Mark{Kind: kind, Room: "room", Occurrence: "one", Person: person, Connection: connection, At: plannedStart + minute*m}
	}
	same := func(address, id string) Mark { return Mark{Kind: Same, Person: address, Peer: id} }
	total := func(person string, seconds int64) Mark {
		return Mark{Kind: Attended, Person: person, Occurrence: "one", Seconds: seconds}
	}
	for name, row := range map[string]struct {
		marks []Mark
		want  Counts
	}{
		"two screens of one person":                          {[]Mark{stay(Joined, "id1", "c1", 0), stay(Joined, "e1", "c2", 1), same("e1", "id1")}, Counts{"unique": 1, "present": 1, "connections": 2}},
		"two ids of one address":                             {[]Mark{stay(Joined, "id1", "c1", 0), stay(Joined, "id2", "c2", 1), same("e1", "id1"), same("e1", "id2")}, Counts{"unique": 1, "connections": 2}},
		"two addresses of one id":                            {[]Mark{stay(Joined, "e1", "c1", 0), stay(Joined, "e2", "c2", 1), same("e1", "id1"), same("e2", "id1")}, Counts{"unique": 1, "connections": 2}},
		"a chain of ids and addresses":                       {[]Mark{stay(Joined, "e1", "c1", 0), stay(Joined, "e3", "c2", 1), same("e1", "id1"), same("e2", "id1"), same("e2", "id2"), same("e3", "id2")}, Counts{"unique": 1}},
		"marks without a connection come too":                {[]Mark{stay(Joined, "id1", "", 0), stay(Left, "e1", "", 5), same("e1", "id1")}, Counts{"unique": 1, "present": 0, "watch": 5 * m}},
		"one that both said is one":                          {[]Mark{stay(Joined, "id1", "", 0), stay(Joined, "e1", "", 0), stay(Left, "id1", "", 5), same("e1", "id1")}, Counts{"unique": 1, "present": 0, "watch": 5 * m}},
		"registered under one, seen as another":              {[]Mark{stay(Joined, "id1", "c1", 0), {Kind: Registered, Person: "e1"}, same("e1", "id1")}, Counts{"unique": 1, "registered": 1, "registered_seen": 1}},
		"registered under both is once":                      {[]Mark{{Kind: Registered, Person: "id1"}, {Kind: Registered, Person: "e1"}, same("e1", "id1")}, Counts{"registered": 1}},
		"staff under one is staff":                           {[]Mark{stay(Joined, "e1", "c1", 0), {Kind: Registered, Staff: true, Person: "id1"}, same("e1", "id1")}, Counts{"unique": 0, "present": 0}},
		"of two totals of a room the larger":                 {[]Mark{total("e1", 60), total("id1", 90), same("e1", "id1")}, Counts{"reported": 1, "reported_watch": 90_000, "filled": 90_000}},
		"of two totals of a room the larger, whoever has it": {[]Mark{total("e1", 90), total("id1", 60), same("e1", "id1")}, Counts{"reported": 1, "reported_watch": 90_000}},
		"an id that comes before its address":                {[]Mark{stay(Joined, "a1", "c1", 0), stay(Joined, "e1", "c2", 1), same("e1", "a1")}, Counts{"unique": 1, "connections": 2}},
		"an id that comes before its addresses":              {[]Mark{stay(Joined, "a1", "c1", 0), stay(Left, "e2", "c1", 1), same("e1", "a1"), same("e2", "a1")}, Counts{"unique": 1, "connections": 0}},
		"of a guest's names the first, in order":             {[]Mark{called("b", stay(Joined, "*g", "c1", 0)), called("a", stay(Joined, "*g", "c1", 0)), called("a", stay(Joined, "*h", "c2", 0))}, Counts{"unique": 2, "names": 1}},
		"a guest who leaves under another name":              {[]Mark{called("b", stay(Joined, "*g", "c1", 0)), called("a", stay(Left, "*g", "c1", 1)), called("a", stay(Joined, "*h", "c2", 0))}, Counts{"unique": 2, "names": 1}},
		"who leaves on two connections at once":              {[]Mark{stay(Joined, "ann", "a", 0), stay(Left, "ann", "b", 5), stay(Left, "", "a", 5)}, Counts{"unique": 1, "present": 0, "connections": 0}},
		"a total fills in for nobody who came":               {[]Mark{total("e1", 60), stay(Joined, "id1", "c1", 0), same("e1", "id1")}, Counts{"reported": 1, "filled": 0, "measured": 1}},
		"what is bound stays bound":                          {[]Mark{stay(Joined, "id1", "c1", 0), {Kind: Bound, Room: "room", Occurrence: "one", Connection: "c1", Peer: "c2", At: plannedStart}, stay(Joined, "", "c2", 1), same("e1", "id1")}, Counts{"unique": 1, "connections": 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
				for turn := range row.marks { // in every rotation, and backwards, one call each and all in one
					order := append(append([]Mark(nil), row.marks[turn:]...), row.marks[:turn]...)
					s := New(rdb, fmt.Sprint(prefix, turn, ":"))
					write(t, s, "once", order...)
					for i := range order {
						write(t, s, "each", order[i])
						write(t, s, "back", order[len(order)-1-i])
					}
					for _, session := range []string{"once", "each", "back"} {
						agrees(t, s, session, row.marks...)
						read, err := s.Read(t.Context(), session)
						if err != nil {
							t.Fatal(err)
						}
						got := read.Counts()
						for name, n := range row.want {
							if got[name] != n {
								t.Errorf("%s: %s is %d, not %d", session, name, got[name], n)
							}
						}
						if set := NewSet(); turn == 0 && session == "once" {
							for _, m := range order {
								set.Add(m)
							}
							for name, n := range row.want {
								if set.Counts()[name] != n {
									t.Errorf("the model: %s is %d, not %d", name, set.Counts()[name], n)
								}
							}
						}
						if people := rdb.HGetAll(t.Context(), s.keys.People(session)).Val(); strings.HasPrefix(people["e1"], "=") {
							t.Errorf("%s: the first address is another person: %v", session, people)
						}
					}
				}
			})
		})
	}
}

// A repair keeps whatever a later mark may turn on, and nothing that a repair of before has left half-way.
func TestWhatIsRepairedGoesOn(t *testing.T) {
	t.Parallel()
	at := func(kind Kind, person, connection string, minute int64) Mark {
		return Mark{Kind: kind, Room: "room", Occurrence: "one", Person: person, Connection: connection, At: plannedStart + minute*60_000}
	}
	bound := at(Bound, "", "c1", 0)
	bound.Peer = "c2"
	staff := at(Joined, "", "c1", 1)
	staff.Staff = true
	for name, row := range map[string]struct{ before, after []Mark }{
		"nobody was named, and then somebody":    {[]Mark{at(Joined, "", "c1", 0)}, []Mark{at(Left, "ann", "c1", 5), at(Joined, "ann", "c2", 1)}},
		"a leave named somebody, a join another": {[]Mark{at(Left, "ann", "c1", 5)}, []Mark{at(Joined, "bob", "c1", 1)}},
		"a connection of two people":             {[]Mark{at(Joined, "ann", "c1", 5), at(Joined, "bob", "c1", 4)}, []Mark{at(Joined, "ann", "c1", 3), at(Joined, "bob", "c2", 6)}},
		"an id of an address":                    {[]Mark{{Kind: Same, Person: "e1", Peer: "id1"}}, []Mark{at(Joined, "id1", "c1", 0), at(Joined, "e1", "c2", 0)}},
		"what was bound":                         {[]Mark{bound}, []Mark{at(Joined, "ann", "c1", 0), at(Joined, "", "c2", 1)}},
		"a connection of staff":                  {[]Mark{staff}, []Mark{at(Joined, "host", "c1", 0), at(Joined, "host", "c2", 0)}},
		"a guest's name":                         {[]Mark{called("b", at(Joined, "*g", "c1", 0))}, []Mark{called("c", at(Left, "*g", "c1", 1)), called("b", at(Joined, "*h", "c2", 1))}},
		"a room without occurrences": {
			[]Mark{at(Joined, "ann", "c1", 0).of("any/"), at(Ended, "", "", 5).of("any/"), at(Started, "", "", 7).of("any/"), at(Left, "", "c9", 9).of("any/")},
			[]Mark{at(Joined, "bob", "c2", 8).of("any/"), at(Ended, "", "", 6).of("any/")},
		},
		"an event that added nothing": {[]Mark{at(Started, "", "", 0), at(Started, "", "", 9)}, []Mark{at(Joined, "ann", "c1", 3)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
				s := New(rdb, prefix)
				write(t, s, "talk", row.before...)
				write(t, New(rdb, prefix+"shadow:"), "talk", at(Joined, "of before", "c7", 0))
				if err := s.Repair(t.Context(), "talk"); err != nil {
					t.Fatal(err)
				}
				agrees(t, s, "talk", row.before...)
				write(t, s, "talk", row.after...)
				agrees(t, s, "talk", append(row.before, row.after...)...)
			})
		})
	}
}
