package handlers

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/feedback/survey"
	"jauge/handlers/attend"
	"jauge/handlers/page"
	"jauge/internal/redistest"
	"jauge/internal/text"
	"jauge/programme"
)

// thrice is asked before, after and two weeks after the session; each time on two pages.
func thrice() *survey.Survey {
	both := func(fr, en string) text.Text { return text.Text{"fr": fr, "en": en} }
	return &survey.Survey{
		ID: "vocation", Title: both("Trois fois", "Three times"),
		Waves: []survey.Wave{
			{ID: "before", Title: both("Avant", "Before")}, {ID: "after", Title: both("Après", "After"), Opens: "end"},
			{ID: "later", Title: both("Plus tard", "Later"), Opens: "end+336h"},
		},
		Sections: []survey.Section{
			{Questions: []survey.Question{{ID: "wish", Kind: survey.Scale, Min: 1, Max: 5, Required: true, Label: both("Cela vous tente", "It appeals to you")}}},
			{Questions: []survey.Question{{ID: "plan", Kind: survey.YesNo, Label: both("Y pensez-vous ?", "Do you think of it?")}}},
		},
	}
}

func withThrice(d *setup) { d.Surveys["vocation"] = thrice() }

// inWaves runs f on a service over each store, whose sessions ask thrice.
func inWaves(t *testing.T, f func(t *testing.T, s *site)) {
	t.Helper()
	each(t, func(t *testing.T, s *site) {
		s.surveys["vocation"] = thrice()
		f(t, s)
	})
}

var theWords = regexp.MustCompile(`<p class="receipt">([a-z]+-[a-z]+-[a-z]+)</p>`)

// words answers the first wave and returns the three words that the thanks page shows.
func (s *site) words(wish string) string {
	s.t.Helper()
	b := s.visit("/feedback/metier?wave=before")
	b.send("q.wish@before", wish)
	b.send("q.plan@before", "no")
	found := theWords.FindStringSubmatch(b.page)
	if found == nil {
		s.t.Fatalf("no three words in %s", b.page)
	}
	return found[1]
}

// said reads what stands under a receipt.
func (s *site) said(receipt string) map[string]any {
	s.t.Helper()
	w := s.do(call{path: "/feedback/metier/answers/" + receipt, header: map[string]string{"Accept": "application/json"}})
	if w.Code != http.StatusOK {
		s.t.Fatalf("%s: %d %s", receipt, w.Code, w.Body)
	}
	return decode[attend.Submission](s.t, w).Answers
}

