package marks

import "testing"

// plannedStart is when the sessions of the tests begin, in ms.
const plannedStart = int64(1_587_654_000_000)

// of it, all that they cover.
func TestLiveTime(t *testing.T) {
	t.Parallel()
	const m = int64(60_000)
	occurrence := func(room string, start, stop int64) *occurrenceMarks {
		o := &occurrenceMarks{room: room, start: plannedStart + start*m, stops: map[int64]bool{}}
		if stop != 0 {
			o.stops[plannedStart+stop*m] = true
		}
		return o
	}
	for _, row := range []struct {
		name string
		of   map[string]*occurrenceMarks
		want int64 // minutes
	}{
		{"a rehearsal before", map[string]*occurrenceMarks{"a": occurrence("r", -20, 25)}, 25},
		{"a rehearsal of its own", map[string]*occurrenceMarks{"a": occurrence("r", -20, -5), "b": occurrence("r", 5, 20)}, 15},
		{"a long goodbye", map[string]*occurrenceMarks{"a": occurrence("r", 50, 90)}, 10},
		{"from before to beyond", map[string]*occurrenceMarks{"a": occurrence("r", -20, 90)}, 60},
		{"only before", map[string]*occurrenceMarks{"a": occurrence("r", -20, -5)}, 15},
		{"only afterwards", map[string]*occurrenceMarks{"a": occurrence("r", 60, 75)}, 15},
		{"none", nil, 0},
		{"one that ended", map[string]*occurrenceMarks{"a": occurrence("r", 0, 20)}, 20},
		{"one that goes on", map[string]*occurrenceMarks{"a": occurrence("r", 5, 0)}, 25},
		{"a break", map[string]*occurrenceMarks{"a": occurrence("r", 0, 10), "b": occurrence("r", 15, 25)}, 20},
		{"two rooms at once", map[string]*occurrenceMarks{"a": occurrence("r", 0, 10), "b": occurrence("s", 5, 20)}, 20},
		{"one within another", map[string]*occurrenceMarks{"a": occurrence("r", 0, 20), "b": occurrence("s", 5, 10)}, 20},
		{"superseded", map[string]*occurrenceMarks{"a": occurrence("r", 0, 0), "b": occurrence("r", 10, 20)}, 20},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			set := NewSet()
			if row.of != nil {
				set.occurrences = row.of
			}
			set.last = set.latest()
			if got := set.liveTime(plannedStart, plannedStart+60*m, plannedStart+30*m); got != row.want*m {
				t.Errorf("%d ms, not %d minutes", got, row.want)
			}
		})
	}
}
