package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jauge/internal/redistest"
	"jauge/platforms"
)

// A dialect gets a choice, so that what is said of choices does not hang on what some platform offers.
func init() {
	dialect := platforms.Dialects["standard"]
	dialect.Accepts = map[string]string{"anything": "whoever knows the address can invent people"}
	platforms.Dialects["standard"] = dialect
}

const laxConfig = `
sources:
  - {name: strict, platform: standard, secrets: ["whsec_ZXhhbXBsZS1zZWNyZXQtb2YtdGhlLXByb2dyYW1tZSE="]}
  - {name: open, platform: standard, secrets: ["whsec_ZXhhbXBsZS1zZWNyZXQtb2YtdGhlLXByb2dyYW1tZSE="], accept: [anything], path: a-path-that-nobody-guesses}
`

func TestGuestsByNameAreARiskThatIsSaid(t *testing.T) {
	t.Parallel()
	for guests, risk := range map[string]string{
		"connection": "",
		"name":       "warning: sources[0] (zoom-main) takes guests of one name for one person: two who share a name count once, and who changes it counts twice\n",
	} {
		code, _, err := call("check", "--config", writeConfig(t, strings.Replace(goodConfig, "tolerance: 10m", "guests: "+guests, 1)))
		if code != exitOK || err != risk {
			t.Errorf("%s: %d %q", guests, code, err)
		}
	}
}

func TestAcceptedRisksAreSaid(t *testing.T) {
	t.Parallel()
	const risk = "warning: sources[1] (open) accepts anything: whoever knows the address can invent people\n"
	code, out, err := call("check", "--config", writeConfig(t, laxConfig))
	if code != exitOK || err != risk || strings.Contains(out, "warning") {
		t.Errorf("check: %d %s %s", code, out, err)
	}
	c, problems := loadConfig(writeConfig(t, laxConfig))
	if problems != nil {
		t.Fatal(problems)
	}
	want := platforms.Source{Name: "open", Platform: "standard", Secrets: c.Sources[1].Secrets, Path: "a-path-that-nobody-guesses", Accept: []string{"anything"}}
	if diff := cmp.Diff(want, c.Sources[1].source()); diff != "" {
		t.Error(diff)
	}
	p := start(t, laxConfig)
	p.kill()
	if text := p.log.String(); !strings.Contains(text, risk) || strings.Contains(text, "nobody-guesses") {
		t.Errorf("serve says %s", text)
	}
}

// aside gives the line of /metrics that says how much is aside.
func (p *program) aside() string {
	p.t.Helper()
	_, text := p.do(http.MethodGet, "/metrics", http.Header{}, nil)
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "jauge_aside_events{") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// What another replica kept aside counts here once a session claims it, and survives a kill of the embedded store.
func TestAsideIsReclaimedAndSurvives(t *testing.T) {
	t.Parallel()
	for name, env := range eachStore(t) {
		t.Run(name, func(t *testing.T) {
			p := start(t, todaysTalk(), env...)
			now := time.Now()
			for i := range 5 {
				body := fmt.Appendf(nil, `[{"type":"attendee.joined","timestamp":%[1]q,"data":{"room":"annexe","attendee":"p%[2]d","connection":"c%[2]d"}},`+
					`{"type":"answers.submitted","timestamp":%[1]q,"data":{"room":"annexe","attendee":"p%[2]d","answers":{"rating":4}}}]`,
					now.Add(-time.Minute).Format(time.RFC3339), i)
				p.post(relay, "application/json", body, now)
			}
			if got := p.aside(); got != `jauge_aside_events{source="relay"} 10` {
				t.Errorf("metrics say %q", got)
			}
			p.kill()
			p.restart()
			if total := p.api("/api/v1/aside")["total"]; total != 10.0 {
				t.Errorf("%v aside after a kill", total)
			}
			definition := fmt.Sprintf(`{"title":{"en":"Annexe"},"starts_at":%q,"ends_at":%q,"survey":"short","rooms":[{"source":"relay","id":"annexe"}]}`,
				now.Add(-30*time.Minute).Format(time.RFC3339), now.Add(30*time.Minute).Format(time.RFC3339))
			header := http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}}
			if code, text := p.do(http.MethodPut, "/api/v1/sessions/annexe", header, []byte(definition)); code != http.StatusOK {
				t.Fatalf("%d %s", code, text)
			}
			session := p.api("/api/v1/sessions/annexe")
			if session["attendance"].(map[string]any)["unique"] != 5.0 || session["feedback"].(map[string]any)["respondents"] != 5.0 {
				t.Errorf("claimed: %v", session)
			}
			if got := p.aside(); got != `jauge_aside_events{source="relay"} 0` {
				t.Errorf("metrics say %q", got)
			}
			p.kill() // what was aside is not counted once more
			p.restart()
			session = p.api("/api/v1/sessions/annexe")
			if session["feedback"].(map[string]any)["respondents"] != 5.0 || p.api("/api/v1/aside")["total"] != 0.0 {
				t.Errorf("after another kill: %v", session)
			}
		})
	}
}