func TestPagesOfWaves(t *testing.T) {
	t.Parallel()
	s := one(t, withThrice)
	send := func(body map[string]any) string {
		t.Helper()
		w := s.do(call{method: "POST", path: "/feedback/metier", json: body})
		if w.Code != http.StatusCreated {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return decode[map[string]string](t, w)["receipt"]
	}
	code := send(map[string]any{"answers": map[string]any{"wish": 2}, "key": "a-key-of-the-tests", "lang": "fr"})
	golden(t, "wave-thanks.html", s.do(call{path: "/feedback/metier/answers/" + code + "?thanks=1"}))
	golden(t, "wave-kiosk.html", s.do(call{path: "/feedback/metier?kiosk=1"}))
	golden(t, "wave-notice.html", s.do(call{path: "/feedback/metier/notice"}))
	golden(t, "wave-session.html", s.get("/sessions/metier"))
	after(s)
	golden(t, "wave-code.en.html", s.do(call{path: "/feedback/metier?lang=en&code=" + code}))
	golden(t, "wave-code-wrong.html", s.do(call{method: "POST", path: "/feedback/metier", form: url.Values{
		"page": {"1"}, "do": {"next"}, "wave": {"after"}, "code": {"abeille-abeille-abeille"},
	}}))
	send(map[string]any{"answers": map[string]any{"wish": 4}, "code": code})
	golden(t, "wave-receipt.en.html", s.do(call{path: "/feedback/metier/answers/" + code + "?lang=en"}))
}

// Who brings the three words, typed or in the link that was kept, has one answer with both waves; who does not, two.
func TestWavesOfOnePerson(t *testing.T) {
	t.Parallel()
	inWaves(t, func(t *testing.T, s *site) {
		first := s.visit("/feedback/metier")
		first.hides(`name="code"`)
		linkedWords, typed := s.words("2"), s.words("3")
		page := s.do(call{path: "/feedback/metier/answers/" + typed + "?thanks=1"}).Body.String()
		for _, want := range []string{
			"Vos trois mots", "s&#39;ouvre le jeudi 30 avril 2020 à 19\u00a0h\u00a000 (UTC&#43;02:00)", `href="http://jauge.example/feedback/metier?code=` + typed + `"`,
			`src="/feedback/metier/qr.svg?code=` + typed + `"`,
		} {
			if !strings.Contains(page, want) {
				t.Errorf("no %q in %s", want, page)
			}
		}
		early := s.do(call{path: "/feedback/metier?code=" + typed})
		if got := early.Header().Get("Location"); early.Code != http.StatusSeeOther || got != "/feedback/metier/answers/"+typed+"?again=1" {
			t.Errorf("the link before its wave: %d %s", early.Code, got)
		}

		after(s)
		b := s.visit("/feedback/metier?code=" + linkedWords)
		b.shows(`name="code" value="` + linkedWords + `"`)
		b.send("q.wish@after", "5", "code", linkedWords)
		b.shows(`type="hidden" name="code" value="`+linkedWords+`"`, "code="+linkedWords)
		b.open(b.address) // a reload
		b.send("q.plan@after", "yes")
		b.shows("Merci", linkedWords, "<h3>Avant</h3>", "<h3>Après</h3>", "jeudi 14 mai 2020 à 19")

		b = s.visit("/feedback/metier?lang=en")
		b.shows("Your three words")
		b.send("q.wish@after", "1", "code", " "+strings.ToUpper(strings.ReplaceAll(typed, "-", "  ")))
		b.send()
		b.shows("Thank you", typed)
		if diff := cmp.Diff(map[string]any{"wish@before": 3.0, "plan@before": "no", "wish@after": 1.0}, s.said(typed)); diff != "" {
			t.Error(diff)
		}
		again := s.do(call{path: "/feedback/metier?code=" + typed})
		if again.Code != http.StatusSeeOther {
			t.Errorf("the link after its wave was answered: %d", again.Code)
		}
		s.visit(again.Header().Get("Location")).shows("Vous avez déjà répondu")
		b = s.visit("/feedback/metier")
		b.send("q.wish@after", "1")
		b.send()
		s.respondents(t, 3)
	})
}

// What is no code, or one whose answers were deleted, is said at its field, and everything else is kept.
func TestWrongWords(t *testing.T) {
	t.Parallel()
	inWaves(t, func(t *testing.T, s *site) {
		words := s.words("2")
		if w := s.do(call{method: "DELETE", path: "/feedback/metier/answers/" + words}); w.Code != http.StatusNoContent {
			t.Fatal(w.Code)
		}
		after(s)
		for code, want := range map[string]string{
			"abeille abeille abeille": "Il n&#39;y a pas de réponse sous ces mots", "x": "Il n&#39;y a pas de réponse sous ces mots", words: "ont été effacées",
		} {
			b := s.visit("/feedback/metier")
			form := b.form("q.wish@after", "4", "code", code)
			w := s.do(call{method: "POST", path: "/feedback/metier", form: form})
			if b.page = w.Body.String(); w.Code != http.StatusUnprocessableEntity {
				t.Errorf("%q: %d", code, w.Code)
			}
			b.shows(want, `<a href="#code">Vos trois mots</a>`, `value="4" checked`, `aria-describedby="code-help code-wrong"`)
			w = s.do(call{method: "POST", path: "/feedback/metier", form: with(form, "page", "2", "q.plan@after", "yes")})
			if b.page = w.Body.String(); w.Code != http.StatusUnprocessableEntity {
				t.Errorf("%q on the last page: %d", code, w.Code)
			}
			b.shows(want, `value="4" checked`, `name="q.plan@after" value="yes"`, `name="page" value="1"`)
			b.send("code", "")
			b.shows("Page 2 sur 2")
			w = s.do(call{method: "POST", path: "/feedback/metier", json: map[string]any{"answers": map[string]any{"wish": 4}, "code": code}})
			if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), `"fields":{"code":"is the receipt of`) {
				t.Errorf("%q as JSON: %d %s", code, w.Code, w.Body)
			}
		}
		s.respondents(t, 0)
	})
}

