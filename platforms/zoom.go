package platforms

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"jauge/attendance"
)

// zoom: webinars and meetings. Zoom signs "v0:<time>:<body>" with HMAC-SHA256 and asks now and then, for as long as
// the subscription lives, that the receiver prove its knowledge of the secret.
// Source: https://developers.zoom.us/docs/api/webhooks/
var zoom = Dialect{
	Capability: attendance.Live,
	Guests:     true,
	Scheme:     zoomScheme,
	Decode:     readingSigned(zoomScheme, zoomRead),
	Sign:       zoomSign,
	Encode:     zoomEncode,
	Resolution: zoomResolution,
}

const (
	zoomSignature = "X-Zm-Signature"         // v0=<64 lower-case hex digits>
	zoomTimestamp = "X-Zm-Request-Timestamp" // Unix seconds
)

// zoomBody is what is read of a body; everything else (addresses, phone numbers) is never decoded.
type zoomBody struct {
	Event   id      `json:"event"`
	EventTS integer `json:"event_ts"` // ms
	Payload struct {
		PlainToken id         `json:"plainToken"` // endpoint.url_validation only
		Object     zoomObject `json:"object"`
	} `json:"payload"`
}

type zoomObject struct {
	ID          id         `json:"id"`   // of the webinar or meeting
	UUID        id         `json:"uuid"` // of this opening of it
	HostID      id         `json:"host_id"`
	StartTime   stamp      `json:"start_time"`
	EndTime     stamp      `json:"end_time"`
	Practice    truth      `json:"practice_session"`
	Participant zoomPerson `json:"participant"`
	Registrant  struct {
		ID    id   `json:"id"`
		Email id   `json:"email"`
		First name `json:"first_name"`
		Last  name `json:"last_name"`
	} `json:"registrant"`
}

type zoomPerson struct {
	UserID        id    `json:"user_id"`          // of the connection; a new one after each move to a breakout room and back
	UUID          id    `json:"participant_uuid"` // of the visitor; a guest who connects again has another
	BindUserID    id    `json:"bind_user_id"`
	ID            id    `json:"id"` // of the account, empty for guests
	AccountUserID id    `json:"participant_user_id"`
	RegistrantID  id    `json:"registrant_id"`
	CustomerKey   id    `json:"customer_key"`
	Email         id    `json:"email"`
	Name          name  `json:"user_name"`
	JoinTime      stamp `json:"join_time"`
	LeaveTime     stamp `json:"leave_time"`
}

// zoomScheme is wide in time: Zoom repeats for 85 minutes, perhaps with the first time, and so do gateways before it. What comes
// twice changes nothing.
var zoomScheme = Scheme{Key: plainKey, Read: zoomCredentials, Tolerance: 2 * time.Hour}

func zoomCredentials(_ Source, r Request) (Credentials, error) {
	stamp := r.Header.Get(zoomTimestamp)
	return Credentials{
		Given:    single(r.Header.Get(zoomSignature)),
		Expected: signing(func(key []byte) string { return zoomSum(key, stamp, r.Body) }),
		Valid:    signedAt(stamp),
	}, nil
}

func zoomSum(key []byte, stamp string, body []byte) string {
	return "v0=" + hexMAC(key, "v0:"+stamp+":", body)
}

func zoomRead(c *check, s Source, r Request) Delivery {
	var body zoomBody
	c.read(r.Body, &body)
	about, what, _ := strings.Cut(c.kind("event", body.Event), ".")
	decode := zoomDecoder(what)
	switch {
	case body.Event == "endpoint.url_validation":
		return zoomValidate(c, s, r, body)
	case about != "webinar" && about != "meeting", decode == nil:
		return unsupported
	}
	if body.Payload.Object.Practice { // the speakers' rehearsal: neither the start nor the end of the webinar
		return unsupported
	}
	event := decode(c, body)
	event.Room = c.need("payload.object.id", body.Payload.Object.ID)
	return Delivery{Events: []attendance.Event{c.settle(event)}}
}

