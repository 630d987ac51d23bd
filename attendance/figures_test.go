package attendance

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/attendance/marks"
	"jauge/internal/redistest"
	"jauge/programme"
)

// What counts say depends on what the platform can tell: what it cannot is not known, and never 0.
func TestFiguresByCapability(t *testing.T) {
	t.Parallel()
	s := New(nil, nil, Options{Now: func() time.Time { return planned.Add(30 * time.Minute) }, Capabilities: map[string]Capability{
		"totals": Totals, "joins": Joins, "declared": Declared,
	}})
	number := func(n *int) any {
		if n == nil {
			return nil
		}
		return *n
	}
	began := marks.Counts{"occurrences": 1, "live": 1, "started": planned.UnixMilli(), "last": planned.UnixMilli(), "base": planned.UnixMilli()}
	with := func(more marks.Counts) marks.Counts {
		c := marks.Counts{}
		for _, from := range []marks.Counts{began, more} {
			for name, n := range from {
				c[name] = n
			}
		}
		return c
	}
	measured := marks.Counts{"measured": 3, "unique": 3, "present": 2, "connections": 2, "peak": 3, "peak_at": planned.Unix(), "watch": 60_000}
	reported := marks.Counts{"reported": 4, "unique": 4, "reported_watch": 240_000, "filled": 240_000}
	both := marks.Counts{"measured": 3, "reported": 4, "unique": 5, "present": 2, "connections": 2, "peak": 3, "peak_at": planned.Unix(), "watch": 60_000, "reported_watch": 240_000, "filled": 120_000}
	for _, row := range []struct {
		name       string
		sources    []string
		counts     marks.Counts
		capability Capability
		present    any
		peak       any
		unique     any
		provenance Provenance
		watch      time.Duration
	}{
		{"live, nothing yet", []string{"live"}, began, Live, 0, 0, 0, FromMarks, 0},
		{"live", []string{"live"}, with(measured), Live, 2, 3, 3, FromMarks, time.Minute + 2*30*time.Minute},
		{"live, with totals of others", []string{"live"}, with(both), Live, 2, 3, 5, FromMarks, 3*time.Minute + 2*30*time.Minute},
		{"joins, nothing yet", []string{"joins"}, began, Joins, nil, nil, 0, FromMarks, 0},
		{"totals, nothing yet", []string{"totals"}, began, Totals, nil, nil, nil, FromMarks, 0},
		{"totals", []string{"totals"}, with(reported), Totals, nil, nil, 4, FromPlatform, 4 * time.Minute},
		{"totals, and a beacon", []string{"totals"}, with(measured), Live, 2, 3, 3, FromMarks, time.Minute + 2*30*time.Minute},
		{"totals that have the word, and a beacon", []string{"totals"}, with(both), Live, 2, 3, 4, FromPlatform, 4 * time.Minute},
		{"declared", []string{"declared"}, began, Declared, nil, nil, nil, FromMarks, 0},
		{"no room at all", nil, began, Declared, nil, nil, nil, FromMarks, 0},
		{"the best of several", []string{"declared", "totals", "live", "joins"}, began, Live, 0, 0, 0, FromMarks, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			session := hourLong("talk")
			for _, source := range row.sources {
				session.Rooms = append(session.Rooms, in(source, "room"))
			}
			f := s.figures(session, row.counts, nil, s.now())
			got := []any{f.Capability, number(f.Present), number(f.Peak), number(f.Unique), f.Provenance, f.Watch}
			if diff := cmp.Diff([]any{row.capability, row.present, row.peak, row.unique, row.provenance, row.watch}, got); diff != "" {
				t.Error(diff)
			}
			if (f.Present == nil) != (f.Connections == nil) || f.Registered != nil || f.Replayed != nil || f.Declared != nil || f.NoShowRate != nil {
				t.Errorf("%+v", f)
			}
			if (f.PeakAt == nil) != (f.Peak == nil || *f.Peak == 0) {
				t.Errorf("peak at %v", f.PeakAt)
			}
		})
	}
}

