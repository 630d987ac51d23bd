package organise

import (
	"math"
	"testing"
	"time"

	"jauge/attendance"
	"jauge/handlers/lookup"
	"jauge/handlers/page"
	"jauge/programme"
)

// start is the moment of the tests.
var start = time.Date(2020, 4, 30, 18, 0, 0, 0, time.FixedZone("", 2*60*60))

func french(t *testing.T) *page.Lang {
	t.Helper()
	langs, err := page.NewLangs()
	if err != nil {
		t.Fatal(err)
	}
	return langs.ByTag("fr")
}

func TestNiceTop(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{0: 2, 1: 2, 2: 2, 3: 4, 9: 10, 10: 10, 11: 20, 412: 600, 1001: 2000, 99_999: 100_000} {
		if got := niceTop(n); got != want {
			t.Errorf("%d: %d, not %d", n, got, want)
		}
	}
}

func TestDrawCurve(t *testing.T) {
	t.Parallel()
	fr := french(t)
	peak, peakAt := 3, start.Add(time.Minute)
	f := attendance.Figures{Session: programme.Session{StartsAt: start}, Peak: &peak, PeakAt: &peakAt, EndedAt: start.Add(4 * time.Minute)}
	points := []attendance.Point{{At: start.Add(-time.Minute).UTC(), Present: 1}, {At: peakAt, Present: 3}, {At: start.Add(4 * time.Minute), Present: 0}}
	c, err := drawCurve(fr, f, points)
	if err != nil {
		t.Fatal(err)
	}
	// 5 minutes are 636 wide, 4 heads are 206 high; a count holds until the next point.
	if want := "64,198.5 318.4,198.5 318.4,95.5 700,95.5 700,250"; c.Line != want {
		t.Errorf("line %s, not %s", c.Line, want)
	}
	if c.Peak == nil || c.Peak.X != 318.4 || c.Peak.Y != 95.5 || c.Peak.Text != "pic 3 à 18\u00a0h\u00a001" {
		t.Errorf("peak %+v", c.Peak)
	}
	if len(c.Flags) != 2 || c.Flags[0].X != 191.2 || c.Flags[1].X != 700 || len(c.Levels) != 3 || len(c.Ticks) != 6 {
		t.Errorf("flags %v, levels %v, ticks %v", c.Flags, c.Levels, c.Ticks)
	}
	if len(c.Rows) == 0 || c.Rows[0] != (curveRow{"17\u00a0h\u00a059", "1"}) {
		t.Errorf("rows %v", c.Rows)
	}
	if none, err := drawCurve(fr, f, nil); none != nil || err != nil {
		t.Errorf("nothing to draw: %v %v", none, err)
	}
}

// TestCurveOfAnyLength: whatever the span, the drawing stays within its frame, its table short, its ticks few.
func TestCurveOfAnyLength(t *testing.T) {
	t.Parallel()
	fr := french(t)
	for _, span := range []time.Duration{0, time.Second, time.Minute, 90 * time.Minute, 25 * time.Hour, 400 * time.Hour} {
		var points []attendance.Point
		for at := time.Duration(0); at <= span; at += lookup.NiceStep(span, 300) {
			points = append(points, attendance.Point{At: start.Add(at), Present: int(at.Minutes()) % 7})
		}
		c, err := drawCurve(fr, attendance.Figures{Session: programme.Session{StartsAt: start}}, points)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Ticks) == 0 || len(c.Ticks) > 7 || len(c.Rows) == 0 || len(c.Rows) > maxRows {
			t.Errorf("%v: %d ticks, %d rows", span, len(c.Ticks), len(c.Rows))
		}
		for _, tick := range c.Ticks {
			if math.IsNaN(tick.X) || tick.X < plotLeft || tick.X > plotRight {
				t.Errorf("%v: tick at %v", span, tick.X)
			}
		}
	}
}
