package lookup

import (
	"testing"
	"time"

	"jauge/attendance"
	"jauge/programme"
)

// start is the moment of the tests.
var start = time.Date(2020, 4, 30, 18, 0, 0, 0, time.FixedZone("", 2*60*60))

// TestAnObjectSaysOfWhenItIs, unless it is of now.
func TestAnObjectSaysOfWhenItIs(t *testing.T) {
	t.Parallel()
	at := start.Add(10 * time.Minute)
	st := Status{Status: attendance.Status{Figures: attendance.Figures{Session: programme.Session{StartsAt: start}, AsOf: at}}}
	for age, want := range map[time.Duration]bool{0: false, 999 * time.Millisecond: false, time.Second: true, time.Hour: true} {
		got := st.Object(at.Add(age)).Attendance.AsOf
		if (got != nil) != want || want && !got.Equal(at) {
			t.Errorf("%s old: %v", age, got)
		}
	}
}
