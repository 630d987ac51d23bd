package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/attendance"
	"jauge/feedback"
	"jauge/feedback/figures"
	"jauge/feedback/survey"
	"jauge/handlers/api"
	"jauge/handlers/lookup"
	"jauge/internal/redistest"
	"jauge/platforms"
	"jauge/programme"
)

// form is a form tool that has everything a dialect may have: a secret path in place of a signature, a handshake before
// it, and a status of its own for what is not verified.
func init() {
	platforms.Dialects["form"] = platforms.Dialect{
		Capability: attendance.Declared,
		Refusal:    http.StatusGone,
		Hello: func(_ platforms.Source, r platforms.Request) *platforms.Reply {
			challenge := r.Query.Get("challenge")
			if challenge == "" {
				return nil
			}
			return &platforms.Reply{Status: http.StatusAccepted, ContentType: "text/plain", Body: []byte(r.Method + " " + r.Path + " " + challenge)}
		},
		Scheme: platforms.Scheme{
			Key: func(secret string) ([]byte, error) { return []byte(secret), nil },
			Read: func(_ platforms.Source, r platforms.Request) (platforms.Credentials, error) {
				return platforms.Credentials{Given: []string{r.Path}, Expected: func(key []byte) []string { return []string{string(key)} }}, nil
			},
			Untimed: true,
		},
		Decode: func(_ platforms.Source, r platforms.Request) (platforms.Delivery, error) {
			var a platforms.Answers
			if err := json.Unmarshal(r.Body, &a); err != nil {
				return platforms.Delivery{}, platforms.ErrBody
			}
			return platforms.Delivery{Answers: []platforms.Answers{a}}, nil
		},
	}
}

const secretPath = "kX93/mQ7-the-secret-path"

func withForm(d *setup) {
	d.Sources["form"] = platforms.Source{Name: "form", Platform: "form", Secrets: []string{secretPath}}
	d.MinimumGroup = 1
}

// fill delivers one person's form to the source "form".
func (s *site) fill(key string, values map[string]any) {
	s.t.Helper()
	w := s.do(call{method: "POST", path: "/webhooks/form/" + secretPath, json: platforms.Answers{
		Room: "f1", Key: key, At: start.Add(20 * time.Minute), Values: values, Foreign: true,
	}})
	if w.Code != http.StatusOK {
		s.t.Fatalf("form: %d %s", w.Code, w.Body)
	}
}

// putAside leaves something aside for most reasons that there are.
func (s *site) putAside() {
	s.t.Helper()
	for i := range 3 {
		s.event("zoom", attendance.Event{Kind: attendance.Joined, Room: "77", Occurrence: "o", Attendee: fmt.Sprint(i), Connection: "1", At: start})
	}
	s.event("zoom", attendance.Event{Kind: attendance.Left, Room: "77", Occurrence: "o", Attendee: "1", Connection: "1", At: start.Add(time.Minute)})
	s.event("zoom", attendance.Event{Kind: attendance.Joined, Room: "951", Occurrence: "o", Attendee: "1", Connection: "1", At: time.Unix(86_400, 0)})
	s.event("zoom", attendance.Event{Kind: attendance.Left, Room: "951", Occurrence: "o", At: start})
	s.post("standard", "application/json", standardAnswers("nobody's", "", map[string]any{"before": 2, "now": 4}))
	s.post("standard", "application/json", standardAnswers("hall", "", map[string]any{"before": 9}))
}

