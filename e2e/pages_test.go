package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"jauge/attendance"
)

// mostBytes is what a page may weigh on its way to a phone, with all that it loads.
const mostBytes = 30_000

// screen is one page as a person may meet it: how to get there and what must be true of it beyond what is of all.
type screen struct {
	name      string
	path      string                           // with "{}" for what of returns
	of        func(*testing.T, service) string // nil: nothing
	form      string                           // sent to path by POST; empty: GET
	shows     string                           // a selector that the page has, so that a row cannot check an error page instead
	mistaken  bool                             // it reports mistakes: its title says so first, and a summary takes the focus
	organiser bool                             // signed in; not held to the weight
	scripts   bool                             // it may run scripts; the others work, and are checked, without
}

// screens is every page. A new page, or a new state of one, is one row here.
var screens = []screen{
	{name: "survey-1", path: "/feedback/talk", shows: "fieldset.scale"},
	{name: "survey-2", path: "/feedback/talk", form: "page=before&q.interest_before=2&do=next", shows: "fieldset.choices"},
	{name: "survey-3", path: "/feedback/talk", form: "page=meeting&q.interest_before=2&do=next", shows: "fieldset.nps"},
	{name: "survey-empty", path: "/feedback/talk", form: "page=now&do=next", shows: ".summary", mistaken: true},
	{name: "survey-minors", path: "/feedback/school?segment=doisneau", shows: "fieldset.scale"},
	{name: "survey-kinds", path: "/feedback/kinds", shows: "html[lang=fr] legend, legend [lang=fr]"}, // a question that has no English
	{name: "survey-mistakes", path: "/feedback/kinds", form: "page=1&do=next", shows: ".summary li", mistaken: true},
	{name: "thanks", path: "/feedback/talk/answers/{}?thanks=1", of: answered, shows: ".receipt"},
	{name: "answer", path: "/feedback/talk/answers/{}", of: answered, shows: ".receipt"},
	{name: "changing", path: "/feedback/talk/answers/{}", of: answered, form: "do=change", shows: "input:checked"},
	{name: "changed", path: "/feedback/talk/answers/{}?changed=1", of: answered, shows: ".receipt"},
	{name: "deleted", path: "/feedback/talk/answers/{}", of: answered, form: "do=delete", shows: "p.well"},
	{name: "error-deleted", path: "/feedback/talk/answers/{}", of: deleted, shows: "body.error"},
	{name: "error-receipt", path: "/feedback/talk/answers/0000-0000-0000-0000", shows: "body.error"},
	{name: "error-survey", path: "/feedback/bare", shows: "body.error"},
	{name: "error-session", path: "/here/nobody", shows: "body.error"},
	{name: "here", path: "/here/talk", shows: "script", scripts: true},
	{name: "here-manual", path: "/here/talk", shows: "form button.primary"},
	{name: "here-noted", path: "/here/talk", form: "id=AAAAAAAAAAAAAAAAAAAAAAAAAA", shows: "p.well"},
	{name: "here-over", path: "/here/over", shows: "p.caution"},
	{name: "login", path: "/login", shows: "#token"},
	{name: "login-wrong", path: "/login", form: "token=x", shows: "#wrong", mistaken: true},

	{name: "programme", path: "/", shows: ".card", organiser: true},
	{name: "session-live", path: "/sessions/talk", shows: ".curve svg", organiser: true, scripts: true},
	{name: "session-ended", path: "/sessions/over", shows: "[data-figure=completed]", organiser: true, scripts: true},
	{name: "session-empty", path: "/sessions/bare", shows: "#figures", organiser: true, scripts: true},
	{name: "series", path: "/series/cycle", shows: "table", organiser: true},
	{name: "error-organiser", path: "/sessions/nobody", shows: "body.error", organiser: true},
}

