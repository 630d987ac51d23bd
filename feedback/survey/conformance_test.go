package survey_test

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jauge/feedback/survey"
)

// subject is one kind under test.
type subject struct {
	question survey.Question // a right one; its id is "q"
	fields   string          // of its definition, of those that not every kind has
	shapes   []string        // of its items
	values   string          // of its first item, "" of a text
	bins     string          // likewise; "": the values
	compared bool            // the answers of two waves are
	decides  bool            // a condition may ask for a value
	said     []said
	refused  []refused
	wrong    map[string]func(*survey.Question) // by mistake: what makes it
}

// said is one answer, by every way in.
type said struct {
	form       string // as a query
	json, tool string // as bodies, by item
	answers    survey.Answers
	counted    []string // by the items in their order
}

// refused is what is no answer, by the ways in by which it can be said; "": it cannot.
type refused struct {
	form, json, tool string
	want             survey.FieldError // of the first item
}

var outOfFive = survey.FieldError{Code: survey.Range, Min: 1, Max: 5}

var subjects = map[survey.Kind]subject{
	survey.Scale: {
		question: survey.Question{Min: 1, Max: 5, Low: words("low"), High: words("high")},
		fields:   "min max low high pair",
		shapes:   []string{"scale1-5"},
		values:   "1 2 3 4 5",
		compared: true,
		decides:  true,
		said:     []said{{form: "q.q=4", json: `{"q": 4.0}`, tool: `{"q": [" 4 "]}`, answers: survey.Answers{"q": {"4"}}, counted: []string{"4"}}},
		refused: []refused{
			{form: "q.q=6", json: `{"q": 6}`, tool: `{"q": "6"}`, want: outOfFive},
			{form: "q.q=0", json: `{"q": 1.5}`, tool: `{"q": "four"}`, want: outOfFive},
			{form: "q.q=04", want: outOfFive},
			{form: "q.q=1&q.q=2", tool: `{"q": [1, 2]}`, want: survey.FieldError{Code: survey.Repeated}},
			{json: `{"q": "4"}`, want: survey.FieldError{Code: survey.Type, Want: "a number, not a string"}},
			{json: `{"q": [4]}`, want: survey.FieldError{Code: survey.Type, Want: "a number"}},
		},
		wrong: map[string]func(*survey.Question){
			"questions[0].min: -1 is below 0":        func(q *survey.Question) { q.Min = -1 },
			"questions[0].max: 11 is above 10":       func(q *survey.Question) { q.Max = 11 },
			"questions[0].max: 1 is not above min 1": func(q *survey.Question) { q.Max = 1 },
		},
	},
	survey.NPS: {
		question: survey.Question{Low: words("never"), High: words("at once")},
		fields:   "low high pair",
		shapes:   []string{"nps"},
		values:   "0 1 2 3 4 5 6 7 8 9 10",
		compared: true,
		decides:  true,
		said: []said{
			{form: "q.q=0", json: `{"q": 0}`, tool: `{"q": 0}`, answers: survey.Answers{"q": {"0"}}, counted: []string{"0"}},
			{form: "q.q=10", json: `{"q": 1e1}`, tool: `{"q": "10"}`, answers: survey.Answers{"q": {"10"}}, counted: []string{"10"}},
		},
		refused: []refused{{form: "q.q=11", json: `{"q": 11}`, tool: `{"q": 11}`, want: survey.FieldError{Code: survey.Range, Max: 10}}},
	},
	survey.Single: {
		question: survey.Question{Choices: the("b", "a", "c")},
		fields:   "choices",
		shapes:   []string{"choice:a52dd81b"},
		values:   "b a c",
		decides:  true,
		said:     []said{{form: "q.q=a", json: `{"q": "a"}`, tool: `{"q": " THE a "}`, answers: survey.Answers{"q": {"a"}}, counted: []string{"a"}}},
		refused: []refused{
			{form: "q.q=d", json: `{"q": "d"}`, tool: `{"q": "d"}`, want: survey.FieldError{Code: survey.NoChoice}},
			{form: "q.q=a&q.q=b", tool: `{"q": ["a", "b"]}`, want: survey.FieldError{Code: survey.Repeated}},
			{json: `{"q": 1}`, want: survey.FieldError{Code: survey.Type, Want: "a string"}},
		},
		wrong: map[string]func(*survey.Question){
			"questions[0].choices: 1 of them, not 2 to 20":                           func(q *survey.Question) { q.Choices = the("a") },
			"questions[0].choices[1].value: duplicate":                               func(q *survey.Question) { q.Choices = the("a", "a") },
			"questions[0].choices[1].label: missing (fr, en or both)":                func(q *survey.Question) { q.Choices[1].Label = nil },
			`questions[0].choices[0].value: "B" is not 1 to 64 of a-z, 0-9, _ and -`: func(q *survey.Question) { q.Choices[0].Value = "B" },
		},
	},
	survey.Multiple: {
		question: survey.Question{Choices: the("b", "a", "c"), MaxChoices: 2},
		fields:   "choices max_choices",
		shapes:   []string{"choices:a52dd81b"},
		values:   "b a c",
		decides:  true,
		said: []said{
			{form: "q.q=b", json: `{"q": ["b"]}`, tool: `{"q": "B"}`, answers: survey.Answers{"q": {"b"}}, counted: []string{"b"}},
			{form: "q.q=a&q.q=b", json: `{"q": ["a", "b"]}`, tool: `{"q": ["A", "B", "b"]}`, answers: survey.Answers{"q": {"b", "a"}}, counted: []string{"b", "a"}},
		},
		refused: []refused{
			{form: "q.q=d", json: `{"q": ["d"]}`, tool: `{"q": "d"}`, want: survey.FieldError{Code: survey.NoChoice}},
			{form: "q.q=a&q.q=a", json: `{"q": ["a", "a"]}`, want: survey.FieldError{Code: survey.Repeated}},
			{form: "q.q=a&q.q=b&q.q=c", json: `{"q": ["a", "b", "c"]}`, tool: `{"q": ["a", "b", "c"]}`, want: survey.FieldError{Code: survey.TooMany, Max: 2}},
			{json: `{"q": "a"}`, want: survey.FieldError{Code: survey.Type, Want: "a list of strings"}},
			{json: `{"q": [1]}`, want: survey.FieldError{Code: survey.Type, Want: "a list of strings"}},
		},
		wrong: map[string]func(*survey.Question){
			"questions[0].choices: 0 of them, not 2 to 20\nquestions[0].max_choices: 2 is not between 1 and 0": func(q *survey.Question) { q.Choices = nil },
			"questions[0].max_choices: 4 is not between 1 and 3":                                               func(q *survey.Question) { q.MaxChoices = 4 },
			"questions[0].max_choices: -1 is not between 1 and 3":                                              func(q *survey.Question) { q.MaxChoices = -1 },
			"questions[0].choices: 21 of them, not 2 to 20":                                                    func(q *survey.Question) { q.Choices = the(strings.Split("abcdefghijklmnopqrstu", "")...) },
		},
	},
	survey.Ranking: {
		question: survey.Question{Choices: the("b", "a", "c")},
		fields:   "choices",
		shapes:   []string{"ranking:a52dd81b"},
		values:   "b a c",
		said: []said{
			{form: "q.q.a=1&q.q.b=3&q.q.c=2", json: `{"q": ["a", "c", "b"]}`, tool: `{"q": ["A", "c", "b"]}`, answers: survey.Answers{"q": {"a", "c", "b"}}, counted: []string{"b:3", "a:1", "c:2"}},
			{form: "q.q.a=1&q.q.b=&q.q.c=", json: `{"q": ["a"]}`, tool: `{"q": "a"}`, answers: survey.Answers{"q": {"a"}}, counted: []string{"b:2.5", "a:1", "c:2.5"}},
		},
		refused: []refused{
			{form: "q.q.a=1&q.q.b=1", want: survey.FieldError{Code: survey.Tied}},
			{form: "q.q.a=2", want: survey.FieldError{Code: survey.Gap}},
			{form: "q.q.a=4", want: survey.FieldError{Code: survey.Range, Min: 1, Max: 3}},
			{form: "q.q.a=0", want: survey.FieldError{Code: survey.Range, Min: 1, Max: 3}},
			{form: "q.q.a=1&q.q.a=2", json: `{"q": ["a", "a"]}`, want: survey.FieldError{Code: survey.Repeated}},
			{json: `{"q": ["a", "d"]}`, tool: `{"q": ["a", "d"]}`, want: survey.FieldError{Code: survey.NoChoice}},
			{json: `{"q": "a"}`, want: survey.FieldError{Code: survey.Type, Want: "a list of strings"}},
		},
		wrong: map[string]func(*survey.Question){
			"questions[0].choices: 1 of them, not 2 to 20": func(q *survey.Question) { q.Choices = the("a") },
		},
	},
	survey.Matrix: {
		question: survey.Question{Min: 1, Max: 5, Rows: []survey.Line{{"a", words("A")}, {"b", words("B")}}},
		fields:   "min max low high rows choices",
		shapes:   []string{"scale1-5", "scale1-5"},
		values:   "1 2 3 4 5",
		compared: true,
		said: []said{
			{form: "q.q.a=4&q.q.b=1", json: `{"q": {"a": 4, "b": 1}}`, tool: `{"q.a": "4", "q.b": 1}`, answers: survey.Answers{"q.a": {"4"}, "q.b": {"1"}}, counted: []string{"4", "1"}},
			{form: "q.q.b=1", json: `{"q.b": 1}`, tool: `{"q.b": 1}`, answers: survey.Answers{"q.b": {"1"}}, counted: []string{"1"}},
		},
		refused: []refused{{form: "q.q.a=6", json: `{"q": {"a": 6}}`, tool: `{"q.a": 6}`, want: outOfFive}},
		wrong: map[string]func(*survey.Question){
			"questions[0].rows: 0 of them, not 1 to 20": func(q *survey.Question) { q.Rows = nil },
			"questions[0].rows: 21 of them, not 1 to 20": func(q *survey.Question) {
				q.Rows = nil
				for _, c := range the(strings.Split("abcdefghijklmnopqrstu", "")...) {
					q.Rows = append(q.Rows, survey.Line{c.Value, c.Label})
				}
			},
			"questions[0].rows[1].id: duplicate":                             func(q *survey.Question) { q.Rows[1].ID = "a" },
			"questions[0].rows[1].label: missing (fr, en or both)":           func(q *survey.Question) { q.Rows[1].Label = nil },
			"questions[0].max: 11 is above 10":                               func(q *survey.Question) { q.Max = 11 },
			"questions[0].choices: not together with min, max, low and high": func(q *survey.Question) { q.Choices = the("a", "b") },
			"questions[0]: neither choices nor min and max":                  func(q *survey.Question) { q.Min, q.Max = 0, 0 },
			"questions[0].choices: 1 of them, not 2 to 20":                   func(q *survey.Question) { q.Min, q.Max, q.Choices = 0, 0, the("a") },
		},
	},
	survey.YesNo: {
		fields:   "pair stay",
		shapes:   []string{"yesno"},
		values:   "no yes",
		compared: true,
		decides:  true,
		said: []said{
			{form: "q.q=yes", json: `{"q": true}`, tool: `{"q": "Oui"}`, answers: survey.Answers{"q": {survey.Yes}}, counted: []string{survey.Yes}},
			{form: "q.q=no", json: `{"q": "no"}`, tool: `{"q": false}`, answers: survey.Answers{"q": {survey.No}}, counted: []string{survey.No}},
		},
		refused: []refused{
			{form: "q.q=perhaps", json: `{"q": "perhaps"}`, tool: `{"q": "perhaps"}`, want: survey.FieldError{Code: survey.NoChoice}},
			{form: "q.q=yes&q.q=no", tool: `{"q": ["yes", "no"]}`, want: survey.FieldError{Code: survey.Repeated}},
			{json: `{"q": 1}`, want: survey.FieldError{Code: survey.Type, Want: `true, false, "yes" or "no"`}},
		},
	},
	survey.Number: {
		question: survey.Question{Min: 1, Max: 29, Unit: words("years")},
		fields:   "min max unit pair",
		shapes:   []string{"number1-29"},
		values:   "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29",
		bins:     "1-3 4-6 7-9 10-12 13-15 16-18 19-21 22-24 25-27 28-29",
		compared: true,
		decides:  true,
		said:     []said{{form: "q.q=+017+", json: `{"q": 17}`, tool: `{"q": "17.0"}`, answers: survey.Answers{"q": {"17"}}, counted: []string{"17"}}},
		refused: []refused{
			{form: "q.q=30", json: `{"q": 30}`, tool: `{"q": "30"}`, want: survey.FieldError{Code: survey.Range, Min: 1, Max: 29}},
			{form: "q.q=%2B17", want: survey.FieldError{Code: survey.Range, Min: 1, Max: 29}},
			{json: `{"q": "17"}`, want: survey.FieldError{Code: survey.Type, Want: "a number, not a string"}},
		},
		wrong: map[string]func(*survey.Question){
			"questions[0].min: -1 is below 0":                      func(q *survey.Question) { q.Min = -1 },
			"questions[0].max: missing":                            func(q *survey.Question) { q.Max = 0 },
			"questions[0].max: 1 is not above min 1":               func(q *survey.Question) { q.Max = 1 },
			"questions[0].max: 1002 is more than 1000 above min 1": func(q *survey.Question) { q.Max = 1002 },
		},
	},
	survey.ShortText: {
		fields: "max_length",
		shapes: []string{"short"},
		said:   []said{{form: "q.q=+Merci+!+", json: `{"q": " Merci !"}`, tool: `{"q": "Merci !\r\n"}`, answers: survey.Answers{"q": {"Merci !"}}}},
		refused: []refused{
			{form: "q.q=a%0D%0Ab", json: `{"q": "a\nb"}`, tool: `{"q": "a\nb"}`, want: survey.FieldError{Code: survey.Lines}},
			{form: "q.q=" + strings.Repeat("a", 121), json: `{"q": "` + strings.Repeat("é", 121) + `"}`, want: survey.FieldError{Code: survey.TooLong, Max: 120}},
			{form: "q.q=%FF", want: survey.FieldError{Code: survey.Unclean}},
			{json: `{"q": 1}`, want: survey.FieldError{Code: survey.Type, Want: "a string"}},
		},
		wrong: map[string]func(*survey.Question){
			"questions[0].max_length: 2001 is not between 1 and 2000": func(q *survey.Question) { q.MaxLength = 2001 },
		},
	},
	survey.FreeText: {
		fields: "max_length",
		shapes: []string{"text"},
		said:   []said{{form: "q.q=Merci.%0D%0AA+demain", json: `{"q": "Merci.\r\nA demain "}`, tool: `{"q": "Merci.\nA demain"}`, answers: survey.Answers{"q": {"Merci.\nA demain"}}}},
		refused: []refused{
			{form: "q.q=" + strings.Repeat("a", 501), json: `{"q": "` + strings.Repeat("é", 501) + `"}`, want: survey.FieldError{Code: survey.TooLong, Max: 500}},
			{form: "q.q=a%00", json: `{"q": "a\u0000"}`, tool: `{"q": "a\u0000"}`, want: survey.FieldError{Code: survey.Unclean}},
			{form: "q.q=a&q.q=b", tool: `{"q": ["a", "b"]}`, want: survey.FieldError{Code: survey.Repeated}},
			{json: `{"q": ["a"]}`, want: survey.FieldError{Code: survey.Type, Want: "a string"}},
			{tool: `{"q": {}}`, want: survey.FieldError{Code: survey.Type, Want: "text, a number, or yes or no"}},
		},
		wrong: map[string]func(*survey.Question){
			"questions[0].max_length: -1 is not between 1 and 2000": func(q *survey.Question) { q.MaxLength = -1 },
		},
	},
	survey.Consent: {
		shapes:  []string{"consent"},
		values:  survey.Yes,
		decides: true,
		said: []said{
			{form: "q.q=yes", json: `{"q": true}`, tool: `{"q": " the QUESTION"}`, answers: survey.Answers{"q": {survey.Yes}}, counted: []string{survey.Yes}},
			{form: "q.q=yes", json: `{"q": "yes"}`, tool: `{"q": "vrai"}`, answers: survey.Answers{"q": {survey.Yes}}, counted: []string{survey.Yes}},
			{json: `{"q": ""}`, answers: survey.Answers{}},
			{form: "q.q=", json: `{"q": false}`, tool: `{"q": "Non"}`, answers: survey.Answers{}},
		},
		refused: []refused{
			{form: "q.q=no", tool: `{"q": "perhaps"}`, want: survey.FieldError{Code: survey.NoChoice}},
			{json: `{"q": "no"}`, want: survey.FieldError{Code: survey.Type, Want: `true, "yes" or false`}},
		},
	},
}

