package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/attendance"
	"jauge/internal/redistest"
	"jauge/platforms"
)

// livestorm is the sender of these tests; its webinar is one event with one session.
var livestorm = platforms.Source{Name: "livestorm", Platform: "livestorm", Secrets: []string{"a-livestorm-secret-of-the-tests"}}

const (
	livestormEvent   = "fe9e2c48-a993-4d81-afbe-ed483f2d3576"
	livestormSession = "0abbcb51-4a95-46d7-9879-fd141986a3a8"
)

// webinar is the service of a webinar on Livestorm, within this process.
type webinar struct {
	t     *testing.T
	v     service
	clock *atomic.Int64
}

var webinarStart = time.Date(2026, 12, 3, 18, 0, 0, 0, time.UTC)

func newWebinar(t *testing.T, rdb redis.UniversalClient, prefix string) *webinar {
	t.Helper()
	v, clock := inProcess(t, rdb, prefix, fmt.Sprintf(`
sources: [{name: livestorm, platform: livestorm, secrets: ["%s"]}]
sessions:
  - {id: talk, title: {en: Talk}, starts_at: %s, ends_at: %s, rooms: [{source: livestorm, id: %s}]}`,
		livestorm.Secrets[0], webinarStart.Format(time.RFC3339), webinarStart.Add(time.Hour).Format(time.RFC3339), livestormEvent))
	return &webinar{t, v, clock}
}

// serve answers a request in this process.
func (w *webinar) serve(r *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	w.v.handler.ServeHTTP(answer, r)
	return answer
}

// says encodes what Livestorm says of a person, or of the session. There is no event for somebody who did not come: away
// makes that of a registration.
func (w *webinar) says(kind attendance.Kind, person string, total time.Duration, away bool) []byte {
	_, body := platforms.Dialects["livestorm"].Encode(attendance.Event{
		Kind: kind, Room: livestormSession, Alias: livestormEvent, Attendee: person, Total: total, At: time.UnixMilli(w.clock.Load()),
	})
	if away {
		body = bytes.Replace(body, []byte(`"people.registered"`), []byte(`"people.not_attended"`), 1)
	}
	return body
}

// post signs a body and sends sent in its place.
func (w *webinar) post(body, sent []byte, want int) {
	w.t.Helper()
	signed := platforms.Request{Header: http.Header{"Content-Type": {"application/json"}}, Body: body, Now: time.UnixMilli(w.clock.Load())}
	platforms.Dialects["livestorm"].Sign(livestorm, &signed)
	r := httptest.NewRequest(http.MethodPost, "/webhooks/livestorm", bytes.NewReader(sent))
	r.Header = signed.Header
	if answer := w.serve(r); answer.Code != want {
		w.t.Fatalf("%s: %d %s", sent, answer.Code, answer.Body)
	}
}

// at sets the clock, so long after the planned start.
func (w *webinar) at(after time.Duration) { w.clock.Store(webinarStart.Add(after).UnixMilli()) }

// shown reads the session's attendance from the API.
func (w *webinar) shown() map[string]any {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/api/v1/sessions/talk", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	answer := w.serve(r)
	var o struct {
		State      string
		Attendance map[string]any
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &o); err != nil || answer.Code != http.StatusOK {
		w.t.Fatalf("%d %s", answer.Code, answer.Body)
	}
	o.Attendance["state"] = o.State
	return o.Attendance
}

// hold compares some of what is shown.
func (w *webinar) hold(when string, want map[string]any) {
	w.t.Helper()
	all, some := w.shown(), map[string]any{}
	for name := range want {
		some[name] = all[name]
	}
	text, _ := json.Marshal(all)
	w.t.Logf("%s: %s", when, text)
	if diff := cmp.Diff(want, some); diff != "" {
		w.t.Errorf("%s (-want +shown):\n%s", when, diff)
	}
}

// counted says whether /metrics has the gauge for the session, and its value.
func (w *webinar) counted(gauge string) (value string, there bool) {
	w.t.Helper()
	answer := httptest.NewRecorder()
	w.v.metrics.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	_, rest, there := strings.Cut(answer.Body.String(), "\n"+gauge+`{session="talk"} `)
	value, _, _ = strings.Cut(rest, "\n")
	return value, there
}

// The script: 530 register, 41 of them while the webhook is on; 320 come. Twelve requests come twice, one is forged.
const (
	scriptRegistered = 530
	scriptHeard      = 41
	scriptCame       = 320
)

// play tells the script up to the end; live is called while the session is on. It returns the sum of all durations.
func (w *webinar) play(live func()) (watched time.Duration) {
	for i := range scriptHeard { // some of those who come and some of those who do not
		w.at(-48*time.Hour + time.Duration(i)*time.Minute)
		body := w.says(attendance.Registered, fmt.Sprint("person-", i*scriptRegistered/scriptHeard), 0, false)
		w.post(body, body, http.StatusOK)
	}
	w.at(10 * time.Second)
	started := w.says(attendance.Started, "", 0, false)
	w.post(started, started, http.StatusOK)
	w.at(30 * time.Minute)
	live()
	w.at(time.Hour)
	ended := w.says(attendance.Ended, "", 0, false)
	w.post(ended, ended, http.StatusOK)
	w.at(65 * time.Minute)
	var sent [][]byte
	for i := range scriptRegistered {
		kind, total := attendance.Attended, time.Duration(60+11*i)*time.Second
		if i >= scriptCame {
			kind, total = attendance.Registered, 0
		}
		body := w.says(kind, fmt.Sprint("person-", i), total, i >= scriptCame)
		w.post(body, body, http.StatusOK)
		sent = append(sent, body)
		watched += total
	}
	for i := range 12 {
		again := sent[i*scriptRegistered/12]
		w.post(again, again, http.StatusOK)
	}
	w.post(sent[0], w.says(attendance.Attended, "intruder", time.Hour, false), http.StatusUnauthorized)
	return watched
}

