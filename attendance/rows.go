package attendance

import (
	"context"
	"maps"
	"slices"
	"time"
)

// Rows returns one row per person, by first join; persons with a total and no visit come last.
func (s *reader) Rows(ctx context.Context, id string) ([]Row, error) {
	session, err := s.programme.Session(ctx, id)
	if err != nil {
		return nil, err
	}
	m, err := s.marks.Read(ctx, id)
	if err != nil {
		return nil, err
	}
	return m.Rows(session.StartsAt.UnixMilli(), session.EndsAt.UnixMilli(), s.now().UnixMilli()), nil
}

// Stayed says whether the person whom a source calls attendee, by an id or an e-mail address, has completed the session, as far as it has
// gone by now: a stay of at least five minutes, and 85 % of its live time. known is false for a person who was not seen in it.
func (s *reader) Stayed(ctx context.Context, id, source, attendee string) (completed, known bool, err error) {
	session, err := s.programme.Session(ctx, id)
	if err != nil {
		return false, false, err
	}
	m, who, err := s.marks.Person(ctx, id, s.seal.pseudonymsOf(id, source, attendee)...)
	if err != nil || who == "" {
		return false, false, err
	}
	for _, r := range m.Rows(session.StartsAt.UnixMilli(), session.EndsAt.UnixMilli(), s.now().UnixMilli()) {
		if r.Attendee == who {
			return r.Completed, true, nil
		}
	}
	return false, false, nil
}

// Curve returns present at each step, by event time, from the first event to the end or the moment of the figures; empty before
// the first event. A step is at least a second.
func (s *reader) Curve(ctx context.Context, f Figures, step time.Duration) ([]Point, error) {
	seen, err := s.marks.Look(ctx, f.Session.ID)
	if err != nil || len(seen[0].Curve) == 0 {
		return nil, err
	}
	return points(seen[0].Curve, max(int64(step/time.Second), 1), curveEnd(f)), nil
}

// curveEnd is the last moment of a session's curve: its end, or that of the figures.
func curveEnd(f Figures) time.Time {
	if f.State == Over && !f.EndedAt.IsZero() {
		return f.EndedAt
	}
	if f.LastEventAt.After(f.AsOf) {
		return f.LastEventAt
	}
	return f.AsOf
}

// points samples the curve at every step from its first second until end, the last change included.
func points(deltas map[int64]int64, step int64, end time.Time) []Point {
	seconds := slices.Sorted(maps.Keys(deltas))
	present, i := int64(0), 0
	var out []Point
	for at := seconds[0]; ; at += step {
		last := at >= end.Unix()
		if last {
			at = max(end.Unix(), seconds[0])
		}
		for i < len(seconds) && seconds[i] <= at {
			present += deltas[seconds[i]]
			i++
		}
		out = append(out, Point{At: time.Unix(at, 0).UTC(), Present: int(present)})
		if last {
			return out
		}
	}
}
