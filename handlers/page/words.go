package page

import "jauge/feedback"

// Wave is the title of a survey's wave.
func Wave(l *Lang, survey *feedback.Survey, id string) Phrase {
	for _, w := range survey.Waves {
		if w.ID == id {
			return l.Say(w.Title)
		}
	}
	return Phrase{}
}

// Choice is the wording of one value of a question.
func Choice(l *Lang, q feedback.Question, value string) (Phrase, error) {
	switch q.Kind {
	case feedback.YesNo:
		word, err := l.T("choice." + value)
		return Phrase{Text: word}, err
	case feedback.Consent:
		return l.Say(q.Label), nil
	}
	for _, choice := range q.Choices {
		if choice.Value == value {
			return l.Say(choice.Label), nil
		}
	}
	return Phrase{Text: value}, nil
}
