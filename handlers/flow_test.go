package handlers

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/feedback/survey"
	"jauge/handlers/attend"
	"jauge/internal/redistest"
)

var (
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)
	checked     = regexp.MustCompile(`name="([^"]+)" value="([^"]*)" checked`)
	formAction  = regexp.MustCompile(`<form method="post" action="([^"]+)" novalidate`)
)

// browser is somebody who fills in a form: it sends what the page that it is at holds, and follows redirects.
type browser struct {
	*site
	address string // of the page that it is at, as far as it has one
	page    string
}

func (s *site) visit(address string) *browser {
	s.t.Helper()
	b := &browser{site: s}
	b.open(address)
	return b
}

// open goes to an address, as a reload and the back button do.
func (b *browser) open(address string) {
	b.t.Helper()
	w := b.do(call{path: address})
	if w.Code != http.StatusOK {
		b.t.Fatalf("GET %s: %d %s", address, w.Code, w.Body)
	}
	b.address, b.page = address, w.Body.String()
}

// form is what the page's form holds, changed by what is picked on it.
func (b *browser) form(changes ...string) url.Values {
	form := url.Values{"do": {"next"}}
	for _, fields := range [][][]string{hiddenField.FindAllStringSubmatch(b.page, -1), checked.FindAllStringSubmatch(b.page, -1)} {
		for _, field := range fields {
			form.Add(field[1], field[2])
		}
	}
	return with(form, changes...)
}

// send sends the page's form and goes where that leads.
func (b *browser) send(changes ...string) {
	b.t.Helper()
	b.post(b.form(changes...))
}

func (b *browser) post(form url.Values) {
	b.t.Helper()
	w := b.do(call{method: "POST", path: formAction.FindStringSubmatch(b.page)[1], form: form})
	if w.Code == http.StatusSeeOther {
		b.open(w.Header().Get("Location"))
		return
	}
	b.page = w.Body.String()
}

func (b *browser) shows(texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		if !strings.Contains(b.page, text) {
			b.t.Errorf("no %q in\n%s", text, b.page)
		}
	}
}

func (b *browser) hides(texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		if strings.Contains(b.page, text) {
			b.t.Errorf("%q in\n%s", text, b.page)
		}
	}
}

// progress reads how many forms came to a question and answered it.
func (s *site) progress() map[string][2]int {
	s.t.Helper()
	p, err := s.asked().Progress(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	got := map[string][2]int{}
	for _, item := range p {
		if item.Seen != nil {
			got[item.Question] = [2]int{*item.Seen, 0}
		}
		if item.Answered != nil {
			got[item.Question] = [2]int{*item.Seen, *item.Answered}
		}
	}
	return got
}

// eachAlone runs f on services that promise no minimum group, so that one person's progress can be read.
func eachAlone(t *testing.T, f func(t *testing.T, s *site)) {
	t.Helper()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		f(t, newSite(t, rdb, prefix, func(d *setup) { d.MinimumGroup = 1 }))
	})
}

// A page that was sent has an address, at which a reload, the back button and a bookmark find it.
func TestPagesAreKept(t *testing.T) {
	t.Parallel()
	eachAlone(t, func(t *testing.T, s *site) {
		b := s.visit("/feedback/metier?segment=lycee&lang=en")
		b.shows("Each page that you send"[1:], "anonymous answers", `href="/feedback/metier/notice?segment=lycee&amp;lang=en"`)
		first, old := b.address, b.page
		b.send("q.before", "2", "q.known", "yes")
		second := b.address
		b.shows("Page 2 of 2", "Go on later", `http://jauge.example/feedback/metier?lang=en&amp;resume=`)
		if !regexp.MustCompile(`^/feedback/metier\?lang=en&resume=[A-Z2-7]{26}&segment=lycee&page=2$`).MatchString(second) {
			t.Errorf("the second page is at %s", second)
		}
		b.open(second) // a reload
		b.shows("Page 2 of 2", `name="q.before" value="2"`)
		b.send("do", "back", "q.now", "4")
		b.shows("Page 1 of 2", `value="2" checked`, `value="yes" checked`)
		b.send("q.known", "no")
		b.shows("Page 2 of 2", `value="4" checked`, `name="q.known" value="no"`) // what was picked on the second page, too

		b.address, b.page = first, old // the first page again, from the browser's history: it carries nothing of the second
		b.send("q.before", "1")
		b.shows("Page 2 of 2", `value="4" checked`, `name="q.before" value="1"`)
		b.hides(`name="q.known"`) // which was left out this time
		s.respondents(t, 0)
		bookmark := strings.TrimSuffix(second, "&page=2")
		b.open(bookmark)
		b.shows("Page 2 of 2", `value="4" checked`)
		b.send()
		b.shows("Thank you", "<dd>1</dd>", "<dd>4</dd>")
		s.respondents(t, 1)
		if diff := cmp.Diff(map[string][2]int{
			"before": {1, 1}, "known": {1, 0}, "now": {1, 1}, "recommend": {1, 0}, "liked": {1, 0}, "words": {1, 0},
		}, s.progress()); diff != "" {
			t.Errorf("progress (-want +got):\n%s", diff)
		}

		b.open(bookmark)
		b.shows("were sent already", `name="receipt"`)
		b.hides(`name="token"`, "<dd>", `name="q.`)
	})
}

