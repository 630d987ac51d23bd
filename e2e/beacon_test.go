package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// present is how many are there, says the API.
func (s service) present(t *testing.T) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/sessions/talk", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+organiserToken)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // read only
	var session struct{ Attendance struct{ Present int } }
	if err := json.NewDecoder(answer.Body).Decode(&session); err != nil {
		t.Fatal(err)
	}
	return session.Attendance.Present
}

func (s service) awaitPresent(t *testing.T, n int) {
	t.Helper()
	await(t, fmt.Sprint(n, " present"), func() bool { return s.present(t) == n })
}

// tab opens another tab of the same browser; close closes it as its user does.
func (b browser) tab(address string) (tab browser, closeTab func()) {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	b.t.Cleanup(cancel)
	tab = browser{b.t, ctx}
	tab.do(chromedp.EmulateViewport(360, 740), chromedp.Navigate(address))
	return tab, func() {
		b.t.Helper()
		if err := chromedp.Cancel(ctx); err != nil {
			b.t.Fatal(err)
		}
	}
}

// host serves one page and gives its address, under another name than the service's: another site to the browser.
func host(t *testing.T, page string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, page)
	}))
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
}

// Two tabs of the check-in page and a page of another site count while they are open.
func TestBeaconsCountOpenPages(t *testing.T) {
	t.Parallel()
	s := startService(t)
	b := openBrowser(t, 360, 740)
	first, _ := b.tab(s.url + "/here/talk")
	s.awaitPresent(t, 1)
	_, closeSecond := b.tab(s.url + "/here/talk")
	s.awaitPresent(t, 2)

	await(t, "the page to say so", func() bool {
		return strings.Contains(first.js("document.body.innerText"), "Votre présence est comptée")
	})
	if text := first.js("document.body.innerText"); strings.Contains(text, "Je suis là") || strings.Contains(text, "ne répond pas") {
		t.Errorf("a page whose script runs says\n%s", text)
	}
	if overflow := first.js("document.documentElement.scrollWidth > innerWidth"); overflow != "false" {
		t.Error("the page scrolls sideways at 360 px")
	}
	if kept := first.js("document.cookie.length + localStorage.length + sessionStorage.length"); kept != "0" {
		t.Errorf("%s things are kept in the browser", kept)
	}
	first.see("here")

	embedding := host(t, fmt.Sprintf(`<!doctype html><title>Room</title><script src="%s/beacon.js" data-session="talk" defer></script>`, s.url))
	third, closeThird := b.tab(embedding)
	s.awaitPresent(t, 3)
	await(t, "the script to know", func() bool { return third.js("document.querySelector('script').dataset.state") == "here" })

	closeSecond()
	s.awaitPresent(t, 2)
	closeThird()
	s.awaitPresent(t, 1)
	first.do(chromedp.Navigate("about:blank"))
	s.awaitPresent(t, 0)
	first.do(chromedp.NavigateBack())
	s.awaitPresent(t, 1)
}

// beacons is a service that answers beacons as a test wants, and remembers what they said.
type beacons struct {
	url string

	mu     sync.Mutex
	status int
	said   []said
}

type said struct{ ID, Kind string }

func startBeacons(t *testing.T) *beacons {
	t.Helper()
	script, err := os.ReadFile("../handlers/page/assets/beacon.js")
	if err != nil {
		t.Fatal(err)
	}
	b := &beacons{status: http.StatusNoContent}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/beacon.js" {
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = w.Write(script)
			return
		}
		var s said
		if err := json.NewDecoder(r.Body).Decode(&s); err != nil || r.Method != http.MethodPost || r.URL.Path != "/beacon/talk" || r.Header.Get("Cookie") != "" {
			t.Errorf("%s %s: %v %v", r.Method, r.URL, r.Header, err)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.said = append(b.said, s)
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.WriteHeader(b.status)
		if b.status == http.StatusGone {
			b.status = http.StatusNoContent // the next one is new
		}
	}))
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

func (b *beacons) answer(status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status = status
}