// Where a session stands goes by what was seen and by the clock.
func TestStates(t *testing.T) {
	t.Parallel()
	const m = time.Minute
	at := func(after time.Duration) int64 { return planned.Add(after).UnixMilli() }
	s := New(nil, nil, Options{})
	for _, row := range []struct {
		name   string
		counts marks.Counts
		now    time.Duration
		state  State
		ended  time.Duration // -1: not
	}{
		{"before", marks.Counts{}, -m, Scheduled, -1},
		{"late, and nothing was seen", marks.Counts{}, 89 * m, Scheduled, -1},
		{"never seen", marks.Counts{}, 90 * m, Over, -1},
		{"open", marks.Counts{"occurrences": 1, "live": 1, "last": at(0)}, 10 * m, InSession, -1},
		{"open early", marks.Counts{"occurrences": 1, "live": 1, "last": at(-30 * m)}, -20 * m, InSession, -1},
		{"a rehearsal that has ended", marks.Counts{"occurrences": 1, "ended": at(-40 * m), "last": at(-40 * m)}, -m, Scheduled, -1},
		{"a rehearsal, when the session should have begun", marks.Counts{"occurrences": 1, "ended": at(-40 * m), "last": at(-40 * m)}, 0, Over, -40 * m},
		{"ended", marks.Counts{"occurrences": 1, "ended": at(50 * m), "last": at(50 * m)}, 55 * m, Over, 50 * m},
		{"silent for long", marks.Counts{"occurrences": 1, "live": 1, "last": at(70 * m)}, 100 * m, Over, 100 * m},
		{"one silent, another one ended later", marks.Counts{"occurrences": 2, "live": 1, "ended": at(110 * m), "last": at(70 * m)}, 120 * m, Over, 110 * m},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := s.figures(hourLong("talk", in("live", "room")), row.counts, nil, planned.Add(row.now))
			ended := time.Duration(-1)
			if !f.EndedAt.IsZero() {
				ended = f.EndedAt.Sub(planned)
			}
			if f.State != row.state || ended != row.ended || f.StartedAt.IsZero() != (row.counts["occurrences"] == 0) || !f.AsOf.Equal(planned.Add(row.now)) {
				t.Errorf("%s, ended %s; %+v", f.State, ended, f)
			}
		})
	}
}

// The rate is of those who were expected, whatever is known of them; before anybody could come, it is not 0.
func TestAttendanceRate(t *testing.T) {
	t.Parallel()
	s := New(nil, nil, Options{Capabilities: map[string]Capability{"totals": Totals, "declared": Declared}})
	began := marks.Counts{"occurrences": 1, "live": 1, "started": planned.UnixMilli(), "last": planned.UnixMilli()}
	with := func(more marks.Counts) marks.Counts { maps.Copy(more, began); return more }
	for _, row := range []struct {
		name    string
		source  string
		invited int
		counts  marks.Counts
		after   time.Duration // the planned start
		want    float64       // -1: not known
	}{
		{"of the invited", "live", 10, with(marks.Counts{"unique": 6, "registered": 8}), time.Minute, 0.6},
		{"of the registered", "live", 0, with(marks.Counts{"unique": 6, "registered": 8}), time.Minute, 0.75},
		{"more than were invited", "live", 4, with(marks.Counts{"unique": 6}), time.Minute, 1.5},
		{"nobody came", "live", 4, with(marks.Counts{}), time.Minute, 0},
		{"neither invited nor registered", "live", 0, with(marks.Counts{"unique": 6}), time.Minute, -1},
		{"before the start", "live", 10, marks.Counts{"registered": 8}, -time.Minute, -1},
		{"totals are awaited", "totals", 10, with(marks.Counts{"registered": 8}), time.Hour, -1},
		{"totals have come", "totals", 10, with(marks.Counts{"unique": 3, "reported": 3}), time.Hour, 0.3},
		{"nobody is counted", "declared", 10, with(marks.Counts{}), time.Minute, -1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			session := hourLong("talk", in(row.source, "room"))
			session.Invited = row.invited
			got := -1.0
			if f := s.figures(session, row.counts, nil, planned.Add(row.after)); f.AttendanceRate != nil {
				got = *f.AttendanceRate
			}
			if got != row.want {
				t.Errorf("%v, want %v", got, row.want)
			}
		})
	}
}

// How many people came at least: those with an id that lasts, and the names of the others, who are somebody if they have none.
func TestUniqueLow(t *testing.T) {
	t.Parallel()
	s := New(nil, nil, Options{Capabilities: map[string]Capability{"totals": Totals, "joins": Joins}})
	for _, row := range []struct {
		name    string
		source  string
		counts  marks.Counts
		low     int // -1: not known
		leaving int // -1: not known
	}{
		{"nobody", "live", marks.Counts{}, 0, 0},
		{"everybody has an id", "live", marks.Counts{"unique": 5, "known": 5}, 5, 0},
		{"guests who came again", "live", marks.Counts{"unique": 9, "known": 2, "names": 3}, 5, 0},
		{"guests of no name", "live", marks.Counts{"unique": 4}, 1, 0},
		{"a platform without leaves", "joins", marks.Counts{"unique": 4, "known": 1, "names": 1, "leaving": 2}, 2, -1},
		{"leaves without joins", "live", marks.Counts{"unique": 4, "known": 4, "leaving": 2}, 4, 2},
		{"totals, awaited", "totals", marks.Counts{"registered": 4}, -1, -1},
		{"totals, beside nameless pages", "totals", marks.Counts{"unique": 9, "measured": 5, "known": 4, "reported": 4}, 4, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := s.figures(hourLong("talk", in(row.source, "room")), row.counts, nil, planned)
			number := func(n *int) int {
				if n == nil {
					return -1
				}
				return *n
			}
			if low, leaving := number(f.UniqueLow), number(f.SeenLeavingOnly); low != row.low || leaving != row.leaving {
				t.Errorf("at least %d, %d only leaving; want %d and %d", low, leaving, row.low, row.leaving)
			}
		})
	}
}

