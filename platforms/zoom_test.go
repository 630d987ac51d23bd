package platforms

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jauge/attendance"
)

func readJSON(t testing.TB, file string, v any) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

func headerOf(fields map[string]string) http.Header {
	h := http.Header{}
	for name, value := range fields {
		h.Set(name, value)
	}
	return h
}

// The vectors hold for the scheme itself; the age is this receiver's own rule.
func TestZoomVectors(t *testing.T) {
	t.Parallel()
	var vectors []struct {
		Name, Secret, Body string
		Now                int64
		Headers            map[string]string
		Valid              bool `json:"valid_by_raw_body_scheme"`
	}
	readJSON(t, "testdata/zoom.json", &vectors)
	if len(vectors) != 16 {
		t.Fatalf("%d vectors", len(vectors))
	}
	refusals := map[string]error{
		"missing-signature": ErrMissing, "missing-timestamp": ErrMissing, "empty-signature": ErrMissing,
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			want := refusals[v.Name]
			if want == nil && !v.Valid {
				want = ErrSignature
			}
			r := Request{Header: headerOf(v.Headers), Body: []byte(v.Body), Now: time.Unix(v.Now, 0)}
			if err := zoom.Verify(Source{Secrets: []string{v.Secret}}, r); !errors.Is(err, want) {
				t.Errorf("Verify: %v, want %v", err, want)
			}
			tolerant := Source{Secrets: []string{"another", v.Secret}, Tolerance: 61 * time.Minute}
			if err := zoom.Verify(tolerant, r); (err == nil) != v.Valid {
				t.Errorf("Verify with 61 minutes of tolerance: %v, want valid %v", err, v.Valid)
			}
			if d, err := zoom.Decode(tolerant, r); v.Valid && (err != nil || len(d.Events) == 0 && d.Reply == nil) {
				t.Errorf("Decode: %+v, %v", d, err)
			}
		})
	}
}

// The vector is that of github.com/Jericho/ZoomNet, made by Zoom.
func TestZoomURLValidation(t *testing.T) {
	t.Parallel()
	r := Request{
		Header: headerOf(map[string]string{
			"x-zm-request-timestamp": "1720705455",
			"x-zm-signature":         "v0=93a1a675965ceb9c5a50c5dfb31f20e50f763be37a54ef74cd2d16a1a8e5c0d6",
		}),
		Body: []byte(`{"payload":{"plainToken":"xys8n8PGS7mAU0m5-YJjRA"},"event_ts":1720705455858,"event":"endpoint.url_validation"}`),
		Now:  time.Unix(1720705455, 0),
	}
	want := Delivery{Reply: &Reply{
		Status:      200,
		ContentType: "application/json",
		Body: []byte(`{"plainToken":"xys8n8PGS7mAU0m5-YJjRA",` +
			`"encryptedToken":"2fffc6a967dde4f68024025a5bd991c5ae1e5313b4e6365be4883e3e81d479b3"}`),
	}}
	for _, secrets := range [][]string{{"4fv1RkqGQUq5sWbEz6hA5A"}, {"the new one", "4fv1RkqGQUq5sWbEz6hA5A"}} {
		got, err := receive("zoom", Source{Secrets: secrets}, r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("with %q (-want +got):\n%s", secrets, diff)
		}
	}
	if _, err := zoom.Decode(Source{Secrets: []string{"wrong"}}, r); !errors.Is(err, ErrSignature) {
		t.Errorf("a question that no secret signed was answered: %v", err)
	}
	s := subjects["zoom"]
	bad := signed("zoom", s.secrets[0], now, `{"event":"endpoint.url_validation","payload":{"plainToken":""}}`)
	if _, err := receive("zoom", s.source("zoom"), bad); !errors.Is(err, ErrBody) {
		t.Errorf("no plainToken: %v", err)
	}
}

