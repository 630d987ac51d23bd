package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/internal/redistest"
	"jauge/platforms"
)

// leakNow is the clock while the fixtures are posted: on the day of most of them.
var leakNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// leakSecrets by platform; each platform is a source of its own name.
var leakSecrets = map[string]string{
	"zoom": "a-secret", "livekit": "KEY:a-secret-of-the-key", "standard": relay.Secrets[0], "bigbluebutton": "a-secret", "jaas": "a-secret", "jitsi": "a-secret",
	"daily": "YS1zZWNyZXQ=", "livestorm": "a-secret", "typeform": "a-secret", "tally": "a-secret", "formbricks": relay.Secrets[0],
}

func leakSource(platform string) platforms.Source {
	s := platforms.Source{Name: platform, Platform: platform, Secrets: []string{leakSecrets[platform]}}
	if platform == "bigbluebutton" {
		s.CallbackURL = "https://jauge.example.test/webhooks/bigbluebutton"
	}
	return s
}

// fixtureBodies reads every body of every fixture, by platform, as its platform sends it.
func fixtureBodies(t *testing.T) map[string][][]byte {
	t.Helper()
	root := filepath.Join("..", "..", "platforms", "testdata")
	all := map[string][][]byte{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, ".golden") || strings.HasSuffix(path, ".truth.json") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(path, root+string(filepath.Separator)), string(filepath.Separator))
		name, _, _ = strings.Cut(strings.TrimSuffix(strings.TrimSuffix(name, ".json"), ".jsonl"), "-")
		platform := map[string]string{"bbb": "bigbluebutton", "standardwebhooks": "standard"}[name]
		if platform == "" {
			platform = name
		}
		if _, known := leakSecrets[platform]; !known {
			return fmt.Errorf("%s: of which platform?", path)
		}
		bodies, err := bodiesOf(path, text)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		all[platform] = append(all[platform], bodies...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != len(leakSecrets) || len(all) != len(platforms.Dialects) {
		t.Fatalf("fixtures of %v only", slices.Sorted(maps.Keys(all)))
	}
	return all
}

// bodiesOf reads a fixture: one body, or captured requests, or vectors whose bodies are texts or JSON.
func bodiesOf(path string, text []byte) (bodies [][]byte, err error) {
	if filepath.Base(filepath.Dir(path)) != "testdata" {
		return [][]byte{text}, nil
	}
	type vector struct{ Body json.RawMessage }
	var vectors []vector
	if strings.HasSuffix(path, ".jsonl") {
		lines := bufio.NewScanner(bytes.NewReader(text))
		for lines.Buffer(nil, 1<<20); lines.Scan() && err == nil; {
			var v vector
			err = json.Unmarshal(lines.Bytes(), &v)
			vectors = append(vectors, v)
		}
	} else {
		err = json.Unmarshal(text, &vectors)
	}
	for _, v := range vectors {
		var s string
		switch {
		case json.Unmarshal(v.Body, &s) == nil:
			bodies = append(bodies, []byte(s))
		case strings.HasSuffix(path, "bigbluebutton.json"):
			bodies = append(bodies, []byte("domain=bbb.example.test&timestamp=1795428011572&event="+url.QueryEscape(string(v.Body))))
		default:
			bodies = append(bodies, v.Body)
		}
	}
	return bodies, err
}

var (
	telling = regexp.MustCompile(`(?i)(^|[a-z_.-])(name|e?mail|ip|ip.?address|user.?agent|pass|password|password.?key|link|token|phone|number|referr?er|avatar)$|^userdata$|^metadata$`)
	aMail   = regexp.MustCompile(`^[^@\s/]+@[^@\s/]+\.[^@\s/]+$`)
	anIP    = regexp.MustCompile(`^\d+\.\d+\.\d+\.\d+$`)
	tooFew  = 5 // characters: shorter ones are in any hash by chance
)

// personal collects what names people, and what opens doors to them: strings under telling keys, e-mail and IP addresses
// wherever they are, and everything below an answer to a question for a name or an address.
func personal(v any, told bool, found map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range []string{"id", "key", "label", "ref", "type"} { // {"id": "first_name", "value": "Jill"}
			if name, ok := v[k].(string); ok && telling.MatchString(name) {
				for _, k := range []string{"value", "text", "phone_number", "email"} {
					personal(v[k], true, found)
				}
			}
		}
		for k, inner := range v {
			personal(inner, told || telling.MatchString(k), found)
		}
	case []any:
		for _, inner := range v {
			personal(inner, told, found)
		}
	case string:
		if len(v) >= tooFew && (told || aMail.MatchString(v) || anIP.MatchString(v)) {
			found[v] = true
		}
	}
}