// Words are few enough to be tried: after thirty wrong ones, an address waits, with right ones too.
func TestWordsAreGuarded(t *testing.T) {
	t.Parallel()
	s := one(t, withThrice)
	words := s.words("2")
	b := after(s).visit("/feedback/metier")
	sent := b.form("q.wish@after", "3", "code", words)
	b.post(sent)
	b.send()
	again := func(code string) call {
		return call{method: "POST", path: "/feedback/metier", form: with(sent, "code", code)}
	}
	wrong := []call{
		{method: "POST", path: "/feedback/metier", form: url.Values{"page": {"1"}, "q.wish@after": {"1"}, "code": {"abeille-abeille-abeille"}}},
		{path: "/feedback/metier?code=abeille-abeille-abeille"},
		{method: "POST", path: "/feedback/metier", json: map[string]any{"answers": map[string]any{"wish": 4}, "code": "abeille-abeille-abeille"}},
	}
	for range 10 { // a form that was sent is no way around
		if w := s.do(again("abeille-abeille-abeille")); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "déjà envoyées") {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	for i := range 20 {
		if w := s.do(wrong[i%3]); w.Code != http.StatusUnprocessableEntity {
			t.Fatalf("%d: %d %s", i, w.Code, w.Body)
		}
	}
	right := []call{
		again(words),
		{method: "POST", path: "/feedback/metier", form: url.Values{"page": {"1"}, "q.wish@after": {"1"}, "code": {words}}},
		{path: "/feedback/metier?code=" + words},
		{method: "POST", path: "/feedback/metier", json: map[string]any{"answers": map[string]any{"wish": 4}, "code": words}},
	}
	for _, c := range right {
		if w := s.do(c); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s %s: %d", c.method, c.path, w.Code)
		}
	}
	if w := s.do(call{method: "POST", path: "/feedback/metier", json: map[string]any{"answers": map[string]any{"wish": 4}}}); w.Code != http.StatusCreated {
		t.Errorf("without a code: %d", w.Code)
	}
	s.at(start.Add(2*time.Hour + time.Minute))
	if w := s.do(right[0]); w.Code != http.StatusOK {
		t.Errorf("a minute later: %d", w.Code)
	}
}

// Where answers are not kept together, nobody is asked for words, none are shown, and those of others do nothing.
func TestNoWordsWhereNothingIsLinked(t *testing.T) {
	t.Parallel()
	inWaves(t, func(t *testing.T, s *site) {
		words := s.words("2")
		s.at(start.AddDate(0, 0, 2))
		for _, path := range []string{"/feedback/eleves?code=" + words, "/feedback/metier?kiosk=1&code=" + words} {
			b := s.visit(path)
			b.shows("réponses anonymes", `value="after"`)
			b.hides(`name="code"`, "trois mots", `value="`+words)
		}
		b := s.visit("/feedback/eleves")
		b.send("q.wish@after", "3", "code", words)
		b.hides(words)
		b.send()
		b.shows("Votre code", "Merci")
		b.hides("trois mots", "La suite du questionnaire")
		if len(s.said(words)) != 2 {
			t.Errorf("a minor's answers joined %v", s.said(words))
		}

		b = s.visit("/feedback/metier?kiosk=1")
		b.shows("n&#39;est pas relié")
		b.post(b.form("q.wish@after", "5", "code", words))
		last := b.form("code", words)
		w := s.do(call{method: "POST", path: "/feedback/metier", form: last})
		if w.Code != http.StatusSeeOther || !strings.Contains(w.Header().Get("Location"), "sent=1") {
			t.Fatalf("%d %s", w.Code, w.Header().Get("Location"))
		}
		s.do(call{method: "POST", path: "/feedback/metier", form: last}) // a double click
		if len(s.said(words)) != 2 {
			t.Errorf("a kiosk's answers joined %v", s.said(words))
		}
		s.respondents(t, 2)
		receipt, _, err := s.asked().Sent(t.Context(), "form:"+last.Get("token"))
		if _, three := s.deps.Feedback.Receipt(receipt); err != nil || three {
			t.Errorf("a kiosk's answers stand under %s: %v", receipt, err)
		}
	})
}

// A promise of anonymity to somebody holds for everybody who comes later.
func TestNoWordsAfterAPromiseOfAnonymity(t *testing.T) {
	t.Parallel()
	s := one(t)
	s.surveys["vocation"] = thrice()
	s.surveys["vocation"].Anonymity = "anonymous"
	s.answer("metier", map[string]any{"wish": 2})
	s.surveys["vocation"] = thrice()
	b := after(s).visit("/feedback/metier?code=abeille-abeille-abeille")
	b.shows("réponses anonymes")
	b.hides(`name="code"`)
	w := s.do(call{method: "POST", path: "/feedback/metier", json: map[string]any{"answers": map[string]any{"wish": 2}, "code": "abeille-abeille-abeille"}})
	if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), `"code":"is for later waves`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Whatever is sent again from the browser's history after the answers have arrived is a change of them, in each wave.
