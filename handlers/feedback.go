package handlers

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
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

	"jauge/feedback"
	"jauge/programme"
)

// asked is what a request about a survey is about.
type asked struct {
	session programme.Session
	whole   *feedback.Survey // with all its waves
	survey  *feedback.Survey // what is asked now: see in
	wave    string
	promise feedback.Promise // what holds for the answers: what was promised to those before, or more
}

// asked finds the session in the path and its survey. Whoever followed a wrong link reads a page that says so.
func (s *server) asked(c *gin.Context) (asked, error) {
	none := &failure{status: http.StatusNotFound, code: "no_survey", detail: "There is no survey for this session."}
	session, err := s.Programme.Session(c.Request.Context(), c.Param("session"))
	if errors.Is(err, programme.ErrNotFound) {
		return asked{}, none
	}
	if err != nil {
		return asked{}, err
	}
	survey := s.survey(session)
	if survey == nil {
		return asked{}, none
	}
	promise := s.promised(c.Request.Context(), session, survey)
	a, ok := asked{session: session, whole: survey.For(promise.Minors), promise: promise}.in(c.Query("wave"), s)
	if !ok {
		return asked{}, noWave()
	}
	return a, nil
}

// promised is what holds for a session's answers: what was promised to those who gave some, or more. With the store away,
// the configuration has to do: what was promised is kept when the answer comes to the store.
func (s *server) promised(ctx context.Context, session programme.Session, survey *feedback.Survey) feedback.Promise {
	promise := feedback.Promise{Linked: survey.Linked(), MinimumGroup: s.MinimumGroup, Minors: session.Minors}
	if before, given, err := s.Feedback.Promise(ctx, session.ID); err == nil && given {
		promise = promise.Tighten(before)
	}
	promise.Linked = promise.Linked && !promise.Minors
	return promise
}

// surveyPage handles GET /feedback/{session}: the survey's first page, or, with ?resume=, the page of a draft.
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
	f := form{asked: a, said: url.Values{"segment": {segment}, "invite": {c.Query("invite")}, "kiosk": {c.Query("kiosk")}}}
	if f.takesCode() {
		f.said.Set("code", c.Query("code"))
	}
	switch {
	case c.Query("kiosk") != "" && c.Query("sent") != "":
		return s.kioskThanks(c, f)
	case c.Query("kiosk") != "":
		f.said["kiosk"], f.said["token"] = []string{"1"}, []string{rand.Text()}
		return s.renderSurvey(c, http.StatusOK, f)
	case c.Query("resume") != "":
		return s.resume(c, f)
	case c.Query("code") != "" && f.promise.Linked:
		return s.comeBack(c, f)
	}
	// Kept by the browser, and looked at again when it is asked for: so that the back button finds what was picked on it.
	c.Header("Cache-Control", "private, no-cache")
	return s.renderSurvey(c, http.StatusOK, s.blank(f))
}

// blank gives a form its two names: the token under which it is sent, which opens the answer and stands in no address, and
// the one under which an address resumes it. Only this service finds the first by the second, and only until it is sent.
func (s *server) blank(f form) form {
	f.said = maps.Clone(f.said)
	f.said.Set("resume", rand.Text())
	f.said.Set("token", s.formToken(f.session.ID, f.said.Get("resume")))
	return f
}

// formToken is the token of the form that an address resumes.
func (s *server) formToken(session, resume string) string {
	mac := hmac.New(sha256.New, s.Key)
	mac.Write([]byte("form\x00" + session + "\x00" + resume))
	return base32.StdEncoding.EncodeToString(mac.Sum(nil))[:26]
}

