package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jauge/examples"
	"jauge/platforms"
)

const goodConfig = `
sources:
  - {name: zoom-main, platform: zoom, secrets: [topsecret], tolerance: 10m}
sessions:
  - id: talk
    title: {en: A talk}
    starts_at: 2026-11-23T18:00:00+01:00
    ends_at: 2026-11-23T19:00:00+01:00
    rooms: [{source: zoom-main, id: "951"}]
    survey: short
surveys:
  - {id: short, title: {en: Short}, questions: [{id: q, kind: yesno, label: {en: Well?}}]}
`

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "jauge.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCheckAcceptsTheExampleAndAGoodFile(t *testing.T) {
	t.Parallel()
	if code, out, err := call("check", "--config", writeConfig(t, goodConfig)); code != exitOK || !strings.HasSuffix(out, "good, with 1 sources, 1 sessions and 1 surveys beside the ready ones\n") {
		t.Errorf("%d %s %s", code, out, err)
	}
	c, err := readConfig(examples.Files, examples.Programme, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Sessions) != 4 || c.survey("vocation") == nil || c.PublicURL != "http://127.0.0.1:8080" {
		t.Errorf("%d sessions, survey %v, %s", len(c.Sessions), c.survey("vocation"), c.PublicURL)
	}
}

// Each row spoils the good file; the message is all that is printed.
func TestCheckNamesEveryMistake(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, old, new, want string }{
		{"unknown key", "sources:", "sauces: 1\nsources:", "sauces: unknown key"},
		{"unknown nested key", "tolerance: 10m", "tolerence: 10m", "sources[0].tolerence: unknown key"},
		{"missing secret", ", secrets: [topsecret]", "", "sources[0].secrets: missing"},
		{"unknown platform", "platform: zoom", "platform: zoum", "sources[0].platform: unknown, must be one of " + strings.Join(slices.Sorted(maps.Keys(platforms.Dialects)), ", ")},
		{"bad duration", "tolerance: 10m", "tolerance: soon", "sources[0].tolerance: must be a duration such as 90s or 5m"},
		{"not YAML", "sources:", "sources: [", "line 4, column 1: ',' or ']' must be specified"},
		{"no source of that name", "source: zoom-main", "source: zoom", `sessions[0].rooms[0].source: no source has the name "zoom"`},
		{"no survey of that id", "survey: short", "survey: long", `sessions[0].survey: no survey has the id "long"`},
		{"end before start", "2026-11-23T19", "2026-11-23T17", "sessions[0].ends_at: must be after starts_at"},
		{"a window that closes before it opens", "survey: short", "survey: short\n    window: {before: -1h, after: 30m}", "sessions[0].window.before: must be from 0s to 720h"},
		{"a window that is no time", "survey: short", "survey: short\n    window: {before: soon}", "line "},
		{"bad id", "id: talk", "id: A Talk", "sessions[0].id: must be 1 to 64 of a-z, 0-9 and -"},
		{"survey", "kind: yesno", "kind: yes", "surveys[0].questions[0].kind: "},
		{"include", "surveys:", "include: nowhere/*.yaml\nsurveys:", "include[0]: no file matches"},
		{"listen", "sources:", "listen: 8080\nsources:", "listen: must be host:port"},
		{"log level", "sources:", "log: {level: loud}\nsources:", "log.level: must be debug, info, warn or error"},
		{"log format", "sources:", "log: {format: xml}\nsources:", "log.format: must be text or json"},
		{"short key", "sources:", "secret_key: short\nsources:", "secret_key: must be at least 32 bytes"},
		{"redis", "sources:", "redis_url: http://x:topsecret@h\nsources:", "redis_url: must begin with redis://, unix://, redis+sentinel:// or redis+cluster://, or with rediss for TLS"},
		{"a mapping of no question", "survey: short", "survey: short\n    questions: {ref-1: q, ref-2: p, ref-3: ''}", `sessions[0].questions["ref-2"]: the session's survey has no question "p"`},
		{"a mapping without survey", "survey: short", "questions: {ref-1: q}", `sessions[0].questions["ref-1"]: the session has no survey`},
		{"guests", "tolerance: 10m", "guests: nobody", "sources[0].guests: must be connection or name"},
		{"guests where there are none", "platform: zoom, secrets: [topsecret], tolerance: 10m", "platform: typeform, secrets: [topsecret], guests: name", "sources[0].guests: must be left out, as typeform gives everybody an id"},
		{"staff", "sources:", "staff: [jo@x.test, ' ']\nsources:", "staff[1]: must be an e-mail address, a platform's id or a name"},
		{"staff of a session", "survey: short", "survey: short\n    staff: ['']", "sessions[0].staff[0]: must be an e-mail address, a platform's id or a name"},
		{"secrets file", "secrets: [topsecret]", "secrets_file: none", "sources[0].secrets_file: cannot be read: no such file or directory"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			code, _, got := call("check", "--config", writeConfig(t, strings.Replace(goodConfig, row.old, row.new, 1)))
			if code != exitWrong || !strings.HasPrefix(got, row.want) {
				t.Errorf("exit %d, got\n%swant\n%s", code, got, row.want)
			}
			if strings.Contains(got, "topsecret") {
				t.Errorf("a secret was printed: %s", got)
			}
		})
	}
}

func TestCheckNamesAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	bad := strings.NewReplacer("platform: zoom,", "platform: zoum,", "id: short", "id: long", "tolerance: 10m", "colour: red").Replace(goodConfig)
	bad += "  - {id: long, title: {en: Long}, questions: []}\n"
	_, _, got := call("check", "--config", writeConfig(t, bad))
	want := []string{
		"sources[0].colour: unknown key",
		"sources[0].platform: unknown, must be one of " + strings.Join(slices.Sorted(maps.Keys(platforms.Dialects)), ", "),
		"surveys[1].questions: missing",
		"surveys[1].id: duplicate",
		`sessions[0].survey: no survey has the id "short"`,
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(got), "\n")); diff != "" {
		t.Error(diff)
	}
}

func TestDuplicatedSessionIDIsRefused(t *testing.T) {
	t.Parallel()
	session := goodConfig[strings.Index(goodConfig, "  - id: talk"):strings.Index(goodConfig, "surveys:")]
	_, _, got := call("check", "--config", writeConfig(t, strings.Replace(goodConfig, "surveys:", session+"surveys:", 1)))
	if got != "sessions[1].id: the same as of sessions[0]\n" {
		t.Error(got)
	}
}

func TestEnvironmentOverridesTheFile(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "key")
	if err := os.WriteFile(secret, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JAUGE_LISTEN", "127.0.0.1:9")
	t.Setenv("JAUGE_SECRET_KEY_FILE", secret)
	c, err := loadConfig(writeConfig(t, "listen: 127.0.0.1:1\n"+goodConfig))
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:9" || c.SecretKey != key || c.PublicURL != "http://127.0.0.1:9" {
		t.Errorf("%s %s %s", c.Listen, c.SecretKey, c.PublicURL)
	}
}
