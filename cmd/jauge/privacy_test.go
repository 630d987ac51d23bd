package main

import (
	"bytes"
	"crypto/rand"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/internal/redistest"
	"jauge/platforms"
)

// The attacks on privacy, from outside: what an organiser may open (page, CSV, API) and what Prometheus reads, on both stores.

// attacked is a service that a test may stop, reconfigure and start again on the same data.
type attacked struct {
	t       *testing.T
	config  *Config
	service service
}

// attack runs f against a service on the embedded store with its journal, and against one on redis-server.
func attack(t *testing.T, change func(*Config), f func(t *testing.T, a *attacked)) {
	t.Helper()
	for _, store := range []string{"embedded", "redis"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			c, err := loadConfig(writeConfig(t, `
sources: [{name: relay, platform: standard, secrets: ["`+relay.Secrets[0]+`"]}]
sessions:
  - id: talk
    title: {en: A talk}
    starts_at: 2026-11-23T09:00:00Z
    ends_at: 2026-11-23T13:00:00Z
    survey: short
    rooms: [{source: relay, id: hall}]
    segments: [{id: a, title: {en: A}}, {id: b, title: {en: B}}]
surveys:
  - id: short
    title: {en: Short}
    questions:
      - {id: rating, kind: scale, min: 1, max: 3, label: {en: Rating}}
      - {id: agree, kind: yesno, label: {en: Agree}}
      - {id: word, kind: text, label: {en: Word}}
`))
			if err != nil {
				t.Fatal(err)
			}
			c.DataDir, c.OrganiserToken, c.SecretKey = t.TempDir(), token, key
			if store == "redis" {
				server, err := redistest.StartServer()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(server.Stop)
				c.RedisURL = server.PatientURL()
			}
			if change != nil {
				change(c)
			}
			a := &attacked{t: t, config: c}
			a.start()
			t.Cleanup(func() { a.service.stores.close() })
			f(t, a)
		})
	}
}

func (a *attacked) start() {
	a.t.Helper()
	a.service = openService(a.t, a.config, &bytes.Buffer{})
}

// restart stops the service and starts it on the same data, as its configuration is by then.
func (a *attacked) restart(change func(*Config)) {
	a.t.Helper()
	a.service.stores.close()
	if change != nil {
		change(a.config)
	}
	a.start()
}

func (a *attacked) do(method, path string, header http.Header, body string) *httptest.ResponseRecorder {
	a.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header = header
	w := httptest.NewRecorder()
	a.service.handler.ServeHTTP(w, r)
	return w
}

var asJSON = http.Header{"Content-Type": {"application/json"}}

// answer submits answers, as JSON, and gives the path of the answer.
func (a *attacked) answer(segment, answers string) string {
	a.t.Helper()
	w := a.do(http.MethodPost, "/feedback/talk", asJSON, `{"segment": "`+segment+`", "answers": {`+answers+`}}`)
	var got struct{ Receipt string }
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusCreated {
		a.t.Fatalf("answer: %d %s", w.Code, w.Body)
	}
	return "/feedback/talk/answers/" + got.Receipt
}

// crowd lets n people of a segment answer, with every value given and none by all.
func (a *attacked) crowd(segment string, n int) (paths []string) {
	for i := range n {
		paths = append(paths, a.answer(segment, fmt.Sprintf(`"rating": %d, "agree": %t`, 1+i%3, i%2 == 0)))
	}
	return paths
}

