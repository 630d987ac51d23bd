package platforms

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jauge/attendance"
)

// now is the receiver's clock in these tests.
var now = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// subject is one dialect under test: two secrets, a foreign one, and bodies that hold every kind of personal text.
type subject struct {
	secrets [2]string
	foreign string
	good    string
	events  []attendance.Event // of good
	unknown string
	stale   time.Duration // just beyond what is accepted, either way; 0: no time is signed, any will do
	future  time.Duration

	answers  []Answers                // of good
	callback string                   // of the source
	form     func(json string) string // puts good and unknown into what is sent, where that is more than JSON
	shown    bool                     // the sender shows the secret itself: neither the body nor a time is signed, stale and future are 0

	said func(attendance.Event) []attendance.Event // see said; nil for the dialects that are named there
}

// body is what is sent for a JSON text.
func (s subject) body(json string) string {
	if s.form != nil {
		return s.form(json)
	}
	return json
}

var subjects = map[string]subject{
	"zoom": {
		secrets: [2]string{"zoom-secret-new", "zoom-secret-old"},
		foreign: "zoom-secret-of-another",
		good: `{"event":"webinar.participant_joined","event_ts":1795428011572,"payload":{"account_id":"AAAAAABBBB","object":{
			"id":95123456789,"uuid":"4444AAAiAAAAAiAiAiiAii==","host_id":"host1","topic":"Secret topic","password":"Pa55word","type":5,
			"participant":{"user_id":"16778240","user_name":"Jill Chill","public_ip":"192.0.2.1","id":"","registrant_id":"reg1",
			"email":" Jill@Example.TEST ","phone_number":"8615250064084","participant_uuid":"conn1","join_time":"2026-11-23T10:00:11Z"}}}}`,
		events: []attendance.Event{{
			Kind: attendance.Joined, Room: "95123456789", Occurrence: "4444AAAiAAAAAiAiAiiAii==", Attendee: "reg1",
			Email: "jill@example.test", Name: "Jill Chill", Connection: "16778240", At: time.Date(2026, 11, 23, 10, 0, 11, 0, time.UTC),
		}},
		unknown: `{"event":"meeting.participant_joined_waiting_room","event_ts":"whenever","payload":{"object":["Jill Chill"]}}`,
		stale:   2*time.Hour + time.Second,
		future:  2*time.Hour + time.Second,
	},
	"livekit": {
		secrets: [2]string{"keyNew:livekit-secret-new", "keyOld:livekit-secret-old"},
		foreign: "keyNew:livekit-secret-of-another",
		good: `{"event":"participant_left","room":{"sid":"RM_1","name":"demo","creationTime":"1795427000","creationTimeMs":"1795427000123",
			"turnPassword":"Pa55word","metadata":"Secret topic"},"participant":{"sid":"PA_1","identity":"user-42","name":"Jill Chill",
			"metadata":"{\"email\":\"jill@example.test\"}","joinedAt":"1795427010","joinedAtMs":"1795427010456","attributes":{"ip":"192.0.2.1"},
			"state":"DISCONNECTED","disconnectReason":"CLIENT_INITIATED"},"id":"EV_1","createdAt":"1795427900"}`,
		events: []attendance.Event{
			{Kind: attendance.Started, Room: "demo", Occurrence: "RM_1", At: time.UnixMilli(1795427000123).UTC()},
			{Kind: attendance.Joined, Room: "demo", Occurrence: "RM_1", Attendee: "user-42", Name: "Jill Chill", Connection: "PA_1", At: time.UnixMilli(1795427010456).UTC()},
			{Kind: attendance.Left, Room: "demo", Occurrence: "RM_1", Attendee: "user-42", Name: "Jill Chill", Connection: "PA_1", At: time.Unix(1795427900, 0).UTC()},
		},
		unknown: `{"event":"participant_connection_aborted","room":["Jill Chill"],"createdAt":"whenever"}`,
		stale:   6*time.Minute + time.Second, // the token lives for 5 minutes, and one of leeway
		future:  time.Minute + time.Second,
	},
	"standard": {
		secrets: [2]string{"whsec_YXR0ZW5kYW5jZS1zZWNyZXQtbnVtYmVyLW9uZS0zMmI=", "whsec_YXR0ZW5kYW5jZS1zZWNyZXQtbnVtYmVyLXR3by0zMmI="},
		foreign: "whsec_q6urq6urq6urq6urq6urq6urq6urq6ur",
		good: `{"type":"attendee.joined","timestamp":"2026-11-23T11:00:00.250+01:00","data":{"room":"r1","occurrence":"o1","attendee":"a1",
			"connection":"c1","role":"staff","name":"Jill Chill","ip":"192.0.2.1","password":"Pa55word"}}`,
		events: []attendance.Event{{
			Kind: attendance.Joined, Room: "r1", Occurrence: "o1", Attendee: "a1", Connection: "c1", Staff: true,
			At: now.Add(250 * time.Millisecond),
		}},
		unknown: `{"type":"participant.waved","timestamp":12,"data":["Jill Chill"]}`,
		stale:   5*time.Minute + time.Second,
		future:  5*time.Minute + time.Second,
	},
	"bigbluebutton": {
		secrets:  [2]string{"bbb-secret-new", "bbb-secret-old"},
		foreign:  "bbb-secret-of-another",
		callback: "https://jauge.example.test/webhooks/bbb?tenant=1",
		form:     bbbFormOf,
		good: `[{"data":{"type":"event","id":"user-joined","attributes":{
			"meeting":{"internal-meeting-id":"8043c845-1795427000123","external-meeting-id":"demo","name":"Secret topic","moderator-pass":"Pa55word"},
			"user":{"internal-user-id":"w_1","external-user-id":"crm-42","name":"Jill Chill","role":"MODERATOR","guest":false,
			"ip-address":"192.0.2.1","session-token":"Pa55word","userdata":{"email":"jill@example.test"}}},"event":{"ts":"1795428011572"}}},
			{"data":{"type":"event","id":"user-left","attributes":{"meeting":{"internal-meeting-id":"8043c845-1795427000123","external-meeting-id":"demo"},
			"user":{"internal-user-id":"w_1","external-user-id":""}},"event":{"ts":"1795428012572"}}}]`,
		events: []attendance.Event{
			{
				Kind: attendance.Joined, Room: "demo", Occurrence: "8043c845-1795427000123", Attendee: "crm-42", Name: "Jill Chill",
				Connection: "w_1", At: time.UnixMilli(1795428011572).UTC(),
			},
			{Kind: attendance.Left, Room: "demo", Occurrence: "8043c845-1795427000123", Connection: "w_1", At: time.UnixMilli(1795428012572).UTC()},
		},
		unknown: `[{"data":{"type":"event","id":"user-raise-hand-changed","attributes":["Jill Chill"],"event":{"ts":"whenever"}}}]`,
	},
	"typeform": {
		secrets: [2]string{"typeform-secret-new", "typeform-secret-old"},
		foreign: "typeform-secret-of-another",
		good: `{"event_id":"E1","event_type":"form_response","form_response":{"form_id":"f1","token":"t1","landed_at":"2026-11-23T09:58:00Z",
			"submitted_at":"2026-11-23T10:00:11Z","hidden":{"attendee":"reg1","segment":"lycee","lang":"fr","email":"jill@example.test"},
			"variables":[{"key":"name","type":"text","text":"Jill Chill"}],"definition":{"id":"f1","title":"Secret topic"},"answers":[
			{"type":"number","number":8,"field":{"id":"i1","type":"opinion_scale","ref":"wish"}},
			{"type":"choices","choices":{"labels":["Law","History"],"other":"Chinese"},"field":{"id":"i2","type":"multiple_choice","ref":"subjects"}},
			{"type":"email","email":"jill@example.test","field":{"id":"i3","type":"email","ref":"mail"}},
			{"type":"phone_number","phone_number":"8615250064084","field":{"id":"i4","type":"phone_number","ref":"phone"}}]}}`,
		answers: []Answers{{
			Room: "f1", Key: "t1", Attendee: "reg1", Segment: "lycee", Lang: "fr", At: time.Date(2026, 11, 23, 10, 0, 11, 0, time.UTC), Foreign: true,
			Values: map[string]any{"wish": json.Number("8"), "subjects": []any{"Law", "History", "Chinese"}},
		}},
		unknown: `{"event_type":"form_response_partial","form_response":["Jill Chill"]}`,
	},
	"tally": {
		secrets: [2]string{"tally-secret-new", "tally-secret-old"},
		foreign: "tally-secret-of-another",
		good: `{"eventId":"E1","eventType":"FORM_RESPONSE","createdAt":"2026-11-23T10:00:12.000Z","data":{"responseId":"t1","submissionId":"t1",
			"respondentId":"Pa55word","formId":"f1","formName":"Secret topic","createdAt":"2026-11-23T10:00:11.250Z","fields":[
			{"key":"question_a","label":"segment","type":"HIDDEN_FIELDS","value":"lycee"},
			{"key":"question_b","label":"email","type":"HIDDEN_FIELDS","value":"jill@example.test"},
			{"key":"question_c","label":"Your wish","type":"LINEAR_SCALE","value":8},
			{"key":"question_d","label":"Before?","type":"MULTIPLE_CHOICE","value":["u1"],"options":[{"id":"u1","text":"Yes"},{"id":"u2","text":"No"}]},
			{"key":"question_e","label":"Dear Jill Chill, your mail?","type":"INPUT_EMAIL","value":"jill@example.test"},
			{"key":"question_f","label":"Phone","type":"INPUT_PHONE_NUMBER","value":"8615250064084"}]}}`,
		answers: []Answers{{
			Room: "f1", Key: "t1", Segment: "lycee", At: time.Date(2026, 11, 23, 10, 0, 11, 250e6, time.UTC), Foreign: true,
			Values: map[string]any{"question_c": json.Number("8"), "question_d": "Yes"},
		}},
		unknown: `{"eventType":"FORM_CLOSED","data":["Jill Chill"]}`,
	},
	"formbricks": {
		secrets: [2]string{"whsec_YXR0ZW5kYW5jZS1zZWNyZXQtbnVtYmVyLW9uZS0zMmI=", "whsec_YXR0ZW5kYW5jZS1zZWNyZXQtbnVtYmVyLXR3by0zMmI="},
		foreign: "whsec_q6urq6urq6urq6urq6urq6urq6urq6ur",
		good: `{"webhookId":"w1","event":"responseFinished","data":{"id":"t1","surveyId":"f1","createdAt":"2026-11-23T09:59:00.000Z",
			"updatedAt":"2026-11-23T10:00:11.250Z","finished":true,"language":"fr","contact":{"userId":"Jill Chill"},"contactAttributes":{"email":"jill@example.test"},
			"meta":{"url":"https://x.example.test/s/f1?pass=Pa55word","country":"FR","ipAddress":"192.0.2.1"},"survey":{"title":"Secret topic"},
			"data":{"attendee":"reg1","segment":"lycee","wish":8,"subjects":["Law","History"],"skipped":"","grid":{"Jill Chill":"Pa55word"}}}}`,
		answers: []Answers{{
			Room: "f1", Key: "t1", Attendee: "reg1", Segment: "lycee", Lang: "fr", At: time.Date(2026, 11, 23, 10, 0, 11, 250e6, time.UTC), Foreign: true,
			Values: map[string]any{"wish": json.Number("8"), "subjects": []any{"Law", "History"}},
		}},
		unknown: `{"event":"testEndpoint","data":["Jill Chill"]}`,
		stale:   5*time.Minute + time.Second,
		future:  5*time.Minute + time.Second,
	},
	"livestorm": livestormSubject,
	"daily":     dailySubject,
	"jaas":      jaasSubject,
	"jitsi":     jitsiSubject,
}