// asking is a survey with one question of the kind.
func (s subject) asking(kind survey.Kind) *survey.Survey {
	q := s.question
	q.ID, q.Kind, q.Label = "q", kind, words("The question")
	q.Choices, q.Rows = slices.Clone(q.Choices), slices.Clone(q.Rows)
	return &survey.Survey{ID: "s", Title: words("S"), Questions: []survey.Question{q}}
}

func TestEveryKindHasASubject(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(slices.Sorted(slices.Values(survey.Kinds())), slices.Sorted(maps.Keys(subjects))); diff != "" {
		t.Error(diff)
	}
}

// eachKind runs a test for every kind.
func eachKind(t *testing.T, test func(*testing.T, survey.Kind, subject)) {
	t.Helper()
	for kind, subject := range subjects {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			test(t, kind, subject)
		})
	}
}

// fields sets each field of a definition that not every kind has.
var fields = map[string]func(*survey.Question){
	"min":         func(q *survey.Question) { q.Min = 1 },
	"max":         func(q *survey.Question) { q.Max = 3 },
	"low":         func(q *survey.Question) { q.Low = words("low") },
	"high":        func(q *survey.Question) { q.High = words("high") },
	"unit":        func(q *survey.Question) { q.Unit = words("unit") },
	"rows":        func(q *survey.Question) { q.Rows = []survey.Line{{"r", words("R")}} },
	"choices":     func(q *survey.Question) { q.Choices = the("x", "y") },
	"max_choices": func(q *survey.Question) { q.MaxChoices = 1 },
	"max_length":  func(q *survey.Question) { q.MaxLength = 9 },
	"pair":        func(q *survey.Question) { q.Pair = "other" },
	"stay":        func(q *survey.Question) { q.Stay = true },
}

