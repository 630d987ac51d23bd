package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jauge/internal/redistest"
)

var submissions = flag.Int("submissions", 1000, "how many people answer in the load test")

const clients = 200

// Many people answer at once, some of them twice by a double click, some change their mind: every answer counts once, as
// it was last, and nobody is told that the service failed.
func TestAnswersUnderLoad(t *testing.T) {
	server, err := redistest.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	for name, store := range map[string]struct {
		url    string
		people int
	}{"redis": {server.PatientURL(), *submissions}, "embedded": {"", *submissions / 5}} {
		t.Run(name, func(t *testing.T) {
			l := newLoad(start(t, todaysTalk(), "JAUGE_REDIS_URL="+store.url), store.people)
			began := time.Now()
			l.run()
			took := time.Since(began)
			t.Logf("%d submissions, %d requests from %d clients in %s: %.0f requests a second; by status: %v",
				store.people, l.sent.Load(), clients, took.Round(time.Millisecond), float64(l.sent.Load())/took.Seconds(), l.codes())
			l.check(store.url != "")
		})
	}
}

// load is the crowd, and what each of them said last.
type load struct {
	*program
	client *http.Client
	people int
	last   []int // rating by person
	sent   atomic.Int64
	status [600]atomic.Int64
}

func newLoad(p *program, people int) *load {
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	p.t.Cleanup(transport.CloseIdleConnections)
	return &load{program: p, people: people, last: make([]int, people), client: &http.Client{
		Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (l *load) run() {
	var crowd sync.WaitGroup
	for c := range clients {
		crowd.Go(func() {
			for person := c; person < l.people; person += clients {
				l.answer(person)
			}
		})
	}
	crowd.Wait()
}

// answer sends one person's form: of each twenty, one twice at once, and two once more with another answer.
func (l *load) answer(person int) {
	l.last[person] = 1 + person%5
	form := url.Values{"page": {"1"}, "do": {"next"}, "token": {rand.Text()}, "q.rating": {strconv.Itoa(l.last[person])}}
	send := func() string {
		return l.send(http.MethodPost, "/feedback/talk", "application/x-www-form-urlencoded", form.Encode(), http.StatusSeeOther)
	}
	if person%20 == 0 {
		var again sync.WaitGroup
		again.Go(func() { send() })
		defer again.Wait()
	}
	answer := send()
	if person%10 == 1 {
		l.last[person] = 1 + (person+2)%5
		l.send(http.MethodPut, answer, "application/json", fmt.Sprintf(`{"answers": {"rating": %d}}`, l.last[person]), http.StatusOK)
	}
}

// send gives the path that the answer leads to.
func (l *load) send(method, path, contentType, body string, want int) string {
	r, err := http.NewRequestWithContext(l.t.Context(), method, l.url+path, strings.NewReader(body))
	if err != nil {
		l.t.Error(err)
		return ""
	}
	r.Header.Set("Content-Type", contentType)
	answer, err := l.client.Do(r)
	if err != nil {
		l.t.Error(err)
		return ""
	}
	defer answer.Body.Close() //nolint:errcheck // read only
	text, _ := io.ReadAll(answer.Body)
	l.sent.Add(1)
	l.status[answer.StatusCode].Add(1)
	if answer.StatusCode != want {
		l.t.Errorf("%s: %d %.200s", method, answer.StatusCode, text)
	}
	to, _, _ := strings.Cut(answer.Header.Get("Location"), "?")
	return to
}

func (l *load) codes() map[int]int64 {
	codes := map[int]int64{}
	for code := range l.status {
		if n := l.status[code].Load(); n > 0 {
			codes[code] = n
		}
	}
	return codes
}

// check holds the figures against what was said, and the store's books against its rows.
func (l *load) check(beside bool) {
	l.t.Helper()
	want := map[string]int{}
	for _, rating := range l.last {
		want[strconv.Itoa(rating)]++
	}
	text, err := json.Marshal(l.api("/api/v1/sessions/talk/feedback"))
	if err != nil {
		l.t.Fatal(err)
	}
	var r struct {
		Respondents int
		Questions   []struct {
			N       int
			Choices []struct {
				Value string
				Count int
			}
		}
	}
	if err := json.Unmarshal(text, &r); err != nil {
		l.t.Fatal(err)
	}
	got := map[string]int{}
	for _, c := range r.Questions[0].Choices {
		got[c.Value] = c.Count
	}
	if diff := cmp.Diff(want, got); diff != "" || r.Respondents != l.people || r.Questions[0].N != l.people {
		l.t.Errorf("%d respondents, %d answers of %d people (-said +shown):\n%s", r.Respondents, r.Questions[0].N, l.people, diff)
	}
	if !beside { // the embedded store is verified from its journal, by a process of its own
		l.stop()
	}
	verify := exec.CommandContext(l.t.Context(), os.Args[0], append([]string{"verify"}, l.args[1:]...)...) //nolint:gosec // this very binary
	verify.Env = l.env
	out, err := verify.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("talk: every count agrees")) {
		l.t.Errorf("verify: %v %s", err, out)
	}
}
