package attend

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/attendance"
	"jauge/handlers/door"
	"jauge/handlers/lookup"
	"jauge/handlers/page"
	"jauge/programme"
)

// A beacon reports one person's presence, for platforms that send no joins: the script of a page that embeds the room, or of the
// check-in page. docs/beacon.md tells organisers how; page/assets/beacon.js is the client.

// Presence are the handlers of beacons and of the check-in page. Everything is required.
type Presence struct {
	Sessions   *lookup.Sessions
	Attendance *attendance.Store
	Pages      *page.Pages
	Limiter    *door.Limiter
	Counts     interface {
		Event(source, kind, result string)
	}
	Public *url.URL // of QR codes
	Now    func() time.Time
}

// beaconJSON is one beacon: the connection with this random id begins, goes on or ends.
type beaconJSON struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
}

const (
	beaconJoin  = "join"
	beaconBeat  = "beat"
	beaconLeave = "leave"
)

// beaconQuotas are those of one IP address. A school is behind one: 600 may come, or leave, at once, and 1,800 may be there.
var beaconQuotas = map[string]door.Quota{
	beaconJoin:  {PerMinute: 600, Burst: 600},
	beaconBeat:  {PerMinute: 3600, Burst: 600},
	beaconLeave: {PerMinute: 600, Burst: 600},
}

var beaconID = regexp.MustCompile(`^[A-Za-z0-9_-]{16,64}$`)

// Beacon handles POST /beacon/{session}: 204; 410 to the heartbeat of a connection that was closed meanwhile, or never opened.
func (h *Presence) Beacon(c *gin.Context) error {
	b, err := readBeacon(c)
	if err != nil {
		return err
	}
	if err := h.Limiter.Limit(c, b.Kind, beaconQuotas[b.Kind]); err != nil {
		return err
	}
	open, err := h.record(c.Request.Context(), c.Param("session"), b)
	switch {
	case errors.Is(err, programme.ErrNotFound):
		return err
	case errors.Is(err, attendance.ErrOver):
		return &door.Failure{Status: http.StatusConflict, Code: "over", Detail: "The session is over."}
	case err != nil:
		return door.Unavailable(err)
	case !open:
		return &door.Failure{Status: http.StatusGone, Code: "closed", Detail: "This connection is not open. Join again under a new id."}
	}
	c.Status(http.StatusNoContent)
	return nil
}

// readBeacon reads a body of any content type: browsers send text/plain to another site without a CORS preflight.
func readBeacon(c *gin.Context) (b beaconJSON, err error) {
	body, err := door.ReadBody(c)
	if err != nil {
		return b, err
	}
	err = door.DecodeStrict(body, &b)
	if _, known := beaconQuotas[b.Kind]; err != nil || !known || !beaconID.MatchString(b.ID) {
		return b, door.BadRequest(`The body must be {"id": 16 to 64 of A-Z, a-z, 0-9, - and _, "kind": "join", "beat" or "leave"}.`)
	}
	return b, nil
}

// record records a beacon, and says whether its connection is open, or was until now.
func (h *Presence) record(ctx context.Context, session string, b beaconJSON) (open bool, err error) {
	kind := attendance.Joined
	switch b.Kind {
	case beaconBeat:
		return h.Attendance.Beat(ctx, session, b.ID)
	case beaconJoin:
		err = h.Attendance.Arrive(ctx, session, b.ID)
	case beaconLeave:
		kind, err = attendance.Left, h.Attendance.Depart(ctx, session, b.ID)
	}
	if err == nil {
		h.Counts.Event(attendance.BeaconSource, string(kind), string(attendance.Recorded))
	}
	return true, err
}

// Script handles GET /beacon.js. Its address in the pages that embed it does not change, so browsers cache it for an hour only. It is
// the one file here that other sites may load.
func (h *Presence) Script(c *gin.Context) error {
	content, err := page.BeaconScript()
	if err != nil {
		return err
	}
	c.Header("Cross-Origin-Resource-Policy", "cross-origin")
	c.Header("Cache-Control", "public, max-age=3600")
	c.Data(http.StatusOK, "text/javascript; charset=utf-8", content)
	return nil
}
