package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"jauge/attendance"
	"jauge/platforms"
)

const organiserToken = "organiser-token-of-the-tests"

// service is a jauge of its own process on the embedded store, with a programme in which everything can be seen.
type service struct {
	url    string
	source platforms.Source
}

// binary is the service, built once for all tests. TestMain takes it away.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("jauge-e2e-%d", os.Getpid()))
	build := exec.Command("go", "build", "-tags", "nomsgpack", "-o", path, "./cmd/jauge")
	build.Dir = ".."
	out, err := build.CombinedOutput()
	if err != nil {
		return path, fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		_ = os.Remove(path)
	}
	os.Exit(code)
}

// programme is the service's configuration: a session that is going on, the same for minors, one with every kind of
// question, one that is asked on one page, one that is asked in waves, one that is over, and one without a survey.
func programme(secret string, now time.Time) string {
	from, to := now.Add(-30*time.Minute).Format(time.RFC3339), now.Add(30*time.Minute).Format(time.RFC3339)
	return fmt.Sprintf(`
sources: [{name: relay, platform: standard, secrets: ["%s"]}]
series: [{id: cycle, title: {fr: Conversations diplomatiques, en: Diplomatic conversations}}]
sessions:
  - {id: talk, series: cycle, title: {fr: "Un métier d'exception !", en: "An exceptional profession!"}, starts_at: %[2]s, ends_at: %[3]s,
     rooms: [{source: relay, id: hall}], survey: vocation}
  - {id: school, title: {fr: Trois lycées, en: Three schools}, starts_at: %[2]s, ends_at: %[3]s, rooms: [{source: relay, id: school}],
     survey: vocation, minors: true, segments: [{id: doisneau, title: {fr: Robert Doisneau, en: Robert Doisneau}}]}
  - {id: kinds, title: {fr: Toutes les questions, en: Every question}, starts_at: %[2]s, ends_at: %[3]s, rooms: [{source: relay, id: kinds}], survey: kinds}
  - {id: short, title: {fr: En un mot, en: In a word}, starts_at: %[2]s, ends_at: %[3]s, rooms: [{source: relay, id: short}], survey: short}
  - {id: waves, title: {fr: "Avant, juste après, plus tard", en: "Before, right after, later"}, starts_at: %[2]s, ends_at: %[3]s,
     rooms: [{source: relay, id: waves}], survey: vocation-waves}
  - {id: over, series: cycle, title: {fr: La Cordée, en: La Cordée}, starts_at: %[4]s, ends_at: %[5]s, rooms: [{source: relay, id: attic}], survey: vocation,
     segments: [{id: evry, title: {fr: "Étudiants d'Évry", en: Students of Évry}}, {id: others, title: {fr: Autres invités, en: Other guests}}]}
  - {id: bare, title: {fr: Sans questionnaire, en: Without a survey}, starts_at: %[2]s, ends_at: %[3]s, rooms: [{source: relay, id: cellar}]}
include: surveys/*.yaml
`, secret, from, to, now.Add(-5*time.Hour).Format(time.RFC3339), now.Add(-4*time.Hour).Format(time.RFC3339))
}

func startService(t *testing.T) service {
	t.Helper()
	binary, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := service{source: platforms.Source{Name: "relay", Platform: "standard", Secrets: []string{"whsec_ZXhhbXBsZS1zZWNyZXQtb2YtdGhlLXByb2dyYW1tZSE="}}}
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, "jauge.yaml"), []byte(programme(s.source.Secrets[0], time.Now().UTC())), 0o600),
		os.CopyFS(filepath.Join(dir, "surveys"), os.DirFS("testdata/surveys")),
	); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	s.url = "http://" + address
	cmd := exec.Command(binary, "serve", "--config", filepath.Join(dir, "jauge.yaml"))
	cmd.Env = append(os.Environ(), "JAUGE_LISTEN="+address, "JAUGE_DATA_DIR="+filepath.Join(dir, "data"), "JAUGE_ORGANISER_TOKEN="+organiserToken)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	await(t, "the service to be ready", func() bool {
		r, err := http.Get(s.url + "/readyz")
		if err != nil {
			return false
		}
		_ = r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	return s
}

// patience is how long a condition may take on a loaded machine.
const patience = 5 * time.Minute

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for tick := time.Tick(20 * time.Millisecond); !holds(); {
		select {
		case <-ctx.Done():
			t.Fatalf("waited %s for %s", patience, what)
		case <-tick:
		}
	}
}

// join lets a person into the hall a minute ago.
func (s service) join(t *testing.T, person string) {
	t.Helper()
	s.event(t, attendance.Event{
		Kind: attendance.Joined, Room: "hall", Attendee: person, Connection: "tab of " + person, At: time.Now().Add(-time.Minute),
	})
}

// event delivers an event through a signed webhook.
func (s service) event(t *testing.T, e attendance.Event) {
	t.Helper()
	contentType, body := platforms.Dialects["standard"].Encode(e)
	signed := platforms.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {contentType}}, Body: body, Now: time.Now()}
	platforms.Dialects["standard"].Sign(s.source, &signed)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/webhooks/relay", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = signed.Header
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // read only
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("webhook: %d", answer.StatusCode)
	}
}

