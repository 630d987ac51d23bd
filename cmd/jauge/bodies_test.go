package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"
)

// megabytes is n MiB that are never held: what comes before them, and the same letter again and again.
func megabytes(n int64, before string) (body io.Reader, length int64) {
	return io.MultiReader(strings.NewReader(before), io.LimitReader(letters{}, n<<20)), n<<20 + int64(len(before))
}

type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

// What a body may pretend to be, and how it begins.
var bodies = []struct{ name, contentType, before string }{
	{"a field in parts", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\n"},
	{"a file in parts", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n"},
	{"a form", "application/x-www-form-urlencoded", "token="},
	{"JSON", "application/json", `{"answers": {"rating": "`},
	{"raw", "application/octet-stream", ""},
}

// Bodies that are far too large, many at once, to every route that may take one: neither memory nor disk grows with them. -v
// prints what each costs.
func TestLargeBodiesLeaveMemoryFlat(t *testing.T) {
	temporary := t.TempDir()
	p := start(t, todaysTalk(), "TMPDIR="+temporary, "GOMEMLIMIT=64MiB") // it bounds the garbage that may pile up, and nothing that is held
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	routes := p.writing(t)
	for _, path := range routes { // what is made once is made now
		send(t, client, p.url, path, "application/json", strings.NewReader("{}"), 2)
	}
	before, most := p.memory(t, "VmRSS"), int64(0)
	t.Logf("%-64s %-18s %8s %8s %8s MiB", "route", "body", "before", "peak", "after")
	for _, route := range routes {
		for _, b := range bodies {
			p.forgetPeak(t)
			rss := p.memory(t, "VmRSS")
			for _, wave := range []struct{ n, size int }{{20, 30}, {6, 150}} {
				var wg sync.WaitGroup
				for i := range wave.n {
					wg.Go(func() {
						body, length := megabytes(int64(wave.size), b.before)
						if i%2 == 0 {
							length = -1 // in chunks: it does not say how large it is
						}
						send(t, client, p.url, route, b.contentType, body, length)
					})
				}
				wg.Wait()
			}
			peak := p.memory(t, "VmHWM")
			t.Logf("%-64s %-18s %8d %8d %8d", route, b.name, rss>>10, peak>>10, p.memory(t, "VmRSS")>>10)
			most = max(most, peak)
			if files, err := os.ReadDir(temporary); err != nil || len(files) > 0 {
				t.Errorf("%s, %s: files %v, %v", route, b.name, files, err)
			}
		}
	}
	after := p.memory(t, "VmRSS")
	t.Logf("in all: %d MiB before, %d at most, %d after", before>>10, most>>10, after>>10)
	if allowed := int64(overhead * 64 << 10); most-before > allowed || after-before > allowed {
		t.Errorf("memory grows from %d to %d KiB, and stays at %d", before, most, after)
	}
}

// writing lists the routes that may take a body, as the service documents them (a test of the handlers holds that document
// against the table of routes), and one that does not exist.
func (p *program) writing(t *testing.T) []string {
	t.Helper()
	var document struct{ Paths map[string]map[string]any }
	code, text := p.do(http.MethodGet, "/openapi.yaml", http.Header{}, nil)
	if err := yaml.Unmarshal(text, &document); err != nil || code != http.StatusOK {
		t.Fatal(code, err)
	}
	names := strings.NewReplacer("{session}", "talk", "{id}", "talk", "{source}", "relay", "{receipt}", "7M2K-0VXQ-9RTB-H4EZ", "{text}", "x", "{path}", "x")
	routes := []string{"POST /nothing", "PUT /login"}
	for path, methods := range document.Paths {
		for _, method := range []string{"post", "put", "patch", "delete"} {
			if methods[method] != nil {
				routes = append(routes, strings.ToUpper(method)+" "+names.Replace(path))
			}
		}
	}
	if len(routes) < 16 {
		t.Fatalf("only %v", routes)
	}
	slices.Sort(routes)
	return routes
}

// send sends a body as the organiser, as far as it is taken. What is cut off while it is on its way may be told by an error only.
func send(t *testing.T, client *http.Client, url, route, contentType string, body io.Reader, length int64) {
	method, path, _ := strings.Cut(route, " ")
	r, err := http.NewRequestWithContext(t.Context(), method, url+path, io.NopCloser(body))
	if err != nil {
		t.Error(err)
		return
	}
	r.ContentLength = length
	r.Header = http.Header{"Content-Type": {contentType}, "Authorization": {"Bearer " + token}}
	answer, err := client.Do(r)
	if err != nil {
		return
	}
	defer answer.Body.Close() //nolint:errcheck // read only
	if answer.StatusCode >= http.StatusInternalServerError {
		t.Errorf("%s: %d", route, answer.StatusCode)
	}
}

// memory reads a line of the process's status, in KiB.
func (p *program) memory(t *testing.T, name string) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), name+":")
	n, err := strconv.ParseInt(strings.Fields(rest + " x")[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// forgetPeak makes VmHWM begin anew (proc(5)).
func (p *program) forgetPeak(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

// Headers are limited on every listener, in size and, as the server that all of them are made of says, in time.
func TestHeadersAreLimited(t *testing.T) {
	t.Parallel()
	metrics := freeAddress(t)
	p := start(t, todaysTalk(), "JAUGE_METRICS_LISTEN="+metrics)
	for address, path := range map[string]string{p.url: "/healthz", "http://" + metrics: "/metrics"} {
		for size, want := range map[int]int{maxHeader / 2: http.StatusOK, 2 * maxHeader: http.StatusRequestHeaderFieldsTooLarge} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Filler", strings.Repeat("x", size))
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close() //nolint:errcheck // read only
			if answer.StatusCode != want {
				t.Errorf("%s%s with %d bytes: %d", address, path, size, answer.StatusCode)
			}
		}
	}
	s := newServer(nil, nil)
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout < s.ReadHeaderTimeout || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 {
		t.Errorf("a server that waits for ever: %+v", s.Server)
	}
}
