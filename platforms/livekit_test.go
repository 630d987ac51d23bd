package platforms

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"jauge/attendance"
)

var captures = []string{"livekit-basic", "livekit-dup", "livekit-kill", "livekit-restart-kill"}

var update = flag.Bool("update", false, "write the golden files anew")

// capture returns the requests that a server really sent: LiveKit 1.13.5, or bbb-webhooks 3.5.0.
func capture(t testing.TB, file string) []Request {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var requests []Request
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			AtMs    int64 `json:"at_ms"`
			URL     string
			Headers map[string]string
			Body    string
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		address, err := url.Parse(line.URL)
		if err != nil {
			t.Fatal(err)
		}
		requests = append(requests, Request{
			Method: http.MethodPost, Header: headerOf(line.Headers), Query: address.Query(), Body: []byte(line.Body), Now: time.UnixMilli(line.AtMs),
		})
	}
	return requests
}

// The marks of each capture, as golden files.
func TestLivekitCaptures(t *testing.T) {
	t.Parallel()
	for _, name := range captures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join("testdata", name)
			var truth struct{ Key, Secret string }
			readJSON(t, path+".truth.json", &truth)
			source := Source{Secrets: []string{"other:secret", truth.Key + ":" + truth.Secret}}
			var golden bytes.Buffer
			for _, r := range capture(t, path+".jsonl") {
				d, err := receive("livekit", source, r)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range d.Events {
					golden.Write(append(mustJSON(e), '\n'))
				}
				if d.Unsupported > 0 {
					golden.WriteString("unsupported\n")
				}
			}
			if *update {
				if err := os.WriteFile(path+".golden", golden.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path + ".golden")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), golden.String()); diff != "" {
				t.Errorf("marks (-want +got):\n%s", diff)
			}
		})
	}
}

// The marks agree with the clients' own record of who was in when. A killed client is reported 19.2 s late.
func TestLivekitCapturesAgainstTruth(t *testing.T) {
	t.Parallel()
	const near, late = 1500 * time.Millisecond, 20 * time.Second
	for _, name := range captures {
		path := filepath.Join("testdata", name)
		var truth struct {
			Visits []struct {
				Identity string
				JoinedMs int64 `json:"joined_ms"`
				LeftMs   int64 `json:"left_ms"`
				How      string
			}
		}
		readJSON(t, path+".truth.json", &truth)
		marks := map[string]map[attendance.Kind][]time.Time{}
		for _, r := range capture(t, path+".jsonl") {
			d, err := livekit.Decode(Source{}, r)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range d.Events {
				if marks[e.Attendee] == nil {
					marks[e.Attendee] = map[attendance.Kind][]time.Time{}
				}
				marks[e.Attendee][e.Kind] = append(marks[e.Attendee][e.Kind], e.At)
			}
		}
		within := func(times []time.Time, ms int64, span time.Duration) bool {
			for _, t := range times {
				if t.Sub(time.UnixMilli(ms)).Abs() <= span {
					return true
				}
			}
			return false
		}
		for _, v := range truth.Visits {
			span := near
			if v.How == "SIGKILL" {
				span = late
			}
			if !within(marks[v.Identity][attendance.Joined], v.JoinedMs, near) || !within(marks[v.Identity][attendance.Left], v.LeftMs, span) {
				t.Errorf("%s: no marks for %+v", name, v)
			}
		}
	}
}

