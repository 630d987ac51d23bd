package handlers

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"jauge/handlers/door"
)

// caller is somebody who asks for a route about a session, with what they hold.
type caller struct {
	name, session string
	opens         []door.Access                             // what they may use; everybody may what is public or signed
	holds         func(s *site) (map[string]string, string) // headers, and what goes into the query, made anew for each request
}

func bearer(*site) (map[string]string, string) {
	return map[string]string{"Authorization": "Bearer " + organiserToken}, ""
}

func wrongBearer(s *site) (map[string]string, string) {
	s.at(s.deps.Now().Add(time.Minute)) // so that it is wrong, and not one too many
	header, _ := loggedIn(s)
	header["Authorization"] = "Bearer x"
	return header, ""
}

func loggedIn(s *site) (map[string]string, string) {
	return map[string]string{"Cookie": s.cookie(s.t, call{path: "/login?token=" + organiserToken}, "/")}, ""
}

func loggedOut(s *site) (map[string]string, string) {
	header, _ := loggedIn(s)
	s.do(call{method: "POST", path: "/logout", header: header})
	return header, ""
}

// link is the read-only link that the organiser's page of a session shows.
func link(session string) func(s *site) (map[string]string, string) {
	return func(s *site) (map[string]string, string) {
		_, rest, _ := strings.Cut(s.get("/sessions/"+session).Body.String(), "/sessions/"+session+"?access=")
		sealed, _, _ := strings.Cut(rest, "<")
		return nil, "access=" + sealed
	}
}

// followed is the cookie that following it gives.
func followed(session string) func(s *site) (map[string]string, string) {
	return func(s *site) (map[string]string, string) {
		_, query := link(session)(s)
		return map[string]string{"Cookie": s.cookie(s.t, call{path: "/sessions/" + session + "?" + query}, "/sessions/"+session)}, ""
	}
}

// renamed is that cookie under the organiser's name.
func renamed(session string) func(s *site) (map[string]string, string) {
	return func(s *site) (map[string]string, string) {
		header, _ := followed(session)(s)
		header["Cookie"] = strings.Replace(header["Cookie"], viewerCookie, organiserCookie, 1)
		return header, ""
	}
}

// behind is what somebody holds whose browser was given another cookie of each name before it.
func behind(holds func(s *site) (map[string]string, string)) func(s *site) (map[string]string, string) {
	return func(s *site) (map[string]string, string) {
		header, query := holds(s)
		header["Cookie"] = organiserCookie + "=x; " + viewerCookie + "=x; " + header["Cookie"]
		return header, query
	}
}

// TestAccess asks for every route of the table as everybody. Who may use it is what the table says, and nothing else.
func TestAccess(t *testing.T) {
	t.Parallel()
	readers, organisers := []door.Access{viewer}, []door.Access{viewer, organiser}
	for _, who := range []caller{
		{"anonymous", "metier", nil, func(*site) (map[string]string, string) { return nil, "" }},
		{"a viewer by cookie", "metier", readers, followed("metier")},
		{"a viewer behind a stranger's cookie", "metier", readers, behind(followed("metier"))},
		{"an organiser behind a stranger's cookie", "metier", organisers, behind(loggedIn)},
		{"a viewer by link", "metier", readers, link("metier")},
		{"a viewer of another session by cookie", "metier", nil, followed("eleves")},
		{"a viewer of another session by link", "metier", nil, link("eleves")},
		{"the organiser by token", "metier", organisers, bearer},
		{"the organiser by cookie", "metier", organisers, loggedIn},
		{"a wrong token beside the organiser's cookie", "metier", nil, wrongBearer},
		{"a cookie that was logged out", "metier", nil, loggedOut},
		{"a viewer of a session called organiser, elsewhere, by cookie", "metier", nil, followed("organiser")},
		{"a viewer of a session called organiser, elsewhere, by link", "metier", nil, link("organiser")},
		{"a viewer of a session called organiser by cookie", "organiser", readers, followed("organiser")},
		{"a viewer of a session called organiser by link", "organiser", readers, link("organiser")},
		{"a viewer of a session called session by cookie", "session", readers, followed("session")},
		{"a viewer whose cookie has the organiser's name", "organiser", nil, renamed("organiser")},
	} {
		t.Run(who.name, func(t *testing.T) {
			t.Parallel()
			s := one(t)
			for _, id := range []string{"organiser", "session"} {
				s.define(id)
			}
			for _, r := range (&server{Deps: s.deps}).routes() {
				if strings.HasPrefix(r.path, "/login") { // it answers 401 by itself
					continue
				}
				may := r.who == public || r.who == signed || slices.Contains(who.opens, r.who)
				header, query := who.holds(s)
				path := fill(r.path, who.session) + "?" + query
				// What a route refuses by itself, a signature for one, does not ask for the token.
				w := s.do(call{method: r.method, path: path, header: header})
				if asked := w.Header().Get("WWW-Authenticate") != "" || w.Code == http.StatusTooManyRequests; asked == may {
					t.Errorf("%s %s: %d", r.method, path, w.Code)
				}
				if !may && (w.Header().Get("Cache-Control") != "no-store" || strings.Contains(w.Body.String(), "métier")) {
					t.Errorf("%s %s says something: %s", r.method, path, w.Body)
				}
			}
		})
	}
}

