package programme

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/internal/redistest"
)

// within is a session with a window of its own.
func within(s Session, before, after time.Duration) Session {
	b, a := Span(before), Span(after)
	s.Window = &Window{&b, &a}
	return s
}

// Whatever the order in which the marks of an occurrence arrive, one by one or together: the session whose planned time is nearest to the
// earliest of them has it in the end, if a mark of it lies in its window.
func TestEveryOrderOfArrivalClaimsTheSame(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		for seed := range uint64(300) {
			chance := rand.New(rand.NewPCG(seed, 1))
			minutes := func(n int) time.Duration { return time.Duration(chance.IntN(n)) * time.Minute }
			var file []Session
			for i := range 2 + chance.IntN(3) {
				s := from(minutes(300), fmt.Sprint("s", i), hall)
				s.EndsAt = s.StartsAt.Add(time.Minute + minutes(90))
				if chance.IntN(2) == 0 {
					s = within(s, minutes(200), minutes(200))
				}
				file = append(file, s)
			}
			c := configured(t, rdb, fmt.Sprint(prefix, seed, ":"), file...)
			marks := make([]time.Duration, 2+chance.IntN(5))
			for i := range marks {
				marks[i] = minutes(700) - 200*time.Minute
			}
			want := best(file, marks)
			for order := range 6 {
				occurrence := fmt.Sprint(order)
				var got string
				shuffled := append([]time.Duration(nil), marks...)
				chance.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
				for _, batch := range [][]time.Duration{shuffled[:len(shuffled)/2], shuffled[len(shuffled)/2:], marks} { // what was aside comes again
					for _, after := range batch {
						got = claim(t, c, Seen{Room: hall, Occurrence: occurrence, At: planned.Add(after)})
					}
				}
				if got != want {
					t.Fatalf("seed %d: %s has %v, not %s", seed, got, shuffled, want)
				}
			}
		}
	})
}

// best is the definition, word for word.
func best(sessions []Session, marks []time.Duration) (id string) {
	first := marks[0]
	for _, m := range marks {
		first = min(first, m)
	}
	var chosen plan
	for _, s := range sessions {
		p, hit := s.plan(), false
		for _, m := range marks {
			hit = hit || p.has(planned.Add(m).UnixMilli())
		}
		if hit && (id == "" || nearer(p, chosen, planned.Add(first).UnixMilli()) < 0) {
			chosen, id = p, s.ID
		}
	}
	return id
}

// What is planned after an occurrence is claimed moves it nowhere; an earlier mark moves it among the sessions that were planned then,
// until an hour after they are over.
func TestAClaimKnowsWhatWasPlannedThen(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*testing.T, *Catalogue)
		now    time.Duration
		want   string
	}{
		{"nothing happens", func(*testing.T, *Catalogue) {}, 0, "first"},
		{"just in time", func(*testing.T, *Catalogue) {}, 3*time.Hour - 1, "first"},
		{"too late", func(*testing.T, *Catalogue) {}, 3 * time.Hour, "next"},
		{"a session is created that is nearer", func(t *testing.T, c *Catalogue) {
			if err := c.Put(t.Context(), from(15*time.Minute, "new", hall)); err != nil {
				t.Error(err)
			}
		}, 0, "first"},
		{"the first one leaves the room", func(t *testing.T, c *Catalogue) {
			if err := c.Put(t.Context(), from(0, "first")); err != nil {
				t.Error(err)
			}
		}, 0, "first"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
				c := configured(t, rdb, prefix, from(0, "first", hall), from(time.Hour, "next", hall))
				late := Seen{Room: hall, Occurrence: "one", At: planned.Add(70 * time.Minute)}
				decisions, err := c.Claim(t.Context(), planned, []Seen{late})
				if err != nil || decisions[0].Session.ID != "next" || !decisions[0].Open || decisions[0].Contest == nil {
					t.Fatalf("%+v (%v)", decisions, err)
				}
				row.change(t, c)
				early := Seen{Room: hall, Occurrence: "one", At: planned.Add(20 * time.Minute)}
				decisions, err = c.Claim(t.Context(), planned.Add(row.now), []Seen{late, early, late})
				if err != nil {
					t.Fatal(err)
				}
				moves := 0
				for i, d := range decisions {
					if d.Session.ID != row.want {
						t.Errorf("%d is %s's, not %s's", i, d.Session.ID, row.want)
					}
					if d.From != "" {
						moves++
					}
				}
				if want := map[string]int{"first": 1, "next": 0}[row.want]; moves != want {
					t.Errorf("%d moves, not %d", moves, want)
				}
				stale := late
				stale.Session = "next" // decided before, and late
				if got := claim(t, c, stale); got != row.want {
					t.Errorf("what was decided before is %s's", got)
				}
			})
		})
	}
}

