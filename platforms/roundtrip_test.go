package platforms

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jauge/attendance"
)

var kinds = []attendance.Kind{
	attendance.Joined, attendance.Left, attendance.Started, attendance.Ended, attendance.Bound, attendance.Registered, attendance.Attended,
	attendance.Replayed,
}

// said is what a platform's webhook about an event proves; nil for kinds that it has no word for.
func said(platform string, e attendance.Event) []attendance.Event {
	if own := subjects[platform].said; own != nil {
		return own(e)
	}
	if e.Kind == attendance.Left {
		e.Total = 0
	}
	second := e.At.Truncate(time.Second)
	switch platform {
	case "standard":
		e.Name = ""
	case "bigbluebutton": // a moderator may be anybody
		e.Email = ""
		if e.Staff || !slices.Contains([]attendance.Kind{attendance.Started, attendance.Ended, attendance.Joined, attendance.Left}, e.Kind) {
			return nil
		}
		return []attendance.Event{e}
	case "typeform", "tally", "formbricks":
		return nil
	}
	switch {
	case e.Kind == attendance.Replayed:
		return nil
	case platform == "zoom":
		switch e.Kind {
		case attendance.Attended:
			return nil
		case attendance.Joined, attendance.Left, attendance.Ended:
			e.At = second
		}
		if e.Guest {
			e.Attendee = zoomUUID(e.Connection)
		}
	case e.Kind == attendance.Bound, platform == "livekit" && (e.Kind == attendance.Registered || e.Kind == attendance.Attended):
		return nil
	case platform == "livekit":
		e.Email = ""
		if e.Kind == attendance.Left || e.Kind == attendance.Ended {
			e.At = second
		}
	default:
		e.Email = ""
	}
	return []attendance.Event{e}
}

// anyEvent draws an event with what its kind carries.
func anyEvent(r *rand.Rand) attendance.Event {
	draw := func(prefix string) string { return prefix + strconv.Itoa(r.IntN(1000)) }
	e := attendance.Event{
		Kind: kinds[r.IntN(len(kinds))],
		Room: draw("room \"é\" "),
		At:   now.Add(-time.Duration(r.Int64N(int64(20 * 365 * 24 * time.Hour)))).Truncate(time.Millisecond),
	}
	if e.Kind != attendance.Registered {
		e.Occurrence = draw("occurrence+/=")
	}
	if e.Kind == attendance.Started || e.Kind == attendance.Ended {
		return e
	}
	e.Attendee = draw("person<&>")
	e.Email = draw("mail") + "@example.test"
	e.Name = draw("Zoé O'Neil <&> ")
	switch e.Kind {
	case attendance.Attended:
		e.Total = time.Duration(r.IntN(7_200_000)) * time.Millisecond
	case attendance.Bound:
		e.Peer = draw("peer")
		e.Connection = draw("connection")
	case attendance.Joined, attendance.Left:
		e.Connection = draw("connection")
		e.Staff = r.IntN(4) == 0
		if e.Kind == attendance.Left {
			e.Total = time.Duration(r.IntN(7_200_000)) * time.Millisecond
		}
	}
	return e
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for platform, dialect := range Dialects {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, 2))
			source := subjects[platform].source(platform)
			for range 5000 {
				e := anyEvent(r)
				if dialect.Guests && (e.Kind == attendance.Joined || e.Kind == attendance.Left) && r.IntN(4) == 0 {
					e.Guest, e.Staff, e.Attendee, e.Email = true, false, "", ""
				}
				contentType, body := dialect.Encode(e)
				want := said(platform, e)
				speaks := want != nil
				if speaks != (body != nil) || speaks != (contentType != "") {
					t.Fatalf("%s: encoded as %q, %s", e.Kind, contentType, body)
				}
				if !speaks {
					continue
				}
				request := Request{Method: http.MethodPost, Body: body, Now: now}
				dialect.Sign(source, &request)
				got, err := receive(platform, source, request)
				if err != nil {
					t.Fatalf("%s: %v", body, err)
				}
				if diff := cmp.Diff(Delivery{Events: want}, got); diff != "" {
					t.Fatalf("%s (-want +got):\n%s", body, diff)
				}
			}
		})
	}
}

