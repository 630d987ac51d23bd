package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	hidden   = regexp.MustCompile(`type="hidden" name="([^"]+)" value="([^"]*)"`)
	theWords = regexp.MustCompile(`<p class="receipt">([a-z]+-[a-z]+-[a-z]+)</p>`)
)

// fillIn goes through the pages of a form, answering what they ask of these fields, and returns where that leads.
func (a *attacked) fillIn(address string, said url.Values) string {
	a.t.Helper()
	for range 5 {
		page := a.do(http.MethodGet, address, http.Header{"Accept": {"text/html"}}, "")
		form := url.Values{"do": {"next"}}
		for _, field := range hidden.FindAllStringSubmatch(page.Body.String(), -1) {
			form.Add(field[1], field[2])
		}
		for field, values := range said {
			if strings.Contains(page.Body.String(), `name="`+field+`"`) {
				form[field] = values
			}
		}
		w := a.do(http.MethodPost, "/feedback/talk", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, form.Encode())
		if address = w.Header().Get("Location"); w.Code != http.StatusSeeOther {
			a.t.Fatalf("%s: %d %s", address, w.Code, w.Body)
		}
		if strings.Contains(address, "/answers/") {
			return address
		}
	}
	a.t.Fatalf("the form does not end: %s", address)
	return ""
}

type pairJSON struct {
	Before, Now             string
	Matched, Up, Same, Down int
	Rate                    float64 `json:"match_rate"`
	Gain                    float64
}

// pair reads what changed in one question.
func (a *attacked) pair(now string) (respondents int, pair pairJSON) {
	a.t.Helper()
	var r struct {
		Respondents int
		Pairs       []pairJSON
	}
	if err := json.Unmarshal([]byte(a.get("/api/v1/sessions/talk/feedback")), &r); err != nil {
		a.t.Fatal(err)
	}
	for _, p := range r.Pairs {
		if p.Now == now {
			return r.Respondents, p
		}
	}
	return r.Respondents, pairJSON{}
}

// Twelve people answer before a meeting; ten of them come back at its end with their three words, whichever way, and two
// come who have none.
func TestWavesOfTwelvePeople(t *testing.T) {
	t.Parallel()
	ask := func(c *Config) { c.Sessions[0].Survey, c.Sessions[0].Segments = "vocation-waves", nil }
	attack(t, ask, func(t *testing.T, a *attacked) {
		words := make([]string, 12)
		for i := range words {
			lang := []string{"fr", "en"}[i%2]
			thanks := a.fillIn("/feedback/talk?wave=before&lang="+lang, url.Values{"q.interest@before": {fmt.Sprint(1 + i%3)}})
			page := a.do(http.MethodGet, thanks, http.Header{"Accept": {"text/html"}}, "").Body.String()
			found := theWords.FindStringSubmatch(page)
			if found == nil || !strings.Contains(page, "/feedback/talk?code="+found[1]) || !strings.Contains(page, "2026") {
				t.Fatalf("no three words, no link, or no date: %s", page)
			}
			words[i] = found[1]
		}
		a.restart(nil)

		// Those with 1 go up to 4 (i = 0, 3, 6, 9), those with 2 stay (1, 4, 7), those with 3 go down to 1 (2, 5, 8).
		for i, word := range words[:10] {
			said := url.Values{"q.interest@end": {[]string{"4", "2", "1"}[i%3]}, "code": {word}}
			address := "/feedback/talk?wave=end&lang=" + []string{"en", "fr"}[i%2] // the other language than before
			switch i % 3 {
			case 0:
				address += "&code=" + word
			case 1:
				said.Set("code", "  "+strings.ToUpper(strings.ReplaceAll(word, "-", "  "))+" ")
			case 2:
				said.Set("code", strings.ReplaceAll(strings.ReplaceAll(word, "e", "é"), "-", ", "))
			}
			if thanks := a.fillIn(address, said); !strings.Contains(thanks, "/answers/"+word+"?") {
				t.Errorf("%s leads to %s", said.Get("code"), thanks)
			}
		}
		for range 2 {
			a.fillIn("/feedback/talk?wave=end", url.Values{"q.interest@end": {"3"}})
		}
		want := pairJSON{Before: "interest@before", Now: "interest@end", Matched: 10, Up: 4, Same: 3, Down: 3, Rate: 10.0 / 14, Gain: 0.1}
		for range 2 {
			respondents, got := a.pair("interest@end")
			if diff := cmp.Diff(want, got); diff != "" || respondents != 14 {
				t.Errorf("%d respondents; the pair (-want +got):\n%s", respondents, diff)
			}
			a.restart(nil)
		}
		a.verify()

		if w := a.do(http.MethodDelete, "/feedback/talk/answers/"+words[0], http.Header{}, ""); w.Code != http.StatusNoContent {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if respondents, got := a.pair("interest@end"); respondents != 13 || cmp.Diff(want, got) != "" {
			t.Errorf("one deletion: %d respondents, %+v", respondents, got)
		}
		for _, word := range words[1:5] { // with four more of their group
			a.do(http.MethodDelete, "/feedback/talk/answers/"+word, http.Header{}, "")
		}
		want = pairJSON{Before: "interest@before", Now: "interest@end", Matched: 5, Up: 2, Same: 1, Down: 2, Rate: 5.0 / 9}
		if respondents, got := a.pair("interest@end"); respondents != 9 || cmp.Diff(want, got) != "" {
			t.Errorf("five deletions: %d respondents, %+v", respondents, got)
		}
		a.verify()
		a.holdsNone(words)
	})
}

// holdsNone searches the store and the journal for three words, in whichever way they could be written.
func (a *attacked) holdsNone(words []string) {
	a.t.Helper()
	var all strings.Builder
	for key, values := range dumped(a.t, a.service.stores.rdb) {
		all.WriteString(key + " " + strings.Join(values, " ") + "\n")
	}
	all.WriteString(journalOf(a.t, a.config))
	if !strings.Contains(all.String(), "interest@end") {
		a.t.Fatal("nothing was searched")
	}
	text := strings.ToLower(all.String())
	for _, word := range words {
		parts := strings.Split(word, "-")
		together := regexp.MustCompile(parts[0] + `[^a-z]{1,3}` + parts[1] + `[^a-z]{1,3}` + parts[2])
		if found := together.FindString(text); found != "" {
			a.t.Errorf("kept in clear: %s", found)
		}
	}
}
