package handlers

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"jauge/attendance"
	"jauge/feedback"
	"jauge/handlers/door"
	"jauge/internal/problem"
	"jauge/programme"
)

// asFailure is the only place where an error of the domains becomes a status. An unknown error is internal (500).
func (s *server) asFailure(err error) *door.Failure {
	var f *door.Failure
	var problems problem.Problems
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, programme.ErrNotFound):
		return door.NotFound("There is no session with this id.")
	case errors.Is(err, programme.ErrExists):
		return &door.Failure{Status: http.StatusConflict, Code: "conflict", Detail: "A session with this id exists; change it with PUT."}
	case errors.Is(err, programme.ErrClaimed):
		return &door.Failure{Status: http.StatusConflict, Code: "conflict", Detail: "Another session has this meeting."}
	case errors.Is(err, attendance.ErrNothingAside):
		return door.NotFound("Nothing of this is aside, or was counted by hand.")
	case errors.Is(err, attendance.ErrBusy):
		return door.Unavailable(err)
	case errors.Is(err, feedback.ErrNoSurvey):
		return door.NotFound("This session has no survey.")
	case errors.Is(err, feedback.ErrNotFound):
		return &door.Failure{Status: http.StatusNotFound, Code: "no_answer", Detail: "There is no answer with this receipt."}
	case errors.Is(err, feedback.ErrDeleted):
		return &door.Failure{Status: http.StatusGone, Code: "deleted", Detail: "The answer with this receipt was deleted."}
	case errors.Is(err, feedback.ErrUninvited):
		return &door.Failure{Status: http.StatusNotFound, Code: "uninvited", Detail: "There is no such invitation to this session."}
	case errors.Is(err, feedback.ErrUsed):
		return &door.Failure{Status: http.StatusGone, Code: "used", Detail: "This invitation was used; the receipt changes the answer."}
	case errors.Is(err, feedback.ErrConflict):
		return &door.Failure{Status: http.StatusConflict, Code: "conflict", Detail: "The answer is being changed by another request; please repeat."}
	case errors.Is(err, feedback.ErrEmpty):
		return &door.Failure{Status: http.StatusUnprocessableEntity, Code: "invalid", Detail: "Nothing was answered."}
	case errors.Is(err, feedback.ErrTooFew):
		return &door.Failure{Status: http.StatusConflict, Code: "too_few", Detail: "Rows are given once twice the minimum group have answered."}
	case errors.Is(err, feedback.ErrMinors):
		return &door.Failure{Status: http.StatusForbidden, Code: "minors", Detail: "Answers of minors are shown in groups only."}
	case errors.Is(err, feedback.ErrUnlinked):
		return &door.Failure{Status: http.StatusUnprocessableEntity, Code: "unlinked", Detail: "It was promised that answers of several waves are not kept together: answer the other wave anew."}
	case errors.Is(err, feedback.ErrNoText):
		return door.NotFound("There is no text with this id.")
	case errors.Is(err, feedback.ErrDecision):
		return door.BadRequest("decision is approve or hide.")
	case errors.As(err, &problems):
		return &door.Failure{Status: http.StatusUnprocessableEntity, Code: "invalid", Detail: "The definition has mistakes.", Problems: problems}
	case s.Away(err):
		return door.Unavailable(err)
	}
	return &door.Failure{Status: http.StatusInternalServerError, Code: "internal", Detail: "Something went wrong on our side.", Cause: err}
}

// statusHungUp is logged and counted for a request whose caller did not wait for the answer: nginx' code, as there is no standard
// one. It counts as no error of the service.
const statusHungUp = 499

// problemJSON is an error as RFC 9457 writes it, with the extensions code, request and errors.
type problemJSON struct {
	Type    string        `json:"type"`
	Title   string        `json:"title"`
	Status  int           `json:"status"`
	Detail  string        `json:"detail"`
	Code    string        `json:"code"`
	Request string        `json:"request"`
	Errors  []problemItem `json:"errors,omitempty"`
}

type problemItem struct {
	Path    string `json:"path"`
	Message string `json:"message"`
}

// fail writes err as a page for people and as a problem for programs. Causes go to the log, never to the caller.
func (s *server) fail(c *gin.Context, err error) {
	if c.Request.Context().Err() != nil {
		c.Status(statusHungUp)
		return
	}
	s.introduce(c)
	f := s.asFailure(err)
	if f.Cause != nil {
		s.Log.ErrorContext(c.Request.Context(), "request failed", "request", door.RequestID(c), "route", c.FullPath(), "cause", f.Cause)
	}
	if f.Status == http.StatusServiceUnavailable {
		c.Header("Retry-After", "5")
	}
	if f.Code == door.CodeUnauthorized {
		c.Header("WWW-Authenticate", `Bearer realm="jauge"`)
	}
	if door.WantsPage(c) {
		pageErr := s.failPage(c, f)
		if pageErr == nil {
			return
		}
		s.Log.ErrorContext(c.Request.Context(), "error page failed", "request", door.RequestID(c), "cause", pageErr)
	}
	body := problemJSON{
		Type: "about:blank", Title: http.StatusText(f.Status), Status: f.Status, Detail: f.Detail, Code: f.Code, Request: door.RequestID(c),
	}
	for _, p := range f.Problems {
		body.Errors = append(body.Errors, problemItem(p))
	}
	door.WriteJSON(c, f.Status, "application/problem+json", body)
}

// failPage tells a person what happened and what to do; a person who is not signed in gets the login form.
func (s *server) failPage(c *gin.Context, f *door.Failure) error {
	if f.Code == door.CodeUnauthorized {
		return s.organise.Unauthorized(c)
	}
	return s.pages.Render(c, f.Status, "error", "error."+f.Code+".title", errorView{Code: f.Code, Request: door.RequestID(c)})
}

type errorView struct{ Code, Request string }
