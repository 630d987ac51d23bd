package page

import "jauge/feedback/survey"

// Wave is the title of a survey's wave.
func Wave(l *Lang, survey *survey.Survey, id string) Phrase {
	for _, w := range survey.Waves {
		if w.ID == id {
			return l.Say(w.Title)
		}
	}
	return Phrase{}
}

// Choice is the wording of one value of a question.
func Choice(l *Lang, q survey.Question, value string) (Phrase, error) {
	switch q.Kind {
	case survey.YesNo:
		word, err := l.T("choice." + value)
		return Phrase{Text: word}, err
	case survey.Consent:
		return l.Say(q.Label), nil
	}
	for _, choice := range q.Choices {
		if choice.Value == value {
			return l.Say(choice.Label), nil
		}
	}
	return Phrase{Text: value}, nil
}
