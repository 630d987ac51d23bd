package handlers

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
)

// Where a person's answers of several waves are kept together, the receipt of the first one, three words, is what the
// person brings to the later ones: typed in a field of the first page, or in a link or QR code kept from before.

// takesCode says whether the form has a field for the receipt of an earlier wave.
func (f form) takesCode() bool {
	return f.promise.Linked && f.wave != "" && f.wave != f.whole.Waves[0].ID && !f.kiosk() && f.receipt == ""
}

// comeBack opens the link that was kept from an earlier wave. Who has answered this one finds the answers, who has not a
// form that knows the code.
func (s *server) comeBack(c *gin.Context, f form) error {
	code := c.Query("code")
	row, err := s.bring(c, f.session.ID, code)
	switch {
	case isRefused(err):
		return err
	case err == nil && (!f.takesCode() || slices.Contains(f.whole.Answered(row.Answers), f.wave)):
		receipt, _ := s.Feedback.Receipt(code)
		s.redirect(c, answerPath(f.session.ID, receipt), "again")
		return nil
	}
	f, status := s.blank(f), http.StatusOK
	if f.takesCode() {
		f.wrong = s.wrongCode(c, err)
	}
	if f.wrong != "" {
		status = http.StatusUnprocessableEntity
	}
	return s.renderSurvey(c, status, f)
}

// checkCode looks whether a form's code is one.
func (s *server) checkCode(c *gin.Context, f form) (form, error) {
	code := f.said.Get("code")
	if code == "" || f.receipt != "" {
		return f, nil
	}
	_, err := s.bring(c, f.session.ID, code)
	if isRefused(err) {
		return f, err
	}
	f.wrong = s.wrongCode(c, err)
	return f, nil
}

// bring reads the answer under a code, guarded.
func (s *server) bring(c *gin.Context, session, code string) (row feedback.Row, err error) {
	err = s.guard(c, code, func() (err error) {
		row, err = s.Feedback.Get(c.Request.Context(), session, code)
		return err
	})
	return row, err
}

func isRefused(err error) bool {
	var refused *failure
	return errors.As(err, &refused)
}

// wrongCode says what is wrong with a code, as a message's id. With the store away, nothing is known to be.
func (s *server) wrongCode(c *gin.Context, err error) string {
	switch {
	case errors.Is(err, feedback.ErrNotFound):
		return "mistake.code"
	case errors.Is(err, feedback.ErrDeleted):
		return "mistake.code_deleted"
	case err != nil:
		s.Log.WarnContext(c.Request.Context(), "code not checked", "request", requestID(c), "cause", err)
	}
	return ""
}

// codeView is the field for the receipt of an earlier wave.
type codeView struct{ Said, Mistake string }

// codeTarget is the id of its input.
const codeTarget = "code"

// codeField lays out that field.
func (l *lang) codeField(f form) (*codeView, error) {
	if !f.takesCode() {
		return nil, nil
	}
	v := &codeView{Said: f.said.Get("code")}
	if f.wrong == "" {
		return v, nil
	}
	var err error
	v.Mistake, err = l.T(f.wrong)
	return v, err
}

// opens says when a wave opens, in words; empty: it has, or that is not known.
func (s *server) opens(l *lang, a asked, wave string) (string, error) {
	i := slices.IndexFunc(a.whole.Waves, func(w feedback.Wave) bool { return w.ID == wave })
	if i < 1 {
		return "", nil
	}
	at, known := a.whole.Waves[i].OpensAt(a.session.StartsAt, a.session.EndsAt)
	if !known || !at.After(s.Now()) {
		return "", nil
	}
	at = at.In(a.session.StartsAt.Location())
	return l.T("wave.when", "Date", l.Date(at), "Time", l.Clock(at), "Zone", l.Zone(at))
}

// nextView is what a person needs to come back for the next wave.
type nextView struct {
	Title   phrase
	Opens   string // in words; empty: it is open
	Address string // of the form, with the code
	QR      string // the path of a drawing of that
}

// next is the wave after the last one that somebody has answered; nil when there is none, or answers are not kept together.
func (s *server) next(l *lang, a asked, row feedback.Row, receipt string) (*nextView, error) {
	answered := a.whole.Answered(row.Answers)
	if !a.promise.Linked || len(answered) == 0 {
		return nil, nil
	}
	last := answered[len(answered)-1]
	i := slices.IndexFunc(a.whole.Waves, func(w feedback.Wave) bool { return w.ID == last }) + 1
	if i == len(a.whole.Waves) {
		return nil, nil
	}
	opens, err := s.opens(l, a, a.whole.Waves[i].ID)
	query := "?" + url.Values{"code": {receipt}}.Encode()
	return &nextView{
		Title: l.say(a.whole.Waves[i].Title), Opens: opens,
		Address: s.link("feedback", a.session.ID) + query, QR: "/feedback/" + a.session.ID + "/qr.svg" + query,
	}, err
}
