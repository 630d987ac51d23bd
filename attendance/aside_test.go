package attendance

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

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
		want := []AsideEvent{{Source: "live", Room: "room", Alias: "series", Kind: Joined, At: planned, ReceivedAt: planned}}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
	})
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
