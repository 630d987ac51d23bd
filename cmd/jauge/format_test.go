package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/internal/journal"
	"jauge/internal/redistest"
	"jauge/platforms"
	"jauge/programme"
)

// testdata/format-N holds what a service of format N left behind after a small history: its Redis as readable text, its journal, and what it showed
// then. Whoever counts the format up adds the next folder and leaves the older ones as they are: they are what is migrated from. This one is
// written by
//
//	go test ./cmd/jauge -run TestStoredFormat -update
//
// which is for changes of the history alone: the files of a format that was released stay.
var update = flag.Bool("update", false, "write the fixture of the stored format anew")

// fixture is the folder of a format.
type fixture string

var present = fixture(filepath.Join("testdata", fmt.Sprintf("format-%d", storeFormat)))

// reading is what the fixture's service showed, by path; the paths are those of a reader who comes back later.
type reading map[string]any

// storedKey is one key of a Redis.
type storedKey struct {
	Key     string            `json:"key"`
	Expires int64             `json:"expires_s,omitempty"` // seconds from the moment of the fixture; 0: never
	String  *string           `json:"string,omitempty"`
	Hash    map[string]string `json:"hash,omitempty"`
	Set     []string          `json:"set,omitempty"`
	Sorted  map[string]string `json:"zset,omitempty"` // member → score
}

// What any version stored is read as it was when it was written: from the Redis, from the journal by which the embedded store is built, and
// from a journal that waited for a Redis.
func TestStoredFormat(t *testing.T) {
	t.Parallel()
	if *update {
		present.write(t)
	}
	folders, err := filepath.Glob("testdata/format-*")
	if err != nil || !slices.Contains(folders, string(present)) {
		t.Fatalf("%s has no fixture: %v (%v)", present, folders, err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			f := fixture(folder)
			t.Run("store", func(t *testing.T) {
				t.Parallel()
				redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
					f.load(t, rdb, prefix)
					f.holds(f.onStore(t, rdb, prefix))
				})
			})
			t.Run("journal", func(t *testing.T) {
				t.Parallel()
				f.holds(f.onJournal(t, ""))
			})
			t.Run("waiting journal", func(t *testing.T) {
				t.Parallel()
				a := f.onJournal(t, ownRedis(t).PatientURL())
				j := a.service.stores.journal
				if err := j.Drain(t.Context(), func(err error) { t.Error(err) }); err != nil || j.Pending() > 0 {
					t.Errorf("%d entries wait (%v)", j.Pending(), err)
				}
				f.holds(a)
			})
		})
	}
}

// holds says whether a service shows what the fixture's showed, and whether all counts agree with the marks.
func (f fixture) holds(a *attacked) {
	a.t.Helper()
	var want reading
	f.read(a.t, "shown.json", &want)
	got := reading{}
	for path := range want {
		got[path] = a.reads(path)
	}
	if strings.HasSuffix(string(f), "format-1") {
		want.shorten()
		got.shorten()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		a.t.Errorf("what was stored is read as something else (-then +now):\n%s", diff)
	}
	sessions, err := a.service.stores.programme.Sessions(a.t.Context())
	if err != nil || len(sessions) < 5 {
		a.t.Errorf("%d sessions (%v)", len(sessions), err)
	}
	for _, session := range sessions {
		if drifts, err := a.service.stores.verify(a.t.Context(), session.ID, false); err != nil || len(drifts) > 0 {
			a.t.Errorf("%s: %v (%v)", session.ID, drifts, err)
		}
	}
}

// longer is a pseudonym at the beginning of a row as format 1 showed it, sixteen characters long; unnamed is one that is made of a
// connection.
var (
	longer  = regexp.MustCompile(`^([\w-]{12})[\w-]{4},`)
	unnamed = regexp.MustCompile(`^~[^,]+,`)
)

// shorten cuts the pseudonyms of attendance to their first twelve characters, which are the ones that are shown today, and leaves out those
// that are made of a connection: what they are made of has changed. Of what is aside, it leaves out what format 1 did not say.
func (r reading) shorten() {
	if aside, ok := r["/api/v1/aside"].(map[string]any)["body"].(map[string]any); ok { // what was not known of old events aside
		delete(aside, "openings")
		delete(aside, "counted")
	}
	for path, answer := range r {
		rows, ok := answer.(map[string]any)["body"].([]any)
		if !ok || !strings.HasSuffix(path, "/attendance.csv") {
			continue
		}
		for i, row := range rows {
			rows[i] = unnamed.ReplaceAllString(longer.ReplaceAllString(row.(string), "$1,"), "~,")
		}
	}
}