func (s subject) source(platform string) Source {
	return Source{Name: "it", Platform: platform, Secrets: s.secrets[:], CallbackURL: s.callback}
}

// signed is a request with body, signed at a time with a secret and received now.
func signed(platform, secret string, at time.Time, body string) Request {
	r := Request{Method: http.MethodPost, Header: http.Header{}, Body: []byte(body), Now: at}
	Dialects[platform].Sign(Source{Secrets: []string{secret}, CallbackURL: subjects[platform].callback}, &r)
	r.Now = now
	return r
}

// receive is what a handler does.
func receive(platform string, s Source, r Request) (Delivery, error) {
	if err := Dialects[platform].Verify(s, r); err != nil {
		return Delivery{}, err
	}
	return Dialects[platform].Decode(s, r)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for platform, dialect := range Dialects {
		s, ok := subjects[platform]
		if !ok {
			t.Errorf("dialect %s has no subject in this test", platform)
			continue
		}
		signed := func(platform, secret string, at time.Time, json string) Request {
			return signed(platform, secret, at, s.body(json))
		}
		want := Delivery{Events: s.events, Answers: s.answers}
		stale, future, aged, early, late := s.stale, s.future, ErrStale, ErrFuture, Delivery{}
		if s.stale == 0 {
			stale, future, aged, early, late = 365*24*time.Hour, 365*24*time.Hour, nil, nil, want
		}
		good := signed(platform, s.secrets[0], now, s.good)
		change := func(r Request, f func(*Request)) Request {
			r.Header = r.Header.Clone()
			f(&r)
			return r
		}
		type row struct {
			name    string
			request Request
			err     error
			want    Delivery
		}
		rows := []row{
			{"good", good, nil, want},
			{"white space around", signed(platform, s.secrets[0], now, " \n"+s.good+"\n "), nil, want},
			{"second secret of a rotation", signed(platform, s.secrets[1], now, s.good), nil, want},
			{"unknown event", signed(platform, s.secrets[0], now, s.unknown), nil, Delivery{Unsupported: 1}},
			{"wrong secret", signed(platform, s.foreign, now, s.good), ErrSignature, Delivery{}},
			{"no signature", change(good, func(r *Request) { r.Header, r.Query = http.Header{}, nil }), ErrMissing, Delivery{}},
			{"empty", signed(platform, s.secrets[0], now, ""), ErrBody, Delivery{}},
			{"garbage", signed(platform, s.secrets[0], now, "Jill Chill"), ErrBody, Delivery{}},
			{"a number", signed(platform, s.secrets[0], now, "12"), ErrBody, Delivery{}},
			{"no event", signed(platform, s.secrets[0], now, "{}"), ErrBody, Delivery{}},
			{"null", signed(platform, s.secrets[0], now, "null"), ErrBody, Delivery{}},
			{"trailing bytes", signed(platform, s.secrets[0], now, s.good+"{}"), ErrBody, Delivery{}},
			{"trailing brace", signed(platform, s.secrets[0], now, s.good+"}"), ErrBody, Delivery{}},
			{"trailing bytes after an unknown event", signed(platform, s.secrets[0], now, s.unknown+"0"), ErrBody, Delivery{}},
			{"truncated", signed(platform, s.secrets[0], now, s.good[:len(s.good)/2]), ErrBody, Delivery{}},
			{"invalid UTF-8", signed(platform, s.secrets[0], now, strings.Replace(s.good, "Jill", "J\xffll", 1)), ErrBody, Delivery{}},
		}
		if s.shown {
			rows = append(rows, row{"at any time", signed(platform, s.secrets[0], now.Add(-48*time.Hour), s.good), nil, Delivery{Events: s.events}})
		} else {
			rows = append(rows, []row{
				{"almost stale", signed(platform, s.secrets[0], now.Add(2*time.Second-stale), s.good), nil, want},
				{"almost from the future", signed(platform, s.secrets[0], now.Add(future-2*time.Second), s.good), nil, want},
				{"stale", signed(platform, s.secrets[0], now.Add(-stale), s.good), aged, late},
				{"from the future", signed(platform, s.secrets[0], now.Add(future), s.good), early, late},
				{"tampered", change(good, func(r *Request) { r.Body = []byte(s.body(strings.Replace(s.good, "1", "2", 1))) }), ErrSignature, Delivery{}},
				{"cut short", change(good, func(r *Request) { r.Body = r.Body[:len(r.Body)-1] }), ErrSignature, Delivery{}},
			}...)
		}
		for _, row := range rows {
			t.Run(platform+"/"+row.name, func(t *testing.T) {
				t.Parallel()
				got, err := receive(platform, s.source(platform), row.request)
				if !errors.Is(err, row.err) {
					t.Errorf("error %v, want %v", err, row.err)
				}
				if diff := cmp.Diff(row.want, got); diff != "" {
					t.Errorf("delivery (-want +got):\n%s", diff)
				}
				noPersonalText(t, s, got, err)
			})
		}
		t.Run(platform+"/endless id", func(t *testing.T) {
			t.Parallel()
			got, err := receive(platform, s.source(platform), signed(platform, s.secrets[0], now, longest(s.good)))
			if err != nil || len(got.Faults) == 0 || !strings.HasSuffix(got.Faults[0], ": longer than 512 bytes") {
				t.Errorf("%v, %q", err, got.Faults)
			}
			checkAside(t, got)
			noPersonalText(t, s, got, err)
		})
		t.Run(platform+"/byte-order mark", func(t *testing.T) {
			t.Parallel()
			got, err := receive(platform, s.source(platform), signed(platform, s.secrets[0], now, "\ufeff"+s.good))
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
		t.Run(platform+"/no secret", func(t *testing.T) {
			t.Parallel()
			for _, secrets := range [][]string{nil, {""}, {"", s.foreign}} {
				if err := dialect.Verify(Source{Secrets: secrets}, good); !errors.Is(err, ErrSignature) {
					t.Errorf("with secrets %q: %v", secrets, err)
				}
			}
			empty, ok := map[string]string{
				"zoom": "", "livekit": "key:", "bigbluebutton": "", "typeform": "", "tally": "", "livestorm": "", "daily": "", "jaas": "", "jitsi": "",
			}[platform] // Standard Webhooks cannot sign with none
			if !ok {
				return
			}
			if err := dialect.Verify(Source{Secrets: []string{empty}}, signed(platform, empty, now, s.good)); !errors.Is(err, ErrSignature) {
				t.Errorf("signed with an empty secret: %v", err)
			}
		})
		for name, times := range map[string]*strings.Replacer{
			"far too late to be true":    strings.NewReplacer("2026", "2099", "1795", "4068"),
			"before there were webinars": strings.NewReplacer("2026-11-23", "1970-01-02", "17954", "179"),
		} {
			t.Run(platform+"/"+name, func(t *testing.T) {
				t.Parallel()
				got, err := receive(platform, s.source(platform), signed(platform, s.secrets[0], now, times.Replace(s.good)))
				if len(s.answers) > 0 {
					if err != nil || len(got.Answers) != 1 || !got.Answers[0].At.Equal(now) { // their arrival stands
						t.Errorf("%+v, %v", got.Answers, err)
					}
					return
				}
				if err != nil || len(got.Events) != len(s.events) { // attendance keeps them aside
					t.Errorf("%+v %v", got, err)
				}
				for _, e := range got.Events {
					if !e.At.Before(earliest()) && !e.At.After(now.Add(maxAhead)) {
						t.Errorf("%s is at %s", e.Kind, e.At)
					}
				}
			})
		}
		t.Run(platform+"/own tolerance", func(t *testing.T) {
			t.Parallel()
			source := s.source(platform)
			source.Tolerance = 2 * time.Hour
			for _, age := range []time.Duration{-90 * time.Minute, 90 * time.Minute} {
				if err := dialect.Verify(source, signed(platform, s.secrets[0], now.Add(age), s.good)); err != nil {
					t.Errorf("signed %v from now: %v", age, err)
				}
			}
		})
	}
}

// longest makes the good body's room id too long.
func longest(body string) string {
	long := strings.Repeat("9", maxID+1)
	return strings.NewReplacer(`"id":95123456789`, `"id":"`+long+`"`, `"name":"demo"`, `"name":"`+long+`"`, `"room":"r1"`, `"room":"`+long+`"`,
		`-meeting-id":"demo"`, `-meeting-id":"`+long+`"`, `":"f1","`, `":"`+long+`","`,
		`"session_id":"s1"`, `"session_id":"`+long+`"`, `"fqn":"app1/`, `"fqn":"`+long+`/`, `"room_jid":"r1@`, `"room_jid":"`+long+`@`).Replace(body)
}

// noPersonalText fails if anything survived that no count needs, or a secret. The e-mail may, in Email, and the name, in
// Name, to be hashed.
func noPersonalText(t *testing.T, s subject, d Delivery, err error) {
	t.Helper()
	for i := range d.Events {
		d.Events[i].Email, d.Events[i].Name = "", ""
	}
	all, marshalErr := json.Marshal(d)
	if marshalErr != nil {
		t.Fatal(marshalErr)
	}
	text := string(all)
	if d.Reply != nil {
		text += string(d.Reply.Body)
	}
	if err != nil {
		text += err.Error()
	}
	for _, secret := range []string{"Jill", "Chill", "192.0.2.1", "Pa55word", "8615250064084", "Secret topic", "example.test", s.secrets[0], s.secrets[1]} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
			t.Errorf("%q leaked: %s", secret, text)
		}
	}
}

