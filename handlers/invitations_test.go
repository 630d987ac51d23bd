package handlers

import (
	"crypto/rand"
	"encoding/csv"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jauge/handlers/api"
	"jauge/handlers/attend"
)

// invite makes personal links and returns their paths.
func (s *site) invite(t *testing.T, body map[string]any) []string {
	t.Helper()
	w := s.do(call{method: "POST", path: "/api/v1/sessions/metier/invitations", json: body, organiser: true})
	if w.Code != http.StatusCreated {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	var paths []string
	for _, i := range decode[struct{ Invitations []api.Invitation }](t, w).Invitations {
		path, ok := strings.CutPrefix(i.URL, "http://jauge.example")
		if !ok {
			t.Errorf("link %s", i.URL)
		}
		paths = append(paths, path)
	}
	return paths
}

func TestCreateInvitations(t *testing.T) {
	t.Parallel()
	s := one(t)
	link := regexp.MustCompile(`^/feedback/metier\?invite=[A-Z2-7]{26}$`)
	seen := map[string]bool{}
	for _, path := range s.invite(t, map[string]any{"count": 3, "segment": "lycee"}) {
		if seen[path] = true; !link.MatchString(path) {
			t.Errorf("link %s", path)
		}
	}
	if len(seen) != 3 {
		t.Errorf("links %v", seen)
	}
	for name, c := range map[string]call{
		"format": {path: "/api/v1/sessions/metier/invitations?format=csv"},
		"accept": {path: "/api/v1/sessions/metier/invitations", header: map[string]string{"Accept": "text/csv"}},
	} {
		c.method, c.json, c.organiser = "POST", map[string]any{"count": 2}, true
		w := s.do(c)
		records, err := csv.NewReader(w.Body).ReadAll()
		if w.Code != http.StatusCreated || err != nil || len(records) != 3 || records[0][0] != "url" || !strings.HasPrefix(records[2][0], "http://jauge.example/feedback/metier?invite=") {
			t.Errorf("%s: %d %v %v", name, w.Code, err, records)
		}
		if got := w.Header().Get("Content-Type"); got != "text/csv; charset=utf-8" {
			t.Errorf("%s: %s", name, got)
		}
	}
	for name, row := range map[string]struct {
		session string
		body    map[string]any
		code    int
		says    string
	}{
		"none":           {"metier", map[string]any{"count": 0}, 422, "a whole number from 1 to 10000 belongs here"},
		"too many":       {"metier", map[string]any{"count": 10001}, 422, "a whole number from 1 to 10000 belongs here"},
		"not said":       {"metier", map[string]any{}, 422, "count"},
		"a segment":      {"metier", map[string]any{"count": 1, "segment": "x"}, 422, "this session has no such segment"},
		"another key":    {"metier", map[string]any{"count": 1, "seg": "x"}, 422, "unknown key"},
		"no survey":      {"salle", map[string]any{"count": 1}, 404, "no survey"},
		"no session":     {"none", map[string]any{"count": 1}, 404, "no session"},
		"the most of it": {"metier", map[string]any{"count": 10000}, 201, "invite="},
	} {
		w := s.do(call{method: "POST", path: "/api/v1/sessions/" + row.session + "/invitations", json: row.body, organiser: true})
		if w.Code != row.code || !strings.Contains(w.Body.String(), row.says) {
			t.Errorf("%s: %d %.300s", name, w.Code, w.Body)
		}
	}
	if w := s.do(call{method: "POST", path: "/api/v1/sessions/metier/invitations", json: map[string]any{"count": 1}}); w.Code != http.StatusUnauthorized {
		t.Errorf("not signed in: %d", w.Code)
	}
}

// A personal link opens the survey of its segment, once.
func TestPersonalLink(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		paths := s.invite(t, map[string]any{"count": 2, "segment": "lycee"})
		_, token, _ := strings.Cut(paths[0], "=")
		page := s.do(call{path: paths[0]})
		for _, want := range []string{`name="invite" value="` + token + `"`, `name="segment" value="lycee"`} {
			if page.Code != http.StatusOK || !strings.Contains(page.Body.String(), want) {
				t.Errorf("%d, no %s in %s", page.Code, want, page.Body)
			}
		}
		form := with(lastPage(), "invite", token, "segment", "")
		sent := s.do(call{method: "POST", path: "/feedback/metier", form: form})
		if sent.Code != http.StatusSeeOther {
			t.Fatalf("%d %s", sent.Code, sent.Body)
		}
		if again := s.do(call{method: "POST", path: "/feedback/metier", form: form}); again.Header().Get("Location") != sent.Header().Get("Location") {
			t.Errorf("a double click: %d %s", again.Code, again.Body)
		}
		answer, _, _ := strings.Cut(sent.Header().Get("Location"), "?")
		row := decode[attend.Submission](t, s.do(call{path: answer, header: map[string]string{"Accept": "application/json"}}))
		if diff := cmp.Diff("lycee", row.Segment); diff != "" || row.Invitation != "" {
			t.Errorf("%s %q", diff, row.Invitation)
		}
		_, free, _ := strings.Cut(paths[1], "=")
		json := func(token string) call {
			return call{method: "POST", path: "/feedback/metier", json: map[string]any{"answers": map[string]any{"before": 2, "now": 4}, "invitation": token}}
		}
		unknown := strings.Repeat("A", 26)
		for _, row := range []struct {
			name string
			c    call
			code int
			says string
		}{
			{"the link again", call{path: paths[0]}, 410, "Cette invitation a déjà servi"},
			{"the link again, in English", call{path: paths[0] + "&lang=en"}, 410, "with your code"},
			{"another form with it", call{method: "POST", path: "/feedback/metier", form: with(form, "token", rand.Text())}, 410, "Cette invitation a déjà servi"},
			{"a program with it", json(token), 410, `"code":"used"`},
			{"a program with another", json(free), 201, "receipt"},
			{"a program with it once more", json(free), 410, `"code":"used"`},
			{"no such link", call{path: "/feedback/metier?invite=" + unknown}, 404, "Cette invitation n&#39;existe pas"},
			{"a spoilt link", call{path: paths[0] + "X"}, 404, "Cette invitation n&#39;existe pas"},
			{"of another session", call{path: strings.Replace(paths[0], "metier", "eleves", 1)}, 404, "Cette invitation n&#39;existe pas"},
			{"a form without one", call{method: "POST", path: "/feedback/metier", form: with(lastPage(), "invite", unknown)}, 404, "Cette invitation n&#39;existe pas"},
			{"a program without one", json(unknown), 404, `"code":"uninvited"`},
		} {
			if w := s.do(row.c); w.Code != row.code || !strings.Contains(w.Body.String(), row.says) {
				t.Errorf("%s: %d %s", row.name, w.Code, w.Body)
			}
		}
		s.respondents(t, 2)
	})
}
