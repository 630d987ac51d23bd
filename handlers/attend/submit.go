package attend

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
	"jauge/feedback/survey"
	"jauge/handlers/door"
	"jauge/handlers/page"
)

// Submit handles POST /feedback/{session}: a page of the form, or all answers as JSON, or a receipt code to open.
func (h *Surveys) Submit(c *gin.Context) error {
	a, err := h.asked(c)
	if err != nil {
		return err
	}
	if door.IsJSON(c) {
		return h.submitJSON(c, a)
	}
	f, err := readForm(c, a, h.Now())
	if err != nil {
		return err
	}
	if receipt := strings.TrimSpace(f.said.Get("receipt")); f.said.Get("do") == "open" && receipt != "" {
		c.Redirect(http.StatusSeeOther, answerPath(a.Session.ID, url.PathEscape(receipt)))
		return nil
	}
	if !a.HasSegment(f.said.Get("segment")) {
		return door.BadRequest("This session has no such segment.")
	}
	if f, err = h.recall(c, f); err != nil {
		return err
	}
	if f.lost {
		return h.layout.wasSent(c, f)
	}
	if f.over {
		done := ""
		if f.sending() { // a double click
			done = "sent"
		}
		c.Redirect(http.StatusSeeOther, f.address(page.Chosen(c.Request), done))
		return nil
	}
	if f, err = h.checkCode(c, f); err != nil {
		return err
	}
	return h.step(c, f, func(f form, answers survey.Answers) error {
		if f.receipt != "" { // it was sent before
			return h.changeForm(c, f, answers)
		}
		return h.sendForm(c, f, answers)
	})
}

// recall adds to a page that was sent the rest of its form: from its draft, or, if the form was sent before, from the answer, so that
// the back button leads to a change of that. In a kiosk the next person may be there, so a sent form is neither shown nor changed.
func (h *Surveys) recall(c *gin.Context, f form) (form, error) {
	ctx := c.Request.Context()
	if f.kiosk() {
		if key := formKey(f.said.Get("token")); key != "" {
			_, _, err := f.Sent(ctx, key)
			f.over = err == nil || errors.Is(err, feedback.ErrDeleted)
		}
		return f, nil
	}
	if !f.resumable(h.Key) {
		return f, nil
	}
	draft, err := f.Draft(ctx, f.said.Get("token"))
	switch {
	case err == nil:
		f.kept, f.seen = true, draft.Seen
		return f.with(draft.Form), nil
	case errors.Is(err, feedback.ErrNotFound):
		f.kept = true
	case errors.Is(err, feedback.ErrSent):
		return h.recallSent(c, f)
	default:
		h.Log.WarnContext(ctx, "draft not read", "request", door.RequestID(c), "cause", err)
	}
	return f, nil
}

// recallSent finds the answer of a form that was sent before: by the form's own key, or, if the answer was linked to an earlier one, by
// the code in the form. If neither finds it, the code was removed on the way: the page could be a second answer, and none is made.
func (h *Surveys) recallSent(c *gin.Context, f form) (form, error) {
	receipt, row, err := f.Sent(c.Request.Context(), formKey(f.said.Get("token")))
	if code := f.said.Get("code"); errors.Is(err, feedback.ErrNotFound) && code != "" {
		receipt, _ = h.Feedback.Receipt(code)
		if row, err = h.submissions.byCode(c, f.asked, code); isRefused(err) {
			return f, err
		}
	}
	switch {
	case errors.Is(err, feedback.ErrDeleted):
		return f, err
	case errors.Is(err, feedback.ErrNotFound):
		f.lost = f.Promise.Linked
	case f.sending():
		f.kept = true
	case err == nil:
		f.receipt = receipt
		f = f.with(f.survey.Form(row.Answers))
		for _, name := range []string{"token", "resume", "code"} { // a change is named by its receipt
			f.said.Del(name)
		}
	}
	return f, nil
}

// sendForm submits a form's answers, and leads to the page that says so.
func (h *Surveys) sendForm(c *gin.Context, f form, answers survey.Answers) error {
	ctx := c.Request.Context()
	receipt, err := h.submissions.send(c, f.asked, feedback.Submission{
		Segment: f.said.Get("segment"), Lang: h.Pages.Lang(c).Tag,
		Answers: answers, Key: formKey(f.said.Get("token")), Invitation: f.said.Get("invite"),
		Wave: f.wave, Token: f.said.Get("code"), Unlinked: f.kiosk(),
	})
	if err != nil {
		return err
	}
	if f.kiosk() {
		c.Redirect(http.StatusSeeOther, f.address(page.Chosen(c.Request), "sent"))
		return nil
	}
	if f.resumable(h.Key) { // also with the store away: a draft must not outlast its answer
		if err := f.FinishDraft(ctx, f.said.Get("token"), f.survey, f.draft()); err != nil {
			h.Log.ErrorContext(ctx, "draft not dropped", "request", door.RequestID(c), "cause", err)
		}
	}
	h.Pages.Redirect(c, answerPath(f.Session.ID, receipt), url.Values{"thanks": {"1"}})
	return nil
}