// Mean and median are of those who attended, not of those who looked in.
func TestSummaryOfStays(t *testing.T) {
	t.Parallel()
	const m = time.Minute
	for _, row := range []struct {
		name         string
		stays        []time.Duration
		attended     int
		mean, median time.Duration
	}{
		{"nobody", nil, 0, 0, 0},
		{"nobody for long", []time.Duration{m, 4 * m}, 0, 0, 0},
		{"one", []time.Duration{7 * m, m}, 1, 7 * m, 7 * m},
		{"an odd number", []time.Duration{60 * m, 6 * m, m, 9 * m}, 3, 25 * m, 9 * m},
		{"an even number", []time.Duration{50 * m, 10 * m, 20 * m, 40 * m, 4*m + 59*time.Second}, 4, 30 * m, 30 * m},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var rows []Row
			for _, stay := range row.stays {
				rows = append(rows, Row{Watch: stay, WatchLow: stay, Attended: stay >= 5*m})
			}
			sum := summarise(rows, false)
			if sum.Attended != row.attended || sum.StayMean != row.mean || sum.StayMedian != row.median {
				t.Errorf("%+v", *sum)
			}
		})
	}
}

func TestUnseen(t *testing.T) {
	t.Parallel()
	s := New(nil, nil, Options{Now: func() time.Time { return planned }})
	f := s.Unseen(hourLong("talk", in("live", "room")))
	if f.State != Scheduled || *f.Present != 0 || *f.Unique != 0 || f.PeakAt != nil || !f.StartedAt.IsZero() || !f.LastEventAt.IsZero() || f.Session.ID != "talk" {
		t.Errorf("%+v", f)
	}
}

// A curve is sampled from its first second to its end, the last moment included whatever the step.
func TestPoints(t *testing.T) {
	t.Parallel()
	deltas := map[int64]int64{100: 1, 103: 2, 107: -3}
	for _, row := range []struct {
		name      string
		step, end int64
		want      string
	}{
		{"every second", 1, 108, "100:1 101:1 102:1 103:3 104:3 105:3 106:3 107:0 108:0"},
		{"every four", 4, 108, "100:1 104:3 108:0"},
		{"a step that does not meet the end", 5, 108, "100:1 105:3 108:0"},
		{"a step beyond the end", 60, 108, "100:1 108:0"},
		{"an end within", 1, 102, "100:1 101:1 102:1"},
		{"an end at the first second", 1, 100, "100:1"},
		{"an end before anything", 1, 50, "100:1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := ""
			for _, p := range points(deltas, row.step, time.Unix(row.end, 0)) {
				got += fmt.Sprintf(" %d:%d", p.At.Unix(), p.Present)
			}
			if diff := cmp.Diff(" "+row.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A curve ends when its session did, or at the moment of the figures, or at an event that is ahead of that.
func TestCurveOfASession(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("live", "room")))
		last := func() (time.Duration, int) {
			t.Helper()
			got, err := s.Curve(t.Context(), figures(t, s, "talk"), 0)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) == 0 {
				return -1, 0
			}
			p := got[len(got)-1]
			if n := int(p.At.Sub(got[0].At)/time.Second) + 1; n != len(got) { // no step is less than a second
				t.Errorf("%d points of %d seconds", len(got), n)
			}
			return p.At.Sub(planned), p.Present
		}
		if at, n := last(); at != -1 || n != 0 {
			t.Errorf("before the first event: %s, %d", at, n)
		}
		record(t, s, "live", c.event(Joined, "ann", "1", 0), c.event(Joined, "bob", "2", 10*time.Second))
		for _, row := range []struct {
			now, at time.Duration
			present int
		}{{5 * time.Second, 10 * time.Second, 2}, {20 * time.Second, 20 * time.Second, 2}, {2 * time.Hour, 90 * time.Minute, 2}} {
			c.set(planned.Add(row.now))
			if at, n := last(); at != row.at || n != row.present {
				t.Errorf("at %s: until %s, %d present", row.now, at, n)
			}
		}
		record(t, s, "live", c.event(Ended, "", "", time.Minute))
		if at, n := last(); at != time.Minute || n != 0 {
			t.Errorf("ended: until %s, %d present", at, n)
		}
	})
}

