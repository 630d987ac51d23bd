package handlers

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
)

// answerView is what one person said, as the holder of its receipt sees it.
type answerView struct {
	Title     string
	TitleLang string // see phrase
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
	Title   phrase
	Answers []answerRow
}

type answerRow struct {
	Of, Question phrase // Of: the matrix that the question is a row of
	Said         []phrase
}

// answerPage handles GET /feedback/{session}/answers/{receipt}.
func (s *server) answerPage(c *gin.Context) error {
	a, err := s.asked(c)
	if err != nil {
		return err
	}
	row, err := s.Feedback.Get(c.Request.Context(), a.session.ID, c.Param("receipt"))
	if err != nil {
		return err
	}
	survey, err := s.answered(c, a, row)
	if err != nil {
		return err
	}
	if !s.wantsPage(c) {
		return respond(c, http.StatusOK, submissionJSON{Answers: plain(survey, row.Answers), Lang: row.Lang, Segment: row.Segment})
	}
	l := s.langs.of(c.Request)
	title := l.say(a.session.Title)
	receipt, words := s.Feedback.Receipt(c.Param("receipt"))
	v := answerView{
		Title: title.Text, TitleLang: title.Lang, Receipt: receipt, Words: words, Action: answerPath(a.session.ID, receipt),
		Address: s.link("feedback", a.session.ID, "answers", receipt),
		Thanks:  c.Query("thanks") != "", Changed: c.Query("changed") != "", Again: c.Query("again") != "",
	}
	if v.Next, err = s.next(l, a, row, receipt); err != nil {
		return err
	}
	if v.Waves, err = l.answers(survey, row.Answers); err != nil {
		return err
	}
	heading, err := l.T("answer.title", "Title", v.Title)
	if err != nil {
		return err
	}
	return s.renderTitled(c, http.StatusOK, "answer", heading, v)
}

// answered returns the survey as it was when somebody answered it, so that an old answer stands beside the words that it
// was given to.
func (s *server) answered(c *gin.Context, a asked, row feedback.Row) (*feedback.Survey, error) {
	if row.Survey == a.whole.ID && row.Version == a.whole.Version() {
		return a.whole, nil
	}
	old, err := s.Feedback.Definition(c.Request.Context(), a.session.ID, row.Version)
	if errors.Is(err, feedback.ErrNotFound) { // answered before definitions were kept
		return a.whole, nil
	}
	return old, err
}

// plain writes answers as a program would send them: numbers as numbers, several choices and rankings as a list.
func plain(survey *feedback.Survey, answers feedback.Answers) map[string]any {
	values := make(map[string]any, len(answers))
	for id, value := range answers {
		q, _ := survey.Question(id)
		switch q.Kind {
		case feedback.Scale, feedback.NPS, feedback.Number:
			values[id] = json.Number(value.String())
		case feedback.Multiple, feedback.Ranking:
			values[id] = value
		default:
			values[id] = value.String()
		}
	}
	return values
}