// anyAnswers draws a submission.
func anyAnswers(r *rand.Rand, platform string) Answers {
	draw := func(prefix string) string { return prefix + strconv.Itoa(r.IntN(1000)) }
	a := Answers{
		Room: draw("form \"é\" "), Key: draw("response"), Attendee: draw("person<&>"), Segment: draw("segment"), Foreign: true,
		At:     now.Add(-time.Duration(r.Int64N(int64(20 * 365 * 24 * time.Hour)))).Truncate(time.Millisecond),
		Values: map[string]any{draw("number"): json.Number(draw("-1.")), draw("text"): draw("so \"é\" "), draw("yes"): r.IntN(2) == 0, draw("list"): []any{draw("a"), draw("b")}},
	}
	if r.IntN(2) == 0 {
		a.Lang = draw("l")
	}
	switch platform {
	case "typeform":
		a.At = a.At.Truncate(time.Second)
	case "formbricks":
		a.Partial = r.IntN(2) == 0
	}
	return a
}

func TestAnswersRoundTrip(t *testing.T) {
	t.Parallel()
	for platform, dialect := range Dialects {
		if dialect.EncodeAnswers == nil {
			continue
		}
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, 2))
			for range 1000 {
				want := anyAnswers(r, platform)
				_, body := dialect.EncodeAnswers(want)
				got, err := receive(platform, subjects[platform].source(platform), signed(platform, subjects[platform].secrets[0], now, string(body)))
				if err != nil {
					t.Fatalf("%s: %v", body, err)
				}
				if diff := cmp.Diff(Delivery{Answers: []Answers{want}}, got); diff != "" {
					t.Fatalf("%s (-want +got):\n%s", body, diff)
				}
			}
		})
	}
}

// A redelivery is the same request, so that nothing is counted twice.
func TestEncodingIsStable(t *testing.T) {
	t.Parallel()
	for platform, dialect := range Dialects {
		encode := func() []byte {
			if s := subjects[platform]; len(s.answers) > 0 {
				_, body := dialect.EncodeAnswers(s.answers[0])
				return body
			}
			_, body := dialect.Encode(subjects[platform].events[0])
			return body
		}
		first, again := encode(), encode()
		a, b := signed(platform, subjects[platform].secrets[0], now, string(first)), signed(platform, subjects[platform].secrets[0], now, string(again))
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("%s: two encodings differ:\n%s", platform, diff)
		}
	}
}

// message is all that a refusal of a body may say, and fault all that is said of a part of one: field names of ours and numbers,
// nothing of the body.
var (
	message = regexp.MustCompile(`^body cannot be decoded: (element \d+: )?(empty|JSON ends too early|not UTF-8|not JSON( at byte \d+)?|` +
		`bytes after the JSON value|[A-Za-z_.-]+: missing|form: cannot be read)$`)
	fault = regexp.MustCompile(`^((element|attendee) \d+: )?[A-Za-z_.-]+: (missing|not a time|longer than 512 bytes|must be (audience or staff|between 0 and 604800))$`)
)