func TestZoomDecode(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)
	stamp := time.UnixMilli(1795428011572).UTC()
	person := func(e attendance.Event) Delivery {
		e.Room, e.Occurrence = "951", "u=="
		return Delivery{Events: []attendance.Event{e}}
	}
	const joined, left = "webinar.participant_joined", "meeting.participant_left"
	rows := []struct {
		name, event, object string // object without its id and uuid
		want                Delivery
		err                 string
	}{
		{"started", "webinar.started", `"start_time":"2026-11-23T09:30:00Z"`, person(attendance.Event{Kind: attendance.Started, At: stamp}), ""},
		{"ended", "meeting.ended", `"end_time":"2026-11-23T09:30:00Z","practice_session":false`, person(attendance.Event{Kind: attendance.Ended, At: at}), ""},
		{"ended, no end_time", "meeting.ended", `"end_time":""`, person(attendance.Event{Kind: attendance.Ended, At: stamp}), ""},
		{"practice ended", "webinar.ended", `"end_time":"2026-11-23T09:30:00Z","practice_session":true`, Delivery{Unsupported: 1}, ""},
		{"practice started", "webinar.started", `"practice_session":true`, Delivery{Unsupported: 1}, ""},
		{
			"registrant first", joined,
			`"participant":{"user_id":12,"participant_uuid":"c","registrant_id":"r","participant_user_id":"p","id":"i","customer_key":"k","join_time":"2026-11-23T09:30:00Z"}`,
			person(attendance.Event{Kind: attendance.Joined, Attendee: "r", Connection: "12", At: at}), "",
		},
		{
			"then participant_user_id", joined, `"participant":{"user_id":12,"participant_uuid":"c","participant_user_id":"p","id":"i","customer_key":"k","join_time":null}`,
			person(attendance.Event{Kind: attendance.Joined, Attendee: "p", Connection: "12", At: stamp}), "",
		},
		{
			"then id", left, `"participant":{"user_id":"12","participant_uuid":"c","participant_user_id":"","id":"i","customer_key":"k","leave_time":"1970-01-01T00:00:00Z"}`,
			person(attendance.Event{Kind: attendance.Left, Attendee: "i", Connection: "12", At: stamp}), "",
		},
		{
			"then customer_key", left, `"participant":{"user_id":"12","participant_uuid":"c","id":"","customer_key":"k","leave_time":"2026-11-23T09:30:00Z"}`,
			person(attendance.Event{Kind: attendance.Left, Attendee: "k", Connection: "12", At: at}), "",
		},
		{
			"an e-mail beside an id", joined, `"participant":{"user_id":"12","participant_uuid":"c","id":"i","email":"Jo@X.test"}`,
			person(attendance.Event{Kind: attendance.Joined, Attendee: "i", Email: "jo@x.test", Connection: "12", At: stamp}), "",
		},
		{
			"an e-mail alone is no guest", left, `"participant":{"user_id":"12","participant_uuid":"c","email":"Jo@X.test","leave_time":"0001-01-01T00:00:00Z"}`,
			person(attendance.Event{Kind: attendance.Left, Email: "jo@x.test", Connection: "12", At: stamp}), "",
		},
		{
			"a guest is a visitor", joined, `"participant":{"user_id":"12","participant_uuid":"c","join_time":"2026-11-23T10:30:00+01:00"}`,
			person(attendance.Event{Kind: attendance.Joined, Attendee: "c", Guest: true, Connection: "12", At: at}), "",
		},
		{
			"and in another connection the same one", joined, `"participant":{"user_id":"13","participant_uuid":"c","join_time":"2026-11-23T10:30:00+01:00"}`,
			person(attendance.Event{Kind: attendance.Joined, Attendee: "c", Guest: true, Connection: "13", At: at}), "",
		},
		{
			"a guest is a connection", joined, `"participant":{"user_id":"12","join_time":"2026-11-23T10:30:00+01:00"}`,
			person(attendance.Event{Kind: attendance.Joined, Guest: true, Connection: "12", At: at}), "",
		},
		{
			"a registrant without a connection", joined, `"participant":{"participant_uuid":"c","registrant_id":"r"}`,
			person(attendance.Event{Kind: attendance.Joined, Attendee: "r", At: stamp}), "",
		},
		{
			"a guest without a connection", left, `"participant":{"participant_uuid":"c"}`,
			person(attendance.Event{Kind: attendance.Left, Attendee: "c", Guest: true, At: stamp}), "",
		},
		{
			"an e-mail without a connection", left, `"participant":{"email":"jo@x.test"}`,
			person(attendance.Event{Kind: attendance.Left, Email: "jo@x.test", At: stamp}), "",
		},
		{
			"the host", joined, `"host_id":"h","participant":{"user_id":"12","id":"h","participant_user_id":"h"}`,
			person(attendance.Event{Kind: attendance.Joined, Attendee: "h", Connection: "12", Staff: true, At: stamp}), "",
		},
		{
			"a guest of no host", joined, `"host_id":"","participant":{"user_id":"12","id":""}`,
			person(attendance.Event{Kind: attendance.Joined, Guest: true, Connection: "12", At: stamp}), "",
		},
		{
			"bind", "meeting.participant_bind",
			`"participant":{"user_id":"12","participant_uuid":"c","bind_user_id":"13","bind_participant_uuid":"d","registrant_id":"r"}`,
			person(attendance.Event{Kind: attendance.Bound, Attendee: "r", Connection: "12", Peer: "13", At: stamp}), "",
		},
		{
			"bind without uuids", "meeting.participant_bind", `"participant":{"user_id":"12","bind_user_id":"13"}`,
			person(attendance.Event{Kind: attendance.Bound, Guest: true, Connection: "12", Peer: "13", At: stamp}), "",
		},
		{"bind of uuids alone", "meeting.participant_bind", `"participant":{"participant_uuid":"c","bind_participant_uuid":"d"}`, Delivery{}, "payload.object.participant.user_id: missing; payload.object.participant.bind_user_id: missing"},
		{"bind to nothing", "meeting.participant_bind", `"participant":{"user_id":"12"}`, Delivery{}, "payload.object.participant.bind_user_id: missing"},
		{
			"registration", "webinar.registration_created", `"registrant":{"id":"r","email":"Jo@X.test","first_name":"Jo"}`,
			Delivery{Events: []attendance.Event{{Kind: attendance.Registered, Room: "951", Attendee: "r", Email: "jo@x.test", Name: "Jo", At: stamp}}}, "",
		},
		{"registration of nobody", "webinar.registration_created", `"registrant":{}`, Delivery{}, "payload.object.registrant.id: missing"},
		{"registration cancelled", "webinar.registration_cancelled", `"registrant":{"id":"r"}`, Delivery{Unsupported: 1}, ""},
		{"waiting room", "meeting.participant_admitted", `"participant":{"user_id":"12"}`, Delivery{Unsupported: 1}, ""},
		{"waiting for the host", "meeting.participant_jbh_joined", `"participant":{"user_id":"12"}`, Delivery{Unsupported: 1}, ""},
		{"breakout", "meeting.participant_joined_breakout_room", `"participant":{"user_id":"12"}`, Delivery{Unsupported: 1}, ""},
		{"other products", "phone.participant_joined", `"participant":{"user_id":"12"}`, Delivery{Unsupported: 1}, ""},
		{"nobody", joined, `"participant":{"join_time":"2026-11-23T09:30:00Z"}`, person(attendance.Event{Kind: attendance.Joined, Guest: true, At: at}), ""},
		{"not a time", joined, `"participant":{"user_id":"12","join_time":"ten o'clock"}`, person(attendance.Event{Kind: attendance.Joined, Guest: true, Connection: "12", At: stamp}), "payload.object.participant.join_time: not a time"},
		{"not an id", joined, `"participant":{"user_id":1.5}`, person(attendance.Event{Kind: attendance.Joined, Guest: true, At: stamp}), ""},
		{"a flag in words", "webinar.ended", `"practice_session":"yes"`, Delivery{Unsupported: 1}, ""},
		{"practice, with a strange host", "webinar.ended", `"practice_session":true,"host_id":["Jill"]`, Delivery{Unsupported: 1}, ""},
		{"not a person", joined, `"participant":["Jill"]`, person(attendance.Event{Kind: attendance.Joined, Guest: true, At: stamp}), ""},
		{
			"a time without its colon", left, `"participant":{"user_id":"12","leave_time":"2026-11-23T10:30:00+0100"}`,
			person(attendance.Event{Kind: attendance.Left, Guest: true, Connection: "12", At: at}), "",
		},
		{
			"left within the second of joining", left, `"participant":{"user_id":"12","join_time":"2026-11-23T09:30:00Z","leave_time":"2026-11-23T09:30:00Z"}`,
			person(attendance.Event{Kind: attendance.Left, Guest: true, Connection: "12", At: at.Add(time.Millisecond)}), "",
		},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			body := `{"event":"` + row.event + `","event_ts":1795428011572,"payload":{"object":{"id":951,"uuid":"u==",` + row.object + `}}}`
			got, err := zoom.Decode(Source{}, Request{Body: []byte(body), Now: now})
			checkDecoded(t, row.want, row.err, got, err)
		})
	}
	for name, row := range map[string][2]string{
		"no room":       {`"uuid":"u"`, "payload.object.id: missing"},
		"no occurrence": {`"id":951`, "payload.object.uuid: missing"},
		"no time":       {`"id":951,"uuid":"u"`, "event_ts: missing"},
	} {
		body := strings.Replace(`{"event":"webinar.started","event_ts":0,"payload":{"object":{OBJECT}}}`, "OBJECT", row[0], 1)
		if name != "no time" {
			body = strings.Replace(body, `"event_ts":0`, `"event_ts":"1795428011572"`, 1)
		}
		got, err := zoom.Decode(Source{}, Request{Body: []byte(body), Now: now})
		checkDecoded(t, Delivery{}, row[1], got, err)
	}
}

