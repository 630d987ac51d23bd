package handlers

import (
	"context"
	"encoding/csv"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"jauge/attendance"
	"jauge/feedback/figures"
	"jauge/handlers/api"
	"jauge/handlers/lookup"
)

func document(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	doc := document(t)
	if err := doc.Validate(context.Background()); err != nil {
		t.Error(err)
	}
	var documented []string
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			documented = append(documented, method+" "+path)
			if operation.Summary == "" || operation.OperationID == "" {
				t.Errorf("%s %s has no summary or id", method, path)
			}
		}
	}
	parameter := regexp.MustCompile(`[:*](\w+)`)
	var routes []string
	for _, r := range (&server{Deps: one(t).deps}).routes() {
		path := parameter.ReplaceAllString(r.path, "{$1}")
		routes = append(routes, r.method+" "+path)
		item := doc.Paths.Find(path)
		if item == nil || item.GetOperation(r.method) == nil {
			continue // the comparison below names it
		}
		if locked := item.GetOperation(r.method).Security != nil; locked != (r.who != public) {
			t.Errorf("%s %s: documented as locked: %v", r.method, path, locked)
		}
	}
	slices.Sort(documented)
	slices.Sort(routes)
	if diff := cmp.Diff(routes, documented); diff != "" {
		t.Errorf("openapi.yaml (-routes +documented):\n%s", diff)
	}
}

// fits checks a JSON answer against the schema that openapi.yaml gives for it.
func fits(t *testing.T, doc *openapi3.T, method, path string, w *httptest.ResponseRecorder) {
	t.Helper()
	response := doc.Paths.Find(path).GetOperation(method).Responses.Status(w.Code)
	if response == nil {
		t.Errorf("%s %s: status %d is not documented", method, path, w.Code)
		return
	}
	contentType, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
	media := response.Value.Content[contentType]
	if media == nil {
		t.Errorf("%s %s: %d %s is not documented", method, path, w.Code, contentType)
		return
	}
	if media.Schema == nil {
		return
	}
	if err := media.Schema.Value.VisitJSON(decode[any](t, w)); err != nil {
		t.Errorf("%s %s: %v", method, path, err)
	}
}

func TestAPIFitsItsDocument(t *testing.T) {
	t.Parallel()
	doc := document(t)
	s := one(t)
	s.play(12)
	for i := range 12 {
		s.answer("metier", map[string]any{"before": 1 + i%4, "now": 2 + i%4, "recommend": i % 11, "liked": []string{"talk"}, "words": "Merci"})
	}
	s.event("zoom", attendance.Event{Kind: attendance.Joined, Room: "nobody's", Occurrence: "o", Attendee: "x", Connection: "1", At: start})
	s.post("standard", "application/json", standardAnswers("nobody's", "", map[string]any{"before": 2, "now": 4}))
	s.post("standard", "application/json", standardAnswers("hall", "", map[string]any{"before": 9}))
	s.event("slow", attendance.Event{Kind: attendance.Attended, Room: "class", Attendee: "x", At: start.AddDate(0, 0, -1), Total: time.Hour})
	for _, path := range []string{
		"/api/v1/sessions", "/api/v1/sessions/{id}", "/api/v1/sessions/{id}/attendance", "/api/v1/sessions/{id}/curve",
		"/api/v1/sessions/{id}/feedback", "/api/v1/sessions/{id}/attendance.csv", "/api/v1/sessions/{id}/feedback.csv",
		"/api/v1/sessions/{id}/attendance.xlsx", "/api/v1/sessions/{id}/feedback.xlsx", "/api/v1/sessions/{id}/answers.csv",
		"/api/v1/sessions/{id}/answers.xlsx", "/api/v1/sessions/{id}/texts", "/sessions/{id}/texts",
		"/api/v1/series/{id}", "/api/v1/aside", "/healthz", "/readyz", "/openapi.yaml", "/metrics", "/", "/sessions/{id}",
		"/sessions/{id}/live", "/series/{id}", "/login", "/feedback/{session}", "/feedback/{session}/qr.svg",
	} {
		id := "metier"
		if strings.Contains(path, "series") {
			id = "cycle"
		}
		fits(t, doc, http.MethodGet, path, s.get(strings.NewReplacer("{id}", id, "{session}", "metier").Replace(path)))
	}
	for _, id := range []string{"eleves", "salle"} {
		fits(t, doc, http.MethodGet, "/api/v1/sessions/{id}", s.get("/api/v1/sessions/"+id))
		fits(t, doc, http.MethodGet, "/api/v1/sessions/{id}/attendance", s.get("/api/v1/sessions/"+id+"/attendance"))
	}
	fits(t, doc, http.MethodGet, "/api/v1/sessions/{id}", s.do(call{path: "/api/v1/sessions/none", organiser: true}))
}

