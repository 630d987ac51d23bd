package attend

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
	"jauge/feedback/survey"
	"jauge/handlers/door"
	"jauge/handlers/page"
)

// step takes one submitted page: back to the one before, on to the next, or, after the last one, finish.
func (h *Surveys) step(c *gin.Context, f form, finish func(form, survey.Answers) error) error {
	pages, at := f.pages(), f.page()
	f = f.at(at)
	if f.said.Get("do") == "back" {
		return h.turn(c, f, max(0, at-1))
	}
	if _, mistakes := survey.ParseForm(f.survey, f.said, pages[at].ID); len(mistakes) > 0 || f.wrong != "" && at == 0 {
		return h.invalid(c, f, remarks{mistakes: mistakes})
	}
	if f.wrong != "" {
		return h.invalid(c, f.at(0), remarks{})
	}
	if at < len(pages)-1 {
		return h.turn(c, f, at+1)
	}
	answers, mistakes := survey.ParseForm(f.survey, f.said)
	if len(mistakes) > 0 { // on an earlier page: its carried fields were changed on the way
		first := slices.IndexFunc(pages, func(p survey.Section) bool {
			return slices.ContainsFunc(p.Items(), func(q survey.Question) bool { _, wrong := mistakes[q.ID]; return wrong })
		})
		return h.invalid(c, f.at(max(0, first)), remarks{mistakes: mistakes})
	}
	return h.finished(c, f, finish(f, answers))
}

// turn leads to another page of the form. Where a draft is kept, that page has an address of its own, so that a reload, the back
// button, a lost connection and a bookmark all find the answers; else it is the response, and carries them as hidden fields.
func (h *Surveys) turn(c *gin.Context, f form, to int) error {
	next := f.at(to)
	if !f.kept || f.receipt != "" {
		return h.layout.render(c, http.StatusOK, next, remarks{})
	}
	draft := f.draft()
	draft.Page = next.said.Get("page")
	if !slices.Contains(draft.Seen, draft.Page) {
		draft.Seen = append(draft.Seen, draft.Page)
	}
	err := f.SaveDraft(c.Request.Context(), f.said.Get("token"), f.survey, draft)
	if err != nil {
		h.Log.WarnContext(c.Request.Context(), "draft not kept", "request", door.RequestID(c), "cause", err)
		next.kept = false
		return h.layout.render(c, http.StatusOK, next, remarks{})
	}
	c.Redirect(http.StatusSeeOther, f.address(page.Chosen(c.Request), "")+"&page="+url.QueryEscape(draft.Page))
	return nil
}

// finished shows the last page again, with all answers, when they could not be kept.
func (h *Surveys) finished(c *gin.Context, f form, err error) error {
	if err == nil || outcomeOf(err) == door.SubmissionInvalid || isRefused(err) {
		return err
	}
	status, notice := http.StatusServiceUnavailable, "survey.not_kept"
	if errors.Is(err, feedback.ErrEmpty) {
		status, notice = http.StatusUnprocessableEntity, "survey.empty"
	} else {
		h.Log.ErrorContext(c.Request.Context(), "answers not kept", "request", door.RequestID(c), "cause", err)
	}
	return h.layout.render(c, status, f, remarks{notice: notice})
}

// invalid shows a form's page again, with what is wrong with it.
func (h *Surveys) invalid(c *gin.Context, f form, r remarks) error {
	h.submissions.submitted(door.SubmissionInvalid)
	return h.layout.render(c, http.StatusUnprocessableEntity, f, r)
}
