package programme

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/internal/redistest"
)

// from is hourLong, beginning later.
func from(after time.Duration, id string, rooms ...Room) Session {
	s := hourLong(id, rooms...)
	s.StartsAt, s.EndsAt = planned.Add(after), planned.Add(after+time.Hour)
	return s
}

var hall = Room{"live", "hall"}

// claim decides on one event and gives the session's id.
func claim(t *testing.T, c *Catalogue, seen Seen) string {
	t.Helper()
	decisions, err := c.Claim(t.Context(), planned, []Seen{seen})
	if err != nil || len(decisions) != 1 {
		t.Fatalf("%v (%v)", decisions, err)
	}
	return decisions[0].Session.ID
}

// holders are the sessions that have each occurrence, as the store knows it.
func holders(t *testing.T, rdb redis.UniversalClient, prefix string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for occurrence, text := range rdb.HGetAll(t.Context(), prefix+"claims").Val() {
		c, err := parseClaim(text)
		if err != nil {
			t.Fatal(err)
		}
		all[occurrence] = c.Holder
	}
	return all
}

// What is of no moment in the room goes to the session that the room serves then. It passes to the next one when its doors open, not while the first may still be closing, and at
// its planned start at the latest.
func TestARoomPassesToTheNextSession(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		next time.Duration // after the start of the first one, which lasts an hour
		from time.Duration // when the room is the next one's
	}{
		{"a day later, when its doors open", 24 * time.Hour, 23 * time.Hour},
		{"just as the first one has closed", 150 * time.Minute, 90 * time.Minute},
		{"while the first one may still be closing", 149 * time.Minute, 90 * time.Minute},
		{"half an hour later, as the first one closes", 90 * time.Minute, 90 * time.Minute},
		{"sooner, at its start", 89 * time.Minute, 89 * time.Minute},
		{"at once", time.Hour, time.Hour},
		{"before the first one ends", 50 * time.Minute, 50 * time.Minute},
		{"at the same time", 0, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			rdb, prefix := redistest.Embedded()
			c := configured(t, rdb, prefix, from(row.next, "next", hall), from(0, "first", hall))
			for after, want := range map[time.Duration]string{
				row.from - time.Millisecond: "first", row.from: "next", row.next: "next", row.next + 48*time.Hour: "next",
				row.from - 48*time.Hour: "first", // nobody else has the room
			} {
				if got, ok, err := c.Find(t.Context(), Seen{Room: hall, At: planned.Add(after)}); !ok || err != nil || got.ID != want {
					t.Errorf("after %s it is %s's, not %s's (%v)", after, got.ID, want, err)
				}
			}
		})
	}
}

// Of three sessions, each has what lies in its window, and of what lies in two, what is nearer to it. What is as near to both is the later
// one's. Nobody has the rest.
func TestARoomPassesOnAndOn(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		c := configured(t, rdb, prefix, from(0, "a", hall), from(2*time.Hour, "b", hall), from(4*time.Hour, "c", hall), from(2*time.Hour, "other", Room{"live", "x"}))
		for minutes, want := range map[int]string{-600: "", -61: "", -60: "a", 59: "a", 89: "a", 90: "b", 209: "b", 210: "c", 360: "c", 361: "", 6000: ""} {
			if got := claim(t, c, Seen{Room: hall, At: planned.Add(time.Duration(minutes) * time.Minute)}); got != want {
				t.Errorf("after %d minutes: %s, not %s", minutes, got, want)
			}
		}
	})
}

// An event is found by its room, by the room's other id, or by the session that it names; the room goes first.
func TestFind(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		c := configured(t, rdb, prefix, hourLong("talk", hall), hourLong("series", Room{"live", "series"}), hourLong("quiet"))
		for _, row := range []struct {
			seen Seen
			want string
		}{
			{Seen{Room: hall}, "talk"},
			{Seen{Room: Room{"other", "hall"}}, ""},
			{Seen{Room: Room{"live", "elsewhere"}}, ""},
			{Seen{Room: Room{"live", "elsewhere"}, Alias: "series"}, "series"},
			{Seen{Room: Room{"other", "elsewhere"}, Alias: "series"}, ""},
			{Seen{Room: hall, Alias: "series"}, "talk"},
			{Seen{Room: hall, Names: "quiet"}, "quiet"},
			{Seen{Room: hall, Names: "nobody"}, ""},
		} {
			row.seen.At = planned
			got, ok, err := c.Find(t.Context(), row.seen)
			if got.ID != row.want || ok != (row.want != "") || err != nil {
				t.Errorf("%+v: %q %t %v", row.seen, got.ID, ok, err)
			}
			if got := claim(t, c, row.seen); got != row.want {
				t.Errorf("%+v is claimed for %q", row.seen, got)
			}
		}
	})
}

