package feedback

import (
	"fmt"
	"math"
	"testing"
)

// The worked examples of the published definitions, to the digits that are shown.
func TestWilson(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		x, n int
		want string
	}{
		"17 of 28": {17, 28, "60.7 (42.4–76.4)"},
		"5 of 5":   {5, 5, "100.0 (56.6–100.0)"},
		"0 of 12":  {0, 12, "0.0 (0.0–24.2)"},
		"1 of 1":   {1, 1, "100.0 (20.7–100.0)"},
		// Newcombe 1998, table I, method 3.
		"81 of 263": {81, 263, "30.8 (25.5–36.6)"},
		"15 of 148": {15, 148, "10.1 (6.2–16.0)"},
		"1 of 29":   {1, 29, "3.4 (0.6–17.2)"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := wilson(test.x, test.n)
			if got := fmt.Sprintf("%.1f (%.1f–%.1f)", 100*s.Value, 100*s.Low, 100*s.High); got != test.want {
				t.Errorf("%s, not %s", got, test.want)
			}
			if s.Low < 0 || s.High > 1 || s.Low > s.Value || s.High < s.Value {
				t.Errorf("%+v is no interval", s)
			}
		})
	}
}

func TestNPS(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		byValue []int
		want    string
	}{
		"14 promoters, 8 passives, 6 detractors": {[]int{1, 0, 0, 2, 0, 1, 2, 5, 3, 6, 8}, "+28.6 ± 29.5 of 14, 8, 6"},
		"all alike":                              {[]int{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3}, "+100.0 ± 0.0 of 3, 0, 0"},
		"torn":                                   {[]int{2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}, "+0.0 ± 98.0 of 2, 0, 2"},
		"6 is a detractor":                       {[]int{0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}, "-100.0 ± 0.0 of 0, 0, 1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := npsOf(test.byValue)
			if got := fmt.Sprintf("%+.1f ± %.1f of %d, %d, %d", r.Value, r.Margin, r.Promoters, r.Passives, r.Detractors); got != test.want {
				t.Errorf("%s, not %s", got, test.want)
			}
		})
	}
}

func TestMean(t *testing.T) {
	t.Parallel()
	if got := *meanOf(1, []int{1, 0, 2, 0, 1}); math.Abs(got-3) > 1e-12 {
		t.Errorf("the mean of 1, 3, 3, 5 is %v", got)
	}
}