func TestSession(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		s.play(12)
		for range 6 {
			s.answer("metier", map[string]any{"before": 3, "now": 4})
		}
		got := decode[lookup.Object](t, s.get("/api/v1/sessions/metier"))
		ptr := func(n int) *int { return &n }
		series, peakAt := "cycle", start.Add(11*time.Minute)
		watch := (10 + 11*30 - 66) * 60.0 // the first stays 10 minutes, the others from minute 1 to 11 until now, minute 30
		want := lookup.Object{
			ID: "metier", Series: &series, Title: planned()[0].Title, State: attendance.InSession,
			StartsAt: start, EndsAt: start.Add(time.Hour), StartedAt: &start,
			Attendance: lookup.AttendanceObject{
				Capability: attendance.Live, Present: ptr(11), Connections: ptr(11), Peak: ptr(11), PeakAt: &peakAt, Unique: ptr(12), UniqueLow: ptr(12), SeenLeavingOnly: ptr(0),
				Attended: ptr(12), Completed: ptr(4), Invited: ptr(46), WatchSeconds: &watch,
				StayMean: new(watch / 12), StayMedian: new(23.5 * 60), AttendanceRate: new(12.0 / 46), // they stay 10 minutes, and 19 to 29
			},
			Feedback: lookup.FeedbackObject{Respondents: ptr(6), ResponseRate: got.Feedback.ResponseRate},
		}
		measured := attendance.FromMarks
		want.Attendance.Provenance, want.Attendance.Measured = &measured, &lookup.TotalObject{Unique: 12, WatchSeconds: watch}
		want.Attendance.WatchSecondsLow, want.Attendance.InferredShare = got.Attendance.WatchSecondsLow, got.Attendance.InferredShare
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("session (-want +got):\n%s", diff)
		}
		if rate := got.Feedback.ResponseRate; rate == nil || rate.Value != 0.5 || rate.N != 12 {
			t.Errorf("response rate %+v, not 6 of 12", rate)
		}
		scheduled := decode[lookup.Object](t, s.get("/api/v1/sessions/eleves"))
		if a := scheduled.Attendance; a.Present != nil || a.Peak != nil || a.WatchSeconds != nil || a.Invited != nil || a.Provenance != nil || a.Measured != nil {
			t.Errorf("a platform of totals knows %+v", a)
		}
		if text := s.get("/api/v1/sessions/salle").Body.String(); !strings.Contains(text, `"respondents":null`) || !strings.Contains(text, `"series":null`) {
			t.Errorf("unknown figures are not null in %s", text)
		}
	})
}

func TestAttendanceRows(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		s.play(2)
		rows := decode[[]api.Row](t, s.get("/api/v1/sessions/metier/attendance"))
		if len(rows) != 2 || rows[0].WatchSeconds != 600 || rows[0].LastLeftAt == nil || rows[1].LastLeftAt != nil {
			t.Fatalf("rows %+v", rows)
		}
		if strings.Contains(rows[0].Attendee, "p0") || rows[0].Attendee == rows[1].Attendee {
			t.Errorf("pseudonyms %q and %q", rows[0].Attendee, rows[1].Attendee)
		}
		w := s.get("/api/v1/sessions/metier/attendance.csv")
		records, err := csv.NewReader(w.Body).ReadAll()
		if err != nil || len(records) != 3 || records[0][0] != "attendee" || records[1][4] != "600" || records[2][2] != "" {
			t.Errorf("%v %v", err, records)
		}
		if got := w.Header().Get("Content-Disposition"); got != `attachment; filename="metier-attendance.csv"` {
			t.Error(got)
		}
	})
}

