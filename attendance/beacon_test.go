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
		if f := figures(t, s, "talk"); *f.Present != 1 || *f.Unique != 3 || f.Capability != Live || f.Watch != 116*time.Second+2*time.Millisecond {
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

// Heartbeats may reach the store twice and in any order: the latest counts.
func TestAnOldHeartbeatTakesNothingBack(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		ctx := t.Context()
		s, c := newStore(t, rdb, prefix, hourLong("talk"))
		if err := s.Arrive(ctx, "talk", "tab"); err != nil {
			t.Fatal(err)
		}
		first := beat{"talk", s.seal.optional("connection", BeaconSource, "tab"), planned.UnixMilli()}
		c.set(planned.Add(time.Minute))
		if alive, err := s.Beat(ctx, "talk", "tab"); !alive || err != nil {
			t.Fatalf("%t %v", alive, err)
		}
		if err := s.storeBeat(ctx, first); err != nil { // of a journal that is drained late
			t.Fatal(err)
		}
		c.set(planned.Add(2 * time.Minute))
		if n, err := s.CloseSilentBeacons(ctx); n != 0 || err != nil {
			t.Errorf("closed %d, %v", n, err)
		}
		if f := figures(t, s, "talk"); *f.Present != 1 {
			t.Errorf("present %d", *f.Present)
		}
	})
}

// A beacon is silent when nothing was heard of it for longer than two heartbeats may take; it left when it was last heard.
func TestWhenABeaconIsSilent(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		ctx := t.Context()
		s, c := newStore(t, rdb, prefix, hourLong("talk"), hourLong("other"))
		for _, id := range []string{"talk", "other"} {
			if err := s.Arrive(ctx, id, "tab"); err != nil {
				t.Fatal(err)
			}
		}
		c.set(planned.Add(BeatEvery))
		if alive, err := s.Beat(ctx, "other", "tab"); !alive || err != nil {
			t.Fatalf("%t %v", alive, err)
		}
		for _, row := range []struct {
			after       time.Duration
			closed      int
			talk, other int // present
		}{
			{beatPatience - time.Millisecond, 0, 1, 1},
			{beatPatience, 1, 0, 1},
			{beatPatience, 0, 0, 1},
			{BeatEvery + beatPatience, 1, 0, 0},
		} {
			c.set(planned.Add(row.after))
			n, err := s.CloseSilentBeacons(ctx)
			talk, other := figures(t, s, "talk"), figures(t, s, "other")
			if n != row.closed || err != nil || *talk.Present != row.talk || *other.Present != row.other {
				t.Errorf("after %s: closed %d (%v), %d and %d present", row.after, n, err, *talk.Present, *other.Present)
			}
		}
		if talk, other := figures(t, s, "talk").Watch, figures(t, s, "other").Watch; talk != time.Millisecond || other != BeatEvery+time.Millisecond {
			t.Errorf("watched %s and %s", talk, other)
		}
	})
}

// A beacon that is not open, or of no session, is told so; whoever comes again does so under a new id.
func TestBeaconsThatAreNotOpen(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		ctx := t.Context()
		s, c := newStore(t, rdb, prefix, hourLong("talk"))
		if alive, err := s.Beat(ctx, "talk", "nobody"); alive || err != nil {
			t.Errorf("never arrived: %t %v", alive, err)
		}
		if alive, err := s.Beat(ctx, "nowhere", "tab"); alive || !errors.Is(err, programme.ErrNotFound) {
			t.Errorf("no such session: %t %v", alive, err)
		}
		if err := s.Depart(ctx, "nowhere", "tab"); !errors.Is(err, programme.ErrNotFound) {
			t.Errorf("leaves no session: %v", err)
		}
		if err := s.Arrive(ctx, "talk", "tab"); err != nil {
			t.Fatal(err)
		}
		c.set(planned.Add(time.Minute))
		for range 2 {
			if err := s.Depart(ctx, "talk", "tab"); err != nil {
				t.Fatal(err)
			}
		}
		if alive, err := s.Beat(ctx, "talk", "tab"); alive || err != nil {
			t.Errorf("has left: %t %v", alive, err)
		}
		if f := figures(t, s, "talk"); *f.Present != 0 || *f.Unique != 1 || f.Watch != time.Minute+time.Millisecond {
			t.Errorf("present %d, unique %d, watch %s", *f.Present, *f.Unique, f.Watch)
		}
		if n := rdb.Exists(ctx, s.keys.beacons("talk")).Val(); n != 0 {
			t.Error("a beacon that has left is still waited for")
		}
	})
}