// respondents is what the API says of the session talk.
func (s service) respondents(t *testing.T) float64 {
	t.Helper()
	return s.respondentsOf(t, "talk")
}

func (s service) respondentsOf(t *testing.T, session string) float64 {
	t.Helper()
	var results struct{ Respondents float64 }
	s.api(t, http.MethodGet, "/api/v1/sessions/"+session+"/feedback", nil, &results)
	return results.Respondents
}

// browser is one tab of a headless Chromium.
type browser struct {
	t   *testing.T
	ctx context.Context
}

func openBrowser(t *testing.T, width, height int64) browser {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*patience) // all of a test's steps, below the suite's own bound
	t.Cleanup(cancel)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(patience),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("accept-lang", "fr-FR,fr"))
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := browser{t, ctx}
	b.do(chromedp.EmulateViewport(width, height))
	return b
}

func (b browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// js evaluates an expression that gives a string.
func (b browser) js(expression string) string {
	b.t.Helper()
	s, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return s
}

// run runs a whole script.
func (b browser) run(what, script string) {
	b.t.Helper()
	if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[chromedp.Void](script)); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// tabTo presses Tab until the focused element matches the selector.
func (b browser) tabTo(selector string) {
	b.t.Helper()
	for range 80 {
		b.do(chromedp.KeyEvent(kb.Tab))
		if b.js(fmt.Sprintf("document.activeElement.matches(%q)", selector)) == "true" {
			return
		}
	}
	b.t.Fatalf("Tab never reaches %s on\n%s", selector, b.js("document.body.innerText"))
}

// enter presses Enter on the focused control and waits for the page that follows.
func (b browser) enter(selector string) {
	b.t.Helper()
	b.js("window.before = true")
	b.tabTo(selector)
	b.do(chromedp.KeyEvent(kb.Enter))
	await(b.t, "the next page", func() bool {
		s, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String(window.before !== true && document.readyState === 'complete')"))
		return err == nil && s == "true"
	})
}

// call runs a command of the browser's protocol in the tab.
func call[P, R any](b browser, command cdp.Command[P, R], params P) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.t.Fatalf("%s: %v", command.Method, err)
	}
}

// screenshots is where E2E_SCREENSHOTS says to keep what the pages look like, for people to see; empty: nowhere.
var screenshots = os.Getenv("E2E_SCREENSHOTS")

// see keeps a picture of the page.
func (b browser) see(name string) {
	b.t.Helper()
	if screenshots == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	b.keep(name+".png", png)
}

func (b browser) keep(file string, content []byte) {
	b.t.Helper()
	if screenshots == "" {
		return
	}
	if err := errors.Join(os.MkdirAll(screenshots, 0o700), os.WriteFile(filepath.Join(screenshots, file), content, 0o600)); err != nil {
		b.t.Fatal(err)
	}
}

// follow presses Enter on the focused link, in one event as keyboards do: a second one for the character would go to the
// field that the link leads to, and send its form.
func (b browser) follow() {
	b.t.Helper()
	key := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "Enter", Code: "Enter", Text: "\r", WindowsVirtualKeyCode: 13}
	call(b, input.DispatchKeyEvent, key)
	key.Type, key.Text = input.DispatchKeyEventTypeKeyUp, ""
	call(b, input.DispatchKeyEvent, key)
}

// pick focuses the group of a question and chooses by arrow keys, as a keyboard user does.
func (b browser) pick(question string, steps int) {
	b.t.Helper()
	b.tabTo(fmt.Sprintf("input[name='q.%s']", question))
	b.do(chromedp.KeyEvent(" "))
	for range steps {
		b.do(chromedp.KeyEvent(kb.ArrowRight))
	}
}

// A phone, a keyboard, French, no scripts: fill the survey, get the receipt, change the answer.
func TestSurveyByKeyboardOnAPhone(t *testing.T) {
	t.Parallel()
	s := startService(t)
	b := openBrowser(t, 360, 740)
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.do(chromedp.Navigate(s.url + "/feedback/talk"))
	if lang := b.js("document.documentElement.lang"); lang != "fr" {
		t.Fatalf("the page is in %q", lang)
	}
	if overflow := b.js("document.documentElement.scrollWidth > innerWidth"); overflow != "false" {
		t.Error("the page scrolls sideways at 360 px")
	}
	b.see("survey-1")
	b.pick("interest_before", 1) // 2 of 5
	b.enter("button.primary")
	b.see("survey-2")
	b.pick("satisfaction", 4)
	b.enter("button.primary")
	b.see("survey-3")
	b.pick("interest_now", 3) // 4 of 5
	b.enter("button.primary")
	b.see("thanks")

	receipt := strings.TrimSpace(b.js("document.querySelector('.receipt').innerText"))
	if len(receipt) < 16 || !strings.Contains(b.js("document.body.innerText"), "Merci") {
		t.Fatalf("no receipt: %s", b.js("document.body.innerText"))
	}
	if n := s.respondents(t); n != 1 {
		t.Errorf("%v respondents", n)
	}
	if before, now := b.said("Avant la rencontre"), b.said("Maintenant"); before != "2" || now != "4" {
		t.Errorf("before %q, now %q", before, now)
	}

	b.enter("form button.primary") // change
	b.tabTo("input[name='q.interest_before']")
	b.do(chromedp.KeyEvent(kb.ArrowRight)) // 2 → 3
	for range 3 {
		b.enter("button.primary")
	}
	if before := b.said("Avant la rencontre"); before != "3" {
		t.Errorf("after the change: %q", before)
	}
	if again := strings.TrimSpace(b.js("document.querySelector('.receipt').innerText")); again != receipt {
		t.Errorf("the receipt changed from %s to %s", receipt, again)
	}
	if n := s.respondents(t); n != 1 {
		t.Errorf("after the change: %v respondents", n)
	}
	b.see("changed")
}