// personalOf collects the personal strings of all bodies, without those that are the ids of rooms, which organisers see.
func personalOf(t *testing.T, bodies map[string][][]byte) []string {
	t.Helper()
	found := map[string]bool{}
	rooms := map[string]bool{}
	for platform, list := range bodies {
		for _, body := range list {
			d, _ := platforms.Dialects[platform].Decode(leakSource(platform), platforms.Request{Body: body, Now: leakNow})
			for _, e := range d.Events {
				rooms[e.Room], rooms[e.Alias] = true, true
			}
			if platform == "bigbluebutton" {
				form, err := url.ParseQuery(string(body))
				if err != nil {
					t.Fatal(err)
				}
				body = []byte(form.Get("event"))
			}
			var v any
			if json.Unmarshal(body, &v) == nil { // some are spoilt on purpose
				personal(v, false, found)
			}
		}
	}
	for room := range rooms {
		delete(found, room)
	}
	return slices.Sorted(maps.Keys(found))
}

// leakService opens the service on a store and a journal of its own; what it logs goes to log.
func leakService(t *testing.T, c *Config, log *bytes.Buffer) service {
	t.Helper()
	c.DataDir, c.OrganiserToken, c.SecretKey = t.TempDir(), token, key
	v := openService(t, c, log)
	t.Cleanup(v.stores.close)
	return v
}

