package platforms

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"jauge/attendance"
)

// livestorm: registrations and the session's state as they happen, and after the end each person's total; no joins and
// no leaves. Webhooks made with the API are signed: the hex of SHA-256 over time, secret and body, one after the other.
// That hash can be continued by somebody who does not know the secret, so nothing may follow the JSON value (check.read).
// Webhooks made in the dashboard are never signed.
// Source: https://developers.livestorm.co/docs/webhooks-1 and …/docs/webhook-signatures
var livestorm = Dialect{
	Capability: attendance.Totals,
	Accepts: map[string]string{
		acceptUnsigned: "the dashboard's webhooks carry no signature: whoever learns the address can invent registrations, a start and an end, " +
			"and nothing tells an old request from a new one",
	},
	Scheme:     Scheme{Key: plainKey, Read: livestormCredentials},
	Decode:     reading(livestormRead),
	Sign:       livestormSign,
	Encode:     livestormEncode,
	Resolution: wholeSeconds,
}

const livestormSignature = "X-Livestorm-Signature" // <Unix seconds>,<64 lower-case hex digits>

// livestormNoMail ends the addresses that Livestorm makes up for people who gave none.
const livestormNoMail = "@unknown.livestorm.co"

// livestormBody is what is read of a body, about a session or about a person; everything else (answers of the
// registration form, connection links and their keys) is never decoded. Times are Unix seconds, 0 when unset.
type livestormBody struct {
	Data struct {
		ID         id                  `json:"id"` // of the session or the person
		Attributes livestormAttributes `json:"attributes"`
		Meta       struct {
			Webhook struct {
				Event id `json:"event"`
			} `json:"webhook"`
		} `json:"meta"`
	} `json:"data"`
}

type livestormAttributes struct {
	CreatedAt integer `json:"created_at"`
	UpdatedAt integer `json:"updated_at"`

	EventID   id      `json:"event_id"`
	StartedAt integer `json:"started_at"`
	EndedAt   integer `json:"ended_at"`
	ParentID  id      `json:"breakout_room_parent_session_id"`

	Role       id   `json:"role"` // "participant", "team_member", …
	Email      id   `json:"email"`
	First      name `json:"first_name"`
	Last       name `json:"last_name"`
	Registrant struct {
		EventID      id      `json:"event_id"`
		SessionID    id      `json:"session_id"`
		CreatedAt    integer `json:"created_at"`
		UpdatedAt    integer `json:"updated_at"`
		Seconds      decimal `json:"attendance_duration"`
		GuestSpeaker truth   `json:"is_guest_speaker"`
	} `json:"registrant_detail"`
}

// livestormCredentials: a header without a hash is refused, and not taken for that of an unsigned request.
func livestormCredentials(_ Source, r Request) (Credentials, error) {
	header := r.Header.Get(livestormSignature)
	stamp, sum, _ := strings.Cut(header, ",")
	if header != "" && sum == "" {
		return Credentials{}, ErrMissing
	}
	return Credentials{
		Given:    single(sum),
		Expected: signing(func(key []byte) string { return livestormSum(stamp, string(key), r.Body) }),
		Valid:    signedAt(stamp),
	}, nil
}

