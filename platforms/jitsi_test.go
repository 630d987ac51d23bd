package platforms

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"jauge/attendance"
)

var jitsiSubject = subject{
	secrets: [2]string{"jitsi-secret-new", "jitsi-secret-old"},
	foreign: "jitsi-secret-of-another",
	shown:   true,
	good: `{"event_name":"muc-occupant-left","room_name":"r1","room_jid":"r1@conference.meet.test","is_breakout":false,"active_occupants_count":4,
		"topic":"Secret topic","occupant":{"occupant_jid":"j1@meet.test/OWhl8jSh","joined_at":1795427010,"left_at":1795427900,"name":"Jill Chill",
		"email":" Jill@Example.TEST ","id":"user-42","phone":"8615250064084","ip":"192.0.2.1","password":"Pa55word"}}`,
	events: []attendance.Event{
		{
			Kind: attendance.Joined, Room: "r1@conference.meet.test", Alias: "r1", Attendee: "user-42", Email: "jill@example.test",
			Name: "Jill Chill", Connection: "j1@meet.test/OWhl8jSh/1795427010", At: time.Unix(1795427010, 0).UTC(),
		},
		{
			Kind: attendance.Left, Room: "r1@conference.meet.test", Alias: "r1", Attendee: "user-42", Email: "jill@example.test",
			Name: "Jill Chill", Connection: "j1@meet.test/OWhl8jSh/1795427010", At: time.Unix(1795427900, 0).UTC(),
		},
	},
	unknown: `{"event_name":"muc-something-else","room_jid":["Jill Chill"]}`,
	said: func(e attendance.Event) []attendance.Event {
		if e.Guest {
			e.Attendee = e.Connection
		}
		joined := e
		joined.Kind, joined.At = attendance.Joined, e.At.Add(-e.Total).Truncate(time.Second)
		joined.Connection += "/" + strconv.FormatInt(joined.At.Unix(), 10)
		e.At, e.Total, e.Occurrence, e.Alias = e.At.Truncate(time.Second), 0, "", e.Room
		joined.Total, joined.Occurrence, joined.Alias = 0, "", e.Room
		switch e.Kind {
		case attendance.Joined:
			return []attendance.Event{joined}
		case attendance.Left:
			e.Connection = joined.Connection
			return []attendance.Event{joined, e}
		case attendance.Started:
			return []attendance.Event{e}
		case attendance.Ended: // which has the start in it
			started := e
			started.Kind = attendance.Started
			return []attendance.Event{started, e}
		}
		return nil
	},
}

func TestJitsiHeader(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]error{
		"Bearer s3cr3t":  nil,
		"Bearer s3cr3t ": ErrSignature,
		"Bearer s3cr3":   ErrSignature,
		"Bearer S3cr3t":  ErrSignature,
		"Bearer ":        ErrSignature,
		"Bearer":         ErrMissing,
		"s3cr3t":         ErrMissing,
		"Basic s3cr3t":   ErrMissing,
		"":               ErrMissing,
	} {
		h := http.Header{"Authorization": {header}}
		if err := jitsi.Verify(Source{Secrets: []string{"", "another", "s3cr3t"}}, Request{Header: h}); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", header, err, want)
		}
	}
}

// Each event has its own path.
func TestJitsiPaths(t *testing.T) {
	t.Parallel()
	for kind, want := range map[attendance.Kind]string{
		attendance.Started: "events/room/created", attendance.Ended: "events/room/destroyed",
		attendance.Joined: "events/occupant/joined", attendance.Left: "events/occupant/left",
	} {
		_, body := jitsiEncode(attendance.Event{Kind: kind, Room: "r@m", At: now})
		if r := signed("jitsi", "s", now, string(body)); r.Path != want {
			t.Errorf("%s goes to %q, want %q", kind, r.Path, want)
		}
	}
}