// Everything that a platform may do at its address before, instead of and below a signed POST.
func TestWebhookAddresses(t *testing.T) {
	t.Parallel()
	body := `{"Room":"f1","Key":"k","Values":{"before":2,"now":4}}`
	for _, row := range []struct {
		name, method, path, body string
		code                     int
		answer, counted          string
	}{
		{"the secret path", "POST", "/webhooks/form/" + secretPath, body, 200, "{}", "event form answers aside"},
		{"with a slash at its end", "POST", "/webhooks/form/" + secretPath + "/", body, 200, "{}", "event form answers aside"},
		{"without the path", "POST", "/webhooks/form", body, 410, "", "refused form signature"},
		{"another path", "POST", "/webhooks/form/kX93", body, 410, "", "refused form signature"},
		{"a handshake by GET", "GET", "/webhooks/form?challenge=c0-h4", "", 202, "GET  c0-h4", "webhook form"},
		{"a handshake by OPTIONS, below", "OPTIONS", "/webhooks/form/a/b?challenge=c0-h4", "", 202, "OPTIONS a/b c0-h4", "webhook form"},
		{"a handshake by HEAD", "HEAD", "/webhooks/form?challenge=c0-h4", "", 202, "HEAD  c0-h4", "webhook form"}, // net/http leaves the body out
		{"a handshake by POST, unsigned", "POST", "/webhooks/form?challenge=c0-h4", "not JSON", 202, "POST  c0-h4", "webhook form"},
		{"GET that is none", "GET", "/webhooks/form/" + secretPath, "", 405, "", "request /webhooks/:source/*path GET 405"},
		{"OPTIONS of a platform without handshakes", "OPTIONS", "/webhooks/zoom", "", 405, "", "request /webhooks/:source OPTIONS 405"},
		{"GET of no source", "GET", "/webhooks/nobody/x", "", 404, "", "refused unknown source"},
		{"another method", "PUT", "/webhooks/form", body, 405, "", "request  PUT 405"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			rdb, prefix := redistest.Embedded()
			s := newSite(t, rdb, prefix, withForm)
			w := s.do(call{method: row.method, path: row.path, body: row.body, header: map[string]string{"Content-Type": "application/json"}})
			if w.Code != row.code || row.answer != "" && strings.TrimSpace(w.Body.String()) != row.answer || s.metrics.get(row.counted) != 1 {
				t.Errorf("%d %q, counted %v", w.Code, w.Body, s.metrics.counts)
			}
			if row.code == http.StatusMethodNotAllowed && w.Header().Get("Allow") != "POST" && row.method != "PUT" {
				t.Errorf("allows %q", w.Header().Get("Allow"))
			}
			if everything := s.log.String() + fmt.Sprint(s.metrics.counts); strings.Contains(everything, "kX93") || strings.Contains(everything, "c0-h4") {
				t.Errorf("the path or the query is logged: %s", everything)
			}
		})
	}
}

// A storm of forged requests is seen at once and does not fill the log.
func TestRefusalsAreLoggedNowAndThen(t *testing.T) {
	t.Parallel()
	s := one(t)
	forge := func(source string) {
		s.do(call{method: "POST", path: "/webhooks/" + source, body: "{}", header: map[string]string{"Content-Type": "application/json"}})
	}
	for range 500 {
		forge("zoom")
	}
	forge("standard")
	s.at(start.Add(30*time.Minute + refusalEvery))
	forge("zoom")
	type line struct {
		Msg, Level, Source, Reason string
		Suppressed                 int
	}
	var lines []line
	for text := range strings.Lines(s.log.String()) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		if l.Msg == "webhook refused" {
			lines = append(lines, l)
		}
	}
	want := []line{
		{"webhook refused", "WARN", "zoom", "missing", 0}, {"webhook refused", "WARN", "standard", "missing", 0},
		{"webhook refused", "WARN", "zoom", "missing", 499},
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	if n := s.metrics.get("refused zoom missing"); n != 501 {
		t.Errorf("%d are counted", n)
	}
}