func livestormSum(stamp, secret string, body []byte) string {
	h := sha256.New()
	h.Write([]byte(stamp + secret))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// livestormRead takes what it does not know for unsupported: Livestorm disables a subscription whose requests are
// refused too often.
func livestormRead(c *check, _ Source, r Request) Delivery {
	var body livestormBody
	c.read(r.Body, &body)
	event := c.kind("data.meta.webhook.event", body.Data.Meta.Webhook.Event)
	decode := livestormDecoder(event)
	if decode == nil {
		return unsupported
	}
	events := decode(c, event, body)
	if len(events) == 0 {
		return unsupported
	}
	return Delivery{Events: events}
}

// livestormDecoder is nil for what counting does not need: events created or published, sessions planned, jobs.
func livestormDecoder(event string) func(*check, string, livestormBody) []attendance.Event {
	switch event {
	case "session.started", "session.ended":
		return livestormSession
	case "people.registered", "people.attended", "people.not_attended", "people.watched_replay":
		return livestormPerson
	}
	return nil
}

// livestormSession: the end proves the start too. A breakout is a session of its own, and none of the webinar's.
func livestormSession(c *check, event string, b livestormBody) []attendance.Event {
	a := b.Data.Attributes
	if a.ParentID != "" {
		return nil
	}
	started := attendance.Event{
		Kind: attendance.Started, Room: c.need("data.id", b.Data.ID), Alias: c.id("data.attributes.event_id", a.EventID),
	}
	started.Occurrence = started.Room
	started = c.settle(started)
	if event == "session.started" {
		started.At = c.moment("data.attributes.started_at", a.StartedAt.seconds(), a.UpdatedAt.seconds(), c.now)
		return []attendance.Event{started}
	}
	ended := started
	ended.Kind = attendance.Ended
	ended.At = c.moment("data.attributes.ended_at", a.EndedAt.seconds(), a.UpdatedAt.seconds(), c.now)
	if a.StartedAt == 0 {
		return []attendance.Event{ended}
	}
	started.At = c.moment("data.attributes.started_at", a.StartedAt.seconds())
	return []attendance.Event{started, ended}
}

// livestormPerson: whoever attended, or did not, had registered; those who registered before the webhook existed are
// known from that alone, and from then on. Who watches the replay may have registered for it after the end.
func livestormPerson(c *check, event string, b livestormBody) []attendance.Event {
	const at = "data.attributes.registrant_detail."
	a, d := b.Data.Attributes, b.Data.Attributes.Registrant
	session := c.id(at+"session_id", d.SessionID)
	e := attendance.Event{
		Kind: attendance.Registered, Room: session, Alias: c.id(at+"event_id", d.EventID),
		Attendee: c.need("data.id", b.Data.ID), Email: livestormEmail(c, a.Email), Name: fullName(a.First, a.Last),
		Staff: bool(d.GuestSpeaker) || a.Role != "" && a.Role != "participant",
	}
	if e.Room == "" {
		e.Room, e.Alias = c.need(at+"event_id", d.EventID), ""
	}
	e = c.settle(e)
	if event == "people.registered" {
		e.At = c.moment(at+"created_at", d.CreatedAt.seconds(), a.CreatedAt.seconds(), c.now)
		return []attendance.Event{e}
	}
	e.At = c.moment(at+"updated_at", d.UpdatedAt.seconds(), a.UpdatedAt.seconds(), c.now)
	registered := e
	e.Occurrence = session
	switch event {
	case "people.attended":
		e.Kind, e.Total = attendance.Attended, livestormTotal(c, at+"attendance_duration", d.Seconds)
		return []attendance.Event{registered, c.settle(e)}
	case "people.watched_replay":
		e.Kind = attendance.Replayed
		return []attendance.Event{e}
	}
	return []attendance.Event{registered}
}

// livestormTotal reads a total that is below 0 when Livestorm does not know it.
func livestormTotal(c *check, field string, seconds decimal) time.Duration {
	if !(seconds <= maxSeconds) {
		c.fail(field, fmt.Sprintf("must be between 0 and %d", maxSeconds))
		return 0
	}
	return max(seconds, 0).duration()
}

func livestormEmail(c *check, said id) string {
	email := c.email("data.attributes.email", said)
	if strings.HasSuffix(email, livestormNoMail) {
		return ""
	}
	return email
}

// livestormSign posts as the dashboard's webhooks do when the source has no secret.
func livestormSign(s Source, r *Request) {
	if len(s.Secrets) == 0 {
		r.Path = s.Path
		return
	}
	stamp := strconv.FormatInt(r.Now.Unix(), 10)
	r.set(livestormSignature, stamp+","+livestormSum(stamp, s.Secrets[0], r.Body))
}

func livestormEncode(e attendance.Event) (string, []byte) {
	at := e.At.Unix()
	data := map[string]any{"id": e.Attendee, "type": "people"}
	var event string
	var attributes map[string]any
	switch e.Kind {
	case attendance.Started:
		event, attributes = "session.started", map[string]any{"status": "live", "started_at": at, "ended_at": 0}
	case attendance.Ended:
		event, attributes = "session.ended", map[string]any{"status": "past", "started_at": 0, "ended_at": at}
	case attendance.Registered:
		event, attributes = "people.registered", livestormEncodePerson(e)
	case attendance.Attended:
		event, attributes = "people.attended", livestormEncodePerson(e)
	case attendance.Replayed:
		event, attributes = "people.watched_replay", livestormEncodePerson(e)
	default:
		return "", nil
	}
	if e.Kind == attendance.Started || e.Kind == attendance.Ended {
		data["id"], data["type"] = e.Room, "sessions"
		attributes["event_id"], attributes["canceled_at"], attributes["timezone"] = e.Alias, 0, "Europe/Paris"
	}
	attributes["created_at"], attributes["updated_at"] = at, at
	data["attributes"] = attributes
	data["meta"] = map[string]any{"webhook": map[string]any{"event": event, "organization_id": "7dd9eceb-0c1c-4372-82f5-d2c76eccf8e1"}}
	return "application/json", mustJSON(map[string]any{"data": data})
}

func livestormEncodePerson(e attendance.Event) map[string]any {
	role, email := "participant", e.Email
	if e.Staff {
		role = "team_member"
	}
	if email == "" {
		email = fmt.Sprintf("%d+%s%s", e.At.Unix(), e.Attendee, livestormNoMail)
	}
	first, last := splitName(e.Name)
	return map[string]any{"role": role, "email": email, "first_name": first, "last_name": last, "registrant_detail": map[string]any{
		"event_id": e.Alias, "session_id": e.Room, "created_at": e.At.Unix(), "updated_at": e.At.Unix(),
		"attended": e.Kind == attendance.Attended, "attendance_duration": int64(e.Total / time.Second),
		"has_viewed_replay": e.Kind == attendance.Replayed, "is_guest_speaker": false,
	}}
}
