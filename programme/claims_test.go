package programme

import (
	"fmt"
	"slices"
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
	sessions, err := c.Claim(t.Context(), []Seen{seen})
	if err != nil || len(sessions) != 1 {
		t.Fatalf("%v (%v)", sessions, err)
	}
	return sessions[0].ID
}

// A room that serves two sessions passes to the next one when its doors open, not while the first may still be closing, and at
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

// Of three sessions, each has the room between its own two borders.
func TestARoomPassesOnAndOn(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		c := configured(t, rdb, prefix, from(0, "a", hall), from(2*time.Hour, "b", hall), from(4*time.Hour, "c", hall), from(2*time.Hour, "other", Room{"live", "x"}))
		for minutes, want := range map[int]string{-600: "a", 89: "a", 90: "b", 209: "b", 210: "c", 6000: "c"} {
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
			sessions, err := c.Claim(t.Context(), []Seen{at(95*time.Minute, "one")})
			if diff := cmp.Diff([]Session{first}, sessions); err != nil || diff != "" {
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
		if diff := cmp.Diff(want, rdb.HGetAll(t.Context(), prefix+"claims").Val()); diff != "" {
			t.Error(diff)
		}
	})
}

// In a batch, the first event of an occurrence that belongs to a session claims it for all; what was decided is claimed as it was.
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
			{"by time", []Seen{{Room: hall}, {Room: hall, At: planned.Add(time.Hour)}, {Room: nowhere}}, []string{"first", "next", ""}},
			{"the first one decides", []Seen{{Room: hall, Occurrence: "a", At: planned.Add(2 * time.Hour)}, {Room: hall, Occurrence: "a"}}, []string{"next", "next"}},
			{"the first one that can", []Seen{{Room: nowhere, Occurrence: "b"}, {Room: hall, Occurrence: "b"}, {Room: nowhere, Occurrence: "c"}}, []string{"first", "first", ""}},
			{"one is decided", []Seen{{Room: hall, Occurrence: "d", Session: "other"}, {Room: hall, Occurrence: "d"}}, []string{"other", "other"}},
			{"one is decided against the claim", []Seen{{Room: hall, Occurrence: "d", Session: "first"}, {Room: hall, Occurrence: "d"}}, []string{"first", "other"}},
			{"a later one is decided", []Seen{{Room: hall, Occurrence: "e"}, {Room: hall, Occurrence: "e", Session: "next"}}, []string{"first", "next"}},
		} {
			sessions, err := c.Claim(t.Context(), row.batch)
			if err != nil {
				t.Fatal(err)
			}
			got := []string{}
			for _, s := range sessions {
				got = append(got, s.ID)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("%s: %s", row.name, diff)
			}
		}
		want := map[string]string{"a": "next", "b": "first", "d": "other", "e": "first"} // nobody has c
		if diff := cmp.Diff(want, rdb.HGetAll(t.Context(), prefix+"claims").Val()); diff != "" {
			t.Error(diff)
		}
	})
}

// Of replicas that decide at the same time, one decides for all.
func TestReplicasAgree(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		configured(t, rdb, prefix, from(0, "first", hall), from(time.Hour, "next", hall))
		for round := range 20 {
			got := make([]string, 4)
			var replicas sync.WaitGroup
			for i := range got {
				replicas.Go(func() {
					c := New(rdb, Options{Prefix: prefix})
					sessions, err := c.Claim(t.Context(), []Seen{{Room: hall, Occurrence: fmt.Sprint(round), At: planned.Add(time.Duration(i%2) * time.Hour)}})
					if err != nil {
						t.Error(err)
						return
					}
					got[i] = sessions[0].ID
				})
			}
			replicas.Wait()
			if slices.Sort(got); got[0] == "" || got[0] != got[3] {
				t.Errorf("%q", got)
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
		one := []Seen{{Room: hall, Occurrence: "one", Session: "talk"}}
		for _, row := range []struct {
			name  string
			batch []Seen
			trips int64
		}{
			{"of another process, decided", one, 1},
			{"once more", one, 0},
			{"not decided: the sessions are read", []Seen{{Room: hall, Occurrence: "one"}}, 1},
			{"not decided, and known", []Seen{{Room: hall, Occurrence: "one"}}, 0},
			{"without an occurrence", []Seen{{Room: hall}}, 0},
			{"many at once", []Seen{{Room: hall, Occurrence: "2"}, {Room: hall, Occurrence: "3"}, {Room: Room{"live", "x"}, Occurrence: "4"}}, 1},
		} {
			before := count.Trips.Load()
			if _, err := c.Claim(t.Context(), row.batch); err != nil {
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
		if s, ok := c.Known(Seen{Room: hall, At: planned}); ok {
			t.Errorf("before the sessions were read: %+v", s)
		}
		c = configured(t, rdb, prefix, from(0, "first", hall), from(time.Hour, "next", hall))
		if got := claim(t, c, Seen{Room: hall, Occurrence: "one", At: planned}); got != "first" {
			t.Fatal(got)
		}
		if got := claim(t, c, Seen{Room: hall, Occurrence: "gone", Session: "gone", At: planned}); got != "gone" {
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
			{Seen{Room: Room{"live", "nowhere"}, At: late}, ""},
			{Seen{Room: hall, Occurrence: "gone", At: late}, "gone"}, // a session that another replica knows
			{Seen{Room: hall, Names: "next"}, "next"},
		} {
			if got, ok := c.Known(row.seen); got.ID != row.want || ok != (row.want != "") {
				t.Errorf("%+v: %q %t", row.seen, got.ID, ok)
			}
		}
		if _, err := c.Claim(t.Context(), []Seen{{Room: hall, Occurrence: "two", At: late}}); err == nil {
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
	if n := len(c.claims.sessions); n > claimsKept {
		t.Errorf("%d are known", n)
	}
	if _, known := c.claims.get("one"); known {
		t.Error("the oldest is still known")
	}
	if got := claim(t, c, Seen{Room: hall, Occurrence: "one", At: planned.Add(2 * time.Hour)}); got != "first" {
		t.Errorf("forgotten: it is %s's", got)
	}
}
