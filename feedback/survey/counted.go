package survey

import "slices"

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

// Bins are what answers are shown in, from the lowest, and how many values each stands for: one, of a number a range of
// them, "10-19", with what is left in the last.
func (q Question) Bins() (bins []string, width int) { return q.kind().bins(q) }

// Silence says whether who says nothing to a question has said something, too: it counts among those who answered.
func (q Question) Silence() bool { return q.kind().traits().silence }

// Favourable is how many of the highest values are the good ones, whose share sets groups side by side; 0: none does.
func (q Question) Favourable() int { return q.kind().traits().favourable }

// Summary is what figure sums a question up, beside how many picked each value.
type Summary string

// The summaries; most kinds have none.
const (
	Average  Summary = "average"  // the mean, and the share of the two highest values
	Middle   Summary = "middle"   // the mean and the median
	NetScore Summary = "netscore" // the net promoter score
)

// Summary is how the question's answers are summed up; "": not.
func (q Question) Summary() Summary { return q.kind().traits().summary }
