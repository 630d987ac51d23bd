package simulator

import (
	"math/rand/v2"
	"strconv"

	"jauge/feedback/survey"
)

// Answers invents one person's answers to a survey, as a program posts them in JSON: item id → value. Most are favourable, and a "now"
// question's answer is mostly above that of its "before". Questions that the survey would not show after these answers have none.
func Answers(r *rand.Rand, asks *survey.Survey, lang string) map[string]any {
	items := asks.All()
	before := map[string]bool{}
	for _, q := range items {
		before[q.Pair] = true
	}
	said := map[string]any{}
	for _, q := range items {
		if !q.Required && r.IntN(25) == 0 { // skipped
			continue
		}
		if value := answer(r, q, before[q.ID], said[q.Pair], lang); value != nil {
			said[q.ID] = value
		}
	}
	_, mistakes := survey.ParseJSON(asks, decoded(said))
	for id, mistake := range mistakes {
		if mistake.Code == survey.NotAsked {
			delete(said, id)
		}
	}
	return said
}

// answer invents one person's answer to an item; nil: it is skipped.
func answer(r *rand.Rand, q survey.Question, isBefore bool, then any, lang string) any {
	switch values := q.Values(); {
	case q.Kind == survey.YesNo:
		return r.IntN(10) < 6
	case q.Kind == survey.Consent:
		if q.Required || r.IntN(10) < 8 {
			return true
		}
	case q.IsText():
		if q.Required || r.IntN(5) == 0 {
			return short(remark(r, lang), q.Limit())
		}
	case q.Ordered():
		return drawNumber(r, q, isBefore, then)
	case q.Several():
		return several(r, q)
	case len(values) > 0:
		return values[r.IntN(len(values))]
	}
	return nil
}

// decoded gives answers as JSON decodes them.
func decoded(said map[string]any) map[string]any {
	values := map[string]any{}
	for id, value := range said {
		if list, ok := value.([]string); ok {
			items := make([]any, len(list))
			for i, item := range list {
				items[i] = item
			}
			value = items
		}
		values[id] = value
	}
	return values
}

// drawNumber draws from a scale: low to middling for "before", mostly one more for its "now", and high else. Other numbers are drawn
// around the middle.
func drawNumber(r *rand.Rand, q survey.Question, isBefore bool, then any) int {
	values := q.Values() // the numbers from low to high
	low, _ := strconv.Atoi(values[0])
	high := low + len(values) - 1
	span := float64(high - low)
	if was, ok := then.(int); ok {
		rise := []int{-1, 0, 0, 0, 1, 1, 1, 1, 2, 2}[r.IntN(10)]
		return min(max(was+rise, low), high)
	}
	center := 0.8
	switch {
	case isBefore:
		center = 0.4
	case q.Kind == survey.Number:
		center = 0.5
	}
	return min(max(low+int(span*center+r.NormFloat64()*span/5+0.5), low), high)
}

// several picks one choice or more, as many as allowed, in any order.
func several(r *rand.Rand, q survey.Question) []string {
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

// short cuts a text to so many characters.
func short(text string, limit int) string {
	runes := []rune(text)
	return string(runes[:min(len(runes), limit)])
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
