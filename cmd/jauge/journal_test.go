package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jauge/attendance"
)

// journal runs `jauge journal …` as another process would, on the service's configuration.
func (p *program) journal(args ...string) (code int, out, err string) {
	p.t.Helper()
	return p.command(append([]string{"journal"}, args...)...)
}

func (p *program) listed() []map[string]any {
	p.t.Helper()
	code, out, wrong := p.journal("list", "--json")
	var list struct {
		Refused []map[string]any `json:"refused"`
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != exitOK {
		p.t.Fatalf("list: %d %q %q", code, out, wrong)
	}
	return list.Refused
}

// TestRefusedEntriesAreInAPersonsHands: what a healthy store does not take is acknowledged, kept, shown, offered again and dropped
// on demand; while the service runs, and while it does not.
func TestRefusedEntriesAreInAPersonsHands(t *testing.T) {
	t.Parallel()
	server, p := onRedis(t)
	rdb := server.Client()
	defer rdb.Close() //nolint:errcheck // nothing is pending
	if code, out, err := p.journal("list"); code != exitOK || out != "Nothing waits, nothing was refused.\n" {
		t.Errorf("at first: %d %q %q", code, out, err)
	}
	if err := rdb.Set(t.Context(), "jauge:{talk}:persons", "of another type", 0).Err(); err != nil {
		t.Fatal(err)
	}
	p.send(attendance.Joined, "ann", time.Now())
	p.send(attendance.Joined, "bob", time.Now())
	code, out, err := p.journal() // list is what it does without a word
	if code != exitOK || !strings.Contains(out, "attendance.events") || !strings.Contains(out, "WRONGTYPE") || strings.Contains(out, "ann") {
		t.Errorf("list: %d %q %q", code, out, err)
	}
	ids := p.listed()
	if len(ids) != 2 {
		t.Fatalf("refused: %v", ids)
	}
	if code, _, err := p.journal("retry", "0123456789ab"); code != exitFailed || !strings.Contains(err, "no refused entry has this id") {
		t.Errorf("an id of none: %d %q", code, err)
	}
	if code, out, _ := p.journal("retry"); code != exitFailed || out != "0 taken, 2 refused again.\n" {
		t.Errorf("offered too early: %d %q", code, out)
	}
	if err := rdb.Del(t.Context(), "jauge:{talk}:persons").Err(); err != nil {
		t.Fatal(err)
	}
	if code, out, err := p.journal("retry", ids[0]["id"].(string)); code != exitOK || out != "1 taken, 0 refused again.\n" {
		t.Errorf("offered again: %d %q %q", code, out, err)
	}
	if got := p.metrics("jauge_journal_retries_total"); !strings.Contains(got, `result="applied"} 1`) || !strings.Contains(got, `result="refused"} 2`) {
		t.Errorf("counted: %s", got)
	}
	await(t, "the other one to be tried by itself", func() bool { return p.attendance("talk")["unique"] == 2.0 })
	if left := p.listed(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	control := filepath.Join(dataDirOf(t, p), "control.json")
	if info, err := os.Stat(control); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	service, _ := runningService(dataDirOf(t, p))
	service.Token = "guessed"
	if _, err := service.Drop(t.Context(), []string{"x"}); err == nil || !strings.Contains(err.Error(), "this is for jauge journal") {
		t.Errorf("with another token: %v", err)
	}

	if err := rdb.Set(t.Context(), "jauge:{talk}:persons", "of another type", 0).Err(); err != nil {
		t.Fatal(err)
	}
	p.send(attendance.Joined, "carl", time.Now())
	p.stop()
	if _, err := os.Stat(control); !os.IsNotExist(err) {
		t.Errorf("after a stop: %v", err)
	}
	if code, out, _ := p.journal("retry"); code != exitOK || !strings.Contains(out, "what was refused (1) is tried when it starts") {
		t.Errorf("offered while nobody can take it: %d %q", code, out)
	}
	for _, args := range [][]string{{"drop"}, {"drop", "--all", "x"}} {
		if code, _, err := p.journal(args...); code != exitFailed || !strings.Contains(err, "--all") {
			t.Errorf("%v: %d %q", args, code, err)
		}
	}
	if code, out, _ := p.journal("drop", "--all"); code != exitOK || out != "1 dropped.\n" || len(p.listed()) != 0 {
		t.Errorf("dropped: %d %q", code, out)
	}
}

// TestTheEmbeddedStoreListsWhatItRefused, and says so to Prometheus at once: it is tried again at the next start only.
func TestTheEmbeddedStoreListsWhatItRefused(t *testing.T) {
	t.Parallel()
	p := start(t, todaysTalk())
	if code, out, err := p.journal("list"); code != exitOK || out != "Nothing waits, nothing was refused.\n" {
		t.Errorf("%d %q %q", code, out, err)
	}
	if !strings.Contains(p.everyMetric(), "\njauge_journal_refused 0\n") {
		t.Error("jauge_journal_refused is not there from the start")
	}
	p.stop()
	if code, _, err := p.command("journal", "list", "--config", filepath.Join(t.TempDir(), "none.yaml")); code == exitOK || err == "" {
		t.Errorf("no configuration: %d %q", code, err)
	}
}
