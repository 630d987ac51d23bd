package simulator

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"jauge/feedback"
	"jauge/internal/text"
)

func survey() *feedback.Survey {
	label := text.Text{"fr": "?"}
	choices := []feedback.Choice{
		{Value: "a", Label: text.Text{"fr": "Le droit", "en": "Law"}}, {Value: "b", Label: text.Text{"fr": "L'histoire", "en": "History"}}, {Value: "c", Label: text.Text{"fr": "Autre"}},
	}
	return &feedback.Survey{ID: "s", Title: label, Sections: []feedback.Section{
		{Questions: []feedback.Question{
			{ID: "before", Kind: feedback.Scale, Min: 1, Max: 5, Label: label, Low: label, High: label},
			{ID: "one", Kind: feedback.Single, Choices: choices, Label: label, Required: true},
		}},
		{Questions: []feedback.Question{
			{ID: "now", Kind: feedback.Scale, Min: 1, Max: 5, Pair: "before", Label: label, Low: label, High: label},
			{ID: "some", Kind: feedback.Multiple, Choices: choices, MaxChoices: 2, Label: label},
			{ID: "yes", Kind: feedback.YesNo, Label: label},
			{ID: "nps", Kind: feedback.NPS, Label: label},
			{ID: "text", Kind: feedback.FreeText, Label: label, MaxLength: 30},
			{ID: "order", Kind: feedback.Ranking, Choices: choices, Label: label},
			{ID: "grid", Kind: feedback.Matrix, Choices: choices, Label: label, Rows: []feedback.Line{{ID: "r1", Label: label}, {ID: "r2", Label: label}}},
			{ID: "age", Kind: feedback.Number, Min: 10, Max: 99, Label: label},
			{ID: "agree", Kind: feedback.Consent, Required: true, Label: label},
		}},
		{ShowIf: &feedback.Condition{Question: "yes", Is: []string{feedback.Yes}}, Questions: []feedback.Question{
			{ID: "why", Kind: feedback.ShortText, MaxLength: 10, Label: label},
			{ID: "when", Kind: feedback.Single, Choices: choices, Label: label},
		}},
	}}
}

// Every invented answer is one that the survey takes, required questions are answered, and interest rises.
func TestAnswers(t *testing.T) {
	t.Parallel()
	s := survey()
	if problems := s.Validate(); problems.Err() != nil {
		t.Fatal(problems)
	}
	r := rand.New(rand.NewPCG(1, 1))
	answered := map[string]int{}
	shown := 0
	up, down := 0, 0
	for i := range 500 {
		body, err := json.Marshal(Answers(r, s, []string{"fr", "en"}[i%2]))
		if err != nil {
			t.Fatal(err)
		}
		var values map[string]any
		if err := json.Unmarshal(body, &values); err != nil {
			t.Fatal(err)
		}
		if _, mistakes := feedback.ParseJSON(s, values); len(mistakes) > 0 {
			t.Fatalf("%s: %v", body, mistakes)
		}
		for id := range values {
			answered[id]++
		}
		if values["yes"] == true {
			shown++
		}
		before, asked := values["before"].(float64)
		now, answered := values["now"].(float64)
		if asked && answered && now > before {
			up++
		}
		if asked && answered && now < before {
			down++
		}
	}
	if up < 200 || down == 0 || up < 4*down {
		t.Errorf("interest rose in %d and fell in %d of 500", up, down)
	}
	if answered["when"] < shown*8/10 || answered["when"] > shown {
		t.Errorf("%d of %d were asked when, and answered", answered["when"], shown)
	}
	for _, q := range s.All() {
		n := answered[q.ID]
		if q.Required && n != 500 || q.Kind == feedback.FreeText && (n < 50 || n > 150) || !q.Required && (n == 0 || n == 500) {
			t.Errorf("%s was answered %d times", q.ID, n)
		}
	}
}

// Of a survey with waves, whoever is asked in one answers that one.
func TestAnswersInAWave(t *testing.T) {
	t.Parallel()
	s := survey()
	label := text.Text{"fr": "?"}
	s.Waves = []feedback.Wave{{ID: "first", Title: label}, {ID: "second", Title: label, Opens: "end"}}
	said := Answers(rand.New(rand.NewPCG(1, 1)), s.In("second"), "fr")
	if said["agree@second"] != true || said["agree@first"] != nil || said["agree"] != nil {
		t.Errorf("%v", said)
	}
}
