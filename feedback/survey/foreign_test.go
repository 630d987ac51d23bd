package survey_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jauge/feedback/survey"
	"jauge/internal/problem"
)

func TestTranslate(t *testing.T) {
	t.Parallel()
	type values = map[string]any
	questions := map[string]string{"ref-1": "rating", "ref-2": "one", "ref-3": "many", "ref-4": "agree", "ref-5": "comment", "ref-6": "", "ref-7": "rating"}
	for _, row := range []struct {
		name    string
		values  values
		answers survey.Answers
		lost    survey.FieldErrors
	}{
		{"by reference", values{"ref-1": json.Number("8")}, survey.Answers{"rating": {"8"}}, survey.FieldErrors{}},
		{"by the question's own id", values{"rating": json.Number("8")}, survey.Answers{"rating": {"8"}}, survey.FieldErrors{}},
		{"number as string", values{"ref-1": " 8 "}, survey.Answers{"rating": {"8"}}, survey.FieldErrors{}},
		{"number as float", values{"ref-1": 8.0}, survey.Answers{"rating": {"8"}}, survey.FieldErrors{}},
		{"number in a list of one", values{"ref-1": []any{json.Number("8")}}, survey.Answers{"rating": {"8"}}, survey.FieldErrors{}},
		{"number with a fraction", values{"ref-1": "8.5"}, survey.Answers{}, survey.FieldErrors{"ref-1": {Code: survey.Range, Max: 10}}},
		{"number out of range", values{"ref-1": json.Number("11")}, survey.Answers{}, survey.FieldErrors{"ref-1": {Code: survey.Range, Max: 10}}},
		{"no number", values{"ref-1": "NaN"}, survey.Answers{}, survey.FieldErrors{"ref-1": {Code: survey.Range, Max: 10}}},
		{"two numbers", values{"ref-1": []any{json.Number("8"), json.Number("9")}}, survey.Answers{}, survey.FieldErrors{"ref-1": {Code: survey.Repeated}}},
		{"choice by value", values{"ref-2": "law"}, survey.Answers{"one": {"law"}}, survey.FieldErrors{}},
		{"choice by label", values{"ref-2": "Le droit"}, survey.Answers{"one": {"law"}}, survey.FieldErrors{}},
		{"choice in English, in other letters", values{"ref-2": " LAW "}, survey.Answers{"one": {"law"}}, survey.FieldErrors{}},
		{"choice with other spaces and apostrophe", values{"ref-2": "l’avenir\u00a0europe\u0301en"}, survey.Answers{"one": {"future"}}, survey.FieldErrors{}},
		{"choice that is none", values{"ref-2": "Chinese"}, survey.Answers{}, survey.FieldErrors{"ref-2": {Code: survey.NoChoice}}},
		{"choices", values{"ref-3": []any{"Y", "x"}}, survey.Answers{"many": {"x", "y"}}, survey.FieldErrors{}},
		{"one of several as a string", values{"ref-3": "y"}, survey.Answers{"many": {"y"}}, survey.FieldErrors{}},
		{"the choices that are known", values{"ref-3": []any{"x", "other"}}, survey.Answers{"many": {"x"}}, survey.FieldErrors{"ref-3": {Code: survey.NoChoice}}},
		{"too many choices", values{"ref-3": []any{"x", "y", "z"}}, survey.Answers{}, survey.FieldErrors{"ref-3": {Code: survey.TooMany, Max: 2}}},
		{"true", values{"ref-4": true}, survey.Answers{"agree": {"yes"}}, survey.FieldErrors{}},
		{"non", values{"ref-4": "Non"}, survey.Answers{"agree": {"no"}}, survey.FieldErrors{}},
		{"perhaps", values{"ref-4": "perhaps"}, survey.Answers{}, survey.FieldErrors{"ref-4": {Code: survey.NoChoice}}},
		{"text", values{"ref-5": " Merci "}, survey.Answers{"comment": {"Merci"}}, survey.FieldErrors{}},
		{"text that is too long", values{"ref-5": "This goes on for more than twenty characters"}, survey.Answers{}, survey.FieldErrors{"ref-5": {Code: survey.TooLong, Max: 20}}},
		{"no value that a person gives", values{"ref-5": values{}}, survey.Answers{}, survey.FieldErrors{"ref-5": {Code: survey.Type, Want: "text, a number, or yes or no"}}},
		{"left out on purpose", values{"ref-6": "Jane Doe"}, survey.Answers{}, survey.FieldErrors{}},
		{"skipped", values{"ref-1": nil, "ref-2": " ", "ref-3": []any{}}, survey.Answers{}, survey.FieldErrors{}},
		{"not mapped", values{"ref-1": json.Number("8"), "ref-9": "x"}, survey.Answers{"rating": {"8"}}, survey.FieldErrors{"ref-9": {Code: survey.Unknown}}},
		{"one question twice", values{"ref-1": json.Number("8"), "ref-7": json.Number("9")}, survey.Answers{"rating": {"8"}}, survey.FieldErrors{"ref-7": {Code: survey.Repeated}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			answers, lost := survey.Translate(bilingual(), questions, row.values)
			if diff := cmp.Diff(row.answers, answers); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(row.lost, lost); diff != "" {
				t.Errorf("lost (-want +got):\n%s", diff)
			}
		})
	}
}

