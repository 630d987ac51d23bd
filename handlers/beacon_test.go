package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/attendance"
	"jauge/handlers/lookup"
	"jauge/handlers/page"
	"jauge/internal/redistest"
)

// tab is the id of a beacon of the tests.
func tab(n int) string { return fmt.Sprintf("tab_%012d", n) }

// beaconCall is what the script sends, from a page of another site.
func beaconCall(session, id, kind string) call {
	return call{
		method: http.MethodPost, path: "/beacon/" + session, body: fmt.Sprintf(`{"id":%q,"kind":%q}`, id, kind),
		header: map[string]string{"Content-Type": "text/plain;charset=UTF-8", "Origin": "https://school.example", "Sec-Fetch-Site": "cross-site"},
	}
}

func (s *site) beacon(id, kind string, code int) {
	s.t.Helper()
	if w := s.do(beaconCall("eleves", id, kind)); w.Code != code {
		s.t.Errorf("%s of %s: %d %s, not %d", kind, id, w.Code, w.Body, code)
	}
}

// figures are those of the session whose platform gives totals only.
func (s *site) figures() lookup.AttendanceObject {
	s.t.Helper()
	return decode[lookup.Object](s.t, s.get("/api/v1/sessions/eleves")).Attendance
}

// TestBeacon follows two tabs through a session whose platform sends no joins.
func TestBeacon(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		from := planned()[1].StartsAt
		s.at(from)
		if a := s.figures(); a.Capability != attendance.Totals || a.Present != nil {
			t.Fatalf("before: %+v", a)
		}
		s.beacon(tab(1), "join", 204)
		s.beacon(tab(2), "join", 204)
		s.beacon(tab(2), "join", 204) // its answer was lost
		s.at(from.Add(5 * time.Second))
		s.beacon(tab(2), "beat", 204)
		s.at(from.Add(30 * time.Second))
		s.beacon(tab(1), "beat", 204)
		s.beacon(tab(3), "beat", 410)
		if a := s.figures(); a.Capability != attendance.Live || *a.Present != 2 || *a.Unique != 2 {
			t.Errorf("two tabs: %s, present %d, unique %d", a.Capability, *a.Present, *a.Unique)
		}
		s.at(from.Add(90 * time.Second)) // the second has fallen silent
		if n, err := s.deps.Attendance.CloseSilentBeacons(t.Context()); n != 1 || err != nil {
			t.Fatalf("closed %d, %v", n, err)
		}
		s.beacon(tab(2), "beat", 410)
		s.beacon(tab(4), "join", 204)
		s.beacon(tab(1), "leave", 204)
		s.beacon(tab(1), "beat", 410)
		if a := s.figures(); *a.Present != 1 || *a.Unique != 3 || *a.Peak != 2 {
			t.Errorf("afterwards: present %d, unique %d, peak %d", *a.Present, *a.Unique, *a.Peak)
		}
		for labels, want := range map[string]int{"event beacon joined recorded": 4, "event beacon left recorded": 1} {
			if got := s.metrics.get(labels); got != want {
				t.Errorf("%s: %d, not %d", labels, got, want)
			}
		}
	})
}