// The first page is the only one that browsers may keep: it holds nothing yet.
func TestOnlyBlankPagesAreCached(t *testing.T) {
	t.Parallel()
	s := one(t)
	b := s.visit("/feedback/metier")
	b.send("q.before", "2")
	for path, want := range map[string]string{
		"/feedback/metier": "private, no-cache", "/feedback/metier?kiosk=1": "no-store", b.address: "no-store",
		"/feedback/metier?resume=" + rand.Text(): "no-store",
	} {
		if got := s.do(call{path: path}).Header().Get("Cache-Control"); got != want {
			t.Errorf("%s: %q, not %q", path, got, want)
		}
	}
}

// Whatever is sent again from the browser's history after the answers have arrived is a change of them.
func TestBackAfterSending(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		b := s.visit("/feedback/metier")
		first := b.page
		b.send("q.before", "2", "q.known", "yes")
		last := b.page
		b.send("q.now", "4", "q.words", "Merci")
		thanks := b.address

		b.page = last
		b.send("q.now", "5")
		b.shows("<dd>5</dd>")
		if b.address != thanks {
			t.Errorf("sent again: %s, not %s", b.address, thanks)
		}
		b.page = first
		b.send("q.before", "1")
		b.shows("Page 2 sur 2", "Enregistrer les changements", `value="5" checked`)
		b.hides(`name="token"`)
		b.send()
		b.shows("Vos changements sont enregistrés", "<dd>1</dd>", "<dd>5</dd>")
		b.page = last
		b.send("do", "back")
		b.shows("Page 1 sur 2", `value="1" checked`)
		s.respondents(t, 1)

		answer := strings.TrimSuffix(thanks, "?thanks=1")
		if w := s.do(call{method: "DELETE", path: answer}); w.Code != http.StatusNoContent {
			t.Fatal(w.Code)
		}
		for _, page := range []string{first, last} {
			b.page = page
			if w := s.do(call{method: "POST", path: "/feedback/metier", form: b.form("q.before", "1", "q.now", "3")}); w.Code != http.StatusGone {
				t.Errorf("sent again after the deletion: %d", w.Code)
			}
		}
		s.respondents(t, 0)
	})
}

// A double click on each page, at the very same time: one answer, one address, counted once.
func TestDoubleClicks(t *testing.T) {
	t.Parallel()
	eachAlone(t, func(t *testing.T, s *site) {
		b := s.visit("/feedback/metier")
		var paths sync.Map
		click := func(form url.Values) string {
			var wg sync.WaitGroup
			paths.Clear()
			for range 8 {
				wg.Go(func() {
					w := s.do(call{method: "POST", path: "/feedback/metier", form: form})
					paths.Store(fmt.Sprint(w.Code, w.Header().Get("Location")), w.Header().Get("Location"))
				})
			}
			wg.Wait()
			var all []string
			paths.Range(func(_, path any) bool { all = append(all, path.(string)); return true })
			if len(all) != 1 {
				t.Fatalf("eight clicks lead to %v", all)
			}
			return all[0]
		}
		b.open(click(b.form("q.before", "2")))
		last := b.form("q.now", "4")
		b.open(click(last))
		b.shows("Merci")
		s.respondents(t, 1)
		click(last)
		s.respondents(t, 1)
		if got := s.progress(); got["before"] != [2]int{1, 1} || got["words"] != [2]int{1, 0} {
			t.Errorf("progress %v", got)
		}
	})
}