// Forms arrive before anybody has created the session, then before anybody has mapped their questions; in the end all count.
func TestFormsAreMappedAndReclaimed(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s := newSite(t, rdb, prefix, withForm)
		for i := range 6 {
			s.fill(fmt.Sprint(i), map[string]any{"r1": 2, "r2": "4", "r3": []string{"LE RÉCIT", "The format"}, "r4": "Jane Doe"})
		}
		s.fill("0", map[string]any{"r1": 2, "r2": "4", "r3": []string{"LE RÉCIT", "The format"}, "r4": "Jane Doe"}) // again
		expect := func(reason feedback.Reason, references ...string) {
			t.Helper()
			got := decode[api.Aside](t, s.get("/api/v1/aside"))
			if reason == "" {
				if got.Total != 0 || len(got.Groups) != 0 || len(got.Events) != 0 {
					t.Errorf("aside %+v", got)
				}
				return
			}
			hour := start.UTC().Truncate(time.Hour)
			want := []api.AsideGroup{{Source: "form", Room: "f1", Kind: "answers", Reason: string(reason), Count: 6, FirstAt: hour, LastAt: hour, References: references}}
			if diff := cmp.Diff(want, got.Groups); diff != "" || got.Total != 6 || len(got.Events) != 6 {
				t.Errorf("%d aside, %d listed (-want +got):\n%s", got.Total, len(got.Events), diff)
			}
		}
		put := func(questions map[string]string) {
			t.Helper()
			w := s.do(call{method: "PUT", path: "/api/v1/sessions/forms", organiser: true, json: map[string]any{
				"title": map[string]string{"fr": "Formulaire"}, "starts_at": start, "ends_at": start.Add(time.Hour), "survey": "vocation",
				"rooms": []map[string]string{{"source": "form", "id": "f1"}}, "questions": questions,
			}})
			if w.Code != http.StatusOK {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
		expect(feedback.NoSession, "r1", "r2", "r3", "r4")
		put(nil)
		expect(feedback.Unmapped, "r1", "r2", "r3", "r4")
		put(map[string]string{"r1": "before", "r2": "now"})
		expect(feedback.Partly, "r3", "r4")
		if n := decode[lookup.Object](t, s.get("/api/v1/sessions/forms")).Feedback.Respondents; n == nil || *n != 6 {
			t.Errorf("respondents %v", n)
		}
		put(map[string]string{"r1": "before", "r2": "now", "r3": "liked", "r4": ""})
		expect("")
		results := decode[figures.Results](t, s.get("/api/v1/sessions/forms/feedback"))
		for _, q := range results.Questions {
			if q.ID == "liked" && (q.N == nil || *q.N != 6) {
				t.Errorf("liked: %+v", q)
			}
		}
		s.fill("7", map[string]any{"r1": 2, "r2": 5, "r3": "talk", "r4": "Jane Doe"})
		if s.metrics.get("submission recorded") != 1 || s.metrics.get("event form answers recorded") != 1 || s.metrics.get("event form answers aside") != 7 {
			t.Errorf("counted %v", s.metrics.counts)
		}
		if text := s.get("/").Body.String(); strings.Contains(text, "Jane") || strings.Contains(text, "pas encore compté") {
			t.Errorf("the programme says %s", text)
		}
	})
}

// Answers of a real form tool, with everything that it says of a person: nothing of that is anywhere afterwards.
func TestTypeform(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s := newSite(t, rdb, prefix, func(d *setup) {
			d.Sources["typeform"] = platforms.Source{Name: "typeform", Platform: "typeform", Secrets: []string{"typeform-secret"}}
		})
		session := planned()[0]
		session.Rooms = append(session.Rooms, programme.Room{Source: "typeform", ID: "f1"})
		session.Questions = map[string]string{"envie": "before", "maintenant": "now", "aime": "liked", "connu": "known", "nom": ""}
		if err := s.deps.Programme.Put(t.Context(), session); err != nil {
			t.Fatal(err)
		}
		body := `{"event_id":"E1","event_type":"form_response","form_response":{"form_id":"f1","token":"t1","submitted_at":"2020-04-30T16:20:00Z",` +
			`"hidden":{"attendee":"Jane Doe","segment":"lycee","lang":"fr"},"answers":[` +
			`{"type":"number","number":2,"field":{"ref":"envie"}},{"type":"choice","choice":{"label":"4"},"field":{"ref":"maintenant"}},` +
			`{"type":"choices","choices":{"labels":["le récit"],"other":"Jane's cat"},"field":{"ref":"aime"}},` +
			`{"type":"boolean","boolean":true,"field":{"ref":"connu"}},{"type":"text","text":"Jane Doe","field":{"ref":"nom"}},` +
			`{"type":"text","text":"06 12 34 56 78","field":{"ref":"tel"}},{"type":"email","email":"jane@secret.example","field":{"ref":"mail"}}]}}`
		if w := s.post("typeform", "application/json", []byte(body)); w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		got := decode[api.Aside](t, s.get("/api/v1/aside"))
		want := map[string]survey.Code{"aime": survey.NoChoice, "tel": survey.Unknown}
		if len(got.Events) != 1 || cmp.Diff(want, got.Events[0].References) != "" || got.Events[0].Reason != string(feedback.Partly) {
			t.Errorf("aside %+v", got.Events)
		}
		if o := decode[lookup.Object](t, s.get("/api/v1/sessions/metier")); *o.Feedback.Respondents != 1 {
			t.Errorf("%d respondents", *o.Feedback.Respondents)
		}
		everything := s.log.String() + fmt.Sprint(s.metrics.counts) + dump(t, rdb, prefix)
		for _, secret := range []string{"Jane", "secret.example", "06 12", "t1\"", "typeform-secret"} {
			if strings.Contains(everything, secret) {
				t.Errorf("%q leaks", secret)
			}
		}
	})
}

