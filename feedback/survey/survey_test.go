package survey_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"path"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"jauge/feedback/survey"
	"jauge/feedback/survey/surveytest"
	"jauge/internal/text"
)

// What most tests ask.
var (
	asked, every, bilingual = surveytest.Asked, surveytest.Every, surveytest.Bilingual
	words, offer            = surveytest.Words, surveytest.Offer
)

func TestSurveyPages(t *testing.T) {
	t.Parallel()
	s := asked()
	var got []string
	for _, page := range s.Pages() {
		got = append(got, page.ID)
	}
	if diff := cmp.Diff([]string{"1", "picks", "3"}, got); diff != "" {
		t.Error(diff)
	}
	if page, ok := s.Page("3"); !ok || page.Questions[0].ID != "now" {
		t.Errorf("page 3 is %+v, %t", page, ok)
	}
	if _, ok := s.Page("2"); ok {
		t.Error("there is a page 2 beside picks")
	}
	if q, ok := s.Question("agree"); !ok || q.Kind != survey.YesNo {
		t.Errorf("question agree is %+v, %t", q, ok)
	}
	flat := &survey.Survey{Questions: s.Sections[0].Questions}
	if pages := flat.Pages(); len(pages) != 1 || pages[0].ID != "1" || len(pages[0].Questions) != 2 {
		t.Errorf("plain questions make the pages %+v", pages)
	}
}

func TestSurveyFor(t *testing.T) {
	t.Parallel()
	s := asked()
	s.Sections = append(s.Sections, survey.Section{ID: "words", Questions: []survey.Question{{ID: "more", Kind: survey.FreeText, Label: words("More")}}})
	minors := s.For(true)
	for _, q := range minors.All() {
		if q.Kind == survey.FreeText {
			t.Errorf("minors are asked the text %s", q.ID)
		}
	}
	if _, ok := minors.Page("words"); ok {
		t.Error("a page of texts alone is left empty")
	}
	if _, ok := minors.Page("3"); !ok {
		t.Error("pages are renumbered")
	}
	if diff := cmp.Diff(9, len(s.For(false).All())); diff != "" {
		t.Error(diff)
	}
	flat := &survey.Survey{Questions: s.Sections[2].Questions}
	if got := len(flat.For(true).All()); got != 2 {
		t.Errorf("of three plain questions with one text, minors are asked %d", got)
	}
}

func TestSurveyVersion(t *testing.T) {
	t.Parallel()
	version := asked().Version()
	if len(version) != 8 {
		t.Errorf("version %q is not 8 digits", version)
	}
	keeps := map[string]func(*survey.Survey){
		"title":      func(s *survey.Survey) { s.Title["fr"] = "Demandé" },
		"intro":      func(s *survey.Survey) { s.Intro = words("Hello") },
		"source":     func(s *survey.Survey) { s.Source = "A book" },
		"section id": func(s *survey.Survey) { s.Sections[0].ID = "1" },
	}
	for name, change := range keeps {
		s := asked()
		change(s)
		if s.Version() != version {
			t.Errorf("%s: the version changes", name)
		}
	}
	moves := map[string]func(*survey.Survey){
		"wording":     func(s *survey.Survey) { s.Sections[0].Questions[0].Label = words("Earlier") },
		"translation": func(s *survey.Survey) { s.Sections[0].Questions[0].Label["fr"] = "Avant" },
		"help":        func(s *survey.Survey) { s.Sections[0].Questions[0].Help = words("Think back") },
		"choice text": func(s *survey.Survey) { s.Sections[1].Questions[0].Choices[0].Label["fr"] = "un" },
		"condition": func(s *survey.Survey) {
			s.Sections[1].ShowIf = &survey.Condition{Question: "rating", Is: []string{"1"}}
		},
		"waves":      func(s *survey.Survey) { s.Waves = []survey.Wave{{ID: "a"}, {ID: "b"}} },
		"id":         func(s *survey.Survey) { s.Sections[0].Questions[0].ID = "earlier" },
		"range":      func(s *survey.Survey) { s.Sections[0].Questions[0].Max = 7 },
		"kind":       func(s *survey.Survey) { s.Sections[2].Questions[1].Kind = survey.YesNo },
		"choice":     func(s *survey.Survey) { s.Sections[1].Questions[0].Choices = offer("a", "b") },
		"pair":       func(s *survey.Survey) { s.Sections[2].Questions[0].Pair = "" },
		"required":   func(s *survey.Survey) { s.Sections[0].Questions[1].Required = false },
		"max length": func(s *survey.Survey) { s.Sections[2].Questions[2].MaxLength = 30 },
		"one page":   func(s *survey.Survey) { s.Questions, s.Sections = s.All(), nil },
	}
	for name, change := range moves {
		s := asked()
		change(s)
		if s.Version() == version {
			t.Errorf("%s: the version stays", name)
		}
	}
}

