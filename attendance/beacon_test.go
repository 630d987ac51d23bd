package attendance

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/internal/redistest"
	"jauge/programme"
)

func TestSilentBeaconClosesAtItsLastHeartbeat(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		ctx := t.Context()
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("totals", "room")))
		for _, tab := range []string{"a", "b", "c"} {
			if err := s.Arrive(ctx, "talk", tab); err != nil {
				t.Fatal(err)
			}
		}
		c.set(planned.Add(BeatEvery))
		for _, tab := range []string{"a", "b"} {
			if alive, err := s.Beat(ctx, "talk", tab); !alive || err != nil {
				t.Fatalf("%s: %v %v", tab, alive, err)
			}
		}
		c.set(planned.Add(40 * time.Second))
		if err := s.Depart(ctx, "talk", "b"); err != nil {
			t.Fatal(err)
		}
		c.set(planned.Add(76 * time.Second)) // c has not been heard since 0 s, a since 30 s
		if n, err := s.CloseSilentBeacons(ctx); n != 1 || err != nil {
			t.Fatalf("closed %d, %v", n, err)
		}
		if f := figures(t, s, "talk"); *f.Present != 1 || *f.Unique != 3 || f.Capability != Live || f.Watch != 116*time.Second {
			t.Errorf("present %d, unique %d, %s, watch %s", *f.Present, *f.Unique, f.Capability, f.Watch)
		}
		if alive, err := s.Beat(ctx, "talk", "c"); alive || err != nil {
			t.Errorf("a closed beacon goes on: %v %v", alive, err)
		}
		if err := s.Arrive(ctx, "nowhere", "a"); !errors.Is(err, programme.ErrNotFound) {
			t.Errorf("unknown session: %v", err)
		}
		if drifts, err := s.Verify(ctx, "talk"); err != nil || len(drifts) > 0 {
			t.Errorf("verify: %v %v", drifts, err)
		}
	})
}

// Totals of the platform and beacons of the page are shown side by side; the platform has the word on who came.
func TestBeaconAndTotalsOfOneSession(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		ctx := t.Context()
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("totals", "event")))
		for i := range 30 {
			if err := s.Arrive(ctx, "talk", fmt.Sprint("tab ", i)); err != nil {
				t.Fatal(err)
			}
		}
		if f := figures(t, s, "talk"); *f.Present != 30 || *f.Unique != 30 || f.Reported != nil {
			t.Errorf("live: present %d, unique %d", *f.Present, *f.Unique)
		}
		end := Event{Kind: Ended, Room: "session", Alias: "event", Occurrence: "session", At: planned.Add(time.Hour)}
		totals := []Event{end}
		for i := range 530 {
			e := Event{Kind: Registered, Room: "session", Alias: "event", Occurrence: "session", Attendee: fmt.Sprint("person ", i), At: planned}
			totals = append(totals, e)
			if i < 320 {
				e.Kind, e.Total = Attended, 40*time.Minute
				totals = append(totals, e, e)
			}
		}
		record(t, s, "totals", totals...)
		c.set(planned.Add(61 * time.Minute))
		f := figures(t, s, "talk")
		if *f.Present != 0 || *f.Unique != 320 || f.Watch != 320*40*time.Minute || f.Provenance != FromPlatform {
			t.Errorf("after: present %d, unique %d, watch %s, %s", *f.Present, *f.Unique, f.Watch, f.Provenance)
		}
		if f.Measured.Unique != 30 || f.Measured.Watch != 30*time.Hour || *f.Registered != 530 || *f.NoShowRate != 210.0/530 {
			t.Errorf("measured %+v, registered %d, no-show %f", f.Measured, *f.Registered, *f.NoShowRate)
		}
		if err := s.Arrive(ctx, "talk", "too late"); !errors.Is(err, ErrOver) {
			t.Errorf("after the end: %v", err)
		}
		if sum := summary(t, s, "talk"); sum.Attended != 320 || sum.Watch != f.Watch {
			t.Errorf("%+v", sum)
		}
	})
}
