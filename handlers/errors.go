package handlers

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
	"jauge/internal/problem"
	"jauge/programme"
)

// failure is what a handler returns when it cannot do what was asked: a stable code, a sentence that may leave the
// house, and a cause that may not.
type failure struct {
	status   int
	code     string // of the page's texts, and of the problem's "code"
	detail   string // for programs, in English; never made from an inner error
	problems problem.Problems
	cause    error // for the log only
}

func (f *failure) Error() string { return f.code }

func (f *failure) Unwrap() error { return f.cause }

func notFound(detail string) *failure {
	return &failure{status: http.StatusNotFound, code: "not_found", detail: detail}
}

func badRequest(detail string) *failure {
	return &failure{status: http.StatusBadRequest, code: "bad_request", detail: detail}
}

func unavailable(cause error) *failure {
	return &failure{
		status: http.StatusServiceUnavailable, code: "unavailable", cause: cause,
		detail: "The store cannot be reached. Nothing was changed; please repeat the request.",
	}
}

var errMethod = &failure{
	status: http.StatusMethodNotAllowed, code: "method_not_allowed", detail: "This address does not take this method.",
}

// asFailure is the only place where an error of the domains becomes a status. What it does not know is internal.
func (s *server) asFailure(err error) *failure {
	var f *failure
	var problems problem.Problems
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, programme.ErrNotFound):
		return notFound("There is no session with this id.")
	case errors.Is(err, programme.ErrExists):
		return &failure{status: http.StatusConflict, code: "conflict", detail: "A session with this id exists; change it with PUT."}
	case errors.Is(err, feedback.ErrNotFound):
		return &failure{status: http.StatusNotFound, code: "no_answer", detail: "There is no answer with this receipt."}
	case errors.Is(err, feedback.ErrDeleted):
		return &failure{status: http.StatusGone, code: "deleted", detail: "The answer with this receipt was deleted."}
	case errors.Is(err, feedback.ErrUninvited):
		return errUninvited
	case errors.Is(err, feedback.ErrUsed):
		return errUsed
	case errors.Is(err, feedback.ErrConflict):
		return &failure{status: http.StatusConflict, code: "conflict", detail: "The answer is being changed by another request; please repeat."}
	case errors.Is(err, feedback.ErrEmpty):
		return &failure{status: http.StatusUnprocessableEntity, code: "invalid", detail: "Nothing was answered."}
	case errors.Is(err, feedback.ErrTooFew):
		return &failure{status: http.StatusConflict, code: "too_few", detail: "Rows are given once twice the minimum group have answered."}
	case errors.Is(err, feedback.ErrMinors):
		return &failure{status: http.StatusForbidden, code: "minors", detail: "Answers of minors are shown in groups only."}
	case errors.Is(err, feedback.ErrUnlinked):
		return &failure{status: http.StatusUnprocessableEntity, code: "unlinked", detail: "It was promised that answers of several waves are not kept together: answer the other wave anew."}
	case errors.Is(err, feedback.ErrNoText):
		return notFound("There is no text with this id.")
	case errors.Is(err, feedback.ErrDecision):
		return badRequest("decision is approve or hide.")
	case errors.As(err, &problems):
		return &failure{status: http.StatusUnprocessableEntity, code: "invalid", detail: "The definition has mistakes.", problems: problems}
	case s.Away(err):
		return unavailable(err)
	}
	return &failure{status: http.StatusInternalServerError, code: "internal", detail: "Something went wrong on our side.", cause: err}
}

// statusHungUp is what a request is logged and counted as whose caller did not wait for the answer. No standard code says
// so; this is the one of nginx. It is nobody's failure.
const statusHungUp = 499

// codeUnauthorized is the failure of who is not signed in; a wrong webhook signature is another.
const codeUnauthorized = "unauthorized"

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

// fail writes err as a page to people and as a problem to programs. Causes go to the log, never to the caller.
func (s *server) fail(c *gin.Context, err error) {
	if c.Request.Context().Err() != nil {
		c.Status(statusHungUp)
		return
	}
	f := s.asFailure(err)
	if f.cause != nil {
		s.Log.ErrorContext(c.Request.Context(), "request failed", "request", requestID(c), "route", c.FullPath(), "cause", f.cause)
	}
	if f.status == http.StatusServiceUnavailable {
		c.Header("Retry-After", "5")
	}
	if f.code == codeUnauthorized {
		c.Header("WWW-Authenticate", `Bearer realm="jauge"`)
	}
	if s.wantsPage(c) {
		pageErr := s.failPage(c, f)
		if pageErr == nil {
			return
		}
		s.Log.ErrorContext(c.Request.Context(), "error page failed", "request", requestID(c), "cause", pageErr)
	}
	body := problemJSON{
		Type: "about:blank", Title: http.StatusText(f.status), Status: f.status, Detail: f.detail, Code: f.code, Request: requestID(c),
	}
	for _, p := range f.problems {
		body.Errors = append(body.Errors, problemItem(p))
	}
	writeJSON(c, f.status, "application/problem+json", body)
}

// failPage tells a person what happened and what to do; who is not signed in gets the form to do so at once.
func (s *server) failPage(c *gin.Context, f *failure) error {
	if f.code == codeUnauthorized {
		return s.render(c, f.status, "login", "login.title", loginView{Next: localPath(c.Request.URL.Path)})
	}
	return s.render(c, f.status, "error", "error."+f.code+".title", errorView{Code: f.code, Request: requestID(c)})
}

type errorView struct{ Code, Request string }

// wantsPage says whether the caller is a person: not at the programs' addresses, and not speaking JSON.
func (s *server) wantsPage(c *gin.Context) bool {
	if s.readerOf(c) == programs {
		return false
	}
	accept := c.GetHeader("Accept")
	return strings.Contains(accept, "text/html") || !strings.Contains(accept, "json") && !isJSON(c)
}
