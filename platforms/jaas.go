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
// Somebody in a breakout room is still at the meeting: going there, or back, is a leave for the reason "switch_room", which is
// none. Leaving a breakout room for any other reason is leaving the meeting.
//
// People on a phone or at a SIP device come and go under names of their own, instead of those of participants.
// Source: https://developer.8x8.com/jaas/docs/webhooks-payload and …/docs/webhooks-signatures
var jaas = Dialect{
	Capability: attendance.Live,
	Guests:     true,
	Scheme:     jaasScheme,
	Decode:     readingSigned(jaasScheme, jaasRead),
	Sign:       jaasSign,
	Encode:     jaasEncode,
}

var jaasScheme = Scheme{Key: plainKey, Read: jaasCredentials}

const jaasSignature = "X-Jaas-Signature" // t=<Unix time>,v1=<base64>,v1=<base64>…

// jaasBody is what is read of a body; everything else (avatars, addresses in the conference) is never decoded.
type jaasBody struct {
	EventType id      `json:"eventType"`
	SessionID id      `json:"sessionId"` // of this opening of the room
	FQN       id      `json:"fqn"`       // <AppID>/<room name>
	Timestamp integer `json:"timestamp"` // ms
	Data      struct {
		Breakout         truth `json:"isBreakout"`
		ID               id    `json:"id"` // of the user, from the room's token; empty for guests
		Email            id    `json:"email"`
		Name             name  `json:"name"`
		ParticipantID    id    `json:"participantId"` // of the connection
		Moderator        truth `json:"moderator"`
		DisconnectReason id    `json:"disconnectReason"`
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
	var body jaasBody
	c.read(r.Body, &body)
	kind := jaasKind(c.kind("eventType", body.EventType))
	if kind == "" {
		return unsupported
	}
	if moved := body.Data.DisconnectReason == "switch_room"; kind == attendance.Left && moved || kind != attendance.Left && bool(body.Data.Breakout) {
		return unsupported
	}
	return Delivery{Events: []attendance.Event{c.settle(jaasEvent(c, kind, body))}}
}

// jaasKind is "" for what counting does not need: the lobby, roles, usage, recordings.
func jaasKind(eventType string) attendance.Kind {
	switch eventType {
	case "ROOM_CREATED":
		return attendance.Started
	case "ROOM_DESTROYED":
		return attendance.Ended
	case "PARTICIPANT_JOINED", "DIAL_IN_STARTED", "DIAL_OUT_STARTED", "SIP_CALL_IN_STARTED", "SIP_CALL_OUT_STARTED":
		return attendance.Joined
	case "PARTICIPANT_LEFT", "DIAL_IN_ENDED", "DIAL_OUT_ENDED", "SIP_CALL_IN_ENDED", "SIP_CALL_OUT_ENDED":
		return attendance.Left
	}
	return ""
}

// jaasEvent takes the moderators of a room, whom its token names, for its hosts.
func jaasEvent(c *check, kind attendance.Kind, b jaasBody) attendance.Event {
	e := attendance.Event{
		Kind: kind, Room: c.need("fqn", b.FQN), Occurrence: c.need("sessionId", b.SessionID),
		At: c.happened("timestamp", b.Timestamp.millis()),
	}
	if _, name, ok := strings.Cut(e.Room, "/"); ok {
		e.Alias = name
	}
	if kind == attendance.Started || kind == attendance.Ended {
		return e
	}
	e.Attendee = c.id("data.id", b.Data.ID)
	e.Email = c.email("data.email", b.Data.Email)
	e.Name = string(b.Data.Name)
	e.Connection = c.id("data.participantId", b.Data.ParticipantID)
	e.Staff = bool(b.Data.Moderator)
	e.Guest = e.Attendee == "" && e.Email == ""
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