// eachStore is the environment of a program on either store.
func eachStore(t *testing.T) map[string][]string {
	t.Helper()
	return map[string][]string{"embedded": nil, "redis": {"JAUGE_REDIS_URL=" + ownRedis(t).PatientURL()}}
}

// ownRedis starts a redis-server for one test.
func ownRedis(t *testing.T) *redistest.Server {
	t.Helper()
	server, err := redistest.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	return server
}

// revise changes the configuration file that the program starts with.
func (p *program) revise(old, text string) {
	p.t.Helper()
	for i, arg := range p.args {
		if !strings.HasSuffix(arg, ".yaml") {
			continue
		}
		config, err := os.ReadFile(arg)
		if err != nil {
			p.t.Fatal(err)
		}
		p.args[i] = writeConfig(p.t, strings.Replace(string(config), old, text, 1))
	}
}

// A source that floods is answered as ever; what is dropped is counted, and said once.
func TestDroppedIsCountedAndSaid(t *testing.T) {
	t.Parallel()
	p := start(t, todaysTalk())
	const dropped = "jauge_aside_dropped_total"
	if got := p.metrics(dropped); got != dropped+`{source="relay"} 0` {
		t.Errorf("at the start: %q", got)
	}
	now := time.Now()
	for range 2 {
		var events []string
		for room := range 1003 { // of 1,000 there may be something aside
			events = append(events, fmt.Sprintf(`{"type":"attendee.joined","timestamp":%q,"data":{"room":"r%d","attendee":"p","connection":"c"}}`, now.Format(time.RFC3339), room))
		}
		p.post(relay, "application/json", []byte("["+strings.Join(events, ",")+"]"), now)
	}
	if got := p.metrics(dropped); got != dropped+`{source="relay"} 6` {
		t.Errorf("after the flood: %q", got)
	}
	if got := p.aside(); got != `jauge_aside_events{source="relay"} 1000` {
		t.Errorf("metrics say %q", got)
	}
	p.kill()
	if n := strings.Count(p.log.String(), "events or answers were dropped"); n != 1 {
		t.Errorf("said %d times: %s", n, p.log)
	}
	p.restart() // what was dropped is not in the journal
	if got := p.aside(); got != `jauge_aside_events{source="relay"} 1000` || p.metrics(dropped) != dropped+`{source="relay"} 0` {
		t.Errorf("after a restart: %q, %q", got, p.metrics(dropped))
	}
}

// tend reclaims what no request does.
func TestTendReclaims(t *testing.T) {
	t.Parallel()
	p := start(t, todaysTalk())
	now := time.Now()
	body := fmt.Appendf(nil, `{"type":"answers.submitted","timestamp":%q,"data":{"room":"annexe","answers":{"rating":4}}}`, now.Format(time.RFC3339))
	p.post(relay, "application/json", body, now)
	p.kill()
	p.revise("id: hall}", "id: hall}, {source: relay, id: annexe}")
	p.restart()
	await(t, "the answer to count", func() bool {
		return p.api("/api/v1/sessions/talk")["feedback"].(map[string]any)["respondents"] == 1.0
	})
}
