package feedback

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"jauge/feedback/figures"
	"jauge/feedback/survey"

	"github.com/google/go-cmp/cmp"
)

func mustRows(t *testing.T, s *Store, survey *survey.Survey, segments ...string) figures.Table {
	t.Helper()
	table, err := open(s, "law", survey, k, segments...).Rows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// lines writes rows in an order of their own.
func lines(table figures.Table) []string {
	var lines []string
	for _, row := range table.Rows {
		lines = append(lines, fmt.Sprintf("%v", row))
	}
	slices.Sort(lines)
	return lines
}

func TestRows(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		for i := range 2 * k {
			a := survey.Answers{"before": {fmt.Sprint(1 + i%5)}, "rating": {fmt.Sprint(i)}, "one": {"a"}, "many": {"x", "z"}, "comment": {fmt.Sprintf("mot %d", i)}}
			if i < k {
				delete(a, "before")
			}
			mustSubmit(t, s, sending{Session: "law", Survey: asked(), Submission: Submission{Lang: "fr", Answers: a}})
		}
		mustModerate(t, s, mustTexts(t, s)["mot 7"].ID, Approve)
		mustModerate(t, s, mustTexts(t, s)["mot 8"].ID, Hide)
		got := mustRows(t, s, asked())
		if diff := cmp.Diff([]string{"segment", "before", "rating", "one", "many", "agree", "now", "recommend", "comment"}, got.Header); diff != "" {
			t.Error(diff)
		}
		var want []string
		for i := range 2 * k {
			row := []any{"", any(1 + i%5), i, "a", "x|z", nil, nil, nil, nil}
			if i < k {
				row[1] = nil
			}
			if i == 7 {
				row[8] = "mot 7"
			}
			want = append(want, fmt.Sprintf("%v", row))
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, lines(got)); diff != "" {
			t.Error(diff)
		}
		for range 5 { // 10! orders: five alike are none by chance
			if again := mustRows(t, s, asked()); !cmp.Equal(got.Rows, again.Rows) {
				return
			}
		}
		t.Error("the order of the rows is always the same")
	})
}

// What rows must not tell: too few of them, hidden segments, hidden questions, hidden pairs, other surveys.
func TestRowsHideWhatResultsHide(t *testing.T) {
	t.Parallel()
	yes, no := survey.Value{survey.Yes}, survey.Value{survey.No}
	type group struct {
		segment     string
		n           int
		before, now survey.Value
	}
	for name, test := range map[string]struct {
		groups []group
		want   map[string]int // nil: refused
	}{
		"one fewer than 2k": {[]group{{"", 2*k - 1, yes, no}}, nil},
		"a segment of four waits": {
			[]group{{"a", 6, yes, yes}, {"a", 6, no, no}, {"b", 4, yes, no}},
			map[string]int{"[a yes yes]": 6, "[a no no]": 6},
		},
		"shown segments have theirs": {
			[]group{{"a", 6, yes, yes}, {"a", 6, no, no}, {"b", 6, yes, no}, {"b", 6, no, yes}},
			map[string]int{"[a yes yes]": 6, "[a no no]": 6, "[b yes no]": 6, "[b no yes]": 6},
		},
		"a segment that nobody configured has none": {
			[]group{{"a", 6, yes, yes}, {"a", 6, no, no}, {"gone", 6, yes, no}, {"gone", 6, no, yes}},
			map[string]int{"[a yes yes]": 6, "[a no no]": 6, "[ yes no]": 6, "[ no yes]": 6},
		},
		"a question of four": {
			[]group{{"", 2, nil, yes}, {"", 2, nil, no}, {"", 5, yes, nil}, {"", 5, no, nil}},
			map[string]int{"[ <nil> <nil>]": 4, "[ yes <nil>]": 5, "[ no <nil>]": 5},
		},
		"a pair of four, of questions that many have answered": {
			[]group{{"", 2, yes, no}, {"", 2, no, yes}, {"", 5, yes, nil}, {"", 5, no, nil}, {"", 5, nil, yes}, {"", 5, nil, no}},
			map[string]int{"[ yes <nil>]": 7, "[ no <nil>]": 7, "[ <nil> <nil>]": 10},
		},
		"a question hidden in the segments alone": {
			[]group{{"a", 6, yes, nil}, {"a", 6, no, nil}, {"b", 6, yes, nil}, {"b", 6, no, nil}, {"a", 2, nil, yes}, {"a", 2, nil, no}, {"b", 5, nil, yes}, {"b", 5, nil, no}},
			map[string]int{"[a yes <nil>]": 6, "[a no <nil>]": 6, "[b yes <nil>]": 6, "[b no <nil>]": 6, "[a <nil> <nil>]": 4, "[b <nil> <nil>]": 10},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, s *Store) {
				other := asks()
				other.ID = "other"
				mustSubmit(t, s, sending{Session: "law", Survey: other, Submission: Submission{Answers: survey.Answers{"now": yes}}})
				for _, g := range test.groups {
					for range g.n {
						a := survey.Answers{"before": g.before, "now": g.now}
						for id, v := range a {
							if v == nil {
								delete(a, id)
							}
						}
						mustSubmit(t, s, sending{Session: "law", Survey: asks(), Submission: Submission{Segment: g.segment, Answers: a}})
					}
				}
				if test.want == nil {
					if table, err := open(s, "law", asks(), k).Rows(t.Context()); !errors.Is(err, ErrTooFew) || len(table.Rows) > 0 {
						t.Errorf("%v, %v", table, err)
					}
					return
				}
				got := map[string]int{}
				for _, line := range lines(mustRows(t, s, asks(), "a", "b")) {
					got[line]++
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestResultsTable(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		for i := range 12 {
			mustSubmit(t, s, sending{Session: "law", Survey: asks(), Submission: Submission{Segment: "a", Answers: survey.Answers{"before": {[]string{survey.Yes, survey.No}[i%2]}}}})
		}
		r, err := open(s, "law", asks(), k, []string{"a", "b"}...).Results(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		share := figures.Wilson(6, 12)
		want := [][]any{
			{"", "before", "yesno", 12, "no", 6, 0.5, share.Low, share.High, false}, {"", "before", "yesno", 12, "yes", 6, 0.5, share.Low, share.High, false},
			{"", "now", "yesno", nil, "no", nil, nil, nil, nil, true}, {"", "now", "yesno", nil, "yes", nil, nil, nil, nil, true},
			{"a", "before", "yesno", 12, "no", 6, 0.5, share.Low, share.High, false}, {"a", "before", "yesno", 12, "yes", 6, 0.5, share.Low, share.High, false},
			{"a", "now", "yesno", nil, "no", nil, nil, nil, nil, true}, {"a", "now", "yesno", nil, "yes", nil, nil, nil, nil, true},
			{"b", "before", "yesno", nil, "no", nil, nil, nil, nil, true}, {"b", "before", "yesno", nil, "yes", nil, nil, nil, nil, true},
			{"b", "now", "yesno", nil, "no", nil, nil, nil, nil, true}, {"b", "now", "yesno", nil, "yes", nil, nil, nil, nil, true},
		}
		if diff := cmp.Diff(want, r.Table().Rows); diff != "" {
			t.Error(diff)
		}
	})
}
