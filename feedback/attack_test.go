package feedback

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"testing"

	"jauge/feedback/survey"

	"github.com/google/go-cmp/cmp"
)

// TestConditionsTellNothing: seven people all say yes, which is hidden; so must be how many were asked what only they are.
func TestConditionsTellNothing(t *testing.T) {
	t.Parallel()
	asks := &survey.Survey{ID: "c", Title: words("C"), Sections: []survey.Section{
		{Questions: []survey.Question{{ID: "ill", Kind: survey.YesNo, Label: words("Ill?")}}},
		{ShowIf: &survey.Condition{Question: "ill", Is: []string{survey.Yes}}, Questions: []survey.Question{{ID: "how", Kind: survey.Scale, Min: 1, Max: 2, Label: words("How?")}}},
	}}
	if problems := asks.Validate(); len(problems) > 0 {
		t.Fatal(problems)
	}
	each(t, func(t *testing.T, s *Store) {
		answer := func(n int, ill, segment string) {
			t.Helper()
			for i := range n {
				said := survey.Answers{"ill": {ill}}
				if ill == survey.Yes {
					said["how"] = survey.Value{fmt.Sprint(1 + i%2)}
				}
				mustSubmit(t, s, sending{Session: "law", Survey: asks, Submission: Submission{Segment: segment, Answers: said}})
			}
		}
		begin := func(from, n int, ill string, seen ...string) {
			t.Helper()
			for i := range n {
				d := Draft{Form: url.Values{"q.ill": {ill}}, Page: "2", Seen: append([]string{"1"}, seen...)}
				if err := open(s, "law", asks, 0).SaveDraft(t.Context(), fmt.Sprint("form ", from+i), asks, d); err != nil {
					t.Fatal(err)
				}
			}
		}
		shown := func() (questions, progress bool) {
			t.Helper()
			r, err := open(s, "law", asks, k, []string{"a", "b"}...).Results(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			p, err := open(s, "law", asks, k).Progress(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return r.Questions[1].N != nil, p[1].Seen != nil
		}
		answer(7, survey.Yes, "")
		begin(0, 7, survey.Yes, "2")
		if questions, progress := shown(); questions || progress {
			t.Errorf("all said yes: the other question is shown: %v, its progress: %v", questions, progress)
		}
		answer(10, survey.No, "")
		begin(7, 7, survey.No)
		if questions, progress := shown(); !questions || !progress {
			t.Errorf("some said no: the other question is shown: %v, its progress: %v", questions, progress)
		}
		answer(7, survey.Yes, "a")
		answer(7, survey.Yes, "b")
		answer(7, survey.No, "b")
		r, err := open(s, "law", asks, k, []string{"a", "b"}...).Results(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if r.Segments[0].Questions[1].N != nil || r.Segments[1].Questions[1].N != nil || r.Questions[1].N == nil {
			t.Errorf("what is hidden of a can be worked out: %+v", r.Segments)
		}
	})
}

// TestDoubleClicksOutlastARestart: what repeats an answer must not stand in the way of the change that follows it.
func TestDoubleClicksOutlastARestart(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), evening
	s, j := ahead(t, dir, &now)
	twice := func(key string) (receipt string) {
		t.Helper()
		for range 2 {
			sub := submission(survey.Answers{"rating": {"2"}})
			sub.Key = key
			receipt = mustSubmit(t, s, sub)
		}
		return receipt
	}
	deleted, changed := twice("form:a"), twice("form:b")
	if err := open(s, "law", asked(), 0).Delete(t.Context(), deleted); err != nil {
		t.Fatal(err)
	}
	if err := open(s, "law", asked(), 0).Change(t.Context(), changed, survey.Answers{"rating": {"9"}}, "fr"); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	s, _ = ahead(t, dir, &now)
	if row, err := open(s, "law", asked(), 0).Get(t.Context(), deleted); !errors.Is(err, ErrDeleted) {
		t.Errorf("the deleted answer is back: %v, %v", row.Answers, err)
	}
	if row, err := open(s, "law", asked(), 0).Get(t.Context(), changed); err != nil || row.Answers["rating"].String() != "9" {
		t.Errorf("the change is gone: %v, %v", row.Answers, err)
	}
}

// TestSegmentsAskedFor: whichever of its segments a session has now, what is shown of them is the same, so that two lists
// cannot be subtracted from each other.
func TestSegmentsAskedFor(t *testing.T) {
	t.Parallel()
	people := room{"a": "yyynnn", "b": "yyynnn", "c": "y"}
	tallied := people.tally(asks())
	of := func(segments ...string) map[string]*int {
		shown := map[string]*int{}
		for _, r := range tallied.Results("law", asks(), segments, k).Segments {
			shown[r.ID] = r.Questions[1].N
		}
		return shown
	}
	all := of("a", "b", "c")
	for _, segments := range [][]string{{"a"}, {"b"}, {"c"}, {"a", "b"}, {"b", "a"}, {"c", "a"}} {
		got := of(segments...)
		want := map[string]*int{}
		for id, n := range all {
			if slices.Contains(segments, id) {
				want[id] = n
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v: %s", segments, diff)
		}
	}
}