// allowed are the paths in real bodies whose text may come out of a decoder; e-mails only to be hashed.
var allowed = map[string]bool{
	"payload.object.id": true, "payload.object.uuid": true, "payload.object.participant.participant_uuid": true,
	"payload.object.participant.registrant_id": true, "payload.object.participant.user_id": true, "payload.object.participant.email": true,
	"payload.object.participant.join_time": true, "payload.object.participant.leave_time": true, "payload.plainToken": true,
	"room.name": true, "room.sid": true, "participant.sid": true, "participant.identity": true,
	"data.attributes.meeting.external-meeting-id": true, "data.attributes.meeting.internal-meeting-id": true,
	"data.attributes.meeting.create-time":   true,
	"data.attributes.user.external-user-id": true, "data.attributes.user.internal-user-id": true, "envelope.routing.meetingId": true,
	"core.header.meetingId": true, "core.body.meetingId": true, "core.body.intId": true, "core.body.extId": true, "core.header.userId": true, "envelope.routing.userId": true,
	"form_response.form_id": true, "form_response.token": true, "form_response.submitted_at": true, "form_response.hidden.attendee": true,
	"form_response.hidden.segment": true, "form_response.hidden.lang": true, "form_response.answers.field.ref": true, "form_response.answers.text": true,
	"form_response.answers.date": true, "form_response.answers.choice.label": true, "form_response.answers.choice.other": true,
	"form_response.answers.choices.labels": true, "form_response.answers.choices.other": true,
	"data.formId": true, "data.responseId": true, "data.createdAt": true, "data.fields.key": true, "data.fields.options.text": true,
	"data.id": true, "data.surveyId": true, "data.updatedAt": true, "data.language": true,
	"data.attributes.registrant_detail.session_id": true, "data.attributes.registrant_detail.event_id": true,
	"data.attributes.event_id": true, "data.attributes.email": true,
	"payload.room": true, "payload.session_id": true, "payload.user_id": true,
	"fqn": true, "sessionId": true, "data.participantId": true, "data.email": true,
	"room_jid": true, "room_name": true, "occupant.occupant_jid": true, "occupant.id": true, "occupant.email": true,
	"all_occupants.occupant_jid": true, "all_occupants.id": true, "all_occupants.email": true,
	"createdAt": true, "room.creationTime": true, "room.creationTimeMs": true, "participant.joinedAt": true, "participant.joinedAtMs": true,
}

