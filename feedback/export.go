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

// Rows is a row per answer to the survey, as For returned it, in random order: its segment, then a column per question,
// several values in one cell apart by a bar. No time, language or receipt is in it. Whatever Results hides of these
// segments cannot be worked out from it: a segment that is hidden has no name, a question that is hidden is empty in all
// rows, or in those of the segment; so is the "now" question of a pair that is hidden. Of texts only those that are approved
// are in it. It returns ErrTooFew when fewer than 2 × minimumGroup have answered, and ErrMinors for what minors were asked, whatever
// they are called now.
func (s *Store) Rows(ctx context.Context, session string, survey *survey.Survey, segments []string, minimumGroup int) (figures.Table, error) {
	results, err := s.Results(ctx, session, survey, segments, minimumGroup)
	if err != nil {
		return figures.Table{}, err
	}
	promise, _, err := s.Promise(ctx, session)
	if err != nil {
		return figures.Table{}, err
	}
	if promise.Minors {
		return figures.Table{}, ErrMinors
	}
	minimumGroup = max(minimumGroup, promise.MinimumGroup)
	rows, err := s.Published(ctx, session, minimumGroup)
	if err != nil {
		return figures.Table{}, err
	}
	texts, err := s.approved(ctx, session, survey, minimumGroup)
	if err != nil {
		return figures.Table{}, err
	}
	hidden := figures.HiddenIn(results)
	t := figures.Table{Header: []string{"segment"}}
	for _, q := range survey.All() {
		t.Header = append(t.Header, q.ID)
	}
	for hash, row := range rows {
		if row.Survey != survey.ID {
			continue
		}
		segment := row.Segment
		if !slices.Contains(segments, segment) || hidden.Has(segment, "") {
			segment = ""
		}
		cells := []any{segment}
		for _, q := range survey.All() {
			said, ok := row.answerTo(survey, q)
			switch {
			case !ok || hidden.Has("", q.ID) || hidden.Has(segment, q.ID):
				cells = append(cells, nil)
			case q.IsText():
				cells = append(cells, texts[s.textID(session, hash, q.ID, said.String())])
			default:
				cells = append(cells, figures.Number(strings.Join(said, "|")))
			}
		}
		t.Rows = append(t.Rows, cells)
	}
	if len(t.Rows) < 2*minimumGroup {
		return figures.Table{}, ErrTooFew
	}
	rand.Shuffle(len(t.Rows), func(i, j int) { t.Rows[i], t.Rows[j] = t.Rows[j], t.Rows[i] }) //nolint:gosec // nobody gains by guessing it
	return t, nil
}

// approved gives the approved texts by id, nil for every other.
func (s *Store) approved(ctx context.Context, session string, survey *survey.Survey, minimumGroup int) (map[string]any, error) {
	texts, err := s.Texts(ctx, session, survey, minimumGroup)
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
