package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jauge/internal/redistest"
	"jauge/simulator"
)

// rooms is a configuration with a session on each platform that can be simulated.
const rooms = `
sources:
  - {name: livekit, platform: livekit, secrets: ["APIexample:example-secret-of-the-programme-42"]}
  - {name: zoom-main, platform: zoom, secrets: ["example-zoom-secret-token"]}
  - {name: relay, platform: standard, secrets: ["whsec_ZXhhbXBsZS1zZWNyZXQtb2YtdGhlLXByb2dyYW1tZSE="]}
  - {name: bbb, platform: bigbluebutton, secrets: [example-bbb-secret], callback_url: "https://jauge.example.test/webhooks/bbb"}
  - {name: jaas, platform: jaas, secrets: [example-jaas-secret]}
  - {name: prosody, platform: jitsi, secrets: [example-jitsi-token]}
  - {name: daily, platform: daily, secrets: ["ZXhhbXBsZS1kYWlseS1zZWNyZXQ="]}
  - {name: livestorm, platform: livestorm, secrets: [example-livestorm-secret]}
sessions:
  - {id: nowhere, title: {en: None}, starts_at: 2020-04-20T18:00:00Z, ends_at: 2020-04-20T19:00:00Z}
  - {id: on-livekit, title: {en: One}, starts_at: 2020-04-23T12:00:00Z, ends_at: 2020-04-23T13:00:00Z, rooms: [{source: livekit, id: one}]}
  - {id: on-zoom, title: {en: Two}, starts_at: 2020-04-27T18:00:00Z, ends_at: 2020-04-27T19:00:00Z, rooms: [{source: zoom-main, id: "95123456789"}]}
  - {id: on-relay, title: {en: Three}, starts_at: 2020-04-30T18:00:00Z, ends_at: 2020-04-30T19:00:00Z, rooms: [{source: relay, id: three}]}
  - {id: on-bbb, title: {en: Four}, starts_at: 2020-05-04T18:00:00Z, ends_at: 2020-05-04T19:00:00Z, rooms: [{source: bbb, id: four}]}
  - {id: on-jaas, title: {en: Five}, starts_at: 2020-05-05T18:00:00Z, ends_at: 2020-05-05T19:00:00Z, rooms: [{source: jaas, id: app/five}]}
  - {id: on-jitsi, title: {en: Six}, starts_at: 2020-05-06T18:00:00Z, ends_at: 2020-05-06T19:00:00Z, rooms: [{source: prosody, id: six@conference.example.test}]}
  - {id: on-daily, title: {en: Seven}, starts_at: 2020-05-07T18:00:00Z, ends_at: 2020-05-07T19:00:00Z, rooms: [{source: daily, id: seven}]}
  - id: on-livestorm
    title: {en: Eight}
    starts_at: 2020-05-11T18:00:00Z
    ends_at: 2020-05-11T19:00:00Z
    rooms: [{source: livestorm, id: fe9e2c48-a993-4d81-afbe-ed483f2d3576}]
`

// file is the configuration that the program was started with.
func (p *program) file() string { return p.args[2] }

// figures reads what the API shows, in the words of the truth.
func (p *program) figures(session string) simulator.Truth {
	p.t.Helper()
	text, err := json.Marshal(p.attendance(session))
	if err != nil {
		p.t.Fatal(err)
	}
	shown := simulator.Truth{Session: session}
	if err := json.Unmarshal(text, &shown); err != nil {
		p.t.Fatal(err)
	}
	return shown
}

// On a bad day, on both stores and on every platform at once, the service ends with the figures that were played.
func TestSimulateWithFaultsEndsWithTheTruth(t *testing.T) {
	t.Parallel()
	server, err := redistest.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	for store, env := range map[string]string{"redis": "JAUGE_REDIS_URL=" + server.URL(), "embedded": "JAUGE_REDIS_URL="} {
		p := start(t, rooms, env)
		for session, source := range map[string]string{
			"on-livekit": "livekit", "on-zoom": "zoom-main", "on-relay": "relay", "on-bbb": "bbb", "on-jaas": "jaas", "on-jitsi": "prosody",
			"on-daily": "daily", "on-livestorm": "livestorm",
		} {
			t.Run(store+", "+session, func(t *testing.T) {
				t.Parallel()
				code, out, progress := call("simulate", "--url", p.url, "--config", p.file(), "--session", session,
					"--faults", "--speed", "1200", "--attendees", "40", "--seed", "2")
				if code != exitOK || strings.Count(out, "\n") != 1 {
					t.Fatalf("exit %d\n%s\n%s", code, out, progress)
				}
				var truth simulator.Truth
				if err := json.Unmarshal([]byte(out), &truth); err != nil {
					t.Fatal(err)
				}
				if *truth.Unique != 40 || truth.Duplicates == 0 || truth.Late == 0 || truth.Forged == 0 ||
					truth.LostLeaves > 0 && session == "on-livestorm" {
					t.Errorf("not much of a bad day: %s", out)
				}
				refused := p.metrics("jauge_webhook_refused_total")
				want := fmt.Sprintf(`jauge_webhook_refused_total{reason="signature",source="%s"} %d`, source, truth.Forged)
				if !strings.Contains(refused+"\n", want+"\n") {
					t.Errorf("refused:\n%s\nwant %s", refused, want)
				}
				last := fmt.Sprintf("%d of %d requests, 0s left\n", truth.Requests, truth.Requests)
				if !strings.HasSuffix(progress, last) {
					t.Errorf("progress ends with %q, want %q", progress, last)
				}
				shown := p.figures(session)
				// What was done to the requests is not shown by a service.
				truth.Visits, truth.Requests, truth.Duplicates, truth.Late, truth.LostLeaves, truth.Forged = 0, 0, 0, 0, 0, 0
				at := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })
				if diff := cmp.Diff(truth, shown, at); diff != "" {
					t.Errorf("(-truth +shown):\n%s", diff)
				}
			})
		}
	}
}

