package survey_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"jauge/feedback/survey"

	"github.com/google/go-cmp/cmp"
)

func decode(t testing.TB, body string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	var values map[string]any
	if err := d.Decode(&values); err != nil {
		t.Fatal(err)
	}
	return values
}

func TestParseJSON(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		body string
		want survey.Answers
		errs string
	}{
		"everything": {
			body: `{"before": 2, "rating": 0, "one": "b", "many": ["z", "x"], "agree": true, "now": 5.0, "recommend": 10, "comment": " Merci.\r\nÀ bientôt "}`,
			want: survey.Answers{"before": {"2"}, "rating": {"0"}, "one": {"b"}, "many": {"x", "z"}, "agree": {"yes"}, "now": {"5"}, "recommend": {"10"}, "comment": {"Merci.\nÀ bientôt"}},
		},
		"no answers":           {body: `{"rating": 1, "before": null, "many": [], "comment": "  ", "one": ""}`, want: survey.Answers{"rating": {"1"}}},
		"no":                   {body: `{"rating": 1, "agree": false}`, want: survey.Answers{"rating": {"1"}, "agree": {"no"}}},
		"yes in words":         {body: `{"rating": 1, "agree": "yes"}`, want: survey.Answers{"rating": {"1"}, "agree": {"yes"}}},
		"required":             {body: `{}`, errs: "rating must be answered"},
		"unknown":              {body: `{"rating": 1, "colour": "x"}`, errs: "colour is not a question of this survey"},
		"unknown, unspeakable": {body: `{"rating": 1, "<script>": "x"}`, errs: "? is not a question of this survey"},
		"number as a string":   {body: `{"rating": "4"}`, errs: "rating must be a number, not a string"},
		"list for a number":    {body: `{"rating": [4]}`, errs: "rating must be a number"},
		"out of range":         {body: `{"rating": 11}`, errs: "rating must be a whole number from 0 to 10"},
		"between":              {body: `{"rating": 1, "before": 2.5}`, errs: "before must be a whole number from 1 to 5"},
		"enormous":             {body: `{"rating": 1e400}`, errs: "rating must be a whole number from 0 to 10"},
		"nps":                  {body: `{"rating": 1, "recommend": -1}`, errs: "recommend must be a whole number from 0 to 10"},
		"choice":               {body: `{"rating": 1, "one": "d"}`, errs: "one is not one of the choices"},
		"choice as a number":   {body: `{"rating": 1, "one": 1}`, errs: "one must be a string"},
		"choices as a string":  {body: `{"rating": 1, "many": "x"}`, errs: "many must be a list of strings"},
		"choices of numbers":   {body: `{"rating": 1, "many": [1]}`, errs: "many must be a list of strings"},
		"twice":                {body: `{"rating": 1, "many": ["x", "x"]}`, errs: "many is answered twice"},
		"too many":             {body: `{"rating": 1, "many": ["x", "y", "z"]}`, errs: "many has more than 2 choices"},
		"maybe":                {body: `{"rating": 1, "agree": "maybe"}`, errs: "agree is not one of the choices"},
		"one for yes":          {body: `{"rating": 1, "agree": 1}`, errs: `agree must be true, false, "yes" or "no"`},
		"long text":            {body: `{"rating": 1, "comment": "éééééééééééééééééééé!"}`, errs: "comment is longer than 20 characters"},
		"text that just fits":  {body: `{"rating": 1, "comment": "éééééééééééééééééééé"}`, want: survey.Answers{"rating": {"1"}, "comment": {"éééééééééééééééééééé"}}},
		"control characters":   {body: `{"rating": 1, "comment": "a\u0000b"}`, errs: "comment has characters that are not text"},
		"several":              {body: `{"rating": 99, "before": "1", "one": "q"}`, errs: "before must be a number, not a string; one is not one of the choices; rating must be a whole number from 0 to 10"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, errs := survey.ParseJSON(asked(), decode(t, test.body))
			if diff := cmp.Diff(test.errs, errs.Error()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseForm(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		form     string
		sections []string
		want     survey.Answers
		errs     survey.FieldErrors
	}{
		"everything": {
			form: "q.before=2&q.rating=0&q.one=b&q.many=z&q.many=x&q.agree=no&q.now=3&q.recommend=7&q.comment=%20ok%0D%0A&lang=fr&token=t",
			want: survey.Answers{"before": {"2"}, "rating": {"0"}, "one": {"b"}, "many": {"x", "z"}, "agree": {"no"}, "now": {"3"}, "recommend": {"7"}, "comment": {"ok"}},
		},
		"one page":         {form: "q.one=c&q.rating=99", sections: []string{"picks"}, want: survey.Answers{"one": {"c"}}},
		"two pages":        {form: "q.one=c&q.rating=9&q.now=0", sections: []string{"picks", "1"}, want: survey.Answers{"one": {"c"}, "rating": {"9"}}},
		"empty":            {form: "q.one=&q.comment=", sections: []string{"picks", "3"}, want: survey.Answers{}},
		"required":         {form: "q.rating=&q.before=3", want: survey.Answers{"before": {"3"}}, errs: survey.FieldErrors{"rating": {Code: survey.Required}}},
		"unknown":          {form: "q.rating=1&q.colour=x", want: survey.Answers{"rating": {"1"}}, errs: survey.FieldErrors{"colour": {Code: survey.Unknown}}},
		"unspeakable":      {form: "q.rating=1&q.%3Cb%3E=x", want: survey.Answers{"rating": {"1"}}, errs: survey.FieldErrors{survey.Unnamed: {Code: survey.Unknown}}},
		"two for one":      {form: "q.rating=1&q.rating=2", want: survey.Answers{}, errs: survey.FieldErrors{"rating": {Code: survey.Repeated}}},
		"leading zero":     {form: "q.rating=01", want: survey.Answers{}, errs: survey.FieldErrors{"rating": {Code: survey.Range, Max: 10}}},
		"too many choices": {form: "q.many=x&q.many=y&q.many=z", sections: []string{"picks"}, want: survey.Answers{}, errs: survey.FieldErrors{"many": {Code: survey.TooMany, Max: 2}}},
		"invalid UTF-8":    {form: "q.comment=%FF", sections: []string{"3"}, want: survey.Answers{}, errs: survey.FieldErrors{"comment": {Code: survey.Unclean}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			form, err := url.ParseQuery(test.form)
			if err != nil {
				t.Fatal(err)
			}
			got, errs := survey.ParseForm(asked(), form, test.sections...)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.errs, errs); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnswersForm(t *testing.T) {
	t.Parallel()
	answers := survey.Answers{"rating": {"3"}, "many": {"x", "y"}, "comment": {"a & b"}}
	got, errs := survey.ParseForm(asked(), asked().Form(answers))
	if errs != nil {
		t.Fatal(errs)
	}
	if diff := cmp.Diff(answers, got); diff != "" {
		t.Error(diff)
	}
	if v := answers["many"]; !v.Has("y") || v.Has("z") || v.String() != "x, y" || answers["none"].String() != "" {
		t.Errorf("%v has lost something", v)
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	_, errs := survey.ParseJSON(asked(), decode(t, `{"rating": 11, "colour": 1}`))
	want := map[string]string{"rating": "must be a whole number from 0 to 10", "colour": "is not a question of this survey"}
	if diff := cmp.Diff(want, errs.Reasons()); diff != "" {
		t.Error(diff)
	}
}

// FuzzParseJSON: whatever is sent, what is accepted is canonical, fits the survey, and survives a form.
func FuzzParseJSON(f *testing.F) {
	f.Add(`{"rating": 3, "many": ["z", "x"], "comment": "ok"}`)
	f.Add(`{"rating": 1e1, "agree": true, "now": -0}`)
	f.Add(`{"rating": "3", "one": {"a": [1]}}`)
	f.Fuzz(func(t *testing.T, body string) {
		var values map[string]any
		if json.Unmarshal([]byte(body), &values) != nil {
			return
		}
		answers, errs := survey.ParseJSON(asked(), values)
		if (answers == nil) == (errs == nil) {
			t.Fatalf("answers %v and errors %v", answers, errs)
		}
		if answers != nil {
			checkCanonical(t, answers)
		}
	})
}

// FuzzParseForm: the same for a form.
func FuzzParseForm(f *testing.F) {
	f.Add("q.rating=3&q.many=z&q.many=x&q.comment=ok")
	f.Add("q.rating=+3&q.agree=yes&q.%00=1")
	f.Add("q.comment=%0D%0A%C3%28&q.rating=1")
	f.Fuzz(func(t *testing.T, body string) {
		form, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		answers, errs := survey.ParseForm(asked(), form)
		for name := range errs {
			if name != survey.Unnamed && !survey.Items.MatchString(name) {
				t.Fatalf("the error names %q", name)
			}
		}
		if errs == nil {
			checkCanonical(t, answers)
		}
	})
}

func checkCanonical(t *testing.T, answers survey.Answers) {
	t.Helper()
	again, errs := survey.ParseForm(asked(), asked().Form(answers))
	if errs != nil {
		t.Fatal(errs)
	}
	if diff := cmp.Diff(answers, again); diff != "" {
		t.Fatal(diff)
	}
	if c := answers["comment"].String(); !utf8.ValidString(c) || utf8.RuneCountInString(c) > 20 {
		t.Fatalf("comment %q", c)
	}
}