// Keyboard only, no scripts: send a survey empty, let the summary lead to every mistake, and mend it there.
func TestMistakesByKeyboard(t *testing.T) {
	t.Parallel()
	s := startService(t)
	b := openBrowser(t, 320, 740)
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.do(chromedp.Navigate(s.url + "/feedback/kinds"))
	b.do(chromedp.KeyEvent(kb.Tab))
	if b.js("document.activeElement.matches('.skip')") != "true" {
		t.Error("the first stop does not skip to the content")
	}
	b.do(chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(kb.Tab))
	if b.js("document.activeElement.matches('main *')") != "true" {
		t.Errorf("skipping leads to %s", b.js("document.activeElement.outerHTML"))
	}
	b.enter("button.primary")
	if b.js("document.activeElement.matches('.summary')") != "true" || !strings.HasPrefix(b.js("document.title"), "Erreur\u00a0: ") {
		t.Fatalf("after sending nothing, the focus is on %s of %q", b.js("document.activeElement.outerHTML"), b.js("document.title"))
	}
	b.see("mistakes")
	for i, last := 1, b.js("document.querySelectorAll('.summary li').length"); fmt.Sprint(i-1) != last; i++ {
		link := fmt.Sprintf(".summary li:nth-child(%d) a", i)
		b.tabTo(link)
		target := b.js(fmt.Sprintf("document.querySelector(%q).hash.slice(1)", link))
		b.follow()
		await(t, link+" to lead to its field", func() bool { return b.js("document.activeElement.id") == target })
		switch keys := " "; { // chooses
		case b.js("document.activeElement.matches('select')") == "true":
			b.do(chromedp.KeyEvent("1"))
		case b.js("document.activeElement.matches('[inputmode=numeric]')") == "true":
			b.do(chromedp.KeyEvent("17"))
		case b.js("document.activeElement.matches('textarea, [type=text]')") == "true":
			keys = "Merci"
			fallthrough
		default:
			b.do(chromedp.KeyEvent(keys))
		}
	}
	b.enter("button.primary")
	b.tabTo("input[name='q.where']") // asked of who says yes
	b.do(chromedp.KeyEvent("Merci"))
	b.enter("button.primary")
	if n := s.respondentsOf(t, "kinds"); n != 1 {
		t.Errorf("%v respondents after the mistakes are mended, on\n%s", n, b.js("document.body.innerText"))
	}
}

// said is the answer shown under the question whose wording has these words; scales show their number first.
func (b browser) said(words string) string {
	b.t.Helper()
	text := b.js(fmt.Sprintf(`[...document.querySelectorAll("dl.said dt")].find(d => d.innerText.includes(%q))?.nextElementSibling.innerText`, words))
	first, _, _ := strings.Cut(text, " ")
	return strings.TrimSpace(first)
}

// The organiser's live count moves without a reload.
func TestLiveCountMovesByItself(t *testing.T) {
	t.Parallel()
	s := startService(t)
	for i := range 3 {
		s.join(t, fmt.Sprint("person ", i))
	}
	b := openBrowser(t, 1280, 800)
	b.do(chromedp.Navigate(s.url + "/login?token=" + organiserToken))
	if strings.Contains(b.js("location.href"), organiserToken) {
		t.Error("the token stays in the address")
	}
	b.see("programme")
	b.do(chromedp.Navigate(s.url + "/sessions/talk"))
	present := func() string { return b.js(`document.querySelector('[data-figure="present"]').innerText`) }
	if got := present(); got != "3" {
		t.Fatalf("present %s", got)
	}
	b.js("window.untouched = true")
	for i := range 4 {
		s.join(t, fmt.Sprint("late ", i))
	}
	await(t, "7 people on the page", func() bool { return present() == "7" })
	await(t, "the peak to follow", func() bool { return b.js(`document.querySelector('[data-figure="peak"]').innerText`) == "7" })
	if b.js("window.untouched") != "true" {
		t.Error("the page was reloaded")
	}
	await(t, "the curve to follow", func() bool {
		return strings.Contains(b.js(`document.querySelector("figure.curve svg").textContent`), "pic 7 ")
	})
	b.see("live")
}
