package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"jauge/internal/redistest"
	"jauge/platforms"
)

// TestMain is also the program: tests that kill it start this binary again with beMain set.
func TestMain(m *testing.M) {
	if os.Getenv(beMain) != "" {
		os.Exit(run(os.Args[1:], output{os.Stdout, os.Stderr}))
	}
	os.Exit(redistest.Main(m, func() error {
		http.DefaultClient.CloseIdleConnections()
		return goleak.Find()
	}))
}

const (
	beMain = "JAUGE_TEST_BE_MAIN"
	token  = "organiser-token-of-the-tests"
	key    = "a-secret-key-of-the-tests-0123456789"
)

// program is a jauge of its own process, on a free port, in a temporary directory.
type program struct {
	t    *testing.T
	env  []string
	args []string
	url  string
	log  *bytes.Buffer
	cmd  *exec.Cmd
}

// start runs `jauge serve` with a configuration and waits until it is ready; env overrides the defaults.
func start(t *testing.T, config string, env ...string) *program {
	t.Helper()
	p := prepared(t, config, env...)
	p.restart()
	return p
}

// prepared is a program that has not been started.
func prepared(t *testing.T, config string, env ...string) *program {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "jauge.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	p := &program{
		t: t, url: "http://" + address, args: []string{"serve", "--config", file},
		env: append([]string{
			"PATH=" + os.Getenv("PATH"), beMain + "=1", "JAUGE_LISTEN=" + address, "JAUGE_DATA_DIR=" + filepath.Join(dir, "data"),
			"JAUGE_SECRET_KEY=" + key, "JAUGE_ORGANISER_TOKEN=" + token,
		}, env...),
	}
	t.Cleanup(func() {
		if p.cmd != nil {
			p.kill()
		}
	})
	return p
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nothing was written
	return l.Addr().String()
}

func (p *program) restart() {
	p.t.Helper()
	p.launch()
	await(p.t, "the service to be ready", func() bool { return p.answers("/readyz") })
}

// launch starts the program and waits until it answers, ready or not.
func (p *program) launch() {
	p.t.Helper()
	p.spawn()
	await(p.t, "the service to answer", func() bool { return p.answers("/healthz") })
}

// spawn starts the program.
func (p *program) spawn() {
	p.t.Helper()
	p.log = &bytes.Buffer{}
	p.cmd = exec.Command(os.Args[0], p.args...) //nolint:gosec // this very binary
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = p.env, p.log, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *program) answers(path string) bool {
	r, err := http.Get(p.url + path)
	if err != nil {
		return false
	}
	defer r.Body.Close() //nolint:errcheck // read only
	return r.StatusCode == http.StatusOK
}

// await polls a condition of another process until it holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), redistest.Patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited %s for %s", redistest.Patience, what)
		case <-tick.C:
		}
	}
}

func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// stop sends SIGTERM and gives the exit code.
func (p *program) stop() int {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

func (p *program) do(method, path string, header http.Header, body []byte) (int, []byte) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header = header
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer.StatusCode, text
}

// command runs another command beside the service, in a process of its own, on the same configuration.
func (p *program) command(args ...string) (code int, out, err string) {
	p.t.Helper()
	var o, e bytes.Buffer
	cmd := exec.Command(os.Args[0], args...) //nolint:gosec // this very binary
	if !slices.Contains(args, "--config") {
		cmd.Args = append(cmd.Args, p.args[1:]...)
	}
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, &o, &e
	_ = cmd.Run() // how it ended is its code
	return cmd.ProcessState.ExitCode(), o.String(), e.String()
}

// api reads a JSON object as the organiser. The service gives a Redis a second to answer, which it may take on a loaded
// machine: 503 says to come again.
func (p *program) api(path string) map[string]any {
	p.t.Helper()
	var code int
	var text []byte
	await(p.t, "GET "+path+" to be answered", func() bool {
		code, text = p.do(http.MethodGet, path, http.Header{"Authorization": {"Bearer " + token}}, nil)
		return code != http.StatusServiceUnavailable
	})
	var v map[string]any
	if err := json.Unmarshal(text, &v); err != nil || code != http.StatusOK {
		p.t.Fatalf("GET %s: %d %s", path, code, text)
	}
	return v
}

func (p *program) attendance(session string) map[string]any {
	p.t.Helper()
	return p.api("/api/v1/sessions/" + session)["attendance"].(map[string]any)
}

// metrics gives the lines of /metrics that start with one of the names, once the store could be read for them.
func (p *program) metrics(names ...string) string {
	p.t.Helper()
	var text []byte
	await(p.t, "the store to be read for /metrics", func() bool {
		code, body := p.do(http.MethodGet, "/metrics", http.Header{}, nil)
		text = body
		return code == http.StatusOK && bytes.Contains(body, []byte("\njauge_collect_success 1\n"))
	})
	var out []string
	for line := range strings.Lines(string(text)) {
		for _, name := range names {
			if strings.HasPrefix(line, name+"{") {
				out = append(out, strings.TrimSpace(line))
			}
		}
	}
	return strings.Join(out, "\n")
}

// post signs a body as the platform does and sends it; it must be answered 200.
func (p *program) post(source platforms.Source, contentType string, body []byte, now time.Time) {
	p.t.Helper()
	r := platforms.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {contentType}}, Body: body, Now: now}
	platforms.Dialects[source.Platform].Sign(source, &r)
	if code, text := p.do(http.MethodPost, "/webhooks/"+source.Name, r.Header, body); code != http.StatusOK {
		p.t.Fatalf("webhook: %d %s", code, text)
	}
}

// call runs a command in this process.
func call(args ...string) (code int, out, err string) {
	var o, e bytes.Buffer
	code = run(args, output{&o, &e})
	return code, o.String(), e.String()
}

func TestVersionAndHelp(t *testing.T) {
	t.Parallel()
	if code, out, _ := call("version"); code != exitOK || out != "jauge dev\n" {
		t.Errorf("version: %d %q", code, out)
	}
	for _, args := range [][]string{{}, {"--help"}, {"serve", "--help"}} {
		if code, out, _ := call(args...); code != exitOK || !strings.Contains(out, "Usage: jauge") {
			t.Errorf("%v: %d %q", args, code, out)
		}
	}
	if code, _, err := call("srve"); code != exitWrong || !strings.Contains(err, "srve") {
		t.Errorf("a typo: %d %q", code, err)
	}
}

func TestBusyPortIsSaidInOneLine(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nothing was written
	t.Setenv("JAUGE_LISTEN", l.Addr().String())
	t.Setenv("JAUGE_DATA_DIR", t.TempDir())
	want := fmt.Sprintf("jauge: listen: %s is in use by another program; choose another with listen: or JAUGE_LISTEN\n", l.Addr())
	if code, _, err := call("serve"); code != exitFailed || err != want {
		t.Errorf("%d %q", code, err)
	}
}