// fuzz feeds a decoder properly signed bodies: no panic, every refusal a known one, and every event whole.
func fuzz(f *testing.F, platform string, more ...string) {
	s := subjects[platform]
	more = append(more, examples(f)[platform]...)
	for _, seed := range append(more, s.good, s.unknown, "{}", "[]", "null", strings.ReplaceAll(s.good, `"`, "")) {
		f.Add([]byte(seed))
	}
	for _, kind := range kinds {
		_, body := Dialects[platform].Encode(attendance.Event{Kind: kind, Room: "r", Occurrence: "o", Attendee: "a", Connection: "c", Peer: "p", At: now})
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := receive(platform, s.source(platform), signed(platform, s.secrets[0], now, s.body(string(body))))
		if err != nil {
			if Reason(err) != "body" {
				t.Fatalf("refused as %v", err)
			}
			if !message.MatchString(err.Error()) {
				t.Fatalf("a message of its own kind: %v", err)
			}
			if diff := cmp.Diff(Delivery{}, d); diff != "" {
				t.Fatalf("refused, but delivered:\n%s", diff)
			}
			return
		}
		checkWhole(t, d)
	})
}

// checkWhole holds a delivery against what every one is: whole statements, beside others of which the reason is said.
func checkWhole(t *testing.T, d Delivery) {
	t.Helper()
	for _, text := range d.Faults {
		if !fault.MatchString(text) {
			t.Fatalf("a fault of its own kind: %s", text)
		}
	}
	for _, e := range d.Events {
		switch {
		case e.Reason != "" && len(d.Faults) > 0 && !e.At.IsZero():
		case e.Room == "", e.Kind == attendance.Bound && (e.Connection == "" || e.Peer == ""):
			t.Fatalf("half an event: %+v", e)
		case e.At.IsZero(), e.At.Location() != time.UTC, e.At.Nanosecond()%1e6 != 0:
			t.Fatalf("a time of its own kind: %+v", e)
		case e.Total < 0:
			t.Fatalf("a negative stay: %+v", e)
		}
	}
	for _, a := range d.Answers {
		if a.Room == "" || a.Key == "" || len(a.Values) == 0 {
			t.Fatalf("half an answer: %+v", a)
		}
	}
}

func FuzzZoom(f *testing.F) {
	fuzz(f, "zoom", `{"event":"endpoint.url_validation","payload":{"plainToken":"abc"}}`, `{"event":"webinar.ended","payload":{"object":{"practice_session":true}}}`)
}

func FuzzLivekit(f *testing.F) {
	fuzz(f, "livekit", `{"event":"room_started","created_at":1795428000,"room":{"name":"n","sid":"s","creation_time":"0"}}`)
}

func FuzzBigbluebutton(f *testing.F) {
	fuzz(f, "bigbluebutton", `[{"envelope":{"name":"UserLeftMeetingEvtMsg","routing":{"meetingId":"a-1"},"timestamp":1795428000000},"core":{"body":{"intId":"w"}}}]`,
		`[{"data":{"id":"meeting-created","attributes":{"meeting":{"is-breakout":true}}}}]`)
}