// The platform's end of a session ends it for beacons, too, unless the platform counts who is there itself; whoever is late is told.
func TestThePlatformEndsTheSessionForBeacons(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		ctx := t.Context()
		s, c := newStore(t, rdb, prefix, hourLong("slow", in("totals", "room")), hourLong("both", in("totals", "annexe"), in("live", "room")))
		for _, id := range []string{"slow", "both"} {
			if err := s.Arrive(ctx, id, "tab"); err != nil {
				t.Fatal(err)
			}
		}
		end := c.event(Ended, "", "", 10*time.Minute)
		annexe := end
		annexe.Room = "annexe"
		record(t, s, "totals", end, annexe)
		c.set(planned.Add(15 * time.Minute))
		if f := figures(t, s, "slow"); *f.Present != 0 || f.State != Over || f.Measured.Watch != 10*time.Minute {
			t.Errorf("slow: %d present, %s, %s", *f.Present, f.State, f.Measured.Watch)
		}
		if f := figures(t, s, "both"); *f.Present != 1 || f.State != InSession {
			t.Errorf("both: %d present, %s", *f.Present, f.State)
		}
		if err := s.Arrive(ctx, "slow", "late"); !errors.Is(err, ErrOver) {
			t.Errorf("slow takes %v", err)
		}
		if err := s.Arrive(ctx, "both", "late"); err != nil {
			t.Errorf("both: %v", err)
		}
		if again := record(t, s, "totals", end); again[0] != Duplicate {
			t.Errorf("the end once more: %s", again)
		}
		if end.Occurrence = "two"; record(t, s, "totals", end)[0] != Recorded { // the result is the platform's own: beacons knew
			t.Error("the end of another occurrence tells nothing new")
		}
	})
}

// A session that is over by the clock alone, and was never seen, still takes whoever comes: it may have begun late.
func TestABeaconOfASessionThatBeginsLate(t *testing.T) {
	t.Parallel()
	rdb, prefix := redistest.Embedded()
	s, c := newStore(t, rdb, prefix, hourLong("talk"))
	c.set(planned.Add(5 * time.Hour))
	if err := s.Arrive(t.Context(), "talk", "tab"); err != nil {
		t.Fatal(err)
	}
	if f := figures(t, s, "talk"); *f.Present != 1 || f.State != InSession {
		t.Errorf("%d present, %s", *f.Present, f.State)
	}
}

// While Redis is away, beacons that arrive and leave wait in the journal, and are as old as they were.
func TestBeaconsWaitInTheJournal(t *testing.T) {
	t.Parallel()
	s, _, line, c := beside(t, hourLong("talk"))
	ctx := t.Context()
	if err := s.Arrive(ctx, "talk", "there"); err != nil {
		t.Fatal(err)
	}
	line.Cut()
	c.set(planned.Add(time.Minute))
	if err := s.Arrive(ctx, "talk", "tab"); err != nil {
		t.Fatal(err)
	}
	if alive, err := s.Beat(ctx, "talk", "there"); alive || err == nil {
		t.Errorf("nobody knows, and is told %t", alive)
	}
	if n, err := s.CloseSilentBeacons(ctx); n != 0 || err == nil {
		t.Errorf("what cannot be heard is silent: %d", n)
	}
	line.Mend()
	if err := s.journal.Drain(ctx, func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	c.set(planned.Add(2 * time.Minute))
	if alive, err := s.Beat(ctx, "talk", "tab"); !alive || err != nil {
		t.Errorf("%t %v", alive, err)
	}
	if f := figures(t, s, "talk"); *f.Present != 2 || f.Watch != 3*time.Minute {
		t.Errorf("present %d, watch %s", *f.Present, f.Watch)
	}
}
