package platforms

import (
	"errors"
	"testing"
	"time"

	"jauge/attendance"
)

var jaasSubject = subject{
	secrets: [2]string{"jaas-secret-new", "jaas-secret-old"},
	foreign: "jaas-secret-of-another",
	good: `{"idempotencyKey":"k1","appId":"app1","eventType":"PARTICIPANT_JOINED","sessionId":"o1","timestamp":1795427010456,"fqn":"app1/MyRoom",
		"data":{"conference":"myroom@conference.app1.8x8.vc","isBreakout":false,"breakoutRoomId":null,"moderator":"false","name":"Jill Chill",
		"group":"Secret topic","email":" Jill@Example.TEST ","id":"user-42","participantId":"ab12cd34","participantJid":"8615250064084@x/y",
		"avatar":"https://192.0.2.1/Pa55word.png","role":"visitor"}}`,
	events: []attendance.Event{{
		Kind: attendance.Joined, Room: "app1/MyRoom", Alias: "MyRoom", Occurrence: "o1", Attendee: "user-42", Email: "jill@example.test",
		Name: "Jill Chill", Connection: "ab12cd34", At: time.UnixMilli(1795427010456).UTC(),
	}},
	unknown: `{"eventType":"USAGE","timestamp":"whenever","data":[{"name":"Jill Chill"}]}`,
	stale:   5*time.Minute + time.Second,
	future:  5*time.Minute + time.Second,
	said: func(e attendance.Event) []attendance.Event {
		e.Total = 0
		switch e.Kind {
		case attendance.Joined, attendance.Left, attendance.Started, attendance.Ended:
			return []attendance.Event{e}
		}
		return nil
	},
}

func TestJaasVectors(t *testing.T) {
	t.Parallel()
	var vectors []struct {
		Name, Secret, Body string
		Now                int64
		Header             map[string]string
	}
	readJSON(t, "testdata/jaas.json", &vectors)
	refusals := map[string]error{
		"only-v0": ErrMissing, "wrong-secret": ErrSignature, "t-changed": ErrSignature, "body-changed": ErrSignature,
		"padding-cut": ErrSignature, "old-1h": ErrStale,
	}
	if len(vectors) != 10 {
		t.Fatalf("%d vectors", len(vectors))
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			r := Request{Header: headerOf(v.Header), Body: []byte(v.Body), Now: time.Unix(v.Now, 0)}
			if _, err := receive("jaas", Source{Secrets: []string{"another", v.Secret}}, r); !errors.Is(err, refusals[v.Name]) {
				t.Errorf("%v, want %v", err, refusals[v.Name])
			}
		})
	}
}

func TestJaasHeader(t *testing.T) {
	t.Parallel()
	const good = "Zbjuh4YJI0VhwL3aXlB7iBB9GPwrKhXTjLHc4JUMH2o="
	for header, want := range map[string]error{
		"t=1632490060,v1=" + good:                 nil,
		"t=1632490060, v1=" + good:                nil,
		"v1=" + good + ",t=1632490060":            nil,
		"t=1632490060,v1=" + good + ",v2=" + good: nil,
		"t=1632490060,v2=" + good:                 ErrMissing,
		"t=1632490060,v1=":                        ErrSignature,
		"t=,v1=" + good:                           ErrMissing,
		"v1=" + good:                              ErrMissing,
		"t=1632490060":                            ErrMissing,
		"t==1632490060,v1=" + good:                ErrMissing,
		"t=1632490061,v1=" + good:                 ErrSignature,
		"":                                        ErrMissing,
		",,=,":                                    ErrMissing,
	} {
		r := Request{Header: headerOf(map[string]string{"X-Jaas-Signature": header}), Body: []byte(`{"eventType":"PARTICIPANT_JOINED"}`), Now: time.Unix(1632490060, 0)}
		if err := jaas.Verify(Source{Secrets: []string{"whsec"}}, r); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", header, err, want)
		}
	}
}

