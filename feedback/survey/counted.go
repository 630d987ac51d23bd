package survey

import (
	"fmt"
	"slices"
	"strconv"
)

// Whether a person stayed to the end.
const (
	Stayed = "stayed"
	Left   = "left"
)

// Stay says what the survey's own question about it tells, the last wave's before an earlier one's.
func (s *Survey) Stay(answers Answers) string {
	stay := ""
	for _, q := range s.All() {
		if v := answers[q.ID]; q.Stay && len(v) > 0 {
			stay = map[string]string{Yes: Stayed, No: Left}[v.String()]
		}
	}
	return stay
}

// Counted lists the values under which an answer counts: those that were picked, of a text none, and of a ranking each
// choice with its rank, "a:1".
func (q Question) Counted(v Value) []string { return q.kind().counted(q, v) }

// Moved compares a question's answer with that to its "before" question, by their places among the values.
func (q Question) Moved(before, now Value) string {
	values := q.Values()
	switch b, n := slices.Index(values, before.String()), slices.Index(values, now.String()); {
	case n > b:
		return Up
	case n < b:
		return Down
	}
	return Same
}

// The values of a pair's cells.
const (
	Up   = "up"
	Same = "same"
	Down = "down"
)

// PairShape is the shape of the cells of a "now" question's pair: which question it is compared with, and on what scale.
func (q Question) PairShape() string { return "pair:" + q.Pair + ":" + q.Shape() }

// maxBins is how many ranges the answers to a number are shown in.
const maxBins = 10

// BinWidth is how many numbers are in each range.
func (q Question) BinWidth() int { return (q.Max - q.Min + maxBins) / maxBins }

// Bins are the ranges of a number, from the lowest: "10-19", the last one up to the highest number.
func (q Question) Bins() []string {
	var bins []string
	for low := q.Min; low <= q.Max; low += q.BinWidth() {
		high := min(low+q.BinWidth()-1, q.Max)
		if low == high {
			bins = append(bins, strconv.Itoa(low))
			continue
		}
		bins = append(bins, fmt.Sprintf("%d-%d", low, high))
	}
	return bins
}
