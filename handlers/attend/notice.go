package attend

import (
	"net/http"
	"net/mail"

	"github.com/gin-gonic/gin"

	"jauge/handlers/page"
	"jauge/programme"
)

// This file has the session's privacy notice, which people can read before they answer.

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

// Notice handles GET /feedback/{session}/notice.
func (h *Surveys) Notice(c *gin.Context) error {
	a, err := h.asked(c)
	if err != nil {
		return err
	}
	l, n := h.Pages.Lang(c), a.Session.Notice
	if n == nil {
		n = &programme.Notice{}
	}
	f := openForm(c, a)
	address, err := mail.ParseAddress(n.Contact)
	return h.Pages.Render(c, http.StatusOK, "notice", "notice.title", noticeView{
		Title: a.Session.Title.In(l.Tag), Controller: n.Controller, Purpose: n.Purpose.In(l.Tag), LegalBasis: n.LegalBasis.In(l.Tag),
		Contact: n.Contact, Mail: err == nil && address.Address == n.Contact, Minors: a.Promise.Minors,
		Anonymity: f.level(), MinimumGroup: a.Promise.MinimumGroup, Days: draftDays, Survey: page.WithQuery("/feedback/"+a.Session.ID, f.opened()),
	})
}
