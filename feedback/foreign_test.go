package feedback

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jauge/internal/problem"
	"jauge/internal/text"
)

// bilingual is asked, with choices in two languages.
func bilingual() *Survey {
	s := asked()
	s.Sections[1].Questions[0].Choices = []Choice{
		{Value: "law", Label: text.Text{"fr": "Le droit", "en": "Law"}},
		{Value: "future", Label: text.Text{"fr": "L'avenir  européen", "en": "Europe's future"}},
	}
	return s
}

func TestTranslate(t *testing.T) {
	t.Parallel()
	type values = map[string]any
	questions := map[string]string{"ref-1": "rating", "ref-2": "one", "ref-3": "many", "ref-4": "agree", "ref-5": "comment", "ref-6": "", "ref-7": "rating"}
	for _, row := range []struct {
		name    string
		values  values
		answers Answers
		lost    FieldErrors
	}{
		{"by reference", values{"ref-1": json.Number("8")}, Answers{"rating": {"8"}}, FieldErrors{}},
		{"by the question's own id", values{"rating": json.Number("8")}, Answers{"rating": {"8"}}, FieldErrors{}},
		{"number as string", values{"ref-1": " 8 "}, Answers{"rating": {"8"}}, FieldErrors{}},
		{"number as float", values{"ref-1": 8.0}, Answers{"rating": {"8"}}, FieldErrors{}},
		{"number in a list of one", values{"ref-1": []any{json.Number("8")}}, Answers{"rating": {"8"}}, FieldErrors{}},
		{"number with a fraction", values{"ref-1": "8.5"}, Answers{}, FieldErrors{"ref-1": {Code: Range, Max: 10}}},
		{"number out of range", values{"ref-1": json.Number("11")}, Answers{}, FieldErrors{"ref-1": {Code: Range, Max: 10}}},
		{"no number", values{"ref-1": "NaN"}, Answers{}, FieldErrors{"ref-1": {Code: Range, Max: 10}}},
		{"two numbers", values{"ref-1": []any{json.Number("8"), json.Number("9")}}, Answers{}, FieldErrors{"ref-1": {Code: Repeated}}},
		{"choice by value", values{"ref-2": "law"}, Answers{"one": {"law"}}, FieldErrors{}},
		{"choice by label", values{"ref-2": "Le droit"}, Answers{"one": {"law"}}, FieldErrors{}},
		{"choice in English, in other letters", values{"ref-2": " LAW "}, Answers{"one": {"law"}}, FieldErrors{}},
		{"choice with other spaces and apostrophe", values{"ref-2": "l’avenir\u00a0europe\u0301en"}, Answers{"one": {"future"}}, FieldErrors{}},
		{"choice that is none", values{"ref-2": "Chinese"}, Answers{}, FieldErrors{"ref-2": {Code: NoChoice}}},
		{"choices", values{"ref-3": []any{"Y", "x"}}, Answers{"many": {"x", "y"}}, FieldErrors{}},
		{"one of several as a string", values{"ref-3": "y"}, Answers{"many": {"y"}}, FieldErrors{}},
		{"the choices that are known", values{"ref-3": []any{"x", "other"}}, Answers{"many": {"x"}}, FieldErrors{"ref-3": {Code: NoChoice}}},
		{"too many choices", values{"ref-3": []any{"x", "y", "z"}}, Answers{}, FieldErrors{"ref-3": {Code: TooMany, Max: 2}}},
		{"true", values{"ref-4": true}, Answers{"agree": {"yes"}}, FieldErrors{}},
		{"non", values{"ref-4": "Non"}, Answers{"agree": {"no"}}, FieldErrors{}},
		{"perhaps", values{"ref-4": "perhaps"}, Answers{}, FieldErrors{"ref-4": {Code: NoChoice}}},
		{"text", values{"ref-5": " Merci "}, Answers{"comment": {"Merci"}}, FieldErrors{}},
		{"text that is too long", values{"ref-5": "This goes on for more than twenty characters"}, Answers{}, FieldErrors{"ref-5": {Code: TooLong, Max: 20}}},
		{"no value that a person gives", values{"ref-5": values{}}, Answers{}, FieldErrors{"ref-5": {Code: Type, Want: "text, a number, or yes or no"}}},
		{"left out on purpose", values{"ref-6": "Jane Doe"}, Answers{}, FieldErrors{}},
		{"skipped", values{"ref-1": nil, "ref-2": " ", "ref-3": []any{}}, Answers{}, FieldErrors{}},
		{"not mapped", values{"ref-1": json.Number("8"), "ref-9": "x"}, Answers{"rating": {"8"}}, FieldErrors{"ref-9": {Code: Unknown}}},
		{"one question twice", values{"ref-1": json.Number("8"), "ref-7": json.Number("9")}, Answers{"rating": {"8"}}, FieldErrors{"ref-7": {Code: Repeated}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			answers, lost := Translate(bilingual(), questions, row.values)
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
		answers Answers
		lost    FieldErrors
	}{
		{"ranking", values{"r1": []any{"Quiz", "talk"}}, Answers{"best@after": {"quiz", "talk"}}, FieldErrors{}},
		{"ranking with another", values{"r1": []any{"Lunch", "talk"}}, Answers{}, FieldErrors{"r1": {Code: NoChoice}}},
		{"row of choices", values{"r2": "FAST"}, Answers{"pace.talk@after": {"fast"}}, FieldErrors{}},
		{"row of a scale", values{"r6": json.Number("3")}, Answers{"views.use@later": {"3"}}, FieldErrors{}},
		{"by its own id", values{"interest@later": "4"}, Answers{"interest@later": {"4"}}, FieldErrors{}},
		{"number", values{"r3": json.Number("17")}, Answers{"age@after": {"17"}}, FieldErrors{}},
		{"number as a string", values{"r3": " 17 "}, Answers{"age@after": {"17"}}, FieldErrors{}},
		{"number out of range", values{"r3": json.Number("170")}, Answers{}, FieldErrors{"r3": {Code: Range, Min: 10, Max: 99}}},
		{"consent", values{"r4": true}, Answers{"agree@before": {Yes}}, FieldErrors{}},
		{"consent in French", values{"r4": "Oui"}, Answers{"agree@before": {Yes}}, FieldErrors{}},
		{"consent by its sentence", values{"r4": []any{"I agree"}}, Answers{"agree@before": {Yes}}, FieldErrors{}},
		{"no consent", values{"r4": false}, Answers{}, FieldErrors{}},
		{"consent, perhaps", values{"r4": "perhaps"}, Answers{}, FieldErrors{"r4": {Code: NoChoice}}},
		{"a line", values{"r5": " x "}, Answers{"why@after": {"x"}}, FieldErrors{}},
		{"two lines", values{"r5": "x\ny"}, Answers{}, FieldErrors{"r5": {Code: Lines}}},
	} {
		answers, lost := Translate(every(), questions, row.values)
		if diff := cmp.Diff(row.answers, answers); diff != "" {
			t.Errorf("%s: answers (-want +got):\n%s", row.name, diff)
		}
		if diff := cmp.Diff(row.lost, lost); diff != "" {
			t.Errorf("%s: lost (-want +got):\n%s", row.name, diff)
		}
	}
}

// Nothing that a person may have written is kept aside, on one line or on several.
func TestScrubTexts(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{ShortText, FreeText} {
		if kept := scrub(&Question{Kind: kind}, "12", nil); kept != nil {
			t.Errorf("%s: %v is kept", kind, kept)
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
		answers, lost := Translate(s, nil, values)
		for id, v := range answers {
			q, ok := s.Question(id)
			if !ok {
				t.Fatalf("%q is no question", id)
			}
			if again, err := q.read(v); err != nil || cmp.Diff(v, again) != "" {
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
		survey *Survey
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
		if diff := cmp.Diff(row.want, CheckQuestions(row.survey, questions)); diff != "" {
			t.Errorf("%s:\n%s", row.name, diff)
		}
	}
}
