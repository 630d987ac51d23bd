package handlers

import (
	"net/http"
	"net/mail"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
	"jauge/programme"
)

// What people are told before they answer: how anonymous they are, what is kept of a form that is not sent, and the
// privacy notice of the session.

// level is what is promised of a person's answers. Those of a shared device are not linked.
func (f form) level() string {
	if f.kiosk() {
		return feedback.Anonymous
	}
	return f.promise.Level()
}

// draftDays is how long a draft is kept, as pages say it.
const draftDays = int(feedback.DraftFor / (24 * time.Hour))

// explain fills in what a page of a new form says about it.
func (s *server) explain(c *gin.Context, f form, v *surveyView) {
	v.Anonymity, v.Personal = f.level(), f.said.Get("invite") != ""
	v.Alone = f.kiosk() && f.promise.Linked
	v.Terms = withQuery("/feedback/"+f.session.ID+"/notice", f.opened())
	lang := chosenLang(c.Request)
	switch {
	case f.receipt != "":
	case f.kiosk():
		v.Restart = f.address(lang, "")
	case v.Of > 1 && f.said.Get("resume") != "":
		v.Days = draftDays
		if f.kept {
			v.Draft = s.PublicURL.String() + f.address(lang, "")
		}
	}
}

// noticeView is a session's privacy notice.
type noticeView struct {
	Title        string // of the session
	Controller   string
	Purpose      string
	LegalBasis   string
	Contact      string
	Mail         bool // the contact is an e-mail address
	Minors       bool
	Anonymity    string
	MinimumGroup int
	Days         int
	Survey       string // its address
}

// noticePage handles GET /feedback/{session}/notice.
func (s *server) noticePage(c *gin.Context) error {
	a, err := s.asked(c)
	if err != nil {
		return err
	}
	l, n := s.langs.of(c.Request), a.session.Notice
	if n == nil {
		n = &programme.Notice{}
	}
	f := form{asked: a, said: url.Values{"segment": {c.Query("segment")}, "kiosk": {c.Query("kiosk")}, "invite": {c.Query("invite")}, "code": {c.Query("code")}}}
	address, err := mail.ParseAddress(n.Contact)
	return s.render(c, http.StatusOK, "notice", "notice.title", noticeView{
		Title: a.session.Title.In(l.Tag), Controller: n.Controller, Purpose: n.Purpose.In(l.Tag), LegalBasis: n.LegalBasis.In(l.Tag),
		Contact: n.Contact, Mail: err == nil && address.Address == n.Contact, Minors: a.promise.Minors,
		Anonymity: f.level(), MinimumGroup: a.promise.MinimumGroup, Days: draftDays, Survey: withQuery("/feedback/"+a.session.ID, f.opened()),
	})
}

func withQuery(path string, query url.Values) string {
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}
