package platforms

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"time"

	"jauge/attendance"
)

// daily: rooms of a Daily.co domain. HMAC-SHA256 over "<time>.<body>", with a key that is kept in base64; before Daily
// accepts an address it posts a test body there, which must be answered with 200.
//
// What Daily says of a participant names the room, not the meeting in it: joins and leaves, and with them starts and ends,
// are of a room's occurrence without a name, which an end closes and a later join opens again.
// Source: https://docs.daily.co/reference/rest-api/webhooks
var daily = Dialect{
	Capability: attendance.Live,
	Guests:     true,
	Hello:      dailyHello,
	Scheme:     dailyScheme,
	Decode:     readingSigned(dailyScheme, dailyRead),
	Sign:       dailySign,
	Encode:     dailyEncode,
}

var dailyScheme = Scheme{Key: dailyKey, Read: dailyCredentials}

const (
	dailySignature = "X-Webhook-Signature" // base64
	dailyTimestamp = "X-Webhook-Timestamp" // Unix time
)

// dailyBody is what is read of a body; everything else (permissions) is never decoded. Times are Unix seconds
// with a fraction.
type dailyBody struct {
	Type    id      `json:"type"`
	EventTS decimal `json:"event_ts"` // when it was sent
	Payload struct {
		Room      id       `json:"room"`
		SessionID id       `json:"session_id"` // of the connection
		UserID    id       `json:"user_id"`    // of the person; the connection's where no token names anybody
		UserName  name     `json:"user_name"`
		Owner     truth    `json:"owner"`
		JoinedAt  decimal  `json:"joined_at"`
		Duration  *decimal `json:"duration"`
		StartTS   decimal  `json:"start_ts"`
		EndTS     decimal  `json:"end_ts"`
	} `json:"payload"`
}

// dailyHello answers the test body. It says nothing that anybody could not know.
func dailyHello(_ Source, r Request) *Reply {
	var body struct {
		Test string `json:"test"`
		Type string `json:"type"` // of an event
	}
	c := &check{}
	if c.read(r.Body, &body); c.err != nil || body.Test == "" || body.Type != "" {
		return nil
	}
	return &Reply{Status: http.StatusOK, ContentType: "application/json", Body: []byte("{}")}
}

func dailyKey(secret string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(secret)
	if err != nil || len(key) == 0 {
		return nil, errors.New("must be base64, as Daily gives it")
	}
	return key, nil
}

func dailyCredentials(_ Source, r Request) (Credentials, error) {
	stamp := r.Header.Get(dailyTimestamp)
	return Credentials{
		Given:    single(r.Header.Get(dailySignature)),
		Expected: signing(func(key []byte) string { return base64MAC(key, stamp+".", r.Body) }),
		Valid:    signedAtUnit(stamp),
	}, nil
}

// dailyRead emits every mark that a request proves: a leave has the join in it, an end the start.
func dailyRead(c *check, _ Source, r Request) Delivery {
	var body dailyBody
	c.read(r.Body, &body)
	decode := dailyDecoder(c.kind("type", body.Type))
	if decode == nil {
		return unsupported
	}
	return Delivery{Events: decode(c, body)}
}

// dailyDecoder is nil for what counting does not need. A waiting participant knocks at the door and is not in.
func dailyDecoder(what string) func(*check, dailyBody) []attendance.Event {
	switch what {
	case "participant.joined":
		return dailyJoined
	case "participant.left":
		return dailyLeft
	case "meeting.started":
		return dailyStarted
	case "meeting.ended":
		return dailyEnded
	}
	return nil
}

func dailyRoom(c *check, b dailyBody) attendance.Event {
	return attendance.Event{Kind: attendance.Started, Room: c.need("payload.room", b.Payload.Room)}
}

func dailyPerson(c *check, b dailyBody) attendance.Event {
	e := dailyRoom(c, b)
	e.Kind = attendance.Joined
	e.Attendee = c.id("payload.user_id", b.Payload.UserID)
	e.Connection = c.id("payload.session_id", b.Payload.SessionID)
	e.Name = string(b.Payload.UserName)
	e.Staff = bool(b.Payload.Owner)
	if e.Attendee == e.Connection {
		e.Attendee = ""
	}
	e.Guest = e.Attendee == ""
	return e
}

