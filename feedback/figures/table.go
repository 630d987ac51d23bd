package figures

import "strconv"

// Table is what a spreadsheet shows. A cell is a string, an int, a float64, a bool, or nil for what is hidden or not known.
type Table struct {
	Header []string
	Rows   [][]any
}

// Table is a line per question and value, of everybody (whose segment is empty) and of each segment; what is hidden is nil.
func (r Results) Table() Table {
	t := Table{Header: []string{"segment", "question", "kind", "n", "value", "count", "share", "share_low", "share_high", "suppressed"}}
	t.add("", r.Questions)
	for _, segment := range r.Segments {
		t.add(segment.ID, segment.Questions)
	}
	return t
}

func (t *Table) add(segment string, questions []QuestionResult) {
	for _, q := range questions {
		for _, choice := range q.Choices {
			row := []any{segment, q.ID, string(q.Kind), known(q.N), Number(choice.Value), known(choice.Count), nil, nil, nil, q.Suppressed}
			if choice.Share != nil {
				row[6], row[7], row[8] = choice.Share.Value, choice.Share.Low, choice.Share.High
			}
			t.Rows = append(t.Rows, row)
		}
	}
}

// scope is a question of a segment; an empty segment is everybody, an empty question the segment itself.
type scope struct{ segment, question string }

// Hidden is what may not be seen, of a segment or of everybody.
type Hidden map[scope]bool

// Has says whether a question of a segment is hidden; an empty segment is everybody, an empty question the segment itself.
func (h Hidden) Has(segment, question string) bool { return h[scope{segment, question}] }

// HiddenIn lists what results hide. With the values of a "now" question beside those of its "before" question, what
// changed could be counted: where that is hidden, the "now" question is.
func HiddenIn(r Results) Hidden {
	hidden := Hidden{}
	add := func(segment string, questions []QuestionResult, pairs []PairResult) {
		for _, q := range questions {
			hidden[scope{segment, q.ID}] = q.Suppressed
		}
		for _, p := range pairs {
			hidden[scope{segment, p.Now}] = p.Suppressed || hidden[scope{segment, p.Now}]
		}
	}
	add("", r.Questions, r.Pairs)
	for _, segment := range r.Segments {
		hidden[scope{segment.ID, ""}] = segment.Suppressed
		add(segment.ID, segment.Questions, segment.Pairs)
	}
	return hidden
}

// Number is a value as a spreadsheet should take it: a number if that is how it is written.
func Number(value string) any {
	if n, err := strconv.Atoi(value); err == nil && strconv.Itoa(n) == value {
		return n
	}
	return value
}

// known is what a pointer leads to, or nil.
func known(n *int) any {
	if n == nil {
		return nil
	}
	return *n
}
