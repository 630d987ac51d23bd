package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"jauge/internal/redistest"
)

// signIn opens a session and gives its cookie.
func (p *program) signIn() http.Header {
	p.t.Helper()
	r, err := http.DefaultTransport.RoundTrip(p.form("/login", http.Header{}, url.Values{"token": {token}}))
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close() //nolint:errcheck // nothing in it
	if len(r.Cookies()) != 1 {
		p.t.Fatalf("signed in: %d", r.StatusCode)
	}
	return http.Header{"Cookie": {r.Cookies()[0].Name + "=" + r.Cookies()[0].Value}}
}

func (p *program) form(path string, header http.Header, fields url.Values) *http.Request {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+path, strings.NewReader(fields.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header = header.Clone()
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func (p *program) logOut(cookie http.Header) {
	p.t.Helper()
	r, err := http.DefaultTransport.RoundTrip(p.form("/logout", cookie, nil))
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close() //nolint:errcheck // nothing in it
	if r.StatusCode != http.StatusSeeOther {
		p.t.Fatalf("logged out: %d", r.StatusCode)
	}
}

func (p *program) opens(cookie http.Header) bool {
	p.t.Helper()
	code, text := p.do(http.MethodGet, "/api/v1/sessions/talk/curve", cookie.Clone(), nil)
	if code != http.StatusUnauthorized && code != http.StatusOK {
		p.t.Fatalf("%d %s", code, text)
	}
	return code == http.StatusOK
}

// A copy of a cookie that was logged out opens nothing, in any process, whatever happens to it.
func TestLogoutHolds(t *testing.T) {
	t.Parallel()
	t.Run("on the embedded store, over a kill", func(t *testing.T) {
		t.Parallel()
		p := start(t, todaysTalk())
		gone, stays := p.signIn(), p.signIn()
		p.logOut(gone)
		for range 2 {
			if p.opens(gone) || !p.opens(stays) {
				t.Errorf("logged out: %v, signed in: %v", p.opens(gone), p.opens(stays))
			}
			p.kill()
			p.restart()
		}
	})
	t.Run("on Redis, in another replica and over a kill", func(t *testing.T) {
		t.Parallel()
		server, p := onRedis(t)
		other := start(t, todaysTalk(), "JAUGE_REDIS_URL="+server.URL())
		gone, stays := p.signIn(), p.signIn()
		p.logOut(gone)
		if p.opens(gone) {
			t.Error("it opens where it was logged out")
		}
		await(t, "the other replica to know", func() bool { return !other.opens(gone) })
		p.kill()
		p.restart()
		if p.opens(gone) || !p.opens(stays) || !other.opens(stays) {
			t.Error("after a kill it opens again, or another does not")
		}
	})
	t.Run("while Redis is away, there at once and everywhere later", func(t *testing.T) {
		t.Parallel()
		server, err := redistest.StartServer()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Stop)
		p, other := start(t, todaysTalk(), "JAUGE_REDIS_URL="+server.URL()), start(t, todaysTalk(), "JAUGE_REDIS_URL="+server.URL())
		gone := p.signIn()
		server.Pause()
		p.logOut(gone)
		if code, _ := p.do(http.MethodGet, "/api/v1/sessions/talk/curve", gone.Clone(), nil); code != http.StatusUnauthorized {
			t.Errorf("with Redis away: %d", code)
		}
		server.Resume()
		await(t, "the other replica to know", func() bool { return !other.opens(gone) })
	})
}