// A definition is right, its mistakes are told, and so is every field that the kind has no use for.
func TestDefinitionOfKinds(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, kind survey.Kind, subject subject) {
		if problems := subject.asking(kind).Validate(); problems != nil {
			t.Error(problems)
		}
		for want, change := range subject.wrong {
			s := subject.asking(kind)
			change(&s.Questions[0])
			if diff := cmp.Diff(want, s.Validate().Error()); diff != "" {
				t.Error(diff)
			}
		}
		for field, set := range fields {
			s := subject.asking(kind)
			set(&s.Questions[0])
			applies := slices.Contains(strings.Fields(subject.fields), field)
			refused := strings.Contains(s.Validate().Error(), "questions[0]."+field+": not for kind "+string(kind))
			if refused == applies {
				t.Errorf("%s is refused: %t", field, refused)
			}
		}
	})
}

// What a question asks, and what answers to it can be held against.
func TestValuesOfKinds(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, kind survey.Kind, subject subject) {
		s := subject.asking(kind)
		var shapes []string
		for _, q := range s.All() {
			shapes = append(shapes, q.Shape())
		}
		if diff := cmp.Diff(subject.shapes, shapes); diff != "" {
			t.Errorf("shapes: %s", diff)
		}
		first, wantBins := s.All()[0], subject.values
		if subject.bins != "" {
			wantBins = subject.bins
		}
		bins, _ := first.Bins()
		if diff := cmp.Diff([]string{subject.values, wantBins}, []string{strings.Join(first.Values(), " "), strings.Join(bins, " ")}); diff != "" {
			t.Errorf("values and bins: %s", diff)
		}
		s.Sections = []survey.Section{{Questions: s.Questions}, {ShowIf: &survey.Condition{"q", strings.Fields(subject.values)}, Questions: []survey.Question{
			{ID: "then", Kind: survey.YesNo, Label: words("Then")},
		}}}
		s.Questions = nil
		want := ""
		if !subject.decides {
			want = `sections[1].show_if.question: "q" is of kind ` + string(kind) + ", which has no value to compare"
			s.Sections[1].ShowIf.Is = []string{"x"}
		}
		if diff := cmp.Diff(want, s.Validate().Error()); diff != "" {
			t.Errorf("as a condition: %s", diff)
		}
		s.Waves = []survey.Wave{{ID: "one"}, {ID: "two"}}
		pair := ""
		if subject.compared {
			pair = first.ID + "@one"
		}
		if again := s.In("two").All()[0]; again.Pair != pair {
			t.Errorf("in a second wave it is compared with %q", again.Pair)
		}
	})
}