// What form tools send to the kinds that have more than one way to be said.
func TestTranslateKinds(t *testing.T) {
	t.Parallel()
	type values = map[string]any
	questions := map[string]string{
		"r1": "best@after", "r2": "pace.talk@after", "r3": "age@after", "r4": "agree@before", "r5": "why@after", "r6": "views.use@later",
	}
	for _, row := range []struct {
		name    string
		values  values
		answers survey.Answers
		lost    survey.FieldErrors
	}{
		{"ranking", values{"r1": []any{"Quiz", "talk"}}, survey.Answers{"best@after": {"quiz", "talk"}}, survey.FieldErrors{}},
		{"ranking with another", values{"r1": []any{"Lunch", "talk"}}, survey.Answers{}, survey.FieldErrors{"r1": {Code: survey.NoChoice}}},
		{"row of choices", values{"r2": "FAST"}, survey.Answers{"pace.talk@after": {"fast"}}, survey.FieldErrors{}},
		{"row of a scale", values{"r6": json.Number("3")}, survey.Answers{"views.use@later": {"3"}}, survey.FieldErrors{}},
		{"by its own id", values{"interest@later": "4"}, survey.Answers{"interest@later": {"4"}}, survey.FieldErrors{}},
		{"number", values{"r3": json.Number("17")}, survey.Answers{"age@after": {"17"}}, survey.FieldErrors{}},
		{"number as a string", values{"r3": " 17 "}, survey.Answers{"age@after": {"17"}}, survey.FieldErrors{}},
		{"number out of range", values{"r3": json.Number("170")}, survey.Answers{}, survey.FieldErrors{"r3": {Code: survey.Range, Min: 10, Max: 99}}},
		{"consent", values{"r4": true}, survey.Answers{"agree@before": {survey.Yes}}, survey.FieldErrors{}},
		{"consent in French", values{"r4": "Oui"}, survey.Answers{"agree@before": {survey.Yes}}, survey.FieldErrors{}},
		{"consent by its sentence", values{"r4": []any{"I agree"}}, survey.Answers{"agree@before": {survey.Yes}}, survey.FieldErrors{}},
		{"no consent", values{"r4": false}, survey.Answers{}, survey.FieldErrors{}},
		{"consent, perhaps", values{"r4": "perhaps"}, survey.Answers{}, survey.FieldErrors{"r4": {Code: survey.NoChoice}}},
		{"a line", values{"r5": " x "}, survey.Answers{"why@after": {"x"}}, survey.FieldErrors{}},
		{"two lines", values{"r5": "x\ny"}, survey.Answers{}, survey.FieldErrors{"r5": {Code: survey.Lines}}},
	} {
		answers, lost := survey.Translate(every(), questions, row.values)
		if diff := cmp.Diff(row.answers, answers); diff != "" {
			t.Errorf("%s: answers (-want +got):\n%s", row.name, diff)
		}
		if diff := cmp.Diff(row.lost, lost); diff != "" {
			t.Errorf("%s: lost (-want +got):\n%s", row.name, diff)
		}
	}
}

// FuzzTranslate: whatever a tool sends, what comes out is an answer that the survey takes.
func FuzzTranslate(f *testing.F) {
	f.Add(`{"rating":"8","one":["LAW"],"many":["x","?"],"agree":"oui","comment":"Merci","x":{}}`)
	f.Fuzz(func(t *testing.T, body string) {
		var values map[string]any
		if json.Unmarshal([]byte(body), &values) != nil {
			return
		}
		s := bilingual()
		answers, lost := survey.Translate(s, nil, values)
		for id, v := range answers {
			q, ok := s.Question(id)
			if !ok {
				t.Fatalf("%q is no question", id)
			}
			if again, err := q.Read(v); err != nil || cmp.Diff(v, again) != "" {
				t.Errorf("%s: %q is no answer: %v", id, v, err)
			}
		}
		for ref := range lost {
			if _, ok := values[ref]; !ok {
				t.Errorf("%q was not sent", ref)
			}
		}
	})
}

func TestCheckQuestions(t *testing.T) {
	t.Parallel()
	questions := map[string]string{"": "rating", "a": "rating", "b": "none", "c": "", "d": "comment"}
	for _, row := range []struct {
		name   string
		survey *survey.Survey
		want   problem.Problems
	}{
		{"a survey", asked(), problem.Problems{
			{Path: `questions[""]`, Message: "the reference is missing"},
			{Path: `questions["b"]`, Message: `the session's survey has no question "none"`},
		}},
		{"minors are asked no text", asked().For(true), problem.Problems{
			{Path: `questions[""]`, Message: "the reference is missing"},
			{Path: `questions["b"]`, Message: `the session's survey has no question "none"`},
			{Path: `questions["d"]`, Message: `the session's survey has no question "comment"`},
		}},
		{"no survey", nil, problem.Problems{
			{Path: `questions[""]`, Message: "the reference is missing"},
			{Path: `questions[""]`, Message: "the session has no survey"},
			{Path: `questions["a"]`, Message: "the session has no survey"},
			{Path: `questions["b"]`, Message: "the session has no survey"},
			{Path: `questions["d"]`, Message: "the session has no survey"},
		}},
	} {
		if diff := cmp.Diff(row.want, survey.CheckQuestions(row.survey, questions)); diff != "" {
			t.Errorf("%s:\n%s", row.name, diff)
		}
	}
}