func TestLivekitToken(t *testing.T) {
	t.Parallel()
	body := []byte(`{"event":"participant_joined"}`)
	// Made outside of this code: iss mykey, nbf 1700000000, exp 1700000300, sha256 of body.
	const vector = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJteWtleSIsIm5iZiI6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAwMzAwLCJzaGEyNTYiOiJYdHdONnhqNG9x" +
		"VS81Y0YwRjByVUhQYmZibnUrbGRuRHQwYXBrWVh5aGNZPSJ9.oDUqv7EGHt1ccldGN0tUX5YArVY_X0aRUmQuAamONGE"
	at := time.Unix(1700000000, 0)
	registered := jwt.RegisteredClaims{Issuer: "mykey", ExpiresAt: jwt.NewNumericDate(at.Add(time.Minute))}
	const sum = "XtwN6xj4oqU/5cF0F0rUHPbfbnu+ldnDt0apkYXyhcY="
	token := func(method jwt.SigningMethod, key any, claims jwt.Claims) string {
		signed, err := jwt.NewWithClaims(method, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	hs256 := func(claims livekitClaims) string { return token(jwt.SigningMethodHS256, []byte("mysecret"), claims) }
	renamed := func(token string) string { // signed as its claims ask, with a header that names another algorithm
		_, claims, _ := strings.Cut(token, ".")
		claims, _, _ = strings.Cut(claims, ".")
		text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS512","typ":"JWT"}`)) + "." + claims
		sum := sha256MAC([]byte("mysecret"), text, nil)
		return text + "." + base64.RawURLEncoding.EncodeToString(sum[:])
	}
	rows := []struct {
		name, token string
		now         time.Time
		err         error
	}{
		{"vector", vector, at, nil},
		{"vector after its exp, within the leeway", vector, at.Add(359 * time.Second), nil},
		{"vector at the end of the leeway", vector, at.Add(360 * time.Second), ErrStale},
		{"vector after the leeway", vector, at.Add(361 * time.Second), ErrStale},
		{"vector too early", vector, at.Add(-61 * time.Second), ErrFuture},
		{"issued in the future", hs256(livekitClaims{
			jwt.RegisteredClaims{Issuer: "mykey", ExpiresAt: jwt.NewNumericDate(at.Add(time.Hour)), IssuedAt: jwt.NewNumericDate(at.Add(2 * time.Minute))}, sum,
		}), at, ErrFuture},
		{"Bearer", "Bearer " + vector, at, ErrSignature},
		{"spare bits of the signature set", strings.TrimSuffix(vector, "E") + "F", at, ErrSignature},
		{"not a token", "mysecret", at, ErrSignature},
		{"alg none", token(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, livekitClaims{registered, sum}), at, ErrSignature},
		{"HS512", token(jwt.SigningMethodHS512, []byte("mysecret"), livekitClaims{registered, sum}), at, ErrSignature},
		{"HS256 under another name", renamed(hs256(livekitClaims{registered, sum})), at, ErrSignature},
		{"unknown issuer", hs256(livekitClaims{jwt.RegisteredClaims{Issuer: "who", ExpiresAt: registered.ExpiresAt}, sum}), at, ErrSignature},
		{"no issuer", hs256(livekitClaims{jwt.RegisteredClaims{ExpiresAt: registered.ExpiresAt}, sum}), at, ErrSignature},
		{"no exp", hs256(livekitClaims{jwt.RegisteredClaims{Issuer: "mykey"}, sum}), at, ErrMissing},
		{"a participant's access token", hs256(livekitClaims{registered, ""}), at, ErrSignature},
		{"of another body", hs256(livekitClaims{registered, strings.Replace(sum, "X", "Y", 1)}), at, ErrSignature},
		{"right", hs256(livekitClaims{registered, sum}), at, nil},
	}
	source := Source{Secrets: []string{"mykey:rotated", "mykey:mysecret", "other:mysecret", ":", "mykey:"}}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := Request{Header: headerOf(map[string]string{"Authorization": row.token}), Body: body, Now: row.now}
			if err := livekit.Verify(source, r); !errors.Is(err, row.err) {
				t.Errorf("%v, want %v", err, row.err)
			}
		})
	}
}