// What the store cannot have written is an error, not a figure.
func TestSpoiltDataIsAnError(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		ctx := t.Context()
		first, c := eventful(t, rdb, prefix)
		session, err := first.programme.Session(ctx, "talk")
		if err != nil {
			t.Fatal(err)
		}
		readers := map[string]func(*Store) error{
			"figures": func(s *Store) error { _, err := s.Figures(ctx, session); return err },
			"status":  func(s *Store) error { _, err := s.Status(ctx, session); return err },
			"live":    func(s *Store) error { _, err := s.Live(ctx, session); return err },
			"scrape":  func(s *Store) error { _, err := s.Scrape(ctx); return err },
			"rows":    func(s *Store) error { _, err := s.Rows(ctx, "talk"); return err },
			"verify":  func(s *Store) error { _, err := s.Verify(ctx, "talk"); return err },
			"repair":  func(s *Store) error { return s.Repair(ctx, "talk") },
			"curve": func(s *Store) error {
				_, err := s.Curve(ctx, Figures{Session: session, AsOf: planned}, time.Second)
				return err
			},
			"stayed": func(s *Store) error { _, _, err := s.Stayed(ctx, "talk", "live", "ann"); return err },
			"end":    func(s *Store) error { return s.End(ctx, "talk") },
		}
		// Each store has read nothing yet.
		read := func(name string) error {
			return readers[name](opened(rdb, Options{Prefix: prefix, Key: []byte(strings.Repeat("k", 32)), Now: c.now, Patience: redistest.Patience}))
		}
		k := first.marks.Keys()
		ann := first.seal.pseudonym("talk", first.seal.optional("person", "live", "ann"))
		counted := []string{"figures", "status", "live", "scrape", "curve", "rows", "stayed", "verify", "repair", "end"}
		for _, row := range []struct {
			key, field, value string
			by                []string
		}{
			{k.Counts("talk"), "", "many", counted},
			{k.Counts("talk"), "", strings.Repeat("many ", len(marks.CountNames)), counted},
			{k.Occurrences("talk"), "x", "room|", counted},
			{k.Occurrences("talk"), "x", "room||1,2,3", counted},
			{k.Occurrences("talk"), "x", "room||1,noon,,,0", counted},
			{k.Occurrences("talk"), "x", "room|noon|1,2,,,0", counted},
			{k.Connections("talk"), "x", "ann;77;c1", []string{"rows", "verify", "repair"}},
			{k.Connections("talk"), "x", "ann;1", []string{"rows", "verify", "repair"}},
			{k.People("talk"), ann, "?", []string{"rows", "verify", "repair", "stayed"}},
			{k.People("talk"), ann, "77.c1>5", []string{"rows", "verify", "stayed"}},
			{k.People("talk"), ann, "1.c1>noon", []string{"rows", "verify", "stayed"}},
			{k.People("talk"), ann, ";;one=many", []string{"rows", "verify", "stayed"}},
			{k.People("talk"), ann, ";;;;", []string{"rows", "verify", "stayed"}},
			{k.Labels("talk"), "1", "1|2|3", []string{"verify"}},
			{k.Guests("talk"), "x", "many", []string{"verify"}},
			{k.Log("talk"), "", "1:one+;", []string{"figures", "curve", "verify"}},
			{k.Log("talk"), "", "1:1", []string{"figures", "curve", "verify"}},
			{k.Log("talk"), "", "1;", []string{"figures", "curve", "verify"}},
		} {
			var put func(value string)
			right := rdb.HGet(ctx, row.key, row.field).Val()
			if put = func(value string) { rdb.HSet(ctx, row.key, row.field, value) }; row.field == "" {
				right = rdb.Get(ctx, row.key).Val()
				put = func(value string) { rdb.Set(ctx, row.key, value, 0) }
			}
			put(row.value)
			for _, name := range row.by {
				if err := read(name); err == nil || errors.Is(err, programme.ErrNotFound) {
					t.Errorf("%s of %s %s = %q: %v", name, row.key, row.field, row.value, err)
				}
			}
			if rdb.HDel(ctx, row.key, row.field); right != "" {
				put(right)
			}
		}
		for name := range readers {
			if err := read(name); err != nil {
				t.Errorf("%s, when all was put back: %v", name, err)
			}
		}
	})
}
