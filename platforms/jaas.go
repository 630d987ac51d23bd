package platforms

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"jauge/attendance"
)

// jaas: rooms of Jitsi as a Service, by 8x8. One header has the time and any number of signatures, each the base64 of
// HMAC-SHA256 over "<time>.<body>".
//
// Somebody in a breakout room is still at the meeting: going there is a leave for the reason "switch_room", which is none,
// and what happens in breakout rooms is not looked at. Whoever leaves the meeting from there is counted until it ends.
// Source: https://developer.8x8.com/jaas/docs/webhooks-payload and …/docs/webhooks-signatures
var jaas = Dialect{
	Capability: attendance.Live,
	Scheme:     Scheme{Key: plainKey, Read: jaasCredentials},
	Decode:     reading(jaasRead),
	Sign:       jaasSign,
	Encode:     jaasEncode,
}

const jaasSignature = "X-Jaas-Signature" // t=<Unix time>,v1=<base64>,v1=<base64>…

// jaasBody is what is read of a body; everything else (avatars, addresses in the conference) is never decoded.
type jaasBody struct {
	SessionID id      `json:"sessionId"` // of this opening of the room
	FQN       id      `json:"fqn"`       // <AppID>/<room name>
	Timestamp integer `json:"timestamp"` // ms
	Data      struct {
		Breakout         truth  `json:"isBreakout"`
		ID               id     `json:"id"` // of the user, from the room's token; empty for guests
		Email            string `json:"email"`
		Name             name   `json:"name"`
		ParticipantID    id     `json:"participantId"` // of the connection
		Moderator        truth  `json:"moderator"`
		DisconnectReason string `json:"disconnectReason"`
	} `json:"data"`
}

// jaasCredentials passes other schemes than v1 over.
func jaasCredentials(_ Source, r Request) (Credentials, error) {
	var stamp string
	var signatures []string
	for element := range strings.SplitSeq(r.Header.Get(jaasSignature), ",") {
		switch name, value, _ := strings.Cut(strings.TrimSpace(element), "="); name { // base64 may end in "=" too
		case "t":
			stamp = value
		case "v1":
			signatures = append(signatures, value)
		}
	}
	return Credentials{
		Given:    signatures,
		Expected: signing(func(key []byte) string { return base64MAC(key, stamp+".", r.Body) }),
		Valid:    signedAtUnit(stamp),
	}, nil
}

func jaasRead(c *check, _ Source, r Request) Delivery {
	var head struct {
		EventType string `json:"eventType"`
	}
	c.read(r.Body, &head)
	kind := jaasKind(c.need("eventType", id(head.EventType)))
	if kind == "" {
		return unsupported
	}
	var body jaasBody
	c.read(r.Body, &body)
	e := jaasEvent(c, kind, body)
	if bool(body.Data.Breakout) || kind == attendance.Left && body.Data.DisconnectReason == "switch_room" {
		return unsupported
	}
	return Delivery{Events: []attendance.Event{e}}
}

// jaasKind is "" for what counting does not need: the lobby, roles, usage, recordings, calls.
func jaasKind(eventType string) attendance.Kind {
	switch eventType {
	case "ROOM_CREATED":
		return attendance.Started
	case "ROOM_DESTROYED":
		return attendance.Ended
	case "PARTICIPANT_JOINED":
		return attendance.Joined
	case "PARTICIPANT_LEFT":
		return attendance.Left
	}
	return ""
}

// jaasEvent takes the moderators of a room, whom its token names, for its hosts.
func jaasEvent(c *check, kind attendance.Kind, b jaasBody) attendance.Event {
	e := attendance.Event{
		Kind: kind, Room: c.need("fqn", b.FQN), Occurrence: c.need("sessionId", b.SessionID),
		At: c.moment("timestamp", b.Timestamp.millis()),
	}
	if _, name, ok := strings.Cut(e.Room, "/"); ok {
		e.Alias = name
	}
	if kind == attendance.Started || kind == attendance.Ended {
		return e
	}
	e.Attendee = c.id("data.id", b.Data.ID)
	e.Email = c.id("data.email", id(strings.ToLower(strings.TrimSpace(b.Data.Email))))
	e.Name = string(b.Data.Name)
	e.Connection = c.id("data.participantId", b.Data.ParticipantID)
	e.Staff = bool(b.Data.Moderator)
	return e
}

func jaasSign(s Source, r *Request) {
	stamp := strconv.FormatInt(r.Now.Unix(), 10)
	r.set(jaasSignature, "t="+stamp+",v1="+base64MAC([]byte(s.Secrets[0]), stamp+".", r.Body))
}

func jaasEncode(e attendance.Event) (string, []byte) {
	data := map[string]any{"isBreakout": false}
	if e.Kind == attendance.Joined || e.Kind == attendance.Left {
		data["id"], data["email"], data["name"], data["participantId"], data["moderator"] = e.Attendee, e.Email, e.Name, e.Connection, e.Staff
	}
	var what string
	switch e.Kind {
	case attendance.Started:
		what = "ROOM_CREATED"
	case attendance.Ended:
		what = "ROOM_DESTROYED"
	case attendance.Joined:
		what = "PARTICIPANT_JOINED"
	case attendance.Left:
		what, data["disconnectReason"] = "PARTICIPANT_LEFT", "left"
	default:
		return "", nil
	}
	app, _, _ := strings.Cut(e.Room, "/")
	body := map[string]any{
		"appId": app, "eventType": what, "sessionId": e.Occurrence, "timestamp": e.At.UnixMilli(), "fqn": e.Room, "data": data,
	}
	sum := sha256.Sum256(mustJSON(body)) // the same event keeps its key when it is sent again
	body["idempotencyKey"] = hex.EncodeToString(sum[:16])
	return "application/json", mustJSON(body)
}
