package main

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jauge/attendance"
	"jauge/internal/redistest"
	"jauge/platforms"
)

// How often each fault is played in the test of faults under load, and for how long Redis hangs: longer than a call may take. The load goes on for a
// second between two faults.
var (
	faults = flag.Int("faults", 1, "how often each fault of Redis is played")
	frozen = flag.Duration("frozen", 1500*time.Millisecond, "how long Redis hangs")
)

const (
	hall  = 32 // clients at once
	visit = time.Minute
)

// Redis is killed, or hangs, while two replicas take webhooks: no platform is told anything but 200, and what was acknowledged is counted
// once, whichever replica heard of it, and whether it had to be kept on disk or not.
func TestFaultsOfRedisUnderLoad(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*testing.T, *redistest.Server){
		"killed": func(t *testing.T, server *redistest.Server) {
			t.Helper()
			server.Kill()
			time.Sleep(*frozen / 5) // it is away for as long as this
			if err := server.Start(); err != nil {
				t.Error(err)
			}
		},
		"hanging": func(_ *testing.T, server *redistest.Server) {
			server.Pause()
			time.Sleep(*frozen) // it hangs for as long as this
			server.Resume()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, err := redistest.StartServer("--appendonly", "yes", "--appendfsync", "always")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(server.Stop)
			config, url := todaysTalk(), "JAUGE_REDIS_URL="+server.URL()
			c := newCaller(t, start(t, config, url), start(t, config, url))
			c.begin()
			for range *faults {
				time.Sleep(time.Second / 2) // the load goes on before
				fault(t, server)
				time.Sleep(time.Second / 2) // and after
			}
			c.end()
			for _, p := range c.replicas {
				await(t, "the journal to be drained", func() bool { return strings.Contains(p.everyMetric(), "\njauge_journal_pending 0\n") })
			}
			c.check()
		})
	}
}

// caller is a platform that sends a join and a leave of one person after the other, each to one of the replicas, and some to both.
type caller struct {
	t        *testing.T
	replicas []*program
	client   *http.Client
	from     time.Time
	all      sync.WaitGroup
	over     chan struct{}
	people   atomic.Int64
	sent     atomic.Int64
	slowest  atomic.Int64 // ns
}

func newCaller(t *testing.T, replicas ...*program) *caller {
	transport := &http.Transport{MaxIdleConnsPerHost: hall}
	t.Cleanup(transport.CloseIdleConnections)
	return &caller{
		t: t, replicas: replicas, client: &http.Client{Transport: transport}, over: make(chan struct{}),
		from: time.Now().Add(-20 * time.Minute).Truncate(time.Second),
	}
}

func (c *caller) begin() {
	for range hall {
		c.all.Go(func() {
			for {
				select {
				case <-c.over:
					return
				default:
					c.visit(int(c.people.Add(1)))
				}
			}
		})
	}
}

func (c *caller) end() {
	close(c.over)
	c.all.Wait()
	c.t.Logf("%d webhooks of %d people, the slowest answer after %s", c.sent.Load(), c.people.Load(), time.Duration(c.slowest.Load()).Round(time.Millisecond))
}

// visit sends what a platform says of one person's stay of a minute; of some, it says all of it twice, or the leave first.
func (c *caller) visit(i int) {
	join := attendance.Event{
		Kind: attendance.Joined, Room: "hall", Occurrence: "one", Attendee: fmt.Sprint("person ", i), Connection: fmt.Sprint("tab ", i),
		At: c.from.Add(time.Duration(i%600) * time.Second),
	}
	leave := join
	leave.Kind, leave.At = attendance.Left, join.At.Add(visit)
	said := []attendance.Event{join, leave}
	switch i % 5 {
	case 3:
		said = []attendance.Event{join, leave, join, leave}
	case 4:
		said = []attendance.Event{leave, join}
	}
	for k, e := range said {
		c.send(c.replicas[(i+k/2)%len(c.replicas)], e)
	}
}

func (c *caller) send(p *program, e attendance.Event) {
	contentType, body := platforms.Dialects["standard"].Encode(e)
	signed := platforms.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {contentType}}, Body: body, Now: time.Now()}
	platforms.Dialects["standard"].Sign(relay, &signed)
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, p.url+"/webhooks/relay", strings.NewReader(string(body)))
	if err != nil {
		c.t.Error(err)
		return
	}
	r.Header = signed.Header
	began := time.Now()
	answer, err := c.client.Do(r)
	if err != nil {
		c.t.Error(err)
		return
	}
	defer answer.Body.Close() //nolint:errcheck // read only
	text, _ := io.ReadAll(answer.Body)
	took := int64(time.Since(began))
	for was := c.slowest.Load(); took > was && !c.slowest.CompareAndSwap(was, took); was = c.slowest.Load() {
	}
	if c.sent.Add(1); answer.StatusCode != http.StatusOK {
		c.t.Errorf("%d %s", answer.StatusCode, text)
	}
}

// check holds the figures of every replica against what was sent, and against the marks.
func (c *caller) check() {
	c.t.Helper()
	for i, p := range c.replicas {
		people := float64(c.people.Load())
		var got map[string]any
		await(c.t, "the stays of a large session to be summed up", func() bool {
			got = p.attendance("talk")
			return got["watch_seconds"] != nil
		})
		if got["unique"] != people || got["watch_seconds"] != people*visit.Seconds() || got["present"] != 0.0 {
			c.t.Errorf("replica %d: %v people of %v, for %v s of %v, %v present", i, got["unique"], people, got["watch_seconds"], people*visit.Seconds(), got["present"])
		}
	}
	if code, out, err := c.replicas[0].command("verify"); code != exitOK || !strings.Contains(out, "talk: every count agrees with the marks") {
		c.t.Errorf("verify: %d %s %s", code, out, err)
	}
}