// A webinar of which Livestorm tells who came only after its end: nothing is said of the present but that it is unknown.
func TestLivestormTotals(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		w := newWebinar(t, rdb, prefix)
		unknown := func() {
			for _, gauge := range []string{"jauge_session_attendees", "jauge_session_connections", "jauge_session_attendees_peak"} {
				if value, there := w.counted(gauge); there {
					t.Errorf("%s is %s", gauge, value)
				}
			}
		}
		watched := w.play(func() {
			w.hold("live", map[string]any{
				"state": "live", "capability": "totals", "present": nil, "connections": nil, "peak": nil, "unique": nil,
				"registered": 41.0, "no_show_rate": nil,
			})
			unknown()
		})
		w.hold("afterwards", map[string]any{
			"state": "ended", "capability": "totals", "present": nil, "connections": nil, "peak": nil, "peak_at": nil, "unique": 320.0,
			"registered": 530.0, "no_show_rate": 210.0 / 530, "watch_seconds": watched.Seconds(), "provenance": "reported",
		})
		unknown()
		if value, _ := w.counted("jauge_session_attendees_unique"); value != "320" {
			t.Errorf("unique is %q on /metrics", value)
		}
	})
}

// The same, with thirty beacons: a live count while it goes on, the platform's totals beside it afterwards.
func TestLivestormWithBeacons(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		w := newWebinar(t, rdb, prefix)
		watched := w.play(func() {
			for i := range 30 {
				if err := w.v.stores.attendance.Arrive(t.Context(), "talk", fmt.Sprint("a-tab-", i)); err != nil {
					t.Fatal(err)
				}
			}
			w.hold("live", map[string]any{"state": "live", "capability": "live", "present": 30.0, "peak": 30.0, "registered": 41.0})
			if value, _ := w.counted("jauge_session_attendees"); value != "30" {
				t.Errorf("present is %q on /metrics", value)
			}
		})
		w.hold("afterwards", map[string]any{
			"state": "ended", "present": 0.0, "peak": 30.0, "unique": 320.0, "no_show_rate": 210.0 / 530,
			"watch_seconds": watched.Seconds(), "provenance": "reported",
			"measured": map[string]any{"unique": 30.0, "watch_seconds": 30 * 1800.0},
			"reported": map[string]any{"unique": 320.0, "watch_seconds": watched.Seconds()},
		})
	})
}

// Fifty events of a room that nobody claims yet are kept: once the API creates the session, they count.
func TestUnclaimedRoomCountsOnceClaimed(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		v, clock := inProcess(t, rdb, prefix, fmt.Sprintf("sources: [{name: relay, platform: standard, secrets: [%q]}]", relay.Secrets[0]))
		w := &webinar{t, v, clock}
		for i := range 50 { // twenty-five come, and leave after ten minutes
			kind, person := attendance.Joined, i
			if i >= 25 {
				kind, person = attendance.Left, i-25
			}
			w.at(time.Duration(person)*time.Second + time.Duration(i/25)*10*time.Minute)
			signed := platforms.Request{Header: http.Header{}, Now: time.UnixMilli(clock.Load())}
			contentType, body := platforms.Dialects["standard"].Encode(attendance.Event{
				Kind: kind, Room: "unclaimed", Attendee: fmt.Sprint("person ", person), Connection: fmt.Sprint("tab ", person), At: signed.Now,
			})
			signed.Body = body
			platforms.Dialects["standard"].Sign(relay, &signed)
			r := httptest.NewRequest(http.MethodPost, "/webhooks/relay", bytes.NewReader(body))
			r.Header = signed.Header
			r.Header.Set("Content-Type", contentType)
			if answer := w.serve(r); answer.Code != http.StatusOK {
				t.Fatalf("%d %s", answer.Code, answer.Body)
			}
		}
		organiser := func(method, path, body string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(method, path, strings.NewReader(body))
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Content-Type", "application/json")
			return w.serve(r)
		}
		aside := func() (o struct{ Total int }) {
			if err := json.Unmarshal(organiser(http.MethodGet, "/api/v1/aside", "").Body.Bytes(), &o); err != nil {
				t.Fatal(err)
			}
			return o
		}
		if n := aside().Total; n != 50 {
			t.Errorf("%d aside", n)
		}
		created := organiser(http.MethodPost, "/api/v1/sessions", fmt.Sprintf(`{"id": "talk", "title": {"en": "Talk"}, "starts_at": %q, "ends_at": %q,
			"rooms": [{"source": "relay", "id": "unclaimed"}]}`, webinarStart.Format(time.RFC3339), webinarStart.Add(time.Hour).Format(time.RFC3339)))
		if created.Code != http.StatusCreated {
			t.Fatalf("%d %s", created.Code, created.Body)
		}
		w.hold("once claimed", map[string]any{"present": 0.0, "peak": 25.0, "unique": 25.0, "watch_seconds": 25 * 600.0})
		if n := aside().Total; n != 0 {
			t.Errorf("%d aside after the room was claimed", n)
		}
	})
}
