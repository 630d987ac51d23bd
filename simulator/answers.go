package simulator

import (
	"math/rand/v2"
	"strconv"

	"jauge/feedback"
)

// Answers invents what one person says in a survey, as a program posts it in JSON: question id → value. Most like what
// they saw, and what a "now" question asks has mostly risen since "before".
func Answers(r *rand.Rand, survey *feedback.Survey, lang string) map[string]any {
	before := map[string]bool{}
	for _, q := range survey.All() {
		before[q.Pair] = true
	}
	said := map[string]any{}
	for _, q := range survey.All() {
		if !q.Required && r.IntN(25) == 0 { // skipped
			continue
		}
		switch q.Kind {
		case feedback.Scale, feedback.NPS:
			said[q.ID] = number(r, q, before[q.ID], said[q.Pair])
		case feedback.YesNo:
			said[q.ID] = r.IntN(10) < 6
		case feedback.Single:
			said[q.ID] = q.Choices[r.IntN(len(q.Choices))].Value
		case feedback.Multiple:
			said[q.ID] = several(r, q)
		case feedback.FreeText:
			if q.Required || r.IntN(5) == 0 {
				text := []rune(remark(r, lang))
				said[q.ID] = string(text[:min(len(text), q.Limit())])
			}
		}
	}
	return said
}

// number draws from a scale: low to middling for what was before, one up as a rule for its "now", and high else.
func number(r *rand.Rand, q feedback.Question, isBefore bool, then any) int {
	values := q.Values() // the numbers from low to high
	low, _ := strconv.Atoi(values[0])
	high := low + len(values) - 1
	span := float64(high - low)
	if was, ok := then.(int); ok {
		rise := []int{-1, 0, 0, 0, 1, 1, 1, 1, 2, 2}[r.IntN(10)]
		return min(max(was+rise, low), high)
	}
	center := 0.8
	if isBefore {
		center = 0.4
	}
	return min(max(low+int(span*center+r.NormFloat64()*span/5+0.5), low), high)
}

// several picks one choice or more, as many as allowed.
func several(r *rand.Rand, q feedback.Question) []string {
	most := len(q.Choices)
	if q.MaxChoices > 0 {
		most = min(most, q.MaxChoices)
	}
	var picked []string
	for _, i := range r.Perm(len(q.Choices))[:1+r.IntN(most)] {
		picked = append(picked, q.Choices[i].Value)
	}
	return picked
}

func remark(r *rand.Rand, lang string) string {
	remarks := []string{
		"Faut-il vraiment parler trois langues pour passer le concours ?",
		"J'aurais aimé en savoir plus sur la vie de famille en poste.",
		"Le récit de la prise de fonctions était passionnant, merci.",
		"Peut-on faire un stage en ambassade avant la licence ?",
		"Un peu court : il restait beaucoup de questions.",
	}
	if lang == "en" {
		remarks = []string{
			"Can one join after a first career elsewhere?",
			"I would have liked more on the daily work in a consulate.",
			"Clear and honest, thank you.",
		}
	}
	return remarks[r.IntN(len(remarks))]
}