// zoomDecoder is nil for what is unsupported, which includes waiting rooms, waiting for the host and breakout rooms.
func zoomDecoder(what string) func(*check, zoomBody) attendance.Event {
	switch what {
	case "started", "ended":
		return zoomOpening
	case "participant_joined", "participant_left":
		return zoomPresence
	case "participant_bind":
		return zoomBind
	case "registration_created":
		return zoomRegistration
	}
	return nil
}

// zoomOpening trusts event_ts for the start: start_time can be the planned one.
func zoomOpening(c *check, b zoomBody) attendance.Event {
	o := b.Payload.Object
	e := attendance.Event{Occurrence: c.need("payload.object.uuid", o.UUID)}
	if strings.HasSuffix(string(b.Event), ".started") {
		e.Kind = attendance.Started
		e.At = c.happened("event_ts", b.EventTS.millis(), c.time("payload.object.start_time", o.StartTime))
	} else {
		e.Kind = attendance.Ended
		e.At = c.happened("payload.object.end_time", c.time("payload.object.end_time", o.EndTime), b.EventTS.millis())
	}
	return e
}

func zoomPresence(c *check, b zoomBody) attendance.Event {
	const joinTime, leaveTime = "payload.object.participant.join_time", "payload.object.participant.leave_time"
	e := zoomParticipant(c, b)
	joined := c.time(joinTime, b.Payload.Object.Participant.JoinTime)
	if strings.HasSuffix(string(b.Event), "_left") {
		e.Kind = attendance.Left
		left := c.happened(leaveTime, c.time(leaveTime, b.Payload.Object.Participant.LeaveTime), b.EventTS.millis())
		e.At = leftAfter(joined, left)
		return e
	}
	e.Kind = attendance.Joined
	e.At = c.happened(joinTime, joined, b.EventTS.millis())
	return e
}

// zoomBind pairs user_ids. participant_uuids would pair persons rather than connections, and a person has one of their own; so a bind
// without both user_ids cannot be used.
func zoomBind(c *check, b zoomBody) attendance.Event {
	e := zoomParticipant(c, b)
	p := b.Payload.Object.Participant
	e.Kind = attendance.Bound
	e.At = c.happened("event_ts", b.EventTS.millis())
	e.Connection = c.need("payload.object.participant.user_id", p.UserID)
	e.Peer = c.need("payload.object.participant.bind_user_id", p.BindUserID)
	return e
}

// zoomParticipant reads who, in which connection. The best id of a person comes first; registrant_id is the one that a
// registration shares. Who has none, and no e-mail, is a guest.
func zoomParticipant(c *check, b zoomBody) attendance.Event {
	const at = "payload.object.participant."
	o, p := b.Payload.Object, b.Payload.Object.Participant
	e := attendance.Event{
		Occurrence: c.need("payload.object.uuid", o.UUID),
		Email:      c.email(at+"email", p.Email),
		Name:       string(p.Name),
		Connection: c.id(at+"user_id", p.UserID),
		Staff:      o.HostID != "" && (p.ID == o.HostID || p.AccountUserID == o.HostID),
	}
	e.Attendee = c.id(at+"id", cmp.Or(p.RegistrantID, p.AccountUserID, p.ID, p.CustomerKey))
	if e.Attendee == "" && e.Email == "" {
		e.Attendee, e.Guest = c.id(at+"participant_uuid", p.UUID), true
	}
	return e
}

func zoomRegistration(c *check, b zoomBody) attendance.Event {
	const at = "payload.object.registrant."
	registrant := b.Payload.Object.Registrant
	e := attendance.Event{
		Kind:     attendance.Registered,
		Attendee: c.id(at+"id", registrant.ID),
		Email:    c.email(at+"email", registrant.Email),
		Name:     fullName(registrant.First, registrant.Last),
		At:       c.happened("event_ts", b.EventTS.millis()),
	}
	if e.Attendee == "" {
		e.Attendee = c.need(at+"id", id(e.Email))
	}
	return e
}