func dailyJoined(c *check, b dailyBody) []attendance.Event {
	e := dailyPerson(c, b)
	e.At = c.happened("payload.joined_at", b.Payload.JoinedAt.seconds(), b.EventTS.seconds())
	return []attendance.Event{c.settle(e)}
}

// dailyLeft: the moment of a leave is that of the join and the duration; the event's own is that of its sending, which has to do
// where the duration is none.
func dailyLeft(c *check, b dailyBody) []attendance.Event {
	joined := c.settle(dailyPerson(c, b))
	left := joined
	left.Kind = attendance.Left
	began, lasted := b.Payload.JoinedAt.seconds(), b.Payload.Duration
	var ended time.Time
	if !began.IsZero() && lasted != nil && *lasted >= 0 && *lasted <= maxSeconds {
		ended = began.Add(lasted.duration())
	}
	left.At = leftAfter(began, c.happened("payload.duration", ended, b.EventTS.seconds()))
	left = c.settle(left)
	if began.IsZero() {
		return []attendance.Event{left}
	}
	joined.At = c.moment("payload.joined_at", began)
	return []attendance.Event{joined, left}
}

func dailyStarted(c *check, b dailyBody) []attendance.Event {
	e := dailyRoom(c, b)
	e.At = c.happened("payload.start_ts", b.Payload.StartTS.seconds(), b.EventTS.seconds())
	return []attendance.Event{c.settle(e)}
}

func dailyEnded(c *check, b dailyBody) []attendance.Event {
	started := c.settle(dailyRoom(c, b))
	ended := started
	ended.Kind = attendance.Ended
	ended.At = c.happened("payload.end_ts", b.Payload.EndTS.seconds(), b.EventTS.seconds())
	ended = c.settle(ended)
	if began := b.Payload.StartTS.seconds(); !began.IsZero() {
		started.At = c.moment("payload.start_ts", began)
		return []attendance.Event{started, ended}
	}
	return []attendance.Event{ended}
}

func dailySign(s Source, r *Request) {
	stamp := strconv.FormatInt(r.Now.Unix(), 10)
	key, _ := dailyKey(s.Secrets[0]) // Verifiable says so before
	r.set(dailyTimestamp, stamp)
	r.set(dailySignature, base64MAC(key, stamp+".", r.Body))
}

// dailyEncode writes into a leave when its connection joined, if the event's Total says how long that was.
func dailyEncode(e attendance.Event) (string, []byte) {
	at := dailySeconds(e.At)
	payload := map[string]any{"room": e.Room}
	if e.Kind == attendance.Joined || e.Kind == attendance.Left {
		payload["session_id"], payload["user_id"], payload["user_name"] = e.Connection, e.Attendee, e.Name
		payload["owner"], payload["will_eject_at"] = e.Staff, 0
	}
	var what string
	switch e.Kind {
	case attendance.Started:
		what, payload["start_ts"], payload["meeting_id"] = "meeting.started", at, e.Occurrence
	case attendance.Ended:
		what, payload["end_ts"], payload["meeting_id"] = "meeting.ended", at, e.Occurrence
	case attendance.Joined:
		what, payload["joined_at"] = "participant.joined", at
	case attendance.Left:
		what = "participant.left"
		if e.Total > 0 {
			payload["joined_at"], payload["duration"] = dailySeconds(e.At.Add(-e.Total)), e.Total.Seconds()
		}
	default:
		return "", nil
	}
	body := map[string]any{"version": "1.0.0", "type": what, "event_ts": at, "payload": payload}
	sum := sha256.Sum256(mustJSON(body)) // the same event keeps its id when it is sent again
	body["id"] = hex.EncodeToString(sum[:16])
	return "application/json", mustJSON(body)
}

func dailySeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