// A meeting that overruns is still the same meeting: in this process, in another one, and whatever is planned later.
func TestAClaimHolds(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		first, next := from(0, "first", hall), from(time.Hour, "next", hall)
		c, other := configured(t, rdb, prefix, first, next), New(rdb, Options{Prefix: prefix})
		at := func(after time.Duration, occurrence string) Seen {
			return Seen{Room: hall, Occurrence: occurrence, At: planned.Add(after)}
		}
		if got := claim(t, c, at(10*time.Minute, "one")); got != "first" {
			t.Fatal(got)
		}
		for name, c := range map[string]*Catalogue{"the same process": c, "another one": other, "a restarted one": configured(t, rdb, prefix, next, first)} {
			decisions, err := c.Claim(t.Context(), planned, []Seen{at(95*time.Minute, "one")})
			if diff := cmp.Diff([]Decision{{Session: first}}, decisions); err != nil || diff != "" {
				t.Errorf("%s: the end of the meeting is another one's (%v): %s", name, err, diff)
			}
			if got := claim(t, c, at(95*time.Minute, "")); got != "next" {
				t.Errorf("%s: what names no occurrence is %s's", name, got)
			}
			if got := claim(t, c, at(95*time.Minute, "two")); got != "next" {
				t.Errorf("%s: another occurrence is %s's", name, got)
			}
		}
		elsewhere := Seen{Room: Room{"live", "elsewhere"}, Occurrence: "one", At: planned}
		if got := claim(t, c, elsewhere); got != "first" {
			t.Errorf("the occurrence is %q's whatever the room", got)
		}
		want := map[string]string{"one": "first", "two": "next"}
		if diff := cmp.Diff(want, holders(t, rdb, prefix)); diff != "" {
			t.Error(diff)
		}
	})
}

// In a batch, the earliest event of an occurrence claims it for all; what was decided is claimed as it was.
func TestABatchIsClaimedTogether(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		c := configured(t, rdb, prefix, from(0, "first", hall), from(time.Hour, "next", hall))
		nowhere := Room{"live", "nowhere"}
		for _, row := range []struct {
			name  string
			batch []Seen
			want  []string
		}{
			{"nothing", nil, []string{}},
			{"by time", []Seen{{Room: hall, At: planned}, {Room: hall, At: planned.Add(time.Hour)}, {Room: nowhere, At: planned}}, []string{"first", "next", ""}},
			{"the earliest decides", []Seen{{Room: hall, Occurrence: "a", At: planned.Add(2 * time.Hour)}, {Room: hall, Occurrence: "a", At: planned}}, []string{"first", "first"}},
			{"one that nobody's window has, too", []Seen{{Room: hall, Occurrence: "f", At: planned.Add(-2 * time.Hour)}, {Room: hall, Occurrence: "f", At: planned.Add(150 * time.Minute)}}, []string{"next", "next"}},
			{"in nobody's window", []Seen{{Room: hall, Occurrence: "g", At: planned.Add(-2 * time.Hour)}, {Room: hall, Occurrence: "g", At: planned.Add(4 * time.Hour)}}, []string{"", ""}},
			{"the first one that can", []Seen{{Room: nowhere, Occurrence: "b", At: planned}, {Room: hall, Occurrence: "b", At: planned}, {Room: nowhere, Occurrence: "c", At: planned}}, []string{"first", "first", ""}},
			{"one is decided", []Seen{{Room: hall, Occurrence: "d", Session: "other"}, {Room: hall, Occurrence: "d"}}, []string{"other", "other"}},
			{"one is decided against the claim", []Seen{{Room: hall, Occurrence: "d", Session: "first"}, {Room: hall, Occurrence: "d"}}, []string{"first", "other"}},
			{"a later one is decided", []Seen{{Room: hall, Occurrence: "e", At: planned}, {Room: hall, Occurrence: "e", Session: "next", At: planned}}, []string{"next", "next"}},
		} {
			decisions, err := c.Claim(t.Context(), planned, row.batch)
			if err != nil {
				t.Fatal(err)
			}
			got := []string{}
			for _, d := range decisions {
				got = append(got, d.Session.ID)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("%s: %s", row.name, diff)
			}
		}
		want := map[string]string{"a": "first", "b": "first", "d": "other", "e": "next", "f": "next"} // nobody has c and g
		if diff := cmp.Diff(want, holders(t, rdb, prefix)); diff != "" {
			t.Error(diff)
		}
	})
}

// Of replicas that decide at the same time, the one with the earliest mark decides for all.
func TestReplicasAgree(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		c := configured(t, rdb, prefix, from(0, "first", hall), from(time.Hour, "next", hall))
		for round := range 20 {
			var replicas sync.WaitGroup
			for i := range 4 {
				replicas.Go(func() {
					c := New(rdb, Options{Prefix: prefix})
					decisions, err := c.Claim(t.Context(), planned, []Seen{{Room: hall, Occurrence: fmt.Sprint(round), At: planned.Add(time.Duration(i%2) * time.Hour)}})
					if err != nil || decisions[0].Session.ID == "" {
						t.Error(decisions, err)
					}
				})
			}
			replicas.Wait()
			if got, _, err := c.Holder(t.Context(), fmt.Sprint(round)); got != "first" {
				t.Errorf("%q (%v)", got, err)
			}
		}
	})
}

