package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/internal/redistest"
)

// naming lists every way in which three words can be named, each in a spelling of its own that means the same.
func naming(words string) []call {
	w := strings.Split(words, "-")
	answers := func(separator string) string {
		return "/feedback/metier/answers/" + url.PathEscape(strings.Join(w, separator))
	}
	return []call{
		{path: answers("-")},
		{path: answers("1")},
		{path: answers(" 0"), header: map[string]string{"Accept": "application/json"}},
		{path: answers("٣")}, // a digit all the same
		{path: "/feedback/metier/answers/" + strings.ToUpper(strings.Join(w, "."))},
		{method: "POST", path: answers("2"), form: url.Values{"do": {"change"}}},
		{method: "PUT", path: answers("_3_"), json: map[string]any{"answers": map[string]any{"wish@before": 4}}},
		{method: "POST", path: answers("__"), json: map[string]any{"answers": map[string]any{"wish@before": 4}}},
		{path: "/feedback/metier?code=" + url.QueryEscape(strings.Join(w, "7"))},
		{method: "POST", path: "/feedback/metier", form: url.Values{"page": {"1"}, "q.wish@after": {"1"}, "code": {strings.Join(w, "8")}}},
		{method: "POST", path: "/feedback/metier", json: map[string]any{"answers": map[string]any{"wish": 4}, "code": strings.Join(w, "9 9")}},
		{method: "DELETE", path: answers("4")},
	}
}

// However many come at once, and however they write them, an address tries no more wrong words than its budget; then the right
// ones are refused as well, in every way, and codes are not.
func TestParallelGuesses(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s := newSite(t, rdb, prefix, withThrice)
		words := s.words("2")
		s.at(start.Add(2 * time.Hour))
		wrong := naming("abeille-abeille-abeille")
		var mu sync.Mutex
		tried, refused := 0, 0
		var wg sync.WaitGroup
		for i := range 40 * len(wrong) {
			wg.Go(func() {
				w := s.do(wrong[i%len(wrong)])
				mu.Lock()
				defer mu.Unlock()
				switch w.Code {
				case http.StatusTooManyRequests:
					refused++
				case http.StatusNotFound, http.StatusUnprocessableEntity:
					tried++
				default:
					t.Errorf("%s %s: %d", wrong[i%len(wrong)].method, wrong[i%len(wrong)].path, w.Code)
				}
			})
		}
		wg.Wait()
		if tried != guessBurst {
			t.Errorf("%d were tried, %d refused", tried, refused)
		}
		for _, c := range naming(words) {
			if w := s.do(c); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "15" {
				t.Errorf("%s %s: %d", c.method, c.path, w.Code)
			}
		}
		for path, code := range map[string]int{
			"/feedback/metier/answers/7M2K-0VXQ-9RTB-H4EZ": 404, "/feedback/metier/answers/x": 404, "/feedback/metier/answers/un-deux": 404,
			"/feedback/metier?code=7M2K-0VXQ-9RTB-H4EZ": 422, "/feedback/metier": 200,
		} {
			for range 40 {
				if w := s.do(call{path: path}); w.Code != code {
					t.Fatalf("%s: %d", path, w.Code)
				}
			}
		}
	})
}

// Who is right uses nothing up, in whatever way; nor does who finds the store away, or a drawing of words, which are looked up
// nowhere.
func TestRightWordsCostNothing(t *testing.T) {
	t.Parallel()
	s := one(t, withThrice)
	words := s.words("2")
	s.at(start.Add(2 * time.Hour))
	ways := naming(words)
	for i := range 200 {
		if w := s.do(ways[i%(len(ways)-1)]); w.Code >= 400 { // the last one deletes
			t.Fatalf("%d: %s %s: %d %s", i, ways[i%(len(ways)-1)].method, ways[i%(len(ways)-1)].path, w.Code, w.Body)
		}
	}
	var drawings []string
	for _, code := range []string{words, "abeille-abeille-abeille"} {
		for range 40 {
			w := s.do(call{path: "/feedback/metier/qr.svg?code=" + code})
			if w.Code != http.StatusOK {
				t.Fatalf("a drawing of %s: %d", code, w.Code)
			}
			drawings = append(drawings, w.Header().Get("Cache-Control"))
		}
	}
	if drawings[0] != drawings[len(drawings)-1] {
		t.Error("a drawing tells whether words are somebody's")
	}
	for range guessBurst {
		if w := s.do(call{path: "/feedback/metier/answers/abeille-abeille-abeille"}); w.Code != http.StatusNotFound {
			t.Fatalf("something was used up: %d", w.Code)
		}
	}
}

// Wrong words from everywhere use up a session's budget, not that of another one; from one address they never do.
func TestGuessesInASession(t *testing.T) {
	t.Parallel()
	trusting := func(d *setup) { d.TrustedProxies = []string{"192.0.2.1"} }
	s := one(t, withThrice, trusting)
	words := s.words("2")
	s.at(start.Add(2 * time.Hour))
	from := func(address, path string) int {
		return s.do(call{path: path, header: map[string]string{"X-Forwarded-For": address}}).Code
	}
	const wrong, elsewhere = "/feedback/metier/answers/abeille-abeille-abeille", "/feedback/eleves/answers/abeille-abeille-abeille"
	right := "/feedback/metier/answers/" + words
	for minute := range 24 * 60 { // a day of guessing from one address
		for from("198.51.100.7", wrong) == http.StatusNotFound { // as often as it may
		}
		if code := from("198.51.100.8", right); code != http.StatusOK {
			t.Fatalf("after %d minutes, at another address: %d", minute, code)
		}
		s.at(s.deps.Now().Add(time.Minute))
	}
	tried := 0
	for i := range 400 {
		if from(fmt.Sprint("10.0.0.", i/2), wrong) == http.StatusNotFound {
			tried++
		}
	}
	if tried < 200 || tried > sessionGuessBurst {
		t.Errorf("%d were tried", tried)
	}
	if code := from("198.51.100.9", right); code != http.StatusTooManyRequests {
		t.Errorf("the next one: %d", code)
	}
	if code := from("198.51.100.9", elsewhere); code != http.StatusNotFound {
		t.Errorf("in another session: %d", code)
	}
}
