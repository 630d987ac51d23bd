package platforms

import (
	"bytes"
	"cmp"
	"crypto/sha1" //nolint:gosec // the platform's default
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"jauge/attendance"
)

// bigbluebutton: meetings of a BigBlueButton server, as its bbb-webhooks sends them: a form whose field event is a JSON
// array. ?checksum= is a plain hash of the registered URL, the body and the server's shared secret; its length names the
// algorithm. Nothing signs a time: the form's timestamp is that of the first attempt, so age refuses nothing, and what
// keeps a replay harmless is that recording is idempotent.
//
// The server itself, without bbb-webhooks, sends a record of each meeting after its end where the meeting was created with
// meta_analytics-callback-url: see bigbluebutton_record.go.
//
// An unverified request gets 401, which the platform takes as final. Any other error it repeats for five minutes and then
// deletes the hook: a forger could have the hook deleted, and a mistyped secret would cost the rest of the meeting even
// after it was mended. The price is that what a mistyped secret refuses is lost; the counter and the log show it at once.
// Source: https://docs.bigbluebutton.org/development/webhooks/ and github.com/bigbluebutton/bbb-webhooks
var bigbluebutton = Dialect{
	Capability: attendance.Live,
	Guests:     true,
	Accepts: map[string]string{ //nolint:gosec // speaks of secrets, holds none
		bbbChecksum2: "the checksum of bbb-webhooks 2.x, over the fields instead of the body: as safe as the current one",
		bbbChecksum3: "the checksum of bbb-webhooks 3.0 to 3.3.1, which does not cover the body: whoever has seen one address of the hook can invent events for ever",
		bbbBearer:    "auth2_0 alone, without a URL to sign: the server's shared secret itself in a header: whoever sees one request can control the server; https only",
		bbbModerator: "nobody who joins as a moderator is counted: where a room makes everybody a moderator, nobody is",
	},
	Large:    16 << 20, // the record of a meeting: every join and leave of everybody
	Mentions: bbbMentions,
	Scheme:   Scheme{Key: plainKey, Read: bbbCredentials, Untimed: true},
	Needs:    bbbNeeds,
	Decode:   reading(bbbRead),
	Sign:     bbbSign,
	Encode:   bbbEncode,
}

// The words of Accepts. Moderators are counted by default: integrators give the role to whole classes, and the first
// person in a room may get it by chance.
const (
	bbbChecksum2 = "checksum-2"
	bbbChecksum3 = "checksum-3"
	bbbBearer    = "bearer"
	bbbModerator = "moderators-are-staff"
)

// bbbBody is what is read of an event, in the platform's public form (Data) or, of a hook registered with getRaw=true, of an internal
// message; everything else (passwords, session tokens, addresses) is never decoded.
type bbbBody struct {
	Data struct {
		ID         id `json:"id"`
		Attributes struct {
			Meeting struct {
				Internal   id      `json:"internal-meeting-id"` // of this opening of the room
				External   id      `json:"external-meeting-id"` // the integrator's id of the room
				Breakout   truth   `json:"is-breakout"`
				CreateTime integer `json:"create-time"` // ms
			} `json:"meeting"`
			User struct {
				Internal id   `json:"internal-user-id"` // of the connection
				External id   `json:"external-user-id"` // of the person; the internal one where the integrator sets none
				Name     name `json:"name"`             // missing when leaving
				Role     id   `json:"role"`             // MODERATOR or VIEWER; often missing when leaving
			} `json:"user"`
		} `json:"attributes"`
		Event struct {
			TS integer `json:"ts"` // ms, by the clock of the webhook process
		} `json:"event"`
	} `json:"data"`
	Envelope struct {
		Name    id `json:"name"`
		Routing struct {
			Meeting id `json:"meetingId"`
			User    id `json:"userId"`
		} `json:"routing"`
		Timestamp integer `json:"timestamp"` // ms
	} `json:"envelope"`
	Core struct {
		Header struct {
			Meeting id `json:"meetingId"`
			User    id `json:"userId"`
		} `json:"header"`
		Body struct {
			Meeting  id   `json:"meetingId"`
			Internal id   `json:"intId"`
			External id   `json:"extId"`
			Name     name `json:"name"`
			Role     id   `json:"role"`
		} `json:"body"`
	} `json:"core"`
}

// bbbNeeds: the checksum covers the URL as it was registered, which behind a proxy no request shows.
func bbbNeeds(s Source) error {
	u, err := url.Parse(s.CallbackURL)
	switch {
	case s.CallbackURL == "" && slices.Contains(s.Accept, bbbBearer):
		return nil
	case s.CallbackURL == "":
		return errors.New("callback_url: missing")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Query().Has("checksum"):
		return errors.New("callback_url: must be the URL as it was registered, http or https, without its checksum")
	}
	return nil
}

