package figures

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// z is the 97.5 % point of the normal distribution: both tails outside it hold 5 %.
var z = distuv.UnitNormal.Quantile(0.975)

// Wilson is the share of x among n with its score interval at 95 %, which stays within 0 and 1 and holds for small
// n, where the textbook interval does not. Of nobody everything is possible; a part is never larger than the whole, also where
// the two were counted apart.
// Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
// Statistical Association 22 (1927), 209–212; R. G. Newcombe, Statistics in Medicine 17 (1998), 857–872, method 3.
func Wilson(x, n int) Share {
	if n <= 0 {
		return Share{High: 1}
	}
	x = min(max(x, 0), n)
	p, m := float64(x)/float64(n), float64(n)
	centre := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	s := Share{Value: p, Low: math.Max(0, centre-half), High: math.Min(1, centre+half)}
	// At the ends the interval closes exactly; floating point misses it by 1e-17.
	if x == 0 {
		s.Low = 0
	}
	if x == n {
		s.High = 1
	}
	return s
}

// Difference is the share of x1 among n1 less that of x2 among n2 (both n > 0), of two groups of different people, with its
// hybrid score interval at 95 %, each from -1 to 1.
// Source: R. G. Newcombe, "Interval estimation for the difference between independent proportions: comparison of eleven
// methods", Statistics in Medicine 17 (1998), 873–890, method 10.
func Difference(x1, n1, x2, n2 int) Share {
	a, b := Wilson(x1, n1), Wilson(x2, n2)
	d := a.Value - b.Value
	return Share{
		Value: d,
		Low:   d - math.Hypot(a.Value-a.Low, b.High-b.Value),
		High:  d + math.Hypot(a.High-a.Value, b.Value-b.Low),
	}
}

// mcnemar is the two-sided exact p-value of a change in which some people went up and others down: how likely a split at
// least as uneven is when both ways are equally likely. Who stayed the same says nothing of it. On a yes-no question it is
// the exact test of McNemar, on a scale the sign test.
// Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
// Psychometrika 12 (1947), 153–157; the exact form as in A. Agresti, Categorical Data Analysis (2002), section 10.1.4.
func mcnemar(up, down int) float64 {
	if up == down { // also of nobody, where there is no distribution
		return 1
	}
	tail := distuv.Binomial{N: float64(up + down), P: 0.5}.CDF(float64(min(up, down)))
	return math.Min(1, 2*tail)
}

// netMargin is half the width of the 95 % interval of (plus − minus) ÷ n, the difference of two shares of the same n > 0
// people: variance (p + d − (p − d)²) / n.
// Source: B. Rocks, "Interval estimation for the 'Net Promoter Score'", The American Statistician 70 (2016), 365–372.
func netMargin(plus, minus, n int) float64 {
	p, d := float64(plus)/float64(n), float64(minus)/float64(n)
	return z * math.Sqrt(math.Max(0, p+d-(p-d)*(p-d))/float64(n))
}

// npsOf is the net promoter score of counts by value, 0 to 10, with at least one: % of 9 and 10 less % of 0 to 6.
// Source: F. F. Reichheld, "The one number you need to grow", Harvard Business Review, December 2003.
func npsOf(byValue []int) *NPSResult {
	r := &NPSResult{Detractors: sum(byValue[:7]), Passives: sum(byValue[7:9]), Promoters: sum(byValue[9:])}
	n := r.Promoters + r.Passives + r.Detractors
	r.Value = 100 * float64(r.Promoters-r.Detractors) / float64(n)
	r.Margin = 100 * netMargin(r.Promoters, r.Detractors, n)
	return r
}

// meanOf is the mean of a scale that starts at low, from its counts by value, with at least one.
func meanOf(low int, byValue []int) *float64 {
	total := 0
	for i, c := range byValue {
		total += (low + i) * c
	}
	mean := float64(total) / float64(sum(byValue))
	return &mean
}

func sum(counts []int) int {
	total := 0
	for _, c := range counts {
		total += c
	}
	return total
}
