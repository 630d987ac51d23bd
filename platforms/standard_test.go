package platforms

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jauge/attendance"
)

// The vectors were judged by four official libraries. Where they disagree, a header family of either name is taken, and
// a timestamp must be an integer.
func TestStandardVectors(t *testing.T) {
	t.Parallel()
	var vectors []struct {
		Name    string
		Body    []byte `json:"body_base64"`
		Headers map[string]string
		Secrets []string `json:"secrets_accepted_by_receiver"`
		Now     int64
		Valid   any
	}
	readJSON(t, "testdata/standardwebhooks.json", &vectors)
	if len(vectors) != 54 {
		t.Fatalf("%d vectors", len(vectors))
	}
	disagree := map[string]bool{"valid-svix-headers": true, "valid-empty-body": true, "timestamp-float": false, "timestamp-trailing-junk": false}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			want, certain := v.Valid.(bool)
			if !certain {
				if want, certain = disagree[v.Name]; !certain {
					t.Fatal("the libraries disagree and nothing is decided")
				}
			}
			r := Request{Header: headerOf(v.Headers), Body: v.Body, Now: time.Unix(v.Now, 0)}
			if err := standard.Verify(Source{Secrets: v.Secrets}, r); (err == nil) != want {
				t.Errorf("%v, want valid %v", err, want)
			}
		})
	}
}

func TestStandardRefusals(t *testing.T) {
	t.Parallel()
	s := subjects["standard"]
	rows := []struct {
		name string
		set  map[string]string
		err  error
	}{
		{"no id", map[string]string{"webhook-id": ""}, ErrMissing},
		{"no time", map[string]string{"webhook-timestamp": ""}, ErrMissing},
		{"time in words", map[string]string{"webhook-timestamp": "now"}, ErrMissing},
		{"no signature", map[string]string{"webhook-signature": ""}, ErrMissing},
		{"another id", map[string]string{"webhook-id": "msg_2"}, ErrSignature},
		{"families mixed", map[string]string{"webhook-timestamp": "", "svix-timestamp": "1795428000"}, ErrMissing},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := signed("standard", s.secrets[0], now, s.good)
			for name, value := range row.set {
				r.Header.Set(name, value)
			}
			if err := standard.Verify(s.source("standard"), r); !errors.Is(err, row.err) {
				t.Errorf("%v, want %v", err, row.err)
			}
		})
	}
}

// A short key never verifies anything, even if the sender has the same.
func TestStandardShortKey(t *testing.T) {
	t.Parallel()
	r := signed("standard", subjects["standard"].secrets[0], now, "{}")
	for _, short := range []string{"whsec_", "", "whsec_c2hvcnQ="} {
		if err := standard.Verify(Source{Secrets: []string{short}}, r); !errors.Is(err, ErrSignature) {
			t.Errorf("%q: %v", short, err)
		}
	}
}

