package attendance

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/internal/redistest"
)

// One result an event, in order, whatever else an event says and however many there are.
func TestResultsAreInOrder(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("totals", "room"), in("live", "room")))
		join := c.event(Joined, "ann", "c1", 0)
		elsewhere := join
		elsewhere.Room = "elsewhere"
		staff := c.event(Joined, "host", "c2", 0)
		staff.Staff = true
		registered := c.event(Registered, "host", "", 0)
		registered.Staff = true
		end := c.event(Ended, "", "", time.Hour)
		got := record(t, s, "totals", end, elsewhere, join, staff, registered, join, end, c.event(Left, "", "c1", time.Minute), c.event(Joined, "", "", 0))
		want := []Result{Recorded, Aside, Recorded, StaffSeen, StaffSeen, Duplicate, Duplicate, Recorded, Aside}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if got := record(t, s, "live"); got != nil {
			t.Errorf("of nothing: %v", got)
		}
		many := make([]Event, 2*batchSize+1)
		for i := range many {
			many[i] = c.event(Joined, fmt.Sprint(i%(batchSize+1)), fmt.Sprint(i%(batchSize+1)), 0)
		}
		for i, result := range record(t, s, "live", many...) {
			want := Recorded
			if i > batchSize {
				want = Duplicate
			}
			if result != want {
				t.Fatalf("event %d is %s", i, result)
			}
		}
		if f := figures(t, s, "talk"); *f.Unique != batchSize+2 {
			t.Errorf("%d people", *f.Unique)
		}
		if found := drifts(t, s); found != "" {
			t.Error(found)
		}
	})
}

// Each kind of event is a duplicate the second time, also where only a part of it is new.
func TestWhatIsNew(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("live", "room")))
		bound := c.event(Bound, "", "c1", 0)
		bound.Peer = "c2"
		reversed := c.event(Bound, "", "c2", 0)
		reversed.Peer = "c1"
		total := func(minutes int) Event {
			e := c.event(Attended, "ann", "", 0)
			e.Total = time.Duration(minutes) * time.Minute
			return e
		}
		staff := c.event(Joined, "host", "c9", 30*time.Minute)
		staff.Staff = true
		for i, row := range []struct {
			event Event
			want  Result
		}{
			{c.event(Started, "", "", 0), Recorded},
			{c.event(Started, "", "", 0), Duplicate},
			{c.event(Started, "", "", -time.Minute), Recorded}, // it was open earlier
			{c.event(Joined, "ann", "c1", 0), Recorded},
			{c.event(Joined, "ann", "c1", 0), Duplicate},
			{c.event(Joined, "bob", "c1", 0), Recorded}, // the platform contradicts itself: both are kept
			{c.event(Joined, "ann", "c1", time.Second), Recorded},
			{c.event(Left, "ann", "c1", time.Minute), Recorded},
			{c.event(Left, "bob", "c1", time.Minute), Duplicate}, // a leave is the connection's, whoever it names
			{bound, Recorded},
			{bound, Duplicate},
			{reversed, Duplicate}, // the same tie
			{c.event(Registered, "ann", "", 0), Recorded},
			{c.event(Registered, "ann", "", time.Hour), Duplicate},
			{c.event(Replayed, "ann", "", 0), Recorded},
			{c.event(Replayed, "ann", "", 0), Duplicate},
			{total(20), Recorded},
			{total(10), Duplicate}, // a smaller one tells nothing new
			{total(30), Recorded},
			{staff, StaffSeen},
			{c.event(Ended, "", "", 40*time.Minute), Recorded},
			{c.event(Ended, "", "", 40*time.Minute), Duplicate},
			{c.event(Ended, "", "", 35*time.Minute), Duplicate},
		} {
			if got := record(t, s, "live", row.event); got[0] != row.want {
				t.Errorf("%d, %s: %s", i, row.event.Kind, got[0])
			}
			if found := drifts(t, s); found != "" {
				t.Errorf("%d, %s: %s", i, row.event.Kind, found)
			}
		}
		if f := figures(t, s, "talk"); f.Reported.Watch != 30*time.Minute || *f.Registered != 1 || *f.Replayed != 1 || *f.Unique != 1 {
			t.Errorf("%+v", f)
		}
	})
}

// A server that has lost its scripts, after a restart or a failover, is given them again, and nothing is lost.
func TestLostScripts(t *testing.T) {
	t.Parallel()
	server, err := redistest.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	rdb := server.Client()
	t.Cleanup(func() { _ = rdb.Close() })
	s, c := newStore(t, rdb, "", hourLong("talk", in("live", "room")))
	for i := range 3 {
		if got := record(t, s, "live", c.event(Joined, fmt.Sprint(i), fmt.Sprint(i), 0)); got[0] != Recorded {
			t.Errorf("%d: %s", i, got[0])
		}
		if err := rdb.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if n := *figures(t, s, "talk").Unique; n != 3 {
		t.Errorf("%d people", n)
	}
}

// A batch costs one command, and one more for its names, in one round trip, whatever it holds.
func TestRecordingTakesFewCommands(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, shared redis.UniversalClient, prefix string) {
		rdb, count := redistest.Counted(t, shared)
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("live", "room")))
		first := c.event(Joined, "first", "first", 0)
		record(t, s, "live", first) // the sessions and the claim are read, the script is there
		for _, row := range []struct {
			name            string
			events          []Event
			commands, trips int64
		}{
			{"a join", []Event{c.event(Joined, "ann", "c1", 0)}, 1, 1},
			{"a named join", []Event{c.called("Yasmine Delorme", "y")}, 2, 1},
			{"again", []Event{first}, 1, 1},
			{"a hundred", repeated(c, 100), 1, 1},
		} {
			commands, trips := count.Commands.Load(), count.Trips.Load()
			record(t, s, "live", row.events...)
			commands, trips = count.Commands.Load()-commands, count.Trips.Load()-trips
			if commands > row.commands+1 || trips > row.trips+1 { // the sessions may be read anew at any time
				t.Errorf("%s: %d commands in %d round trips", row.name, commands, trips)
			}
		}
	})
}

func repeated(c *clock, n int) []Event {
	events := make([]Event, n)
	for i := range events {
		events[i] = c.event(Joined, fmt.Sprint("one of many ", i), fmt.Sprint("m", i), 0)
	}
	return events
}
