package platforms

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jauge/attendance"
)

// dailyName is what somebody typed.
const dailyName = "Jill Chill, jill@example.test, 8615250064084"

var dailySubject = subject{
	secrets: [2]string{"ZGFpbHktc2VjcmV0LW5ldw==", "ZGFpbHktc2VjcmV0LW9sZA=="},
	foreign: "ZGFpbHktc2VjcmV0LW9mLWFub3RoZXI=",
	good: `{"version":"1.0.0","type":"participant.left","id":"evt-1","event_ts":1795427910.9,"payload":{"joined_at":1795427010.456,"duration":890.25,
		"session_id":"s1","room":"r1","user_id":"u1","user_name":"` + dailyName + `","owner":false,
		"permissions":{"canSend":["192.0.2.1","Pa55word","Secret topic"]}}}`,
	events: []attendance.Event{
		{Kind: attendance.Joined, Room: "r1", Attendee: "u1", Name: dailyName, Connection: "s1", At: time.UnixMilli(1795427010456).UTC()},
		{Kind: attendance.Left, Room: "r1", Attendee: "u1", Name: dailyName, Connection: "s1", At: time.UnixMilli(1795427900706).UTC()},
	},
	unknown: `{"type":"waiting-participant.joined","event_ts":"whenever","payload":["Jill Chill"]}`,
	stale:   5*time.Minute + time.Second,
	future:  5*time.Minute + time.Second,
	said: func(e attendance.Event) []attendance.Event {
		e.Occurrence, e.Email = "", ""
		joined := e
		joined.Kind, joined.At, joined.Total = attendance.Joined, e.At.Add(-e.Total), 0
		switch e.Kind {
		case attendance.Joined, attendance.Started, attendance.Ended:
			return []attendance.Event{e}
		case attendance.Left:
			total := e.Total
			if e.Total = 0; total == 0 {
				return []attendance.Event{e}
			}
			return []attendance.Event{joined, e}
		}
		return nil
	},
}

func TestDailySignature(t *testing.T) {
	t.Parallel()
	const good = "x2stoAIYj1plseThfluvLUzH4cBPex9nlW9KLsLKbyU="
	rows := []struct {
		name, stamp, signature string
		err                    error
	}{
		{"vector", "1700000000", good, nil},
		{"another time", "1700000001", good, ErrSignature},
		{"without its padding", "1700000000", good[:len(good)-1], ErrSignature},
		{"in milliseconds", "1700000000123", base64MAC([]byte("secret"), "1700000000123.", []byte(`{"type":"participant.joined"}`)), nil},
		{"an hour ago, in milliseconds", "1699996400000", base64MAC([]byte("secret"), "1699996400000.", []byte(`{"type":"participant.joined"}`)), ErrStale},
		{"no time", "", good, ErrMissing},
		{"not a time", "now", good, ErrMissing},
		{"no signature", "1700000000", "", ErrMissing},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := Request{
				Header: headerOf(map[string]string{"X-Webhook-Timestamp": row.stamp, "X-Webhook-Signature": row.signature}),
				Body:   []byte(`{"type":"participant.joined"}`), Now: time.Unix(1700000000, 0),
			}
			if err := daily.Verify(Source{Secrets: []string{"not base64!", "c2VjcmV0"}}, r); !errors.Is(err, row.err) {
				t.Errorf("%v, want %v", err, row.err)
			}
		})
	}
}