// What the address names is not there: a blank form under another name, and it is said.
func TestUnknownDraft(t *testing.T) {
	t.Parallel()
	s := one(t)
	resume := rand.Text()
	b := s.visit("/feedback/metier?segment=lycee&resume=" + resume)
	b.shows("Voici un formulaire vierge", "Page 1 sur 2", `name="segment" value="lycee"`)
	b.hides(`value="` + resume)
	b.send("q.before", "2")
	b.shows("Page 2 sur 2")
	b.open(strings.NewReplacer("/metier", "/eleves", "&segment=lycee", "").Replace(b.address)) // another session's form
	b.shows("Voici un formulaire vierge")
	if b := s.visit("/feedback/metier?resume=x"); !strings.Contains(b.page, "Voici un formulaire vierge") {
		t.Error("what is no name is no blank form")
	}
}

// A token and an address that do not belong together keep nothing: nobody plants a draft under another's address.
func TestForeignAddressKeepsNothing(t *testing.T) {
	t.Parallel()
	s := one(t)
	b := s.visit("/feedback/metier")
	form := b.form("q.before", "2", "token", rand.Text())
	w := s.do(call{method: "POST", path: "/feedback/metier", form: form})
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "Page 2 sur 2") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if b := s.visit("/feedback/metier?resume=" + form.Get("resume")); !strings.Contains(b.page, "Voici un formulaire vierge") {
		t.Error("it was kept")
	}
}

// With the store away each page carries what the others hold, and once it is back nothing of it is missing.
func TestFormWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	server, err := redistest.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	rdb, line := server.Line()
	t.Cleanup(func() { _ = rdb.Close() })
	s := newSite(t, rdb, "away:", func(d *setup) { d.Surveys = map[string]*survey.Survey{"vocation": threePages()} })
	b := s.visit("/feedback/metier")
	b.send("q.before", "2")
	b.shows("Page 2 sur 3")
	line.Cut()
	b.send("q.now", "4")
	b.shows("Page 3 sur 3", `name="q.before" value="2"`, `name="q.now" value="4"`)
	b.hides("Reprendre plus tard") // nobody promises what may not be kept
	if w := s.do(call{path: b.address}); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a draft that cannot be read: %d", w.Code)
	}
	b.send("q.words", "Toujours là")
	b.shows("le service ne répond pas", "Toujours là", `name="q.now" value="4"`)
	line.Mend()
	b.send("q.words", "Toujours là")
	b.shows("Merci", "<dd>2</dd>", "<dd>4</dd>", "Toujours là")
	s.respondents(t, 1)
}

// threePages is the vocation survey with its last question on a page of its own.
func threePages() *survey.Survey {
	asks := vocation()
	last := asks.Sections[1]
	asks.Sections[1].Questions = last.Questions[:3]
	asks.Sections = append(asks.Sections, survey.Section{Questions: last.Questions[3:]})
	return asks
}

// On a shared device there is a blank form for each person, and no way back to the one before.
func TestKiosk(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		b := s.visit("/feedback/metier?kiosk=1&segment=lycee")
		b.shows("Cet appareil est partagé", `autocomplete="off"`)
		b.hides(`name="resume"`, "Reprendre", "gardée")
		notice := s.do(call{path: "/feedback/metier/notice?kiosk=1&segment=lycee"}).Body.String()
		if b.shows(`href="/feedback/metier/notice?kiosk=1&amp;segment=lycee"`); !strings.Contains(notice, `href="/feedback/metier?kiosk=1&amp;segment=lycee"`) {
			t.Error("the notice leads out of the kiosk")
		}
		first := b.form("q.before", "2")
		b.post(first)
		b.shows("Page 2 sur 2", `name="q.before" value="2"`, `href="/feedback/metier?kiosk=1&amp;segment=lycee"`)
		last := b.form("q.now", "4")
		w := s.do(call{method: "POST", path: "/feedback/metier", form: last})
		if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != "/feedback/metier?kiosk=1&segment=lycee&sent=1" {
			t.Fatalf("%d %s", w.Code, got)
		}
		w = s.do(call{path: w.Header().Get("Location")})
		if got := w.Header().Get("Refresh"); got != "20; url=/feedback/metier?kiosk=1&segment=lycee" {
			t.Errorf("Refresh: %q", got)
		}
		b.page = w.Body.String()
		b.shows("Merci", "Nouveau formulaire")
		if receipt := regexp.MustCompile(`[0-9A-Z]{4}-[0-9A-Z]{4}`).FindString(b.page); receipt != "" {
			t.Errorf("the next person reads %s", receipt)
		}
		for name, form := range map[string]url.Values{"the first page again": first, "back from the last page": with(last, "do", "back")} {
			w := s.do(call{method: "POST", path: "/feedback/metier", form: form})
			if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != "/feedback/metier?kiosk=1&segment=lycee" {
				t.Errorf("%s: %d %s %s", name, w.Code, got, w.Body)
			}
		}
		for name, form := range map[string]url.Values{
			"a double click": last, "the last page again, changed": with(last, "q.now", "5"), "the last page again, as it was when it had a mistake": with(last, "q.now", "9"),
		} {
			w := s.do(call{method: "POST", path: "/feedback/metier", form: form})
			if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != "/feedback/metier?kiosk=1&segment=lycee&sent=1" {
				t.Errorf("%s: %d %s %s", name, w.Code, got, w.Body)
			}
		}
		s.respondents(t, 1)
		if receipt, row, err := s.asked().Sent(t.Context(), "form:"+first.Get("token")); err != nil || row.Answers["now"].String() != "4" {
			t.Errorf("the answer %s became %v: %v", receipt, row.Answers, err)
		}
		next := s.visit("/feedback/metier?kiosk=1&segment=lycee")
		if next.form().Get("token") == first.Get("token") {
			t.Error("the next person has the same form")
		}
		if got := s.progress(); len(got) != 0 {
			t.Errorf("a kiosk keeps drafts: %v", got)
		}
	})
}