// FuzzBigbluebuttonRecord feeds the record of a meeting, which comes in no form.
func FuzzBigbluebuttonRecord(f *testing.F) {
	meeting, err := os.ReadFile("testdata/bbb-record/meeting.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(meeting)
	f.Add([]byte(`{"meeting_id":"m","data":{"attendees":[{"ext_user_id":7,"joins":[1795428000,null,"x"],"leaves":[1e300]}],"finish":"2026-11-23 10:00"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := bigbluebutton.Decode(Source{}, Request{Body: body, Now: now})
		if err != nil && !message.MatchString(err.Error()) {
			t.Fatalf("a message of its own kind: %v", err)
		}
		checkWhole(t, d)
	})
}

func FuzzTypeform(f *testing.F) {
	fuzz(f, "typeform", `{"event_type":"form_response","form_response":{"answers":[{"type":"boolean","boolean":false},{"type":"choice","choice":{"other":"x"}},{"type":"date"}]}}`)
}

func FuzzTally(f *testing.F) {
	fuzz(f, "tally", `{"eventType":"FORM_RESPONSE","data":{"fields":[{"key":"k","type":"RANKING","value":["a",1,null],"options":[{"id":"a"}]},{"type":"HIDDEN_FIELDS"}]}}`)
}

func FuzzFormbricks(f *testing.F) {
	fuzz(f, "formbricks", `{"event":"responseCreated","data":{"language":"default","data":{"lang":"fr","q":[],"":true}}}`)
}

func FuzzStandard(f *testing.F) {
	fuzz(f, "standard", `[{"type":"answers.submitted","timestamp":"2026-11-23T10:00:00Z","data":{"room":"r","answers":{"q":[1,"x",null]}}}]`)
}

func FuzzLivestorm(f *testing.F) {
	fuzz(f, "livestorm", `{"data":{"id":"s","attributes":{"started_at":1795428000,"ended_at":0,"updated_at":0},"meta":{"webhook":{"event":"session.ended"}}}}`,
		`{"data":{"id":"p","attributes":{"role":null,"registrant_detail":{"event_id":"e"}},"meta":{"webhook":{"event":"people.not_attended"}}}}`)
}

func FuzzDaily(f *testing.F) {
	fuzz(f, "daily", `{"test":"test"}`, `{"type":"participant.left","event_ts":1795428000.5,"payload":{"room":"r","user_id":7,"joined_at":1e9,"duration":1e300}}`,
		`{"type":"meeting.ended","payload":{"room":"r","start_ts":1795428000,"end_ts":1795429000}}`)
}

func FuzzJaas(f *testing.F) {
	fuzz(f, "jaas", `{"eventType":"PARTICIPANT_LEFT","sessionId":"s","fqn":"a/b","timestamp":"1795428000000","data":{"moderator":"true","isBreakout":"","id":1}}`)
}

func FuzzJitsi(f *testing.F) {
	fuzz(f, "jitsi", `{"event_name":"muc-room-destroyed","room_jid":"r@m","is_breakout":true,"destroyed_at":1795428000,`+
		`"all_occupants":[{"occupant_jid":"j","joined_at":1795427000,"left_at":0},{"occupant_jid":"k","joined_at":1795427000}]}`)
}

// Every dialect has a fuzz target of its own.
func TestEveryDecoderIsFuzzed(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("roundtrip_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for platform := range Dialects {
		if !strings.Contains(string(source), "\tfuzz(f, \""+platform+`"`) {
			t.Errorf("%s: its decoder is not fuzzed", platform)
		}
	}
}

// FuzzVerify feeds every dialect headers and queries that nobody signed: no panic, nothing is let in, and every refusal is
// one of a signature or its time.
func FuzzVerify(f *testing.F) {
	platforms := slices.Sorted(maps.Keys(Dialects))
	for i, platform := range platforms {
		good := signed(platform, subjects[platform].secrets[0], now, subjects[platform].body(subjects[platform].good))
		for name := range good.Header {
			f.Add(uint8(i), good.Header.Get(name), "1795428000", good.Query.Get("checksum"))
		}
		f.Add(uint8(i), "Bearer x", "0", good.Query.Get("checksum"))
	}
	f.Fuzz(func(t *testing.T, which uint8, signature, stamp, checksum string) {
		platform := platforms[int(which)%len(platforms)]
		r := Request{Method: http.MethodPost, Header: http.Header{}, Query: url.Values{"checksum": {checksum}}, Body: []byte("{}"), Now: now}
		for _, name := range []string{
			zoomSignature, "webhook-signature", "Authorization", jaasSignature, dailySignature, livestormSignature, typeformSignature, tallySignature,
		} {
			r.Header.Set(name, signature)
		}
		for _, name := range []string{zoomTimestamp, dailyTimestamp, "webhook-timestamp", "webhook-id"} {
			r.Header.Set(name, stamp)
		}
		source := subjects[platform].source(platform)
		source.Secrets = []string{subjects[platform].foreign} // no seed was signed with it
		switch err := Dialects[platform].Verify(source, r); Reason(err) {
		case "signature", "missing":
		default:
			t.Errorf("%s: %v", platform, err)
		}
	})
}