// answers puts what was said into words, wave by wave, in the survey's order.
func (l *lang) answers(survey *feedback.Survey, answers feedback.Answers) ([]answerWave, error) {
	waves := []string{""}
	if len(survey.Waves) > 0 {
		waves = nil
	}
	for _, w := range survey.Waves {
		waves = append(waves, w.ID)
	}
	var all []answerWave
	for _, id := range waves {
		wave := answerWave{Title: l.wave(survey, id)}
		for _, q := range survey.In(id).All() {
			if len(answers[q.ID]) == 0 {
				continue
			}
			row, err := l.answer(q, answers[q.ID])
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

// answer puts what was said to one question into words.
func (l *lang) answer(q feedback.Question, said feedback.Value) (answerRow, error) {
	row := answerRow{Of: l.say(q.Of), Question: l.say(q.Label)}
	for i, value := range said {
		words, err := l.choice(q, value)
		if err != nil {
			return row, err
		}
		switch q.Kind {
		case feedback.Ranking:
			words.Text = strconv.Itoa(i+1) + ". " + words.Text
		case feedback.Consent:
			words.Lang = ""
			words.Text, err = l.T("choice.yes")
		case feedback.Number:
			if unit := l.say(q.Unit); unit.Text != "" {
				words = phrase{Text: value + "\u00a0" + unit.Text, Lang: unit.Lang}
			}
		}
		if err != nil {
			return row, err
		}
		row.Said = append(row.Said, words)
	}
	return row, nil
}

// changeAnswer handles POST and PUT /feedback/{session}/answers/{receipt}: JSON replaces the answers; the form's buttons
// begin a change, step through its pages, or delete.
func (s *server) changeAnswer(c *gin.Context) error {
	a, err := s.asked(c)
	if err != nil {
		return err
	}
	if isJSON(c) {
		return s.changeJSON(c, a)
	}
	f, err := s.readForm(c, a)
	if err != nil {
		return err
	}
	f.receipt = c.Param("receipt")
	switch f.said.Get("do") {
	case "delete":
		return s.deleteForm(c, a)
	case "change":
		return s.beginChange(c, f)
	}
	return s.step(c, f, func(f form, answers feedback.Answers) error { return s.changeForm(c, f, answers) })
}

// changeForm changes an answer to what its form says, and leads to the page that says so.
func (s *server) changeForm(c *gin.Context, f form, answers feedback.Answers) error {
	if err := s.change(c, f.asked, f.receipt, answers, s.langs.of(c.Request).Tag); err != nil {
		return err
	}
	s.redirect(c, answerPath(f.session.ID, f.receipt), "changed")
	return nil
}

// change replaces the answers and counts what became of it.
func (s *server) change(c *gin.Context, a asked, receipt string, answers feedback.Answers, lang string) error {
	err := s.Feedback.Change(c.Request.Context(), a.session.ID, receipt, a.whole, answers, lang)
	s.count(submissionChanged, err)
	return err
}

func (s *server) count(done outcome, err error) {
	if err != nil {
		done = outcomeOf(err)
	}
	s.submitted(done)
}

func (s *server) changeJSON(c *gin.Context, a asked) error {
	a.survey = a.whole // what a program has read may be of several waves
	body, answers, err := s.readAnswers(c, a)
	if err != nil || answers == nil {
		return err
	}
	if body.Code != "" {
		return invalidCode(c, "is for new answers only")
	}
	if body.Key != "" {
		return respond(c, http.StatusUnprocessableEntity, invalidJSON{"A change has no key.", map[string]string{"key": "is for new answers only"}})
	}
	if err := s.change(c, a, c.Param("receipt"), answers, body.Lang); err != nil {
		return err
	}
	return respond(c, http.StatusOK, gin.H{"receipt": c.Param("receipt")})
}

// beginChange shows the survey's first page with what was said.
func (s *server) beginChange(c *gin.Context, f form) error {
	row, err := s.Feedback.Get(c.Request.Context(), f.session.ID, f.receipt)
	if err != nil {
		return err
	}
	if answered := f.whole.Answered(row.Answers); !f.promise.Linked && len(answered) == 1 { // the others are other people's
		f.asked, _ = f.in(answered[0], s)
	}
	f.said = f.survey.Form(row.Answers)
	return s.renderSurvey(c, http.StatusOK, f)
}

// deleteAnswer handles DELETE /feedback/{session}/answers/{receipt}.
func (s *server) deleteAnswer(c *gin.Context) error {
	a, err := s.asked(c)
	if err != nil {
		return err
	}
	if err := s.remove(c, a); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

func (s *server) deleteForm(c *gin.Context, a asked) error {
	if err := s.remove(c, a); err != nil {
		return err
	}
	v := answerView{Title: a.session.Title.In(s.langs.of(c.Request).Tag), Deleted: true}
	return s.render(c, http.StatusOK, "answer", "answer.deleted", v)
}

func (s *server) remove(c *gin.Context, a asked) error {
	err := s.Feedback.Delete(c.Request.Context(), a.session.ID, c.Param("receipt"))
	s.count(submissionDeleted, err)
	return err
}
