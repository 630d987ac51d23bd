package platforms

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"jauge/attendance"
)

// bbbToken is what a server shows with a record.
func bbbToken(t *testing.T, method jwt.SigningMethod, secret any, claims jwt.RegisteredClaims) string {
	t.Helper()
	token, err := jwt.NewWithClaims(method, claims).SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + token
}

func TestBBBRecordToken(t *testing.T) {
	t.Parallel()
	const secret = "sharedsecret"
	until := func(at time.Time) jwt.RegisteredClaims {
		return jwt.RegisteredClaims{ExpiresAt: jwt.NewNumericDate(at)}
	}
	day := until(now.Add(24 * time.Hour))
	good := bbbToken(t, jwt.SigningMethodHS512, []byte(secret), day)
	source := Source{Secrets: []string{"rotated", secret}, CallbackURL: "https://jauge.example.test/webhooks/bbb"}
	for name, row := range map[string]struct {
		source Source
		token  string
		err    error
	}{
		"good":                      {source, good, nil},
		"good, without a URL":       {Source{Secrets: []string{secret}, Accept: []string{bbbBearer}}, good, nil},
		"another secret":            {Source{Secrets: []string{"rotated"}}, good, ErrSignature},
		"an empty secret":           {Source{Secrets: []string{""}}, bbbToken(t, jwt.SigningMethodHS512, []byte(""), day), ErrSignature},
		"expired":                   {source, bbbToken(t, jwt.SigningMethodHS512, []byte(secret), until(now.Add(-5*time.Minute))), ErrStale},
		"expired, within tolerance": {source, bbbToken(t, jwt.SigningMethodHS512, []byte(secret), until(now.Add(-4*time.Minute))), nil},
		"for ever":                  {source, bbbToken(t, jwt.SigningMethodHS512, []byte(secret), jwt.RegisteredClaims{}), ErrMissing},
		"of another algorithm":      {source, bbbToken(t, jwt.SigningMethodHS256, []byte(secret), day), ErrSignature},
		"of none":                   {source, bbbToken(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, day), ErrSignature},
		"cut":                       {source, good[:len(good)-1], ErrSignature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := Request{Header: http.Header{"Authorization": {row.token}}, Query: url.Values{}, Body: []byte("{}"), Now: now}
			if err := bigbluebutton.Verify(row.source, r); !errors.Is(err, row.err) {
				t.Errorf("%v, want %v", err, row.err)
			}
		})
	}
}

// The record of a meeting, as a golden file: every stay of everybody, and of what people said and did nothing.
func TestBBBRecord(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile(filepath.Join("testdata", "bbb-record", "meeting.json"))
	if err != nil {
		t.Fatal(err)
	}
	var golden bytes.Buffer
	for _, accept := range [][]string{nil, {bbbModerator}} {
		d, err := bigbluebutton.Decode(Source{Accept: accept}, Request{Body: body, Now: now})
		if err != nil || len(d.Faults) > 0 {
			t.Fatalf("%v, %q", err, d.Faults)
		}
		golden.WriteString("# " + strings.Join(accept, " ") + "\n")
		for _, e := range d.Events {
			golden.Write(append(mustJSON(e), '\n'))
		}
		noPersonalText(t, subjects["bigbluebutton"], d, nil)
	}
	checkGolden(t, filepath.Join("testdata", "bbb-record", "meeting.golden"), golden.Bytes())
}

