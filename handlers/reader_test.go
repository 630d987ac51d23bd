package handlers

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// attendeeCalls asks every route for attendees in the states that its page may be in; a route that is added is among them.
func (s *site) attendeeCalls() (calls []call) {
	s.t.Helper()
	receipt, deleted := s.answer("metier", map[string]any{"before": 2, "now": 5}), s.answer("metier", map[string]any{"before": 2, "now": 5})
	if w := s.do(call{method: http.MethodDelete, path: "/feedback/metier/answers/" + deleted}); w.Code != http.StatusNoContent {
		s.t.Fatal(w.Code)
	}
	_, resumed, _ := strings.Cut(s.draft(false), "?")
	_, sent, _ := strings.Cut(s.draft(true), "?")
	states := []string{
		"", "lang=en", "segment=lycee", "segment=nobody", "wave=nobody", "kiosk=1", "kiosk=1&sent=1", "kiosk=1&sent=1&stay=1", "resume=x",
		resumed, sent, "invite=x", "thanks=1", "changed=1", viewerParameter + "=x", "token=" + organiserToken,
	}
	for _, r := range (&server{Deps: s.deps}).routes() {
		if r.reader != attendees {
			continue
		}
		for _, session := range []string{"metier", "eleves", "salle", "nobody"} {
			for _, receipt := range []string{receipt, deleted, "0000-0000-0000-0000"} {
				path := strings.NewReplacer(":session", session, ":receipt", receipt).Replace(r.path)
				c := call{method: r.method, path: path, header: map[string]string{"Accept": "text/html"}}
				switch r.method {
				case http.MethodGet:
					for _, state := range states {
						c.path = path + "?" + state
						calls = append(calls, c)
					}
				case http.MethodDelete:
					if receipt != "0000-0000-0000-0000" {
						continue
					}
					fallthrough
				default:
					c.form = url.Values{"page": {"1"}, "kiosk": {"1"}}
					calls = append(calls, c)
				}
			}
		}
	}
	return append(calls, call{path: "/feedback"}, call{path: "/feedback/metier/nothing"}, call{method: http.MethodPut, path: "/here/metier"}, call{path: "/nothing"})
}

// A page for attendees is the same for everybody: whoever is signed in on the device, in whatever way, reads what a stranger
// reads, and nothing on it leads to the organisers' pages.
func TestAttendeesPagesAreTheSameForEverybody(t *testing.T) {
	t.Parallel()
	s := one(t)
	organiser := s.cookie(t, call{path: "/login?token=" + organiserToken}, "/")
	_, link, _ := strings.Cut(s.get("/sessions/metier").Body.String(), "http://jauge.example/sessions/metier?access=")
	grant, _, _ := strings.Cut(link, "<")
	viewer := s.cookie(t, call{path: "/sessions/metier?access=" + grant}, "/sessions/metier")
	seen := map[string]bool{}
	for _, c := range s.attendeeCalls() {
		stranger := s.do(c)
		if class := bodyClass.FindStringSubmatch(stranger.Body.String()); class != nil {
			seen[class[1]] = true
		}
		for _, link := range []string{`href="/"`, `"/login`, `"/logout`, `"/sessions`, "<nav", "<footer"} {
			if strings.Contains(stranger.Body.String(), link) {
				t.Errorf("%s %s shows %s", c.method, c.path, link)
			}
		}
		for name, header := range map[string]map[string]string{
			"the organiser's cookie": {"Cookie": organiser}, "a viewer's cookie": {"Cookie": viewer},
			"the organiser's token": {"Authorization": "Bearer " + organiserToken}, "a wrong token": {"Authorization": "Bearer x"},
		} {
			known := c
			known.header = maps.Clone(header)
			maps.Copy(known.header, c.header)
			w := s.do(known)
			if diff := cmp.Diff(lasting(stranger), lasting(w)); diff != "" || len(w.Result().Cookies()) != 0 {
				t.Errorf("%s %s with %s (-without +with):\n%s", c.method, c.path, name, diff)
			}
		}
	}
	if diff := cmp.Diff([]string{"answer", "error", "here", "kiosk", "notice", "sent", "survey"}, slices.Sorted(maps.Keys(seen))); diff != "" {
		t.Errorf("pages that were compared (-want +got):\n%s", diff)
	}
}

// lasting is an answer without what differs from one request to the next.
func lasting(w *httptest.ResponseRecorder) []any {
	header := w.Header().Clone()
	header.Del("X-Request-Id")
	return []any{w.Code, header, stable(w.Body.String())}
}

// Whom the start of an address is for holds for all that is below, for what is not there, and for every method.
func TestReaders(t *testing.T) {
	t.Parallel()
	s := one(t)
	for _, row := range []struct {
		name, method, path, accept string
		page                       bool
	}{
		{"an attendee's page that is not there", "GET", "/feedback/metier/nothing", "*/*", true},
		{"an attendee's page by another method", "PATCH", "/here/metier", "*/*", true},
		{"where nothing is", "GET", "/nothing", "*/*", true},
		{"an organiser's page that is not there", "GET", "/sessions/metier/nothing", "*/*", true},
		{"an address of the API that is not there", "GET", "/api/v2", "text/html", false},
		{"the API by another method", "PATCH", "/api/v1/sessions", "text/html", false},
		{"a webhook of nobody", "POST", "/webhooks/nobody", "text/html", false},
		{"a beacon of nothing", "GET", "/beacon/metier", "text/html", false},
		{"an asset that is not there", "GET", "/assets/nothing", "text/html", false},
		{"an attendee's page asked by a program", "GET", "/feedback/salle", "application/json", false},
	} {
		w := s.do(call{method: row.method, path: row.path, header: map[string]string{"Accept": row.accept}})
		if page := strings.HasPrefix(w.Header().Get("Content-Type"), "text/html"); w.Code < 400 || page != row.page {
			t.Errorf("%s: %d %v", row.name, w.Code, w.Header())
		}
	}
}
