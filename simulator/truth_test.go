package simulator

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Worked by hand: the session ends at second 100.
func TestTruth(t *testing.T) {
	t.Parallel()
	at := func(seconds float64) time.Time { return planned.Add(time.Duration(seconds * float64(time.Second))) }
	peakAt := func(seconds float64) *time.Time { moment := at(seconds); return &moment }
	for _, tt := range []struct {
		name   string
		visits []visit
		want   Truth
	}{
		{"nobody", nil, Truth{}},
		{"one", []visit{{1, at(10), at(30)}}, Truth{Unique: new(1), Visits: 1, Peak: new(1), PeakAt: peakAt(10), WatchSeconds: new(20.0)}},
		{"two devices", []visit{{1, at(20), at(40)}, {1, at(10), at(30)}}, Truth{Unique: new(1), Visits: 2, Peak: new(1), PeakAt: peakAt(10), WatchSeconds: new(30.0)}},
		{"one device within the other", []visit{{1, at(10), at(40)}, {1, at(20), at(30)}}, Truth{Unique: new(1), Visits: 2, Peak: new(1), PeakAt: peakAt(10), WatchSeconds: new(30.0)}},
		{"a reconnect within a second", []visit{{1, at(10), at(20.2)}, {1, at(20.7), at(30)}}, Truth{Unique: new(1), Visits: 2, Peak: new(1), PeakAt: peakAt(10), WatchSeconds: new(19.5)}},
		{"a lost leave", []visit{{1, at(90), time.Time{}}}, Truth{Unique: new(1), Visits: 1, Peak: new(1), PeakAt: peakAt(90), WatchSeconds: new(10.0)}},
		{"a leave after the end", []visit{{1, at(90), at(200)}}, Truth{Unique: new(1), Visits: 1, Peak: new(1), PeakAt: peakAt(90), WatchSeconds: new(10.0)}},
		{"a join after the end", []visit{{1, at(101), at(102)}}, Truth{Unique: new(1), Visits: 1}},
		{"a leave stamped before the join", []visit{{1, at(10.4), at(10)}}, Truth{Unique: new(1), Visits: 1}},
		{"one leaves when the other comes", []visit{{1, at(10), at(20)}, {2, at(20), at(30)}}, Truth{Unique: new(2), Visits: 2, Peak: new(1), PeakAt: peakAt(10), WatchSeconds: new(20.0)}},
		{"the first of two peaks", []visit{{1, at(10), at(90)}, {2, at(20), at(30)}, {3, at(60), at(70)}}, Truth{Unique: new(3), Visits: 3, Peak: new(2), PeakAt: peakAt(20), WatchSeconds: new(100.0)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got Truth
			got.count(tt.visits, at(100))
			tt.want.Present, tt.want.Connections = new(0), new(0)
			if tt.want.Peak == nil {
				tt.want.Peak = new(0)
			}
			if tt.want.Unique == nil {
				tt.want.Unique = new(0)
			}
			if tt.want.WatchSeconds == nil {
				tt.want.WatchSeconds = new(0.0)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