// Where people stop is shown to the organiser, but not who few of them are, nor that one of them went on.
func TestProgressOfFewIsHidden(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		read := func() string {
			t.Helper()
			w := s.get("/api/v1/sessions/metier/feedback")
			fits(t, document(t), http.MethodGet, "/api/v1/sessions/{id}/feedback", w)
			return fmt.Sprint(decode[map[string]any](t, w)["progress"])
		}
		null := read()
		if strings.Count(null, "seen:<nil>") != 6 {
			t.Errorf("before anybody: %s", null)
		}
		var forms []*browser
		for i := range 6 {
			if i == 4 && read() != null {
				t.Errorf("four forms show %s", read())
			}
			b := s.visit("/feedback/metier")
			b.send("q.before", "2")
			forms = append(forms, b)
			if i == 4 {
				null = read() // five: shown
				if !strings.Contains(null, "answered:5 question:before seen:5") || !strings.Contains(null, "answered:<nil> question:known seen:5") {
					t.Errorf("five forms show %s", null)
				}
			}
		}
		forms[0].send("q.now", "4")
		if got := read(); got != null {
			t.Errorf("two more changes show\n%s, not\n%s", got, null)
		}
		for _, b := range forms[1:4] {
			b.send("q.now", "4")
		}
		if got := read(); !strings.Contains(got, "answered:<nil> question:now seen:6") || !strings.Contains(got, "answered:6 question:before seen:6") {
			t.Errorf("afterwards: %s", got)
		}
		page := s.get("/sessions/metier").Body.String()
		for _, want := range []string{"Où les participants", "Avant, cela vous tentait ?</th><td>6</td><td>6</td>", "Et maintenant ?</th><td>6</td><td>–</td>", `/feedback/metier?kiosk=1&amp;segment=lycee"`} {
			if !strings.Contains(page, want) {
				t.Errorf("no %q in\n%s", want, page)
			}
		}
	})
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		const key = "5f0c9a1e-7d30-4a6e-b1b2-0f6f3a9f8f10"
		post := func(header, body string) (int, string, map[string]string) {
			t.Helper()
			h := map[string]string{"Content-Type": "application/json"}
			if header != "" {
				h["Idempotency-Key"] = header
			}
			w := s.do(call{method: "POST", path: "/feedback/metier", body: body, header: h})
			fits(t, document(t), http.MethodPost, "/feedback/{session}", w)
			if w.Code == http.StatusCreated {
				return w.Code, decode[map[string]string](t, w)["receipt"], nil
			}
			if w.Code == http.StatusUnprocessableEntity {
				return w.Code, "", decode[attend.Invalid](t, w).Fields
			}
			return w.Code, "", nil
		}
		const answers, others = `{"answers":{"before":2,"now":4}}`, `{"answers":{"before":2,"now":5}}`
		_, receipt, _ := post(key, answers)
		for name, row := range map[string]struct {
			header, body string
			code         int
			wrong        string
		}{
			"again":              {key, answers, 201, ""},
			"quoted":             {`"` + key + `"`, answers, 201, ""},
			"in the body":        {"", `{"key":"` + key + `","answers":{"now":4,"before":2}}`, 201, ""},
			"other answers":      {key, others, 422, "was used for other answers"},
			"another segment":    {key, `{"answers":{"before":2,"now":4},"segment":"lycee"}`, 422, "was used for other answers"},
			"too short":          {"0123456789abcde", answers, 422, "must be 16 to 255 characters of ASCII"},
			"too long":           {strings.Repeat("x", 256), answers, 422, "must be 16 to 255 characters of ASCII"},
			"not ASCII":          {"", `{"key":"clé-clé-clé-clé-clé","answers":{"before":2,"now":4}}`, 422, "must be 16 to 255 characters of ASCII"},
			"two different ones": {key, `{"key":"another-key-0123456789","answers":{"before":2,"now":4}}`, 422, "differs from the header Idempotency-Key"},
		} {
			code, got, fields := post(row.header, row.body)
			if code != row.code || fields["key"] != row.wrong || code == 201 && got != receipt {
				t.Errorf("%s: %d %q %v", name, code, got, fields)
			}
		}
		s.respondents(t, 1)

		answer := "/feedback/metier/answers/" + receipt
		if w := s.do(call{method: "PUT", path: answer, body: others, header: map[string]string{"Content-Type": "application/json", "Idempotency-Key": key}}); w.Code != 422 {
			t.Errorf("a change with a key: %d", w.Code)
		}
		if w := s.do(call{method: "PUT", path: answer, body: others, header: map[string]string{"Content-Type": "application/json"}}); w.Code != 200 {
			t.Errorf("a change: %d %s", w.Code, w.Body)
		}
		if code, got, _ := post(key, answers); code != 201 || got != receipt {
			t.Errorf("again, after a change: %d", code)
		}
		if code, _, _ := post(key, others); code != 422 {
			t.Errorf("the changed ones under the key: %d", code)
		}
		if page := s.do(call{path: answer, header: map[string]string{"Accept": "application/json"}}).Body.String(); !strings.Contains(page, `"now":5`) {
			t.Errorf("the repetition undid the change: %s", page)
		}
		s.do(call{method: "DELETE", path: answer})
		if code, _, _ := post(key, answers); code != http.StatusGone {
			t.Errorf("again, after the deletion: %d", code)
		}
		s.respondents(t, 0)
	})
}