func TestSurveyValidate(t *testing.T) {
	t.Parallel()
	question := func(q survey.Question) func(*survey.Survey) {
		return func(s *survey.Survey) {
			q.Label = words("Q")
			s.Sections[1].Questions = []survey.Question{q}
		}
	}
	tests := map[string]struct {
		change func(*survey.Survey)
		want   []string
	}{
		"right":   {func(*survey.Survey) {}, nil},
		"no id":   {func(s *survey.Survey) { s.ID = "" }, []string{"id: missing"}},
		"id":      {func(s *survey.Survey) { s.ID = "Été" }, []string{`id: "Été" is not 1 to 64 of a-z, 0-9, _ and -`}},
		"title":   {func(s *survey.Survey) { s.Title = text.Text{"fr": ""} }, []string{"title: missing (fr, en or both)"}},
		"german":  {func(s *survey.Survey) { s.Intro = text.Text{"de": "Gut"} }, []string{`intro: language "de" is none of ["fr" "en"]`}},
		"minutes": {func(s *survey.Survey) { s.Minutes = -1 }, []string{"minutes: negative"}},
		"both":    {func(s *survey.Survey) { s.Questions = s.All() }, []string{"sections: not together with questions"}},
		"neither": {func(s *survey.Survey) { s.Sections = nil }, []string{"questions: missing"}},
		"plain": {
			func(s *survey.Survey) {
				s.Questions, s.Sections = s.Sections[1].Questions, nil
				s.Questions[2].Label = nil
			},
			[]string{"questions[2].label: missing (fr, en or both)"},
		},
		"empty section":     {func(s *survey.Survey) { s.Sections[1].Questions = nil }, []string{"sections[1].questions: missing"}},
		"section id":        {func(s *survey.Survey) { s.Sections[1].ID = "1" }, []string{"sections[1].id: duplicate"}},
		"section id badly":  {func(s *survey.Survey) { s.Sections[1].ID = "a b" }, []string{`sections[1].id: "a b" is not 1 to 64 of a-z, 0-9, _ and -`}},
		"duplicate":         {func(s *survey.Survey) { s.Sections[1].Questions[2].ID = "rating" }, []string{"sections[1].questions[2].id: duplicate"}},
		"no question id":    {func(s *survey.Survey) { s.Sections[1].Questions[2].ID = "" }, []string{"sections[1].questions[2].id: missing"}},
		"kind":              {question(survey.Question{ID: "q", Kind: "stars"}), []string{`sections[1].questions[0].kind: "stars" is none of ["scale" "nps" "choice" "choices" "ranking" "matrix" "yesno" "number" "short" "text" "consent"]`}},
		"scale upside down": {question(survey.Question{ID: "q", Kind: survey.Scale, Min: 5, Max: 1}), []string{"sections[1].questions[0].max: 1 is not above min 5"}},
		"scale too long": {
			question(survey.Question{ID: "q", Kind: survey.Scale, Min: -1, Max: 11}),
			[]string{"sections[1].questions[0].min: -1 is below 0", "sections[1].questions[0].max: 11 is above 10"},
		},
		"one choice": {question(survey.Question{ID: "q", Kind: survey.Single, Choices: offer("a")}), []string{"sections[1].questions[0].choices: 1 of them, not 2 to 20"}},
		"choices": {
			question(survey.Question{ID: "q", Kind: survey.Multiple, MaxChoices: 4, Choices: []survey.Choice{{Value: "a"}, {Value: "a", Label: words("A")}, {Value: "B c", Label: words("B")}}}),
			[]string{
				"sections[1].questions[0].max_choices: 4 is not between 1 and 3",
				"sections[1].questions[0].choices[0].label: missing (fr, en or both)",
				"sections[1].questions[0].choices[1].value: duplicate",
				`sections[1].questions[0].choices[2].value: "B c" is not 1 to 64 of a-z, 0-9, _ and -`,
			},
		},
		"text too long": {question(survey.Question{ID: "q", Kind: survey.FreeText, MaxLength: 2001}), []string{"sections[1].questions[0].max_length: 2001 is not between 1 and 2000"}},
		"fields of another kind": {
			question(survey.Question{ID: "q", Kind: survey.YesNo, Min: 1, Max: 5, Low: words("l"), High: words("h"), Choices: offer("a", "b"), MaxChoices: 1, MaxLength: 9}),
			[]string{
				"sections[1].questions[0].min: not for kind yesno", "sections[1].questions[0].max: not for kind yesno",
				"sections[1].questions[0].low: not for kind yesno", "sections[1].questions[0].high: not for kind yesno",
				"sections[1].questions[0].choices: not for kind yesno", "sections[1].questions[0].max_choices: not for kind yesno",
				"sections[1].questions[0].max_length: not for kind yesno",
			},
		},
		"pair of nothing": {func(s *survey.Survey) { s.Sections[2].Questions[0].Pair = "then" }, []string{`sections[2].questions[0].pair: no question "then"`}},
		"pair of another": {func(s *survey.Survey) { s.Sections[2].Questions[0].Pair = "rating" }, []string{`sections[2].questions[0].pair: "rating" is not of the same kind and range`}},
		"pair side by side": {
			func(s *survey.Survey) {
				s.Questions = append(s.Sections[0].Questions, s.Sections[2].Questions...)
				s.Sections = nil
			},
			[]string{`questions[2].pair: "before" is in the same section`},
		},
		"pair twice": {
			question(survey.Question{ID: "q", Kind: survey.Scale, Min: 1, Max: 5, Pair: "before"}),
			[]string{`sections[2].questions[0].pair: "before" is paired already`},
		},
		"pair of a choice": {
			question(survey.Question{ID: "q", Kind: survey.Single, Choices: offer("a", "b"), Pair: "before"}),
			[]string{"sections[1].questions[0].pair: not for kind choice", `sections[1].questions[0].pair: "before" is not of the same kind and range`, `sections[2].questions[0].pair: "before" is paired already`},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := asked()
			test.change(s)
			var got []string
			for _, p := range s.Validate() {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Every ready survey decodes strictly, from YAML and (what the API takes) from JSON, and is right.
func TestBank(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(survey.Bank, "bank/*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(path.Base(file), func(t *testing.T) {
			t.Parallel()
			b, err := survey.Bank.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var s, again survey.Survey
			if err := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(&s); err != nil {
				t.Fatal(err)
			}
			if problems := s.Validate(); problems != nil {
				t.Error(problems)
			}
			j, err := json.Marshal(s)
			if err == nil {
				err = json.Unmarshal(j, &again)
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s, again, cmpopts.IgnoreUnexported(survey.Survey{})); diff != "" {
				t.Error(diff)
			}
			if now, asks := s.Question("interest_now"); asks && now.Pair != "interest_before" {
				t.Errorf("interest_now is paired with %q", now.Pair)
			}
		})
	}
}
