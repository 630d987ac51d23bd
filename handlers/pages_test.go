package handlers

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jauge/attendance"
	"jauge/handlers/lookup"
)

var update = flag.Bool("update", false, "write the golden files anew")

// volatile is what differs from run to run: tokens, receipts, request ids, the assets' version, texts by their random order.
var volatile = []struct {
	pattern *regexp.Regexp
	stable  string
}{
	{regexp.MustCompile(`name="token" value="[A-Z2-7]{26}"`), `name="token" value="TOKEN"`},
	{regexp.MustCompile(`name="resume" value="[A-Z2-7]{26}"`), `name="resume" value="RESUME"`},
	{regexp.MustCompile(`resume=[A-Z2-7]{26}`), `resume=RESUME`},
	{regexp.MustCompile(`name="id" value="[A-Z2-7]{26}"`), `name="id" value="ID"`},
	{regexp.MustCompile(`([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}`), "RECE-IPTR-ECEI-PT00"},
	{regexp.MustCompile(`[0-9a-f]{16}</p>`), "request</p>"},
	{regexp.MustCompile(`\?v=[0-9a-f]{12}`), "?v=version"},
	{regexp.MustCompile(`[0-9a-f]{32}`), "TEXT"},
	{regexp.MustCompile(`&lt;mot&gt; \d`), "&lt;mot&gt; N"},
	{regexp.MustCompile(`access=[A-Za-z0-9._-]+`), "access=GRANT"},
}

// stable is a page without what is volatile.
func stable(page string) string {
	for _, v := range volatile {
		page = v.pattern.ReplaceAllString(page, v.stable)
	}
	return page
}

