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
	for _, q := range s.All() {
		n := answered[q.ID]
		if q.Required && n != 500 || q.Kind == feedback.FreeText && (n < 50 || n > 150) || !q.Required && (n == 0 || n == 500) {
			t.Errorf("%s was answered %d times", q.ID, n)
		}
	}
}