// dump reads every key of a store under a prefix.
func dump(t *testing.T, rdb redis.UniversalClient, prefix string) string {
	t.Helper()
	keys, err := rdb.Keys(t.Context(), prefix+"*").Result()
	if err != nil || len(keys) == 0 {
		t.Fatalf("%v %v", keys, err)
	}
	var all strings.Builder
	for _, key := range keys {
		hash, zset := rdb.HGetAll(t.Context(), key).Val(), rdb.ZRange(t.Context(), key, 0, -1).Val()
		fmt.Fprintln(&all, key, rdb.Get(t.Context(), key).Val(), hash, zset)
	}
	return all.String()
}

// fifty events of nobody's room, then the session: the example of the contract.
func TestUnclaimedRoomIsShownAndThenCounted(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s := newSite(t, rdb, prefix)
		for i := range 50 {
			s.event("zoom", attendance.Event{Kind: attendance.Joined, Room: "77", Occurrence: "o", Attendee: fmt.Sprint("p", i), Connection: fmt.Sprint(i), At: start})
		}
		got := decode[api.Aside](t, s.get("/api/v1/aside"))
		if got.Total != 50 || len(got.Groups) != 1 || got.Groups[0].Count != 50 || got.Groups[0].Reason != string(feedback.NoSession) {
			t.Errorf("aside %+v", got.Groups)
		}
		if text := s.get("/").Body.String(); !strings.Contains(text, "50 événements de la salle 77") {
			t.Errorf("the programme says %s", text)
		}
		w := s.do(call{method: "POST", path: "/api/v1/sessions", organiser: true, json: map[string]any{
			"id": "nouvelle", "title": map[string]string{"fr": "Nouvelle"}, "starts_at": start, "ends_at": start.Add(time.Hour),
			"rooms": []map[string]string{{"source": "zoom", "id": "77"}},
		}})
		if a := decode[lookup.Object](t, w).Attendance; w.Code != http.StatusCreated || a.Present == nil || *a.Present != 50 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if got := decode[api.Aside](t, s.get("/api/v1/aside")); got.Total != 0 {
			t.Errorf("aside %+v", got.Groups)
		}
	})
}

func TestAsideListsNoMoreThanItShould(t *testing.T) {
	t.Parallel()
	s := one(t)
	var events []attendance.Event
	for i := range maxAsideItems + 20 {
		events = append(events, attendance.Event{Kind: attendance.Joined, Room: fmt.Sprint(i % 7), Occurrence: "o", Attendee: fmt.Sprint(i), Connection: "1", At: start})
	}
	if _, err := s.deps.Attendance.Record(t.Context(), "zoom", events); err != nil {
		t.Fatal(err)
	}
	got := decode[api.Aside](t, s.get("/api/v1/aside"))
	if got.Total != len(events) || len(got.Events) != maxAsideItems || len(got.Groups) != 7 || got.Groups[0].Count != 75 {
		t.Errorf("%d, %d listed, groups %+v", got.Total, len(got.Events), got.Groups)
	}
	if text := s.get("/?lang=en").Body.String(); strings.Count(text, "No session takes place there.") != maxAsideViews || !strings.Contains(text, "and 2 more") {
		t.Errorf("the programme says %s", text)
	}
}

// A room that sessions may name by another id is shown by that one.
func TestAsideNamesTheLastingRoom(t *testing.T) {
	t.Parallel()
	s := one(t)
	for _, room := range []string{"session-1", "session-2"} {
		if _, err := s.deps.Attendance.Record(t.Context(), "slow", []attendance.Event{
			{Kind: attendance.Attended, Room: room, Alias: "event-9", Occurrence: room, Attendee: "p", At: start, Total: time.Hour},
		}); err != nil {
			t.Fatal(err)
		}
	}
	if got := decode[api.Aside](t, s.get("/api/v1/aside")); len(got.Groups) != 2 || *got.Groups[0].Alias != "event-9" {
		t.Errorf("groups %+v", got.Groups)
	}
	if text := s.get("/").Body.String(); !strings.Contains(text, "2 événements de la salle event-9") {
		t.Errorf("the programme says %s", text)
	}
}

