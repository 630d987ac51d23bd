package attend

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
	"jauge/feedback/survey"
	"jauge/handlers/door"
)

// AnswerPage handles GET /feedback/{session}/answers/{receipt}.
func (h *Surveys) AnswerPage(c *gin.Context) error { return h.submissions.guarded(c, h.answerPage) }

func (h *Surveys) answerPage(c *gin.Context) error {
	a, err := h.asked(c)
	if err != nil {
		return err
	}
	row, err := a.Get(c.Request.Context(), c.Param("receipt"))
	if err != nil {
		return err
	}
	survey, err := h.surveyOf(c, a, row)
	if err != nil {
		return err
	}
	if !door.WantsPage(c) {
		return door.Respond(c, http.StatusOK, Submission{Answers: survey.JSON(row.Answers), Lang: row.Lang, Segment: row.Segment})
	}
	l := h.Pages.Lang(c)
	title := l.Say(a.Session.Title)
	receipt, words := h.Feedback.Receipt(c.Param("receipt"))
	v := answerView{
		Title: title.Text, TitleLang: title.Lang, Receipt: receipt, Words: words, Action: answerPath(a.Session.ID, receipt),
		Address: h.Public.JoinPath("feedback", a.Session.ID, "answers", receipt).String(),
		Thanks:  c.Query("thanks") != "", Changed: c.Query("changed") != "", Again: c.Query("again") != "",
	}
	if v.Next, err = h.layout.next(l, a, row, receipt); err != nil {
		return err
	}
	if v.Waves, err = answersIn(l, survey, row.Answers); err != nil {
		return err
	}
	heading, err := l.T("answer.title", "Title", v.Title)
	if err != nil {
		return err
	}
	return h.Pages.RenderTitled(c, http.StatusOK, "answer", heading, v)
}

// surveyOf returns the survey in the version that was answered, so that an old answer stands beside the wording it was given to.
func (h *Surveys) surveyOf(c *gin.Context, a asked, row feedback.Row) (*survey.Survey, error) {
	if row.Survey == a.Survey.ID && row.Version == a.Survey.Version() {
		return a.Survey, nil
	}
	old, err := a.Definition(c.Request.Context(), row.Version)
	if errors.Is(err, feedback.ErrNotFound) { // answered before definitions were kept
		return a.Survey, nil
	}
	return old, err
}

// ChangeAnswer handles POST and PUT /feedback/{session}/answers/{receipt}: JSON replaces the answers; the form's buttons
// begin a change, step through its pages, or delete.
func (h *Surveys) ChangeAnswer(c *gin.Context) error { return h.submissions.guarded(c, h.changeAnswer) }

func (h *Surveys) changeAnswer(c *gin.Context) error {
	a, err := h.asked(c)
	if err != nil {
		return err
	}
	if door.IsJSON(c) {
		return h.changeJSON(c, a)
	}
	f, err := readForm(c, a, h.Now())
	if err != nil {
		return err
	}
	f.receipt = c.Param("receipt")
	switch f.said.Get("do") {
	case "delete":
		return h.deleteForm(c, a)
	case "change":
		return h.beginChange(c, f)
	}
	return h.step(c, f, func(f form, answers survey.Answers) error { return h.changeForm(c, f, answers) })
}

// changeForm changes an answer to what its form says, and leads to the page that says so.
func (h *Surveys) changeForm(c *gin.Context, f form, answers survey.Answers) error {
	if err := h.submissions.change(c, f.asked, f.receipt, answers, h.Pages.Lang(c).Tag); err != nil {
		return err
	}
	h.Pages.Redirect(c, answerPath(f.Session.ID, f.receipt), url.Values{"changed": {"1"}})
	return nil
}

// beginChange shows the survey's first page with what was said.
func (h *Surveys) beginChange(c *gin.Context, f form) error {
	row, err := f.Get(c.Request.Context(), f.receipt)
	if err != nil {
		return err
	}
	if answered := f.Survey.Answered(row.Answers); !f.Promise.Linked && len(answered) == 1 { // not linked: only this wave is theirs
		if f.asked, err = f.in(answered[0], h.Now()); err != nil {
			return err
		}
	}
	f.said = f.survey.Form(row.Answers)
	return h.layout.render(c, http.StatusOK, f, remarks{})
}

// DeleteAnswer handles DELETE /feedback/{session}/answers/{receipt}.
func (h *Surveys) DeleteAnswer(c *gin.Context) error { return h.submissions.guarded(c, h.deleteAnswer) }

func (h *Surveys) deleteAnswer(c *gin.Context) error {
	a, err := h.asked(c)
	if err != nil {
		return err
	}
	if err := h.submissions.remove(c, a, c.Param("receipt")); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

func (h *Surveys) deleteForm(c *gin.Context, a asked) error {
	if err := h.submissions.remove(c, a, c.Param("receipt")); err != nil {
		return err
	}
	v := answerView{Title: a.Session.Title.In(h.Pages.Lang(c).Tag), Deleted: true}
	return h.Pages.Render(c, http.StatusOK, "answer", "answer.deleted", v)
}
