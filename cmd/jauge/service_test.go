package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/attendance"
	"jauge/internal/redistest"
	"jauge/platforms"
)

var relay = platforms.Source{Name: "relay", Platform: "standard", Secrets: []string{"whsec_ZXhhbXBsZS1zZWNyZXQtb2YtdGhlLXByb2dyYW1tZSE="}}

// todaysTalk is a configuration of one session that is going on.
func todaysTalk() string {
	now := time.Now().UTC()
	return fmt.Sprintf(`
sources: [{name: relay, platform: standard, secrets: ["%s"]}]
sessions:
  - {id: talk, title: {en: A talk}, starts_at: %s, ends_at: %s, rooms: [{source: relay, id: hall}], survey: short}
surveys:
  - id: short
    title: {en: Short}
    questions: [{id: rating, kind: scale, min: 1, max: 5, required: true, label: {en: Rating}}]
`, relay.Secrets[0], now.Add(-30*time.Minute).Format(time.RFC3339), now.Add(30*time.Minute).Format(time.RFC3339))
}

func (p *program) send(kind attendance.Kind, person string, at time.Time) {
	p.t.Helper()
	contentType, body := platforms.Dialects["standard"].Encode(attendance.Event{
		Kind: kind, Room: "hall", Occurrence: "one", Attendee: person, Connection: "tab of " + person, At: at,
	})
	p.post(relay, contentType, body, time.Now())
}

// answer submits a rating and gives the receipt.
func (p *program) answer(rating int) string {
	p.t.Helper()
	body := fmt.Sprintf(`{"answers": {"rating": %d}}`, rating)
	code, text := p.do(http.MethodPost, "/feedback/talk", http.Header{"Content-Type": {"application/json"}}, []byte(body))
	var a struct{ Receipt string }
	if err := json.Unmarshal(text, &a); err != nil || code != http.StatusCreated || a.Receipt == "" {
		p.t.Fatalf("answer: %d %s", code, text)
	}
	return a.Receipt
}

// Killed and started again, the embedded store has every count and answer back, and the receipt still opens its answer.
func TestEmbeddedStoreSurvivesAKill(t *testing.T) {
	t.Parallel()
	p := start(t, todaysTalk())
	from := time.Now().Add(-20 * time.Minute).Truncate(time.Second)
	for i := range 12 {
		p.send(attendance.Joined, fmt.Sprint("person ", i), from.Add(time.Duration(i)*time.Second))
	}
	p.send(attendance.Left, "person 3", from.Add(5*time.Minute))
	receipts := []string{}
	for i := range 11 {
		receipts = append(receipts, p.answer(1+i%5))
	}
	if code, _ := p.do(http.MethodDelete, "/feedback/talk/answers/"+receipts[0], http.Header{}, nil); code/100 != 2 {
		t.Fatalf("delete: %d", code)
	}
	if code, text := p.do(http.MethodPost, "/api/v1/sessions/talk/declare", http.Header{
		"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"},
	}, []byte(`{"heads": 27}`)); code/100 != 2 {
		t.Fatalf("declare: %d %s", code, text)
	}
	before := p.api("/api/v1/sessions/talk")
	answers := p.api("/api/v1/sessions/talk/feedback")
	p.kill()
	p.restart()
	after := p.api("/api/v1/sessions/talk")
	for _, o := range []map[string]any{before, after} { // time went on for those who are in
		for _, figure := range []string{"measured", "watch_seconds", "watch_seconds_low", "stay_mean_seconds", "stay_median_seconds"} {
			delete(o["attendance"].(map[string]any), figure)
		}
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("after kill -9:\n%s", diff)
	}
	if diff := cmp.Diff(answers, p.api("/api/v1/sessions/talk/feedback")); diff != "" {
		t.Errorf("answers after kill -9:\n%s", diff)
	}
	if got := after["feedback"].(map[string]any)["respondents"]; got != 10.0 {
		t.Errorf("respondents %v", got)
	}
	if code, _ := p.do(http.MethodGet, "/feedback/talk/answers/"+receipts[1], http.Header{}, nil); code != http.StatusOK {
		t.Errorf("receipt: %d", code)
	}
	if code := p.stop(); code != exitOK {
		t.Errorf("SIGTERM: exit %d", code)
	}
}

