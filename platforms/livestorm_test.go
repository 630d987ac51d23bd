package platforms

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jauge/attendance"
)

var livestormSubject = subject{
	secrets: [2]string{"livestorm-secret-new", "livestorm-secret-old"},
	foreign: "livestorm-secret-of-another",
	good: `{"data":{"id":"p1","type":"people","attributes":{"role":"participant","created_at":1795420000,"updated_at":1795427900,
		"first_name":"Jill","last_name":"Chill","email":" Jill@Example.TEST ","avatar_link":"https://example.test/jill.png",
		"registrant_detail":{"event_id":"e1","session_id":"s1","created_at":1795421000,"updated_at":1795427000,"ip_city":"192.0.2.1",
		"fields":[{"id":"phone","value":"8615250064084"},{"id":"why","value":"Secret topic"}],"password_key":"Pa55word",
		"connection_link":"https://app.livestorm.co/p/e1/live?email=jill@example.test&key=Pa55word&s=s1",
		"attended":true,"attendance_rate":87,"attendance_duration":2410,"is_guest_speaker":false,"session_role":null}},
		"meta":{"webhook":{"event":"people.attended","organization_id":"o1"}}}}`,
	events: []attendance.Event{
		{
			Kind: attendance.Registered, Room: "s1", Alias: "e1", Attendee: "p1", Email: "jill@example.test", Name: "Jill Chill",
			At: time.Unix(1795427000, 0).UTC(),
		},
		{
			Kind: attendance.Attended, Room: "s1", Alias: "e1", Occurrence: "s1", Attendee: "p1", Email: "jill@example.test", Name: "Jill Chill",
			At: time.Unix(1795427000, 0).UTC(), Total: 2410 * time.Second,
		},
	},
	unknown: `{"data":{"id":["Jill Chill"],"attributes":"whatever","meta":{"webhook":{"event":"event.published"}}}}`,
	stale:   5*time.Minute + time.Second,
	future:  5*time.Minute + time.Second,
	said: func(e attendance.Event) []attendance.Event {
		e.At = e.At.Truncate(time.Second)
		e.Occurrence = e.Room
		switch e.Kind {
		case attendance.Started, attendance.Ended, attendance.Replayed:
			return []attendance.Event{e}
		case attendance.Registered, attendance.Attended:
			total := e.Total.Truncate(time.Second)
			registered := e
			registered.Kind, registered.Occurrence, registered.Total = attendance.Registered, "", 0
			if e.Kind == attendance.Registered {
				return []attendance.Event{registered}
			}
			e.Total = total
			return []attendance.Event{registered, e}
		}
		return nil
	},
}

// The first vector is that of github.com/betagouv/mon-aide-cyber, which has it from Livestorm; its time is in milliseconds,
// so that it is far in the future.
func TestLivestormSignature(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name, header, secret, body string
		now                        int64
		err                        error
	}{
		{
			"vector", "1752652800000,bcee8607a976dee318a3aa34fa780a4a9ce777b4feb4a6ab218c24c45ca7953e", "signature", `{"uneClef":"valeur"}`,
			1752652800, ErrFuture,
		},
		{
			"in seconds", "1752652800,41f67e088d268e4907992cd51982783477ed4035329744ebf1a94ea5658be1c2", "s3cr3t",
			`{"data":{"id":"p1","type":"people"}}`, 1752652800, nil,
		},
		{
			"the other way round", "41f67e088d268e4907992cd51982783477ed4035329744ebf1a94ea5658be1c2,1752652800", "s3cr3t",
			`{"data":{"id":"p1","type":"people"}}`, 1752652800, ErrMissing,
		},
		{
			"upper case", "1752652800,41F67E088D268E4907992CD51982783477ED4035329744EBF1A94EA5658BE1C2", "s3cr3t",
			`{"data":{"id":"p1","type":"people"}}`, 1752652800, ErrSignature,
		},
		{
			"another time", "1752652801,41f67e088d268e4907992cd51982783477ed4035329744ebf1a94ea5658be1c2", "s3cr3t",
			`{"data":{"id":"p1","type":"people"}}`, 1752652800, ErrSignature,
		},
		{"time only", "1752652800", "s3cr3t", "{}", 1752652800, ErrMissing},
		{"nothing after the comma", "1752652800,", "s3cr3t", "{}", 1752652800, ErrMissing},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := Request{Header: headerOf(map[string]string{"x-livestorm-signature": row.header}), Body: []byte(row.body), Now: time.Unix(row.now, 0)}
			if err := livestorm.Verify(Source{Secrets: []string{"another", row.secret}}, r); !errors.Is(err, row.err) {
				t.Errorf("%v, want %v", err, row.err)
			}
		})
	}
}