// What is said by a form, by a program or by a form tool is one answer. It is counted under its values, and comes in again
// as it goes out.
func TestAnswersOfKinds(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, kind survey.Kind, subject subject) {
		if len(subject.said) == 0 || len(subject.refused) == 0 {
			t.Error("nothing is said, or nothing refused")
		}
		s := subject.asking(kind)
		for _, said := range subject.said {
			for way, got := range waysIn(t, s, said.form, said.json, said.tool) {
				if diff := cmp.Diff(read{said.answers, survey.FieldErrors{}}, got); diff != "" {
					t.Errorf("%s: %s", way, diff)
				}
			}
			for way, got := range waysIn(t, s, s.Form(said.answers).Encode(), program(t, s, said.answers), "") {
				if diff := cmp.Diff(read{said.answers, survey.FieldErrors{}}, got); diff != "" {
					t.Errorf("%s again: %s", way, diff)
				}
			}
			var counted []string
			for _, q := range s.All() {
				v, ok := said.answers[q.ID]
				if !ok {
					continue
				}
				counted = append(counted, q.Counted(v)...)
				for _, value := range v {
					if !q.IsText() && !slices.Contains(q.Values(), value) {
						t.Errorf("%q is no value", value)
					}
				}
			}
			if diff := cmp.Diff(said.counted, counted); diff != "" {
				t.Errorf("counted: %s", diff)
			}
		}
		for _, refused := range subject.refused {
			for way, got := range waysIn(t, s, refused.form, refused.json, refused.tool) {
				if diff := cmp.Diff(read{survey.Answers{}, survey.FieldErrors{s.All()[0].ID: refused.want}}, got); diff != "" {
					t.Errorf("%s: %s", way, diff)
				}
			}
		}
	})
}

