package e2e

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
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
	sheets    int                              // how many it may print on; 0: three
}

// screens is every page. A new page, or a new state of one, is one row here.
var screens = []screen{
	{name: "survey-1", path: "/feedback/talk", shows: "fieldset.scale"},
	{name: "survey-2", path: "/feedback/talk", form: "page=before&q.interest_before=2&do=next", shows: "fieldset.choices"},
	{name: "survey-3", path: "/feedback/talk", form: "page=meeting&q.interest_before=2&do=next", shows: "fieldset.nps"},
	{name: "survey-empty", path: "/feedback/talk", form: "page=now&do=next", shows: ".summary", mistaken: true},
	{name: "survey-minors", path: "/feedback/school?segment=doisneau", shows: "fieldset.scale"},
	{name: "survey-kinds", path: "/feedback/kinds", shows: "html[lang=fr] legend, legend [lang=fr]"}, // a question that has no English
	{name: "survey-mistakes", path: "/feedback/kinds", form: "page=all&do=next", shows: ".summary li", mistaken: true, sheets: 5},
	{name: "survey-wrong", path: "/feedback/kinds", form: "page=all&do=next&q.choices=path&q.choices=variety&q.choices=entry" +
		"&q.ranking.visit=1&q.ranking.talk=1&q.matrix.use=9&q.number=7&q.short=Ici", shows: "#q-number[aria-invalid]", mistaken: true, sheets: 5},
	{name: "survey-condition", path: "/feedback/kinds", form: answersOfKinds, shows: "#q-where"},
	{name: "survey-resumed", path: "/feedback/talk?{}", of: draft, shows: "details .code"},
	{name: "survey-lost", path: "/feedback/talk?resume=AAAAAAAAAAAAAAAAAAAAAAAAAA", shows: "p.caution"},
	{name: "sent", path: "/feedback/talk?{}", of: sent, shows: "#receipt"},
	{name: "kiosk", path: "/feedback/talk?kiosk=1", shows: "form[autocomplete=off]"},
	{name: "kiosk-short", path: "/feedback/short?kiosk=1", shows: "form[autocomplete=off]"},
	{name: "kiosk-2", path: "/feedback/talk?kiosk=1", form: "page=before&kiosk=1&do=next", shows: "form + p a"},
	{name: "kiosk-thanks", path: "/feedback/talk?kiosk=1&sent=1", shows: "a.button"},
	{name: "kiosk-stay", path: "/feedback/talk?kiosk=1&sent=1&stay=1", shows: "a.button"},
	{name: "kiosk-notice", path: "/feedback/talk/notice?kiosk=1", shows: "h2 + p"},
	{name: "notice", path: "/feedback/talk/notice", shows: "h2 + p"},
	{name: "notice-minors", path: "/feedback/school/notice?segment=doisneau", shows: "h2 + p"},
	{name: "invited", path: "/feedback/talk?invite={}", of: invited, shows: "[name=invite]"},
	{name: "error-used", path: "/feedback/talk?invite={}", of: used, shows: "body.error"},
	{name: "error-uninvited", path: "/feedback/talk?invite=AAAAAAAAAAAAAAAAAAAAAAAAAA", shows: "body.error"},
	{name: "wave-1", path: "/feedback/waves", shows: "[name=wave][value=before]"},
	{name: "wave-2", path: "/feedback/waves?wave=end", shows: "[name=wave][value=end]"},
	{name: "wave-answer", path: "/feedback/waves/answers/{}?thanks=1", of: answeredInWaves, shows: "h3 + dl"},
	{name: "error-wave", path: "/feedback/waves?wave=never", shows: "body.error"},
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
	{name: "session-ended", path: "/sessions/over", shows: "blockquote", organiser: true, scripts: true},
	{name: "session-empty", path: "/sessions/bare", shows: "#figures", organiser: true, scripts: true},
	{name: "results", path: "/sessions/over/results", shows: "svg.stack", organiser: true},
	{name: "results-few", path: "/sessions/school/results", shows: "main > p", organiser: true},
	{name: "texts", path: "/sessions/over/texts", shows: "button.danger", organiser: true},
	{name: "texts-approved", path: "/sessions/over/texts?state=approved", shows: "[aria-current=page][href*=approved]", organiser: true},
	{name: "texts-few", path: "/sessions/talk/texts", shows: "h1", organiser: true},
	{name: "series", path: "/series/cycle", shows: "table", organiser: true},
	{name: "error-organiser", path: "/sessions/nobody", shows: "body.error", organiser: true},
}