// A hash of secret and text can be continued without the secret. The forged request is signed as well as a true one, and
// must fall on what its body has become.
func TestLivestormLengthExtension(t *testing.T) {
	t.Parallel()
	s := livestormSubject
	for name, body := range map[string]string{"known": s.good, "unknown": s.unknown} {
		r := signed("livestorm", s.secrets[0], now, body)
		stamp, sum, _ := strings.Cut(r.Header.Get(livestormSignature), ",")
		length := len(stamp) + len(s.secrets[0]) + len(body) // guessed by trying
		padding := append([]byte{0x80}, make([]byte, (119-length%64)%64)...)
		padding = binary.BigEndian.AppendUint64(padding, uint64(length)*8)
		state := append([]byte("sha\x03"), must(hex.DecodeString(sum))...)
		state = append(state, make([]byte, 64)...)
		state = binary.BigEndian.AppendUint64(state, uint64(length+len(padding)))
		h := sha256.New()
		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
			t.Fatal(err)
		}
		const more = `,"data":{"id":"p2"}}`
		h.Write([]byte(more))
		r.Body = []byte(body + string(padding) + more)
		r.Header.Set(livestormSignature, stamp+","+hex.EncodeToString(h.Sum(nil)))
		if err := livestorm.Verify(s.source("livestorm"), r); err != nil {
			t.Fatalf("%s: the test forges badly: %v", name, err)
		}
		if d, err := livestorm.Decode(s.source("livestorm"), r); !errors.Is(err, ErrBody) || len(d.Events) > 0 || d.Unsupported > 0 {
			t.Errorf("%s: the forged body was read: %+v, %v", name, d, err)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestLivestormUnsigned(t *testing.T) {
	t.Parallel()
	const path = "0123456789abcdef"
	open := Source{Platform: "livestorm", Accept: []string{"unsigned"}, Path: path}
	both := open
	both.Secrets = []string{"s3cr3t"}
	closed := both
	closed.Accept = nil
	short := open
	short.Path = "short"
	plain := func(path string) Request {
		return Request{Method: http.MethodPost, Header: http.Header{}, Path: path, Body: []byte(livestormSubject.good), Now: now}
	}
	wrong := signed("livestorm", "another", now, livestormSubject.good)
	wrong.Path = path
	half := plain(path)
	half.Header.Set(livestormSignature, "1795428000")
	rows := []struct {
		name    string
		source  Source
		request Request
		err     error
	}{
		{"on the path", open, plain(path), nil},
		{"on the path, where others are signed", both, plain(path), nil},
		{"on no path", open, plain(""), ErrMissing},
		{"on another path", open, plain("0123456789abcdeF"), ErrMissing},
		{"on a longer path", open, plain(path + "/x"), ErrMissing},
		{"not accepted", closed, plain(path), ErrMissing},
		{"a path that is too short", short, plain("short"), ErrMissing},
		{"a wrong signature on the path", both, wrong, ErrSignature},
		{"half a signature on the path", both, half, ErrMissing},
		{"signed, without the path", both, signed("livestorm", "s3cr3t", now, livestormSubject.good), nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if err := livestorm.Verify(row.source, row.request); !errors.Is(err, row.err) {
				t.Errorf("%v, want %v", err, row.err)
			}
		})
	}
	sent := Request{Method: http.MethodPost, Header: http.Header{}, Body: []byte(livestormSubject.good), Now: now}
	livestormSign(open, &sent)
	if diff := cmp.Diff(plain(path), sent); diff != "" {
		t.Errorf("as the simulator sends it (-want +got):\n%s", diff)
	}
}

func TestLivestormDecode(t *testing.T) {
	t.Parallel()
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
	person := func(kind attendance.Kind, e attendance.Event) attendance.Event {
		e.Kind, e.Attendee = kind, "x"
		if e.Room == "" {
			e.Room, e.Alias = "s", "e"
		}
		return e
	}
	session := func(kind attendance.Kind, at time.Time) attendance.Event {
		return attendance.Event{Kind: kind, Room: "x", Alias: "e", Occurrence: "x", At: at}
	}
	of := func(events ...attendance.Event) Delivery { return Delivery{Events: events} }
	const detail = `"registrant_detail":{"event_id":"e","session_id":"s","created_at":1795421000,"updated_at":1795427000`
	const field = "data.attributes.registrant_detail."
	oddTotal := of( // the person had registered all the same
		person(attendance.Registered, attendance.Event{At: at(1795427000)}),
		person(attendance.Attended, attendance.Event{Occurrence: "s", At: at(1795427000), Reason: attendance.Malformed}),
	)
	rows := []struct {
		name, event, attributes string
		want                    Delivery
		err                     string
	}{
		{"started", "session.started", `"event_id":"e","started_at":1795428000,"ended_at":0`, of(session(attendance.Started, at(1795428000))), ""},
		{"started, unset", "session.started", `"event_id":"e","started_at":0,"updated_at":1795427001`, of(session(attendance.Started, at(1795427001))), ""},
		{"started, no time at all", "session.started", `"event_id":"e"`, of(session(attendance.Started, now)), ""},
		{
			"ended", "session.ended", `"event_id":"e","started_at":1795420000,"ended_at":1795427000,"updated_at":1795427005`,
			of(session(attendance.Started, at(1795420000)), session(attendance.Ended, at(1795427000))), "",
		},
		{"ended, unset", "session.ended", `"event_id":"e","ended_at":0,"started_at":0,"updated_at":1795427005`, of(session(attendance.Ended, at(1795427005))), ""},
		{"a breakout ended", "session.ended", `"event_id":"e","ended_at":1795427000,"breakout_room_parent_session_id":"s"`, Delivery{Unsupported: 1}, ""},
		{"ended before the start of time", "session.ended", `"event_id":"e","ended_at":12`, of(session(attendance.Ended, at(12))), ""},
		{"registered", "people.registered", `"email":"Jo@X.test",` + detail + `}`, of(person(attendance.Registered, attendance.Event{Email: "jo@x.test", At: at(1795421000)})), ""},
		{
			"registered without an address", "people.registered", `"email":"1795421000+5b0e@Unknown.Livestorm.co",` + detail + `}`,
			of(person(attendance.Registered, attendance.Event{At: at(1795421000)})), "",
		},
		{
			"registered for no session yet", "people.registered", `"registrant_detail":{"event_id":"e","session_id":null,"created_at":1795421000}`,
			of(person(attendance.Registered, attendance.Event{Room: "e", At: at(1795421000)})), "",
		},
		{
			"registered, no time at all", "people.registered", `"registrant_detail":{"event_id":"e","session_id":"s"}`,
			of(person(attendance.Registered, attendance.Event{At: now})), "",
		},
		{"team", "people.registered", `"role":"team_member",` + detail + `}`, of(person(attendance.Registered, attendance.Event{Staff: true, At: at(1795421000)})), ""},
		{
			"guest speaker", "people.not_attended", `"role":"participant",` + detail + `,"is_guest_speaker":true}`,
			of(person(attendance.Registered, attendance.Event{Staff: true, At: at(1795427000)})), "",
		},
		{"did not come", "people.not_attended", detail + `,"attendance_duration":0}`, of(person(attendance.Registered, attendance.Event{At: at(1795427000)})), ""},
		{
			"came, for how long is not known", "people.attended", detail + `,"attendance_duration":null}`,
			of(person(attendance.Registered, attendance.Event{At: at(1795427000)}), person(attendance.Attended, attendance.Event{Occurrence: "s", At: at(1795427000)})), "",
		},
		{
			"came, for less than no time", "people.attended", detail + `,"attendance_duration":-1}`,
			of(person(attendance.Registered, attendance.Event{At: at(1795427000)}), person(attendance.Attended, attendance.Event{Occurrence: "s", At: at(1795427000)})), "",
		},
		{
			"team came", "people.attended", `"role":"moderator",` + detail + `,"attendance_duration":60}`,
			of(
				person(attendance.Registered, attendance.Event{Staff: true, At: at(1795427000)}),
				person(attendance.Attended, attendance.Event{Staff: true, Occurrence: "s", At: at(1795427000), Total: time.Minute}),
			), "",
		},
		{"came for a month", "people.attended", detail + `,"attendance_duration":2592000}`, oddTotal, field + "attendance_duration: must be between 0 and 604800"},
		{
			"watched the replay", "people.watched_replay", detail + `,"has_viewed_replay":true}`,
			of(person(attendance.Replayed, attendance.Event{Occurrence: "s", At: at(1795427000)})), "",
		},
		{"for nothing", "people.registered", `"email":"jo@x.test"`, Delivery{}, field + "event_id: missing"},
		{"not a number", "people.attended", detail + `,"attendance_duration":"Jill"}`, oddTotal, field + "attendance_duration: must be between 0 and 604800"},
		{
			"a number in quotes", "people.attended", detail + `,"attendance_duration":"60"}`,
			of(person(attendance.Registered, attendance.Event{At: at(1795427000)}), person(attendance.Attended, attendance.Event{Occurrence: "s", At: at(1795427000), Total: time.Minute})), "",
		},
		{"job", "job.ended", `"status":["Jill"]`, Delivery{Unsupported: 1}, ""},
		{"planned", "session.created", `"started_at":"soon"`, Delivery{Unsupported: 1}, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			body := `{"data":{"id":"x","attributes":{` + row.attributes + `},"meta":{"webhook":{"event":"` + row.event + `"}}}}`
			got, err := livestorm.Decode(Source{}, Request{Body: []byte(body), Now: now})
			checkDecoded(t, row.want, row.err, got, err)
		})
	}
}