// TestPages opens every page in both languages and checks what must be true of all.
func TestPages(t *testing.T) {
	t.Parallel()
	s := startService(t)
	s.audience(t)
	b := openBrowser(t, 1280, 800)
	b.do()
	titles := map[string]string{}
	var mu sync.Mutex
	for _, row := range screens {
		for _, lang := range []string{"fr", "en"} {
			t.Run(row.name+"/"+lang, func(t *testing.T) {
				t.Parallel()
				v := open(t, s, b, row, lang)
				v.checkDocument()
				v.checkKeyboard()
				v.checkLooks()
				v.checkPrint()
				v.checkMirror() // last: it turns the page around
				mu.Lock()
				defer mu.Unlock()
				titles[row.name+" "+lang] = v.title
			})
		}
	}
	t.Cleanup(func() {
		for _, lang := range []string{" fr", " en"} {
			for _, different := range [][]string{{"survey-1", "survey-2", "survey-3", "survey-empty", "thanks", "deleted"}, {"survey-kinds", "survey-mistakes"}} {
				seen := map[string]string{}
				for _, name := range different {
					title := titles[name+lang]
					if other, twice := seen[title]; twice && title != "" {
						t.Errorf("%s and %s have the title %q", other, name, title)
					}
					seen[title] = name
				}
			}
		}
	})
}

// audience lets people come and go, so that the organiser's pages have something to show.
func (s service) audience(t *testing.T) {
	t.Helper()
	now := time.Now()
	for i := range 5 {
		s.join(t, fmt.Sprint("person ", i))
		e := attendance.Event{Kind: attendance.Joined, Room: "attic", Attendee: fmt.Sprint("member ", i), Connection: fmt.Sprint(i), At: now.Add(-5*time.Hour + time.Duration(i)*time.Minute)}
		s.event(t, e)
		e.Kind, e.At = attendance.Left, now.Add(-4*time.Hour-time.Duration(i)*10*time.Minute)
		s.event(t, e)
	}
	e := attendance.Event{Kind: attendance.Joined, Room: "nowhere", Attendee: "stranger", Connection: "1", At: now}
	s.event(t, e) // put aside, which the programme says
}