func bbbCredentials(s Source, r Request) (Credentials, error) {
	checksum := r.Query.Get("checksum")
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	algorithm := bbbHash(len(checksum))
	switch {
	case checksum == "" && ok:
		return bbbBearing(bearer), nil
	case algorithm == nil:
		return Credentials{}, nil
	}
	return Credentials{Given: []string{checksum}, Expected: func(key []byte) []string {
		if s.CallbackURL == "" {
			return nil
		}
		var sums []string
		for _, text := range bbbTexts(s, r) {
			sums = append(sums, bbbChecksum(algorithm, s.CallbackURL+text+string(key)))
		}
		return sums
	}}, nil
}

// bbbTexts lists what a sender may have hashed between the URL and the secret.
func bbbTexts(s Source, r Request) []string {
	texts := []string{string(r.Body)}
	if form, err := url.ParseQuery(string(r.Body)); err == nil && slices.Contains(s.Accept, bbbChecksum2) {
		texts = append(texts, `{"event":`+bbbQuote(form.Get("event"))+`,"timestamp":`+form.Get("timestamp")+`,"domain":`+bbbQuote(form.Get("domain"))+`}`)
	}
	if slices.Contains(s.Accept, bbbChecksum3) {
		texts = append(texts, "{}")
	}
	return texts
}

// bbbHash picks the algorithm of a checksum by its number of hexadecimal digits; nil for none.
func bbbHash(digits int) func() hash.Hash {
	switch digits {
	case 2 * sha1.Size:
		return sha1.New
	case 2 * sha256.Size:
		return sha256.New
	case 2 * sha512.Size384:
		return sha512.New384
	case 2 * sha512.Size:
		return sha512.New
	}
	return nil
}

