package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"jauge/internal/redistest"
)

// twoPages is a session that is going on, with a survey of two pages and a privacy notice.
func twoPages() string {
	now := time.Now().UTC()
	return fmt.Sprintf(`
sessions:
  - id: talk
    title: {en: A talk}
    starts_at: %s
    ends_at: %s
    survey: pages
    notice: {controller: Friends of talks, purpose: {en: To plan the next one.}, legal_basis: {en: Consent}, contact: data@friends.example}
surveys:
  - id: pages
    title: {en: Pages}
    sections:
      - questions: [{id: rating, kind: scale, min: 1, max: 5, required: true, label: {en: Rating}}]
      - questions: [{id: words, kind: text, label: {en: Words}}]
`, now.Add(-30*time.Minute).Format(time.RFC3339), now.Add(30*time.Minute).Format(time.RFC3339))
}

// fill sends a page of the form at an address of the service and returns where that leads.
func (p *program) fill(address string, changes url.Values) string {
	p.t.Helper()
	code, page := p.do(http.MethodGet, address, http.Header{}, nil)
	if code != http.StatusOK {
		p.t.Fatalf("%s: %d %s", address, code, page)
	}
	for _, field := range regexp.MustCompile(`type="hidden" name="([^"]+)" value="([^"]*)"`).FindAllSubmatch(page, -1) {
		changes.Set(string(field[1]), string(field[2]))
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := client.PostForm(p.url+"/feedback/talk", changes)
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close() //nolint:errcheck // read only
	if r.StatusCode != http.StatusSeeOther {
		text, _ := io.ReadAll(r.Body)
		p.t.Fatalf("%d %s", r.StatusCode, text)
	}
	return r.Header.Get("Location")
}

func (p *program) shows(address string, texts ...string) {
	p.t.Helper()
	code, page := p.do(http.MethodGet, address, http.Header{}, nil)
	for _, text := range texts {
		if code != http.StatusOK || !strings.Contains(string(page), text) {
			p.t.Errorf("%s: %d, and no %q in\n%s", address, code, text, page)
		}
	}
}

// Killed in the middle of a form and started again, the service has what was sent of it; on the embedded store and on Redis.
func TestFormsSurviveAKill(t *testing.T) {
	t.Parallel()
	server, err := redistest.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	for name, env := range map[string][]string{"embedded": nil, "redis": {"JAUGE_REDIS_URL=" + server.PatientURL()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, twoPages(), env...)
			first := p.fill("/feedback/talk", url.Values{"q.rating": {"4"}})
			other := p.fill("/feedback/talk", url.Values{"q.rating": {"2"}})
			p.kill()
			p.restart()
			p.shows(first, "Page 2", `name="q.rating" value="4"`)
			thanks := p.fill(first, url.Values{"q.words": {"Still here"}})
			p.shows(thanks, "Still here", "<dd>4</dd>")
			p.kill()
			p.restart()
			p.shows(first, `name="receipt"`) // it was sent
			p.shows(other, `name="q.rating" value="2"`)
			p.shows("/feedback/talk/notice", "Friends of talks", "To plan the next one.", "Consent", "mailto:data@friends.example")
		})
	}
}

// A program that repeats what it sent, because the answer was lost with the service, has the same receipt and counts once.
func TestIdempotencyKeySurvivesAKill(t *testing.T) {
	t.Parallel()
	p := start(t, todaysTalk())
	send := func(rating int) (int, string) {
		t.Helper()
		code, text := p.do(http.MethodPost, "/feedback/talk", http.Header{
			"Content-Type": {"application/json"}, "Idempotency-Key": {`"8e03978e-40d5-43e8-bc93-6894a57f9324"`},
		}, fmt.Appendf(nil, `{"answers": {"rating": %d}}`, rating))
		return code, string(text)
	}
	_, receipt := send(4)
	p.kill()
	p.restart()
	if code, again := send(4); code != http.StatusCreated || again != receipt {
		t.Errorf("again: %d %s, not %s", code, again, receipt)
	}
	if code, text := send(5); code != http.StatusUnprocessableEntity {
		t.Errorf("others: %d %s", code, text)
	}
	if got := p.api("/api/v1/sessions/talk")["feedback"].(map[string]any)["respondents"]; got != 1.0 {
		t.Errorf("%v respondents", got)
	}
}