// onStore opens a service on a store that holds the fixture.
func (f fixture) onStore(t *testing.T, rdb redis.UniversalClient, prefix string) *attacked {
	t.Helper()
	c := f.config(t)
	now := func() time.Time { return leakNow }
	s := &stores{rdb: rdb, guard: newGuard(prefix, []byte(c.SecretKey)), key: []byte(c.SecretKey)}
	err := s.build(c, prefix, now)
	if err == nil {
		err = s.guard.examine(t.Context(), rdb.Process)
	}
	if err == nil {
		err = s.prepare(t.Context(), c, slog.New(slog.DiscardHandler))
	}
	if err != nil {
		t.Fatal(err)
	}
	v, err := newService(t.Context(), c, s, slog.New(slog.DiscardHandler), now)
	if err != nil {
		t.Fatal(err)
	}
	return &attacked{t: t, config: c, service: v}
}

// onJournal opens a service on a copy of the fixture's journal, beside an empty Redis or, without one, as the embedded store's.
func (f fixture) onJournal(t *testing.T, redisURL string) *attacked {
	t.Helper()
	c := f.config(t)
	c.RedisURL = redisURL
	text, err := os.ReadFile(f.path("journal.db"))
	if err == nil {
		err = os.WriteFile(filepath.Join(c.DataDir, "journal.db"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	a := &attacked{t: t, config: c}
	a.start()
	t.Cleanup(a.service.stores.close)
	return a
}

func (f fixture) path(name string) string { return filepath.Join(string(f), name) }

func (f fixture) read(t *testing.T, name string, v any) {
	t.Helper()
	text, err := os.ReadFile(f.path(name))
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (f fixture) config(t *testing.T) *Config {
	t.Helper()
	c, err := loadConfig(f.path("jauge.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	c.DataDir = t.TempDir()
	return c
}

// load brings the fixture's Redis into a store, under another prefix.
func (f fixture) load(t *testing.T, rdb redis.UniversalClient, prefix string) {
	t.Helper()
	var keys []storedKey
	f.read(t, "redis.json", &keys)
	ctx := t.Context()
	_, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, k := range keys {
			name := prefix + strings.TrimPrefix(k.Key, keyPrefix)
			if k.String != nil {
				p.Set(ctx, name, *k.String, 0)
			}
			for field, value := range k.Hash {
				p.HSet(ctx, name, field, value)
			}
			for _, member := range k.Set {
				p.SAdd(ctx, name, member)
			}
			for member, score := range k.Sorted {
				p.Do(ctx, "ZADD", name, score, member)
			}
			if k.Expires > 0 {
				p.Expire(ctx, name, time.Duration(k.Expires)*time.Second)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// stored reads every key of a store but for the one that each probe writes.
func stored(t *testing.T, rdb redis.UniversalClient) (keys []storedKey) {
	t.Helper()
	ctx := t.Context()
	for name, values := range content(t, rdb) {
		k := storedKey{Key: name}
		if ttl := rdb.TTL(ctx, name).Val(); ttl > 0 {
			k.Expires = int64(ttl.Round(time.Hour) / time.Second)
		}
		switch kind := rdb.Type(ctx, name).Val(); kind {
		case "string":
			k.String = &values[0]
		case "hash":
			k.Hash = rdb.HGetAll(ctx, name).Val()
		case "set":
			k.Set = slices.Sorted(slices.Values(values))
		case "zset":
			k.Sorted = map[string]string{}
			for _, z := range rdb.ZRangeWithScores(ctx, name, 0, -1).Val() {
				k.Sorted[z.Member.(string)] = strconv.FormatFloat(z.Score, 'f', -1, 64)
			}
		default:
			t.Fatalf("%s is of type %s", name, kind)
		}
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b storedKey) int { return strings.Compare(a.Key, b.Key) })
	return keys
}

// shownPaths is what is read of each session, and of all.
var (
	shownPaths   = []string{"/api/v1/sessions", "/api/v1/aside", "/api/v1/series/cycle"}
	shownSession = []string{"", "/attendance.csv", "/curve", "/feedback", "/feedback.csv", "/answers.csv", "/texts"}
)

// reads gives the answer to a GET: its code, and its JSON or text. Of pages, which change with every version, it is what somebody filled in.
func (a *attacked) reads(path string) any {
	a.t.Helper()
	header := http.Header{"Accept": {"application/json"}, "Authorization": {"Bearer " + a.config.OrganiserToken}}
	if isPage := strings.Contains(path, "?"); isPage {
		header = http.Header{"Accept": {"text/html"}}
	}
	w := a.do(http.MethodGet, path, header, "")
	var body any
	switch kind := w.Header().Get("Content-Type"); {
	case w.Code != http.StatusOK: // the rest is words
	case strings.HasPrefix(kind, "application/json"):
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			a.t.Fatal(err)
		}
	case strings.HasPrefix(kind, "text/html"):
		inputs := []any{}
		for _, input := range filled.FindAllStringSubmatch(w.Body.String(), -1) {
			inputs = append(inputs, input[1]+"="+input[2])
		}
		body = inputs
	default: // CSV, whose lines come in another order each time
		lines := []any{}
		for _, line := range slices.Sorted(strings.Lines(w.Body.String())) {
			lines = append(lines, strings.TrimSpace(line))
		}
		body = lines
	}
	return map[string]any{"code": float64(w.Code), "body": body}
}

var filled = regexp.MustCompile(`name="(q\.[a-z]+)" value="([^"]*)" checked`)

// write plays the history on the embedded store and writes down what is left of it.
func (f fixture) write(t *testing.T) {
	t.Helper()
	c := f.config(t)
	gone := c.Sessions[0]
	gone.ID, gone.Rooms, gone.Series = "gone", []programme.Room{{Source: "relay", ID: "gone"}}, ""
	c.Sessions = append(c.Sessions, gone)
	a := &attacked{t: t, config: c}
	a.start()
	h := history{a}
	paths := append(h.play(), shownPaths...)
	a.restart(func(c *Config) { c.Sessions = c.Sessions[:len(c.Sessions)-1] })
	for _, id := range []string{"talk", "class", "guests", "course", "annexe", "gone"} {
		for _, what := range shownSession {
			paths = append(paths, "/api/v1/sessions/"+id+what)
		}
	}
	shown := reading{}
	for _, path := range paths {
		shown[path] = a.reads(path)
	}
	keys := stored(t, a.service.stores.rdb)
	a.service.stores.close()
	if err := journal.Compact(c.DataDir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(c.DataDir, "journal.db"))
	files := map[string][]byte{"journal.db": text}
	for name, v := range map[string]any{"redis.json": keys, "shown.json": shown} {
		text, e := json.MarshalIndent(v, "", " ")
		files[name], err = append(text, '\n'), errors.Join(err, e)
	}
	for name, text := range files {
		err = errors.Join(err, os.WriteFile(f.path(name), text, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// history is what happened before the fixture was written.
type history struct{ *attacked }

// play lets everything happen once of which something is stored, and gives what its people come back to.
func (h history) play() (paths []string) {
	h.events()
	h.api(http.MethodPost, "/api/v1/sessions", `{"id":"annexe","title":{"en":"Annexe"},"starts_at":"2026-11-23T11:00:00Z","ends_at":"2026-11-23T12:30:00Z","rooms":[{"source":"relay","id":"annexe"}]}`)
	h.api(http.MethodPost, "/api/v1/sessions/talk/declare", `{"heads":27}`)
	h.api(http.MethodPost, "/api/v1/sessions/gone/end", "")
	paths = append(paths, h.answers()...)
	h.moderation()
	paths = append(paths, h.invitations()...)
	paths = append(paths, h.waves()...)
	paths = append(paths, h.drafts()...)
	h.aside()
	login := h.do(http.MethodPost, "/login", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, url.Values{"token": {h.config.OrganiserToken}}.Encode())
	cookie, _, _ := strings.Cut(login.Header().Get("Set-Cookie"), ";")
	h.do(http.MethodPost, "/logout", http.Header{"Cookie": {cookie}}, "")
	return paths
}

func (h history) api(method, path, body string) {
	h.t.Helper()
	header := http.Header{"Authorization": {"Bearer " + h.config.OrganiserToken}, "Content-Type": {"application/json"}}
	if w := h.do(method, path, header, body); w.Code/100 != 2 {
		h.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
}

// post sends a body as the platform of a source does.
func (h history) post(source int, body string) {
	h.t.Helper()
	s := h.config.Sources[source].source()
	r := platforms.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body), Now: leakNow}
	platforms.Dialects[s.Platform].Sign(s, &r)
	if w := h.do(http.MethodPost, "/webhooks/"+s.Name, r.Header, body); w.Code != http.StatusOK {
		h.t.Fatalf("webhook: %d %s", w.Code, w.Body)
	}
}

// relay sends one event of the generic platform; more are further fields of its data.
func (h history) relay(kind, room string, at time.Time, more string) {
	h.t.Helper()
	h.post(0, fmt.Sprintf(`{"type":%q,"timestamp":%q,"data":{"room":%q%s}}`, kind, at.Format(time.RFC3339Nano), room, more))
}

// events lets people come to all rooms and leave most of them.
func (h history) events() {
	begin := leakNow.Add(-150 * time.Minute)
	for _, room := range []string{"hall", "classroom", "gone", "annexe"} {
		for i := range 12 {
			who := fmt.Sprintf(`,"occurrence":"o1","attendee":"person %d","connection":"%s tab %d"`, i, room, i)
			at := begin.Add(time.Duration(i*i) * 11300 * time.Millisecond)
			h.relay("attendee.joined", room, at, who)
			if i%4 != 0 {
				h.relay("attendee.left", room, at.Add(time.Duration(20+i)*time.Minute), who)
			}
		}
		h.relay("attendee.joined", room, begin, `,"occurrence":"o1","attendee":"a host","connection":"host","role":"staff"`)
		h.relay("attendee.left", room, begin.Add(time.Hour), `,"occurrence":"o1","attendee":"nobody","connection":"left only"`)
	}
	h.relay("attendee.registered", "hall", begin, `,"attendee":"person 1"`)
	h.relay("attendee.registered", "hall", begin, `,"attendee":"who did not come"`)
	h.relay("attendee.attended", "hall", begin, `,"occurrence":"o1","attendee":"person 3","seconds":1234.5`)
	for _, room := range []string{"classroom", "gone"} {
		h.relay("session.ended", room, begin.Add(100*time.Minute), `,"occurrence":"o1"`)
	}
	h.relay("attendee.joined", "hall", begin.Add(110*time.Minute), `,"occurrence":"o2","attendee":"person 2","connection":"again"`)
	for i, name := range []string{"Camille Exemple", "Sascha Invention"} {
		h.post(1, fmt.Sprintf(`{"event":"meeting.participant_joined","event_ts":%[1]d,"payload":{"account_id":"a","object":{"id":"95100000001","uuid":"zoom-one","participant":{`+
			`"user_id":"%[2]d","user_name":%[3]q,"participant_uuid":"P%[2]d","join_time":%[4]q}}}}`,
			leakNow.UnixMilli(), i, name, leakNow.Add(-time.Hour).Format(time.RFC3339)))
	}
	for i := range 3 {
		for _, kind := range []string{"join", "beat"} {
			if w := h.do(http.MethodPost, "/beacon/talk", asJSON, fmt.Sprintf(`{"id":"a-tab-of-the-fixture-%d","kind":%q}`, i, kind)); w.Code != http.StatusNoContent {
				h.t.Fatalf("beacon: %d %s", w.Code, w.Body)
			}
		}
	}
	h.api(http.MethodGet, "/api/v1/sessions/talk", "") // the summary is computed and kept
}

// submit sends an answer as a program does, and gives its receipt.
func (h history) submit(session, body string) string {
	h.t.Helper()
	w := h.do(http.MethodPost, "/feedback/"+session, asJSON, body)
	var got struct{ Receipt string }
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusCreated {
		h.t.Fatalf("answer: %d %s", w.Code, w.Body)
	}
	return "/feedback/" + session + "/answers/" + got.Receipt
}

// answers of every kind, one of them changed and one deleted.
func (h history) answers() (paths []string) {
	for k, session := range []string{"talk", "class", "gone"} {
		for i := range []int{27, 11, 3}[k] { // the last three of the talk wait for others without a segment
			segment := []string{"law", "arts"}[i%2]
			if i >= 24 {
				segment = ""
			}
			word := fmt.Sprintf(`,"word":"a word of the %d"`, i)
			if session == "class" {
				segment, word = "", ""
			}
			stayed, why := i/2%2 == 0, ""
			if !stayed {
				why = fmt.Sprintf(`,"why":%q`, []string{"time", "subject"}[i/4%2])
			}
			paths = append(paths, h.submit(session, fmt.Sprintf(`{"segment":%q,"lang":"en","answers":{"before":%d,"now":%d,"stay":%t,"recommend":%d,"subjects":["law"],`+
				`"order":["visit","talk"],"views":{"place":%d,"use":3},"age":%d,"quote":%t%s%s}}`,
				segment, 1+i%3, 1+i%4, stayed, i%11, 1+i%5, 18+i, i%2 == 0, why, word)))
		}
	}
	if w := h.do(http.MethodPut, paths[0], asJSON, `{"answers":{"before":2,"now":5,"stay":true,"word":"another word"}}`); w.Code/100 != 2 {
		h.t.Fatalf("change: %d %s", w.Code, w.Body)
	}
	if w := h.do(http.MethodDelete, paths[1], http.Header{}, ""); w.Code/100 != 2 {
		h.t.Fatalf("delete: %d %s", w.Code, w.Body)
	}
	return []string{paths[0], paths[1], paths[2], paths[30]}
}

// moderation shows some texts and hides one.
func (h history) moderation() {
	var texts []struct{ ID string }
	w := h.do(http.MethodGet, "/api/v1/sessions/talk/texts", http.Header{"Authorization": {"Bearer " + h.config.OrganiserToken}}, "")
	if err := json.Unmarshal(w.Body.Bytes(), &texts); err != nil || len(texts) < 3 {
		h.t.Fatalf("texts: %d %s", w.Code, w.Body)
	}
	for i, decision := range []string{"approve", "approve", "hide"} {
		h.api(http.MethodPost, "/api/v1/sessions/talk/texts/"+texts[i].ID, fmt.Sprintf(`{"decision":%q}`, decision))
	}
}

// invitations of which one is used.
func (h history) invitations() (paths []string) {
	header := http.Header{"Authorization": {"Bearer " + h.config.OrganiserToken}, "Content-Type": {"application/json"}}
	w := h.do(http.MethodPost, "/api/v1/sessions/guests/invitations", header, `{"count":3}`)
	for _, token := range regexp.MustCompile(`invite=([A-Z2-7]+)`).FindAllStringSubmatch(w.Body.String(), -1) {
		paths = append(paths, "/feedback/guests?invite="+token[1])
	}
	if len(paths) != 3 {
		h.t.Fatalf("invitations: %d %s", w.Code, w.Body)
	}
	_, token, _ := strings.Cut(paths[0], "invite=")
	return append(paths[:2], h.submit("guests", fmt.Sprintf(`{"answers":{"before":1},"invitation":%q}`, token)))
}

// waves of people who come back with their words.
func (h history) waves() (paths []string) {
	for i := range 12 {
		receipt := h.submit("course", fmt.Sprintf(`{"wave":"early","answers":{"wish":%d}}`, 1+i%3))
		_, code, _ := strings.Cut(receipt, "/answers/")
		if i < 10 {
			h.submit("course", fmt.Sprintf(`{"wave":"late","code":%q,"answers":{"wish":%d}}`, code, 2+i%4))
		}
		paths = append(paths, receipt)
	}
	return paths[9:]
}

// drafts are forms that somebody began.
func (h history) drafts() (paths []string) {
	for i := range 6 {
		page := h.do(http.MethodGet, "/feedback/talk?lang=en", http.Header{"Accept": {"text/html"}}, "").Body.String()
		form := url.Values{"do": {"next"}, "q.before": {fmt.Sprint(1 + i%5)}, "q.stay": {"no"}}
		for _, field := range hidden.FindAllStringSubmatch(page, -1) {
			form.Add(field[1], field[2])
		}
		w := h.do(http.MethodPost, "/feedback/talk", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, form.Encode())
		to, err := url.Parse(w.Header().Get("Location"))
		if err != nil || to.Query().Get("resume") == "" {
			h.t.Fatalf("draft: %d %s", w.Code, w.Body)
		}
		paths = append(paths, "/feedback/talk?lang=en&resume="+to.Query().Get("resume")+"&page=1")
	}
	return paths[:2]
}

// aside is what no session claims or could ever count.
func (h history) aside() {
	for i := range 7 {
		h.relay("attendee.joined", "nowhere", leakNow.Add(-time.Hour), fmt.Sprintf(`,"attendee":"stranger %d"`, i))
		h.relay("answers.submitted", "nowhere", leakNow.Add(-time.Hour), fmt.Sprintf(`,"attendee":"stranger %d","answers":{"now":4}`, i))
	}
	h.relay("attendee.joined", "hall", leakNow.AddDate(-30, 0, 0), `,"attendee":"a ghost"`)
	h.relay("answers.submitted", "hall", leakNow.Add(-time.Hour), `,"attendee":"person 5","answers":{"nothing":1}`)
	h.relay("answers.submitted", "hall", leakNow.Add(-time.Hour), `,"attendee":"person 6","answers":{"ref-wish":5}`)
}