// resume shows the page of a draft that the address names, or the one that its person was at.
func (s *server) resume(c *gin.Context, f form) error {
	resume := c.Query("resume")
	token := s.formToken(f.session.ID, resume)
	draft, err := s.Feedback.Draft(c.Request.Context(), f.session.ID, token)
	switch {
	case errors.Is(err, feedback.ErrSent):
		return s.wasSent(c, f)
	case errors.Is(err, feedback.ErrNotFound) || !tokens.MatchString(resume):
		return s.renderNoted(c, http.StatusOK, s.blank(f), "survey.no_draft")
	case err != nil:
		return unavailable(err)
	}
	for field, values := range draft.Form {
		if f.survey.Has(field) { // it may have changed since
			f.said[field] = values
		}
	}
	f.said["resume"], f.said["token"], f.said["page"] = []string{resume}, []string{token}, []string{draft.Page}
	if _, known := f.survey.Page(c.Query("page")); known {
		f.said.Set("page", c.Query("page"))
	}
	f.kept = true
	return s.renderSurvey(c, http.StatusOK, f)
}

// sentView is what stands at a draft's address once the form is sent.
type sentView struct {
	Title, Action string
	Words         bool // what opens the answers is three words
}

func (s *server) wasSent(c *gin.Context, f form) error {
	title := f.session.Title.In(s.langs.of(c.Request).Tag)
	v := sentView{Title: title, Action: "/feedback/" + f.session.ID, Words: f.promise.Linked}
	return s.renderTitled(c, http.StatusOK, "sent", title, v)
}

// submit handles POST /feedback/{session}: a page of the form, or all answers as JSON, or a receipt code to open.
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
	if receipt := strings.TrimSpace(f.said.Get("receipt")); f.said.Get("do") == "open" && receipt != "" {
		c.Redirect(http.StatusSeeOther, answerPath(a.session.ID, url.PathEscape(receipt)))
		return nil
	}
	if !hasSegment(a.session, f.said.Get("segment")) {
		return badRequest("This session has no such segment.")
	}
	if f, err = s.recall(c, f); err != nil {
		return err
	}
	if f.lost {
		return s.wasSent(c, f)
	}
	if f.over {
		done := ""
		if f.sending() { // a double click
			done = "sent"
		}
		c.Redirect(http.StatusSeeOther, f.address(chosenLang(c.Request), done))
		return nil
	}
	if f, err = s.checkCode(c, f); err != nil {
		return err
	}
	return s.step(c, f, func(f form, answers feedback.Answers) error {
		if f.receipt != "" { // it was sent before
			return s.changeForm(c, f, answers)
		}
		return s.sendForm(c, f, answers)
	})
}

// recall adds to a page that was sent what is known of its form: what its draft holds, or what was sent already, so that
// the back button leads to a change of it. In a kiosk the next person is at it by then: nothing of it is shown or changed.
func (s *server) recall(c *gin.Context, f form) (form, error) {
	ctx := c.Request.Context()
	if f.kiosk() {
		if key := formKey(f.said.Get("token")); key != "" {
			_, _, err := s.Feedback.Sent(ctx, f.session.ID, key)
			f.over = err == nil || errors.Is(err, feedback.ErrDeleted)
		}
		return f, nil
	}
	if !s.resumable(f) {
		return f, nil
	}
	draft, err := s.Feedback.Draft(ctx, f.session.ID, f.said.Get("token"))
	switch {
	case err == nil:
		f.kept, f.seen = true, draft.Seen
		return f.with(draft.Form), nil
	case errors.Is(err, feedback.ErrNotFound):
		f.kept = true
	case errors.Is(err, feedback.ErrSent):
		return s.recallSent(c, f)
	default:
		s.Log.WarnContext(ctx, "draft not read", "request", requestID(c), "cause", err)
	}
	return f, nil
}

// resumable says whether the form is one that an address resumes.
func (s *server) resumable(f form) bool {
	resume := f.said.Get("resume")
	return tokens.MatchString(resume) && s.formToken(f.session.ID, resume) == f.said.Get("token")
}

