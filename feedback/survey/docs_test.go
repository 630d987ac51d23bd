package survey_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"jauge/feedback/figures"
	"jauge/feedback/survey"

	"github.com/goccy/go-yaml"
)

// Every example of docs/surveys.md is right: whole surveys as they are, questions each in a section of its own. Together they
// show every kind.
func TestExamplesOfTheDocs(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../../docs/surveys.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[survey.Kind]bool{}
	for _, block := range strings.Split(string(content), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		var s survey.Survey
		if strings.HasPrefix(block, "- ") {
			var questions []survey.Question
			err = yaml.NewDecoder(strings.NewReader(block), yaml.Strict()).Decode(&questions)
			s = survey.Survey{ID: "example", Title: words("Example")}
			for _, q := range questions {
				s.Sections = append(s.Sections, survey.Section{Questions: []survey.Question{q}})
			}
		} else {
			err = yaml.NewDecoder(strings.NewReader(block), yaml.Strict()).Decode(&s)
		}
		if err != nil {
			t.Errorf("%s\n%v", block, err)
			continue
		}
		if problems := s.Validate(); problems != nil {
			t.Errorf("%s\n%v", block, problems)
		}
		for _, page := range s.Pages() {
			for _, q := range page.Questions {
				shown[q.Kind] = true
			}
		}
	}
	for _, kind := range survey.Kinds() {
		if !shown[kind] {
			t.Errorf("no example of kind %s", kind)
		}
	}
}

// FuzzSurvey: whatever a definition says, its mistakes can be told, and one without any can be asked, answered and shown.
func FuzzSurvey(f *testing.F) {
	for _, s := range []*survey.Survey{asked(), every()} {
		b, err := json.Marshal(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Add(`{"id":"s","title":{"fr":"S"},"sections":[{"questions":[{"id":"a","kind":"number","min":9,"max":2,"label":{"fr":"A"}}]},
		{"show_if":{"question":"a","is":["3"]},"waves":["x"],"questions":[{"id":"b","kind":"matrix","rows":[{}],"label":{"fr":"B"}}]}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		var s survey.Survey
		if json.Unmarshal([]byte(body), &s) != nil {
			return
		}
		if s.Validate() != nil {
			return
		}
		seen := map[string]bool{}
		for _, wave := range s.WaveIDs() {
			asked := s.In(wave)
			if len(asked.All()) == 0 {
				t.Fatalf("wave %q asks nothing", wave)
			}
			_, _ = survey.ParseForm(asked, nil)
		}
		for _, q := range s.All() {
			if seen[q.ID] || !survey.Items.MatchString(q.ID) {
				t.Fatalf("item %q", q.ID)
			}
			seen[q.ID] = true
		}
		if r := (figures.Tally{}).Results("s", &s, nil, 5); len(r.Questions) != len(seen) {
			t.Fatalf("%d results of %d items", len(r.Questions), len(seen))
		}
	})
}
