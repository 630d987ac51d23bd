package attendance

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/attendance/marks"
	"jauge/internal/redistest"
)

func status(t *testing.T, s *Store, id string) Status {
	t.Helper()
	session, err := s.programme.Session(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.Status(t.Context(), session)
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

// keepLong lets what is kept of a session stand as that of a much larger one would.
func keepLong(s *Store, id string) {
	k, _ := s.statuses.get(id)
	k.until = time.Now().Add(time.Hour)
	s.statuses.put(id, k)
}

// TestAStatusIsOfOneMoment: of a large session that goes on, older figures stand beside each other and say of when they are; what
// is watched live is fresh, and so is everything once nobody is in.
func TestAStatusIsOfOneMoment(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("live", "room")))
		joins, leaves := make([]Event, largeFrom), make([]Event, largeFrom)
		for i := range joins {
			connection := fmt.Sprint("c", i)
			joins[i] = c.event(Joined, fmt.Sprint("p", i), connection, 0)
			leaves[i] = c.event(Left, "", connection, 10*time.Second)
		}
		c.set(planned.Add(5 * time.Second))
		record(t, s, "live", joins...)
		first := status(t, s, "talk")
		keepLong(s, "talk")

		c.set(planned.Add(8 * time.Second))
		record(t, s, "live", c.event(Joined, "late", "late", 7*time.Second))
		if diff := cmp.Diff(first, status(t, s, "talk")); diff != "" || !first.AsOf.Equal(planned.Add(5*time.Second)) {
			t.Errorf("ages are mixed, as of %s:\n%s", first.AsOf, diff)
		}
		session, _ := s.programme.Session(t.Context(), "talk")
		live, err := s.Live(t.Context(), session)
		if err != nil || *live.Present != largeFrom+1 || live.Summary != nil || !live.AsOf.Equal(planned.Add(8*time.Second)) {
			t.Errorf("live: %d present, %v, as of %s (%v)", *live.Present, live.Summary, live.AsOf, err)
		}

		c.set(planned.Add(time.Minute))
		record(t, s, "live", append(leaves, c.event(Left, "", "late", 10*time.Second))...)
		last := status(t, s, "talk")
		watch := largeFrom*10*time.Second + 3*time.Second
		if *last.Present != 0 || *last.Unique != largeFrom+1 || last.Watch != watch || last.Summary.Watch != watch || last.Summary.Attended != 0 {
			t.Errorf("when all have left: %d present, %d came, %s, %+v", *last.Present, *last.Unique, last.Watch, *last.Summary)
		}
	})
}

// TestAScrapeTakesASummaryThatIsThere, and computes none.
func TestAScrapeTakesASummaryThatIsThere(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("live", "room")))
		scraped := func() *Summary {
			t.Helper()
			all, err := s.Scrape(t.Context())
			if err != nil || len(all) != 1 {
				t.Fatalf("%d sessions, %v", len(all), err)
			}
			return all[0].Summary
		}
		record(t, s, "live", c.event(Joined, "ann", "c1", 0))
		c.set(planned.Add(10 * time.Minute))
		if got := scraped(); got != nil {
			t.Fatalf("computed for a scrape: %+v", *got)
		}
		if status(t, s, "talk"); scraped() == nil || scraped().Attended != 1 {
			t.Error("the summary of now is not shown")
		}
		record(t, s, "live", c.event(Joined, "bob", "c2", 10*time.Minute))
		c.set(planned.Add(10*time.Minute + 59*time.Second))
		if got := scraped(); got == nil || got.Attended != 1 {
			t.Errorf("the summary of the last minute is not shown: %v", got)
		}
		c.set(planned.Add(11 * time.Minute))
		if got := scraped(); got != nil {
			t.Errorf("an old summary is shown: %+v", *got)
		}
		c.set(planned.Add(time.Hour))
		status(t, s, "talk")
		record(t, s, "live", c.event(Ended, "", "", time.Hour))
		if got := scraped(); got != nil {
			t.Errorf("the end changed what is known, and the summary before it is shown: %+v", *got)
		}
		c.set(planned.Add(2 * time.Hour))
		status(t, s, "talk")
		c.set(planned.Add(24 * time.Hour))
		if got := scraped(); got == nil || got.Attended != 2 {
			t.Errorf("a session that is over keeps its summary: %v", got)
		}
		record(t, s, "live", c.event(Joined, "late", "c3", 5*time.Minute))
		if got := scraped(); got != nil {
			t.Errorf("a mark has come since: %+v", *got)
		}
	})
}

