package handlers

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	"rsc.io/qr"

	"jauge/attendance"
	"jauge/feedback"
)

// asked is what a request about a survey is about.
type asked struct {
	session attendance.Session
	whole   *feedback.Survey // with all its waves
	survey  *feedback.Survey // what is asked now: see in
	wave    string
	promise feedback.Promise // what holds for the answers: what was promised to those before, or more
}

// asked finds the session in the path and its survey. Whoever followed a wrong link reads a page that says so.
func (s *server) asked(c *gin.Context) (asked, error) {
	none := &failure{status: http.StatusNotFound, code: "no_survey", detail: "There is no survey for this session."}
	session, err := s.Attendance.Session(c.Request.Context(), c.Param("session"))
	if errors.Is(err, attendance.ErrNotFound) {
		return asked{}, none
	}
	if err != nil {
		return asked{}, err
	}
	survey := s.survey(session)
	if survey == nil {
		return asked{}, none
	}
	promise := feedback.Promise{Linked: survey.Linked(), MinimumGroup: s.MinimumGroup, Minors: session.Minors}
	// With the store away, the configuration has to do: what was promised is kept when the answer comes to the store.
	if before, given, err := s.Feedback.Promise(c.Request.Context(), session.ID); err == nil && given {
		promise = promise.Tighten(before)
	}
	a, ok := asked{session: session, whole: survey.For(promise.Minors), promise: promise}.in(c.Query("wave"), s)
	if !ok {
		return asked{}, noWave()
	}
	return a, nil
}

// surveyPage handles GET /feedback/{session}: the survey's first page.
func (s *server) surveyPage(c *gin.Context) error {
	a, err := s.asked(c)
	if err != nil {
		return err
	}
	segment, err := s.invitedTo(c, a)
	if err != nil {
		return err
	}
	if !hasSegment(a.session, segment) {
		return &failure{status: http.StatusNotFound, code: "no_survey", detail: "This session has no such segment."}
	}
	said := url.Values{"token": {rand.Text()}, "segment": {segment}, "invite": {c.Query("invite")}}
	return s.renderSurvey(c, http.StatusOK, form{asked: a, said: said})
}

// submit handles POST /feedback/{session}: a page of the form, or all answers as JSON.
func (s *server) submit(c *gin.Context) error {
	a, err := s.asked(c)
	if err != nil {
		return err
	}
	if isJSON(c) {
		return s.submitJSON(c, a)
	}
	f, err := s.readForm(c, a)
	if err != nil {
		return err
	}
	if !hasSegment(a.session, f.said.Get("segment")) {
		return badRequest("This session has no such segment.")
	}
	return s.step(c, f, func(answers feedback.Answers) error {
		receipt, err := s.send(c.Request.Context(), feedback.Submission{
			Session: a.session.ID, Survey: a.whole, Segment: f.said.Get("segment"), Lang: s.langs.of(c.Request).Tag,
			Answers: answers, Key: formKey(f.said.Get("token")), Promise: a.promise, Invitation: f.said.Get("invite"),
		})
		if err != nil {
			return err
		}
		s.redirect(c, answerPath(a.session.ID, receipt), "thanks")
		return nil
	})
}

// tokens are as rand.Text makes them: long enough that nobody guesses one and opens another's answer.
var tokens = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// formKey names a form's submission, so that sending it twice is one answer; empty for a form without our token.
func formKey(token string) string {
	if !tokens.MatchString(token) {
		return ""
	}
	return "form:" + token
}

func answerPath(session, receipt string) string {
	return "/feedback/" + session + "/answers/" + receipt
}

// redirect leads to a page that says what was done; the language chosen on the form goes along.
func (s *server) redirect(c *gin.Context, path, done string) {
	query := url.Values{done: {"1"}}
	if s.langs.byTag(chosenLang(c.Request)) != nil {
		query.Set("lang", chosenLang(c.Request))
	}
	c.Redirect(http.StatusSeeOther, path+"?"+query.Encode())
}

// submissionJSON is what a program sends.
type submissionJSON struct {
	Answers map[string]any `json:"answers"`
	Lang    string         `json:"lang"`
	Segment string         `json:"segment"`
	Wave    string         `json:"wave,omitempty"` // empty: the one that is open

	Invitation string `json:"invitation,omitempty"`
}

// invalidJSON says what is wrong with a program's answers, by question, without repeating them.
type invalidJSON struct {
	Error  string            `json:"error"`
	Fields map[string]string `json:"fields"`
}

func (s *server) submitJSON(c *gin.Context, a asked) error {
	body, answers, err := s.readAnswers(c, a)
	if err != nil || answers == nil {
		return err
	}
	receipt, err := s.send(c.Request.Context(), feedback.Submission{
		Session: a.session.ID, Survey: a.whole, Segment: body.Segment, Lang: body.Lang, Answers: answers, Promise: a.promise,
		Invitation: body.Invitation,
	})
	if errors.Is(err, feedback.ErrEmpty) {
		return respond(c, http.StatusUnprocessableEntity, invalidJSON{"Nothing was answered.", map[string]string{}})
	}
	if err != nil {
		return err
	}
	c.Header("Location", s.link(answerPath(a.session.ID, receipt)))
	return respond(c, http.StatusCreated, gin.H{"receipt": receipt})
}

