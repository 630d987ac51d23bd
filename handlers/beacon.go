package handlers

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"regexp"

	"github.com/gin-gonic/gin"

	"jauge/attendance"
	"jauge/programme"
)

// A beacon says that somebody is there, for platforms that send no joins: the script of a page that embeds the room, or
// of the check-in page. docs/beacon.md tells organisers how; assets/beacon.js is the other side of what is here.

// beaconJSON is what a beacon says: that the connection with this random id begins, goes on or ends.
type beaconJSON struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
}

const beaconPath = "/beacon/:session"

const (
	beaconJoin  = "join"
	beaconBeat  = "beat"
	beaconLeave = "leave"
)

// beaconQuotas are those of one address. A school is behind one: 600 may come, or leave, at once, and 1,800 be there.
var beaconQuotas = map[string]quota{
	beaconJoin:  {perMinute: 600, burst: 600},
	beaconBeat:  {perMinute: 3600, burst: 600},
	beaconLeave: {perMinute: 600, burst: 600},
}

var beaconID = regexp.MustCompile(`^[A-Za-z0-9_-]{16,64}$`)

// beacon handles POST /beacon/{session}: 204; 410 when the connection that goes on was closed meanwhile, or never known.
func (s *server) beacon(c *gin.Context) error {
	b, err := readBeacon(c)
	if err != nil {
		return err
	}
	if err := s.limit(c, b.Kind, beaconQuotas[b.Kind]); err != nil {
		return err
	}
	open, err := s.hear(c.Request.Context(), c.Param("session"), b)
	switch {
	case errors.Is(err, programme.ErrNotFound):
		return err
	case errors.Is(err, attendance.ErrOver):
		return &failure{status: http.StatusConflict, code: "over", detail: "The session is over."}
	case err != nil:
		return unavailable(err)
	case !open:
		return &failure{status: http.StatusGone, code: "closed", detail: "This connection is not open. Join again under a new id."}
	}
	c.Status(http.StatusNoContent)
	return nil
}

// readBeacon reads a body of whatever content type: only the plain one comes from another site without a question first.
func readBeacon(c *gin.Context) (b beaconJSON, err error) {
	body, err := readBody(c)
	if err != nil {
		return b, err
	}
	err = decodeStrict(body, &b)
	if _, known := beaconQuotas[b.Kind]; err != nil || !known || !beaconID.MatchString(b.ID) {
		return b, badRequest(`The body must be {"id": 16 to 64 of A-Z, a-z, 0-9, - and _, "kind": "join", "beat" or "leave"}.`)
	}
	return b, nil
}

// hear passes on what a beacon says, and says whether its connection is open, or was until it said so.
func (s *server) hear(ctx context.Context, session string, b beaconJSON) (open bool, err error) {
	kind := attendance.Joined
	switch b.Kind {
	case beaconBeat:
		return s.Attendance.Beat(ctx, session, b.ID)
	case beaconJoin:
		err = s.Attendance.Arrive(ctx, session, b.ID)
	case beaconLeave:
		kind, err = attendance.Left, s.Attendance.Depart(ctx, session, b.ID)
	}
	if err == nil {
		s.Metrics.Event(attendance.BeaconSource, string(kind), string(attendance.Recorded))
	}
	return true, err
}

// beaconScript handles GET /beacon.js. Its address stays the same in all the pages that embed it, so it is kept for an
// hour only, and is the one file here that other sites may load.
func (s *server) beaconScript(c *gin.Context) error {
	content, err := assetFiles.ReadFile("assets/beacon.js")
	if err != nil {
		return err
	}
	c.Header("Cross-Origin-Resource-Policy", "cross-origin")
	c.Header("Cache-Control", "public, max-age=3600")
	c.Data(http.StatusOK, "text/javascript; charset=utf-8", content)
	return nil
}

// hereView is the check-in page of a session.
type hereView struct {
	ID, Title      string
	Date, From, To string
	Zone           string
	Key            string // the id of who checks in without the script, so that sending the form twice is one person
	Noted          bool   // somebody just did
	Over           bool
	Survey         string // the address of its survey; empty: none
}

// herePage handles GET /here/{session}: for people who have no page that embeds the room.
func (s *server) herePage(c *gin.Context) error {
	session, err := s.visited(c)
	if err != nil {
		return err
	}
	l := s.langs.of(c.Request)
	v := hereView{
		ID: session.ID, Title: session.Title.In(l.Tag), Date: l.Date(session.StartsAt), From: l.Clock(session.StartsAt),
		To: l.Clock(session.EndsAt.In(session.StartsAt.Location())), Zone: l.Zone(session.StartsAt),
		Key: rand.Text(), Noted: c.Query("thanks") != "", Over: s.isOver(c, session),
	}
	if s.survey(session) != nil {
		v.Survey = "/feedback/" + session.ID
	}
	return s.renderTitled(c, http.StatusOK, "here", v.Title, v)
}

// visited finds the session in the path. Whoever followed a wrong link reads a page that says so.
func (s *server) visited(c *gin.Context) (programme.Session, error) {
	session, err := s.Programme.Session(c.Request.Context(), c.Param("session"))
	if errors.Is(err, programme.ErrNotFound) {
		return session, &failure{status: http.StatusNotFound, code: "no_session", detail: "There is no session with this id."}
	}
	return session, err
}

// isOver says whether the session has taken place and nobody can come any more. When the store is away nobody knows, and
// people are let in: the journal keeps them.
func (s *server) isOver(c *gin.Context, session programme.Session) bool {
	figures, err := s.Attendance.Figures(c.Request.Context(), session)
	return err == nil && figures[0].State == attendance.Over && !figures[0].StartedAt.IsZero()
}

// checkIn handles POST /here/{session}, the button of a browser without scripts. No heartbeat follows, so nothing but the
// session's end closes this connection.
func (s *server) checkIn(c *gin.Context) error {
	session, err := s.visited(c)
	if err != nil {
		return err
	}
	form, err := readForm(c)
	if err != nil {
		return err
	}
	id := form.Get("id")
	if !beaconID.MatchString(id) {
		return badRequest("The form has no id.")
	}
	if s.isOver(c, session) {
		c.Redirect(http.StatusSeeOther, c.Request.URL.RequestURI())
		return nil
	}
	if err := s.limit(c, beaconJoin, beaconQuotas[beaconJoin]); err != nil {
		return err
	}
	results, err := s.Attendance.Record(c.Request.Context(), attendance.BeaconSource, []attendance.Event{{
		Kind: attendance.Joined, Room: session.ID, Connection: id, At: s.Now(),
	}})
	if err != nil {
		return unavailable(err)
	}
	for _, result := range results {
		s.Metrics.Event(attendance.BeaconSource, string(attendance.Joined), string(result))
	}
	s.redirect(c, "/here/"+session.ID, "thanks")
	return nil
}

// hereQR handles GET /here/{session}/qr.svg.
func (s *server) hereQR(c *gin.Context) error {
	session, err := s.visited(c)
	if err != nil {
		return err
	}
	drawing, err := qrSVG(s.link("here", session.ID))
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "public, max-age=3600")
	c.Data(http.StatusOK, "image/svg+xml", drawing)
	return nil
}
