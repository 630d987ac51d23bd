package feedback

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Row is one answer as it is kept. It has no attendee and no exact time, so that who answered and what was answered
// stay apart.
type Row struct {
	Survey  string    `json:"survey"`
	Version string    `json:"version"`
	Segment string    `json:"segment,omitempty"`
	Lang    string    `json:"lang,omitempty"`
	At      time.Time `json:"at"` // of the first submission, UTC, truncated to the hour
	Answers Answers   `json:"answers"`
	Cells   []string  `json:"cells"` // the tallies that it counts in
}

// cell is one tally of a session: how many people of a segment gave one value to a question. Its key is a field of the
// tally hash. Everything shown is derived from cells; there are no sums to keep.
//
// A row carries the keys of its cells, so that what was added is what is taken back, whatever became of the survey since.
type cell struct {
	survey   string
	segment  string // "": the whole session
	question string // "": the respondents
	shape    string // Question.shape, or pairShape
	value    string // "": everybody who answered the question
}

func (c cell) key() string {
	return strings.Join([]string{c.survey, c.segment, c.question, c.shape, c.value}, "|")
}

// The values of a pair's cells.
const (
	up   = "up"
	same = "same"
	down = "down"
)

// pairShape is the shape of the cells of a "now" question's pair: which question it is compared with, and on what scale.
func (q Question) pairShape() string { return "pair:" + q.Pair + ":" + q.shape() }

// cells lists the keys of the tallies that answers count in, for the whole session and for the segment.
func cells(s *Survey, segment string, answers Answers) []string {
	counted := []cell{{}}
	for _, q := range s.All() {
		v, ok := answers[q.ID]
		if !ok {
			continue
		}
		counted = append(counted, cell{question: q.ID, shape: q.shape()})
		if q.Kind != FreeText {
			for _, pick := range v {
				counted = append(counted, cell{question: q.ID, shape: q.shape(), value: pick})
			}
		}
		if before, ok := answers[q.Pair]; ok {
			counted = append(counted, cell{question: q.ID, shape: q.pairShape(), value: q.moved(before, v)})
		}
	}
	var keys []string
	for _, c := range counted {
		c.survey = s.ID
		keys = append(keys, c.key())
		if segment != "" {
			c.segment = segment
			keys = append(keys, c.key())
		}
	}
	return keys
}

// moved compares a question's answer with that to its "before" question, by their places among the values.
func (q Question) moved(before, now Value) string {
	values := q.Values()
	switch b, n := slices.Index(values, before.String()), slices.Index(values, now.String()); {
	case n > b:
		return up
	case n < b:
		return down
	}
	return same
}

// stored is a row with its revision, as one field of the rows hash holds it: "3 {…}", and "4 " once deleted. The revision
// stands outside the JSON so that the script can tell a repetition by comparing strings.
type stored struct {
	revision int
	row      string // "" once deleted
}

func parseStored(field string) stored {
	revision, row, _ := strings.Cut(field, " ")
	n, _ := strconv.Atoi(revision) // written by apply.lua alone
	return stored{revision: n, row: row}
}