func TestCurve(t *testing.T) {
	t.Parallel()
	s := one(t)
	s.play(12)
	for _, row := range []struct {
		step   string
		code   int
		points int
	}{
		{"", 200, 361}, {"60", 200, 31}, {"60s", 200, 31}, {"5m", 200, 7}, {"1", 200, 1801},
		{"0", 400, 0}, {"500ms", 400, 0}, {"-1m", 400, 0}, {"soon", 400, 0}, {"99999999999999999", 400, 0}, {"48h", 400, 0},
	} {
		w := s.do(call{path: "/api/v1/sessions/metier/curve?step=" + row.step, organiser: true})
		if w.Code != row.code {
			t.Errorf("step %q: %d %s", row.step, w.Code, w.Body)
			continue
		}
		if w.Code != http.StatusOK {
			continue
		}
		if points := decode[[]attendance.Point](t, w); len(points) != row.points || points[len(points)-1].Present != 11 {
			t.Errorf("step %q: %d points, not %d", row.step, len(points), row.points)
		}
	}
	if got := strings.TrimSpace(s.get("/api/v1/sessions/eleves/curve").Body.String()); got != "[]" {
		t.Errorf("a session without events: %s", got)
	}
}

func TestFeedbackResults(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		for i := range 12 {
			s.answer("metier", map[string]any{"before": 2, "now": 2 + i%3})
		}
		got := decode[figures.Results](t, s.get("/api/v1/sessions/metier/feedback"))
		if got.Respondents != 12 || got.Session != "metier" || got.Survey != "vocation" || len(got.Segments) != 1 {
			t.Errorf("results %+v", got)
		}
		if pair := got.Pairs[0]; pair.Matched == nil || *pair.Matched != 12 || *pair.Up != 8 {
			t.Errorf("pair %+v", pair)
		}
		records, err := csv.NewReader(s.get("/api/v1/sessions/metier/feedback.csv").Body).ReadAll()
		want := []string{"", "before", "scale", "12", "2", "12"}
		if err != nil || !slices.ContainsFunc(records, func(r []string) bool { return slices.Equal(r[:6], want) }) {
			t.Errorf("%v: no line %v in %v", err, want, records)
		}
		if w := s.do(call{path: "/api/v1/sessions/salle/feedback", organiser: true}); w.Code != http.StatusNotFound {
			t.Errorf("a session without survey: %d", w.Code)
		}
	})
}

func TestFeedbackHidesSmallGroups(t *testing.T) {
	t.Parallel()
	s := one(t)
	for range 4 {
		s.answer("metier", map[string]any{"before": 5, "now": 5})
	}
	for _, q := range decode[figures.Results](t, s.get("/api/v1/sessions/metier/feedback")).Questions {
		if !q.Suppressed || q.N != nil || q.Mean != nil {
			t.Errorf("four answers show %+v", q)
		}
	}
}

func TestDefineSessions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		s.event("zoom", attendance.Event{Kind: attendance.Joined, Room: "77", Occurrence: "o", Attendee: "x", Connection: "1", At: start})
		if got := decode[api.Aside](t, s.get("/api/v1/aside")); got.Total != 1 || got.Events[0].Room != "77" {
			t.Errorf("aside %+v", got)
		}
		definition := map[string]any{
			"id": "nouvelle", "title": map[string]string{"fr": "Nouvelle"}, "starts_at": start, "ends_at": start.Add(time.Hour),
			"survey": "vocation", "rooms": []map[string]string{{"source": "zoom", "id": "77"}},
		}
		w := s.do(call{method: "POST", path: "/api/v1/sessions", json: definition, organiser: true})
		if w.Code != http.StatusCreated || w.Header().Get("Location") != "http://jauge.example/api/v1/sessions/nouvelle" {
			t.Fatalf("%d %s %s", w.Code, w.Header().Get("Location"), w.Body)
		}
		if unique := decode[lookup.Object](t, s.get("/api/v1/sessions/nouvelle")).Attendance.Unique; unique == nil || *unique != 1 {
			t.Errorf("the event put aside is not counted: %v", unique)
		}
		if w := s.do(call{method: "POST", path: "/api/v1/sessions", json: definition, organiser: true}); w.Code != http.StatusConflict {
			t.Errorf("created twice: %d", w.Code)
		}
		delete(definition, "id")
		definition["invited"] = 12
		w = s.do(call{method: "PUT", path: "/api/v1/sessions/nouvelle", json: definition, organiser: true})
		if got := decode[lookup.Object](t, w); w.Code != http.StatusOK || got.Attendance.Invited == nil {
			t.Errorf("changed: %d %s", w.Code, w.Body)
		}
	})
}

