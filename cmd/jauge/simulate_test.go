package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/internal/redistest"
	"jauge/programme"
	"jauge/simulator"
)

// rooms is a configuration with a session on each platform that can be simulated, all of them on now; the last form is beside a room.
var rooms = onNow(`
sources:
  - {name: livekit, platform: livekit, secrets: ["APIexample:example-secret-of-the-programme-42"]}
  - {name: zoom-main, platform: zoom, secrets: ["example-zoom-secret-token"]}
  - {name: relay, platform: standard, secrets: ["whsec_ZXhhbXBsZS1zZWNyZXQtb2YtdGhlLXByb2dyYW1tZSE="]}
  - {name: bbb, platform: bigbluebutton, secrets: [example-bbb-secret], callback_url: "https://jauge.example.test/webhooks/bbb"}
  - {name: jaas, platform: jaas, secrets: [example-jaas-secret]}
  - {name: prosody, platform: jitsi, secrets: [example-jitsi-token]}
  - {name: daily, platform: daily, secrets: ["ZXhhbXBsZS1kYWlseS1zZWNyZXQ="]}
  - {name: hall, platform: livekit, secrets: ["APIexample:example-secret-of-the-programme-42"]}
  - {name: livestorm, platform: livestorm, secrets: [example-livestorm-secret]}
  - {name: typeform, platform: typeform, secrets: [example-typeform-secret]}
  - {name: tally, platform: tally, secrets: [example-tally-secret]}
  - {name: formbricks, platform: formbricks, secrets: ["whsec_ZXhhbXBsZS1zZWNyZXQtb2YtdGhlLXByb2dyYW1tZSE="]}
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
  - id: on-typeform
    title: {en: Nine}
    starts_at: 2020-05-12T18:00:00Z
    ends_at: 2020-05-12T19:00:00Z
    rooms: [{source: typeform, id: lT4Z3j}]
    survey: short
    questions: {b2f1c0de: rating, 9a77e412: subjects, 5eed1e55: ""}
  - {id: on-formbricks, title: {en: Ten}, starts_at: 2020-05-13T18:00:00Z, ends_at: 2020-05-13T19:00:00Z, rooms: [{source: formbricks, id: ten}], survey: short}
  - id: on-both
    title: {en: Eleven}
    starts_at: 2020-05-14T18:00:00Z
    ends_at: 2020-05-14T19:00:00Z
    rooms: [{source: tally, id: VwbNEw}, {source: hall, id: eleven}]
    survey: short
    segments: [{id: pupils, title: {en: Pupils}}, {id: students, title: {en: Students}}]
  - {id: unasked, title: {en: Twelve}, starts_at: 2020-05-15T18:00:00Z, ends_at: 2020-05-15T19:00:00Z, rooms: [{source: tally, id: unasked}]}
  - {id: watched, title: {en: Thirteen}, starts_at: 2020-05-18T18:00:00Z, ends_at: 2020-05-18T19:00:00Z, rooms: [{source: livestorm, id: thirteen}]}
  - {id: crowded, title: {en: Fourteen}, starts_at: 2020-05-19T18:00:00Z, ends_at: 2020-05-19T19:00:00Z, rooms: [{source: relay, id: fourteen}]}
  - {id: past, title: {en: Fifteen}, starts_at: 2019-05-19T18:00:00Z, ends_at: 2019-05-19T19:00:00Z, rooms: [{source: relay, id: fifteen}], window: {before: 30m}}
surveys:
  - id: short
    title: {en: Short}
    questions:
      - {id: rating, kind: scale, min: 1, max: 5, required: true, label: {en: Rating}}
      - {id: subjects, kind: choices, label: {en: Subjects}, choices: [{value: law, label: {fr: Le droit, en: Law}}, {value: past, label: {fr: "L'histoire", en: History}}]}
      - {id: again, kind: yesno, required: true, label: {en: Again}}
      - {id: remark, kind: text, label: {en: Remark}}
`)

// onNow has every session of a configuration begin now, and end in an hour.
func onNow(config string) string {
	now, n := time.Now().UTC(), 0
	return regexp.MustCompile(`2020-\d\d-\d\dT\d\d:00:00Z`).ReplaceAllStringFunc(config, func(string) string {
		n++
		return now.Add(time.Duration((n+1)%2) * time.Hour).Format(time.RFC3339)
	})
}

// file is the configuration that the program was started with.
func (p *program) file() string { return p.args[2] }