func TestBeaconRefusals(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		doc := document(t)
		good := fmt.Sprintf(`{"id":%q,"kind":"join"}`, tab(1))
		for _, row := range []struct {
			name, session, body string
			code                int
		}{
			{"16 characters", "eleves", good, 204},
			{"64 characters", "eleves", fmt.Sprintf(`{"id":%q,"kind":"join"}`, strings.Repeat("aZ9_", 16)), 204},
			{"unknown session", "nobody", good, 404},
			{"beat in an unknown session", "nobody", strings.Replace(good, "join", "beat", 1), 404},
			{"leave of an unknown session", "nobody", strings.Replace(good, "join", "leave", 1), 404},
			{"nothing", "eleves", "", 400},
			{"no JSON", "eleves", "id=" + tab(1), 400},
			{"a list", "eleves", "[" + good + "]", 400},
			{"two values", "eleves", good + good, 400},
			{"an unknown key", "eleves", fmt.Sprintf(`{"id":%q,"kind":"join","name":"Jane"}`, tab(1)), 400},
			{"no id", "eleves", `{"kind":"join"}`, 400},
			{"15 characters", "eleves", `{"id":"` + strings.Repeat("a", 15) + `","kind":"join"}`, 400},
			{"65 characters", "eleves", `{"id":"` + strings.Repeat("a", 65) + `","kind":"join"}`, 400},
			{"an id that is an address", "eleves", `{"id":"jane@secret.example","kind":"join"}`, 400},
			{"no kind", "eleves", fmt.Sprintf(`{"id":%q}`, tab(1)), 400},
			{"an unknown kind", "eleves", fmt.Sprintf(`{"id":%q,"kind":"ended"}`, tab(1)), 400},
			{"a number as the kind", "eleves", fmt.Sprintf(`{"id":%q,"kind":1}`, tab(1)), 400},
			{"not UTF-8", "eleves", "{\"id\":\"" + tab(1) + "\",\"kind\":\"join\xff\"}", 400},
			{"1 KiB", "eleves", good + strings.Repeat(" ", 1<<10-len(good)), 204},
			{"a byte more", "eleves", good + strings.Repeat(" ", 1<<10-len(good)+1), 413},
		} {
			w := s.do(call{method: http.MethodPost, path: "/beacon/" + row.session, body: row.body})
			if w.Code != row.code {
				t.Errorf("%s: %d %s, not %d", row.name, w.Code, w.Body, row.code)
			}
			if w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s: the script cannot read %v", row.name, w.Header())
			}
			if row.code >= 400 {
				fits(t, doc, http.MethodPost, "/beacon/{session}", w)
			}
		}
	})
}

func TestBeaconWhenTheStoreIsAway(t *testing.T) {
	t.Parallel()
	server, err := redistest.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	address, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: address.Path, DisableIdentity: true, MaxRetries: -1, DialerRetries: 1, ReadTimeout: redistest.Patience})
	t.Cleanup(func() { _ = rdb.Close() })
	s := newSite(t, rdb, "away:")
	server.Stop()
	for _, kind := range []string{"join", "beat", "leave"} {
		w := s.do(beaconCall("eleves", tab(1), kind))
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || s.metrics.get("event beacon joined recorded") != 0 {
			t.Errorf("%s: %d %v", kind, w.Code, w.Header())
		}
	}
	if w := s.do(call{path: "/here/eleves"}); w.Code != http.StatusOK {
		t.Errorf("the check-in page: %d", w.Code)
	}
}

// TestBeaconLimits: a school behind one address comes, stays and leaves; who asks for more waits, and nobody else does.
func TestBeaconLimits(t *testing.T) {
	t.Parallel()
	s := one(t, func(d *setup) { d.TrustedProxies = []string{"192.0.2.1"} })
	from := func(address, kind string, n int) (code int, retry string) {
		c := beaconCall("eleves", tab(n), kind)
		c.header["X-Forwarded-For"] = address
		w := s.do(c)
		return w.Code, w.Header().Get("Retry-After")
	}
	for _, row := range []struct {
		kind   string
		second int // how many more after a second
	}{{"join", 10}, {"beat", 60}, {"leave", 10}} {
		for n := range 600 {
			if code, _ := from("198.51.100.7", row.kind, n); code != http.StatusNoContent {
				t.Fatalf("%s %d: %d", row.kind, n, code)
			}
		}
		if code, retry := from("198.51.100.7", row.kind, 0); code != http.StatusTooManyRequests || retry != "1" {
			t.Errorf("%s: %d, retry after %q", row.kind, code, retry)
		}
		if code, _ := from("198.51.100.8", row.kind, 0); code != http.StatusNoContent {
			t.Errorf("%s of a neighbour: %d", row.kind, code)
		}
		s.at(s.deps.Now().Add(time.Second))
		for n := range row.second {
			if code, _ := from("198.51.100.7", row.kind, n); code != http.StatusNoContent {
				t.Errorf("%s: %d in the next second", row.kind, code)
			}
		}
		if code, _ := from("198.51.100.7", row.kind, 0); code != http.StatusTooManyRequests {
			t.Errorf("%s after a second: %d", row.kind, code)
		}
	}
}