// Two replicas on one Redis: webhooks spread over both, the same figures on both /metrics.
func TestTwoReplicasAgree(t *testing.T) {
	t.Parallel()
	server, err := redistest.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	config := todaysTalk()
	replicas := []*program{start(t, config, "JAUGE_REDIS_URL="+server.PatientURL()), start(t, config, "JAUGE_REDIS_URL="+server.PatientURL())}
	from := time.Now().Add(-20 * time.Minute).Truncate(time.Second)
	for i := range 30 {
		person := fmt.Sprint("person ", i)
		replicas[i%2].send(attendance.Joined, person, from.Add(time.Duration(i)*time.Second))
		if i%3 == 0 { // the leave goes to the other one
			replicas[(i+1)%2].send(attendance.Left, person, from.Add(time.Minute+time.Duration(i)*time.Second))
		}
		replicas[i%2].answer(1 + i%5)
	}
	names := []string{
		"jauge_session_attendees", "jauge_session_connections", "jauge_session_attendees_peak", "jauge_session_attendees_unique",
		"jauge_session_live", "jauge_feedback_respondents", "jauge_feedback_choices", "jauge_feedback_score",
	}
	first, second := replicas[0].metrics(names...), replicas[1].metrics(names...)
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the replicas differ:\n%s", diff)
	}
	for _, want := range []string{
		`jauge_session_attendees{session="talk"} 20`, `jauge_session_attendees_unique{session="talk"} 30`,
		`jauge_session_attendees_peak{session="talk"} 30`, `jauge_feedback_respondents{session="talk"} 30`,
		`jauge_feedback_choices{choice="3",question="rating",session="talk"} 6`,
	} {
		if !strings.Contains(first, want) {
			t.Errorf("no %s in\n%s", want, first)
		}
	}
}

// While Redis is away, webhooks and answers are still acknowledged; when it is back, they count.
func TestJournalBridgesAnAbsentRedis(t *testing.T) {
	t.Parallel()
	server, err := redistest.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	p := start(t, todaysTalk(), "JAUGE_REDIS_URL="+server.URL())
	from := time.Now().Add(-20 * time.Minute).Truncate(time.Second)
	p.send(attendance.Joined, "before", from)
	server.Pause()
	for i := range 5 {
		p.send(attendance.Joined, fmt.Sprint("meanwhile ", i), from.Add(time.Minute))
	}
	server.Resume()
	await(t, "the journal to be drained", func() bool { return p.attendance("talk")["unique"] == 6.0 })
}

// A platform waits three seconds for an answer: a Redis that says nothing must have been given up by then.
func TestRedisIsGivenUpBeforePlatformsGiveUp(t *testing.T) {
	t.Parallel()
	dial, err := parseRedisURL("redis://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	rdb := dial()
	defer rdb.Close() //nolint:errcheck // it was never used
	made := rdb.(*redis.Client).Options()
	tries := time.Duration(made.MaxRetries + 1)
	for what, longest := range map[string]time.Duration{
		"dial": tries * time.Duration(made.DialerRetries) * made.DialTimeout, "read": tries * made.ReadTimeout, "write": tries * made.WriteTimeout,
	} {
		if longest <= 0 || longest > 2500*time.Millisecond {
			t.Errorf("%s: up to %s", what, longest)
		}
	}
}

// A Redis that comes back empty is told of the sessions again.
func TestSessionsComeBackAfterFlushAll(t *testing.T) {
	t.Parallel()
	server, p := onRedis(t)
	rdb := server.Client()
	defer rdb.Close() //nolint:errcheck // nothing is pending
	if err := rdb.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	await(t, "the session to be back", func() bool {
		code, _ := p.do(http.MethodGet, "/feedback/talk", http.Header{}, nil)
		n, err := rdb.HLen(t.Context(), "jauge:sessions").Result()
		return code == http.StatusOK && n == 1 && err == nil
	})
}

func onRedis(t *testing.T) (*redistest.Server, *program) {
	t.Helper()
	server, err := redistest.StartServer("--enable-debug-command", "yes")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	return server, start(t, todaysTalk(), "JAUGE_REDIS_URL="+server.URL())
}

// Another secret key would make everybody a second person: it does not start.
func TestAnotherSecretKeyIsRefused(t *testing.T) {
	t.Parallel()
	server, p := onRedis(t)
	p.send(attendance.Joined, "ann", time.Now())
	for name, env := range map[string][]string{
		"redis":    {"JAUGE_REDIS_URL=" + server.URL(), "JAUGE_DATA_DIR=" + t.TempDir()},
		"data_dir": {"JAUGE_DATA_DIR=" + dataDirOf(t, p)},
	} {
		p.kill()                                                       // it holds the journal
		cmd := exec.CommandContext(t.Context(), os.Args[0], p.args...) //nolint:gosec // this very binary
		cmd.Env = append(append(slices.Clone(p.env), "JAUGE_REDIS_URL=", "JAUGE_SECRET_KEY="+strings.Repeat("another ", 5)), env...)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), errOtherKey.message) {
			t.Errorf("%s: %v %s", name, err, out)
		}
	}
}

