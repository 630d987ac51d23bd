// Package surveytest has surveys to try things with.
package surveytest

import (
	"jauge/feedback/survey"
	"jauge/internal/text"
)

// Words is a text in English.
func Words(s string) text.Text { return text.Text{"en": s} }

// Asked returns a survey on three pages, see Every for all that there is.
func Asked() *survey.Survey {
	return &survey.Survey{ID: "asked", Title: Words("Asked"), Sections: []survey.Section{
		{Questions: []survey.Question{
			{ID: "before", Kind: survey.Scale, Min: 1, Max: 5, Label: Words("Before")},
			{ID: "rating", Kind: survey.Scale, Min: 0, Max: 10, Label: Words("Rating"), Required: true},
		}},
		{ID: "picks", Questions: []survey.Question{
			{ID: "one", Kind: survey.Single, Label: Words("One"), Choices: Offer("a", "b", "c")},
			{ID: "many", Kind: survey.Multiple, Label: Words("Many"), Choices: Offer("x", "y", "z"), MaxChoices: 2},
			{ID: "agree", Kind: survey.YesNo, Label: Words("Agree")},
		}},
		{Questions: []survey.Question{
			{ID: "now", Kind: survey.Scale, Min: 1, Max: 5, Label: Words("Now"), Pair: "before"},
			{ID: "recommend", Kind: survey.NPS, Label: Words("Recommend")},
			{ID: "comment", Kind: survey.FreeText, Label: Words("Comment"), MaxLength: 20},
		}},
	}}
}

// Every returns a survey with every kind of question, conditions, and three waves.
func Every() *survey.Survey {
	return &survey.Survey{
		ID: "every", Title: Words("Every"), Source: "Made up for the tests",
		Waves: []survey.Wave{{ID: "before", Title: Words("Before")}, {ID: "after", Title: Words("After"), Opens: "end"}, {ID: "later", Title: Words("Later"), Opens: "end+336h"}},
		Sections: []survey.Section{
			{ID: "wish", Questions: []survey.Question{
				{ID: "interest", Kind: survey.Scale, Min: 1, Max: 5, Label: Words("Interest")},
				{ID: "views", Kind: survey.Matrix, Min: 1, Max: 5, Label: Words("Views"), Rows: []survey.Line{{ID: "place", Label: Words("A place for me")}, {ID: "use", Label: Words("Of use")}}},
				{ID: "agree", Kind: survey.Consent, Label: Words("I agree"), Required: true, Waves: []string{"before"}},
			}},
			{ID: "meeting", Waves: []string{"after"}, Questions: []survey.Question{
				{ID: "stayed", Kind: survey.YesNo, Stay: true, Label: Words("Did you stay?")},
				{ID: "best", Kind: survey.Ranking, Label: Words("Best"), Choices: Offer("talk", "film", "quiz", "tour")},
				{ID: "pace", Kind: survey.Matrix, Label: Words("Pace"), Choices: Offer("slow", "fast"), Rows: []survey.Line{{ID: "talk", Label: Words("The talk")}, {ID: "quiz", Label: Words("The quiz")}}},
				{ID: "age", Kind: survey.Number, Min: 10, Max: 99, Unit: Words("years"), Label: Words("Age")},
				{ID: "topics", Kind: survey.Multiple, Label: Words("Topics"), Choices: Offer("law", "arts")},
			}},
			{ID: "left", Waves: []string{"after"}, ShowIf: &survey.Condition{Question: "stayed", Is: []string{survey.No}}, Questions: []survey.Question{
				{ID: "when", Kind: survey.Single, Label: Words("When"), Choices: Offer("early", "late"), Required: true},
			}},
			{ID: "end", Waves: []string{"after", "later"}, Questions: []survey.Question{
				{ID: "recommend", Kind: survey.NPS, Label: Words("Recommend")},
				{ID: "why", Kind: survey.ShortText, Label: Words("Why"), ShowIf: &survey.Condition{Question: "pace.talk", Is: []string{"fast"}}, Waves: []string{"after"}},
				{ID: "comment", Kind: survey.FreeText, Label: Words("Comment")},
			}},
		},
	}
}

// Offer makes choices that are labelled with their values.
func Offer(values ...string) []survey.Choice {
	choices := make([]survey.Choice, len(values))
	for i, v := range values {
		choices[i] = survey.Choice{Value: v, Label: Words(v)}
	}
	return choices
}

// Bilingual is Asked, with choices in two languages.
func Bilingual() *survey.Survey {
	s := Asked()
	s.Sections[1].Questions[0].Choices = []survey.Choice{
		{Value: "law", Label: text.Text{"fr": "Le droit", "en": "Law"}},
		{Value: "future", Label: text.Text{"fr": "L'avenir  européen", "en": "Europe's future"}},
	}
	return s
}