// figures reads what the API shows, in the words of the truth.
func (p *program) figures(session string) simulator.Truth {
	p.t.Helper()
	o := p.api("/api/v1/sessions/" + session)
	text, err := json.Marshal(o["attendance"])
	if err != nil {
		p.t.Fatal(err)
	}
	shown := simulator.Truth{Session: session}
	if n, ok := o["feedback"].(map[string]any)["respondents"].(float64); ok {
		shown.Answers = new(int(n))
	}
	if err := json.Unmarshal(text, &shown); err != nil {
		p.t.Fatal(err)
	}
	return shown
}

// played says a truth with its figures: their addresses tell nobody anything.
func played(truth simulator.Truth) string { return cmp.Diff(simulator.Truth{}, truth) }

// refused is how many requests of a source were refused for their signature.
func (p *program) refused(source string) (n int) {
	p.t.Helper()
	for line := range strings.Lines(p.metrics("jauge_webhook_refused_total")) {
		_, _ = fmt.Sscanf(line, `jauge_webhook_refused_total{reason="signature",source="`+source+`"} %d`, &n)
	}
	return n
}

// simulate plays a session in this process and gives the truth that it prints.
func (p *program) simulate(session string, flags ...string) (truth simulator.Truth, progress string) {
	p.t.Helper()
	code, out, progress := call(append([]string{"simulate", "--url", p.url, "--config", p.file(), "--session", session}, flags...)...)
	if err := json.Unmarshal([]byte(out), &truth); err != nil || code != exitOK || strings.Count(out, "\n") != 1 {
		p.t.Fatalf("exit %d, %v\n%s\n%s", code, err, out, progress)
	}
	return truth, progress
}