func TestJaasDecode(t *testing.T) {
	t.Parallel()
	event := func(kind attendance.Kind, e attendance.Event) Delivery {
		e.Kind, e.Room, e.Alias, e.Occurrence, e.At = kind, "app/room", "room", "o", time.UnixMilli(1795427010456).UTC()
		return Delivery{Events: []attendance.Event{e}}
	}
	const joined, left = "PARTICIPANT_JOINED", "PARTICIPANT_LEFT"
	unsupported := Delivery{Unsupported: 1}
	rows := []struct {
		name, event, data string
		want              Delivery
		err               string
	}{
		{"opened", "ROOM_CREATED", `{"conference":"c","isBreakout":false}`, event(attendance.Started, attendance.Event{}), ""},
		{"closed", "ROOM_DESTROYED", `{"conference":"c"}`, event(attendance.Ended, attendance.Event{}), ""},
		{"a breakout opened", "ROOM_CREATED", `{"isBreakout":true}`, unsupported, ""},
		{"a breakout closed", "ROOM_DESTROYED", `{"isBreakout":"true"}`, unsupported, ""},
		{"joined", joined, `{"id":"u","participantId":"p","email":"Jo@X.test"}`, event(attendance.Joined, attendance.Event{Attendee: "u", Connection: "p", Email: "jo@x.test"}), ""},
		{"guest", joined, `{"id":"","participantId":"p"}`, event(attendance.Joined, attendance.Event{Guest: true, Connection: "p"}), ""},
		{"an e-mail alone is no guest", joined, `{"participantId":"p","email":"Jo@X.test"}`, event(attendance.Joined, attendance.Event{Connection: "p", Email: "jo@x.test"}), ""},
		{"no connection", joined, `{"id":7}`, event(attendance.Joined, attendance.Event{Attendee: "7"}), ""},
		{"moderator", joined, `{"participantId":"p","moderator":true}`, event(attendance.Joined, attendance.Event{Guest: true, Connection: "p", Staff: true}), ""},
		{"moderator in quotes", joined, `{"participantId":"p","moderator":"true"}`, event(attendance.Joined, attendance.Event{Guest: true, Connection: "p", Staff: true}), ""},
		{"left", left, `{"participantId":"p","disconnectReason":"left"}`, event(attendance.Left, attendance.Event{Guest: true, Connection: "p"}), ""},
		{"left, no reason", left, `{"participantId":"p"}`, event(attendance.Left, attendance.Event{Guest: true, Connection: "p"}), ""},
		{"to a breakout", left, `{"participantId":"p","disconnectReason":"switch_room"}`, unsupported, ""},
		{"in a breakout", joined, `{"participantId":"p","isBreakout":true,"breakoutRoomId":"b"}`, unsupported, ""},
		{"left from a breakout", left, `{"participantId":"p","isBreakout":true,"disconnectReason":"left"}`, event(attendance.Left, attendance.Event{Guest: true, Connection: "p"}), ""},
		{"left from a breakout, no reason", left, `{"participantId":"p","isBreakout":true}`, event(attendance.Left, attendance.Event{Guest: true, Connection: "p"}), ""},
		{"back from a breakout", left, `{"participantId":"p","isBreakout":true,"disconnectReason":"switch_room"}`, unsupported, ""},
		{"dialled in", "DIAL_IN_STARTED", `{"direction":"in","nick":"33123 (+33123)","participantId":"p"}`, event(attendance.Joined, attendance.Event{Guest: true, Connection: "p"}), ""},
		{"rang off", "DIAL_IN_ENDED", `{"participantId":"p"}`, event(attendance.Left, attendance.Event{Guest: true, Connection: "p"}), ""},
		{"was called", "DIAL_OUT_STARTED", `{"direction":"out","participantId":"p"}`, event(attendance.Joined, attendance.Event{Guest: true, Connection: "p"}), ""},
		{"was called, and rang off", "DIAL_OUT_ENDED", `{"participantId":"p"}`, event(attendance.Left, attendance.Event{Guest: true, Connection: "p"}), ""},
		{"called by SIP", "SIP_CALL_IN_STARTED", `{"sipAddress":"sip:jill@x.test","participantId":"p"}`, event(attendance.Joined, attendance.Event{Guest: true, Connection: "p"}), ""},
		{"called by SIP, and went", "SIP_CALL_IN_ENDED", `{"participantId":"p"}`, event(attendance.Left, attendance.Event{Guest: true, Connection: "p"}), ""},
		{"was called by SIP", "SIP_CALL_OUT_STARTED", `{"participantId":"p"}`, event(attendance.Joined, attendance.Event{Guest: true, Connection: "p"}), ""},
		{"was called by SIP, and went", "SIP_CALL_OUT_ENDED", `{"participantId":"p"}`, event(attendance.Left, attendance.Event{Guest: true, Connection: "p"}), ""},
		{"lobby", "PARTICIPANT_JOINED_LOBBY", `{"id":1.5}`, unsupported, ""},
		{"nobody", joined, `{"conference":"c"}`, event(attendance.Joined, attendance.Event{Guest: true}), ""},
		{"not a flag", joined, `{"participantId":"p","moderator":"Jill"}`, event(attendance.Joined, attendance.Event{Guest: true, Connection: "p"}), ""},
		{"not data", joined, `["Jill"]`, event(attendance.Joined, attendance.Event{Guest: true}), ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			body := `{"eventType":"` + row.event + `","sessionId":"o","timestamp":1795427010456,"fqn":"app/room","data":` + row.data + `}`
			got, err := jaas.Decode(Source{}, Request{Body: []byte(body), Now: now})
			checkDecoded(t, row.want, row.err, got, err)
		})
	}
	for body, wrong := range map[string]string{
		`{"eventType":"ROOM_CREATED","sessionId":"o","timestamp":1795427010456}`:      "fqn: missing",
		`{"eventType":"ROOM_CREATED","fqn":"a/b","timestamp":1795427010456}`:          "sessionId: missing",
		`{"eventType":"ROOM_CREATED","fqn":"a/b","sessionId":"o","timestamp":0}`:      "timestamp: missing",
		`{"eventType":"ROOM_CREATED","fqn":"a/b","sessionId":"o","timestamp":"soon"}`: "timestamp: missing",
	} {
		got, err := jaas.Decode(Source{}, Request{Body: []byte(body), Now: now})
		checkDecoded(t, Delivery{}, wrong, got, err)
	}
}