// ours are words of bodies that are also words of an Event.
var ours = map[string]bool{"true": true, "false": true, "left": true}

// examples are the bodies in testdata by platform: what real servers sent, and what platforms document.
func examples(t testing.TB) map[string][]string {
	t.Helper()
	bodies := map[string][]string{}
	var vectors []struct{ Body string }
	readJSON(t, "testdata/zoom.json", &vectors)
	for _, v := range vectors {
		bodies["zoom"] = append(bodies["zoom"], v.Body)
	}
	for _, name := range captures {
		for _, r := range capture(t, filepath.Join("testdata", name+".jsonl")) {
			bodies["livekit"] = append(bodies["livekit"], string(r.Body))
		}
	}
	for _, name := range bbbCaptures {
		for _, r := range capture(t, filepath.Join("testdata", name+".jsonl")) {
			form, err := url.ParseQuery(string(r.Body))
			if err != nil {
				t.Fatal(err)
			}
			bodies["bigbluebutton"] = append(bodies["bigbluebutton"], form.Get("event"))
		}
	}
	for _, platform := range []string{"bigbluebutton", "typeform", "tally", "formbricks"} {
		for _, f := range fixtures(t, platform) {
			bodies[platform] = append(bodies[platform], string(f.Body))
		}
	}
	for _, platform := range fixtureFolders(t) {
		for _, f := range fixturesOf(t, platform) {
			bodies[platform] = append(bodies[platform], f.body)
		}
	}
	return bodies
}

