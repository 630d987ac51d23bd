package attend

import (
	"crypto/rand"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
	"jauge/handlers/door"
	"jauge/handlers/page"
)

// Page handles GET /feedback/{session}: the survey's first page, or, with ?resume=, the page of a draft.
func (h *Surveys) Page(c *gin.Context) error {
	a, err := h.asked(c)
	if err != nil {
		return err
	}
	segment, err := h.invitedTo(c, a)
	if err != nil {
		return err
	}
	if !a.HasSegment(segment) {
		return &door.Failure{Status: http.StatusNotFound, Code: "no_survey", Detail: "This session has no such segment."}
	}
	f := openForm(c, a)
	f.said.Set("segment", segment)
	if !f.takesCode() {
		f.said.Del("code")
	}
	switch {
	case c.Query("kiosk") != "" && c.Query("sent") != "":
		return h.layout.kioskThanks(c, f)
	case c.Query("kiosk") != "":
		f.said["kiosk"], f.said["token"] = []string{"1"}, []string{rand.Text()}
		return h.layout.render(c, http.StatusOK, f, remarks{})
	case c.Query("resume") != "":
		return h.resume(c, f)
	case c.Query("code") != "" && f.Promise.Linked:
		return h.comeBack(c, f)
	}
	// The browser keeps the page, and revalidates it when it is opened again: the back button finds what was picked.
	c.Header("Cache-Control", "private, no-cache")
	return h.layout.render(c, http.StatusOK, f.blank(h.Key), remarks{})
}

// resume shows a page of a draft: the one in the address, or the one that the person was at.
func (h *Surveys) resume(c *gin.Context, f form) error {
	resume := c.Query("resume")
	token := formToken(h.Key, f.Session.ID, resume)
	draft, err := f.Draft(c.Request.Context(), token)
	switch {
	case errors.Is(err, feedback.ErrSent):
		return h.layout.wasSent(c, f)
	case errors.Is(err, feedback.ErrNotFound) || !tokenShape.MatchString(resume):
		return h.layout.render(c, http.StatusOK, f.blank(h.Key), remarks{note: "survey.no_draft"})
	case err != nil:
		return door.Unavailable(err)
	}
	for field, values := range draft.Form {
		if f.survey.Has(field) { // the survey may have changed since
			f.said[field] = values
		}
	}
	f.said["resume"], f.said["token"], f.said["page"] = []string{resume}, []string{token}, []string{draft.Page}
	if _, known := f.survey.Page(c.Query("page")); known {
		f.said.Set("page", c.Query("page"))
	}
	f.kept = true
	return h.layout.render(c, http.StatusOK, f, remarks{})
}

// invitedTo gives the segment of the invitation that a survey's link carries, or, if it carries none, of its audience.
func (h *Surveys) invitedTo(c *gin.Context, a asked) (segment string, err error) {
	token := c.Query("invite")
	if token == "" {
		return c.Query("segment"), nil
	}
	segment, used, err := a.Invitation(c.Request.Context(), token)
	switch {
	case err != nil:
		return "", err
	case used:
		return "", feedback.ErrUsed
	}
	return segment, nil
}

// QR handles GET /feedback/{session}/qr.svg.
func (h *Surveys) QR(c *gin.Context) error {
	a, err := h.asked(c)
	if err != nil {
		return err
	}
	segment := c.Query("segment")
	if !a.HasSegment(segment) {
		return door.NotFound("This session has no such segment.")
	}
	query := page.Only(c.Request.URL.Query(), page.Printed)
	if code := c.Query("code"); code != "" {
		receipt, _ := h.Feedback.Receipt(code)
		if receipt == "" {
			return door.NotFound("This is no receipt.")
		}
		query.Set("code", receipt)
	}
	drawing, err := page.QR(page.WithQuery(h.Public.JoinPath("feedback", a.Session.ID).String(), query))
	if err != nil {
		return err
	}
	if !query.Has("code") { // a code opens one person's answers
		c.Header("Cache-Control", "public, max-age=3600")
	}
	c.Data(http.StatusOK, "image/svg+xml", drawing)
	return nil
}
