package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"jauge/attendance"
	"jauge/platforms"
)

func TestVerdicts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		target *Target
		rounds []float64
		value  float64
		want   Verdict
	}{
		{"no target", nil, []float64{1, 2}, 1.5, ""},
		{"reached by all", atLeast(1), []float64{1, 2, 3}, 2, Met},
		{"reached by most", atLeast(1.5), []float64{1, 2, 3}, 2, Met + Near},
		{"reached by few", atLeast(2.5), []float64{1, 2, 3}, 2, Missed + Near},
		{"below a bound", atMost(3), []float64{1, 2, 3}, 2, Met},
		{"above a bound", atMost(0), []float64{1}, 1, Missed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if r := row("", "", "", tt.target, tt.rounds, nil); r.Verdict != tt.want || r.Value != tt.value {
				t.Errorf("%v is %q, want %v and %q", r.Value, r.Verdict, tt.value, tt.want)
			}
		})
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for value, want := range map[float64]string{0: "0", 0.436: "0.44", 9.96: "9.96", 45.31: "45.3", 190.4: "190", 36612.7: "36,612", 1e6: "1,000,000", 3: "3"} {
		if got := number(value); got != want {
			t.Errorf("%v is written %s, want %s", value, got, want)
		}
	}
	if got := quantile([]float64{4, 1, 3, 2}, 0.5); got != 2.5 {
		t.Errorf("the median of four is %v", got)
	}
}

// Each person comes once and goes once, in both orders; live, nobody goes before they came, and overtaking, every second does.
func TestOrders(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]order{"live": live, "overtaking": overtaking} {
		const events = 4 * wave
		joined, left, early := map[int]int{}, map[int]int{}, 0
		for i := range events {
			person, leaves := in(i)
			if !leaves {
				joined[person]++
				continue
			}
			left[person]++
			if joined[person] == 0 {
				early++
			}
		}
		for person := range events / 2 {
			if joined[person] != 1 || left[person] != 1 {
				t.Fatalf("%s: person %d comes %d times and goes %d times", name, person, joined[person], left[person])
			}
		}
		if want := map[string]int{"live": 0, "overtaking": events / 4}[name]; early != want {
			t.Errorf("%s: %d leaves come before their join, want %d", name, early, want)
		}
	}
}

// What is sent is what the platform would send: the dialect accepts the signature, and reads the person, the stay and the moment.
func TestRequestsAreZooms(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := newCrowd("90000000000", now)
	v := newSigner(now).volley([]*crowd{c}, overtaking, 0, 4)
	source := platforms.Source{Name: "zoom", Platform: "zoom", Secrets: []string{zoomSecret}}
	seen := map[string][]attendance.Kind{}
	for i := range v.len() {
		head, body, _ := strings.Cut(string(v.at(i)), "\r\n\r\n")
		if want := fmt.Sprintf("Content-Length: %d", len(body)); !strings.HasSuffix(head, want) {
			t.Errorf("%q does not end with %s", head, want)
		}
		r := platforms.Request{Method: http.MethodPost, Body: []byte(body), Header: http.Header{}, Now: now}
		for line := range strings.SplitSeq(head, "\r\n") {
			if name, value, found := strings.Cut(line, ": "); found {
				r.Header.Set(name, value)
			}
		}
		dialect := platforms.Dialects["zoom"]
		if err := dialect.Verify(source, r); err != nil {
			t.Fatal(err)
		}
		d, err := dialect.Decode(source, r)
		if err != nil || len(d.Events) != 1 || len(d.Faults) > 0 {
			t.Fatalf("%+v, %v", d, err)
		}
		e := d.Events[0]
		if e.Room != c.room || e.Occurrence != c.occurrence || e.Connection == "" || e.Attendee == "" || e.At.Before(c.began) || e.At.After(now) {
			t.Errorf("%+v", e)
		}
		seen[e.Attendee] = append(seen[e.Attendee], e.Kind)
	}
	for attendee, kinds := range seen {
		if slices.Sort(kinds); !slices.Equal(kinds, []attendance.Kind{attendance.Joined, attendance.Left}) {
			t.Errorf("%s: %v", attendee, kinds)
		}
	}
	if len(seen) != 2 {
		t.Errorf("%d people, want 2", len(seen))
	}
}

// Each request arrives once and whole, over connections that are kept, whatever the shape of the answer.
func TestFire(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	got := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		got[string(body)]++
		mu.Unlock()
		switch r.URL.Path {
		case "/long":
			_, _ = w.Write(make([]byte, 1<<16))
		case "/parts":
			_, _ = io.WriteString(w, strings.Repeat("part ", 10_000))
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "end")
		case "/last":
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusSeeOther)
		case "/wrong":
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	t.Cleanup(server.Close)
	v, paths := &volley{}, []string{"/", "/long", "/parts", "/last", "/wrong"}
	const n = 500
	for i := range n {
		body := fmt.Sprintf("%05d", i)
		v.add(fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n%s", paths[i%len(paths)], body))
	}
	h, err := fire(t.Context(), v, aim{addresses: []string{server.Listener.Addr().String()}, connections: 8, lasting: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if h.answered != n || h.acknowledged != n-n/5 || h.other[http.StatusTeapot] != n/5 || len(h.latency) != n || len(got) != n {
		t.Errorf("%d answered, %d acknowledged, others %v, %d latencies, %d arrived", h.answered, h.acknowledged, h.other, len(h.latency), len(got))
	}
	for body, times := range got {
		if times != 1 {
			t.Errorf("%s arrived %d times", body, times)
		}
	}
}

func TestFireEnds(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	v := &volley{}
	v.add([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	endless := aim{addresses: []string{server.Listener.Addr().String()}, connections: 2, lasting: 50 * time.Millisecond, again: true}
	if h, err := fire(t.Context(), v, endless); err != nil || h.answered < 10 || h.took < endless.lasting || h.took > 100*endless.lasting {
		t.Errorf("%d answered in %s, %v", h.answered, h.took, err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := fire(cancelled, v, endless); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
