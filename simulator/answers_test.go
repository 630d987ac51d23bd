package simulator

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"jauge/feedback/survey"
	"jauge/internal/text"
)

func questionnaire() *survey.Survey {
	label := text.Text{"fr": "?"}
	choices := []survey.Choice{
		{Value: "a", Label: text.Text{"fr": "Le droit", "en": "Law"}}, {Value: "b", Label: text.Text{"fr": "L'histoire", "en": "History"}}, {Value: "c", Label: text.Text{"fr": "Autre"}},
	}
	return &survey.Survey{ID: "s", Title: label, Sections: []survey.Section{
		{Questions: []survey.Question{
			{ID: "before", Kind: survey.Scale, Min: 1, Max: 5, Label: label, Low: label, High: label},
			{ID: "one", Kind: survey.Single, Choices: choices, Label: label, Required: true},
		}},
		{Questions: []survey.Question{
			{ID: "now", Kind: survey.Scale, Min: 1, Max: 5, Pair: "before", Label: label, Low: label, High: label},
			{ID: "some", Kind: survey.Multiple, Choices: choices, MaxChoices: 2, Label: label},
			{ID: "yes", Kind: survey.YesNo, Label: label},
			{ID: "nps", Kind: survey.NPS, Label: label},
			{ID: "text", Kind: survey.FreeText, Label: label, MaxLength: 30},
			{ID: "order", Kind: survey.Ranking, Choices: choices, Label: label},
			{ID: "grid", Kind: survey.Matrix, Choices: choices, Label: label, Rows: []survey.Line{{ID: "r1", Label: label}, {ID: "r2", Label: label}}},
			{ID: "age", Kind: survey.Number, Min: 10, Max: 99, Label: label},
			{ID: "agree", Kind: survey.Consent, Required: true, Label: label},
		}},
		{ShowIf: &survey.Condition{Question: "yes", Is: []string{survey.Yes}}, Questions: []survey.Question{
			{ID: "why", Kind: survey.ShortText, MaxLength: 10, Label: label},
			{ID: "when", Kind: survey.Single, Choices: choices, Label: label},
		}},
	}}
}

// Every invented answer is one that the survey takes, required questions are answered, and interest rises.
func TestAnswers(t *testing.T) {
	t.Parallel()
	s := questionnaire()
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
		if _, mistakes := survey.ParseJSON(s, values); len(mistakes) > 0 {
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
		if q.Required && n != 500 || q.Kind == survey.FreeText && (n < 50 || n > 150) || !q.Required && (n == 0 || n == 500) {
			t.Errorf("%s was answered %d times", q.ID, n)
		}
	}
}

// Of a survey with waves, whoever is asked in one answers that one.
func TestAnswersInAWave(t *testing.T) {
	t.Parallel()
	s := questionnaire()
	label := text.Text{"fr": "?"}
	s.Waves = []survey.Wave{{ID: "first", Title: label}, {ID: "second", Title: label, Opens: "end"}}
	said := Answers(rand.New(rand.NewPCG(1, 1)), s.In("second"), "fr")
	if said["agree@second"] != true || said["agree@first"] != nil || said["agree"] != nil {
		t.Errorf("%v", said)
	}
}