func TestDailyHello(t *testing.T) {
	t.Parallel()
	yes := &Reply{Status: 200, ContentType: "application/json", Body: []byte("{}")}
	for body, want := range map[string]*Reply{
		`{"test":"test"}`:    yes,
		` {"test": "test"} `: yes,
		`{}`:                 nil,
		``:                   nil,
		`{"test":"test"}{}`:  nil,
		`{"test":"test","type":"participant.joined"}`: nil,
		dailySubject.good: nil,
	} {
		if diff := cmp.Diff(want, Dialects["daily"].Hello(Source{}, Request{Body: []byte(body)})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
}

func TestDailyDecode(t *testing.T) {
	t.Parallel()
	at := func(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
	mark := func(kind attendance.Kind, at time.Time) attendance.Event {
		return attendance.Event{Kind: kind, Room: "r", Attendee: "u", Connection: "s", At: at}
	}
	room := func(kind attendance.Kind, at time.Time) attendance.Event {
		return attendance.Event{Kind: kind, Room: "r", At: at}
	}
	of := func(events ...attendance.Event) Delivery { return Delivery{Events: events} }
	const who, joined, left = `"room":"r","session_id":"s","user_id":"u"`, "participant.joined", "participant.left"
	owner := mark(attendance.Joined, at(1795427010100))
	owner.Staff = true
	guest := mark(attendance.Joined, at(1795427010100))
	guest.Attendee, guest.Guest = "", true
	nobody := guest
	nobody.Connection = ""
	number := mark(attendance.Joined, at(1795427010100))
	number.Attendee, number.Connection = "42", ""
	whenSent := of(mark(attendance.Joined, at(1795427010100)), mark(attendance.Left, at(1795428001500)))
	rows := []struct {
		name, event, payload string
		want                 Delivery
		err                  string
	}{
		{"joined", joined, who + `,"joined_at":1795427010.1,"owner":false`, of(mark(attendance.Joined, at(1795427010100))), ""},
		{"joined, whole seconds", joined, who + `,"joined_at":1795427010`, of(mark(attendance.Joined, at(1795427010000))), ""},
		{"joined, unset", joined, who + `,"joined_at":0`, of(mark(attendance.Joined, at(1795428001500))), ""},
		{"owner", joined, who + `,"joined_at":1795427010.1,"owner":true`, of(owner), ""},
		{"guest", joined, `"room":"r","session_id":"s","user_id":null,"joined_at":1795427010.1`, of(guest), ""},
		{"guest, under the session's id", joined, `"room":"r","session_id":"s","user_id":"s","joined_at":1795427010.1`, of(guest), ""},
		{"a number, no session", joined, `"room":"r","user_id":42,"joined_at":1795427010.1`, of(number), ""},
		{"nobody", joined, `"room":"r","joined_at":1795427010.1`, of(nobody), ""},
		{"nowhere", joined, `"session_id":"s","joined_at":1795427010.1`, Delivery{}, "payload.room: missing"},
		{
			"left", left, who + `,"joined_at":1795427010.1,"duration":60.25`,
			of(mark(attendance.Joined, at(1795427010100)), mark(attendance.Left, at(1795427070350))), "",
		},
		{
			"left at once", left, who + `,"joined_at":1795427010.1,"duration":0`,
			of(mark(attendance.Joined, at(1795427010100)), mark(attendance.Left, at(1795427010101))), "",
		},
		{
			"left, after how long is not said", left, who + `,"joined_at":1795427010.1`,
			of(mark(attendance.Joined, at(1795427010100)), mark(attendance.Left, at(1795428001500))), "",
		},
		{"left, since when is not said", left, who + `,"duration":60`, of(mark(attendance.Left, at(1795428001500))), ""},
		{"left before joining", left, who + `,"joined_at":1795427010.1,"duration":-1`, whenSent, ""},
		{"stayed for ever", left, who + `,"joined_at":1795427010.1,"duration":1e300`, whenSent, ""},
		{"stayed for a word", left, who + `,"joined_at":"1795427010.1","duration":"Jill"`, whenSent, ""},
		{"joined at the end of time", joined, who + `,"joined_at":1e300`, of(mark(attendance.Joined, at(1e15))), ""},
		{"joined before time", joined, who + `,"joined_at":-1e300`, of(mark(attendance.Joined, at(-1e15))), ""},
		{"started", "meeting.started", `"room":"r","meeting_id":"m","start_ts":1795427000.5`, of(room(attendance.Started, at(1795427000500))), ""},
		{
			"ended", "meeting.ended", `"room":"r","meeting_id":"m","start_ts":1795427000.5,"end_ts":1795427900`,
			of(room(attendance.Started, at(1795427000500)), room(attendance.Ended, at(1795427900000))), "",
		},
		{"ended, unset", "meeting.ended", `"room":"r"`, of(room(attendance.Ended, at(1795428001500))), ""},
		{"knocking", "waiting-participant.left", `"room":7.5`, Delivery{Unsupported: 1}, ""},
		{"recording", "recording.started", `"room":7.5`, Delivery{Unsupported: 1}, ""},
		{"not a flag", joined, who + `,"owner":"Jill"`, of(mark(attendance.Joined, at(1795428001500))), ""},
		{"not a time", joined, who + `,"joined_at":"Jill"`, of(mark(attendance.Joined, at(1795428001500))), ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			body := `{"type":"` + row.event + `","event_ts":1795428001.5,"payload":{` + row.payload + `}}`
			got, err := daily.Decode(Source{}, Request{Body: []byte(body), Now: now})
			checkDecoded(t, row.want, row.err, got, err)
		})
	}
}