// One session counted by beacons while it lasts and by its platform afterwards.
func TestTwoTotalsSideBySide(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s := newSite(t, rdb, prefix)
		begin := start.AddDate(0, 0, 1)
		record := func(events ...attendance.Event) {
			t.Helper()
			if _, err := s.deps.Attendance.Record(t.Context(), "slow", events); err != nil {
				t.Fatal(err)
			}
		}
		event := func(kind attendance.Kind, person int, at time.Time, total time.Duration) attendance.Event {
			return attendance.Event{Kind: kind, Room: "class", Occurrence: "o", Attendee: fmt.Sprint("p", person), At: at, Total: total}
		}
		object := func() lookup.AttendanceObject {
			return decode[lookup.Object](t, s.get("/api/v1/sessions/eleves")).Attendance
		}
		s.at(begin.Add(-time.Hour))
		for i := range 53 {
			record(event(attendance.Registered, i, begin.Add(-2*time.Hour), 0))
		}
		if a := object(); a.Present != nil || a.Unique != nil || a.NoShowRate != nil || a.Provenance != nil || *a.Registered != 53 {
			t.Errorf("before: %+v", a)
		}
		record(attendance.Event{Kind: attendance.Started, Room: "class", Occurrence: "o", At: begin})
		s.at(begin.Add(time.Minute))
		if a := object(); a.Present != nil || a.Unique != nil || a.NoShowRate != nil || a.Measured != nil {
			t.Errorf("live, without beacons: %+v", a)
		}
		if text := s.get("/sessions/eleves").Body.String(); !strings.Contains(text, "ne dit pas en direct") {
			t.Error("the page does not say that the platform tells nothing live")
		}
		for i := range 3 {
			if err := s.deps.Attendance.Arrive(t.Context(), "eleves", fmt.Sprint("tab ", i)); err != nil {
				t.Fatal(err)
			}
		}
		if a := object(); a.Present == nil || *a.Present != 3 || a.Measured.Unique != 3 || a.Reported != nil || a.NoShowRate != nil || *a.Provenance != attendance.FromMarks {
			t.Errorf("live: %+v", a)
		}
		end := begin.Add(time.Hour)
		s.at(end.Add(time.Minute))
		record(attendance.Event{Kind: attendance.Ended, Room: "class", Occurrence: "o", At: end})
		for i := range 32 {
			record(event(attendance.Attended, i, end, 40*time.Minute), event(attendance.Attended, i, end, 40*time.Minute))
		}
		record(event(attendance.Replayed, 52, end, 0))
		a := object()
		want := []*lookup.TotalObject{{Unique: 3, WatchSeconds: 3 * 59 * 60}, {Unique: 32, WatchSeconds: 32 * 40 * 60}}
		if diff := cmp.Diff(want, []*lookup.TotalObject{a.Measured, a.Reported}); diff != "" {
			t.Errorf("totals (-want +got):\n%s", diff)
		}
		if *a.Unique != 32 || *a.WatchSeconds != 32*40*60 || *a.Provenance != attendance.FromPlatform || *a.Replayed != 1 || *a.NoShowRate != 21.0/53 {
			t.Errorf("after: %+v", a)
		}
		fits(t, document(t), http.MethodGet, "/api/v1/sessions/{id}", s.get("/api/v1/sessions/eleves"))
		golden(t, "session-totals.html", s.get("/sessions/eleves"))
		golden(t, "session-totals.en.html", s.get("/sessions/eleves?lang=en"))
	})
}

// After the end of a session whose platform told nothing, nothing is claimed to be complete, and nothing is 0.
func TestTotalsThatDidNotCome(t *testing.T) {
	t.Parallel()
	s := one(t)
	for _, kind := range []attendance.Kind{attendance.Started, attendance.Ended} {
		s.event("slow", attendance.Event{Kind: kind, Room: "class", Occurrence: "o", At: start.AddDate(0, 0, 1)})
	}
	s.at(start.AddDate(0, 0, 1).Add(time.Hour))
	text := s.get("/sessions/eleves").Body.String()
	if !strings.Contains(text, "ses chiffres ne sont pas encore arrivés") || strings.Contains(text, `"unique">0`) || strings.Contains(text, "complète") {
		t.Error(text)
	}
}