func TestBackAfterSendingAWave(t *testing.T) {
	t.Parallel()
	inWaves(t, func(t *testing.T, s *site) {
		words := s.words("2")
		after(s)
		for _, row := range []struct {
			name, code string
			total      int
		}{{"joining", strings.ToUpper(words), 1}, {"alone", "", 2}} {
			b := s.visit("/feedback/metier")
			first := b.page
			b.send("q.wish@after", "4", "code", row.code)
			last := b.page
			b.send("q.plan@after", "yes")
			b.shows("Merci")
			thanks := b.address
			b.page = last
			b.send("q.plan@after", "no")
			b.shows("<dd>4</dd>", "<dd>Non</dd>")
			if b.address != thanks {
				t.Errorf("%s: sent again: %s, not %s", row.name, b.address, thanks)
			}
			b.page = first
			b.send("q.wish@after", "1", "code", row.code)
			b.shows("Page 2 sur 2", "Enregistrer les changements")
			b.hides(`name="token"`, `name="code"`)
			b.send()
			b.shows("Vos changements sont enregistrés", "<dd>1</dd>")
			s.respondents(t, row.total)
		}
		if diff := cmp.Diff(map[string]any{"wish@before": 2.0, "plan@before": "no", "wish@after": 1.0, "plan@after": "no"}, s.said(words)); diff != "" {
			t.Error(diff)
		}
	})
}

// The words were typed, and then taken away, or the other way round: still no second answer.
func TestBackWithoutTheWords(t *testing.T) {
	t.Parallel()
	inWaves(t, func(t *testing.T, s *site) {
		words := s.words("2")
		after(s)
		send := func(code string) (first, last url.Values) {
			b := s.visit("/feedback/metier")
			first = b.form("q.wish@after", "4", "code", code)
			b.post(first)
			last = b.form()
			b.post(last)
			b.shows("Merci")
			return first, last
		}
		for _, form := range func() []url.Values { a, b := send(words); return []url.Values{a, b} }() {
			w := s.do(call{method: "POST", path: "/feedback/metier", form: with(form, "code", "")})
			if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "déjà envoyées") || !strings.Contains(w.Body.String(), "Les trois mots") {
				t.Errorf("without the words: %d %s", w.Code, w.Body)
			}
		}
		s.respondents(t, 1)
		_, last := send("")
		w := s.do(call{method: "POST", path: "/feedback/metier", form: with(last, "code", words)})
		if w.Code != http.StatusSeeOther || strings.Contains(w.Header().Get("Location"), words) {
			t.Errorf("with the words: %d %s", w.Code, w.Header().Get("Location"))
		}
		s.respondents(t, 2)
	})
}

// A draft holds no words, and its address does.
func TestDraftsHoldNoWords(t *testing.T) {
	t.Parallel()
	s := one(t, withThrice)
	words := s.words("2")
	b := after(s).visit("/feedback/metier?code=" + words)
	form := b.form("q.wish@after", "4", "code", words)
	b.post(form)
	draft, err := s.asked().Draft(t.Context(), form.Get("token"))
	if got := fmt.Sprint(draft); err != nil || strings.Contains(got, "-") || !strings.Contains(got, "wish@after") {
		t.Errorf("%s %v", got, err)
	}
	b.send("do", "back")
	b.shows(`name="code" value="` + words + `"`)
}

// A program that repeats itself joins once; under another key it changes the wave.
func TestKeysOfWaves(t *testing.T) {
	t.Parallel()
	inWaves(t, func(t *testing.T, s *site) {
		words := s.words("2")
		after(s)
		key := rand.Text()
		for _, row := range []struct {
			name, key string
			wish      int
			code      int
		}{
			{"first", key, 4, 201}, {"again", key, 4, 201}, {"others under its key", key, 5, 422}, {"under another", rand.Text(), 5, 201}, {"without", "", 3, 201},
		} {
			body := map[string]any{"answers": map[string]any{"wish": row.wish}, "code": words, "lang": "en"}
			if row.key != "" {
				body["key"] = row.key
			}
			w := s.do(call{method: "POST", path: "/feedback/metier", json: body})
			fits(t, document(t), http.MethodPost, "/feedback/{session}", w)
			if w.Code != row.code || row.code == 201 && decode[map[string]string](t, w)["receipt"] != words {
				t.Errorf("%s: %d %s", row.name, w.Code, w.Body)
			}
		}
		if diff := cmp.Diff(map[string]any{"wish@before": 2.0, "plan@before": "no", "wish@after": 3.0}, s.said(words)); diff != "" {
			t.Error(diff)
		}
		s.respondents(t, 1)
	})
}