func TestBeaconScript(t *testing.T) {
	t.Parallel()
	s := one(t)
	w := s.do(call{path: "/beacon.js", header: map[string]string{"Origin": "https://school.example"}})
	h := w.Header()
	if w.Code != http.StatusOK || !strings.HasPrefix(h.Get("Content-Type"), "text/javascript") ||
		h.Get("Cross-Origin-Resource-Policy") != "cross-origin" || h.Get("Cache-Control") != "public, max-age=3600" {
		t.Errorf("%d %v", w.Code, h)
	}
	t.Logf("beacon.js: %d bytes", w.Body.Len())
	if n := w.Body.Len(); n == 0 || n >= 2<<10 {
		t.Errorf("%d bytes, not under 2 KB", n)
	}
	for _, word := range []string{"cookie", "localStorage", "sessionStorage", "indexedDB", "console", "navigator.userAgent", "import"} {
		if strings.Contains(w.Body.String(), word) {
			t.Errorf("the script mentions %s", word)
		}
	}
	if !strings.Contains(w.Body.String(), fmt.Sprint(attendance.BeatEvery.Milliseconds())) {
		t.Errorf("the script does not beat every %s", attendance.BeatEvery)
	}
}

func TestCheckInPage(t *testing.T) {
	t.Parallel()
	s := one(t)
	s.at(planned()[1].StartsAt)
	w := s.do(call{path: "/here/eleves"})
	if !strings.Contains(w.Header().Get("Content-Security-Policy"), "script-src 'self'") || !strings.Contains(w.Header().Get("Content-Security-Policy"), "connect-src 'self'") {
		t.Errorf("the script may not run: %v", w.Header())
	}
	golden(t, "here.html", w)
	fits(t, document(t), http.MethodGet, "/here/{session}", w)
	golden(t, "here.en.html", s.do(call{path: "/here/eleves?lang=en"}))
	golden(t, "here-noted.html", s.do(call{path: "/here/eleves?thanks=1"}))
	w = s.do(call{path: "/here/nobody"})
	if w.Code != http.StatusNotFound {
		t.Errorf("an unknown session: %d", w.Code)
	}
	golden(t, "error-session.html", w)

	s.beacon(tab(1), "join", 204)
	s.event("slow", attendance.Event{Kind: attendance.Ended, Room: "class", At: planned()[1].EndsAt})
	s.at(planned()[1].EndsAt.Add(time.Minute))
	golden(t, "here-over.html", s.do(call{path: "/here/eleves"}))
}

var hereKey = regexp.MustCompile(`name="id" value="([A-Z2-7]{26})"`)

