package attend

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
	"jauge/handlers/door"
)

// Where a person's answers of several waves are linked, the code for the later ones is the receipt of the first, three words: typed
// into a field of the first page, or in a link or QR code that the person kept.

// comeBack opens the link that was kept from an earlier wave: it leads to the person's answers to this wave, or, if there are none, to
// a form with the code.
func (h *Surveys) comeBack(c *gin.Context, f form) error {
	code := c.Query("code")
	row, err := h.submissions.byCode(c, f.asked, code)
	switch {
	case isRefused(err):
		return err
	case err == nil && (!f.takesCode() || slices.Contains(f.Survey.Answered(row.Answers), f.wave)):
		receipt, _ := h.Feedback.Receipt(code)
		h.Pages.Redirect(c, answerPath(f.Session.ID, receipt), url.Values{"again": {"1"}})
		return nil
	}
	f, status := f.blank(h.Key), http.StatusOK
	if f.takesCode() {
		f.wrong = h.wrongCode(c, err)
	}
	if f.wrong != "" {
		status = http.StatusUnprocessableEntity
	}
	return h.layout.render(c, status, f, remarks{})
}

// checkCode checks that a form's code is a receipt.
func (h *Surveys) checkCode(c *gin.Context, f form) (form, error) {
	code := f.said.Get("code")
	if code == "" || f.receipt != "" {
		return f, nil
	}
	_, err := h.submissions.byCode(c, f.asked, code)
	if isRefused(err) {
		return f, err
	}
	f.wrong = h.wrongCode(c, err)
	return f, nil
}

// wrongCode says what is wrong with a code, as a message's id. With the store away, a code counts as right.
func (h *Surveys) wrongCode(c *gin.Context, err error) string {
	switch {
	case errors.Is(err, feedback.ErrNotFound):
		return "mistake.code"
	case errors.Is(err, feedback.ErrDeleted):
		return "mistake.code_deleted"
	case err != nil:
		h.Log.WarnContext(c.Request.Context(), "code not checked", "request", door.RequestID(c), "cause", err)
	}
	return ""
}