// TestAStatusIsComputedOnce for all who ask at the same time, and not again once nothing moves any more.
func TestAStatusIsComputedOnce(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("live", "room")))
		record(t, s, "live", c.event(Joined, "ann", "c1", 0), c.event(Left, "", "c1", time.Hour), c.event(Ended, "", "", time.Hour))
		c.set(planned.Add(2 * time.Hour))
		want := status(t, s, "talk")
		if want.Summary.Completed != 1 || want.State != Over {
			t.Fatalf("%s, %+v", want.State, *want.Summary)
		}
		if err := rdb.Del(t.Context(), s.marks.Keys().People("talk"), s.marks.Keys().Connections("talk")).Err(); err != nil { // whoever reads people now is wrong
			t.Fatal(err)
		}
		c.set(planned.Add(48 * time.Hour))
		want.AsOf = planned.Add(48 * time.Hour)
		var readers sync.WaitGroup
		for range 8 {
			readers.Go(func() {
				if diff := cmp.Diff(want, status(t, s, "talk")); diff != "" {
					t.Errorf("computed again:\n%s", diff)
				}
			})
		}
		readers.Wait()
	})
}

// TestNobodyWaitsLongForAStatus: where a computation takes its time, whoever watches sees the counts, and who asks for all of it the
// status before, with its age.
func TestNobodyWaitsLongForAStatus(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("live", "room")))
		session, err := s.programme.Session(t.Context(), "talk")
		if err != nil {
			t.Fatal(err)
		}
		live := func() Status {
			t.Helper()
			st, err := s.Live(t.Context(), session)
			if err != nil {
				t.Fatal(err)
			}
			return st
		}
		slow := func() (release func()) { // a computation begins, and does not end
			until := make(chan struct{})
			done := s.statuses.computing.DoChan("talk", func() (any, error) { <-until; return keptStatus{}, nil })
			s.patience = time.Millisecond
			return func() {
				close(until)
				<-done
				s.patience = redistest.Patience
			}
		}

		record(t, s, "live", c.event(Joined, "ann", "c1", 0))
		c.set(planned.Add(10 * time.Minute))
		release := slow()
		for what, st := range map[string]Status{"status": status(t, s, "talk"), "live": live()} {
			if st.Summary != nil || *st.Present != 1 {
				t.Errorf("the first %s: %d present, %+v", what, *st.Present, st.Summary)
			}
		}
		release()
		first := status(t, s, "talk")
		if first.Summary == nil || first.Summary.Attended != 1 {
			t.Fatalf("computed: %+v", first.Summary)
		}

		record(t, s, "live", c.event(Joined, "bob", "c2", 10*time.Minute))
		c.set(planned.Add(20 * time.Minute))
		release = slow()
		if st := live(); *st.Present != 2 || st.Summary != nil {
			t.Errorf("live: %d present, %+v", *st.Present, st.Summary)
		}
		if diff := cmp.Diff(first, status(t, s, "talk")); diff != "" {
			t.Errorf("not the status before:\n%s", diff)
		}
		release()
		for what, st := range map[string]Status{"status": status(t, s, "talk"), "live": live()} {
			if *st.Present != 2 || st.Summary == nil || st.Summary.Attended != 2 {
				t.Errorf("the last %s: %d present, %+v", what, *st.Present, st.Summary)
			}
		}
	})
}