// readAnswers reads and checks a program's answers. Without answers and without an error, the 422 has been written.
func (s *server) readAnswers(c *gin.Context, a asked) (submissionJSON, feedback.Answers, error) {
	var body submissionJSON
	fields := map[string]string{}
	var f *failure
	switch err := decodeJSON(c, &body); {
	case errors.As(err, &f) && f.status == http.StatusUnprocessableEntity:
		for _, p := range f.problems {
			fields[p.Path] = p.Message
		}
	case err != nil:
		return body, nil, err
	}
	var answers feedback.Answers
	survey := a.survey
	if body.Wave != "" {
		survey = a.whole.In(body.Wave)
	}
	if survey == nil {
		fields["wave"] = "this survey has no such wave"
	} else if parsed, mistakes := feedback.ParseJSON(survey, body.Answers); len(fields) == 0 {
		answers = parsed
		maps.Copy(fields, mistakes.Reasons())
	}
	if !hasSegment(a.session, body.Segment) {
		fields["segment"] = "this session has no such segment"
	}
	if body.Lang != "" && s.langs.byTag(body.Lang) == nil {
		fields["lang"] = "not a language of this service"
	}
	if len(fields) > 0 {
		s.Metrics.Submission(a.session.ID, "invalid")
		return body, nil, respond(c, http.StatusUnprocessableEntity, invalidJSON{"The answers do not fit the survey.", fields})
	}
	return body, answers, nil
}

// form is a survey half-way: everything said so far, as form fields. Every page carries what the others hold, so nothing
// is kept on the server before it is sent.
type form struct {
	asked
	said    url.Values // the fields of all questions, and page, token, segment
	receipt string     // of the answer being changed; empty: a new one
}

// readForm reads a submitted page.
func (s *server) readForm(c *gin.Context, a asked) (form, error) {
	if mediaType(c) != "application/x-www-form-urlencoded" {
		return form{}, &failure{status: http.StatusUnsupportedMediaType, code: "media_type", detail: "The body must be a form or JSON."}
	}
	body, err := readBody(c)
	if err != nil {
		return form{}, err
	}
	said, err := url.ParseQuery(string(body))
	if err != nil {
		return form{}, badRequest("The form cannot be read.")
	}
	c.Request.PostForm = said
	if wave := said.Get("wave"); wave != "" {
		var ok bool
		if a, ok = a.in(wave, s); !ok {
			return form{}, noWave()
		}
	}
	return form{asked: a, said: said}, nil
}

// step takes one submitted page: back to the one before, on to the next, or, after the last one, finish.
func (s *server) step(c *gin.Context, f form, finish func(feedback.Answers) error) error {
	pages := f.pages()
	at := max(0, slices.IndexFunc(pages, func(p feedback.Section) bool { return p.ID == f.said.Get("page") }))
	if f.said.Get("do") == "back" {
		return s.renderSurvey(c, http.StatusOK, f.at(max(0, at-1)))
	}
	if _, mistakes := feedback.ParseForm(f.survey, f.said, pages[at].ID); len(mistakes) > 0 {
		return s.renderMistakes(c, f.at(at), mistakes)
	}
	if at < len(pages)-1 {
		return s.renderSurvey(c, http.StatusOK, f.at(at+1))
	}
	answers, mistakes := feedback.ParseForm(f.survey, f.said)
	if len(mistakes) > 0 { // of an earlier page: the fields it carries were changed on the way
		first := slices.IndexFunc(pages, func(p feedback.Section) bool {
			return slices.ContainsFunc(p.Items(), func(q feedback.Question) bool { _, wrong := mistakes[q.ID]; return wrong })
		})
		return s.renderMistakes(c, f.at(max(0, first)), mistakes)
	}
	return s.finished(c, f.at(at), finish(answers))
}

// finished shows the last page again, with everything that was said, when it could not be kept.
func (s *server) finished(c *gin.Context, f form, err error) error {
	if err == nil || outcome(err) == "invalid" {
		return err
	}
	status, notice := http.StatusServiceUnavailable, "survey.not_kept"
	if errors.Is(err, feedback.ErrEmpty) {
		status, notice = http.StatusUnprocessableEntity, "survey.empty"
	} else {
		s.Log.ErrorContext(c.Request.Context(), "answers not kept", "request", requestID(c), "cause", err)
	}
	v, renderErr := s.surveyView(c, f, nil)
	if renderErr != nil {
		return renderErr
	}
	v.Notice = notice
	return s.renderTitled(c, status, "survey", v.PageTitle, v)
}

// at moves the form to its page number i, from 0.
func (f form) at(i int) form {
	f.said = maps.Clone(f.said)
	f.said.Set("page", f.pages()[i].ID)
	return f
}

// surveyQR handles GET /feedback/{session}/qr.svg.
func (s *server) surveyQR(c *gin.Context) error {
	a, err := s.asked(c)
	if err != nil {
		return err
	}
	segment := c.Query("segment")
	if !hasSegment(a.session, segment) {
		return notFound("This session has no such segment.")
	}
	address, query := s.link("feedback", a.session.ID), url.Values{}
	for _, name := range []string{"segment", "wave"} {
		if c.Query(name) != "" {
			query.Set(name, c.Query(name))
		}
	}
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	drawing, err := qrSVG(address)
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "public, max-age=3600")
	c.Data(http.StatusOK, "image/svg+xml", drawing)
	return nil
}

// quietZone is the margin that ISO/IEC 18004 asks for, in modules.
const quietZone = 4

// qrSVG draws a QR code, dark on white whatever the page's colours: scanners need it.
func qrSVG(content string) ([]byte, error) {
	code, err := qr.Encode(content, qr.M)
	if err != nil {
		return nil, fmt.Errorf("QR code: %w", err)
	}
	var path strings.Builder
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x+quietZone, y+quietZone)
			}
		}
	}
	size := code.Size + 2*quietZone
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" shape-rendering="crispEdges">`+
		`<title>QR</title><path fill="#fff" d="M0 0h%dv%dH0z"/><path d="%s"/></svg>`, size, size, size*8, size*8, size, size, path.String()), nil
}
