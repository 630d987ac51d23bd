package simulator

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jauge/attendance"
	"jauge/platforms"
)

// patience is how long a condition may take on a loaded machine.
const patience = 5 * time.Minute

func atOnce(ctx context.Context, _ time.Time) error { return ctx.Err() }

// Without faults the room opens before anybody comes, joins come before their leaves, and the end comes last, however
// many requests are under way at once.
func TestPlayKeepsTheOrder(t *testing.T) {
	t.Parallel()
	p := performance(t, "standard", Options{Attendees: 60, Seed: 1, Start: planned})
	var mu sync.Mutex
	var order []attendance.Event
	underWay, most := 0, 0
	overtaken := make(chan struct{})
	var once, second sync.Once
	err := p.Play(t.Context(), 8, atOnce, func(_ context.Context, d Delivery) error {
		got, err := platforms.Dialects["standard"].Decode(p.Sources[0], d.Request(d.At))
		mu.Lock()
		underWay++
		most = max(most, underWay)
		order = append(order, got.Events...)
		mu.Unlock()
		if d.Lane >= 0 {
			first := false
			once.Do(func() { first = true })
			if first { // a slow one: others overtake it
				select {
				case <-overtaken:
				case <-time.After(patience):
				}
			} else {
				second.Do(func() { close(overtaken) })
			}
		}
		mu.Lock()
		underWay--
		mu.Unlock()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(order) != p.Truth.Requests {
		t.Fatalf("%d of %d deliveries were sent", len(order), p.Truth.Requests)
	}
	if order[0].Kind != attendance.Started || order[len(order)-1].Kind == attendance.Started {
		t.Errorf("first %s, last %s", order[0].Kind, order[len(order)-1].Kind)
	}
	if most < 2 || most > 8 {
		t.Errorf("up to %d requests at once", most)
	}
	joined := map[string]bool{}
	ended := time.Time{}
	for _, e := range order {
		switch e.Kind {
		case attendance.Joined:
			joined[e.Connection] = true
		case attendance.Left:
			if !joined[e.Connection] {
				t.Errorf("%s left before it joined", e.Connection)
			}
		case attendance.Ended:
			ended = e.At
		}
		if !ended.IsZero() && e.At.Before(ended) {
			t.Errorf("%s of %s came after the end at %s", e.Kind, e.At, ended)
		}
	}
}

func TestPlayEndsWithTheFirstError(t *testing.T) {
	t.Parallel()
	p := performance(t, "standard", Options{Attendees: 60, Seed: 1, Start: planned})
	wrong := errors.New("wrong")
	var sent atomic.Int64
	err := p.Play(t.Context(), 4, atOnce, func(context.Context, Delivery) error {
		if sent.Add(1) == 10 {
			return wrong
		}
		return nil
	})
	if !errors.Is(err, wrong) || sent.Load() > 20 {
		t.Errorf("%v after %d requests", err, sent.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = p.Play(ctx, 4, func(ctx context.Context, _ time.Time) error { cancel(); return ctx.Err() },
		func(context.Context, Delivery) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// answering starts a service that gives the listed answers, the last one again and again.
func answering(t *testing.T, answers ...http.HandlerFunc) (Poster, *atomic.Int64) {
	t.Helper()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := asked.Add(1)
		answers[min(int(n), len(answers))-1](w, r)
	}))
	t.Cleanup(server.Close)
	return Poster{URL: server.URL, Client: server.Client(), Now: func() time.Time { return planned }, Patience: patience}, &asked
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

var gaveUp = regexp.MustCompile(`gave up after \d+s:`)

func TestPost(t *testing.T) {
	t.Parallel()
	p := performance(t, "standard", Options{Attendees: 1, Start: planned})
	genuine := p.Deliveries[0]
	forged := genuine
	forged.Forged, forged.body = true, []byte("{}")
	later := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	for _, tt := range []struct {
		name     string
		delivery Delivery
		answers  []http.HandlerFunc
		asked    int64
		want     string
	}{
		{"taken", genuine, []http.HandlerFunc{status(200)}, 1, ""},
		{"busy, then taken", genuine, []http.HandlerFunc{status(503), status(429), status(200)}, 3, ""},
		{"busy for longer than we wait", genuine, []http.HandlerFunc{later}, 1, "gave up: the service at URL cannot take requests: 503 Service Unavailable"},
		{
			"another secret", genuine, []http.HandlerFunc{status(401)}, 1,
			"the service refuses what source standard signs (401): its secret for this source differs from the configuration's, or its clock does from ours",
		},
		{"another configuration", genuine, []http.HandlerFunc{status(404)}, 1, "the service has no source standard (404): it runs on another configuration"},
		{"a mistake", genuine, []http.HandlerFunc{status(400)}, 1, "the service does not take what source standard sends: 400 Bad Request"},
		{"forged and refused", forged, []http.HandlerFunc{status(401)}, 1, ""},
		{"forged and taken", forged, []http.HandlerFunc{status(200)}, 1, "a forged request of source standard was not refused: 200 OK"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			poster, asked := answering(t, tt.answers...)
			got := ""
			if err := poster.Post(t.Context(), tt.delivery); err != nil {
				got = gaveUp.ReplaceAllString(strings.ReplaceAll(err.Error(), poster.URL, "URL"), "gave up:")
			}
			if got != tt.want || asked.Load() != tt.asked {
				t.Errorf("got %q after %d requests, want %q after %d", got, asked.Load(), tt.want, tt.asked)
			}
		})
	}
}

// What arrives is what the platform would send: the path, the content type, a signature that fits the body.
func TestPostSigns(t *testing.T) {
	t.Parallel()
	for platform := range secrets {
		p := performance(t, platform, Options{Attendees: 1, Start: planned})
		poster, asked := answering(t, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			verdict := platforms.Dialects[platform].Verify(p.Sources[0], platforms.Request{Method: r.Method, Header: r.Header, Query: r.URL.Query(), Body: body, Now: planned})
			path := "/webhooks/" + platform
			if platform == "jitsi" {
				path += "/events/room/created"
			}
			if err != nil || verdict != nil || r.URL.Path != path || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/") {
				t.Errorf("%s: %v, %v, %s %s", platform, err, verdict, r.URL.Path, r.Header.Get("Content-Type"))
			}
			w.WriteHeader(http.StatusOK)
		})
		poster.URL += "/" // as people type it
		if err := poster.Post(t.Context(), p.Deliveries[0]); err != nil || asked.Load() != 1 {
			t.Errorf("%s: %v", platform, err)
		}
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(status(200))
	poster := Poster{URL: server.URL, Client: &http.Client{}, Now: time.Now, Patience: 250 * time.Millisecond}
	if err := poster.Reach(t.Context()); err != nil {
		t.Errorf("somebody there: %v", err)
	}
	server.Close()
	p := performance(t, "standard", Options{Attendees: 1, Start: planned})
	if err := poster.Reach(t.Context()); err == nil || !strings.Contains(err.Error(), "is jauge serve running there?") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("reach: %v", err)
	}
	if err := poster.Post(t.Context(), p.Deliveries[0]); err == nil || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("post: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := poster.Post(ctx, p.Deliveries[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
