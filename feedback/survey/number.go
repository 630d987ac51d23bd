package survey

import (
	"fmt"
	"strconv"
	"strings"
)

// Number is a whole number from Min to Max, of Unit.
const Number Kind = "number"

// maxBins is how many ranges the answers to a number are shown in.
const maxBins = 10

// maxSpan is the most that a number's Max may be above its Min.
const maxSpan = 1000

type number struct{ whole }

func (number) traits() traits {
	return traits{fields: []string{"min", "max", "unit", "pair"}, ordered: true, summary: Middle}
}

func (number) check(v *validator, at string, q Question) {
	if q.Min < 0 {
		v.add(at+".min", "%d is below 0", q.Min)
	}
	switch {
	case q.Max == 0:
		v.add(at+".max", "missing")
	case q.Max <= q.Min:
		v.add(at+".max", "%d is not above min %d", q.Max, q.Min)
	case q.Max-q.Min > maxSpan:
		v.add(at+".max", "%d is more than %d above min %d", q.Max, maxSpan, q.Min)
	}
}

// read takes digits, as people type them: with spaces around, or zeros before.
func (number) read(q Question, said []string) (Value, *FieldError) {
	digits := strings.TrimSpace(said[0])
	if digits == "" {
		return nil, nil
	}
	low, high := q.Ends()
	n, err := strconv.Atoi(digits)
	if err != nil || digits[0] == '+' || n < low || n > high {
		return nil, outside(q)
	}
	return Value{strconv.Itoa(n)}, nil
}

// bins are ranges of the same width, the last one up to the highest number.
func (number) bins(q Question) (bins []string, width int) {
	lowest, highest := q.Ends()
	width = (highest - lowest + maxBins) / maxBins
	for low := lowest; low <= highest; low += width {
		high := min(low+width-1, highest)
		if low == high {
			bins = append(bins, strconv.Itoa(low))
			continue
		}
		bins = append(bins, fmt.Sprintf("%d-%d", low, high))
	}
	return bins, width
}