func TestBBBRecordDecode(t *testing.T) {
	t.Parallel()
	at := func(minute int) time.Time { return now.Add(time.Duration(minute) * time.Minute) }
	mark := func(kind attendance.Kind, began, minute int) attendance.Event {
		return attendance.Event{
			Kind: kind, Room: "room", Occurrence: "sha-1", Attendee: "x", Connection: "record/x/" + mustMillis(at(began)), At: at(minute),
		}
	}
	aside := func(e attendance.Event) attendance.Event {
		e.Attendee, e.Reason = "", attendance.Malformed
		e.Connection = strings.Replace(e.Connection, "/x/", "//", 1)
		return e
	}
	guest := func(e attendance.Event) attendance.Event {
		e.Attendee, e.Guest, e.Connection = "", true, "w_xfsb9gxtlfom"
		return e
	}
	const joined, left = attendance.Joined, attendance.Left
	of := func(events ...attendance.Event) Delivery { return Delivery{Events: events} }
	rows := []struct {
		name, attendee string
		want           Delivery
		err            string
	}{
		{"a stay", `{"ext_user_id":"x","joins":["T0"],"leaves":["T1"]}`, of(mark(joined, 0, 0), mark(left, 0, 1)), ""},
		{
			"two stays, out of order", `{"ext_user_id":"x","joins":["T2","T0"],"leaves":["T3","T1"]}`,
			of(mark(joined, 0, 0), mark(left, 0, 1), mark(joined, 2, 2), mark(left, 2, 3)), "",
		},
		{
			"two devices", `{"ext_user_id":"x","joins":["T0","T1"],"leaves":["T2","T3"]}`,
			of(mark(joined, 0, 0), mark(left, 0, 2), mark(joined, 1, 1), mark(left, 1, 3)), "",
		},
		{"still there", `{"ext_user_id":"x","joins":["T0"],"leaves":null}`, of(mark(joined, 0, 0)), ""},
		{"no join", `{"ext_user_id":"x","joins":[],"leaves":["T1"]}`, of(mark(left, 1, 1)), ""},
		{
			"a leave before every join", `{"ext_user_id":"x","joins":["T1"],"leaves":["T0","T2"]}`,
			of(mark(joined, 1, 1), mark(left, 1, 2), mark(left, 0, 0)), "",
		},
		{"in Unix times", `{"ext_user_id":"x","joins":[1795428000],"leaves":["1795428060000"]}`, of(mark(joined, 0, 0), mark(left, 0, 1)), ""},
		{"a time in words", `{"ext_user_id":"x","joins":["T0","Jill"],"leaves":["T1"]}`, of(mark(joined, 0, 0), mark(left, 0, 1)), "attendee 0: joins: not a time"},
		{
			"a guest", `{"ext_user_id":"w_xfsb9gxtlfom","joins":["T0"],"leaves":["T1"]}`,
			of(guest(mark(joined, 0, 0)), guest(mark(left, 0, 1))), "",
		},
		{"nobody", `{"joins":["T0"]}`, of(aside(mark(joined, 0, 0))), "attendee 0: ext_user_id: missing"},
		{"nothing", `{"ext_user_id":"x"}`, Delivery{Unsupported: 1}, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			body := `{"meeting_id":"room","internal_meeting_id":"sha-1","data":{"attendees":[` + row.attendee + `]}}`
			body = strings.NewReplacer("T0", stampOf(at(0)), "T1", stampOf(at(1)), "T2", stampOf(at(2)), "T3", stampOf(at(3))).Replace(body)
			got, err := bigbluebutton.Decode(Source{}, Request{Body: []byte(body), Now: now})
			checkDecoded(t, row.want, row.err, got, err)
		})
	}
	for name, row := range map[string]struct {
		body string
		want Delivery
		err  string
	}{
		"a breakout":         {`{"meeting_id":"room","internal_meeting_id":"sha-1","data":{"metadata":{"is_breakout":"true"},"start":"2026-11-23T09:00:00Z"}}`, Delivery{Unsupported: 1}, ""},
		"no meeting":         {`{"data":{"attendees":[]}}`, Delivery{}, "refused: meeting_id: missing"},
		"no external id":     {`{"internal_meeting_id":"sha-1","data":{"start":"2026-11-23T10:00:00Z"}}`, of(attendance.Event{Kind: attendance.Started, Room: "sha", Occurrence: "sha-1", At: now}), ""},
		"no internal id":     {`{"meeting_id":"room","data":{"start":"2026-11-23T10:00:00Z"}}`, of(attendance.Event{Kind: attendance.Started, Room: "room", At: now, Reason: attendance.Malformed}), "internal_meeting_id: missing"},
		"cut short":          {`{"meeting_id":"room"`, Delivery{}, "refused: JSON ends too early"},
		"behind a mark":      {"\ufeff{}", Delivery{}, "refused: meeting_id: missing"},
		"attendees in words": {`{"meeting_id":"room","internal_meeting_id":"sha-1","data":{"attendees":"Jill","finish":"2026-11-23T10:00:00Z"}}`, of(attendance.Event{Kind: attendance.Ended, Room: "room", Occurrence: "sha-1", At: now}), ""},
	} {
		got, err := bigbluebutton.Decode(Source{}, Request{Body: []byte(row.body), Now: now})
		t.Run(name, func(t *testing.T) { checkDecoded(t, row.want, row.err, got, err) })
	}
}

func stampOf(at time.Time) string { return at.Format(time.RFC3339) }

func mustMillis(at time.Time) string { return string(mustJSON(at.UnixMilli())) }

// A meeting whose name bbb-webhooks does not know is told by its digest.
func TestBBBMentions(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		said, configured string
		want             bool
	}{
		{"2d0f1bd0fb3cb2a6a9d0a0a0d6ff5a8f3f1f4e44", "salle", false},
		{"a4ac914c09d7c097fe1f4f96b897e625b6922069", "9", false},
		{"0ade7c2cf97f75d009975f4d720d1fa6c19f4897", "9", true},
		{"0ADE7C2CF97F75D009975F4D720D1FA6C19F4897", "9", true},
		{"9", "9", false}, // no digest: the same name needs no telling
		{"", "", false},
	} {
		if got := bbbMentions(row.said, row.configured); got != row.want {
			t.Errorf("%s of %s: %v", row.said, row.configured, got)
		}
	}
}