// openService opens the service as it is configured; the caller closes its stores.
func openService(t *testing.T, c *Config, log *bytes.Buffer) service {
	t.Helper()
	now := func() time.Time { return leakNow }
	s, err := openStores(c, now)
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if err := s.prepare(t.Context(), c, logger); err != nil {
		t.Fatal(err)
	}
	v, err := newService(t.Context(), c, s, logger, now)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// leakConfig has a source for each platform, and a session that claims some of the rooms; the others' events are aside.
func leakConfig(t *testing.T) *Config {
	t.Helper()
	text := "sources:\n"
	for _, platform := range slices.Sorted(maps.Keys(leakSecrets)) {
		s := leakSource(platform)
		text += fmt.Sprintf("  - {name: %s, platform: %s, secrets: [%q], callback_url: %q}\n", s.Name, platform, s.Secrets[0], s.CallbackURL)
	}
	text += `
sessions:
  - id: talk
    title: {en: A talk}
    starts_at: 2026-11-23T09:00:00Z
    ends_at: 2026-11-23T13:00:00Z
    survey: short
    questions: {wish: rating}
    rooms:
      - {source: livestorm, id: fe9e2c48-a993-4d81-afbe-ed483f2d3576}
      - {source: zoom, id: "95123456789"}
      - {source: bigbluebutton, id: salle-lycee}
      - {source: typeform, id: lT4Z3j}
      - {source: formbricks, id: cm-survey-1}
surveys:
  - id: short
    title: {en: Short}
    questions: [{id: rating, kind: scale, min: 1, max: 10, label: {en: Rating}}]
`
	c, err := loadConfig(writeConfig(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// postAll posts every body, signed as its platform does, and returns how many of each platform were taken.
func postAll(t *testing.T, v service, bodies map[string][][]byte) map[string]int {
	t.Helper()
	taken := map[string]int{}
	for platform, list := range bodies {
		for _, body := range list {
			signed := platforms.Request{Header: http.Header{}, Body: body, Now: leakNow}
			platforms.Dialects[platform].Sign(leakSource(platform), &signed)
			r := httptest.NewRequest(http.MethodPost, "/webhooks/"+platform+"/"+signed.Path+"?"+signed.Query.Encode(), bytes.NewReader(body))
			if signed.Path == "" {
				r.URL.Path = "/webhooks/" + platform
			}
			r.Header = signed.Header
			r.Header.Set("Content-Type", "application/json")
			if platform == "bigbluebutton" {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			w := httptest.NewRecorder()
			v.handler.ServeHTTP(w, r)
			switch w.Code {
			case http.StatusOK:
				taken[platform]++
			case http.StatusBadRequest: // spoilt on purpose
			default:
				t.Fatalf("%s: %d %s", platform, w.Code, w.Body)
			}
		}
	}
	for platform := range bodies {
		if taken[platform] == 0 {
			t.Errorf("nothing of %s was taken", platform)
		}
	}
	return taken
}

// dump writes down every key and value of a store.
func dump(t *testing.T, rdb redis.UniversalClient) string {
	t.Helper()
	var b strings.Builder
	ctx := t.Context()
	for keys := rdb.Scan(ctx, 0, "*", 1000).Iterator(); keys.Next(ctx); {
		k := keys.Val()
		var value any
		var err error
		switch kind := rdb.Type(ctx, k).Val(); kind {
		case "string":
			value, err = rdb.Get(ctx, k).Result()
		case "hash":
			value, err = rdb.HGetAll(ctx, k).Result()
		case "set":
			value, err = rdb.SMembers(ctx, k).Result()
		case "zset":
			value, err = rdb.ZRangeWithScores(ctx, k, 0, -1).Result()
		case "list":
			value, err = rdb.LRange(ctx, k, 0, -1).Result()
		default:
			t.Fatalf("%s is of type %s", k, kind)
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, k, value)
	}
	return b.String()
}

// holdsNone searches a text for the personal strings: as they are, in lower case, and as JSON and URLs write them.
func holdsNone(t *testing.T, where, text string, people []string) {
	t.Helper()
	for _, p := range people {
		quoted, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{p, strings.ToLower(p), strings.Trim(string(quoted), `"`), url.QueryEscape(p)} {
			if at := strings.Index(text, form); at >= 0 {
				t.Errorf("%s holds %q: …%q…", where, form, text[max(0, at-60):min(len(text), at+len(form)+20)])
				break
			}
		}
	}
}

func scraped(v service) string {
	w := httptest.NewRecorder()
	v.metrics.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

func journalOf(t *testing.T, c *Config) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.DataDir, "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Of all that the fixtures of all platforms say of people, nothing reaches the store, the journal, the log or /metrics,
// whether their rooms are claimed or not.
func TestNothingPersonalIsKept(t *testing.T) {
	t.Parallel()
	bodies := fixtureBodies(t)
	people := append(personalOf(t, bodies), "Le récit d'Alger était passionnant") // a free text, which no question of the survey asks for
	for _, known := range []string{
		"Yasmine", "Delorme", "Jill Chill", "192.0.2.17", "613-555-1234", "teacherpass", "tokenofjill77", "jill.chill@example.test",
		"Mozilla/5.0 (Jill's tablet)", "b794f5a32ad488fd0fc320", "Firefox of Jill",
	} {
		if !slices.Contains(people, known) {
			t.Errorf("the search does not know %q", known)
		}
	}
	t.Logf("%d personal strings", len(people))
	server, err := redistest.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	for name, address := range map[string]string{"embedded, journal ahead": "", "redis, journal beside": server.URL()} {
		t.Run(name, func(t *testing.T) {
			c, log := leakConfig(t), &bytes.Buffer{}
			c.RedisURL = address
			v := leakService(t, c, log)
			t.Logf("taken: %v", postAll(t, v, bodies))
			kept, metrics := dump(t, v.stores.rdb), scraped(v)
			if address != "" { // once more for the journal, with Redis away
				server.Stop()
				postAll(t, v, bodies)
			}
			journal := journalOf(t, c)
			for where, text := range map[string]string{"the store": kept, "the journal": journal, "the log": log.String(), "/metrics": metrics} {
				t.Logf("%s: %d bytes", where, len(text))
				holdsNone(t, where, text, people)
			}
			for where, present := range map[string]bool{
				"a set of names":   strings.Contains(kept, "{talk}:names ["),
				"a journaled name": strings.Contains(journal, `"m":[`),
				"the session":      strings.Contains(metrics, `jauge_session_registered{session="talk"}`),
				"an aside room":    strings.Contains(kept, "c2824d584eac4489a1e32e4e164d5a3c/room1"),
				"a journal entry":  strings.Contains(journal, `"k":"joined"`),
				"a refusal logged": strings.Contains(log.String(), "webhook refused"),
			} {
				if !present {
					t.Errorf("%s is not there: nothing was searched", where)
				}
			}
		})
	}
}