// recallSent leads what comes again of a form that was sent to its answer: under the form's own key, or, if it joined
// another, under the code that it carries. When neither finds it, somebody took the code away: nothing tells it any more
// from a second answer, and none is made.
func (s *server) recallSent(c *gin.Context, f form) (form, error) {
	receipt, row, err := s.Feedback.Sent(c.Request.Context(), f.session.ID, formKey(f.said.Get("token")))
	if code := f.said.Get("code"); errors.Is(err, feedback.ErrNotFound) && code != "" {
		receipt, _ = s.Feedback.Receipt(code)
		if row, err = s.bring(c, f.session.ID, code); isRefused(err) {
			return f, err
		}
	}
	switch {
	case errors.Is(err, feedback.ErrDeleted):
		return f, err
	case errors.Is(err, feedback.ErrNotFound):
		f.lost = f.promise.Linked
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
func (s *server) sendForm(c *gin.Context, f form, answers feedback.Answers) error {
	ctx := c.Request.Context()
	receipt, err := s.send(c, feedback.Submission{
		Session: f.session.ID, Survey: f.whole, Segment: f.said.Get("segment"), Lang: s.langs.of(c.Request).Tag,
		Answers: answers, Key: formKey(f.said.Get("token")), Promise: f.promise, Invitation: f.said.Get("invite"),
		Wave: f.wave, Token: f.said.Get("code"), Unlinked: f.kiosk(),
	})
	if err != nil {
		return err
	}
	if f.kiosk() {
		c.Redirect(http.StatusSeeOther, f.address(chosenLang(c.Request), "sent"))
		return nil
	}
	if s.resumable(f) { // also where the store is away: what was kept must not outlast what was sent
		if err := s.Feedback.FinishDraft(ctx, f.session.ID, f.said.Get("token"), f.survey, f.draft()); err != nil {
			s.Log.ErrorContext(ctx, "draft not dropped", "request", requestID(c), "cause", err)
		}
	}
	s.redirect(c, answerPath(f.session.ID, receipt), "thanks")
	return nil
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
	Code    string         `json:"code,omitempty"` // the receipt of an earlier wave, of which this is the same person
	Key     string         `json:"key,omitempty"`  // or the header Idempotency-Key

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
	submission := feedback.Submission{
		Session: a.session.ID, Survey: a.whole, Segment: body.Segment, Lang: body.Lang, Answers: answers, Promise: a.promise,
		Invitation: body.Invitation, Once: body.Key != "", Wave: cmp.Or(body.Wave, a.wave), Token: body.Code,
	}
	if submission.Once {
		submission.Key = "api:" + body.Key
	}
	receipt, err := s.send(c, submission)
	switch {
	case body.Code != "" && errors.Is(err, feedback.ErrNotFound):
		return invalidCode(c, "is the receipt of no answer to this session")
	case body.Code != "" && errors.Is(err, feedback.ErrDeleted):
		return invalidCode(c, "is the receipt of an answer that was deleted")
	case errors.Is(err, feedback.ErrEmpty):
		return respond(c, http.StatusUnprocessableEntity, invalidJSON{"Nothing was answered.", map[string]string{}})
	case errors.Is(err, feedback.ErrReused):
		return respond(c, http.StatusUnprocessableEntity, invalidJSON{
			"This key was used for other answers. They are changed through their receipt.", map[string]string{"key": "was used for other answers"},
		})
	}
	if err != nil {
		return err
	}
	c.Header("Location", s.link(answerPath(a.session.ID, receipt)))
	return respond(c, http.StatusCreated, gin.H{"receipt": receipt})
}

func invalidCode(c *gin.Context, wrong string) error {
	return respond(c, http.StatusUnprocessableEntity, invalidJSON{"The code does not fit.", map[string]string{"code": wrong}})
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
	if body.Code != "" && (!a.promise.Linked || cmp.Or(body.Wave, a.wave) == a.whole.Waves[0].ID) {
		fields["code"] = "is for later waves of a survey whose answers are kept together"
	}
	if wrong := body.readKey(c); wrong != "" {
		fields["key"] = wrong
	}
	if len(fields) > 0 {
		s.submitted(submissionInvalid)
		return body, nil, respond(c, http.StatusUnprocessableEntity, invalidJSON{"The answers do not fit the survey.", fields})
	}
	return body, answers, nil
}

// keys are what programs call a submission with: long enough that nobody guesses one.
var keys = regexp.MustCompile(`^[\x20-\x7e]{16,255}$`)

// readKey takes the idempotency key from the header, a string as RFC 9651 quotes it or as it is
// (draft-ietf-httpapi-idempotency-key-header), or from the body, and says what is wrong with it; "": nothing.
func (b *submissionJSON) readKey(c *gin.Context) (wrong string) {
	if header := c.GetHeader("Idempotency-Key"); header != "" {
		if quoted, ok := strings.CutPrefix(header, `"`); ok {
			header = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(strings.TrimSuffix(quoted, `"`))
		}
		if b.Key != "" && b.Key != header {
			return "differs from the header Idempotency-Key"
		}
		b.Key = header
	}
	if b.Key != "" && !keys.MatchString(b.Key) {
		return "must be 16 to 255 characters of ASCII"
	}
	return ""
}

// form is a survey half-way: everything said so far, as form fields. Every page carries what the others hold, so that
// nothing is lost while the store is away.
type form struct {
	asked
	said    url.Values // the fields of all questions, and page and carriedFields
	receipt string     // of the answer being changed; empty: a new one
	kept    bool       // pages are kept as a draft
	seen    []string   // the pages that the draft has shown
	over    bool       // in a kiosk: it was sent, and must not be shown to the next person
	lost    bool       // it was sent, and its answer is not found
	wrong   string     // a message's id: what is wrong with its code
}

// carriedFields are a form's own: what names it, and how it was opened.
var carriedFields = []string{"token", "resume", "segment", "kiosk", "invite", "code"}

func (f form) kiosk() bool { return f.said.Get("kiosk") != "" }

// page is the number of the page that the form is at, from 0.
func (f form) page() int {
	return max(0, slices.IndexFunc(f.pages(), func(p feedback.Section) bool { return p.ID == f.said.Get("page") }))
}

// sending says whether its last page was sent.
func (f form) sending() bool { return f.page() == len(f.pages())-1 && f.said.Get("do") != "back" }

// with adds what is known of the other pages. A page that was sent from the browser's history may carry less, or older.
func (f form) with(known url.Values) form {
	here := f.pages()[f.page()]
	f.said = maps.Clone(f.said)
	for field, values := range known {
		if !here.Has(field) && f.survey.Has(field) {
			f.said[field] = values
		}
	}
	return f
}

// draft is what is kept of the form: the questions' fields, with those of this page that were left out, and the pages
// that were shown.
func (f form) draft() feedback.Draft {
	pages, here := f.survey.Pages(), f.pages()[f.page()]
	d := feedback.Draft{Form: url.Values{}, Page: here.ID, Seen: slices.Clone(f.seen)}
	for _, page := range pages {
		shown := page.ID == d.Page || slices.Contains(f.seen, page.ID)
		for field, values := range f.said {
			if page.Has(field) {
				d.Form[field], shown = values, true
			}
		}
		if shown && !slices.Contains(d.Seen, page.ID) {
			d.Seen = append(d.Seen, page.ID)
		}
	}
	for _, q := range here.Items() {
		for _, name := range q.Fields() {
			if _, said := d.Form[name]; !said {
				d.Form[name] = []string{}
			}
		}
	}
	return d
}

// opened is the query that a blank form like this one is opened with.
func (f form) opened() url.Values {
	query := url.Values{}
	if f.wave != "" {
		query.Set("wave", f.wave)
	}
	for _, name := range []string{"segment", "kiosk", "invite", "code"} {
		if value := f.said.Get(name); value != "" {
			query.Set(name, value)
		}
	}
	return query
}

// address is where a form is opened again: its draft, or, in a kiosk, a new one, or the thanks for one that was sent.
func (f form) address(lang, done string) string {
	query := f.opened()
	if lang != "" {
		query.Set("lang", lang)
	}
	if done != "" {
		query.Set(done, "1")
	}
	if !f.kiosk() {
		query.Set("resume", f.said.Get("resume"))
	}
	return "/feedback/" + f.session.ID + "?" + query.Encode()
}

// readForm reads a submitted page.
func (s *server) readForm(c *gin.Context, a asked) (form, error) {
	said, err := readForm(c)
	if err != nil {
		return form{}, err
	}
	if wave := said.Get("wave"); wave != "" {
		var ok bool
		if a, ok = a.in(wave, s); !ok {
			return form{}, noWave()
		}
	}
	f := form{asked: a, said: said}
	if !f.takesCode() {
		said.Del("code")
	}
	return f, nil
}

// step takes one submitted page: back to the one before, on to the next, or, after the last one, finish.
func (s *server) step(c *gin.Context, f form, finish func(form, feedback.Answers) error) error {
	pages, at := f.pages(), f.page()
	f = f.at(at)
	if f.said.Get("do") == "back" {
		return s.turn(c, f, max(0, at-1))
	}
	if _, mistakes := feedback.ParseForm(f.survey, f.said, pages[at].ID); len(mistakes) > 0 || f.wrong != "" && at == 0 {
		return s.renderMistakes(c, f, mistakes)
	}
	if f.wrong != "" {
		return s.renderMistakes(c, f.at(0), nil)
	}
	if at < len(pages)-1 {
		return s.turn(c, f, at+1)
	}
	answers, mistakes := feedback.ParseForm(f.survey, f.said)
	if len(mistakes) > 0 { // of an earlier page: the fields it carries were changed on the way
		first := slices.IndexFunc(pages, func(p feedback.Section) bool {
			return slices.ContainsFunc(p.Items(), func(q feedback.Question) bool { _, wrong := mistakes[q.ID]; return wrong })
		})
		return s.renderMistakes(c, f.at(max(0, first)), mistakes)
	}
	return s.finished(c, f, finish(f, answers))
}

// turn leads to another page of the form. Where a draft is kept, that page has an address of its own, so that a reload,
// the back button, a lost connection and a bookmark all find what was said; else it is shown at once, and carries it.
func (s *server) turn(c *gin.Context, f form, to int) error {
	next := f.at(to)
	if !f.kept || f.receipt != "" {
		return s.renderSurvey(c, http.StatusOK, next)
	}
	draft := f.draft()
	draft.Page = next.said.Get("page")
	if !slices.Contains(draft.Seen, draft.Page) {
		draft.Seen = append(draft.Seen, draft.Page)
	}
	err := s.Feedback.SaveDraft(c.Request.Context(), f.session.ID, f.said.Get("token"), f.survey, draft)
	if err != nil {
		s.Log.WarnContext(c.Request.Context(), "draft not kept", "request", requestID(c), "cause", err)
		next.kept = false
		return s.renderSurvey(c, http.StatusOK, next)
	}
	c.Redirect(http.StatusSeeOther, f.address(chosenLang(c.Request), "")+"&page="+url.QueryEscape(draft.Page))
	return nil
}

// finished shows the last page again, with everything that was said, when it could not be kept.
func (s *server) finished(c *gin.Context, f form, err error) error {
	if err == nil || outcomeOf(err) == submissionInvalid || isRefused(err) {
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

// renderNoted shows the form's page with a sentence about it.
func (s *server) renderNoted(c *gin.Context, status int, f form, note string) error {
	v, err := s.surveyView(c, f, nil)
	if err != nil {
		return err
	}
	v.Note = note
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
	for _, name := range []string{"segment", "wave", "code"} {
		if c.Query(name) != "" {
			query.Set(name, c.Query(name))
		}
	}
	if code := c.Query("code"); code != "" {
		receipt, _ := s.Feedback.Receipt(code)
		if receipt == "" {
			return notFound("This is no receipt.")
		}
		query.Set("code", receipt)
	}
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	drawing, err := qrSVG(address)
	if err != nil {
		return err
	}
	if !query.Has("code") { // which opens somebody's answers
		c.Header("Cache-Control", "public, max-age=3600")
	}
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
