package attend

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"jauge/attendance"
	"jauge/handlers/door"
	"jauge/handlers/page"
	"jauge/programme"
)

// hereView is the check-in page of a session.
type hereView struct {
	ID, Title      string
	Date, From, To string
	Zone           string
	Key            string // the id of the check-in of this page, so that sending the form twice is one person
	Noted          bool   // the person just checked in
	Over           bool
	Survey         string // the address of its survey; empty: none
}

// Page handles GET /here/{session}: for people who have no page that embeds the room.
func (h *Presence) Page(c *gin.Context) error {
	session, err := h.visited(c)
	if err != nil {
		return err
	}
	l := h.Pages.Lang(c)
	v := hereView{
		ID: session.ID, Title: session.Title.In(l.Tag), Date: l.Date(session.StartsAt), From: l.Clock(session.StartsAt),
		To: l.Clock(session.EndsAt.In(session.StartsAt.Location())), Zone: l.Zone(session.StartsAt),
		Key: rand.Text(), Noted: c.Query("thanks") != "", Over: h.isOver(c, session),
	}
	if h.Sessions.Feedback.Asks(session) {
		v.Survey = "/feedback/" + session.ID
	}
	return h.Pages.RenderTitled(c, http.StatusOK, "here", v.Title, v)
}

// visited finds the session in the path. A wrong link leads to a page that says so.
func (h *Presence) visited(c *gin.Context) (programme.Session, error) {
	session, err := h.Sessions.Programme.Session(c.Request.Context(), c.Param("session"))
	if errors.Is(err, programme.ErrNotFound) {
		return session, &door.Failure{Status: http.StatusNotFound, Code: "no_session", Detail: "There is no session with this id."}
	}
	return session, err
}

// isOver says whether the session has taken place and takes no arrivals. With the store away it says no: the journal keeps who comes.
func (h *Presence) isOver(c *gin.Context, session programme.Session) bool {
	figures, err := h.Attendance.Figures(c.Request.Context(), session)
	return err == nil && figures[0].State == attendance.Over && !figures[0].StartedAt.IsZero()
}

// CheckIn handles POST /here/{session}, the button of a browser without scripts. No heartbeat follows, so only the session's end closes
// this connection.
func (h *Presence) CheckIn(c *gin.Context) error {
	session, err := h.visited(c)
	if err != nil {
		return err
	}
	form, err := door.ReadForm(c)
	if err != nil {
		return err
	}
	id := form.Get("id")
	if !beaconID.MatchString(id) {
		return door.BadRequest("The form has no id.")
	}
	if h.isOver(c, session) {
		c.Redirect(http.StatusSeeOther, c.Request.URL.RequestURI())
		return nil
	}
	if err := h.Limiter.Limit(c, beaconJoin, beaconQuotas[beaconJoin]); err != nil {
		return err
	}
	results, err := h.Attendance.Record(c.Request.Context(), attendance.BeaconSource, []attendance.Event{{
		Kind: attendance.Joined, Room: session.ID, Connection: id, At: h.Now(),
	}})
	if err != nil {
		return door.Unavailable(err)
	}
	for _, result := range results {
		h.Counts.Event(attendance.BeaconSource, string(attendance.Joined), string(result))
	}
	h.Pages.Redirect(c, "/here/"+session.ID, url.Values{"thanks": {"1"}})
	return nil
}

// QR handles GET /here/{session}/qr.svg.
func (h *Presence) QR(c *gin.Context) error {
	session, err := h.visited(c)
	if err != nil {
		return err
	}
	drawing, err := page.QR(h.Public.JoinPath("here", session.ID).String())
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "public, max-age=3600")
	c.Data(http.StatusOK, "image/svg+xml", drawing)
	return nil
}