// next waits until n things were said in all, and returns the last one.
func (b *beacons) next(t *testing.T, n int, kind string) said {
	t.Helper()
	heard := func() []said { b.mu.Lock(); defer b.mu.Unlock(); return b.said }
	await(t, fmt.Sprint(n, " messages"), func() bool { return len(heard()) >= n })
	all := heard()
	if len(all) != n || all[n-1].Kind != kind || len(all[n-1].ID) != 32 {
		t.Fatalf("said %v; %d should be a %s", all, n, kind)
	}
	return all[n-1]
}

// The script in a browser, against a service that forgets connections and fails; the test beats in place of the clock.
func TestBeaconScript(t *testing.T) {
	t.Parallel()
	service := startBeacons(t)
	page := `<!doctype html><script>
		window.wrong = 0; addEventListener("error", () => wrong++); addEventListener("unhandledrejection", () => wrong++);
		window.setInterval = (f, every) => { window.tick = f; window.every = every };</script>
		<script id="beacon" src="` + service.url + `/beacon.js"%s></script>`
	b := openBrowser(t, 360, 740)
	settled := func(state string) {
		t.Helper()
		await(t, "the state "+state, func() bool { return b.js("document.getElementById('beacon').dataset.state") == state })
	}

	b.do(chromedp.Navigate(host(t, fmt.Sprintf(page, ""))))
	b.do(chromedp.Navigate(host(t, fmt.Sprintf(page, ` data-session="https://evil.example/"`))))
	if tick := b.js("typeof tick"); tick != "undefined" {
		t.Error("a script without a session beats")
	}

	service.answer(http.StatusServiceUnavailable)
	b.do(chromedp.Navigate(host(t, fmt.Sprintf(page, ` data-session="talk"`))))
	first := service.next(t, 1, "join")
	settled("away")
	if every := b.js("every"); every != "30000" {
		t.Errorf("it beats every %s ms", every)
	}
	service.answer(http.StatusNoContent)
	b.js("void tick()")
	if again := service.next(t, 2, "join"); again != first {
		t.Errorf("a join that failed comes again as %v, not %v", again, first)
	}
	settled("here")
	service.answer(http.StatusTooManyRequests)
	b.js("void tick()")
	service.next(t, 3, "beat")
	settled("away")
	service.answer(http.StatusGone)
	b.js("void tick()")
	second := service.next(t, 5, "join") // after the beat that was refused
	settled("here")
	if second.ID == first.ID {
		t.Error("a closed connection goes on under its id")
	}
	b.js("void tick()")
	if s := service.next(t, 6, "beat"); s.ID != second.ID {
		t.Errorf("%v does not go on as %v", s, second)
	}
	await(t, "the answer", func() bool { return b.js("document.getElementById('beacon').dataset.state") == "here" })
	b.js(`dispatchEvent(new PageTransitionEvent("pagehide", {persisted: true}))`)
	if s := service.next(t, 7, "leave"); s.ID != second.ID {
		t.Errorf("%v leaves, not %v", s, second)
	}
	b.js(`dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true}))`)
	if s := service.next(t, 8, "join"); s.ID == second.ID {
		t.Error("a page that came back goes on under its id")
	}
	settled("here")
	if wrong := b.js("wrong"); wrong != "0" {
		t.Errorf("the script threw %s times", wrong)
	}
}

// Without scripts, the button counts.
func TestCheckInWithoutScript(t *testing.T) {
	t.Parallel()
	s := startService(t)
	b := openBrowser(t, 360, 740)
	b.do(func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		return chromedp.Void{}, target.Call(ctx, "Emulation.setScriptExecutionDisabled", map[string]bool{"value": true}, nil)
	})
	b.do(chromedp.Navigate(s.url + "/here/talk"))
	b.see("here-manual")
	if n := s.present(t); n != 0 {
		t.Errorf("%d present before the button was pressed", n)
	}
	b.do(chromedp.Click("button.primary"))
	s.awaitPresent(t, 1)
	await(t, "the page to thank", func() bool {
		text, err := chromedp.Run(b.ctx, chromedp.Text("main"))
		return err == nil && strings.Contains(text, "votre présence est notée")
	})
	b.see("here-noted")
}