func TestStandardDecode(t *testing.T) {
	t.Parallel()
	one := func(kind, data string) string {
		return `{"type":"` + kind + `","timestamp":"2026-11-23T10:00:00Z","data":{` + data + `}}`
	}
	of := func(events ...attendance.Event) Delivery {
		for i := range events {
			events[i].Room, events[i].At = "r", now
		}
		return Delivery{Events: events}
	}
	at := func(stamp string) string {
		return strings.Replace(one("session.started", `"room":"r"`), "2026-11-23T10:00:00Z", stamp, 1)
	}
	const joined = "attendee.joined"
	good := one(joined, `"room":"r","attendee":"a"`)
	oneJoined := attendance.Event{Kind: attendance.Joined, Room: "r", Attendee: "a", At: now}
	answeredNow := Delivery{Answers: []Answers{{Room: "r", Key: "msg_1/0", At: now, Values: map[string]any{"q": json.Number("1")}}}}
	rows := []struct {
		name, body string
		want       Delivery
		err        string
	}{
		{"started", one("session.started", `"room":"r","occurrence":"o","attendee":"ignored"`), of(attendance.Event{Kind: attendance.Started, Occurrence: "o"}), ""},
		{"ended", one("session.ended", `"room":"r"`), of(attendance.Event{Kind: attendance.Ended}), ""},
		{"an address stays", one(joined, `"room":"r","attendee":"Jo@X.test"`), of(attendance.Event{Kind: attendance.Joined, Attendee: "Jo@X.test"}), ""},
		{"audience", one(joined, `"room":"r","attendee":"a","role":"audience"`), of(attendance.Event{Kind: attendance.Joined, Attendee: "a"}), ""},
		{"left", one("attendee.left", `"room":"r","attendee":"a","connection":"c"`), of(attendance.Event{Kind: attendance.Left, Attendee: "a", Connection: "c"}), ""},
		{"left, by connection", one("attendee.left", `"room":"r","connection":"c"`), of(attendance.Event{Kind: attendance.Left, Connection: "c"}), ""},
		{"registered", one("attendee.registered", `"room":"r","occurrence":"o","attendee":"a"`), of(attendance.Event{Kind: attendance.Registered, Attendee: "a"}), ""},
		{
			"attended", one("attendee.attended", `"room":"r","attendee":"a","seconds":2410.5`),
			of(attendance.Event{Kind: attendance.Attended, Attendee: "a", Total: 2410*time.Second + 500*time.Millisecond}), "",
		},
		{"batch", "[" + good + "," + one("pong", "") + "," + one("attendee.waved", `"room":7`) + "," + one("session.ended", `"room":"r"`) + "]", Delivery{
			Events: of(attendance.Event{Kind: attendance.Joined, Attendee: "a"}, attendance.Event{Kind: attendance.Ended}).Events, Unsupported: 2,
		}, ""},
		{"empty batch", " [ ] ", Delivery{}, ""},
		{"microseconds are cut", at("2026-11-23T10:00:00.000999Z"), of(attendance.Event{Kind: attendance.Started}), ""},
		{
			"answers", one("answers.submitted", `"room":"r","attendee":"a","segment":"s","lang":"fr","answers":{"rating":5,"why":"Jo"}`),
			Delivery{Answers: []Answers{{
				Room: "r", Attendee: "a", Segment: "s", Lang: "fr", At: now, Key: "msg_1/0", Values: map[string]any{"rating": json.Number("5"), "why": "Jo"},
			}}}, "",
		},
		{
			"answers of nobody, in a batch", "[" + one("pong", "") + "," + one("answers.submitted", `"room":"r","answers":{"many":["a",1.50]}`) + "]",
			Delivery{Unsupported: 1, Answers: []Answers{{
				Room: "r", At: now, Key: "msg_1/1", Values: map[string]any{"many": []any{"a", json.Number("1.50")}},
			}}}, "",
		},
		{"no answers", one("answers.submitted", `"room":"r","answers":{}`), Delivery{}, "data.answers: missing"},
		{"answers in a row", one("answers.submitted", `"room":"r","answers":["Jill"]`), Delivery{}, "data.answers: missing"},

		{"no type", `{"timestamp":"2026-11-23T10:00:00Z"}`, Delivery{}, "refused: type: missing"},
		{"type of number", `{"type":7}`, Delivery{Unsupported: 1}, ""},
		{"no timestamp", `{"type":"session.started","data":{"room":"r"}}`, Delivery{}, "timestamp: missing"},
		{"timestamp in seconds", `{"type":"session.started","timestamp":1795428000,"data":{"room":"r"}}`, of(attendance.Event{Kind: attendance.Started}), ""},
		{"timestamp in quoted milliseconds", at("1795428000000"), of(attendance.Event{Kind: attendance.Started}), ""},
		{"timestamp without zone", at("2026-11-23T10:00:00"), of(attendance.Event{Kind: attendance.Started}), ""},
		{"timestamp with a space, in UTC", at("2026-11-23 10:00:00 UTC"), of(attendance.Event{Kind: attendance.Started}), ""},
		{"timestamp in lower case", at("2026-11-23t10:00:00z"), of(attendance.Event{Kind: attendance.Started}), ""},
		{"timestamp with a zone without colon", at("2026-11-23T11:00:00+0100"), of(attendance.Event{Kind: attendance.Started}), ""},
		{"timestamp with an hour for a zone", at("2026-11-23T11:00:00.0+01"), of(attendance.Event{Kind: attendance.Started}), ""},
		{"timestamp to the minute", at("2026-11-23T10:00Z"), of(attendance.Event{Kind: attendance.Started}), ""},
		{"timestamp in basic form", at("20261123T100000Z"), of(attendance.Event{Kind: attendance.Started}), ""},
		{"timestamp in nanoseconds", at("2026-11-23T10:00:00.000123456Z"), of(attendance.Event{Kind: attendance.Started}), ""},
		{"timestamp with a comma", at("2026-11-23T10:00:00,000Z"), of(attendance.Event{Kind: attendance.Started}), ""},
		{"timestamp in words", at("Jill"), Delivery{}, "timestamp: not a time"},
		{"timestamp unset", at("1970-01-01T00:00:00Z"), Delivery{}, "timestamp: missing"},
		{"timestamp of 1970", at("1970-06-01T00:00:00Z"), Delivery{Events: []attendance.Event{{Kind: attendance.Started, Room: "r", At: time.Date(1970, 6, 1, 0, 0, 0, 0, time.UTC)}}}, ""},
		{"timestamp of 9999", at("9999-01-01T00:00:00Z"), Delivery{Events: []attendance.Event{{Kind: attendance.Started, Room: "r", At: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}}}, ""},
		{"answers of 2099: their arrival stands", strings.Replace(one("answers.submitted", `"room":"r","answers":{"q":1}`), "2026", "2099", 1), answeredNow, ""},
		{"answers of 1970: their arrival stands", strings.Replace(one("answers.submitted", `"room":"r","answers":{"q":1}`), "2026-11-23", "1970-06-01", 1), answeredNow, ""},
		{"no room", one(joined, `"attendee":"a"`), Delivery{}, "data.room: missing"},
		{"room null", one(joined, `"room":null,"attendee":"a"`), Delivery{}, "data.room: missing"},
		{
			"numbers as ids", strings.Replace(one(joined, `"room":951,"attendee":170,"connection":1.0`), "951", `"r"`, 1),
			of(attendance.Event{Kind: attendance.Joined, Attendee: "170", Connection: "1"}), "",
		},
		{"no attendee", one(joined, `"room":"r","connection":"c"`), Delivery{}, "data.attendee: missing"},
		{"left by nobody", one("attendee.left", `"room":"r"`), Delivery{}, "data.attendee: missing"},
		{"no data", `{"type":"session.started","timestamp":"2026-11-23T10:00:00Z"}`, Delivery{}, "data.room: missing"},
		{"data in a row", `{"type":"session.started","timestamp":"2026-11-23T10:00:00Z","data":["Jill"]}`, Delivery{}, "data.room: missing"},
		{"role", one(joined, `"room":"r","attendee":"a","role":"Jill"`), Delivery{}, "data.role: must be audience or staff"},
		{"no seconds", one("attendee.attended", `"room":"r","attendee":"a"`), Delivery{}, "data.seconds: missing"},
		{"seconds as string", one("attendee.attended", `"room":"r","attendee":"a","seconds":"2410"`), of(attendance.Event{Kind: attendance.Attended, Attendee: "a", Total: 2410 * time.Second}), ""},
		{"seconds in words", one("attendee.attended", `"room":"r","attendee":"a","seconds":"Jill"`), Delivery{}, "data.seconds: must be between 0 and 604800"},
		{"seconds beyond numbers", one("attendee.attended", `"room":"r","attendee":"a","seconds":1e999`), Delivery{}, "data.seconds: must be between 0 and 604800"},
		{"negative seconds", one("attendee.attended", `"room":"r","attendee":"a","seconds":-1`), Delivery{}, "data.seconds: must be between 0 and 604800"},
		{"long attendee", one(joined, `"room":"r","attendee":"`+strings.Repeat("a", 513)+`"`), Delivery{}, "data.attendee: longer than 512 bytes"},
		{
			"one bad of four", "[" + good + "," + one(joined, `"attendee":"Jill"`) + "," + good + "," + good + "]", Delivery{Events: []attendance.Event{
				oneJoined, {Kind: attendance.Joined, Attendee: "Jill", At: now, Reason: attendance.Malformed}, oneJoined, oneJoined,
			}}, "element 1: data.room: missing",
		},
		{"one of a wrong shape", "[" + good + `,"Jill"]`, Delivery{Events: []attendance.Event{oneJoined}, Unsupported: 1}, "element 1: type: missing"},
		{"one null", "[" + good + `,null,` + good + `]`, Delivery{Events: []attendance.Event{oneJoined, oneJoined}, Unsupported: 1}, "element 1: type: missing"},
		{"batch in a batch", "[[" + good + "]]", Delivery{Unsupported: 1}, "element 0: type: missing"},
		{"batch cut short", "[" + good, Delivery{}, "refused: JSON ends too early"},
		{"bytes after the batch", "[" + good + "]x", Delivery{}, "refused: bytes after the JSON value"},
		{"not JSON", "{'type'", Delivery{}, "refused: not JSON at byte 2"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := Request{Header: headerOf(map[string]string{"webhook-id": "msg_1"}), Body: []byte(row.body), Now: now}
			got, err := standard.Decode(Source{}, r)
			checkDecoded(t, row.want, row.err, got, err)
			if diff := cmp.Diff(row.body, string(r.Body)); diff != "" {
				t.Errorf("the body was changed:\n%s", diff)
			}
		})
	}
}