func TestDefinitionMistakes(t *testing.T) {
	t.Parallel()
	s := one(t)
	const times = `"title":{"fr":"x"},"starts_at":"2030-01-01T10:00:00Z","ends_at":"2030-01-01T11:00:00Z"`
	for _, row := range []struct {
		name, method, path, body string
		code                     int
		errors                   []string
	}{
		{"everything at once", "POST", "", `{"id":"A b","series":"no","survey":"no","rooms":[{"source":"no","id":"1"}]}`, 422,
			[]string{"ends_at: missing", "id: must be 1 to 64 of a-z, 0-9 and -", "starts_at: missing", "title: missing",
				"series: not configured", "survey: not configured", "rooms[0].source: not configured"}},
		{"questions that the survey does not have", "POST", "", `{"id":"a","survey":"vocation","questions":{"r1":"before","r2":"after","r3":""},` + times + `}`, 422,
			[]string{`questions["r2"]: the session's survey has no question "after"`}},
		{"unknown key", "POST", "", `{"id":"a","colour":1}`, 422, []string{"colour: unknown key"}},
		{"number as string", "POST", "", `{"id":"a","invited":"12",` + times + `}`, 422, []string{"invited: string where a whole number belongs"}},
		{"string as number", "POST", "", `{"id":12,` + times + `}`, 422, []string{"id: number where a string belongs"}},
		{"no time", "POST", "", `{"id":"a","starts_at":"soon"}`, 422, []string{": a time is not RFC 3339, such as 2020-04-30T18:00:00+02:00"}},
		{"another id", "PUT", "/a", `{"id":"b",` + times + `}`, 422, []string{"id: differs from the id in the address"}},
		{"no JSON", "POST", "", `{`, 400, nil},
		{"two values", "POST", "", `{} {}`, 400, nil},
		{"no UTF-8", "POST", "", "{\"id\":\"\xff\"}", 400, nil},
		{"heads as string", "POST", "/metier/declare", `{"heads":"12"}`, 422, []string{"heads: string where a whole number belongs"}},
		{"heads with a fraction", "POST", "/metier/declare", `{"heads":1.5}`, 422, []string{"heads: number where a whole number belongs"}},
		{"no heads", "POST", "/metier/declare", `{}`, 422, []string{"heads: a whole number from 0 to 10000000 belongs here"}},
		{"negative heads", "POST", "/metier/declare", `{"heads":-1}`, 422, []string{"heads: a whole number from 0 to 10000000 belongs here"}},
		{"heads of nothing", "POST", "/none/declare", `{"heads":1}`, 404, nil},
		{"end of nothing", "POST", "/none/end", ``, 404, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := s.do(call{
				method: row.method, path: "/api/v1/sessions" + row.path, body: row.body, organiser: true,
				header: map[string]string{"Content-Type": "application/json"},
			})
			p := decode[problemJSON](t, w)
			var errors []string
			for _, e := range p.Errors {
				errors = append(errors, e.Path+": "+e.Message)
			}
			if diff := cmp.Diff(row.errors, errors); w.Code != row.code || diff != "" {
				t.Errorf("%d %s\n%s", w.Code, w.Body, diff)
			}
			if got := w.Header().Get("Content-Type"); got != "application/problem+json" || p.Status != row.code || p.Request == "" {
				t.Errorf("%s: %+v", got, p)
			}
		})
	}
}

func TestDeclareAndEnd(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		s.play(3)
		w := s.do(call{method: "POST", path: "/api/v1/sessions/metier/declare", json: map[string]int{"heads": 28}, organiser: true})
		if got := decode[lookup.Object](t, w).Attendance.Declared; got == nil || *got != 28 {
			t.Errorf("declared: %d %s", w.Code, w.Body)
		}
		w = s.do(call{method: "POST", path: "/api/v1/sessions/metier/end", organiser: true})
		if got := decode[lookup.Object](t, w); got.State != attendance.Over || *got.Attendance.Present != 0 || got.EndedAt == nil {
			t.Errorf("ended: %d %s", w.Code, w.Body)
		}
	})
}