// What is claimed is asked for once, and what was decided before needs no look at the sessions.
func TestClaimsInFewCommands(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, shared redis.UniversalClient, prefix string) {
		rdb, count := redistest.Counted(t, shared)
		c := configured(t, rdb, prefix, hourLong("talk", hall))
		c.forgetful()
		claimScript.Load(t.Context(), rdb)
		one := []Seen{{Room: hall, Occurrence: "one", Session: "talk"}}
		for _, row := range []struct {
			name  string
			batch []Seen
			trips int64
		}{
			{"of another process, decided", one, 1},
			{"once more", one, 0},
			{"not decided: the sessions are read", []Seen{{Room: hall, Occurrence: "one", At: planned}}, 1},
			{"not decided, and known", []Seen{{Room: hall, Occurrence: "one"}}, 0},
			{"without an occurrence", []Seen{{Room: hall}}, 0},
			{"many at once", []Seen{{Room: hall, Occurrence: "2"}, {Room: hall, Occurrence: "3"}, {Room: Room{"live", "x"}, Occurrence: "4"}}, 1},
		} {
			before := count.Trips.Load()
			if _, err := c.Claim(t.Context(), planned, row.batch); err != nil {
				t.Fatal(err)
			}
			if n := count.Trips.Load() - before; n > row.trips {
				t.Errorf("%s: %d round trips", row.name, n)
			}
		}
	})
}

// With Redis away, a session is known of what was claimed before, and of what goes by its own time; of an occurrence that another
// replica may have claimed it is not.
func TestKnown(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, shared redis.UniversalClient, prefix string) {
		rdb, line := redistest.Cuttable(t, shared)
		c := New(rdb, Options{Prefix: prefix})
		if s, ok := c.Known(planned, Seen{Room: hall, At: planned}); ok {
			t.Errorf("before the sessions were read: %+v", s)
		}
		c = configured(t, rdb, prefix, from(0, "first", hall), from(time.Hour, "next", hall))
		if got := claim(t, c, Seen{Room: hall, Occurrence: "one", At: planned}); got != "first" {
			t.Fatal(got)
		}
		if got := claim(t, c, Seen{Room: hall, Occurrence: "gone", Session: "gone", At: planned}); got != "gone" {
			t.Fatal(got)
		}
		if got := claim(t, c, Seen{Room: hall, Occurrence: "may move", At: planned.Add(90 * time.Minute)}); got != "next" {
			t.Fatal(got)
		}
		line.Cut()
		late := planned.Add(2 * time.Hour)
		for _, row := range []struct {
			seen Seen
			want string
		}{
			{Seen{Room: hall, Occurrence: "one", At: late}, "first"},
			{Seen{Room: hall, At: late}, "next"},
			{Seen{Room: hall, Occurrence: "two", At: late}, ""},
			{Seen{Room: hall, Occurrence: "may move", At: late}, ""},
			{Seen{Room: Room{"live", "nowhere"}, At: late}, ""},
			{Seen{Room: hall, Occurrence: "gone", At: late}, "gone"}, // a session that another replica knows
			{Seen{Room: hall, Names: "next"}, "next"},
		} {
			if got, ok := c.Known(planned, row.seen); got.ID != row.want || ok != (row.want != "") {
				t.Errorf("%+v: %q %t", row.seen, got.ID, ok)
			}
		}
		if _, err := c.Claim(t.Context(), planned, []Seen{{Room: hall, Occurrence: "two", At: late}}); err == nil {
			t.Error("decided without having asked")
		}
	})
}

// The memory of claims is bounded, and forgets none that the store has.
func TestClaimsAreForgottenInTime(t *testing.T) {
	t.Parallel()
	rdb, prefix := redistest.Embedded()
	c := configured(t, rdb, prefix, from(0, "first", hall), from(time.Hour, "next", hall))
	if got := claim(t, c, Seen{Room: hall, Occurrence: "one", At: planned}); got != "first" {
		t.Fatal(got)
	}
	for i := range claimsKept {
		c.claims.put(fmt.Sprint("more ", i), "first")
	}
	if n := len(c.claims.texts); n > claimsKept {
		t.Errorf("%d are known", n)
	}
	if _, known := c.claims.get("one"); known {
		t.Error("the oldest is still known")
	}
	if got := claim(t, c, Seen{Room: hall, Occurrence: "one", At: planned.Add(2 * time.Hour)}); got != "first" {
		t.Errorf("forgotten: it is %s's", got)
	}
}