// Of all the text in the requests of real platforms, only what is allowed survives, and names where they may (see
// TestNames).
func TestOnlyTheAllowedSurvives(t *testing.T) {
	t.Parallel()
	bodies := examples(t)
	for platform, all := range bodies {
		s := subjects[platform]
		forbidden := 0
		for _, body := range all {
			d, err := receive(platform, s.source(platform), signed(platform, s.secrets[0], now, s.body(body)))
			if err != nil {
				t.Fatal(err)
			}
			for i := range d.Events {
				d.Events[i].Name = ""
			}
			out := string(mustJSON(d))
			if d.Reply != nil {
				out += string(d.Reply.Body)
			}
			keep, drop := map[string]bool{}, map[string]bool{}
			texts(t, body, keep, drop)
			for text := range drop {
				part := func(kept string) bool { return strings.Contains(kept, text) }
				if len(text) < 4 || ours[text] || slices.ContainsFunc(slices.Collect(maps.Keys(keep)), part) {
					continue
				}
				forbidden++
				if strings.Contains(out, text) {
					t.Errorf("%s: %q survived in %s", platform, text, out)
				}
			}
		}
		if forbidden < 10 {
			t.Errorf("%s: only %d texts were looked for", platform, forbidden)
		}
	}
}

// texts sorts the strings of a body into those at allowed paths and the others.
func texts(t *testing.T, body string, keep, drop map[string]bool) {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(body), &value); err != nil {
		t.Fatal(err)
	}
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch v := value.(type) {
		case map[string]any:
			for key, inner := range v {
				walk(strings.TrimPrefix(path+"."+key, "."), inner)
			}
		case []any:
			for _, inner := range v {
				walk(path, inner)
			}
		case string:
			if allowed[path] || isAnswer(path, v) {
				keep[v] = true
			} else {
				drop[v] = true
			}
		}
	}
	walk("", value)
}