// Where a body does not say when, its request was signed just then.
func TestZoomSignedTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		participant string
		kind        attendance.Kind
		want        time.Time
	}{
		"left":         {`{"user_id":"12","join_time":"2026-11-23T09:30:00Z"}`, attendance.Left, now},
		"left, null":   {`{"user_id":"12","leave_time":null}`, attendance.Left, now},
		"joined, then": {`{"user_id":"12","join_time":"2026-11-23T09:30:00Z"}`, attendance.Joined, at},
		"joined":       {`{"user_id":"12"}`, attendance.Joined, now},
	} {
		body := `{"event":"meeting.participant_` + string(row.kind) + `","payload":{"object":{"id":951,"uuid":"u==","participant":` + row.participant + `}}}`
		s := subjects["zoom"]
		d, err := receive("zoom", s.source("zoom"), signed("zoom", s.secrets[0], now, body))
		checkDecoded(t, Delivery{Events: []attendance.Event{{Kind: row.kind, Room: "951", Occurrence: "u==", Guest: true, Connection: "12", At: row.want}}}, "", d, err)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// checkDecoded holds a Decode against what it must say. wrong is "refused: " and the message after ErrBody's, or the faults that are
// told beside what is delivered, with "; " between them; "" for none. Where want is nothing, nothing may count.
func checkDecoded(t *testing.T, want Delivery, wrong string, got Delivery, err error) {
	t.Helper()
	if why, refused := strings.CutPrefix(wrong, "refused: "); refused {
		if !errors.Is(err, ErrBody) || err.Error() != ErrBody.Error()+": "+why {
			t.Errorf("error %v, want %s", err, why)
		}
		if diff := cmp.Diff(Delivery{}, got); diff != "" {
			t.Errorf("refused, but delivered:\n%s", diff)
		}
		return
	}
	if err != nil {
		t.Fatalf("error %v", err)
	}
	if wrong != "" {
		want.Faults = strings.Split(wrong, "; ")
	}
	if wrong != "" && len(want.Events)+len(want.Answers)+want.Unsupported == 0 {
		checkAside(t, got)
		got.Events, got.Unsupported = nil, 0
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("delivery (-want +got):\n%s", diff)
	}
}

// checkAside fails if anything of a delivery counts, or if there is nothing.
func checkAside(t *testing.T, d Delivery) {
	t.Helper()
	for _, e := range d.Events {
		if e.Reason != attendance.Malformed || e.Kind == "" || e.At.IsZero() {
			t.Errorf("not put aside, or not as what it is: %+v", e)
		}
	}
	if len(d.Answers) > 0 || len(d.Events)+d.Unsupported == 0 {
		t.Errorf("%d answers, and nothing aside", len(d.Answers))
	}
}
