package figures

import (
	"encoding/json"
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
			s := Wilson(test.x, test.n)
			if got := fmt.Sprintf("%.1f (%.1f–%.1f)", 100*s.Value, 100*s.Low, 100*s.High); got != test.want {
				t.Errorf("%s, not %s", got, test.want)
			}
			if s.Low < 0 || s.High > 1 || s.Low > s.Value || s.High < s.Value {
				t.Errorf("%+v is no interval", s)
			}
		})
	}
}

// Whatever two counts that were made apart say, a share is one: it goes into JSON, and nowhere beyond 0 and 1.
func TestASharePassesNoBound(t *testing.T) {
	t.Parallel()
	for x := -2; x < 40; x++ {
		for n := -2; n < 30; n++ {
			s := Wilson(x, n)
			if !(0 <= s.Low && s.Low <= s.Value && s.Value <= s.High && s.High <= 1) { // also of a NaN
				t.Errorf("%d of %d: %+v", x, n, s)
			}
		}
	}
	empty := Results{Stay: []SegmentResult{{Respondents: new(int)}, {Respondents: new(int)}}}.WithAttended(3, 5)
	if text, err := json.Marshal(empty); err != nil || empty.NonResponse != nil || empty.ResponseRate.Value != 0 {
		t.Errorf("%s, %v", text, err)
	}
}

// Newcombe 1998 (Statistics in Medicine 17, 873–890), table II, method 10.
func TestDifference(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		x1, n1, x2, n2 int
		want           string
	}{
		"a": {56, 70, 48, 80, "+0.0524 +0.3339"},
		"b": {9, 10, 3, 10, "+0.1705 +0.8090"},
		"c": {6, 7, 2, 7, "+0.0582 +0.8062"},
		"d": {5, 56, 0, 29, "-0.0381 +0.1926"},
		"e": {0, 10, 0, 20, "-0.1611 +0.2775"},
		"f": {0, 10, 0, 10, "-0.2775 +0.2775"},
		"g": {10, 10, 0, 20, "+0.6791 +1.0000"},
		"h": {10, 10, 0, 10, "+0.6075 +1.0000"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := Difference(test.x1, test.n1, test.x2, test.n2)
			if got := fmt.Sprintf("%+.4f %+.4f", d.Low, d.High); got != test.want {
				t.Errorf("%s, not %s", got, test.want)
			}
			if want := float64(test.x1)/float64(test.n1) - float64(test.x2)/float64(test.n2); d.Value != want {
				t.Errorf("%v, not %v", d.Value, want)
			}
		})
	}
}

func TestMcNemar(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		up, down int
		want     string
	}{
		"the published example": {9, 2, "0.0654297"}, // 2 (1 + 11 + 55) / 2^11
		"the other way round":   {2, 9, "0.0654297"},
		"all one way":           {6, 0, "0.0312500"}, // 2 / 2^6
		"one person":            {1, 0, "1.0000000"},
		"as many up as down":    {4, 4, "1.0000000"},
		"nobody changed":        {0, 0, "1.0000000"},
		"a sign test of eight":  {7, 1, "0.0703125"}, // 2 (1 + 8) / 2^8
		// Agresti 2002, table 10.1: approval of the prime minister, 150 against 86: z = -4.17, so p is small.
		"many": {150, 86, "0.0000372"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := fmt.Sprintf("%.7f", mcnemar(test.up, test.down)); got != test.want {
				t.Errorf("%s, not %s", got, test.want)
			}
		})
	}
}

// What gonum's binomial says is held against the sum of its definition.
func TestMcNemarIsTheBinomialSum(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 40; n++ {
		for down := 0; 2*down < n; down++ {
			sum, choose := 0.0, 1.0
			for i := 0; i <= down; i++ {
				sum += choose
				choose = choose * float64(n-i) / float64(i+1)
			}
			want := math.Min(1, 2*sum/math.Pow(2, float64(n)))
			if got := mcnemar(n-down, down); math.Abs(got-want) > 1e-12 {
				t.Errorf("%d of %d: %v, not %v", down, n, got, want)
			}
		}
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