func dataDirOf(t *testing.T, p *program) string {
	t.Helper()
	for _, v := range p.env {
		if dir, ok := strings.CutPrefix(v, "JAUGE_DATA_DIR="); ok {
			return dir
		}
	}
	t.Fatal("no data_dir")
	return ""
}

// verify looks at a Redis that a service works on, and changes nothing there.
func TestVerifyBesideARunningService(t *testing.T) {
	server, p := onRedis(t)
	p.send(attendance.Joined, "ann", time.Now())
	rdb := server.Client()
	defer rdb.Close() //nolint:errcheck // nothing is pending
	before, err := rdb.DBSize(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("JAUGE_REDIS_URL", server.URL())
	if code, out, text := call("verify"); code != exitOK || out != "talk: every count agrees with the marks\n" {
		t.Errorf("%d %s %s", code, out, text)
	}
	if err := rdb.HSet(t.Context(), "jauge:{talk}:inside", "1", "3|0|0|0").Err(); err != nil {
		t.Fatal(err)
	}
	if code, out, _ := call("verify", "talk"); code != exitFailed || !strings.Contains(out, "persons of label 1: stored 3, computed 1") {
		t.Errorf("drift: %d %s", code, out)
	}
	if code, out, _ := call("verify", "--repair"); code != exitOK || !strings.Contains(out, "repaired") {
		t.Errorf("repair: %d %s", code, out)
	}
	if after, err := rdb.DBSize(t.Context()).Result(); after != before || err != nil {
		t.Errorf("%d keys before, %d after (%v)", before, after, err)
	}
}

// A caller who never finishes does not make the stop a failure.
func TestStopWithAnUnfinishedRequest(t *testing.T) {
	t.Parallel()
	p := start(t, todaysTalk())
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // it is cut off
	if _, err := fmt.Fprint(conn, "POST /webhooks/relay HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	if code := p.stop(); code != exitOK {
		t.Errorf("exit %d\n%s", code, p.log)
	}
}

// A Redis that asks for a password it did not ask for before is away, not an answer to the entries.
func TestJournalWaitsForAPasswordToBeMended(t *testing.T) {
	t.Parallel()
	server, p := onRedis(t)
	rdb := server.Client()
	defer rdb.Close() //nolint:errcheck // nothing is pending
	if err := rdb.ConfigSet(t.Context(), "requirepass", "secret").Err(); err != nil {
		t.Fatal(err)
	}
	if err := rdb.Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		p.send(attendance.Joined, fmt.Sprint("person ", i), time.Now())
	}
	if err := rdb.ConfigSet(t.Context(), "requirepass", "").Err(); err != nil {
		t.Fatal(err)
	}
	await(t, "the journal to be drained", func() bool { return p.attendance("talk")["unique"] == 3.0 })
}