func TestLivekitDecode(t *testing.T) {
	t.Parallel()
	at := func(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
	event := func(kind attendance.Kind, ms int64) attendance.Event {
		return attendance.Event{Kind: kind, Room: "n", Occurrence: "RM", At: at(ms)}
	}
	person := func(kind attendance.Kind, ms int64, staff bool) attendance.Event {
		e := event(kind, ms)
		e.Attendee, e.Connection, e.Staff = "i", "PA", staff
		return e
	}
	joined := func(participant string) string {
		return `{"event":"participant_joined","createdAt":"1795428000","room":{"sid":"RM","name":"n"},"participant":{"sid":"PA","identity":"i"` + participant + `}}`
	}
	left := func(participant string) string {
		return strings.NewReplacer("_joined", "_left", `"joinedAt"`, participant+`,"joinedAt"`).Replace(joined(`,"joinedAt":"1795427990","joinedAtMs":"1795427990456"`))
	}
	recorder := person(attendance.Joined, 1795428000000, true)
	recorder.Attendee = "RECORDER_BOT"
	of := func(events ...attendance.Event) Delivery { return Delivery{Events: events} }
	rows := []struct {
		name, body string
		want       Delivery
		err        string
	}{
		{
			"room_started", `{"event":"room_started","createdAt":"1795428000","room":{"sid":"RM","name":"n","creationTime":"1795427999","creationTimeMs":"1795427999123"}}`,
			of(event(attendance.Started, 1795427999123)), "",
		},
		{
			"room_started, seconds only", `{"event":"room_started","createdAt":"1795428000","room":{"sid":"RM","name":"n","creationTime":"1795427999"}}`,
			of(event(attendance.Started, 1795427999000)), "",
		},
		{"room_started, no creation", `{"event":"room_started","createdAt":1795428000,"room":{"sid":"RM","name":"n"}}`, of(event(attendance.Started, 1795428000000)), ""},
		{
			"room_finished", `{"event":"room_finished","createdAt":"1795428000","room":{"sid":"RM","name":"n","creationTimeMs":1795427999123}}`,
			of(event(attendance.Started, 1795427999123), event(attendance.Ended, 1795428000000)), "",
		},
		{"joined", joined(`,"joinedAt":"1795427990","joinedAtMs":"1795427990456"`), of(person(attendance.Joined, 1795427990456, false)), ""},
		{"joined, seconds only", joined(`,"joinedAt":1795427990,"joinedAtMs":"0"`), of(person(attendance.Joined, 1795427990000, false)), ""},
		{"joined, no time", joined(``), of(person(attendance.Joined, 1795428000000, false)), ""},
		{
			"snake_case", `{"event":"participant_left","created_at":1795428000,"room":{"sid":"RM","name":"n","creation_time":1795427980,"creation_time_ms":1795427980123},
			"participant":{"sid":"PA","identity":"i","state":"ACTIVE","joined_at":1795427990,"joined_at_ms":1795427990456}}`,
			of(event(attendance.Started, 1795427980123), person(attendance.Joined, 1795427990456, false), person(attendance.Left, 1795428000000, false)), "",
		},
		{
			"left without a join time", strings.Replace(joined(``), "joined", "left", 1),
			of(person(attendance.Left, 1795428000000, false)), "",
		},
		{"standard", joined(`,"kind":"STANDARD"`), of(person(attendance.Joined, 1795428000000, false)), ""},
		{"on the phone", joined(`,"kind":"SIP"`), of(person(attendance.Joined, 1795428000000, false)), ""},
		{"recorder", joined(`,"kind":"EGRESS"`), of(person(attendance.Joined, 1795428000000, true)), ""},
		{"agent, by number", joined(`,"kind":4`), of(person(attendance.Joined, 1795428000000, true)), ""},
		{"a bridge, by number", joined(`,"kind":8`), of(person(attendance.Joined, 1795428000000, true)), ""},
		{"a stream", joined(`,"kind":"INGRESS"`), of(person(attendance.Joined, 1795428000000, true)), ""},
		{"by another network", joined(`,"kind":"CONNECTOR"`), of(person(attendance.Joined, 1795428000000, false)), ""},
		{"of a kind to come", joined(`,"kind":"HOLOGRAM"`), of(person(attendance.Joined, 1795428000000, false)), ""},
		{"a phone that rings", joined(`,"kind":"SIP","attributes":{"sip.callStatus":"ringing"}`), Delivery{Unsupported: 1}, ""},
		{"a phone that is called, by number", joined(`,"kind":3,"attributes":{"sip.callStatus":"dialing"}`), Delivery{Unsupported: 1}, ""},
		{"a phone that is on", joined(`,"kind":"SIP","attributes":{"sip.callStatus":"active"}`), of(person(attendance.Joined, 1795428000000, false)), ""},
		{"nobody answered", left(`"kind":"SIP","state":"DISCONNECTED","disconnectReason":"USER_UNAVAILABLE"`), Delivery{Unsupported: 1}, ""},
		{"rejected", left(`"kind":"SIP","state":"DISCONNECTED","disconnectReason":"USER_REJECTED"`), Delivery{Unsupported: 1}, ""},
		{"rejected, in the other spelling", left(`"kind":3,"state":3,"disconnect_reason":12`), Delivery{Unsupported: 1}, ""},
		{"taken off while it rang", left(`"kind":"SIP","state":"DISCONNECTED","attributes":{"sip.callStatus":"ringing"},"disconnectReason":"PARTICIPANT_REMOVED"`), Delivery{Unsupported: 1}, ""},
		{"the line broke", left(`"kind":"SIP","state":"DISCONNECTED","disconnectReason":"SIP_TRUNK_FAILURE"`), of(person(attendance.Left, 1795428000000, false)), ""},
		{
			"hung up", left(`"kind":"SIP","state":"DISCONNECTED","attributes":{"sip.callStatus":"hangup"},"disconnectReason":"CLIENT_INITIATED"`),
			of(person(attendance.Joined, 1795427990456, false), person(attendance.Left, 1795428000000, false)), "",
		},
		{"left, by number", left(`"state":3`), of(person(attendance.Joined, 1795427990456, false), person(attendance.Left, 1795428000000, false)), ""},
		{"left without ever getting in", left(`"state":"JOINED"`), Delivery{Unsupported: 1}, ""},
		{"failed to join", left(`"state":"DISCONNECTED","disconnectReason":"JOIN_FAILURE"`), Delivery{Unsupported: 1}, ""},
		{"left, whether they were in is not said", left(`"disconnectReason":"SIGNAL_CLOSE"`), of(person(attendance.Left, 1795428000000, false)), ""},
		{
			"left within the second of joining", strings.Replace(left(`"state":"DISCONNECTED"`), "1795427990456", "1795428000789", 1),
			of(person(attendance.Joined, 1795428000789, false), person(attendance.Left, 1795428000790, false)), "",
		},
		{
			"plugNmeet", `{"event":"participant_joined","created_at":"1795428000","room":{"sid":"RM","room_id":"n","name":"Jill's lesson"},"participant":{"sid":"PA","identity":"i","joined_at":"1795427990"}}`,
			of(person(attendance.Joined, 1795427990000, false)), "",
		},
		{
			"plugNmeet, the end", `{"event":"session_ended","created_at":"1795428000","room":{"sid":"RM","room_id":"n","creation_time":"1795427999"}}`,
			of(event(attendance.Started, 1795427999000), event(attendance.Ended, 1795428000000)), "",
		},
		{
			"a recorder of plugNmeet", `{"event":"participant_joined","created_at":"1795428000","room":{"sid":"RM","room_id":"n"},"participant":{"sid":"PA","identity":"RECORDER_BOT"}}`,
			of(recorder), "",
		},
		{"hidden", joined(`,"permission":{"hidden":true}`), of(person(attendance.Joined, 1795428000000, true)), ""},
		{"aborted", strings.Replace(joined(``), "joined", "connection_aborted", 1), Delivery{Unsupported: 1}, ""},
		{"track", `{"event":"track_published"}`, Delivery{Unsupported: 1}, ""},
		{"no room", `{"event":"room_finished","createdAt":"1795428000","room":{"sid":"RM"}}`, Delivery{}, "room.name: missing"},
		{"no sid", `{"event":"room_finished","createdAt":"1795428000","room":{"name":"n"}}`, Delivery{}, "room.sid: missing"},
		{"no time", `{"event":"room_finished","room":{"sid":"RM","name":"n"}}`, Delivery{}, "createdAt: missing"},
		{"no identity", strings.Replace(joined(``), "identity", "name", 1), Delivery{}, "participant.identity: missing"},
		{"no connection", strings.Replace(joined(``), `"sid":"PA",`, "", 1), Delivery{}, "participant.sid: missing"},
		{"not a time", joined(`,"joinedAtMs":"Jill"`), of(person(attendance.Joined, 1795428000000, false)), ""},
		{"not a room", `{"event":"room_finished","room":"Jill"}`, Delivery{}, "room.name: missing; room.sid: missing; createdAt: missing"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := livekit.Decode(Source{}, Request{Body: []byte(row.body), Now: now})
			checkDecoded(t, row.want, row.err, got, err)
		})
	}
}
