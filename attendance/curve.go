package attendance

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Curve returns present at each step, by event time, from the first event to the end or the moment of the figures; empty before
// the first event. A step is at least a second.
func (s *reader) Curve(ctx context.Context, f Figures, step time.Duration) ([]Point, error) {
	raw, err := s.rdb.HGetAll(ctx, s.keys.curve(f.Session.ID)).Result()
	if err != nil {
		return nil, fmt.Errorf("read curve: %w", err)
	}
	if len(raw) == 0 {
		return nil, nil
	}
	deltas, err := parseCurve(raw)
	if err != nil {
		return nil, err
	}
	return points(deltas, max(int64(step/time.Second), 1), curveEnd(f)), nil
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

func parseCurve(raw map[string]string) (map[int64]int64, error) {
	deltas := make(map[int64]int64, len(raw))
	for second, by := range raw {
		at, err := strconv.ParseInt(second, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("curve: %w", err)
		}
		if deltas[at], err = strconv.ParseInt(by, 10, 64); err != nil {
			return nil, fmt.Errorf("curve: %w", err)
		}
	}
	return deltas, nil
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