// isAnswer says whether a text is what somebody answered to a question whose answers are taken: in fixtures, those of other
// questions speak of Chill.
func isAnswer(path, text string) bool {
	return (path == "data.fields.value" || strings.HasPrefix(path, "data.data.")) && !strings.Contains(strings.ToLower(text), "chill")
}

func TestReason(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]string{
		ErrSignature:                       "signature",
		ErrStale:                           "stale",
		ErrFuture:                          "future",
		ErrMissing:                         "missing",
		fmt.Errorf("%w: payload", ErrBody): "body",
		errors.New("Redis is away"):        "other",
		nil:                                "",
	} {
		if got := Reason(err); got != want {
			t.Errorf("Reason(%v) = %q, want %q", err, got, want)
		}
	}
}

func TestVerifiable(t *testing.T) {
	t.Parallel()
	long := subjects["standard"].secrets[0]
	rows := []struct {
		name   string
		source Source
		want   string
	}{
		{"unknown platform", Source{Platform: "vhs"}, "platform: unknown, must be one of " + strings.Join(slices.Sorted(maps.Keys(Dialects)), ", ")},
		{"no secrets", Source{Platform: "zoom"}, "secrets: missing"},
		{"zoom", Source{Platform: "zoom", Secrets: []string{"a", ""}}, "secrets[1]: missing"},
		{"zoom, good", Source{Platform: "zoom", Secrets: []string{"a"}, Tolerance: 90 * time.Minute}, ""},
		{
			"livekit",
			Source{Platform: "livekit", Secrets: []string{"key", "key:secret", ":x", "x:"}},
			"secrets[0]: must be KEY:SECRET\nsecrets[2]: must be KEY:SECRET\nsecrets[3]: must be KEY:SECRET",
		},
		{
			"standard",
			Source{Platform: "standard", Secrets: []string{
				long, "whsec_", "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23)), "not base64!", strings.TrimPrefix(long, "whsec_"),
			}},
			"secrets[1]: must be whsec_ and the base64 of at least 24 bytes\nsecrets[2]: must be whsec_ and the base64 of at least 24 bytes\n" +
				"secrets[3]: must be whsec_ and base64",
		},
		{"bigbluebutton", Source{Platform: "bigbluebutton", Secrets: []string{""}}, "secrets[0]: missing\ncallback_url: missing"},
		{"bigbluebutton, bearer", Source{Platform: "bigbluebutton", Secrets: []string{"a"}, Accept: []string{"bearer"}}, ""},
		{"bigbluebutton, good", Source{Platform: "bigbluebutton", Secrets: []string{"a"}, CallbackURL: "https://x.test/webhooks/bbb?a=b"}, ""},
		{
			"bigbluebutton, with the checksum", Source{Platform: "bigbluebutton", Secrets: []string{"a"}, CallbackURL: "https://x.test/webhooks/bbb?checksum=12"},
			"callback_url: must be the URL as it was registered, http or https, without its checksum",
		},
		{
			"bigbluebutton, a path", Source{Platform: "bigbluebutton", Secrets: []string{"a"}, Accept: []string{"bearer"}, CallbackURL: "/webhooks/bbb"},
			"callback_url: must be the URL as it was registered, http or https, without its checksum",
		},
		{"typeform", Source{Platform: "typeform", Secrets: []string{""}}, "secrets[0]: missing"},
		{"tally", Source{Platform: "tally", Secrets: []string{""}}, "secrets[0]: missing"},
		{"formbricks", Source{Platform: "formbricks", Secrets: []string{"a"}}, "secrets[0]: must be whsec_ and base64"},
		{"tolerance", Source{Platform: "zoom", Secrets: []string{"a"}, Tolerance: -1}, "tolerance: must not be negative"},
		{"daily", Source{Platform: "daily", Secrets: []string{"c2VjcmV0", "not base64!", ""}}, "secrets[1]: must be base64, as Daily gives it\nsecrets[2]: must be base64, as Daily gives it"},
		{"nothing to choose", Source{Platform: "zoom", Secrets: []string{"a"}, Accept: []string{"unsigned"}, Path: "0123456789abcdef"}, "accept[0]: unknown, zoom takes nothing by choice"},
		{"no such choice", Source{Platform: "livestorm", Secrets: []string{"a"}, Accept: []string{"anything"}}, "accept[0]: unknown, livestorm takes unsigned by choice"},
		{"unsigned, no path", Source{Platform: "livestorm", Accept: []string{"unsigned"}}, "path: must have at least 16 characters, as unsigned requests are taken there"},
		{"unsigned, short path", Source{Platform: "livestorm", Accept: []string{"unsigned"}, Path: "0123456789abcde"}, "path: must have at least 16 characters, as unsigned requests are taken there"},
		{"unsigned", Source{Platform: "livestorm", Accept: []string{"unsigned"}, Path: "0123456789abcdef"}, ""},
		{"unsigned and signed", Source{Platform: "livestorm", Secrets: []string{""}, Accept: []string{"unsigned"}, Path: "0123456789abcdef"}, "secrets[0]: missing"},
		{"slashes", Source{Platform: "livestorm", Accept: []string{"unsigned"}, Path: "/0123456789abcdef/"}, "path: must not start or end with a slash"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if err := Verifiable(row.source); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