// TestCheckInWithoutScript: the button counts one person until the session's end, however often it is pressed.
func TestCheckInWithoutScript(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		from := planned()[1].StartsAt
		s.at(from)
		press := func(id string) (code int, leads string) {
			w := s.do(call{method: http.MethodPost, path: "/here/eleves?lang=en", form: url.Values{"id": {id}}})
			return w.Code, w.Header().Get("Location")
		}
		id := hereKey.FindStringSubmatch(s.do(call{path: "/here/eleves"}).Body.String())[1]
		for range 2 {
			if code, leads := press(id); code != http.StatusSeeOther || leads != "/here/eleves?lang=en&thanks=1" {
				t.Errorf("%d to %q", code, leads)
			}
		}
		if again := hereKey.FindStringSubmatch(s.do(call{path: "/here/eleves"}).Body.String())[1]; again == id {
			t.Error("two visitors have the same id")
		}
		s.at(from.Add(10 * time.Minute))
		if n, err := s.deps.Attendance.CloseSilentBeacons(t.Context()); n != 0 || err != nil {
			t.Errorf("closed %d, %v", n, err)
		}
		if a := s.figures(); *a.Present != 1 || *a.Unique != 1 {
			t.Errorf("present %d, unique %d", *a.Present, *a.Unique)
		}
		if code, _ := press("jane@secret.example"); code != http.StatusBadRequest {
			t.Errorf("an id that is none: %d", code)
		}
		if w := s.do(call{method: http.MethodPost, path: "/here/nobody", form: url.Values{"id": {id}}}); w.Code != http.StatusNotFound {
			t.Errorf("an unknown session: %d", w.Code)
		}
		other := map[string]string{"Sec-Fetch-Site": "cross-site"}
		if w := s.do(call{method: http.MethodPost, path: "/here/eleves", form: url.Values{"id": {id}}, header: other}); w.Code != http.StatusForbidden {
			t.Errorf("another site's form: %d", w.Code)
		}
		s.event("slow", attendance.Event{Kind: attendance.Ended, Room: "class", At: from.Add(20 * time.Minute)})
		s.at(from.Add(21 * time.Minute))
		if code, leads := press(tab(2)); code != http.StatusSeeOther || leads != "/here/eleves?lang=en" {
			t.Errorf("after the end: %d to %q", code, leads)
		}
		if a := s.figures(); *a.Present != 0 || *a.Unique != 1 || *a.WatchSeconds != 1200 {
			t.Errorf("after the end: present %d, unique %d, %f s", *a.Present, *a.Unique, *a.WatchSeconds)
		}
		for range beaconBurst {
			press(tab(3))
		}
		w := s.do(call{method: http.MethodPost, path: "/here/metier", form: url.Values{"id": {tab(3)}}})
		if w.Code != http.StatusSeeOther { // what was not counted took no token
			t.Errorf("another session: %d", w.Code)
		}
	})
}

func TestHereQR(t *testing.T) {
	t.Parallel()
	s := one(t)
	w := s.do(call{path: "/here/eleves/qr.svg"})
	drawing, err := page.QR("http://jauge.example/here/eleves")
	if err != nil || w.Code != http.StatusOK || w.Header().Get("Content-Type") != "image/svg+xml" || w.Body.String() != string(drawing) {
		t.Errorf("%d %v %v", w.Code, w.Header(), err)
	}
	if w := s.do(call{path: "/here/nobody/qr.svg"}); w.Code != http.StatusNotFound {
		t.Errorf("an unknown session: %d", w.Code)
	}
}

// TestBeaconLeaksNothing: neither the address of who is there nor the id of the tab is anywhere afterwards.
func TestBeaconLeaksNothing(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s := newSite(t, rdb, prefix)
		s.at(planned()[1].StartsAt)
		for _, said := range []struct {
			kind string
			tab  int
		}{{"join", 1}, {"beat", 1}, {"leave", 1}, {"nonsense", 1}, {"join", 2}} {
			c := beaconCall("eleves", tab(said.tab), said.kind)
			c.header["Referer"], c.header["User-Agent"] = "https://school.example/jane", "Jane's phone"
			s.do(c)
		}
		s.do(call{method: http.MethodPost, path: "/here/eleves", form: url.Values{"id": {tab(3)}}})
		stored := dump(t, rdb, prefix)
		for _, part := range []string{"{eleves}:devices", "{eleves}:beacons"} {
			if !strings.Contains(stored, part) {
				t.Errorf("no %s in %s", part, stored)
			}
		}
		everything := stored + s.log.String() + fmt.Sprint(s.metrics.counts) + s.get("/api/v1/sessions/eleves/attendance").Body.String()
		for _, secret := range []string{"192.0.2.1", "school.example", "Jane", "jane", tab(1), tab(2), tab(3)} {
			if strings.Contains(everything, secret) {
				t.Errorf("%q leaks into %s", secret, everything)
			}
		}
	})
}
