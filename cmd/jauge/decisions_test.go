package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// put creates or changes a session that begins in so many minutes, of an hour, in the room annexe.
func (p *program) put(method, id string, minutes int) {
	p.t.Helper()
	begin := time.Now().Add(time.Duration(minutes) * time.Minute).UTC()
	path, code := "/api/v1/sessions/"+id, http.StatusOK
	if method == http.MethodPost {
		path, code = "/api/v1/sessions", http.StatusCreated
	}
	body := fmt.Sprintf(`{"id":%q,"title":{"en":"Annexe"},"starts_at":%q,"ends_at":%q,"rooms":[{"source":"relay","id":"annexe"}]}`,
		id, begin.Format(time.RFC3339), begin.Add(time.Hour).Format(time.RFC3339))
	header := http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}}
	if got, text := p.do(method, path, header, []byte(body)); got != code {
		p.t.Fatalf("%s %s: %d %s", method, path, got, text)
	}
}

// joins sends the joins of some people in the room annexe.
func (p *program) joins(people ...string) {
	p.t.Helper()
	now := time.Now()
	for _, who := range people {
		body := fmt.Appendf(nil, `{"type":"attendee.joined","timestamp":%q,"data":{"room":"annexe","occurrence":"o","attendee":%q,"connection":%[2]q}}`,
			now.Add(-time.Minute).Format(time.RFC3339), who)
		p.post(relay, "application/json", body, now)
	}
}

// Who was counted in a session stays there, whatever sessions come to the same room, and whatever the file says after a restart.
func TestARestartMovesNobody(t *testing.T) {
	t.Parallel()
	for name, env := range eachStore(t) {
		t.Run(name, func(t *testing.T) {
			p := start(t, todaysTalk(), env...)
			holds := func(when string, first, second float64) {
				t.Helper()
				a, b := p.attendance("first")["unique"], p.attendance("second")["unique"]
				if a != first || b != second || p.api("/api/v1/aside")["total"] != 0.0 {
					t.Errorf("%s: %v in the first, %v in the second, %v aside", when, a, b, p.api("/api/v1/aside")["total"])
				}
			}
			p.joins("ann", "bob", "cid")
			p.put(http.MethodPost, "first", 10)
			p.put(http.MethodPost, "second", 7)
			holds("created", 3, 0)
			p.joins("ann", "dan") // the same meeting goes on
			holds("later", 4, 0)
			p.kill()
			p.restart()
			holds("after a restart", 4, 0)
			p.put(http.MethodPut, "first", 2) // postponed, so to say
			p.joins("eve")
			p.kill()
			p.revise("id: hall}", "id: hall}, {source: relay, id: annexe}")
			p.restart()
			holds("with another file", 5, 0)
			if n := p.attendance("talk")["unique"]; n != 0.0 {
				t.Errorf("%v came to the talk", n)
			}
		})
	}
}

// A session that is created while Redis is away is there at once, and so are its people, in the end.
func TestASessionIsCreatedWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	server := ownRedis(t)
	p := start(t, todaysTalk(), "JAUGE_REDIS_URL="+server.URL())
	server.Pause()
	p.put(http.MethodPost, "annexe", 0)
	p.joins("ann", "bob")
	server.Resume()
	await(t, "the people to be counted", func() bool {
		header := http.Header{"Authorization": {"Bearer " + token}}
		code, text := p.do(http.MethodGet, "/api/v1/sessions/annexe", header, nil)
		if code == http.StatusNotFound {
			t.Fatalf("not found: %s", text)
		}
		return strings.Contains(string(text), `"unique":2`)
	})
	p.kill()
	p.restart()
	if n := p.attendance("annexe")["unique"]; n != 2.0 {
		t.Errorf("%v after a restart", n)
	}
}
