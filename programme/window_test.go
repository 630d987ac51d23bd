package programme

import (
	"testing"
	"time"
)

// The start of a session belongs to it, its end does not; of two that are as near, the later one is nearer, then the one of the greater id.
func TestNearer(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		a, b  Session
		after time.Duration
		want  string
	}{
		{"at the end of one, where the other begins", from(0, "a"), from(time.Hour, "b"), time.Hour, "b"},
		{"a moment before", from(0, "a"), from(time.Hour, "b"), time.Hour - time.Millisecond, "a"},
		{"at the end of one, as far as from the start of the other", from(0, "a"), from(time.Hour+time.Millisecond, "b"), time.Hour, "b"},
		{"in both", from(0, "b"), from(30*time.Minute, "a"), 45 * time.Minute, "a"},
		{"at the same time", from(0, "a"), from(0, "b"), 0, "b"},
	} {
		at := planned.Add(row.after).UnixMilli()
		for _, pair := range [][2]plan{{row.a.plan(), row.b.plan()}, {row.b.plan(), row.a.plan()}} {
			if got := pair[0]; nearer(pair[0], pair[1], at) < 0 && got.ID != row.want || nearer(pair[0], pair[1], at) >= 0 && pair[1].ID != row.want {
				t.Errorf("%s: not %s", row.name, row.want)
			}
		}
	}
	if d := from(0, "a").plan().distance(planned.Add(time.Hour).UnixMilli()); d != 1 {
		t.Errorf("the end is %d ms away", d)
	}
}

// A window is an hour before and after, or as the session says.
func TestWindow(t *testing.T) {
	t.Parallel()
	half := Span(30 * time.Minute)
	for name, row := range map[string]struct {
		window        *Window
		before, after time.Duration
	}{
		"none": {nil, time.Hour, time.Hour}, "both": {within(Session{}, 0, 2*time.Hour).Window, 0, 2 * time.Hour},
		"before": {&Window{Before: &half}, 30 * time.Minute, time.Hour}, "after": {&Window{After: &half}, time.Hour, 30 * time.Minute},
	} {
		s := hourLong("talk")
		s.Window = row.window
		if before, after := s.StartsAt.Sub(s.Opens()), s.Closes().Sub(s.EndsAt); before != row.before || after != row.after {
			t.Errorf("%s: %s before, %s after", name, before, after)
		}
		for at, has := range map[time.Time]bool{s.Opens(): true, s.Closes(): true, s.Opens().Add(-time.Millisecond): false, s.Closes().Add(time.Millisecond): false} {
			if s.plan().has(at.UnixMilli()) != has {
				t.Errorf("%s: at %s", name, at)
			}
		}
	}
}
