package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestAccess asks for every route without credentials, and as the organiser.
func TestAccess(t *testing.T) {
	t.Parallel()
	s := one(t)
	names := strings.NewReplacer(":source", "zoom", ":session", "metier", ":id", "metier", ":receipt", "x", ":file", "style.css")
	for _, r := range (&server{Deps: s.deps}).routes() {
		if strings.HasSuffix(r.path, "/stream") {
			continue // TestStream
		}
		path := names.Replace(r.path)
		w := s.do(call{method: r.method, path: path})
		if locked := w.Code == http.StatusUnauthorized; locked != (r.who == organiser || r.who == viewer) && r.path != "/login" {
			t.Errorf("%s %s without a token: %d", r.method, path, w.Code)
		}
		if w := s.do(call{method: r.method, path: path, organiser: true}); w.Code == http.StatusUnauthorized && r.path != "/login" {
			t.Errorf("%s %s as the organiser: %d", r.method, path, w.Code)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	s := one(t)
	cookie := s.cookie(t, call{method: "POST", path: "/login", form: url.Values{"token": {" " + organiserToken + "\n"}, "next": {"/series/cycle"}}}, "/series/cycle")
	for _, row := range []struct {
		name, header, value string
		code                int
	}{
		{"token", "Authorization", "Bearer " + organiserToken, 200},
		{"wrong token", "Authorization", "Bearer " + organiserToken + "x", 401},
		{"empty token", "Authorization", "Bearer ", 401},
		{"another scheme", "Authorization", organiserToken, 401},
		{"cookie", "Cookie", cookie, 200},
		{"cookie cut off", "Cookie", cookie[:len(cookie)-1], 401},
		{"cookie of a longer life", "Cookie", strings.Replace(cookie, ".15", ".25", 1), 401},
		{"wrong token beside a good cookie", "Authorization", "Bearer x", 401},
	} {
		if w := s.do(call{path: "/api/v1/sessions", header: map[string]string{row.header: row.value}}); w.Code != row.code {
			t.Errorf("%s: %d", row.name, w.Code)
		}
	}
	s.at(s.deps.Now().Add(organiserTime))
	if w := s.do(call{path: "/", header: map[string]string{"Cookie": cookie}}); w.Code != http.StatusUnauthorized {
		t.Errorf("an expired cookie: %d", w.Code)
	}
	other := one(t, func(d *Deps) { d.OrganiserToken = "another" })
	if w := other.do(call{path: "/", header: map[string]string{"Cookie": cookie}}); w.Code != http.StatusUnauthorized {
		t.Errorf("a cookie opened with the old token: %d", w.Code)
	}
}

// cookie signs in, checks where that leads and how the cookie is kept, and returns it.
func (s *site) cookie(t *testing.T, c call, leads string) string {
	t.Helper()
	w := s.do(c)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != leads {
		t.Fatalf("signed in: %d to %q %s", w.Code, w.Header().Get("Location"), w.Body)
	}
	cookie := w.Result().Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.MaxAge <= 0 {
		t.Errorf("cookie %v", cookie)
	}
	return cookie.Name + "=" + cookie.Value
}

func TestLogin(t *testing.T) {
	t.Parallel()
	s := one(t)
	s.cookie(t, call{path: "/login?token=" + organiserToken}, "/")
	for _, next := range []string{"https://evil.example/", "//evil.example/", "/login", ""} {
		s.cookie(t, call{method: "POST", path: "/login", form: url.Values{"token": {organiserToken}, "next": {next}}}, "/")
	}
	if w := s.do(call{path: "/login?token=x"}); w.Code != http.StatusUnauthorized || len(w.Result().Cookies()) != 0 {
		t.Errorf("a wrong token: %d", w.Code)
	}
	if w := s.do(call{path: "/sessions/metier"}); !strings.Contains(w.Body.String(), `name="next" value="/sessions/metier"`) {
		t.Errorf("the form forgets where it leads: %s", w.Body)
	}
	if w := s.do(call{method: "POST", path: "/logout"}); w.Code != http.StatusSeeOther || w.Result().Cookies()[0].MaxAge >= 0 {
		t.Errorf("signed out: %d %v", w.Code, w.Result().Cookies())
	}
	secure := one(t, func(d *Deps) { d.PublicURL = &url.URL{Scheme: "https", Host: "jauge.example"} })
	w := secure.do(call{path: "/login?token=" + organiserToken})
	if !w.Result().Cookies()[0].Secure || w.Header().Get("Strict-Transport-Security") == "" {
		t.Errorf("behind TLS: %v", w.Header())
	}
}

func TestReadOnlyLink(t *testing.T) {
	t.Parallel()
	s := one(t)
	_, rest, _ := strings.Cut(s.get("/sessions/metier").Body.String(), "http://jauge.example/sessions/metier?access=")
	grant, _, _ := strings.Cut(rest, "<")
	cookie := map[string]string{"Cookie": s.cookie(t, call{path: "/sessions/metier?access=" + grant}, "/sessions/metier")}
	for path, code := range map[string]int{
		"/sessions/metier": 200, "/sessions/metier/live": 200, "/sessions/eleves": 401, "/": 401, "/series/cycle": 401,
		"/api/v1/sessions/metier": 401, "/sessions/metier?access=" + grant + "x": 303,
	} {
		if w := s.do(call{path: path, header: cookie}); w.Code != code {
			t.Errorf("%s: %d, not %d", path, w.Code, code)
		}
	}
	if w := s.do(call{path: "/sessions/metier?access=" + grant + "x"}); w.Code != http.StatusUnauthorized {
		t.Errorf("a forged link: %d", w.Code)
	}
	if w := s.do(call{path: "/sessions/metier", header: cookie}); strings.Contains(w.Body.String(), "access=") {
		t.Error("who holds a link can make others")
	}
	s.at(s.deps.Now().Add(viewerTime))
	if w := s.do(call{path: "/sessions/metier", header: cookie}); w.Code != http.StatusUnauthorized {
		t.Errorf("an expired link: %d", w.Code)
	}
}

func TestOtherSites(t *testing.T) {
	t.Parallel()
	s := one(t)
	for _, row := range []struct {
		name   string
		header map[string]string
		code   int
	}{
		{"no browser", nil, 303},
		{"our own form", map[string]string{"Sec-Fetch-Site": "same-origin"}, 303},
		{"our own form over plain HTTP", map[string]string{"Origin": "http://jauge.example"}, 303},
		{"another site", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"another origin", map[string]string{"Origin": "https://evil.example"}, 403},
		{"no origin at all", map[string]string{"Origin": "null"}, 403},
	} {
		w := s.do(call{method: "POST", path: "/feedback/metier", form: lastPage(), header: row.header})
		if w.Code != row.code {
			t.Errorf("%s: %d", row.name, w.Code)
		}
	}
	s.respondents(t, 3)
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	s := one(t)
	for _, path := range []string{"/feedback/metier", "/nothing", "/api/v1/sessions", "/assets/live.js"} {
		h := s.do(call{path: path}).Header()
		if h.Get("Content-Security-Policy") != contentPolicy || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Referrer-Policy") != "same-origin" || len(h.Get("X-Request-Id")) != 16 {
			t.Errorf("%s: %v", path, h)
		}
	}
	w := s.do(call{path: "/feedback/metier", header: map[string]string{"Accept-Encoding": "gzip"}})
	if w.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("not compressed: %v", w.Header())
	}
	if w := s.do(call{method: "HEAD", path: "/healthz"}); w.Code != http.StatusOK {
		t.Errorf("HEAD: %d", w.Code)
	}
	for _, row := range []call{{method: "PUT", path: "/healthz"}, {method: "GET", path: "/webhooks/zoom"}, {method: "HEAD", path: "/sessions/metier/stream"}} {
		if w := s.do(row); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
			t.Errorf("%s %s: %d %v", row.method, row.path, w.Code, w.Header())
		}
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	s := one(t)
	_, version, _ := strings.Cut(s.do(call{path: "/login"}).Body.String(), "style.css?v=")
	version, _, _ = strings.Cut(version, `"`)
	w := s.do(call{path: "/assets/style.css?v=" + version})
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/css") || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if n := w.Body.Len(); n > 8<<10 {
		t.Errorf("the stylesheet has %d bytes", n)
	}
	if w := s.do(call{path: "/assets/nothing"}); w.Code != http.StatusNotFound {
		t.Errorf("nothing: %d", w.Code)
	}
}

func TestDeps(t *testing.T) {
	t.Parallel()
	_, err := New(Deps{Sources: nil})
	for _, name := range []string{"Attendance", "Feedback", "Metrics", "PublicURL", "OrganiserToken", "Key", "MinimumGroup", "Log", "Now", "Ready", "Away", "Context"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
	d := one(t).deps
	d.TrustedProxies = []string{"nonsense"}
	if _, err := New(d); err == nil {
		t.Error("a trusted proxy that is no address")
	}
	zoom := d.Sources["zoom"]
	zoom.Platform = "nonsense"
	d.TrustedProxies, d.Sources["nonsense"] = nil, zoom
	if _, err := New(d); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("an unknown platform: %v", err)
	}
}
