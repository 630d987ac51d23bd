package attend

import (
	"net/url"
	"slices"
	"strconv"

	"jauge/feedback"
	"jauge/feedback/survey"
	"jauge/handlers/page"
)

// answerView is one person's answers, as the holder of the receipt sees them.
type answerView struct {
	Title     string
	TitleLang string // see page.Phrase
	Receipt   string
	Words     bool // it is three words
	Next      *nextView
	Address   string
	Action    string
	Thanks    bool // just sent
	Changed   bool // just changed
	Again     bool // came back with the link of an earlier wave, though this one is answered
	Deleted   bool // just deleted: nothing else is shown
	Waves     []answerWave
}

// answerWave is what was said in one wave; without waves there is one, that has no title.
type answerWave struct {
	Title   page.Phrase
	Answers []answerRow
}

type answerRow struct {
	Of, Question page.Phrase // Of: the matrix that the question is a row of
	Said         []page.Phrase
}

// answersIn puts what was said into words, wave by wave, in the survey's order.
func answersIn(l *page.Lang, survey *survey.Survey, answers survey.Answers) ([]answerWave, error) {
	waves := []string{""}
	if len(survey.Waves) > 0 {
		waves = nil
	}
	for _, w := range survey.Waves {
		waves = append(waves, w.ID)
	}
	var all []answerWave
	for _, id := range waves {
		wave := answerWave{Title: page.Wave(l, survey, id)}
		for _, q := range survey.In(id).All() {
			if len(answers[q.ID]) == 0 {
				continue
			}
			row, err := answerTo(l, q, answers[q.ID])
			if err != nil {
				return nil, err
			}
			wave.Answers = append(wave.Answers, row)
		}
		if len(wave.Answers) > 0 {
			all = append(all, wave)
		}
	}
	return all, nil
}

// answerTo puts what was said to one question into words.
func answerTo(l *page.Lang, q survey.Question, said survey.Value) (answerRow, error) {
	row := answerRow{Of: l.Say(q.Of), Question: l.Say(q.Label)}
	for i, value := range said {
		words, err := page.Choice(l, q, value)
		if err != nil {
			return row, err
		}
		switch unit := l.Say(q.Unit); {
		case q.Ranked():
			words.Text = strconv.Itoa(i+1) + ". " + words.Text
		case q.Kind == survey.Consent:
			words.Lang = ""
			words.Text, err = l.T("choice.yes")
		case unit.Text != "":
			words = page.Phrase{Text: value + "\u00a0" + unit.Text, Lang: unit.Lang}
		}
		if err != nil {
			return row, err
		}
		row.Said = append(row.Said, words)
	}
	return row, nil
}

// nextView is what a person needs to come back for the next wave.
type nextView struct {
	Title   page.Phrase
	Opens   string // in words; empty: it is open
	Address string // of the form, with the code
	QR      string // the path of a drawing of that
}

// next is the wave after the last one that the person has answered; nil: there is none, or answers are not linked.
func (y layout) next(l *page.Lang, a asked, row feedback.Row, receipt string) (*nextView, error) {
	answered := a.Survey.Answered(row.Answers)
	if !a.Promise.Linked || len(answered) == 0 {
		return nil, nil
	}
	last := answered[len(answered)-1]
	i := slices.IndexFunc(a.Survey.Waves, func(w survey.Wave) bool { return w.ID == last }) + 1
	if i == len(a.Survey.Waves) {
		return nil, nil
	}
	opens, err := y.opens(l, a, a.Survey.Waves[i].ID)
	query := "?" + url.Values{"code": {receipt}}.Encode()
	return &nextView{
		Title: l.Say(a.Survey.Waves[i].Title), Opens: opens,
		Address: y.public.JoinPath("feedback", a.Session.ID).String() + query, QR: "/feedback/" + a.Session.ID + "/qr.svg" + query,
	}, err
}