func golden(t *testing.T, name string, w *httptest.ResponseRecorder) {
	t.Helper()
	got := stable(w.Body.String())
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// TestPages compares every page with its golden file. The programme is half-way through its first session.
func TestPages(t *testing.T) {
	t.Parallel()
	s := one(t)
	s.play(12)
	for i := range 6 {
		s.answer("metier", map[string]any{"before": 1 + i%3, "now": 3 + i%3})
	}
	receipt := s.answer("metier", map[string]any{"before": 2, "now": 5, "known": true, "liked": []string{"talk", "format"}, "words": "Très <clair>"})
	answers := "/feedback/metier/answers/" + receipt
	first := url.Values{"page": {"1"}, "q.before": {"2"}, "q.known": {"no"}, "do": {"next"}}
	for _, row := range []struct {
		name string
		call call
		code int
	}{
		{"login.html", call{path: "/login"}, 200},
		{"login-wrong.html", call{method: "POST", path: "/login", form: url.Values{"token": {"x"}, "next": {"/series/cycle"}}}, 401},
		{"programme.html", call{path: "/", organiser: true}, 200},
		{"session-live.html", call{path: "/sessions/metier", organiser: true}, 200},
		{"session-live.en.html", call{path: "/sessions/metier?lang=en", organiser: true}, 200},
		{"session-scheduled.html", call{path: "/sessions/eleves", organiser: true}, 200},
		{"session-declared.html", call{path: "/sessions/salle", organiser: true}, 200},
		{"results-few.html", call{path: "/sessions/eleves/results", organiser: true}, 200},
		{"series.html", call{path: "/series/cycle", organiser: true}, 200},
		{"survey-1.html", call{path: "/feedback/metier?segment=lycee"}, 200},
		{"survey-1.en.html", call{path: "/feedback/metier", header: map[string]string{"Accept-Language": "en-GB"}}, 200},
		{"survey-1-mistake.html", call{method: "POST", path: "/feedback/metier", form: url.Values{"page": {"1"}, "q.known": {"no"}}}, 422},
		{"survey-2.html", call{method: "POST", path: "/feedback/metier", form: first}, 200},
		{"survey-minors.html", call{path: "/feedback/eleves"}, 200},
		{"survey-change.html", call{method: "POST", path: answers, form: url.Values{"do": {"change"}}}, 200},
		{"answer-thanks.html", call{path: answers + "?thanks=1"}, 200},
		{"answer-deleted.html", call{method: "POST", path: answers, form: url.Values{"do": {"delete"}}}, 200},
		{"error-deleted.html", call{path: answers}, 410},
		{"error-survey.html", call{path: "/feedback/salle"}, 404},
		{"error-nothing.en.html", call{path: "/nothing?lang=en"}, 404},
	} {
		w := s.do(row.call)
		if w.Code != row.code {
			t.Errorf("%s: %d, not %d", row.name, w.Code, row.code)
		}
		golden(t, row.name, w)
	}
	s.putAside()
	golden(t, "programme-aside.html", s.get("/"))
	golden(t, "programme-aside.en.html", s.get("/?lang=en"))
	s.event("zoom", attendance.Event{Kind: attendance.Ended, Room: "951", Occurrence: "o==", At: start.Add(time.Hour)})
	s.at(start.Add(65 * time.Minute))
	golden(t, "session-ended.html", s.get("/sessions/metier"))
	golden(t, "live-ended.en.html", s.get("/sessions/metier/live?lang=en"))
}

// TestGuestsOnPages: where a platform gives guests no id, every page says beside who came how many people these are at least; and it says
// whose join was lost.
func TestGuestsOnPages(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		guest := func(kind attendance.Kind, connection, name string) {
			s.event("zoom", attendance.Event{Kind: kind, Room: "951", Occurrence: "o==", Guest: true, Connection: connection, Name: name, At: start.Add(time.Minute)})
		}
		says := func(path string, words ...string) {
			t.Helper()
			text := strings.Join(strings.Fields(s.get(path).Body.String()), " ")
			for _, word := range words {
				if not, absent := strings.CutPrefix(word, "not "); strings.Contains(text, not) == absent {
					t.Errorf("%s: %s\n%s", path, word, text)
				}
			}
		}
		guest(attendance.Joined, "1", "Jo")
		guest(attendance.Joined, "2", "Al")
		says("/sessions/metier?lang=en", "not <small>at least", "not only seen leaving")
		guest(attendance.Joined, "3", " jo")
		guest(attendance.Joined, "4", "JO ")
		guest(attendance.Left, "5", "Zoé")
		if got := decode[lookup.Object](t, s.get("/api/v1/sessions/metier")).Attendance; *got.Unique != 4 || *got.UniqueLow != 2 || *got.SeenLeavingOnly != 1 {
			t.Errorf("%d came, at least %d, %d only leaving", *got.Unique, *got.UniqueLow, *got.SeenLeavingOnly)
		}
		says("/sessions/metier?lang=en", `<span data-figure="unique">4</span> <small>at least 2</small>`, `<dt>only seen leaving</dt><dd data-figure="seen_leaving_only">1</dd>`, "The platform gives guests no id")
		says("/sessions/metier?lang=fr", "<small>au moins 2</small>", "<dt>vues seulement en partant</dt>")
		says("/?lang=fr", "4 <small>au moins 2</small>")
		says("/series/cycle?lang=fr", "4 <small>au moins 2</small>")
		s.event("zoom", attendance.Event{Kind: attendance.Ended, Room: "951", Occurrence: "o==", At: start.Add(time.Hour)})
		s.at(start.Add(65 * time.Minute))
		says("/sessions/metier?lang=fr", `<strong data-figure="unique">4</strong> personnes venues <small>au moins 2</small>`)
	})
}

// TestFormPages compares the pages on the way of a form.
func TestFormPages(t *testing.T) {
	t.Parallel()
	s := one(t)
	first := url.Values{"page": {"1"}, "q.before": {"2"}, "q.known": {"no"}, "do": {"next"}, "kiosk": {"1"}, "lang": {"en"}}
	for _, row := range []struct {
		name string
		call call
	}{
		{"survey-draft-unknown.html", call{path: "/feedback/metier?resume=x"}},
		{"survey-resumed.html", call{path: s.draft(false)}},
		{"sent.html", call{path: s.draft(true)}},
		{"kiosk-1.html", call{path: "/feedback/metier?kiosk=1"}},
		{"kiosk-2.en.html", call{method: "POST", path: "/feedback/metier", form: first}},
		{"kiosk-thanks.html", call{path: "/feedback/metier?kiosk=1&sent=1"}},
		{"notice.html", call{path: "/feedback/metier/notice"}},
		{"notice-minors.en.html", call{path: "/feedback/eleves/notice?lang=en"}},
	} {
		w := s.do(row.call)
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d", row.name, w.Code)
		}
		golden(t, row.name, w)
	}
}

// draft begins a form and returns the address that resumes it; sent: it is sent since.
func (s *site) draft(sent bool) string {
	b := s.visit("/feedback/metier")
	b.send("q.before", "2")
	address := b.address
	if sent {
		b.send("q.now", "4")
	}
	return address
}