// On a bad day, on both stores and on every platform at once, the service ends with the figures that were played.
func TestSimulateWithFaultsEndsWithTheTruth(t *testing.T) {
	t.Parallel()
	server, err := redistest.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	for store, env := range map[string]string{"redis": "JAUGE_REDIS_URL=" + server.PatientURL(), "embedded": "JAUGE_REDIS_URL="} {
		p := start(t, rooms, env)
		for session, sources := range map[string][]string{
			"on-livekit": {"livekit"}, "on-zoom": {"zoom-main"}, "on-relay": {"relay"}, "on-bbb": {"bbb"}, "on-jaas": {"jaas"}, "on-jitsi": {"prosody"},
			"on-daily": {"daily"}, "on-livestorm": {"livestorm"}, "on-typeform": {"typeform"}, "on-formbricks": {"formbricks"}, "on-both": {"hall", "tally"},
		} {
			t.Run(store+", "+session, func(t *testing.T) {
				t.Parallel()
				truth, progress := p.simulate(session, "--faults", "--speed", "2400", "--attendees", "40", "--guests", "12", "--seed", "2")
				if truth.Duplicates == 0 || truth.Late == 0 || truth.Forged == 0 || truth.LostLeaves > 0 && session == "on-livestorm" {
					t.Errorf("not much of a bad day:%s", played(truth))
				}
				switch form := truth.Answers; session {
				case "on-typeform", "on-formbricks":
					if truth.Unique != nil || *form != 40 {
						t.Errorf("played%s", played(truth))
					}
				case "on-both":
					if *truth.Unique != 40 || *form < 15 || *form > 33 {
						t.Errorf("played%s", played(truth))
					}
				case "on-zoom", "on-bbb", "on-jaas", "on-jitsi", "on-daily": // guests come again as somebody new
					if *truth.Unique <= 40 || *truth.UniqueLow != 40 || form != nil {
						t.Errorf("played%s", played(truth))
					}
				default:
					if *truth.Unique != 40 || *truth.UniqueLow != 40 || form != nil {
						t.Errorf("played%s", played(truth))
					}
				}
				refused := 0
				for _, source := range sources {
					refused += p.refused(source)
				}
				if refused != truth.Forged {
					t.Errorf("%d refused, %d were forged", refused, truth.Forged)
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

// Beside totals, pages give the live count and the platform's figures stay; beside joins, each page is a person more; beside a
// form they are all that is known of who came. Beacons are stamped when they are heard, so the clock is the test's: it stands at
// the moment of each request until that is answered.
func TestBeaconsArePlayedBesideWhatPlatformsTell(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		v, clock := inProcess(t, rdb, prefix, rooms)
		server := httptest.NewServer(v.handler)
		t.Cleanup(server.Close)
		c, err := loadConfig(writeConfig(t, rooms))
		if err != nil {
			t.Fatal(err)
		}
		post := simulator.Poster{
			URL: server.URL, Client: server.Client(), Now: func() time.Time { return time.UnixMilli(clock.Load()) }, Patience: redistest.Patience,
		}.Post
		for _, tt := range []struct {
			session  string
			unique   int
			answered bool
		}{{"watched", 20, false}, {"crowded", 50, false}, {"on-typeform", 30, true}} {
			t.Run(tt.session, func(t *testing.T) {
				session := c.Sessions[slices.IndexFunc(c.Sessions, func(s programme.Session) bool { return s.ID == tt.session })]
				played, err := simulator.New(session, c.sources(), simulator.Options{
					Attendees: 20, Beacons: 30, Start: session.StartsAt, Speed: 60, Survey: c.asks(session),
				})
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range played.Deliveries {
					clock.Store(d.At.UnixMilli())
					if err := post(t.Context(), d); err != nil {
						t.Fatal(err)
					}
				}
				truth := played.Truth
				shown, measured := shownBy(t, v.handler, tt.session)
				if truth.Beacons != 30 || *truth.Unique != tt.unique || (truth.Answers != nil) != tt.answered || truth.Peak != nil || *shown.Peak == 0 {
					t.Errorf("played and shown:\n%s", cmp.Diff(truth, shown))
				}
				// What only the service knows is not played, and what was done to the requests is not shown.
				truth.Peak, truth.PeakAt, truth.Beacons, truth.Visits, truth.Requests = shown.Peak, shown.PeakAt, 0, 0, 0
				if truth.WatchSeconds == nil {
					truth.WatchSeconds = shown.WatchSeconds
				}
				if diff := cmp.Diff(truth, shown, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); diff != "" {
					t.Errorf("(-truth +shown):\n%s", diff)
				}
				if tt.session == "watched" && measured != 30 {
					t.Errorf("measured %d", measured)
				}
			})
		}
	})
}

// shownBy reads what the API of a service in this process shows, in the words of the truth, and how many it measured where it
// shows what the platform reports.
func shownBy(t *testing.T, service http.Handler, session string) (shown simulator.Truth, measured int) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/api/v1/sessions/"+session, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	service.ServeHTTP(w, r)
	var o struct {
		Attendance struct {
			simulator.Truth
			Measured struct{ Unique int }
		}
		Feedback struct{ Respondents *int }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &o); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	shown = o.Attendance.Truth
	shown.Session, shown.Answers = session, o.Feedback.Respondents
	return shown, o.Attendance.Measured.Unique
}

// The command sends them, too: each page is heard to come and to go, however late that is.
func TestSimulateSendsBeacons(t *testing.T) {
	t.Parallel()
	p := start(t, rooms)
	truth, _ := p.simulate("crowded", "--speed", "2400", "--attendees", "20", "--beacons", "30")
	samples := p.samples()
	for _, kind := range []string{"joined", "left"} {
		if n := samples[`jauge_events_total{kind="`+kind+`",result="recorded",source="beacon"}`]; n != "30" || truth.Beacons != 30 {
			t.Errorf("%d were played, %s have %s", truth.Beacons, n, kind)
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
		t.Errorf("(-played +shown):\n%s", cmp.Diff(truth, shown))
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
			"every flag", []string{"--url", "localhost:8080", "--config", p.file(), "--session", "nosuch", "--speed", "0", "--attendees=-1", "--beacons", "601"}, exitWrong,
			"--url: must be an http or https URL\n--speed: must be above 0\n--attendees: must be at least 1\n" +
				"--beacons: must be from 0 to 600: the service takes no more at once from one address\n" +
				`--session: no session of the configuration has the id "nosuch"`,
		},
		{
			"a session without a room", []string{"--url", p.url, "--config", p.file(), "--session", "nowhere"}, exitWrong,
			"--session: nowhere has no room on a source that tells about attendance, nor a form and a survey",
		},
		{
			"a session of another day", []string{"--url", p.url, "--config", p.file(), "--session", "past"}, exitWrong,
			"--session: past is from 2019-05-19 18:00 +00:00 to 2019-05-19 19:00 +00:00, and takes of its rooms what happens from 2019-05-19 17:30 +00:00 to 2019-05-19 20:00 +00:00: " +
				"what is played now would be put aside, not counted. Nothing was sent. Give the session a time around now (starts_at and ends_at, or a wider window), play another one, " +
				"or watch jauge demo, which has a clock of its own",
		},
		{
			"a form and nothing to ask", []string{"--url", p.url, "--config", p.file(), "--session", "unasked"}, exitWrong,
			"--session: unasked has no room on a source that tells about attendance, nor a form and a survey",
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
