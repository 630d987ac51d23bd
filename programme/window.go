package programme

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"jauge/internal/problem"
)

// Window is what of a session's rooms is the session's: from so long before its planned start until so long after its planned end.
type Window struct {
	Before *Span `yaml:"before,omitempty" json:"before,omitempty"` // nil: defaultSpan
	After  *Span `yaml:"after,omitempty" json:"after,omitempty"`
}

// Span is a duration, written as Go writes it: 90m, 1h30m.
type Span time.Duration

// defaultSpan is how far a window reaches where a session does not say it; longestSpan how far it may.
const (
	defaultSpan = Span(time.Hour)
	longestSpan = Span(30 * 24 * time.Hour)
)

// MarshalText implements encoding.TextMarshaler.
func (s Span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration such as 90m or 1h30m", text)
	}
	*s = Span(d)
	return nil
}

// validate lists every mistake of a window; nil is none.
func (w *Window) validate() (ps problem.Problems) {
	if w == nil {
		return nil
	}
	for name, span := range map[string]*Span{"window.before": w.Before, "window.after": w.After} {
		if span != nil && (*span < 0 || *span > longestSpan) {
			ps = append(ps, problem.Problem{Path: name, Message: "must be from 0s to 720h"})
		}
	}
	return ps
}

// Opens is when the session's window begins. What happens in its rooms before is not the session's.
func (s Session) Opens() time.Time {
	span := defaultSpan
	if s.Window != nil && s.Window.Before != nil {
		span = *s.Window.Before
	}
	return s.StartsAt.Add(-time.Duration(span))
}

// Closes is the last moment of the session's window.
func (s Session) Closes() time.Time {
	span := defaultSpan
	if s.Window != nil && s.Window.After != nil {
		span = *s.Window.After
	}
	return s.EndsAt.Add(time.Duration(span))
}

// SamePlace says whether two definitions of a session claim the same: the same rooms, at the same times.
func (s Session) SamePlace(o Session) bool {
	return slices.Equal(s.Rooms, o.Rooms) && s.plan() == o.plan()
}

// plan is when a session takes place, in milliseconds.
type plan struct {
	ID     string `json:"i"`
	Starts int64  `json:"b"`
	Ends   int64  `json:"e"`
	Opens  int64  `json:"o"`
	Closes int64  `json:"c"`
	Hit    bool   `json:"h,omitempty"` // a mark of the occurrence lies in the window
}

func (s Session) plan() plan {
	return plan{ID: s.ID, Starts: s.StartsAt.UnixMilli(), Ends: s.EndsAt.UnixMilli(), Opens: s.Opens().UnixMilli(), Closes: s.Closes().UnixMilli()}
}

// has says whether a moment lies in the window.
func (p plan) has(at int64) bool { return p.Opens <= at && at <= p.Closes }

// distance is how far a moment is from the planned time, to which the start belongs and the end does not.
func (p plan) distance(at int64) int64 {
	switch {
	case at < p.Starts:
		return p.Starts - at
	case at >= p.Ends:
		return at - p.Ends + 1
	}
	return 0
}

// nearer compares how near two sessions are to a moment; negative: the first one is. Of two that are as near, it is the one that begins
// later, then the one of the greater id: no two sessions are equal.
func nearer(a, b plan, at int64) int {
	return cmp.Or(cmp.Compare(a.distance(at), b.distance(at)), cmp.Compare(b.Starts, a.Starts), cmp.Compare(b.ID, a.ID))
}