// TestPages opens every page in both languages and checks what must be true of all.
func TestPages(t *testing.T) {
	t.Parallel()
	s := startService(t)
	s.audience(t)
	s.feedback(t)
	b := openBrowser(t, 1280, 800)
	b.do()
	titles := map[string]string{}
	var mu sync.Mutex
	for _, row := range screens {
		langs := []string{"fr", "en"}
		if row.organiser { // a page of few, and of the same words
			langs = langs[:1]
		}
		for _, lang := range langs {
			t.Run(row.name+"/"+lang, func(t *testing.T) {
				t.Parallel()
				v := open(t, s, b, row, lang)
				v.checkDocument()
				inFull := lang == "fr" // the longer words; keys, paper and mirrors are the same in every language
				if inFull {
					v.checkKeyboard()
				}
				v.checkLooks()
				if inFull && !row.organiser {
					v.checkPrint()
					v.checkMirror() // last: it turns the page around
				}
				mu.Lock()
				defer mu.Unlock()
				titles[row.name+" "+lang] = v.title
			})
		}
	}
	t.Cleanup(func() {
		for _, lang := range []string{" fr", " en"} {
			for _, different := range [][]string{{"survey-1", "survey-2", "survey-3", "survey-empty", "thanks", "deleted", "sent"}, {"survey-kinds", "survey-mistakes"}} {
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

// answersOfKinds is the first page of kinds, filled in: sending it leads to the second.
const answersOfKinds = "page=all&do=next&q.scale=4&q.nps=9&q.choice=some&q.choices=path&q.ranking.talk=1&q.ranking.visit=2" +
	"&q.matrix.place=4&q.matrix.use=5&q.pace.talk=right&q.yesno=yes&q.number=17&q.short=Évry&q.text=Merci&q.consent=yes"

// feedback lets enough people answer that the organiser's pages show what they said, and leave some forms half-way.
func (s service) feedback(t *testing.T) {
	t.Helper()
	for i := range 32 {
		answers := map[string]any{
			"interest_before": 1 + i%4, "interest_now": 1 + (i*3+i/4)%5, "knowledge_before": 2, "knowledge_now": 2 + i%4, "satisfaction": 3 + i%3,
			"helped": []string{"path", "entry"}[:1+i%2], "image": []string{"service", "travel"}[i%2], "learn_more": i%3 > 0, "recommend": 5 + i%6,
			"comment": fmt.Sprintf("Combien de langues faut-il parler ? Question numéro %d.", i+1),
		}
		s.answer(t, "over", map[string]any{"answers": answers, "segment": []string{"evry", "others"}[i%2], "lang": "fr"})
	}
	s.answer(t, "school", map[string]any{"answers": map[string]any{"interest_before": 3}, "segment": "doisneau"})
	for range 6 {
		draft(t, s)
	}
	var texts []struct{ ID string }
	s.api(t, http.MethodGet, "/api/v1/sessions/over/texts", nil, &texts)
	for _, text := range texts[:3] {
		s.api(t, http.MethodPost, "/api/v1/sessions/over/texts/"+text.ID, map[string]string{"decision": "approve"}, nil)
	}
}

// api calls the service as an organiser's program does, and decodes what it says into answer, unless that is nil.
func (s service) api(t *testing.T, method, path string, body, answer any) {
	t.Helper()
	sent, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, bytes.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+organiserToken)
	r.Header.Set("Content-Type", "application/json")
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(got.Body)
	if err != nil || got.StatusCode >= http.StatusBadRequest {
		t.Fatalf("%s %s: %d %s %v", method, path, got.StatusCode, text, err)
	}
	if answer == nil {
		return
	}
	if err := json.Unmarshal(text, answer); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// answer sends answers and returns their receipt.
func (s service) answer(t *testing.T, session string, body map[string]any) string {
	t.Helper()
	var created struct{ Receipt string }
	s.api(t, http.MethodPost, "/feedback/"+session, body, &created)
	return created.Receipt
}

// answered sends answers and returns their receipt.
func answered(t *testing.T, s service) string {
	t.Helper()
	return s.answer(t, "talk", map[string]any{"answers": map[string]any{
		"interest_before": 2, "interest_now": 4, "helped": []string{"path", "entry"}, "learn_more": true, "recommend": 9, "comment": "Merci à vous.",
	}})
}

// deleted returns the receipt of answers that are no more.
func deleted(t *testing.T, s service) string {
	t.Helper()
	receipt := answered(t, s)
	s.api(t, http.MethodDelete, "/feedback/talk/answers/"+receipt, nil, nil)
	return receipt
}

// answeredInWaves returns the receipt of answers to a wave.
func answeredInWaves(t *testing.T, s service) string {
	t.Helper()
	return s.answer(t, "waves", map[string]any{"answers": map[string]any{"interest@before": 2, "intention@before": true}, "wave": "before"})
}

// invited returns the token of a personal link.
func invited(t *testing.T, s service) string {
	t.Helper()
	var created struct{ Invitations []struct{ URL string } }
	s.api(t, http.MethodPost, "/api/v1/sessions/talk/invitations", map[string]int{"count": 1}, &created)
	_, token, _ := strings.Cut(created.Invitations[0].URL, "=")
	return token
}

// used returns the token of a personal link that is used up.
func used(t *testing.T, s service) string {
	t.Helper()
	token := invited(t, s)
	s.answer(t, "talk", map[string]any{"answers": map[string]any{"interest_before": 2}, "invitation": token})
	return token
}

// draft sends the first page of a form and returns the query that resumes it.
func draft(t *testing.T, s service) string {
	t.Helper()
	query, _ := begin(t, s)
	return query
}

// sent sends a whole form and returns the query that once resumed it.
func sent(t *testing.T, s service) string {
	t.Helper()
	query, form := begin(t, s)
	form.Set("page", "now")
	s.send(t, form)
	return query
}

var ownFields = regexp.MustCompile(`name="(token|resume)" value="(\w+)"`)

// begin opens a form, sends its first page, and returns the query that resumes it, and its fields.
func begin(t *testing.T, s service) (query string, form url.Values) {
	t.Helper()
	answer, err := http.Get(s.url + "/feedback/talk")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // read only
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	form = url.Values{"page": {"before"}, "do": {"next"}, "q.interest_before": {"2"}}
	for _, field := range ownFields.FindAllSubmatch(page, -1) {
		form.Set(string(field[1]), string(field[2]))
	}
	return s.send(t, form).RawQuery, form
}

// send sends a page of a form and returns where it leads.
func (s service) send(t *testing.T, form url.Values) *url.URL {
	t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.PostForm(s.url+"/feedback/talk", form)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	to, err := answer.Location()
	if err != nil {
		t.Fatalf("a form leads to %d: %v", answer.StatusCode, err)
	}
	return to
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
var mistaken = map[string]string{"fr": "Erreur\u00a0: ", "en": "Error: "}

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
		if v.js("[...document.scripts].every(s => /\\/(beacon|kiosk)\\.js/.test(s.src))") != "true" {
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
		ring := measured[struct {
			Name  string
			Stop  int
			Width float64
			There bool
		}](v, "ring()")
		at := ring.Stop
		if at < 0 { // out at the end of the page, and in again
			last = -1
			continue
		}
		if at != last+1 && (last != -1 || at != 0) && len(seen) > 0 {
			v.t.Errorf("Tab goes from stop %d to stop %d of %d: %s", last, at, n, ring.Name)
		}
		seen[at], last = true, at
		if ring.Width < 3 || !ring.There {
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
		if (v.lang != "fr" || v.organiser) && (l.features != nil || l.rules == nil) {
			continue // colours are the same in every language, and on the organisers' pages
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
	if sheets := strings.Count(string(pdf), "/Type /Page\n"); len(pdf) < 2000 || sheets < 1 || sheets > cmp.Or(v.sheets, 3) {
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
