package attendance

import (
	"errors"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"jauge/programme"
)

// What no window claims is shown with when it was and how many people were there; it is counted by a click, and put back by another, and
// a restart changes nothing of either. What the session has anyway stays.
func TestCountByHand(t *testing.T) {
	t.Parallel()
	for name, embedded := range map[string]bool{"redis": false, "embedded": true} {
		for named, occurrence := range map[string]string{"named": "rehearsal", "nameless": ""} {
			t.Run(name+" "+named, func(t *testing.T) {
				t.Parallel()
				ctx, c := t.Context(), &clock{at: planned.Add(30 * time.Minute)}
				file := []programme.Session{hourLong("talk", in("live", "room")), hourLong("other")}
				w := newWorld(t, c, embedded)
				w.restart(file)
				defer func() { w.stop() }()
				day := func(e Event) Event { e.Occurrence = occurrence; return e }
				host := day(c.event(Joined, "host", "c9", -24*time.Hour))
				host.Staff = true
				rehearsal := []Event{
					day(c.event(Joined, "ann", "c1", -24*time.Hour)), day(c.event(Joined, "bob", "c2", -24*time.Hour+time.Minute)), host,
					day(c.event(Left, "", "c1", -24*time.Hour+10*time.Minute)), day(c.event(Left, "bob", "c2", -24*time.Hour+20*time.Minute)),
				}
				meeting := c.event(Joined, "cid", "c3", 0)
				if occurrence == "" {
					meeting.Occurrence = ""
				}
				record(t, w.Store, "live", meeting)
				if got := record(t, w.Store, "live", rehearsal...); got[0] != Aside {
					t.Fatal(got)
				}
				again := func() {
					t.Helper()
					w.restart(file)
					if _, err := w.Reclaim(ctx); err != nil {
						t.Fatal(err)
					}
				}
				again()
				before := people(t, w.Store, "talk")
				openings, err := w.Openings(ctx, false)
				if err != nil || len(openings) != 1 {
					t.Fatalf("%+v (%v)", openings, err)
				}
				o := openings[0]
				want := Opening{Source: "live", Room: "room", ID: o.ID, Reason: Outside, Events: 5, People: 2, FirstAt: planned.Add(-24 * time.Hour), LastAt: planned.Add(-24*time.Hour + 20*time.Minute)}
				if diff := gocmp.Diff(want, o); diff != "" {
					t.Error(diff)
				}
				if groups, err := w.AsideGroups(ctx); err != nil || len(groups) != 2 || groups[0].Reason != Outside {
					t.Errorf("%+v (%v)", groups, err)
				}
				if _, err := w.Count(ctx, "live", "room", o.ID, "nobody"); !errors.Is(err, programme.ErrNotFound) {
					t.Errorf("in no session: %v", err)
				}
				if _, err := w.Count(ctx, "live", "room", "another", "talk"); !errors.Is(err, ErrNothingAside) {
					t.Errorf("another opening: %v", err)
				}
				if counted, err := w.Count(ctx, "live", "room", o.ID, "talk"); err != nil || len(counted) != 1 || counted[0].Session != "talk" {
					t.Fatalf("%+v (%v)", counted, err)
				}
				late := day(c.event(Joined, "dan", "c4", -24*time.Hour+5*time.Minute))
				if occurrence != "" { // it is of the same meeting
					record(t, w.Store, "live", late)
				}
				for range 2 {
					n := 3
					if occurrence != "" {
						n = 4
					}
					if got := people(t, w.Store, "talk")["talk"]; len(got) != n || !slices.Contains(got, "-24h0m0s 10m0s 1 measured") {
						t.Errorf("counted: %v", got)
					}
					if n := asideCount(t, w.Store); n != 0 {
						t.Errorf("%d are still aside", n)
					}
					if counted, err := w.Counted(ctx); err != nil || len(counted) != 1 || counted[0].People != 2 {
						t.Errorf("%+v (%v)", counted, err)
					}
					again()
				}
				if err := w.Uncount(ctx, "live", "room", o.ID); err != nil {
					t.Fatal(err)
				}
				for range 2 {
					if diff := gocmp.Diff(before, people(t, w.Store, "talk")); diff != "" {
						t.Errorf("put back: %s", diff)
					}
					back, err := w.Openings(ctx, false)
					if err != nil || len(back) != 1 || back[0].ID != o.ID || back[0].Events < 5 {
						t.Errorf("%+v (%v)", back, err)
					}
					if counted, err := w.Counted(ctx); err != nil || len(counted) != 0 {
						t.Errorf("%+v (%v)", counted, err)
					}
					again()
				}
				if err := w.Uncount(ctx, "live", "room", o.ID); !errors.Is(err, ErrNothingAside) {
					t.Errorf("put back twice: %v", err)
				}
				if _, err := w.Count(ctx, "live", "room", "", "other"); err != nil { // all of the room, in another session
					t.Error(err)
				}
				if got := people(t, w.Store, "talk", "other"); len(got["other"]) < 2 || len(got["talk"]) != 1 {
					t.Errorf("%v", got)
				}
				c.set(planned.Add(8 * 24 * time.Hour))
				if counted, err := w.Counted(ctx); err != nil || len(counted) != 0 {
					t.Errorf("for ever: %+v (%v)", counted, err)
				}
				if err := w.Uncount(ctx, "live", "room", o.ID); !errors.Is(err, ErrNothingAside) {
					t.Errorf("a week later: %v", err)
				}
			})
		}
	}
}
