package feedback

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"jauge/feedback/figures"
	"jauge/feedback/survey"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestCellsOfKinds(t *testing.T) {
	t.Parallel()
	s := every()
	version := "every|||version:" + s.Version() + "|"
	best, pace := (survey.Question{Kind: survey.Ranking, Choices: offer("talk", "film", "quiz", "tour")}).Shape(), (survey.Question{Kind: survey.Single, Choices: offer("slow", "fast")}).Shape()
	for name, test := range map[string]struct {
		answers survey.Answers
		want    []string // without the survey
	}{
		"number":  {survey.Answers{"age@after": {"17"}}, []string{"|age@after|number10-99|", "|age@after|number10-99|17"}},
		"consent": {survey.Answers{"agree@before": {survey.Yes}}, []string{"|agree@before|consent|", "|agree@before|consent|yes"}},
		"texts":   {survey.Answers{"why@after": {"x"}, "comment@later": {"y"}}, []string{"|why@after|short|", "|comment@later|text|"}},
		"matrix":  {survey.Answers{"pace.quiz@after": {"slow"}}, []string{"|pace.quiz@after|" + pace + "|", "|pace.quiz@after|" + pace + "|slow"}},
		"ranking": {
			survey.Answers{"best@after": {"quiz", "talk"}},
			[]string{"|best@after|" + best + "|", "|best@after|" + best + "|talk:2", "|best@after|" + best + "|film:3.5", "|best@after|" + best + "|quiz:1", "|best@after|" + best + "|tour:3.5"},
		},
		"waves": {
			survey.Answers{"interest@before": {"2"}, "interest@later": {"5"}},
			[]string{
				"|interest@before|scale1-5|", "|interest@before|scale1-5|2", "|interest@later|scale1-5|", "|interest@later|scale1-5|5",
				"|interest@later|pair:interest@before:scale1-5|up",
			},
		},
	} {
		want := []string{"every||||"}
		for _, cell := range test.want {
			want = append(want, "every|"+cell)
		}
		for _, wave := range s.WaveIDs() {
			if slices.ContainsFunc(test.want, func(cell string) bool { return strings.Contains(cell, "@"+wave+"|") }) {
				want = append(want, "every||@"+wave+"|wave|")
			}
		}
		if diff := cmp.Diff(append(want, version), figures.Cells(s, "", "", test.answers)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// The survey's own question tells who stayed, and each group is counted apart.
func TestStay(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{survey.Yes: survey.Stayed, survey.No: survey.Left, "": ""} {
		answers := survey.Answers{"interest@after": {"3"}}
		if answer != "" {
			answers["stayed@after"] = survey.Value{answer}
		}
		row := newRow(every(), answers, "evry", "", "fr", evening)
		if row.Stay != want {
			t.Errorf("%q: %q, not %q", answer, row.Stay, want)
		}
		var stays []string
		for _, key := range row.Cells {
			if strings.Contains(key, "|interest@after|scale1-5|3") {
				stays = append(stays, strings.Split(key, "|")[1])
			}
		}
		groups := []string{"", "evry"}
		if want != "" {
			groups = append(groups, ":"+want)
		}
		if diff := cmp.Diff(groups, stays); diff != "" {
			t.Errorf("%q: %s", answer, diff)
		}
	}
}

func tallied(s *survey.Survey, people []survey.Answers) figures.Tally {
	t := figures.Tally{}
	for _, answers := range people {
		for _, key := range figures.Cells(s, "", "", answers) {
			t[key]++
		}
	}
	return t
}

func resultOf(r figures.Results, id string) figures.QuestionResult {
	return r.Questions[slices.IndexFunc(r.Questions, func(q figures.QuestionResult) bool { return q.ID == id })]
}

func TestResultsOfKinds(t *testing.T) {
	t.Parallel()
	s := every()
	var people []survey.Answers
	for i := range 12 { // ages 10, 17, 24 … 87; four rank two choices, eight all of them; nine of twelve agree
		a := survey.Answers{"interest@before": {"3"}, "age@after": {fmt.Sprint(10 + 7*i)}, "best@after": {"talk", "film", "quiz", "tour"}}
		if i < 4 {
			a["best@after"] = survey.Value{"quiz", "talk"}
		}
		if i < 9 {
			a["agree@before"] = survey.Value{survey.Yes}
		}
		people = append(people, a)
	}
	r := tallied(s, people).Results("law", s, nil, k)
	age := resultOf(r, "age@after")
	if diff := cmp.Diff([]string{"10-18 2", "19-27 1", "28-36 1", "37-45 2", "46-54 1", "55-63 1", "64-72 1", "73-81 2", "82-90 1", "91-99 0"}, counts(age)); diff != "" {
		t.Error(diff)
	}
	if age.Mean == nil || *age.Mean != 48.5 || *age.Median != 48.5 || *age.N != 12 {
		t.Errorf("age: %+v", age)
	}
	best := resultOf(r, "best@after")
	var ranks []string
	for _, c := range best.Choices {
		ranks = append(ranks, fmt.Sprintf("%s %d %.3f", c.Value, *c.Count, *c.MeanRank))
	}
	// talk: 8 first, 4 second; film: 8 second, 4 at 3.5; quiz: 4 first, 8 third; tour: 8 fourth, 4 at 3.5
	if diff := cmp.Diff([]string{"talk 8 1.333", "film 0 2.500", "quiz 4 2.333", "tour 0 3.833"}, ranks); diff != "" {
		t.Error(diff)
	}
	if agree := resultOf(r, "agree@before"); *agree.N != 12 || *agree.Choices[0].Count != 9 || agree.Choices[0].Share.Value != 0.75 {
		t.Errorf("agree: %+v", agree)
	}
}

func counts(r figures.QuestionResult) []string {
	said := make([]string, len(r.Choices))
	for i, c := range r.Choices {
		if said[i] = c.Value + " ?"; c.Count != nil {
			said[i] = fmt.Sprintf("%s %d", c.Value, *c.Count)
		}
	}
	return said
}

// A group of seven in which some range, first place or agreement is everybody's or nobody's shows none of it.
func TestSuppressionOfKinds(t *testing.T) {
	t.Parallel()
	s := &survey.Survey{ID: "s", Title: words("S"), Questions: []survey.Question{
		{ID: "age", Kind: survey.Number, Min: 0, Max: 1, Label: words("Age")},
		{ID: "best", Kind: survey.Ranking, Choices: offer("a", "b"), Label: words("Best")},
		{ID: "agree", Kind: survey.Consent, Label: words("Agree")},
	}}
	person := func(age, first, agree string) survey.Answers {
		a := survey.Answers{"age": {age}, "best": {first}}
		if agree != "" {
			a["agree"] = survey.Value{agree}
		}
		return a
	}
	same := slices.Repeat([]survey.Answers{person("1", "a", survey.Yes)}, 6)
	for name, test := range map[string]struct {
		people []survey.Answers
		shown  bool
	}{
		"all the same":       {append(same, person("1", "a", survey.Yes)), false},
		"one is different":   {append(same, person("0", "b", "")), true},
		"ten, all the same":  {slices.Repeat(same[:1], 10), true},
		"four, all the same": {same[:4], false},
	} {
		r := tallied(s, test.people).Results("law", s, nil, k)
		for _, q := range r.Questions {
			if q.Suppressed == test.shown || (q.N != nil) != test.shown || (q.Mean != nil || q.Median != nil) != (test.shown && q.Kind == survey.Number) ||
				(q.Choices[0].MeanRank != nil) != (test.shown && q.Kind == survey.Ranking) {
				t.Errorf("%s: %+v", name, q)
			}
		}
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		counts []int
		want   float64
	}{{[]int{1}, 5}, {[]int{1, 1}, 5.5}, {[]int{1, 0, 2}, 7}, {[]int{2, 0, 0, 2}, 6.5}, {[]int{0, 3, 1, 1}, 6}} {
		if got := figures.Median(5, test.counts); *got != test.want {
			t.Errorf("%v: %g", test.counts, *got)
		}
	}
}

// A question that was reworded is counted together with what it was, and it is said that there were two versions; one
// that is answered by fewer than the minimum group is hidden, with the smallest other beside it.
func TestVersions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		first, second := asked(), asked()
		second.Sections[0].Questions[1].Label = words("Rating, on the whole")
		send := func(survey *survey.Survey, n int) {
			for i := range n {
				mustSubmit(t, s, sending{Session: "law", Survey: survey, Submission: Submission{Answers: person(i)}})
			}
		}
		versions := func() string {
			r, err := open(s, "law", second, k).Results(context.Background())
			if err != nil || r.Respondents != *resultOf(r, "rating").N {
				t.Fatalf("%+v, %v", r, err)
			}
			said := ""
			for _, v := range r.Versions {
				n := "?"
				if v.Respondents != nil {
					n = fmt.Sprint(*v.Respondents)
				}
				said += map[string]string{first.Version(): "first ", second.Version(): "second "}[v.Version] + n + " "
			}
			return said
		}
		send(first, 12)
		send(second, 4)
		if got := versions(); got != "second ? first ? " {
			t.Error(got)
		}
		send(second, 8)
		if got := versions(); got != "second 12 first 12 " {
			t.Error(got)
		}
		for _, want := range []*survey.Survey{first, second} {
			got, err := open(s, "law", asked(), 0).Definition(t.Context(), want.Version())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(survey.Survey{})); diff != "" {
				t.Error(diff)
			}
		}
		if _, err := open(s, "law", asked(), 0).Definition(t.Context(), "00000000"); !errors.Is(err, ErrNotFound) {
			t.Errorf("a version that never was: %v", err)
		}
		// A store that has lost a definition gets it again with the next answer; one that is there stays.
		key := s.keys.versions("law")
		for _, row := range []struct {
			name string
			do   func() error
			want string
		}{
			{"there", func() error { return s.rdb.HSet(t.Context(), key, second.Version(), "kept").Err() }, "kept"},
			{"lost", func() error { return s.rdb.Del(t.Context(), key).Err() }, string(second.Definition())},
		} {
			if err := row.do(); err != nil {
				t.Fatal(err)
			}
			send(second, 1)
			if got := s.rdb.HGet(t.Context(), key, second.Version()).Val(); got != row.want {
				t.Errorf("%s: the definition is %s", row.name, got)
			}
		}
	})
}