// TestShortSessionsContradictNothing: where all of it is no attendance, nobody has completed it.
func TestShortSessionsContradictNothing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		open, stay time.Duration
		want       Summary
	}{
		"a rehearsal of a minute":      {time.Minute, time.Minute, Summary{}},
		"under five minutes of 5:30":   {330 * time.Second, 290 * time.Second, Summary{}},
		"nearly all of 5:30":           {330 * time.Second, 310 * time.Second, Summary{Attended: 1, Completed: 1, StayMean: 310 * time.Second, StayMedian: 310 * time.Second}},
		"attended, and left too early": {time.Hour, 10 * time.Minute, Summary{Attended: 1, StayMean: 10 * time.Minute, StayMedian: 10 * time.Minute}},
		"opened and closed at once":    {0, 0, Summary{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rdb, prefix := redistest.Embedded()
			s, c := newStore(t, rdb, prefix, hourLong("talk", in("live", "room")))
			record(t, s, "live", c.event(Started, "", "", 0), c.event(Joined, "ann", "c1", 0), c.event(Left, "", "c1", tt.stay), c.event(Ended, "", "", tt.open))
			c.set(planned.Add(2 * time.Hour))
			got := status(t, s, "talk").Summary
			tt.want.Watch, tt.want.WatchLow = tt.stay, tt.stay
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A status that is settled is still computed anew when something new is known: a late mark, another plan, a repair; what a host has
// typed stands beside it at once.
func TestASettledStatusFollowsWhatIsNew(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("live", "room")))
		record(t, s, "live", c.event(Joined, "ann", "c1", 0), c.event(Joined, "bob", "c2", 0), c.event(Ended, "", "", time.Hour))
		c.set(planned.Add(2 * time.Hour))
		if got := summary(t, s, "talk"); got.Watch != 2*time.Hour || got.Completed != 2 {
			t.Fatalf("%+v", got)
		}
		record(t, s, "live", c.event(Left, "", "c2", 10*time.Minute))
		if got, want := summary(t, s, "talk"), (Summary{Attended: 2, Completed: 1, StayMean: 35 * time.Minute, StayMedian: 35 * time.Minute, Watch: 70 * time.Minute, WatchLow: 10 * time.Minute}); got != want {
			t.Errorf("after a late leave: %+v", got)
		}
		if err := s.Declare(t.Context(), "talk", 12); err != nil {
			t.Fatal(err)
		}
		if st := status(t, s, "talk"); st.Declared == nil || *st.Declared != 12 {
			t.Error("what a host typed is not there")
		}
		moved := hourLong("talk", in("live", "room"))
		moved.Invited, moved.EndsAt = 40, planned.Add(2*time.Hour)
		if err := define(t.Context(), s, moved); err != nil {
			t.Fatal(err)
		}
		if st := status(t, s, "talk"); st.Session.Invited != 40 || !st.Session.EndsAt.Equal(moved.EndsAt) {
			t.Errorf("of the plan before: %+v", st.Session)
		}
	})
}

// Where the clock closes a session, another planned end is another status.
func TestAStatusFollowsThePlan(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		plan := hourLong("talk", in("live", "room"))
		s, c := newStore(t, rdb, prefix, plan)
		record(t, s, "live", c.event(Joined, "ann", "c1", 0))
		c.set(planned.Add(5 * time.Hour))
		for _, hours := range []int{1, 2, 1} {
			plan.EndsAt = planned.Add(time.Duration(hours) * time.Hour)
			if err := define(t.Context(), s, plan); err != nil {
				t.Fatal(err)
			}
			st, want := status(t, s, "talk"), time.Duration(hours)*time.Hour+marks.CloseAfter
			if st.State != Over || !st.EndedAt.Equal(planned.Add(want)) || st.Watch != want || st.Summary.Watch != want {
				t.Errorf("planned for %d hours: %s, ended %s, watched %s, %+v", hours, st.State, st.EndedAt, st.Watch, *st.Summary)
			}
		}
	})
}

// Where a platform of totals has spoken, the summary is of its totals alone; before that, of what was measured.
func TestTheSummaryOfTotals(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("totals", "room")))
		if st := status(t, s, "talk"); st.Summary != nil {
			t.Errorf("nothing is known, and said is %+v", *st.Summary)
		}
		if err := s.Arrive(t.Context(), "talk", "tab"); err != nil {
			t.Fatal(err)
		}
		c.set(planned.Add(10 * time.Minute))
		if got := summary(t, s, "talk"); got.Attended != 1 || got.Watch != 10*time.Minute {
			t.Errorf("measured: %+v", got)
		}
		for who, stayed := range map[string]time.Duration{"ann": 30 * time.Minute, "bob": 2 * time.Minute} {
			e := c.event(Attended, who, "", time.Hour)
			e.Total = stayed
			record(t, s, "totals", e)
		}
		if got, want := summary(t, s, "talk"), (Summary{Attended: 1, Completed: 1, StayMean: 30 * time.Minute, StayMedian: 30 * time.Minute, Watch: 32 * time.Minute, WatchLow: 32 * time.Minute}); got != want {
			t.Errorf("reported: %+v", got)
		}
	})
}

func TestInferredShare(t *testing.T) {
	t.Parallel()
	for want, s := range map[float64]Summary{0: {}, 0.25: {Watch: 4 * time.Hour, WatchLow: 3 * time.Hour}, 1: {Watch: time.Hour}} {
		if got := s.InferredShare(); got != want {
			t.Errorf("%+v: %f", s, got)
		}
	}
}