func (a *attacked) get(path string) string {
	a.t.Helper()
	w := a.do(http.MethodGet, path, http.Header{"Authorization": {"Bearer " + token}, "Accept": {"*/*"}}, "")
	if w.Code != http.StatusOK {
		a.t.Fatalf("GET %s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

// apart is what a page may say twice differently: the number of respondents, which is exempt, and the read-only link, which
// expires.
var apart = regexp.MustCompile(`data-figure="respondents">\d+<|access=[\w.-]+|<p>\d+ personnes? (a|ont) répondu`)

// shown is everything that is shown of the answers but for their number: API, CSV, pages and /metrics.
func (a *attacked) shown() string {
	a.t.Helper()
	feedback := a.get("/api/v1/sessions/talk/feedback")
	var r struct{ Respondents int }
	if err := json.Unmarshal([]byte(feedback), &r); err != nil {
		a.t.Fatal(err)
	}
	feedback = strings.Replace(feedback, fmt.Sprintf(`"respondents":%d,"response_rate"`, r.Respondents), "", 1)
	text := feedback + "\n" + a.get("/api/v1/sessions/talk/feedback.csv") + "\n" + apart.ReplaceAllString(a.get("/sessions/talk")+a.get("/sessions/talk/results"), "")
	var metrics []string
	for line := range strings.Lines(scraped(a.service)) {
		if strings.HasPrefix(line, "jauge_feedback_") && !strings.HasPrefix(line, "jauge_feedback_respondents") && !strings.HasPrefix(line, "jauge_feedback_submissions_total") {
			metrics = append(metrics, line)
		}
	}
	return text + "\n" + strings.Join(metrics, "")
}

func (a *attacked) respondents() int {
	a.t.Helper()
	var r struct{ Respondents int }
	if err := json.Unmarshal([]byte(a.get("/api/v1/sessions/talk/feedback")), &r); err != nil {
		a.t.Fatal(err)
	}
	return r.Respondents
}

// counts reads the CSV: "segment question value" → count, of what is shown.
func (a *attacked) counts() map[string]int {
	a.t.Helper()
	records, err := csv.NewReader(strings.NewReader(a.get("/api/v1/sessions/talk/feedback.csv"))).ReadAll()
	if err != nil {
		a.t.Fatal(err)
	}
	counts := map[string]int{}
	for _, r := range records[1:] {
		if r[5] == "" {
			continue
		}
		n, err := strconv.Atoi(r[5])
		if err != nil {
			a.t.Fatal(err)
		}
		counts[strings.TrimSpace(r[0]+" "+r[1]+" "+r[4])] = n
	}
	return counts
}

func TestAGroupOfFour(t *testing.T) {
	t.Parallel()
	attack(t, nil, func(t *testing.T, a *attacked) {
		nothing := a.shown()
		a.crowd("a", 4)
		if diff := cmp.Diff(nothing, a.shown()); diff != "" || a.respondents() != 4 {
			t.Errorf("%d respondents; what four people said shows:\n%s", a.respondents(), diff)
		}
		a.crowd("b", 12) // the four are hidden behind twelve, too
		if got := a.counts(); got["rating 1"] != 4 || got["a rating 1"] != 0 || got["b rating 1"] != 4 {
			t.Errorf("%v", got)
		}
	})
}

// Of a total and its segments, all but one shown, the hidden one could be worked out.
func TestATotalWithOneHiddenCell(t *testing.T) {
	t.Parallel()
	attack(t, nil, func(t *testing.T, a *attacked) {
		a.crowd("a", 12)
		for i := range 6 {
			a.answer("b", fmt.Sprintf(`"rating": %d, "agree": true`, 1+i%3))
		}
		got := a.counts()
		for _, row := range []struct {
			cell  string
			shown bool
		}{
			{"rating 1", true}, {"a rating 1", true}, {"b rating 1", true},
			{"agree yes", true}, {"b agree yes", false}, {"a agree yes", false}, // a's 6 of 12 from 12 of 18 leave 6 of 6
		} {
			if _, shown := got[row.cell]; shown != row.shown {
				t.Errorf("%s: shown %t", row.cell, shown)
			}
		}
		if text := a.shown(); strings.Contains(text, `a,agree,yesno,12`) {
			t.Error(text)
		}
	})
}

func TestTwoSnapshotsOneAnswerApart(t *testing.T) {
	t.Parallel()
	no := `{"answers": {"rating": 3, "agree": false}}`
	for name, step := range map[string]func(a *attacked, crowd []string){
		"an answer":                    func(a *attacked, _ []string) { a.answer("a", `"rating": 3`) },
		"an answer of another segment": func(a *attacked, _ []string) { a.answer("b", `"rating": 3`) },
		"an answer of none":            func(a *attacked, _ []string) { a.answer("", `"rating": 3`) },
		"an edit":                      func(a *attacked, crowd []string) { a.do(http.MethodPut, crowd[0], asJSON, no) },
		"a deletion":                   func(a *attacked, crowd []string) { a.do(http.MethodDelete, crowd[0], http.Header{}, "") },
		"all of these": func(a *attacked, crowd []string) {
			a.answer("a", `"rating": 3`)
			a.answer("b", `"rating": 3`)
			a.do(http.MethodPut, crowd[0], asJSON, no)
			a.do(http.MethodDelete, crowd[1], http.Header{}, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			attack(t, nil, func(t *testing.T, a *attacked) {
				crowd := a.crowd("a", 12)
				a.crowd("b", 12)
				before, n := a.shown(), a.respondents()
				step(a, crowd)
				if diff := cmp.Diff(before, a.shown()); diff != "" {
					t.Errorf("two readings differ (-before +after):\n%s", diff)
				}
				if name == "an answer" && a.respondents() != n+1 || name == "a deletion" && a.respondents() != n-1 {
					t.Errorf("%d respondents, then %d", n, a.respondents())
				}
				a.restart(nil)
				if diff := cmp.Diff(before, a.shown()); diff != "" {
					t.Errorf("after a restart (-before +after):\n%s", diff)
				}
				a.crowd("a", 5)
				a.crowd("b", 5)
				if a.shown() == before {
					t.Error("five more of each show nothing")
				}
				a.verify()
			})
		})
	}
}

// What one group was asked is shown with others of that group only: people of one wave do not complete those of another, nor do those who stayed
// complete those who left.
func TestAGroupIsNotCompletedByAnother(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change     func(*Config)
		many, rare string // bodies of an answer
	}{
		"waves": {func(c *Config) { c.Sessions[0].Survey, c.Sessions[0].Segments = "vocation-waves", nil },
			`{"wave": "before", "answers": {"interest": %d}}`, `{"wave": "end", "answers": {"interest": %d}}`},
		"stayed": {func(c *Config) { c.Surveys[0].Questions[1].Stay = true },
			`{"answers": {"agree": true, "rating": %d}}`, `{"answers": {"agree": false, "rating": %d}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			attack(t, tt.change, func(t *testing.T, a *attacked) {
				send := func(body string, n int) {
					t.Helper()
					for i := range n {
						if w := a.do(http.MethodPost, "/feedback/talk", asJSON, fmt.Sprintf(body, 1+i%3)); w.Code != http.StatusCreated {
							t.Fatalf("answer: %d %s", w.Code, w.Body)
						}
					}
				}
				nothing := a.shown()
				send(tt.many, 12)
				send(tt.rare, 12)
				before := a.shown()
				send(tt.many, 4)
				send(tt.rare, 1)
				if diff := cmp.Diff(before, a.shown()); diff != "" || before == nothing {
					t.Errorf("four of one group and one of the other show (-before +after):\n%s", diff)
				}
				send(tt.many, 1)
				five := a.shown()
				if five == before {
					t.Error("five of a group show nothing")
				}
				send(tt.rare, 3)
				if diff := cmp.Diff(five, a.shown()); diff != "" {
					t.Errorf("four of a group show (-before +after):\n%s", diff)
				}
				a.verify()
			})
		})
	}
}

func (a *attacked) verify() {
	a.t.Helper()
	drifts, err := a.service.stores.feedback.Recount(a.t.Context(), "talk", false)
	if err != nil || drifts != nil {
		a.t.Errorf("recount: %v %v", drifts, err)
	}
}

// "0 % of seven said no" says what each of the seven said.
func TestACellOfZeroInAGroupOfSeven(t *testing.T) {
	t.Parallel()
	attack(t, nil, func(t *testing.T, a *attacked) {
		for i := range 7 {
			a.answer("a", fmt.Sprintf(`"rating": %d, "agree": true`, 1+i%3))
		}
		got := a.counts()
		if got["rating 1"] != 3 {
			t.Errorf("the rating of seven is not shown: %v", got)
		}
		for cell := range got {
			if strings.Contains(cell, "agree") {
				t.Errorf("%s is shown", cell)
			}
		}
		if text := a.shown(); strings.Contains(text, `jauge_feedback_choices{choice="yes"`) || !strings.Contains(text, `jauge_feedback_choices{choice="1"`) {
			t.Error(text)
		}
	})
}

// What was promised when people answered holds, whatever becomes of the configuration.
func TestAPromiseIsNotLoosened(t *testing.T) {
	t.Parallel()
	minors := func(yes bool) func(*Config) {
		return func(c *Config) { c.Privacy.MinimumGroup, c.Sessions[0].Minors = 8, yes }
	}
	attack(t, minors(true), func(t *testing.T, a *attacked) {
		nothing := a.shown()
		a.crowd("a", 6)
		a.restart(func(c *Config) { c.Privacy.MinimumGroup, c.Sessions[0].Minors = 2, false })
		if diff := cmp.Diff(nothing, a.shown()); diff != "" {
			t.Errorf("a minimum group of 8 that is 2 by now shows what six said:\n%s", diff)
		}
		page := a.do(http.MethodGet, "/feedback/talk", http.Header{"Accept": {"text/html"}}, "").Body.String()
		if !strings.Contains(page, "8") || strings.Contains(page, `name="q.word"`) {
			t.Errorf("the page promises less, or asks minors for words: %s", page)
		}
		w := a.do(http.MethodPost, "/feedback/talk", asJSON, `{"answers": {"rating": 1, "word": "Jane"}}`)
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "word") {
			t.Errorf("minors are asked for words: %d %s", w.Code, w.Body)
		}
		a.crowd("a", 2)
		if got := a.counts(); got["rating 1"] != 3 {
			t.Errorf("eight people: %v", got)
		}
		if strings.Contains(a.shown(), `"id":"word"`) {
			t.Error("the results have the words of minors")
		}
		a.restart(func(c *Config) { c.Privacy.MinimumGroup = 20 })
		if got := a.counts(); len(got) != 0 {
			t.Errorf("a higher minimum group does not hold: %v", got)
		}
	})
}

// What the store and the journal hold of who came and was invited, and of what was answered, share nothing: no hash, no
// order and no time finer than the hour. Everybody here comes, leaves and answers in one request, the hardest case.
func TestADumpDoesNotJoinWhoToWhat(t *testing.T) {
	t.Parallel()
	attack(t, nil, func(t *testing.T, a *attacked) {
		const people = 40
		var made struct{ Invitations []struct{ URL string } }
		w := a.do(http.MethodPost, "/api/v1/sessions/talk/invitations", http.Header{
			"Content-Type": {"application/json"}, "Authorization": {"Bearer " + token},
		}, fmt.Sprintf(`{"count": %d, "segment": "a"}`, people))
		if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || len(made.Invitations) != people {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for i := range people {
			a.relay(fmt.Sprintf("attendee-%03d-of-the-platform", i), i)
			_, invite, _ := strings.Cut(made.Invitations[i].URL, "invite=")
			form := url.Values{
				"page": {"1"}, "do": {"next"}, "token": {rand.Text()}, "invite": {invite},
				"q.rating": {"2"}, "q.word": {fmt.Sprintf("said by %03d", people+i)},
			}
			if w := a.do(http.MethodPost, "/feedback/talk", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, form.Encode()); w.Code != http.StatusSeeOther {
				t.Fatalf("form: %d %s", w.Code, w.Body)
			}
		}
		if a.respondents() != 2*people {
			t.Fatalf("%d respondents", a.respondents())
		}
		path := a.answer("a", `"rating": 1, "word": "said by 999"`)
		for i := range 3 { // some wait, one is deleted
			a.answer("a", fmt.Sprintf(`"rating": 1, "word": "said by 99%d"`, i))
		}
		a.do(http.MethodDelete, path, http.Header{}, "")

		who, what := map[string]bool{}, map[string]bool{}
		for key, values := range dumped(t, a.service.stores.rdb) {
			_, name, inSession := strings.Cut(key, "}:")
			switch {
			case !inSession:
			case name == "fb:invites" || !strings.HasPrefix(name, "fb:"):
				tokensOf(who, values)
			default:
				tokensOf(what, values)
				if order := saidBy(values); len(order) >= people && successors(order) > len(order)/4 {
					t.Errorf("%s is in the order of arrival: %v", name, order)
				}
				for at := range timesOf(values) {
					t.Errorf("%s has a time: %s", name, at)
				}
			}
		}
		var answers []string
		for kind, entries := range a.journaled() {
			switch {
			case kind == "feedback.invite" || kind == "feedback.invite.used" || strings.HasPrefix(kind, "attendance.event"), kind == "attendance.claimed":
				tokensOf(who, entries)
			case strings.HasPrefix(kind, "feedback."):
				tokensOf(what, entries)
				answers = append(answers, saidBy(entries)...)
			}
		}
		if a.config.RedisURL == "" && (len(answers) < 2*people || successors(answers) > len(answers)/4) {
			t.Errorf("the journal is in the order of arrival: %v", answers)
		}
		if len(who) < 3*people || len(what) < 2*people {
			t.Fatalf("%d tokens of who, %d of what: nothing was searched", len(who), len(what))
		}
		for token := range who {
			if what[token] {
				t.Errorf("%s is said of who, and of what", token)
			}
		}
	})
}

// relay posts one person's stay and answers in one signed request.
func (a *attacked) relay(attendee string, i int) {
	a.t.Helper()
	body := fmt.Appendf(nil, `[
		{"type": "attendee.joined", "timestamp": "2026-11-23T09:%02d:11.123Z", "data": {"room": "hall", "attendee": %q}},
		{"type": "attendee.left", "timestamp": "2026-11-23T11:59:%02d.456Z", "data": {"room": "hall", "attendee": %q}},
		{"type": "answers.submitted", "timestamp": "2026-11-23T11:59:%02d.789Z", "data": {"room": "hall", "attendee": %q, "segment": "a",
			"answers": {"rating": 3, "word": "said by %03d"}}}]`, i, attendee, i, attendee, i, attendee, i)
	signed := platforms.Request{Header: http.Header{}, Body: body, Now: leakNow}
	platforms.Dialects["standard"].Sign(relay, &signed)
	signed.Header.Set("Content-Type", "application/json")
	if w := a.do(http.MethodPost, "/webhooks/relay", signed.Header, string(body)); w.Code != http.StatusOK {
		a.t.Fatalf("webhook: %d %s", w.Code, w.Body)
	}
}

// dumped reads every key of a store: its values and fields, in the order in which the store gives them.
func dumped(t *testing.T, rdb redis.UniversalClient) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	ctx := t.Context()
	for keys := rdb.Scan(ctx, 0, "*", 1000).Iterator(); keys.Next(ctx); {
		k := keys.Val()
		kind := rdb.Type(ctx, k).Val()
		command := map[string][]any{"string": {"GET", k}, "hash": {"HKEYS", k}, "set": {"SMEMBERS", k}, "zset": {"ZRANGE", k, 0, -1}}[kind]
		if command == nil {
			t.Fatalf("%s is of another type", k)
		}
		reply, err := rdb.Do(ctx, command...).Result()
		if err != nil {
			t.Fatal(err)
		}
		list, ok := reply.([]any)
		if !ok {
			list = []any{reply}
		}
		for _, item := range list {
			text := fmt.Sprint(item)
			switch kind {
			case "hash":
				text += " " + rdb.HGet(ctx, k, text).Val()
			case "zset":
				text += " " + strconv.FormatFloat(rdb.ZScore(ctx, k, text).Val(), 'f', -1, 64)
			}
			all[k] = append(all[k], text)
		}
	}
	return all
}

// journaled reads the entries of the journal file by kind, those that were replaced or deleted as far as they are still there.
func (a *attacked) journaled() map[string][]string {
	a.t.Helper()
	entries := map[string][]string{}
	const begin = `{"kind":`
	for _, piece := range strings.Split(journalOf(a.t, a.config), begin)[1:] {
		var e struct {
			Kind string
			Data json.RawMessage
		}
		if json.NewDecoder(strings.NewReader(begin+piece)).Decode(&e) == nil {
			entries[e.Kind] = append(entries[e.Kind], string(e.Data))
		}
	}
	return entries
}

var (
	aToken = regexp.MustCompile(`[A-Za-z0-9_-]{8,}`)
	aSaid  = regexp.MustCompile(`said by (\d+)`)
	aTime  = regexp.MustCompile(`\d\d:\d\d:\d\d[^"]*|\b1[67]\d{8,}\b`)
)

// tokensOf collects the words of at least eight characters that hold a digit or a capital: ids, hashes and times.
func tokensOf(found map[string]bool, texts []string) {
	for _, text := range texts {
		for _, word := range aToken.FindAllString(text, -1) {
			if strings.ToLower(word) != word || strings.ContainsAny(word, "0123456789") {
				found[word] = true
			}
		}
	}
}

// saidBy lists who said the words in the texts, in their order there.
func saidBy(texts []string) (order []string) {
	for _, text := range texts {
		for _, m := range aSaid.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(order, m[1]) {
				order = append(order, m[1])
			}
		}
	}
	return order
}

// successors counts those who stand right behind the one who came before them; people came as relay 0, form 40, relay 1, …
func successors(order []string) (n int) {
	for i := range order[1:] {
		before, _ := strconv.Atoi(order[i])
		after, _ := strconv.Atoi(order[i+1])
		if d := after - before; d == 40 || d == -39 || d == 1 {
			n++
		}
	}
	return n
}

// timesOf lists the times that are not those of a full hour.
func timesOf(texts []string) map[string]bool {
	found := map[string]bool{}
	for _, text := range texts {
		for _, at := range aTime.FindAllString(text, -1) {
			if !strings.HasPrefix(at[2:], ":00:00Z") {
				found[at] = true
			}
		}
	}
	return found
}