// answered sends answers and returns their receipt.
func answered(t *testing.T, s service) string {
	t.Helper()
	body := `{"answers": {"interest_before": 2, "interest_now": 4, "knowledge": "heard", "helped": ["path", "entry"], "learn_more": "yes", "recommend": 9, "comment": "Merci à vous."}}`
	answer, err := http.Post(s.url+"/feedback/talk", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var created struct{ Receipt string }
	if err := json.Unmarshal(text, &created); err != nil || created.Receipt == "" {
		t.Fatalf("%d %s: %v", answer.StatusCode, text, err)
	}
	return created.Receipt
}

// deleted returns the receipt of answers that are no more.
func deleted(t *testing.T, s service) string {
	t.Helper()
	receipt := answered(t, s)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, s.url+"/feedback/talk/answers/"+receipt, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return receipt
}

// view is a screen, opened.
type view struct {
	browser
	screen
	lang, title string
}

// open loads a screen in a browser without memory, and weighs all that it loads.
func open(t *testing.T, s service, b browser, row screen, lang string) *view {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	v := &view{browser: browser{t, ctx}, screen: row, lang: lang}
	v.do(chromedp.EmulateViewport(1280, 800))
	call(v.browser, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	call(v.browser, network.Enable, network.EnableParams{})
	call(v.browser, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": lang}})
	path := row.path
	if row.of != nil {
		path = strings.Replace(path, "{}", row.of(t, s), 1)
	}
	if row.organiser {
		v.do(chromedp.Navigate(s.url + "/login?token=" + organiserToken))
	}
	if row.form != "" {
		v.do(chromedp.Navigate(s.url + "/healthz")) // a form is sent from a page of the same site
	}
	call(v.browser, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
	if !row.scripts {
		call(v.browser, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	}
	weigh := v.scale(s.url)
	if row.form == "" {
		v.do(chromedp.Navigate(s.url + path))
	} else {
		v.post(path, row.form)
	}
	weigh()
	call(v.browser, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: false})
	v.run("measure.js", measure)
	if v.js(fmt.Sprintf("document.querySelector(%q) !== null", row.shows)) != "true" {
		t.Fatalf("%s shows no %s:\n%s", path, row.shows, v.js("document.body.innerText"))
	}
	return v
}

// post sends a form as a page does, and waits for the page that follows.
func (v *view) post(path, form string) {
	v.t.Helper()
	send := fmt.Sprintf(`(() => {
		const form = document.createElement("form");
		form.method = "post"; form.action = %q;
		for (const [name, value] of new URLSearchParams(%q)) {
			const input = document.createElement("input");
			input.name = name; input.value = value; form.append(input);
		}
		document.body.append(form); form.submit();
	})()`, path, form)
	loaded := chromedp.WaitEvent(page.LoadEventFired, func(page.EventLoadEventFired) bool { return true }, chromedp.Evaluate[chromedp.Void](send))
	if _, err := chromedp.Run(v.ctx, loaded); err != nil {
		v.t.Fatal(err)
	}
}

// scale begins to weigh; the function it returns judges what was loaded since.
func (v *view) scale(origin string) func() {
	v.t.Helper()
	var mu sync.Mutex
	var addresses []string
	var bytes float64
	open, scripts := map[network.RequestID]bool{}, 0
	err := chromedp.Listen(v.ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			if strings.HasPrefix(e.Request.URL, "data:") || e.Type == network.ResourceTypeEventSource {
				return
			}
			addresses = append(addresses, e.Request.URL)
			open[e.RequestID] = true
			if e.Type == network.ResourceTypeScript {
				scripts++
			}
		case *network.EventLoadingFinished:
			delete(open, e.RequestID)
			bytes += e.EncodedDataLength
		case *network.EventLoadingFailed:
			delete(open, e.RequestID)
		}
	})
	if err != nil {
		v.t.Fatal(err)
	}
	return func() {
		v.t.Helper()
		await(v.t, "all to be loaded", func() bool { mu.Lock(); defer mu.Unlock(); return len(addresses) > 0 && len(open) == 0 })
		mu.Lock()
		defer mu.Unlock()
		v.t.Logf("%s in %s weighs %.0f bytes in %d requests", v.name, v.lang, bytes, len(addresses))
		if bytes == 0 || bytes >= mostBytes && !v.organiser {
			v.t.Errorf("%.0f bytes were loaded: %v", bytes, addresses)
		}
		if scripts > 0 && !v.scripts {
			v.t.Errorf("%d scripts are loaded", scripts)
		}
		for _, address := range addresses {
			if !strings.HasPrefix(address, origin+"/") {
				v.t.Errorf("%s is loaded from another site", address)
			}
		}
	}
}

// measured evaluates an expression of measure.js.
func measured[T any](v *view, expression string) T {
	v.t.Helper()
	value, err := chromedp.Run(v.ctx, chromedp.Evaluate[T]("measure."+expression))
	if err != nil {
		v.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// mistaken is how the title of a page that reports mistakes begins.
var mistaken = map[string]string{"fr": "Erreur : ", "en": "Error: "}

// checkDocument reads what a screen reader would say of the page before it reads the page.
func (v *view) checkDocument() {
	v.t.Helper()
	if lang, dir := v.js("document.documentElement.lang"), v.js("document.documentElement.dir"); lang != v.lang || dir != "ltr" {
		v.t.Errorf("the page is in %q, %q", lang, dir)
	}
	v.title = v.js("document.title")
	if strings.HasPrefix(v.title, mistaken[v.lang]) != v.mistaken {
		v.t.Errorf("mistaken: %v, and the title is %q", v.mistaken, v.title)
	}
	headings := measured[[]int](v, "headings()")
	if len(headings) == 0 || headings[0] != 1 || slices.Contains(headings[1:], 1) {
		v.t.Errorf("headings of the levels %v", headings)
	}
	if v.mistaken {
		if focus := v.js("document.activeElement.matches('.summary, [aria-invalid]')"); focus != "true" {
			v.t.Errorf("the focus is on %s", v.js("measure.name(document.activeElement)"))
		}
	}
	if !v.scripts && v.js("document.scripts.length") != "0" {
		if v.js("[...document.scripts].every(s => s.src.endsWith('/beacon.js'))") != "true" {
			v.t.Error("the page has scripts")
		}
	}
}

// checkKeyboard presses Tab all the way round: every stop, in the order of reading, each with a ring around it.
func (v *view) checkKeyboard() {
	v.t.Helper()
	n := measured[int](v, "stops().length")
	seen := map[int]bool{}
	last := measured[int](v, "stop()")
	for range n + 2 {
		v.do(chromedp.KeyEvent(kb.Tab))
		at := measured[int](v, "stop()")
		if at < 0 { // out at the end of the page, and in again
			last = -1
			continue
		}
		if at != last+1 && (last != -1 || at != 0) && len(seen) > 0 {
			v.t.Errorf("Tab goes from stop %d to stop %d of %d: %s", last, at, n, measured[string](v, "name(document.activeElement)"))
		}
		seen[at], last = true, at
		if ring := measured[struct {
			Name  string
			Width float64
			There bool
		}](v, "ring()"); ring.Width < 3 || !ring.There {
			v.t.Errorf("the focus shows by %v px, on the screen %v: %s", ring.Width, ring.There, ring.Name)
		}
	}
	if len(seen) != n {
		v.t.Errorf("Tab reaches %d of %d stops", len(seen), n)
	}
	v.js("document.activeElement.blur()")
}

// look is a way to see a page.
type look struct {
	name     string
	width    int64
	zoom     float64
	features []*emulation.MediaFeature
	rules    []string // what axe looks at; nil: nothing
}

var (
	dark   = &emulation.MediaFeature{Name: "prefers-color-scheme", Value: "dark"}
	forced = &emulation.MediaFeature{Name: "forced-colors", Value: "active"}

	looks = []look{
		{name: "desktop", width: 1280, zoom: 1, rules: standards},
		{name: "zoomed", width: 640, zoom: 2}, // a window of 1280 px at 200 %
		{name: "phone", width: 320, zoom: 1, rules: standards},
		{name: "phone-dark", width: 320, zoom: 1, features: []*emulation.MediaFeature{dark}, rules: colours},
		{name: "forced", width: 320, zoom: 1, features: []*emulation.MediaFeature{forced}, rules: colours},
	}
)

// checkLooks judges the page at every width and in all colours.
func (v *view) checkLooks() {
	v.t.Helper()
	v.run("axe", axe)
	for _, l := range looks {
		if l.features != nil && v.lang != "fr" {
			continue // colours are the same in every language
		}
		v.do(chromedp.EmulateViewport(l.width, 800, chromedp.EmulateScale(l.zoom)))
		call(v.browser, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: l.features})
		v.see(v.name + "-" + v.lang + "-" + l.name)
		for _, wide := range measured[[]string](v, "wide()") {
			v.t.Errorf("%s: too wide: %s", l.name, wide)
		}
		for _, small := range measured[[]string](v, "small()") {
			v.t.Errorf("%s: too small to hit: %s", l.name, small)
		}
		v.checkAxe(l)
	}
	v.do(chromedp.EmulateViewport(320, 800))
	v.js("measure.space()")
	for _, wide := range measured[[]string](v, "wide()") {
		v.t.Errorf("with wider spacing: too wide: %s", wide)
	}
	v.js("document.adoptedStyleSheets = []")
}

// checkPrint prints the page, from a dark screen too: dark on white, without what only works on a screen.
func (v *view) checkPrint() {
	v.t.Helper()
	call(v.browser, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print", Features: []*emulation.MediaFeature{dark}})
	const colours = "getComputedStyle(document.documentElement).backgroundColor + getComputedStyle(document.documentElement).color"
	if got := v.js(colours); got != "rgb(255, 255, 255)rgb(0, 0, 0)" {
		v.t.Errorf("it prints in %s", got)
	}
	if shown := v.js("[...document.querySelectorAll('button, header, .skip, progress')].filter(e => e.checkVisibility()).length"); shown != "0" {
		v.t.Errorf("%s things are printed that only work on a screen", shown)
	}
	v.see(v.name + "-" + v.lang + "-print")
	call(v.browser, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{})
	pdf, err := chromedp.Run(v.ctx, chromedp.PrintToPDF(chromedp.PDFPaper(chromedp.PaperA4)))
	if err != nil {
		v.t.Fatal(err)
	}
	if sheets := strings.Count(string(pdf), "/Type /Page\n"); len(pdf) < 2000 || sheets < 1 || sheets > 3 {
		v.t.Errorf("it prints on %d sheets, in %d bytes", sheets, len(pdf))
	}
	v.keep(v.name+"-"+v.lang+".pdf", pdf)
}

// checkMirror turns the page to a language that is written from right to left: everything is where its mirror image is.
func (v *view) checkMirror() {
	v.t.Helper()
	for _, width := range []int64{1280, 320} {
		v.do(chromedp.EmulateViewport(width, 800))
		v.js("document.documentElement.dir = 'ltr'")
		for _, off := range measured[[]string](v, "unmirrored()") {
			v.t.Errorf("at %d px, from right to left: not mirrored: %s", width, off)
		}
		for _, wide := range measured[[]string](v, "wide()") {
			v.t.Errorf("at %d px, from right to left: too wide: %s", width, wide)
		}
	}
	v.see(v.name + "-" + v.lang + "-rtl")
}