// What a restart replays makes the same claims: what was decided stays, and what comes after it is decided by what was planned then.
func TestDecisionsAreReplayedAsTheyWereMade(t *testing.T) {
	t.Parallel()
	rdb, prefix := redistest.Embedded()
	c := configured(t, rdb, prefix, from(0, "first", hall), from(time.Hour, "next", hall))
	var kept []Seen
	decide := func(c *Catalogue, after time.Duration) string {
		t.Helper()
		seen := Seen{Room: hall, Occurrence: "one", At: planned.Add(after)}
		decisions, err := c.Claim(t.Context(), planned, []Seen{seen})
		if err != nil {
			t.Fatal(err)
		}
		seen.Session, seen.From, seen.Contest = decisions[0].Session.ID, decisions[0].From, decisions[0].Contest
		kept = append(kept, seen)
		return seen.Session
	}
	decide(c, 80*time.Minute)
	decide(c, 70*time.Minute)
	for _, row := range []struct {
		kept []Seen
		want string
	}{
		{kept, "next"}, {[]Seen{kept[1], kept[0]}, "next"},
	} {
		rdb, prefix := redistest.Embedded()
		c := configured(t, rdb, prefix, from(72*time.Hour, "first", hall), from(0, "other", hall)) // the file has changed
		for _, seen := range row.kept {
			if got := claim(t, c, seen); got != row.want {
				t.Errorf("replayed: %s's, not %s's", got, row.want)
			}
		}
		if got := claim(t, c, Seen{Room: hall, Occurrence: "one", At: planned}); got != "first" {
			t.Errorf("an earlier one: %s's", got)
		}
	}
	if got := decide(c, 0); got != "first" || kept[2].From != "next" {
		t.Errorf("moved: %+v", kept[2])
	}
	for _, order := range [][]int{{0, 1, 2}, {2, 0, 1}, {0, 2, 1}} {
		rdb, prefix := redistest.Embedded()
		c := configured(t, rdb, prefix, from(0, "other", hall))
		for _, i := range order {
			claim(t, c, kept[i])
		}
		if got, left, err := c.Holder(t.Context(), "one"); got != "first" || len(left) != 1 || left[0] != "next" {
			t.Errorf("%v: %s, from %v (%v)", order, got, left, err)
		}
	}
}

// An occurrence that an organiser has given to a session stays there until the organiser takes it back; one that a session has cannot
// be given.
func TestGiveAndTakeBack(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		ctx := t.Context()
		c := configured(t, rdb, prefix, from(0, "first", hall), from(time.Hour, "next", hall))
		outside := Seen{Room: hall, Occurrence: "rehearsal", At: planned.Add(-24 * time.Hour)}
		decisions, err := c.Claim(ctx, planned, []Seen{outside})
		if err != nil || decisions[0].Session.ID != "" || !decisions[0].Served {
			t.Fatalf("%+v (%v)", decisions, err)
		}
		if err := c.Give(ctx, "rehearsal", "next", planned.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := c.Give(ctx, "rehearsal", "first", planned.Add(time.Hour)); !errors.Is(err, ErrClaimed) {
			t.Errorf("given twice: %v", err)
		}
		if got := claim(t, c, outside); got != "next" {
			t.Errorf("given: %q", got)
		}
		if got := claim(t, c, Seen{Room: hall, Occurrence: "rehearsal", At: planned}); got != "next" {
			t.Errorf("a mark in a window: %q", got)
		}
		if err := c.TakeBack(ctx, "rehearsal", "first"); err != nil {
			t.Error(err)
		}
		if got := claim(t, c, outside); got != "next" {
			t.Errorf("taken from another one: %q", got)
		}
		if err := c.TakeBack(ctx, "rehearsal", "next"); err != nil {
			t.Error(err)
		}
		if got := claim(t, c, outside); got != "" {
			t.Errorf("taken back: %q", got)
		}
		if got := claim(t, c, Seen{Room: hall, Occurrence: "one", At: planned}); got != "first" {
			t.Fatal(got)
		}
		if err := c.TakeBack(ctx, "one", "first"); err != nil {
			t.Error(err)
		}
		if got := claim(t, c, Seen{Room: hall, Occurrence: "one", At: planned.Add(90 * time.Minute)}); got != "first" {
			t.Errorf("what a window claims is not taken back: %q", got)
		}
	})
}