func bbbChecksum(algorithm func() hash.Hash, text string) string {
	h := algorithm()
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

// bbbQuote is JavaScript's JSON.stringify of a string. encoding/json escapes more (<, >, &, U+2028).
func bbbQuote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		if at := strings.IndexRune("\"\\\b\f\n\r\t", r); at >= 0 {
			b.WriteByte('\\')
			b.WriteByte(`"\bfnrt`[at])
		} else if r < ' ' {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// bbbRead takes each event of a request for itself.
func bbbRead(c *check, s Source, r Request) Delivery {
	moderatorsAreStaff := slices.Contains(s.Accept, bbbModerator)
	if body := bytes.TrimSpace(bytes.TrimPrefix(r.Body, byteOrderMark)); bytes.HasPrefix(body, []byte("{")) {
		return bbbReadRecord(c, body, moderatorsAreStaff)
	}
	form, err := url.ParseQuery(string(r.Body))
	if err != nil {
		c.refuse("form: cannot be read")
		return Delivery{}
	}
	var items []json.RawMessage
	c.read([]byte(form.Get("event")), &items)
	var sent integer // when the request was first made, in ms
	_ = sent.UnmarshalJSON([]byte(form.Get("timestamp")))
	d, known := Delivery{}, false
	for i, item := range items {
		c.prefix = element(i)
		e, what, ok := bbbEvent(c, item, sent.millis(), moderatorsAreStaff)
		known = known || what != ""
		if ok {
			d.Events = append(d.Events, e)
		} else {
			d.Unsupported++
		}
	}
	if !known {
		c.refuse("event: missing")
	}
	return d
}

// bbbEvent reads one event, and says what it calls itself; false if it is unsupported, in which case nothing more of it is looked
// into.
func bbbEvent(c *check, item json.RawMessage, sent time.Time, moderatorsAreStaff bool) (e attendance.Event, what id, ok bool) {
	var body bbbBody
	c.read(item, &body)
	what = cmp.Or(body.Envelope.Name, body.Data.ID)
	kind := bbbKind(what)
	var role id
	switch {
	case kind == "":
		return attendance.Event{}, what, false
	case body.Envelope.Name != "":
		e, role = bbbFromRaw(c, body, kind, sent)
	default:
		var breakout bool
		if e, role, breakout = bbbFromMapped(c, body, kind, sent); breakout {
			return attendance.Event{}, what, false
		}
	}
	e.Staff = moderatorsAreStaff && role == "MODERATOR"
	// The integrator names nobody. A leave may come without the name of somebody who has one.
	if e.Connection != "" && (e.Attendee == e.Connection || e.Attendee == "" && kind == attendance.Joined) {
		e.Attendee, e.Guest = "", true
	}
	return c.settle(e), what, true
}

// bbbRoom is the integrator's id of a meeting, or what the internal id tells of it: the SHA-1 of that id, a hyphen, and the
// moment of creation. bbb-webhooks does not know the integrator's id of meetings that it did not see created.
func bbbRoom(c *check, field string, external, internal id) string {
	if external == "" {
		digest, _, _ := strings.Cut(string(internal), "-")
		external = id(digest)
	}
	return c.need(field, external)
}

// bbbMentions: whether a room that bbbRoom could only tell the SHA-1 of is the configured one.
func bbbMentions(room, configured string) bool {
	if len(room) != 2*sha1.Size {
		return false
	}
	sum := sha1.Sum([]byte(configured)) //nolint:gosec // what the platform makes its ids of
	return strings.EqualFold(room, hex.EncodeToString(sum[:]))
}

func bbbKind(event id) attendance.Kind {
	switch event {
	case "meeting-created":
		return attendance.Started
	case "meeting-ended", "MeetingEndedEvtMsg", "MeetingDestroyedEvtMsg":
		return attendance.Ended
	case "user-joined", "UserJoinedMeetingEvtMsg":
		return attendance.Joined
	case "user-left", "UserLeftMeetingEvtMsg":
		return attendance.Left
	}
	return ""
}

func bbbFromMapped(c *check, body bbbBody, kind attendance.Kind, sent time.Time) (e attendance.Event, role id, breakout bool) {
	const meeting, user = "data.attributes.meeting.", "data.attributes.user."
	m, u, stamp := body.Data.Attributes.Meeting, body.Data.Attributes.User, body.Data.Event.TS.millis()
	e = attendance.Event{
		Kind: kind, Room: bbbRoom(c, meeting+"external-meeting-id", m.External, m.Internal), Occurrence: c.need(meeting+"internal-meeting-id", m.Internal),
	}
	switch kind {
	case attendance.Started:
		e.At = c.moment(meeting+"create-time", m.CreateTime.millis(), stamp, sent)
		return e, "", bool(m.Breakout)
	case attendance.Ended:
		e.At = c.moment("data.event.ts", stamp, sent)
		return e, "", false
	}
	e.At = c.moment("data.event.ts", stamp, sent)
	e.Connection = c.need(user+"internal-user-id", u.Internal)
	e.Attendee = c.id(user+"external-user-id", u.External)
	e.Name = string(u.Name)
	return e, u.Role, false
}

// bbbFromRaw: internal messages do not carry the integrator's id of the room.
func bbbFromRaw(c *check, body bbbBody, kind attendance.Kind, sent time.Time) (e attendance.Event, role id) {
	routing, header, core := body.Envelope.Routing, body.Core.Header, body.Core.Body
	e = attendance.Event{
		Kind:       kind,
		Occurrence: c.need("envelope.routing.meetingId", cmp.Or(routing.Meeting, header.Meeting, core.Meeting)),
		At:         c.moment("envelope.timestamp", body.Envelope.Timestamp.millis(), sent),
	}
	e.Room = bbbRoom(c, "envelope.routing.meetingId", "", id(e.Occurrence))
	if kind == attendance.Ended {
		return e, ""
	}
	e.Connection = c.need("core.body.intId", cmp.Or(core.Internal, header.User, routing.User))
	e.Attendee = c.id("core.body.extId", core.External)
	e.Name = string(core.Name)
	return e, core.Role
}

// bbbSign signs as the current version does, or with the bearer token where the source has no URL to sign.
func bbbSign(s Source, r *Request) {
	if s.CallbackURL == "" {
		r.set("Authorization", "Bearer "+s.Secrets[0])
		return
	}
	r.Query = url.Values{"checksum": {bbbChecksum(sha256.New, s.CallbackURL+string(r.Body)+s.Secrets[0])}}
}

// bbbEncode has no word for staff: a moderator may be anybody.
func bbbEncode(e attendance.Event) (string, []byte) {
	meeting := map[string]any{"internal-meeting-id": e.Occurrence, "external-meeting-id": e.Room}
	attributes := map[string]any{"meeting": meeting}
	user := map[string]any{"internal-user-id": e.Connection, "external-user-id": cmp.Or(e.Attendee, e.Connection), "guest": false, "name": e.Name}
	var what string
	switch {
	case e.Staff:
		return "", nil
	case e.Kind == attendance.Started:
		what, meeting["create-time"], meeting["is-breakout"] = "meeting-created", e.At.UnixMilli(), false
	case e.Kind == attendance.Ended:
		what = "meeting-ended"
	case e.Kind == attendance.Joined:
		what, attributes["user"], user["role"] = "user-joined", user, "VIEWER"
	case e.Kind == attendance.Left:
		what, attributes["user"] = "user-left", user
	default:
		return "", nil
	}
	events := mustJSON([]any{map[string]any{"data": map[string]any{
		"type": "event", "id": what, "attributes": attributes, "event": map[string]any{"ts": e.At.UnixMilli()},
	}}})
	return bbbForm, []byte("domain=bbb.example.test&event=" + url.QueryEscape(string(events)) + "&timestamp=" + strconv.FormatInt(e.At.UnixMilli(), 10))
}

const bbbForm = "application/x-www-form-urlencoded;charset=UTF-8"