func TestQRWithWords(t *testing.T) {
	t.Parallel()
	s := one(t, withThrice)
	w := s.do(call{path: "/feedback/metier/qr.svg?code=Abeille+ACADÉMIE+zoologie"})
	same, err := page.QR("http://jauge.example/feedback/metier?code=abeille-academie-zoologie")
	if err != nil || w.Code != http.StatusOK || w.Body.String() != string(same) || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v %v", w.Code, w.Header(), err)
	}
	if w := s.do(call{path: "/feedback/metier/qr.svg?wave=after"}); w.Header().Get("Cache-Control") != "public, max-age=3600" {
		t.Errorf("without words: %v", w.Header())
	}
	if w := s.do(call{path: "/feedback/metier/qr.svg?code=x"}); w.Code != http.StatusNotFound {
		t.Errorf("what is no code: %d", w.Code)
	}
}

// A wave that has not opened says so, and one that is over takes answers all the same.
func TestWavesOutOfTime(t *testing.T) {
	t.Parallel()
	s := one(t, withThrice)
	s.visit("/feedback/metier?wave=later").shows("Cette page s&#39;ouvre le jeudi 14 mai 2020 à 19\u00a0h\u00a000 (UTC&#43;02:00)")
	s.at(start.AddDate(0, 1, 0))
	for _, path := range []string{"/feedback/metier", "/feedback/metier?wave=before"} {
		b := s.visit(path)
		b.hides("s&#39;ouvre le")
	}
	s.words("3")
	s.respondents(t, 1)
}

// TestUnlinkedWavesStayApart: where nobody was promised that waves are linked, an answer to one cannot be extended by another,
// and its change asks what it answered.
func TestUnlinkedWavesStayApart(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		survey := kinds()
		survey.Anonymity = "anonymous"
		s.surveys["vocation"] = survey
		w := s.do(call{method: "POST", path: "/feedback/metier", json: map[string]any{"wave": "before", "answers": map[string]any{"age": 17, "agree": true}}})
		if w.Code != http.StatusCreated {
			t.Fatal(w.Code, w.Body)
		}
		path := "/feedback/metier/answers/" + decode[map[string]string](t, w)["receipt"]
		after(s)
		if page := s.do(call{method: "POST", path: path, form: url.Values{"do": {"change"}}}).Body.String(); !strings.Contains(page, `name="q.age@before" `) && !strings.Contains(page, `name="q.age@before"`) {
			t.Errorf("the change asks %s", page)
		}
		w = s.do(call{method: "PUT", path: path, json: map[string]any{"answers": map[string]any{"agree@after": true, "stayed@after": true}}})
		if w.Code != http.StatusUnprocessableEntity {
			t.Errorf("another wave: %d %s", w.Code, w.Body)
		}
	})
}

// What is promised to minors is the same whichever way the first answer comes: that no two of their answers are kept together.
func TestMinorsArePromisedTheSameEitherWay(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s := newSite(t, rdb, prefix, withThrice)
		for _, id := range []string{"form", "hook"} {
			session := planned()[0]
			session.ID, session.Minors, session.Rooms = id, true, []programme.Room{{Source: "standard", ID: id}}
			if err := s.deps.Programme.Put(t.Context(), session); err != nil {
				t.Fatal(err)
			}
		}
		s.answer("form", map[string]any{"wish": 2})
		body := fmt.Appendf(nil, `{"type":"answers.submitted","timestamp":%q,"data":{"room":"hook","submission":"s","answers":{"wish@before":2}}}`, start.Format(time.RFC3339))
		if w := s.post("standard", "application/json", body); w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for _, id := range []string{"form", "hook"} {
			promised, err := rdb.HGetAll(t.Context(), prefix+"{"+id+"}:fb:promise").Result()
			if diff := cmp.Diff(map[string]string{"level": "anonymous", "k": "5", "minors": "1"}, promised); diff != "" || err != nil {
				t.Errorf("%s: %s %v", id, diff, err)
			}
		}
	})
}
