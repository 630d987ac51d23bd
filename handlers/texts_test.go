package handlers

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jauge/feedback"
	"jauge/feedback/figures"
	"jauge/internal/redact"
)

// decide posts a decision as a program.
func (s *site) decide(text, decision string, code int) *httptest.ResponseRecorder {
	s.t.Helper()
	w := s.do(call{method: "POST", path: "/api/v1/sessions/metier/texts/" + text, json: map[string]string{"decision": decision}, organiser: true})
	if w.Code != code {
		s.t.Errorf("%s: %d, not %d: %s", decision, w.Code, code, w.Body)
	}
	return w
}

// write lets n people write a text each.
func (s *site) write(n int) {
	s.t.Helper()
	for i := range n {
		s.answer("metier", map[string]any{"before": 1 + i%3, "now": 3 + i%3, "words": fmt.Sprintf("<mot> %d", i)})
	}
}

func (s *site) texts(query string) []feedback.Text {
	s.t.Helper()
	return decode[[]feedback.Text](s.t, s.get("/api/v1/sessions/metier/texts"+query))
}

func TestTextsByAPI(t *testing.T) {
	t.Parallel()
	doc := document(t)
	each(t, func(t *testing.T, s *site) {
		s.write(4)
		if got := s.get("/api/v1/sessions/metier/texts").Body.String(); strings.TrimSpace(got) != "[]" {
			t.Errorf("four texts: %s", got)
		}
		s.answer("metier", map[string]any{"before": 1, "now": 3, "words": "a@b.fr"})
		texts := s.texts("")
		if len(texts) != 5 || !slices.ContainsFunc(texts, func(t feedback.Text) bool { return t.Text == redact.Mark }) {
			t.Fatalf("texts %+v", texts)
		}
		const path = "/api/v1/sessions/{id}/texts/{text}"
		fits(t, doc, http.MethodPost, path, s.decide(texts[0].ID, "approve", http.StatusOK))
		fits(t, doc, http.MethodPost, path, s.decide(texts[1].ID, "hide", http.StatusOK))
		fits(t, doc, http.MethodPost, path, s.decide(texts[1].ID, "delete", http.StatusUnprocessableEntity))
		fits(t, doc, http.MethodPost, path, s.decide("nobody's", "hide", http.StatusNotFound))
		for query, want := range map[string]int{"?state=pending": 3, "?state=approved": 1, "?state=hidden": 1, "?state=": 5} {
			if got := s.texts(query); len(got) != want {
				t.Errorf("%s: %+v", query, got)
			}
		}
		if w := s.do(call{path: "/api/v1/sessions/metier/texts?state=new", organiser: true}); w.Code != http.StatusBadRequest {
			t.Errorf("an unknown state: %d", w.Code)
		}
		questions := decode[figures.Results](t, s.get("/api/v1/sessions/metier/feedback")).Questions
		if diff := cmp.Diff([]string{texts[0].Text}, questions[len(questions)-1].Texts); diff != "" {
			t.Error(diff)
		}
		for _, c := range []call{
			{path: "/api/v1/sessions/metier/texts"}, {path: "/sessions/metier/texts"},
			{method: "POST", path: "/api/v1/sessions/metier/texts/" + texts[2].ID, json: map[string]string{"decision": "approve"}},
			{method: "POST", path: "/sessions/metier/texts/" + texts[2].ID, form: url.Values{"decision": {"approve"}}},
		} {
			if w := s.do(c); w.Code != http.StatusUnauthorized || strings.Contains(w.Body.String(), "mot") {
				t.Errorf("%s %s without a token: %d", c.method, c.path, w.Code)
			}
		}
		if got := s.texts("?state=pending"); len(got) != 3 {
			t.Errorf("somebody else decided: %+v", got)
		}
	})
}

// TestTextsPage: an organiser decides with buttons; what is approved is on the session's page, for holders of a link too.
func TestTextsPage(t *testing.T) {
	t.Parallel()
	s := one(t)
	s.write(4)
	golden(t, "texts-closed.html", s.get("/sessions/metier/texts"))
	if strings.Contains(s.get("/sessions/metier").Body.String(), "/texts") {
		t.Error("the page of four texts is linked")
	}
	s.write(3)
	page := s.get("/sessions/metier").Body.String()
	if !strings.Contains(page, `<a href="/sessions/metier/texts">Relire les textes libres : 7 en attente</a>`) || strings.Contains(page, "mot") {
		t.Error("the session's page does not say how many texts wait")
	}
	golden(t, "texts.html", s.get("/sessions/metier/texts"))
	golden(t, "texts.en.html", s.get("/sessions/metier/texts?lang=en"))
	texts := s.texts("")
	press := func(text, decision string, header map[string]string) *httptest.ResponseRecorder {
		return s.do(call{
			method: "POST", path: "/sessions/metier/texts/" + text + "?lang=en", organiser: true, header: header,
			form: url.Values{"decision": {decision}, "state": {"pending"}},
		})
	}
	for i, decision := range []string{"approve", "approve", "hide"} {
		w := press(texts[i].ID, decision, nil)
		if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != "/sessions/metier/texts?lang=en&state=pending" {
			t.Errorf("%s: %d %s", decision, w.Code, got)
		}
	}
	if w := press(texts[3].ID, "approve", map[string]string{"Sec-Fetch-Site": "cross-site"}); w.Code != http.StatusForbidden {
		t.Errorf("from another site: %d", w.Code)
	}
	if w := press(texts[3].ID, "burn", nil); w.Code != http.StatusBadRequest {
		t.Errorf("no such decision: %d", w.Code)
	}
	if w := press(strings.Repeat("0", 32), "hide", nil); w.Code != http.StatusNotFound {
		t.Errorf("no such text: %d", w.Code)
	}
	if empty := s.get("/sessions/metier/texts?state=").Body.String(); !strings.Contains(empty, `state=pending" aria-current="page"`) {
		t.Error("an empty state is not that of what waits")
	}
	golden(t, "texts-approved.html", s.get("/sessions/metier/texts?state=approved"))
	golden(t, "session-texts.html", s.get("/sessions/metier"))
	link := s.do(call{path: strings.TrimPrefix(readOnly(t, s), "http://jauge.example")})
	cookie := strings.SplitN(link.Header().Get("Set-Cookie"), ";", 2)[0]
	seen := s.do(call{path: "/sessions/metier", header: map[string]string{"Cookie": cookie}}).Body.String()
	if strings.Count(seen, "<blockquote>") != 2 || strings.Contains(seen, "metier/texts") || strings.Contains(seen, "attendance.csv") {
		t.Errorf("with a read-only link: %s", seen)
	}
}

// readOnly finds the read-only link on a session's page.
func readOnly(t *testing.T, s *site) string {
	t.Helper()
	_, rest, found := strings.Cut(s.get("/sessions/metier").Body.String(), `<p class="code">http`)
	if !found {
		t.Fatal("no read-only link")
	}
	return "http" + rest[:strings.Index(rest, "<")]
}

// TestManyTexts: a page shows a hundred and says how many follow.
func TestManyTexts(t *testing.T) {
	t.Parallel()
	s := one(t)
	s.write(maxTexts + 2)
	page := s.get("/sessions/metier/texts?lang=en").Body.String()
	if strings.Count(page, "<blockquote") != maxTexts || !strings.Contains(page, "2 more will be listed as you decide.") {
		t.Errorf("%d texts", strings.Count(page, "<blockquote"))
	}
}