var parameters = regexp.MustCompile(`[:*]\w+`)

// fill puts something that there is, or may be, in place of a route's parameters.
func fill(path, session string) string {
	return parameters.ReplaceAllStringFunc(path, func(name string) string {
		switch name {
		case ":id", ":session":
			if strings.HasPrefix(path, "/series/") || strings.HasPrefix(path, "/api/v1/series/") {
				return "cycle"
			}
			return session
		case ":source":
			return "zoom"
		case ":file":
			return "style.css"
		}
		return "x"
	})
}

// define makes a session like another one at run time.
func (s *site) define(id string) {
	s.t.Helper()
	w := s.do(call{method: "POST", path: "/api/v1/sessions", organiser: true, json: map[string]any{
		"id": id, "title": map[string]string{"fr": "Un métier"}, "starts_at": start, "ends_at": start.Add(time.Hour), "survey": "vocation",
	}})
	if w.Code != http.StatusCreated {
		s.t.Fatalf("define %s: %d %s", id, w.Code, w.Body)
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
	other := one(t, func(d *setup) { d.OrganiserToken = "another" })
	if w := other.do(call{path: "/", header: map[string]string{"Cookie": cookie}}); w.Code != http.StatusUnauthorized {
		t.Errorf("a cookie opened with the old token: %d", w.Code)
	}
}

// cookie signs in, checks where that leads and how the cookie is kept, and returns it.
func (s *site) cookie(t testing.TB, c call, leads string) string {
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
	secure := one(t, func(d *setup) { d.PublicURL = &url.URL{Scheme: "https", Host: "jauge.example"} })
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
		"/api/v1/sessions/metier": 401, "/sessions/metier?access=" + grant + "x": 200,
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

// A link does nothing but open its session: it takes no better or longer session away, and one that is no good does nothing at
// all.
func TestFollowedLinks(t *testing.T) {
	t.Parallel()
	s := one(t)
	of := func(session string) string { _, query := link(session)(s); return query }
	early := of("metier")
	s.at(s.deps.Now().Add(time.Hour))
	late, elsewhere := of("metier"), of("eleves")
	with := func(sealed string) map[string]string {
		return map[string]string{"Cookie": viewerCookie + "=" + strings.TrimPrefix(sealed, "access=")}
	}
	organised, _ := loggedIn(s)
	byToken, _ := bearer(s)
	for _, row := range []struct {
		name, query string
		header      map[string]string
		code        int
		cookie      bool
	}{
		{"to nobody", late, nil, 303, true},
		{"a longer one", late, with(early), 303, true},
		{"a shorter one", early, with(late), 303, false},
		{"the same again", late, with(late), 303, true},
		{"of the organiser", late, organised, 303, false},
		{"of the organiser by token", late, byToken, 303, false},
		{"beside another session's", late, with(elsewhere), 303, true},
		{"no good, to nobody", late + "x", nil, 401, false},
		{"no good, to a viewer", late + "x", with(early), 200, false},
		{"nothing, to a viewer", "access=", with(early), 200, false},
		{"no good, to the organiser", "access=x", organised, 200, false},
		{"of another session, to nobody", elsewhere, nil, 401, false},
		{"of another session, to a viewer", elsewhere, with(early), 200, false},
		{"of another session, to the organiser", elsewhere, organised, 200, false},
		{"an organiser's cookie as a link", strings.Replace(organised["Cookie"], organiserCookie, viewerParameter, 1), nil, 401, false},
	} {
		w := s.do(call{path: "/sessions/metier?" + row.query, header: row.header})
		if set := len(w.Result().Cookies()) > 0; w.Code != row.code || set != row.cookie {
			t.Errorf("%s: %d, a cookie: %v", row.name, w.Code, set)
		}
	}
	w := s.do(call{path: "/sessions/metier?" + early})
	if c := w.Result().Cookies()[0]; c.Path != "/sessions/metier" || c.Name != viewerCookie || c.MaxAge != int((viewerTime-time.Hour).Seconds()) {
		t.Errorf("the cookie lives elsewhere, or longer than its link: %v", c)
	}
	s.at(s.deps.Now().Add(viewerTime - time.Hour))
	if w := s.do(call{path: "/sessions/metier?" + early, header: with(late)}); w.Code != http.StatusOK || len(w.Result().Cookies()) > 0 {
		t.Errorf("an expired link: %d", w.Code)
	}
}

// A browser keeps the cookies of two links, and of a login, side by side.
func TestLinksCoexist(t *testing.T) {
	t.Parallel()
	s := one(t)
	service := httptest.NewServer(s.handler)
	defer service.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}
	open := func(path string, want int) {
		t.Helper()
		w, err := browser.Get(service.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Body.Close()
		if w.StatusCode != want {
			t.Errorf("%s: %d, not %d", path, w.StatusCode, want)
		}
	}
	for _, session := range []string{"metier", "eleves"} {
		_, query := link(session)(s)
		open("/sessions/"+session+"?"+query, 200)
	}
	for _, path := range []string{"/sessions/metier", "/sessions/metier/live", "/sessions/metier/results", "/sessions/eleves/live"} {
		open(path, 200)
	}
	open("/sessions/salle", 401)
	open("/", 401)
	open("/login?token="+organiserToken, 200)
	open("/sessions/salle", 200)
	w, err := browser.PostForm(service.URL+"/logout", nil)
	if err != nil || w.Body.Close() != nil || w.StatusCode != http.StatusOK {
		t.Fatal(w, err)
	}
	open("/", 401)
	open("/sessions/metier", 200)
}

// Whoever guesses the token is stopped, wherever it is said, and cannot tell that they have it. Others are not: neither who is
// signed in, nor whoever comes from an address that the right token came from before.
func TestLoginsAreLimited(t *testing.T) {
	t.Parallel()
	s := one(t, func(d *setup) { d.TrustedProxies = []string{"192.0.2.1"} })
	from := func(address string, c call) int {
		header := map[string]string{"X-Forwarded-For": address}
		maps.Copy(header, c.header)
		c.header = header
		return s.do(c).Code
	}
	post := func(token string) call {
		return call{method: "POST", path: "/login", form: url.Values{"token": {token}}}
	}
	const organiserAt, guesserAt, newAt = "198.51.100.7", "198.51.100.8", "198.51.100.9"
	if code := from(organiserAt, post(organiserToken)); code != http.StatusSeeOther {
		t.Fatalf("signed in: %d", code)
	}
	signedIn, _ := loggedIn(s)
	codes := map[int]int{}
	for i := range 1500 {
		c := post("x")
		switch i % 3 {
		case 1:
			c = call{path: "/login?token=x"}
		case 2:
			c = call{path: "/api/v1/sessions", header: map[string]string{"Authorization": "Bearer x"}}
		}
		codes[from(guesserAt, c)]++
	}
	if codes[401] != 30 || codes[429] != 1470 {
		t.Errorf("1500 wrong tokens: %v", codes)
	}
	if w := s.do(call{path: "/login?token=" + organiserToken, header: map[string]string{"X-Forwarded-For": guesserAt}}); w.Code != 429 || w.Header().Get("Retry-After") != "6" {
		t.Errorf("the right one among them: %d %v", w.Code, w.Header())
	}
	if code := from(guesserAt, call{path: "/api/v1/sessions", organiser: true}); code != 429 {
		t.Errorf("the right one as a header: %d", code)
	}
	if code := from(guesserAt, call{path: "/", header: signedIn}); code != http.StatusOK {
		t.Errorf("who is signed in, at the same address: %d", code)
	}
	for _, path := range []string{"/feedback/metier", "/login", "/healthz"} { // what is public tells nothing
		if code := from(guesserAt, call{path: path, organiser: true}); code != http.StatusOK {
			t.Errorf("%s: %d", path, code)
		}
	}
	for i := range 300 { // from everywhere
		from(fmt.Sprint("10.0.0.", i%250), post("x"))
	}
	if code := from(newAt, post(organiserToken)); code != 429 {
		t.Errorf("from an address nobody knows: %d", code)
	}
	if code := from(organiserAt, post(organiserToken)); code != http.StatusSeeOther {
		t.Errorf("from the organiser's address: %d", code)
	}
	s.at(s.deps.Now().Add(time.Minute))
	if code := from(guesserAt, post(organiserToken)); code != http.StatusSeeOther {
		t.Errorf("a minute later: %d", code)
	}
	if s.metrics.get("login ok") != 4 || s.metrics.get("login wrong") != 300 || s.metrics.get("login limited") != 1803-300 {
		t.Errorf("counted %v", s.metrics.counts)
	}
	if log := s.log.String(); strings.Count(log, "login refused") != 2 || !strings.Contains(log, `"level":"WARN","msg":"login refused","reason":"wrong"`) || strings.Contains(log, "198.51") {
		t.Error("not logged, or too often, or with an address")
	}
}

// However many come at once: wrong tokens do not outrun the limit, and right ones are not in each other's way.
func TestParallelTokens(t *testing.T) {
	t.Parallel()
	s := one(t)
	at := func(n int, token string) map[int]int {
		codes, mu, wg := map[int]int{}, sync.Mutex{}, sync.WaitGroup{}
		for range n {
			wg.Go(func() {
				w := s.do(call{path: "/api/v1/aside", header: map[string]string{"Authorization": "Bearer " + token}})
				mu.Lock()
				defer mu.Unlock()
				codes[w.Code]++
			})
		}
		wg.Wait()
		return codes
	}
	if codes := at(300, organiserToken); codes[200] != 300 {
		t.Errorf("right: %v", codes)
	}
	if codes := at(300, "x"); codes[401] != 30 || codes[429] != 270 {
		t.Errorf("wrong: %v", codes)
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
	for _, name := range []string{"Programme", "Attendance", "Feedback", "Metrics", "PublicURL", "OrganiserToken", "Key", "Log", "Now", "Ready", "Away", "Context"} {
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
