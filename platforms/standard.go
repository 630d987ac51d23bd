package platforms

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"jauge/attendance"
)

// standard: jauge's own dialect, for anything that can sign a POST with Standard Webhooks.
// Source of the signature: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
var standard = Dialect{
	Capability: attendance.Live,
	Scheme:     standardScheme,
	Decode:     reading(standardRead),
	Sign:       standardSign,
	Encode:     standardEncode,
}

// standardItem is one statement; a body is one of them or an array. "answers.submitted" is the only type that is no
// attendance event.
type standardItem struct {
	Type      id           `json:"type"`
	Timestamp stamp        `json:"timestamp"` // RFC 3339, kept to the millisecond
	Data      standardData `json:"data"`
}

type standardData struct {
	Room       id             `json:"room"`
	Occurrence id             `json:"occurrence,omitempty"`
	Attendee   id             `json:"attendee,omitempty"`
	Connection id             `json:"connection,omitempty"`
	Role       id             `json:"role,omitempty"`    // "audience", the default, or "staff"
	Seconds    *decimal       `json:"seconds,omitempty"` // attendee.attended: the total
	Answers    map[string]any `json:"answers,omitempty"` // answers.submitted: question id → value
	Segment    id             `json:"segment,omitempty"`
	Lang       id             `json:"lang,omitempty"`
}

const (
	answersSubmitted = "answers.submitted"
	maxSeconds       = 7 * 24 * 60 * 60
)

// standardFamily is the first half of a kind's type ("attendee.joined"); "" for kinds that this dialect does not have.
func standardFamily(kind attendance.Kind) string {
	switch kind {
	case attendance.Joined, attendance.Left, attendance.Registered, attendance.Attended:
		return "attendee"
	case attendance.Started, attendance.Ended:
		return "session"
	}
	return ""
}

// standardKey enforces the specification's least length, which its library does not: even an empty key would do there.
func standardKey(secret string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return nil, errors.New("must be whsec_ and base64")
	}
	if len(key) < 24 {
		return nil, errors.New("must be whsec_ and the base64 of at least 24 bytes")
	}
	return key, nil
}

// standardHeaders are those of the signature; Svix sends the same scheme as svix-*.
func standardHeaders(h http.Header) (message, timestamp, signature string) {
	if message = h.Get("Webhook-Id"); message != "" {
		return message, h.Get("Webhook-Timestamp"), h.Get("Webhook-Signature")
	}
	return h.Get("Svix-Id"), h.Get("Svix-Timestamp"), h.Get("Svix-Signature")
}

// standardScheme is that of Standard Webhooks. The official library signs what is sent; what comes is for Verify, as the library's
// clock is the machine's and its tolerance is fixed.
var standardScheme = Scheme{Key: standardKey, Read: standardCredentials}

func standardCredentials(_ Source, r Request) (Credentials, error) {
	message, timestamp, given := standardHeaders(r.Header)
	valid := signedAt(timestamp)
	if message == "" || valid == nil || given == "" {
		return Credentials{}, nil
	}
	var signatures []string
	for signature := range strings.SplitSeq(given, " ") {
		parts := strings.Split(signature, ",") // version, signature, and what the library passes over
		signatures = append(signatures, strings.Join(parts[:min(len(parts), 2)], ","))
	}
	return Credentials{
		Given: signatures,
		Expected: signing(func(key []byte) string {
			return "v1," + base64MAC(key, message+"."+strconv.FormatInt(valid.From, 10)+".", r.Body)
		}),
		Valid: valid,
	}, nil
}

func standardSum(key []byte, message string, at time.Time, body []byte) string {
	webhook, err := standardwebhooks.NewWebhookRaw(key)
	if err != nil {
		panic(err) // it takes any key
	}
	sum, err := webhook.Sign(message, at, body)
	if err != nil {
		panic(err) // HMAC takes any message
	}
	return sum
}

// standardRead takes each statement of a batch for itself.
func standardRead(c *check, _ Source, r Request) Delivery {
	body := bytes.TrimPrefix(r.Body, byteOrderMark)
	items := []json.RawMessage{body}
	batch := bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("["))
	if batch {
		items = nil
		c.read(body, &items)
	}
	var d Delivery
	message, _, _ := standardHeaders(r.Header)
	for i, item := range items {
		if batch {
			c.prefix = element(i)
		}
		standardInto(&d, c, batch, item, fmt.Sprintf("%s/%d", message, i))
	}
	return d
}