// read is what becomes of what was sent.
type read struct {
	Answers survey.Answers
	Errs    survey.FieldErrors
}

// waysIn reads what was sent by each way; "": not by this one.
func waysIn(t *testing.T, s *survey.Survey, form, program, tool string) map[string]read {
	t.Helper()
	ways := map[string]read{}
	add := func(way string, answers survey.Answers, errs survey.FieldErrors) {
		r := read{survey.Answers{}, survey.FieldErrors{}}
		maps.Copy(r.Answers, answers)
		maps.Copy(r.Errs, errs)
		ways[way] = r
	}
	if form != "" {
		fields, err := url.ParseQuery(form)
		if err != nil {
			t.Fatal(err)
		}
		answers, errs := survey.ParseForm(s, fields)
		add("form", answers, errs)
	}
	if program != "" {
		answers, errs := survey.ParseJSON(s, decode(t, program))
		add("program", answers, errs)
	}
	if tool != "" {
		answers, errs := survey.Translate(s, nil, decode(t, tool))
		add("form tool", answers, errs)
	}
	return ways
}

// program is what a program sends to say these answers.
func program(t *testing.T, s *survey.Survey, answers survey.Answers) string {
	t.Helper()
	body, err := json.Marshal(s.JSON(answers))
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// the offers choices whose labels are other words than their values.
func the(values ...string) []survey.Choice {
	choices := make([]survey.Choice, len(values))
	for i, v := range values {
		choices[i] = survey.Choice{Value: v, Label: words("The " + v)}
	}
	return choices
}
