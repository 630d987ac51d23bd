package feedback

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"

	"jauge/feedback/figures"
	"jauge/feedback/survey"
)

// The refusals of rows.
var (
	ErrTooFew = errors.New("fewer than twice the minimum group have answered") // each could be somebody whom the reader knows
	ErrMinors = errors.New("answers of minors are shown in groups only")
)

// Rows is a row per answer to the survey, in random order: its segment, then a column per question, several values in one cell
// apart by a bar. No time, language or receipt is in it. Whatever Results hides of the session's segments cannot be worked out
// from it: a segment that is hidden has no name, a question that is hidden is empty in all rows, or in those of the segment; so is
// the "now" question of a pair that is hidden. Of texts only those that are approved are in it. It returns ErrTooFew when fewer
// than twice the minimum group have answered, and ErrMinors for what minors were asked, whatever they are called now.
func (a *Asked) Rows(ctx context.Context) (figures.Table, error) {
	a, err := a.known(ctx)
	if err != nil {
		return figures.Table{}, err
	}
	if a.Promise.Minors {
		return figures.Table{}, ErrMinors
	}
	read, err := a.store.read(ctx, []*Asked{a})
	if err != nil {
		return figures.Table{}, err
	}
	rows, err := a.store.published(ctx, a.Session.ID)
	if err != nil {
		return figures.Table{}, err
	}
	texts, err := a.approved(ctx, rows)
	if err != nil {
		return figures.Table{}, err
	}
	t := figures.Table{Header: []string{"segment"}}
	questions := a.Survey.All()
	for _, q := range questions {
		t.Header = append(t.Header, q.ID)
	}
	hidden := figures.HiddenIn(a.results(read[0], a.segments()))
	for hash, row := range rows {
		if row.Survey == a.Survey.ID {
			t.Rows = append(t.Rows, a.cells(hash, row, questions, hidden, texts))
		}
	}
	if len(t.Rows) < 2*a.Promise.MinimumGroup {
		return figures.Table{}, ErrTooFew
	}
	rand.Shuffle(len(t.Rows), func(i, j int) { t.Rows[i], t.Rows[j] = t.Rows[j], t.Rows[i] }) //nolint:gosec // nobody gains by guessing it
	return t, nil
}

// cells writes one answer as a line of the table.
func (a *Asked) cells(hash string, row Row, questions []survey.Question, hidden figures.Hidden, texts map[string]any) []any {
	segment := row.Segment
	if !slices.Contains(a.segments(), segment) || hidden.Has(segment, "") {
		segment = ""
	}
	cells := []any{segment}
	for _, q := range questions {
		said, ok := row.answerTo(a.Survey, q)
		switch {
		case !ok || hidden.Has("", q.ID) || hidden.Has(segment, q.ID):
			cells = append(cells, nil)
		case q.IsText():
			cells = append(cells, texts[a.store.seal.textID(a.Session.ID, hash, q.ID, said.String())])
		default:
			cells = append(cells, figures.Number(strings.Join(said, "|")))
		}
	}
	return cells
}

// approved gives the approved texts by id, nil for every other.
func (a *Asked) approved(ctx context.Context, rows map[string]Row) (map[string]any, error) {
	texts, err := a.textsIn(ctx, rows)
	if err != nil {
		return nil, err
	}
	approved := map[string]any{}
	for _, t := range texts {
		if t.State == Approved {
			approved[t.ID] = t.Text
		}
	}
	return approved, nil
}