// Of concurrent submissions under one key one is kept: those that agree with it have its receipt, the others are told.
func TestConcurrentIdempotencyKeys(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		var mu sync.Mutex
		receipts, codes := map[string]int{}, map[int]map[int]int{4: {}, 5: {}}
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				now := 4 + i%2
				w := s.do(call{method: "POST", path: "/feedback/metier", json: map[string]any{
					"key": "one-key-for-all-of-them", "answers": map[string]any{"before": 2, "now": now},
				}})
				mu.Lock()
				defer mu.Unlock()
				codes[now][w.Code]++
				if w.Code == http.StatusCreated {
					receipts[decode[map[string]string](t, w)["receipt"]]++
				}
			})
		}
		wg.Wait()
		won := map[int]int{201: 10}
		lost := map[int]int{422: 10}
		if codes[4][http.StatusCreated] == 0 {
			won, lost = lost, won
		}
		if len(receipts) != 1 || !maps.Equal(codes[4], won) || !maps.Equal(codes[5], lost) {
			t.Errorf("%v %v", receipts, codes)
		}
		s.respondents(t, 1)
	})
}

// Whoever tries words out is stopped, wherever he tries them. Codes and forms are not guessed: behind the same address,
// those of others open as before.
func TestWrongWordsAreLimited(t *testing.T) {
	t.Parallel()
	s := one(t)
	right := "/feedback/metier/answers/" + s.answer("metier", map[string]any{"before": 2, "now": 4})
	wrong := "/feedback/metier/answers/abeille-abeille-abeille"
	b := s.visit("/feedback/metier")
	b.send("q.before", "2")
	for i := range 30 {
		c := call{path: wrong}
		switch i % 3 {
		case 1:
			c.method = "DELETE"
		case 2:
			c.method, c.form = "POST", url.Values{"do": {"change"}}
		}
		if w := s.do(c); w.Code != http.StatusNotFound {
			t.Fatalf("%d after %d wrong words", w.Code, i)
		}
	}
	if w := s.do(call{path: wrong}); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "15" || !strings.Contains(w.Body.String(), "Trop de codes erronés") {
		t.Errorf("the next one: %d %v", w.Code, w.Header())
	}
	for _, path := range []string{right, right + "?thanks=1", b.address, "/feedback/metier", "/feedback/metier?resume=" + rand.Text()} {
		if w := s.do(call{path: path}); w.Code != http.StatusOK {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	s.at(start.Add(30*time.Minute + 15*time.Second))
	if w := s.do(call{path: wrong}); w.Code != http.StatusNotFound {
		t.Errorf("fifteen seconds later: %d", w.Code)
	}
}

func TestOpenByCode(t *testing.T) {
	t.Parallel()
	s := one(t)
	receipt := s.answer("metier", map[string]any{"before": 2, "now": 4})
	w := s.do(call{method: "POST", path: "/feedback/metier", form: url.Values{"do": {"open"}, "receipt": {" " + receipt + " "}}})
	if got := w.Header().Get("Location"); got != "/feedback/metier/answers/"+receipt {
		t.Errorf("%d %q", w.Code, got)
	}
	w = s.do(call{method: "POST", path: "/feedback/metier", form: url.Values{"do": {"open"}, "receipt": {"../../login?x"}}})
	if got := w.Header().Get("Location"); got != "/feedback/metier/answers/..%2F..%2Flogin%3Fx" {
		t.Errorf("%d %q", w.Code, got)
	}
}

// Every page on a shared device, of mistakes too, lets the browser forget the one before; no other page does.
func TestKioskForgets(t *testing.T) {
	t.Parallel()
	s := one(t)
	for _, row := range []struct {
		name   string
		call   call
		asks   bool
		script bool
	}{
		{"the form", call{path: "/feedback/metier?kiosk=1"}, true, true},
		{"its second page", call{method: "POST", path: "/feedback/metier", form: url.Values{"page": {"1"}, "q.before": {"2"}, "kiosk": {"1"}}}, true, true},
		{"a mistake", call{method: "POST", path: "/feedback/metier", form: url.Values{"page": {"1"}, "kiosk": {"1"}}}, true, true},
		{"the thanks", call{path: "/feedback/metier?kiosk=1&sent=1"}, true, true},
		{"the notice", call{path: "/feedback/metier/notice?kiosk=1"}, true, false},
		{"no such segment", call{path: "/feedback/metier?kiosk=1&segment=x"}, true, false},
		{"a form that cannot be sent", call{method: "POST", path: "/feedback/metier", form: url.Values{"kiosk": {"1"}, "segment": {"x"}}}, true, false},
		{"a form of one's own", call{path: "/feedback/metier"}, false, false},
		{"the organiser's page", call{path: "/sessions/metier", organiser: true}, false, false},
	} {
		page := s.do(row.call).Body.String()
		if asks, script := strings.Contains(page, `src="/forget"`), strings.Contains(page, "/assets/kiosk.js"); asks != row.asks || script != row.script {
			t.Errorf("%s: forgets %v, by script %v", row.name, asks, script)
		}
	}
	if w := s.do(call{path: "/forget"}); w.Code != http.StatusNoContent || w.Header().Get("Clear-Site-Data") != `"cache"` || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// Who reads slowly stops the clock of the thanks on a shared device.
func TestKioskThanksCanStay(t *testing.T) {
	t.Parallel()
	s := one(t)
	leaves := s.do(call{path: "/feedback/metier?kiosk=1&sent=1"})
	if !strings.HasPrefix(leaves.Header().Get("Refresh"), "20; url=/feedback/metier?") || !strings.Contains(leaves.Body.String(), "Rester sur cette page") {
		t.Errorf("%v %s", leaves.Header(), leaves.Body)
	}
	stays := s.do(call{path: "/feedback/metier?kiosk=1&sent=1&stay=1"})
	if !strings.Contains(stays.Body.String(), `href="?kiosk=1&amp;lang=en&amp;sent=1&amp;stay=1"`) {
		t.Errorf("another language starts the clock again: %s", stays.Body)
	}
	if stays.Header().Get("Refresh") != "" || strings.Contains(stays.Body.String(), "secondes") || !strings.Contains(stays.Body.String(), "Nouveau formulaire") {
		t.Errorf("%v %s", stays.Header(), stays.Body)
	}
}
