package handlers

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jauge/handlers/lookup"
	"jauge/internal/redistest"
)

// listen opens the stream of the session metier on a real server and returns its lines.
func listen(t *testing.T, address string) (<-chan string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/sessions/metier/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+organiserToken)
	r.Header.Set("Accept-Encoding", "gzip")
	w, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	return linesOf(t, w), w.Header
}

// follow opens a stream with other credentials.
func follow(t *testing.T, address string, header map[string]string) <-chan string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	return linesOf(t, w)
}

func linesOf(t *testing.T, w *http.Response) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		defer w.Body.Close()
		for scanner := bufio.NewScanner(w.Body); scanner.Scan(); {
			select {
			case lines <- scanner.Text():
			case <-t.Context().Done():
				return
			}
		}
	}()
	return lines
}

// snapshotOf waits for the next snapshot.
func snapshotOf(t *testing.T, lines <-chan string) lookup.Object {
	t.Helper()
	event := ""
	for {
		select {
		case line, open := <-lines:
			if !open {
				t.Fatal("the stream ended")
			}
			if name, ok := strings.CutPrefix(line, "event: "); ok {
				event = name
			}
			data, ok := strings.CutPrefix(line, "data: ")
			if !ok {
				continue
			}
			var object lookup.Object
			if err := json.Unmarshal([]byte(data), &object); err != nil || event != "snapshot" {
				t.Fatalf("event %q: %v in %s", event, err, data)
			}
			return object
		case <-time.After(redistest.Patience):
			t.Fatalf("no snapshot within %s", redistest.Patience)
		}
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		drain, stop := context.WithCancel(t.Context())
		s.deps.Context = drain
		handler, err := New(s.deps)
		if err != nil {
			t.Fatal(err)
		}
		service := httptest.NewUnstartedServer(handler)
		service.Config.WriteTimeout = time.Nanosecond // which the stream outlives
		service.Start()
		defer service.Close()
		defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()

		lines, header := listen(t, service.URL)
		if header.Get("Content-Type") != "text/event-stream" || header.Get("X-Accel-Buffering") != "no" || header.Get("Content-Encoding") != "" {
			t.Errorf("headers %v", header)
		}
		first := snapshotOf(t, lines)
		if diff := cmp.Diff(decode[lookup.Object](t, s.get("/api/v1/sessions/metier")), first); diff != "" {
			t.Errorf("the first snapshot is not the session (-api +stream):\n%s", diff)
		}
		s.play(2)
		for got := snapshotOf(t, lines); *got.Attendance.Unique != 2; got = snapshotOf(t, lines) {
		}
		late, _ := listen(t, service.URL)
		if got := snapshotOf(t, late); *got.Attendance.Unique != 2 {
			t.Errorf("who comes later sees %d", *got.Attendance.Unique)
		}
		stop() // the server drains: both streams end
		for _, open := range []<-chan string{lines, late} {
			for range open {
			}
		}
		if w := s.do(call{path: "/sessions/none/stream", organiser: true}); w.Code != http.StatusNotFound {
			t.Errorf("a session that is not there: %d", w.Code)
		}
	})
}

// A stream ends with the grant that it was opened with: when that expires, and when somebody logs out.
func TestStreamEndsWithItsGrant(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		holds func(s *site) (map[string]string, string)
		end   func(s *site, header map[string]string)
	}{
		{"a cookie that is logged out", loggedIn, func(s *site, header map[string]string) {
			s.do(call{method: "POST", path: "/logout", header: header})
		}},
		{"a cookie that expires", loggedIn, func(s *site, _ map[string]string) { s.at(s.deps.Now().Add(organiserTime)) }},
		{"a link that expires", link("metier"), func(s *site, _ map[string]string) { s.at(s.deps.Now().Add(viewerTime)) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := one(t)
			service := httptest.NewServer(s.handler)
			t.Cleanup(service.Close) // after the streams: they end with the test
			header, query := row.holds(s)
			lines := follow(t, service.URL+"/sessions/metier/stream?"+query, header)
			byToken, _ := bearer(s)
			goesOn := follow(t, service.URL+"/sessions/metier/stream", byToken)
			snapshotOf(t, lines)
			snapshotOf(t, goesOn)
			row.end(s, header)
			for range lines { // until it ends
			}
			s.play(1)
			snapshotOf(t, goesOn)
		})
	}
}
