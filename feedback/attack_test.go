package feedback

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestConditionsTellNothing: seven people all say yes, which is hidden; so must be how many were asked what only they are.
func TestConditionsTellNothing(t *testing.T) {
	t.Parallel()
	survey := &Survey{ID: "c", Title: words("C"), Sections: []Section{
		{Questions: []Question{{ID: "ill", Kind: YesNo, Label: words("Ill?")}}},
		{ShowIf: &Condition{Question: "ill", Is: []string{Yes}}, Questions: []Question{{ID: "how", Kind: Scale, Min: 1, Max: 2, Label: words("How?")}}},
	}}
	if problems := survey.Validate(); len(problems) > 0 {
		t.Fatal(problems)
	}
	each(t, func(t *testing.T, s *Store) {
		answer := func(n int, ill, segment string) {
			t.Helper()
			for i := range n {
				said := Answers{"ill": {ill}}
				if ill == Yes {
					said["how"] = Value{fmt.Sprint(1 + i%2)}
				}
				mustSubmit(t, s, Submission{Session: "law", Survey: survey, Segment: segment, Answers: said})
			}
		}
		begin := func(from, n int, ill string, seen ...string) {
			t.Helper()
			for i := range n {
				d := Draft{Form: url.Values{"q.ill": {ill}}, Page: "2", Seen: append([]string{"1"}, seen...)}
				if err := s.SaveDraft(t.Context(), "law", fmt.Sprint("form ", from+i), survey, d); err != nil {
					t.Fatal(err)
				}
			}
		}
		shown := func() (questions, progress bool) {
			t.Helper()
			r, err := s.Results(t.Context(), "law", survey, []string{"a", "b"}, k)
			if err != nil {
				t.Fatal(err)
			}
			p, err := s.Progress(t.Context(), "law", survey, k)
			if err != nil {
				t.Fatal(err)
			}
			return r.Questions[1].N != nil, p[1].Seen != nil
		}
		answer(7, Yes, "")
		begin(0, 7, Yes, "2")
		if questions, progress := shown(); questions || progress {
			t.Errorf("all said yes: the other question is shown: %v, its progress: %v", questions, progress)
		}
		answer(10, No, "")
		begin(7, 7, No)
		if questions, progress := shown(); !questions || !progress {
			t.Errorf("some said no: the other question is shown: %v, its progress: %v", questions, progress)
		}
		answer(7, Yes, "a")
		answer(7, Yes, "b")
		answer(7, No, "b")
		r, err := s.Results(t.Context(), "law", survey, []string{"a", "b"}, k)
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
			sub := submission(Answers{"rating": {"2"}})
			sub.Key = key
			receipt = mustSubmit(t, s, sub)
		}
		return receipt
	}
	deleted, changed := twice("form:a"), twice("form:b")
	if err := s.Delete(t.Context(), "law", deleted); err != nil {
		t.Fatal(err)
	}
	if err := s.Change(t.Context(), "law", changed, asked(), Answers{"rating": {"9"}}, "fr"); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	s, _ = ahead(t, dir, &now)
	if row, err := s.Get(t.Context(), "law", deleted); !errors.Is(err, ErrDeleted) {
		t.Errorf("the deleted answer is back: %v, %v", row.Answers, err)
	}
	if row, err := s.Get(t.Context(), "law", changed); err != nil || row.Answers["rating"].String() != "9" {
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
		for _, r := range tallied.results("law", asks(), segments, k).Segments {
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