// standardInto adds one statement to the delivery. An unknown type is not looked into; a body that is one thing without a type is
// none of this dialect.
func standardInto(d *Delivery, c *check, batch bool, raw json.RawMessage, key string) {
	var item standardItem
	c.read(raw, &item)
	what := string(item.Type)
	family, kind, _ := strings.Cut(what, ".")
	switch {
	case what == "" && !batch:
		c.kind("type", item.Type)
	case what == "":
		c.fail("type", "missing")
		c.bad = false
		d.Unsupported++
	case what == answersSubmitted:
		a := standardAnswers(c, item, key)
		if c.bad {
			d.Unsupported++
		} else {
			d.Answers = append(d.Answers, a)
		}
		c.bad = false
	case family != "" && family == standardFamily(attendance.Kind(kind)):
		d.Events = append(d.Events, c.settle(standardEvent(c, item, attendance.Kind(kind))))
	default:
		d.Unsupported++
	}
}

func standardEvent(c *check, item standardItem, kind attendance.Kind) attendance.Event {
	data := item.Data
	e := attendance.Event{
		Kind:  kind,
		At:    c.moment("timestamp", c.time("timestamp", item.Timestamp)),
		Room:  c.need("data.room", data.Room),
		Staff: strings.EqualFold(string(data.Role), "staff"),
	}
	if data.Role != "" && !e.Staff && !strings.EqualFold(string(data.Role), "audience") {
		c.fail("data.role", "must be audience or staff")
	}
	if kind != attendance.Registered { // people register for the room, not for one opening of it
		e.Occurrence = c.id("data.occurrence", data.Occurrence)
	}
	if standardFamily(kind) == "session" {
		return e
	}
	e.Connection = c.id("data.connection", data.Connection)
	e.Attendee = c.id("data.attendee", data.Attendee)
	if e.Attendee == "" && (kind != attendance.Left || e.Connection == "") {
		c.fail("data.attendee", "missing")
	}
	if kind == attendance.Attended {
		e.Total = standardSeconds(c, data.Seconds)
	}
	return e
}

func standardSeconds(c *check, seconds *decimal) time.Duration {
	switch {
	case seconds == nil:
		c.fail("data.seconds", "missing")
	case !(*seconds >= 0 && *seconds <= maxSeconds):
		c.fail("data.seconds", fmt.Sprintf("must be between 0 and %d", maxSeconds))
	default:
		return seconds.duration()
	}
	return 0
}

func standardAnswers(c *check, item standardItem, key string) Answers {
	data := item.Data
	if len(data.Answers) == 0 {
		c.fail("data.answers", "missing")
	}
	return Answers{
		Room:     c.need("data.room", data.Room),
		Attendee: c.id("data.attendee", data.Attendee),
		Segment:  c.id("data.segment", data.Segment),
		Lang:     c.id("data.lang", data.Lang),
		At:       c.answeredAt(c.time("timestamp", item.Timestamp)),
		Key:      key,
		Values:   data.Answers,
	}
}

// standardSign makes the message id from the body, so that a redelivery keeps it, unless the caller has set one.
func standardSign(s Source, r *Request) {
	key, err := standardKey(s.Secrets[0])
	if err != nil {
		panic(err) // Verifiable says so before
	}
	message := r.Header.Get(standardwebhooks.HeaderWebhookID)
	if message == "" {
		sum := sha256.Sum256(r.Body)
		message = "msg_" + hex.EncodeToString(sum[:16])
	}
	r.set(standardwebhooks.HeaderWebhookID, message)
	r.set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(r.Now.Unix(), 10))
	r.set(standardwebhooks.HeaderWebhookSignature, standardSum(key, message, r.Now, r.Body))
}

func standardEncode(e attendance.Event) (string, []byte) {
	family := standardFamily(e.Kind)
	if family == "" {
		return "", nil
	}
	item := standardItem{
		Type:      id(family + "." + string(e.Kind)),
		Timestamp: stamp(e.At.UTC().Format("2006-01-02T15:04:05.000Z07:00")),
		Data:      standardData{Room: id(e.Room), Occurrence: id(e.Occurrence), Attendee: id(e.Attendee), Connection: id(e.Connection)},
	}
	if e.Staff {
		item.Data.Role = "staff"
	}
	if e.Kind == attendance.Attended {
		seconds := decimal(e.Total.Seconds())
		item.Data.Seconds = &seconds
	}
	return "application/json", mustJSON(item)
}