// Without --session, --attendees and --faults: the first session that can be played, sixty persons, nothing goes wrong.
func TestSimulateByDefault(t *testing.T) {
	t.Parallel()
	p := start(t, rooms)
	code, out, progress := call("simulate", "--url", p.url+"/", "--config", p.file(), "--speed", "7200")
	var truth simulator.Truth
	if err := json.Unmarshal([]byte(out), &truth); err != nil || code != exitOK {
		t.Fatalf("exit %d, %v\n%s", code, err, progress)
	}
	if truth.Session != "on-livekit" || *truth.Unique != 60 || truth.Duplicates+truth.Late+truth.LostLeaves+truth.Forged != 0 {
		t.Errorf("played %s", out)
	}
	if shown := p.figures("on-livekit"); *shown.Unique != 60 || *shown.Peak != *truth.Peak {
		t.Errorf("shown %+v", shown)
	}
}

func TestSimulateSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	p := start(t, rooms)
	dir := t.TempDir()
	write := func(name, from, to string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(rooms, from, to)), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	secret := write("secret.yaml", "example-zoom-secret-token", "another")
	renamed := write("renamed.yaml", "zoom-main", "zoom-other")
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{
			"another secret", []string{"--url", p.url, "--config", secret, "--session", "on-zoom"}, exitFailed,
			"jauge: the service refuses what source zoom-main signs (401): its secret for this source differs from the configuration's, or its clock does from ours",
		},
		{
			"another configuration", []string{"--url", p.url, "--config", renamed, "--session", "on-zoom"}, exitFailed,
			"jauge: the service has no source zoom-other (404): it runs on another configuration",
		},
		{
			"nobody there", []string{"--url", "http://" + freeAddress(t), "--config", p.file()}, exitFailed,
			`jauge: nothing answers at http://127\.0\.0\.1:\d+: is jauge serve running there\? \(.*connection refused\)`,
		},
		{"no URL", nil, exitWrong, `jauge: missing flags: --url=URL`},
		{
			"every flag", []string{"--url", "localhost:8080", "--config", p.file(), "--session", "nosuch", "--speed", "0", "--attendees=-1"}, exitWrong,
			"--url: must be an http or https URL\n--speed: must be above 0\n--attendees: must be at least 1\n" +
				`--session: no session of the configuration has the id "nosuch"`,
		},
		{
			"a session without a room", []string{"--url", p.url, "--config", p.file(), "--session", "nowhere"}, exitWrong,
			"--session: nowhere has no room on a source that tells about attendance, nor a form and a survey",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, out, said := call(append([]string{"simulate"}, tt.args...)...)
			want := tt.want
			if !strings.Contains(want, `\`) {
				want = regexp.QuoteMeta(want)
			}
			if code != tt.code || tt.code == exitFailed && out != "" || !regexp.MustCompile("(?m)^"+want+"$").MatchString(said) {
				t.Errorf("exit %d\n%s\n%s\nwant exit %d and %s", code, out, said, tt.code, tt.want)
			}
		})
	}
}

func TestSimulateStopsOnSignal(t *testing.T) {
	t.Parallel()
	p := start(t, rooms)
	var out, said strings.Builder
	cmd := exec.Command(os.Args[0], "simulate", "--url", p.url, "--config", p.file(), "--session", "on-relay") //nolint:gosec // this very binary
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), beMain+"=1"), &out, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "the first to join", func() bool { return p.attendance("on-relay")["present"].(float64) > 0 })
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	stopped := regexp.MustCompile(`(?m)^jauge: stopped after \d+ of \d+ requests: the service still has session on-relay open$`)
	if code := cmd.ProcessState.ExitCode(); code != exitFailed || out.String() != "" || !stopped.MatchString(said.String()) {
		t.Errorf("exit %d\n%s\n%s", code, out.String(), said.String())
	}
}
