package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"jauge/programme"
	"jauge/simulator"
)

// startDemo runs `jauge demo` as a process of its own, with its temporary files in tmp; said reads what it printed so far.
func startDemo(t *testing.T, tmp string, args ...string) (cmd *exec.Cmd, said func() string) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	cmd = exec.Command(os.Args[0], append([]string{"demo"}, args...)...) //nolint:gosec // this very binary
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), beMain + "=1", "TMPDIR=" + tmp}
	cmd.Stdout, cmd.Stderr = file, file
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd, func() string {
		text, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

// The demo says where to look, plays all four conversations on their planned dates, stays up, and leaves nothing behind.
func TestDemo(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	cmd, said := startDemo(t, tmp, "--listen", "127.0.0.1:0", "--speed", "1e6")
	await(t, "the demo to have played everything", func() bool { return strings.Contains(said(), "Everything was played") })
	link := regexp.MustCompile(`organiser +(http://127\.0\.0\.1:\d+)(/login\?token=\S+)`).FindStringSubmatch(said())
	if link == nil {
		t.Fatalf("no link for the organiser:\n%s", said())
	}
	for _, want := range []string{
		`survey +\S+/feedback/la-cordee\n`, ` \S+/feedback/trois-lycees\?segment=maupassant\n`,
		`23 Apr 2020 13:55  Rencontre avec trois lycées: the room opens\n`,
		`23 Apr 2020 15:\d\d  Rencontre avec trois lycées: \d\d people came, at most \d\d at once \(14:\d\d\), watched for \d+h\d+m in all, \d\d answered\n`,
		`27 Apr 2020 19:\d\d  Rencontre avec La Cordée: \d\d people came`,
		`30 Apr 2020 15:\d\d  Rencontre avec les étudiants en droit d'Évry: \d\d people came`,
		`30 Apr 2020 19:\d\d  Un métier d'exception !: 320 people came of 480 who registered, as the platform reports, watched for \d+h\d+m in all, \d+ answered\n`,
	} {
		if !regexp.MustCompile(want).MatchString(said()) {
			t.Errorf("%s was not said:\n%s", want, said())
		}
	}
	if strings.Contains(said(), "level=") {
		t.Errorf("the service's log:\n%s", said())
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	defer client.CloseIdleConnections()
	for _, path := range []string{link[2], "/sessions/la-cordee", "/feedback/trois-lycees?segment=eliot", "/metrics"} {
		r, err := client.Get(link[1] + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			t.Errorf("GET %s: %s", path, r.Status)
		}
	}
	checkInterest(t, client, link[1])
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("SIGTERM: %v\n%s", err, said())
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// checkInterest holds the answers against what the programme asks: has the interest grown, in each lycée too.
func checkInterest(t *testing.T, client *http.Client, url string) {
	t.Helper()
	r, err := client.Get(url + "/api/v1/sessions/trois-lycees/feedback")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var got struct {
		Respondents int
		Pairs       []struct {
			Before     string
			Up, Down   *int
			Suppressed bool
		}
		Segments []struct{ ID string }
	}
	if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Respondents < 20 || len(got.Pairs) != 3 || got.Pairs[0].Before != "interest_before" || len(got.Segments) != 3 {
		t.Fatalf("answers: %+v", got)
	}
	if pair := got.Pairs[0]; pair.Up == nil || pair.Down == nil || *pair.Up <= *pair.Down {
		t.Errorf("interest did not grow: %+v", pair)
	}
}

func TestDemoFindsAFreePortAndExits(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("JAUGE_LISTEN", l.Addr().String())
	code, out, log := call("demo", "--exit", "--speed", "1e6", "--seed", "3")
	busy := fmt.Sprintf("%s is in use by another program: a free port is used instead\n", l.Addr())
	if code != exitOK || !strings.HasPrefix(out, busy) || strings.Count(out, " people came") != 4 || strings.Contains(out, "stay up") {
		t.Errorf("exit %d\n%s\n%s", code, out, log)
	}
	if strings.Contains(strings.TrimPrefix(out, busy), l.Addr().String()) {
		t.Errorf("links to the busy port:\n%s", out)
	}
	want := fmt.Sprintf("jauge: listen: %s is in use by another program; choose another with listen: or JAUGE_LISTEN\n", l.Addr())
	if code, out, log := call("demo", "--exit", "--listen", l.Addr().String()); code != exitFailed || log != want {
		t.Errorf("a port that was asked for: exit %d\n%s\n%s", code, out, log)
	}
}

func TestDemoStopsHalfWay(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	cmd, said := startDemo(t, tmp, "--listen", "127.0.0.1:0")
	await(t, "the first conversation", func() bool { return strings.Contains(said(), "the room opens") })
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("SIGINT: %v\n%s", err, said())
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestDemoFlags(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, flag, value, want string }{
		{"speed", "--speed", "0", "--speed: must be above 0\n"},
		{"listen", "--listen", "nowhere", "--listen: must be host:port\n"},
	} {
		if code, _, said := call("demo", tt.flag, tt.value); code != exitWrong || said != tt.want {
			t.Errorf("%s: exit %d, %q", tt.name, code, said)
		}
	}
}

// Figures that were not played are named, each with what it should be.
func TestShownDiffers(t *testing.T) {
	t.Parallel()
	at := time.Date(2020, 4, 30, 16, 0, 0, 0, time.UTC)
	truth := simulator.Truth{
		Unique: new(3), Present: new(0), Connections: new(0), Peak: new(2), PeakAt: &at, WatchSeconds: new(1.5), Registered: new(4), NoShowRate: new(0.25),
	}
	const good = `{"state": "ended", "attendance": {"present": 0, "connections": 0, "unique": 3, "peak": 2, "peak_at": "2020-04-30T18:00:00+02:00", "watch_seconds": 1.5,
		"registered": 4, "no_show_rate": 0.25}, "feedback": {"respondents": 4}}`
	for _, tt := range []struct{ name, old, new, want string }{
		{"all as played", "", "", ""},
		{"state", `"ended"`, `"live"`, "state is live, not ended"},
		{"present", `"present": 0`, `"present": 1`, "present is 1, not 0"},
		{"connections", `"connections": 0`, `"connections": null`, "connections is unknown, not 0"},
		{"unique", `"unique": 3`, `"unique": 4`, "unique is 4, not 3"},
		{"peak", `"peak": 2`, `"peak": 3`, "peak is 3, not 2"},
		{"when", `18:00:00`, `18:00:01`, "peak_at is 2020-04-30 18:00:01 +0200 +0200, not 2020-04-30 16:00:00 +0000 UTC"},
		{"watched", `1.5`, `1.25`, "watch_seconds is 1.25, not 1.5"},
		{"registered", `"registered": 4`, `"registered": null`, "registered is unknown, not 4"},
		{"no-shows", `0.25`, `0.5`, "no_show_rate is 0.5, not 0.25"},
		{"answers", `"respondents": 4`, `"respondents": 5`, "respondents is 5, not 4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var s shownFigures
			if err := json.Unmarshal(bytes.Replace([]byte(good), []byte(tt.old), []byte(tt.new), 1), &s); err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := s.differs(truth, 4); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// The demo's clock goes no further than it was let, and never back.
func TestClock(t *testing.T) {
	t.Parallel()
	at := time.Date(2020, 4, 23, 12, 0, 0, 0, time.UTC)
	c := &clock{}
	c.jump(at)
	for _, to := range []time.Time{at.Add(time.Hour), at, at.Add(2 * time.Hour)} {
		if err := c.run(t.Context(), to, 1e6); err != nil {
			t.Fatal(err)
		}
		if to.Before(at.Add(time.Hour)) {
			to = at.Add(time.Hour)
		}
		if first, again := c.Now(), c.Now(); !first.Equal(to) || !again.Equal(to) {
			t.Errorf("stands at %s, then %s, want %s", first, again, to)
		}
	}
	began := time.Now()
	c.release()
	await(t, "the clock to run", func() bool { return c.Now().After(at.Add(2 * time.Hour)) })
	if now := c.Now(); now.After(at.Add(2*time.Hour + time.Since(began))) {
		t.Errorf("runs too fast: %s", now)
	}
}

func TestDemoLeavesOutWhatCannotBePlayed(t *testing.T) {
	t.Parallel()
	d := demo{config: &Config{
		Sources: []Source{{Name: "relay", Platform: "standard"}},
		Sessions: []programme.Session{
			{ID: "later", StartsAt: time.Unix(2, 0), Rooms: []programme.Room{{Source: "relay", ID: "r"}}},
			{ID: "nowhere"},
			{ID: "first", StartsAt: time.Unix(1, 0), Rooms: []programme.Room{{Source: "relay", ID: "r"}}},
		},
	}}
	var ids []string
	for _, s := range d.sessions() {
		ids = append(ids, s.ID)
	}
	if got := strings.Join(ids, " "); got != "first later" {
		t.Errorf("plays %s", got)
	}
}