func TestJitsiDecode(t *testing.T) {
	t.Parallel()
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
	room := func(kind attendance.Kind, seconds int64) attendance.Event {
		return attendance.Event{Kind: kind, Room: "r@m", Alias: "r", At: at(seconds)}
	}
	stay := func(kind attendance.Kind, jid string, joined, seconds int64) attendance.Event {
		e := room(kind, seconds)
		e.Attendee, e.Guest, e.Connection = jid, true, jid+"/"+strconv.FormatInt(joined, 10)
		return e
	}
	of := func(events ...attendance.Event) Delivery { return Delivery{Events: events} }
	with := func(e attendance.Event, attendee, email string, staff bool) attendance.Event {
		e.Attendee, e.Guest, e.Email, e.Staff = attendee, attendee == "j" || attendee+email == "", email, staff
		return e
	}
	aside := func(e attendance.Event) attendance.Event {
		e.Reason = attendance.Malformed
		return e
	}
	later := func(e attendance.Event) attendance.Event {
		e.At = e.At.Add(time.Millisecond)
		return e
	}
	const came, left, opened, closed = "muc-occupant-joined", "muc-occupant-left", "muc-room-created", "muc-room-destroyed"
	const t0, t1, t2, t3 = 1795427000, 1795427010, 1795427020, 1795427030
	joined := stay(attendance.Joined, "j", t1, t1)
	rows := []struct {
		name, event, rest string
		want              Delivery
		err               string
	}{
		{"opened", opened, `"created_at":T0`, of(room(attendance.Started, t0)), ""},
		{"a breakout opened", opened, `"is_breakout":true,"breakout_room_id":"b","created_at":T0`, Delivery{Unsupported: 1}, ""},
		{"guest", came, `"occupant":{"occupant_jid":"j","joined_at":T1}`, of(joined), ""},
		{"with a token", came, `"occupant":{"occupant_jid":"j","joined_at":T1,"id":12,"email":"Jo@X.test"}`, of(with(joined, "12", "jo@x.test", false)), ""},
		{"with an e-mail only", came, `"occupant":{"occupant_jid":"j","joined_at":T1,"id":null,"email":"Jo@X.test"}`, of(with(joined, "", "jo@x.test", false)), ""},
		{"moderator", came, `"occupant":{"occupant_jid":"j","joined_at":T1,"moderator":"true"}`, of(with(joined, "j", "", true)), ""},
		{"owner", came, `"occupant":{"occupant_jid":"j","joined_at":T1,"affiliation":"owner"}`, of(with(joined, "j", "", true)), ""},
		{"member", came, `"occupant":{"occupant_jid":"j","joined_at":T1,"affiliation":"member","moderator":false}`, of(joined), ""},
		{"left", left, `"occupant":{"occupant_jid":"j","joined_at":T1,"left_at":T2}`, of(joined, stay(attendance.Left, "j", t1, t2)), ""},
		{
			"a stay in a breakout", left, `"is_breakout":true,"breakout_room_id":"b","occupant":{"occupant_jid":"j","joined_at":T2,"left_at":T3}`,
			of(stay(attendance.Joined, "j", t2, t2), stay(attendance.Left, "j", t2, t3)), "",
		},
		{
			"closed", closed, `"created_at":T0,"destroyed_at":T3,"all_occupants":[{"occupant_jid":"j","joined_at":T1,"left_at":T2},{"occupant_jid":"k","joined_at":T2}]`,
			of(
				room(attendance.Started, t0), joined, stay(attendance.Left, "j", t1, t2),
				stay(attendance.Joined, "k", t2, t2), stay(attendance.Left, "k", t2, t3), room(attendance.Ended, t3),
			), "",
		},
		{
			"a breakout closed", closed, `"is_breakout":true,"created_at":T0,"destroyed_at":T3,"all_occupants":[{"occupant_jid":"j","joined_at":T1,"left_at":T2}]`,
			of(joined, stay(attendance.Left, "j", t1, t2)), "",
		},
		{"closed, and nobody came", closed, `"created_at":T0,"destroyed_at":T3,"all_occupants":[]`, of(room(attendance.Started, t0), room(attendance.Ended, t3)), ""},
		{"closed, with an empty table for a list", closed, `"created_at":T0,"destroyed_at":T3,"all_occupants":{}`, of(room(attendance.Started, t0), room(attendance.Ended, t3)), ""},
		{"a breakout closed, and nobody came", closed, `"is_breakout":true,"destroyed_at":T3`, Delivery{Unsupported: 1}, ""},
		{"closed, when is not said", closed, `"created_at":T0`, of(room(attendance.Started, t0), aside(room(attendance.Ended, now.Unix()))), "destroyed_at: missing"},
		{"nobody", came, `"occupant":{"joined_at":T1}`, Delivery{}, "occupant_jid: missing"},
		{"left, since when is not said", left, `"occupant":{"occupant_jid":"j","left_at":T2}`, Delivery{}, "joined_at: missing"},
		{"left, when is not said", left, `"occupant":{"occupant_jid":"j","joined_at":T1}`, of(joined, aside(stay(attendance.Left, "j", t1, now.Unix()))), "left_at: missing"},
		{
			"left within the second of joining", left, `"occupant":{"occupant_jid":"j","joined_at":T1,"left_at":"T1"}`,
			of(joined, later(stay(attendance.Left, "j", t1, t1))), "",
		},
		{
			"nobody among others", closed, `"created_at":T0,"destroyed_at":T3,"all_occupants":[{"occupant_jid":"j","joined_at":T1},{"joined_at":T1}]`,
			of(
				room(attendance.Started, t0), joined, stay(attendance.Left, "j", t1, t3), aside(with(stay(attendance.Joined, "", t1, t1), "", "", false)),
				aside(with(stay(attendance.Left, "", t1, t3), "", "", false)), room(attendance.Ended, t3),
			), "element 1: occupant_jid: missing",
		},
		{"not a time", came, `"occupant":{"occupant_jid":"j","joined_at":"Jill"}`, Delivery{}, "joined_at: missing"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			body := `{"event_name":"` + row.event + `","room_name":"r","room_jid":"r@m",` + row.rest + `}`
			body = strings.NewReplacer("T0", "1795427000", "T1", "1795427010", "T2", "1795427020", "T3", "1795427030").Replace(body)
			got, err := jitsi.Decode(Source{}, Request{Body: []byte(body), Now: now})
			checkDecoded(t, row.want, row.err, got, err)
		})
	}
}