// zoomValidate answers the URL validation with the secret that signed the question.
func zoomValidate(c *check, s Source, r Request, body zoomBody) Delivery {
	token := c.kind("payload.plainToken", body.Payload.PlainToken)
	shown, _ := zoomCredentials(s, r)
	key := zoomScheme.match(s, shown)
	if key == nil && c.err == nil {
		c.err = ErrSignature
	}
	answer := mustJSON(struct {
		Plain     string `json:"plainToken"`
		Encrypted string `json:"encryptedToken"`
	}{token, hexMAC(key, token, nil)})
	return Delivery{Reply: &Reply{Status: http.StatusOK, ContentType: "application/json", Body: answer}}
}

func zoomSign(s Source, r *Request) {
	stamp := strconv.FormatInt(r.Now.Unix(), 10)
	r.set(zoomTimestamp, stamp)
	r.set(zoomSignature, zoomSum([]byte(s.Secrets[0]), stamp, r.Body))
}

// zoomResolution: event_ts has milliseconds, the other times have seconds.
func zoomResolution(kind attendance.Kind) time.Duration {
	switch kind {
	case attendance.Joined, attendance.Left, attendance.Ended:
		return time.Second
	}
	return time.Millisecond
}

// zoomHost is the invented host of what zoomEncode writes.
const zoomHost = "x1yCzABCDEfg23HiJKl4mN"

func zoomEncode(e attendance.Event) (string, []byte) {
	stamp := e.At.UTC().Format(time.RFC3339) // whole seconds
	object := map[string]any{
		"id": e.Room, "uuid": e.Occurrence, "host_id": zoomHost, "topic": "Webinar", "type": 5, "duration": 60, "timezone": "Europe/Paris",
	}
	person := zoomEncodePerson(e)
	var what string
	switch e.Kind {
	case attendance.Started:
		what, object["start_time"] = "started", stamp
	case attendance.Ended:
		what, object["end_time"] = "ended", stamp
	case attendance.Joined:
		what, object["participant"], person["join_time"] = "participant_joined", person, stamp
	case attendance.Left:
		what, object["participant"], person["leave_time"] = "participant_left", person, stamp
		person["leave_reason"] = "left the webinar."
	case attendance.Bound:
		what, object["participant"] = "participant_bind", person
		person["bind_participant_uuid"], person["bind_user_id"] = zoomUUID(e.Peer), e.Peer
	case attendance.Registered:
		first, last := splitName(e.Name)
		what, object["registrant"] = "registration_created", map[string]any{
			"id": e.Attendee, "email": e.Email, "first_name": first, "last_name": last, "status": "approved",
		}
	default:
		return "", nil
	}
	return "application/json; charset=utf-8", mustJSON(map[string]any{
		"event": "webinar." + what, "event_ts": e.At.UnixMilli(), "payload": map[string]any{"account_id": "AAAAAABBBB", "object": object},
	})
}

// zoomEncodePerson writes a person with an id as one who registered. A guest has what Zoom gives to everybody, and another one in each
// connection.
func zoomEncodePerson(e attendance.Event) map[string]any {
	person := map[string]any{
		"id": "", "participant_user_id": "", "registrant_id": e.Attendee, "email": e.Email, "user_name": e.Name,
		"user_id": e.Connection, "participant_uuid": zoomUUID(e.Connection),
	}
	if e.Guest {
		person["registrant_id"] = ""
	}
	if e.Staff {
		person["id"] = zoomHost
	}
	return person
}

// zoomUUID invents the uuid that goes with a connection, if there is one.
func zoomUUID(connection string) string {
	if connection == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(connection))
	return strings.ToUpper(hex.EncodeToString(sum[:16]))
}
