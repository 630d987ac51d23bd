package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"jauge/attendance"
	"jauge/feedback"
	"jauge/feedback/survey"
	"jauge/internal/redistest"
	"jauge/internal/text"
	"jauge/platforms"
	"jauge/programme"
)

// executed holds the pages that some test was answered with, by the class of their body.
var executed sync.Map

// TestMain runs the tests on both stores; afterwards nothing may still run, and, in a full run, no page be unseen.
func TestMain(m *testing.M) {
	os.Exit(redistest.Main(m, func() error {
		if flag.Lookup("test.run").Value.String() == "" {
			if err := allPagesExecuted(); err != nil {
				return err
			}
		}
		return goleak.Find()
	}))
}

func allPagesExecuted() error {
	files, err := fs.Glob(os.DirFS("page"), "templates/[a-z]*.html")
	if err != nil {
		return err
	}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(file, "templates/"), ".html")
		if _, ok := executed.Load(name); !ok {
			return fmt.Errorf("no test was answered with the page %s", name)
		}
	}
	return nil
}

// The programme of the tests begins at this moment.
var start = time.Date(2020, 4, 30, 18, 0, 0, 0, time.FixedZone("", 2*60*60))

const (
	organiserToken = "organiser-token-of-the-tests-0123456789"
	zoomSecret     = "zoom-secret-of-the-tests"
	standardSecret = "whsec_c3RhbmRhcmQtc2VjcmV0LW9mLXRoZS10ZXN0cw=="
)

// What is promised of limits and times, said once more: whoever changes one changes a promise.
const (
	organiserTime, viewerTime = 12 * time.Hour, 7 * 24 * time.Hour
	organiserCookie           = "jauge"
	viewerCookie              = "jauge_viewer"
	viewerParameter           = "access"
	beaconBurst               = 600 // joins at once, from one address
	guessBurst                = 30  // wrong words, from one address
	sessionGuessBurst         = 300 // and in one session
	refusalEvery              = 10 * time.Second
	maxTexts                  = 100 // on a page
	maxAsideItems             = 500 // one by one, of the API
	maxAsideViews             = 5   // rooms, on the programme
)

// site is one service under test: its stores, its clock, its log and its counters.
type site struct {
	t       testing.TB
	handler http.Handler
	deps    Deps
	surveys map[string]*survey.Survey // by id: what sessions ask
	metrics *counters
	log     *buffer

	mu  sync.Mutex
	now time.Time
}

// setup is what a site is built from.
type setup struct {
	Deps
	Surveys      map[string]*survey.Survey
	MinimumGroup int
}

// newSite builds a service on rdb; change, if given, alters what it is built from.
func newSite(t testing.TB, rdb redis.UniversalClient, prefix string, change ...func(*setup)) *site {
	t.Helper()
	s := &site{t: t, metrics: &counters{counts: map[string]int{}}, log: &buffer{}, now: start.Add(30 * time.Minute)}
	key := bytes.Repeat([]byte("k"), 32)
	clock := func() time.Time { s.mu.Lock(); defer s.mu.Unlock(); return s.now }
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	public, _ := url.Parse("http://jauge.example")
	sessions := programme.New(rdb, programme.Options{Prefix: prefix})
	built := setup{Surveys: map[string]*survey.Survey{"vocation": vocation()}, MinimumGroup: 5, Deps: Deps{
		Programme: sessions,
		Attendance: attendance.New(rdb, sessions, attendance.Options{
			Prefix: prefix, Key: key, Now: clock, Capabilities: map[string]attendance.Capability{"slow": attendance.Totals},
			Patience: redistest.Patience,
		}),
		Series: []programme.Series{{ID: "cycle", Title: text.Text{"fr": "Conversations", "en": "Conversations"}}},
		Sources: map[string]platforms.Source{
			"zoom":     {Name: "zoom", Platform: "zoom", Secrets: []string{zoomSecret}},
			"standard": {Name: "standard", Platform: "standard", Secrets: []string{standardSecret}},
			"slow":     {Name: "slow", Platform: "standard", Secrets: []string{standardSecret}},
		},
		Voided: &ended{}, Metrics: s.metrics, MetricsHandler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprintln(w, "up 1")
		}),
		PublicURL: public, OrganiserToken: organiserToken, Key: key,
		Log: slog.New(slog.NewJSONHandler(s.log, nil)), Now: clock, Ready: func(ctx context.Context) error { return rdb.Ping(ctx).Err() }, Away: away,
		Context: ctx, Version: "test", Embedded: true,
	}}
	for _, c := range change {
		c(&built)
	}
	var err error
	s.deps, s.surveys = built.Deps, built.Surveys
	s.deps.Feedback, err = feedback.New(rdb, feedback.Options{
		Prefix: prefix, Secret: key, Now: clock, Surveys: built.Surveys, MinimumGroup: built.MinimumGroup,
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.handler, err = New(s.deps); err != nil {
		t.Fatal(err)
	}
	if err := s.deps.Programme.Configure(t.Context(), planned()); err != nil {
		t.Fatal(err)
	}
	return s
}

// asked is what the first session asks.
func (s *site) asked() *feedback.Asked {
	s.t.Helper()
	session, err := s.deps.Programme.Session(s.t.Context(), "metier")
	if err != nil {
		s.t.Fatal(err)
	}
	a, err := s.deps.Feedback.Open(s.t.Context(), session)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// away knows how a client of a store that is gone fails.
func away(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, redis.ErrClosed) || errors.Is(err, context.DeadlineExceeded)
}

// each runs f on a service over each store.
func each(t *testing.T, f func(t *testing.T, s *site)) {
	t.Helper()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) { f(t, newSite(t, rdb, prefix)) })
}

// one returns a service for what does not depend on the store.
func one(t *testing.T, change ...func(*setup)) *site {
	t.Helper()
	rdb, prefix := redistest.Embedded()
	return newSite(t, rdb, prefix, change...)
}

func planned() []programme.Session {
	return []programme.Session{
		{
			ID: "metier", Series: "cycle", Title: text.Text{"fr": "Un métier d'exception !", "en": "An exceptional profession!"},
			StartsAt: start, EndsAt: start.Add(time.Hour), Survey: "vocation", Invited: 46,
			Rooms:    []programme.Room{{Source: "zoom", ID: "951"}, {Source: "standard", ID: "hall"}},
			Segments: []programme.Segment{{ID: "lycee", Title: text.Text{"fr": "Lycée", "en": "School"}}},
		},
		{
			ID: "eleves", Series: "cycle", Title: text.Text{"fr": "Les élèves", "en": "The pupils"}, Minors: true, Survey: "vocation",
			StartsAt: start.AddDate(0, 0, 1), EndsAt: start.AddDate(0, 0, 1).Add(time.Hour),
			Notice: &programme.Notice{
				Controller: "Les Amis de la diplomatie", Purpose: text.Text{"fr": "Préparer la suite du cycle.", "en": "To prepare the rest of the cycle."},
				LegalBasis: text.Text{"fr": "L'intérêt légitime", "en": "Legitimate interests"}, Contact: "donnees@amis.example",
			},
			Rooms: []programme.Room{{Source: "slow", ID: "class"}},
		},
		{
			ID: "salle", Title: text.Text{"fr": "En salle", "en": "In the hall"},
			StartsAt: start.AddDate(0, 0, 2), EndsAt: start.AddDate(0, 0, 2).Add(time.Hour),
		},
	}
}

func vocation() *survey.Survey {
	both := func(fr, en string) text.Text { return text.Text{"fr": fr, "en": en} }
	ends := func(q survey.Question) survey.Question {
		q.Low, q.High = both("pas du tout", "not at all"), both("beaucoup", "very much")
		return q
	}
	return &survey.Survey{
		ID: "vocation", Title: both("Vocation", "Vocation"), Intro: both("Merci d'être venus.", "Thank you for coming."), Minutes: 3,
		Sections: []survey.Section{
			{Title: both("Avant", "Before"), Questions: []survey.Question{
				ends(survey.Question{ID: "before", Kind: survey.Scale, Min: 1, Max: 5, Required: true, Label: both("Avant, cela vous tentait ?", "Before, did it tempt you?")}),
				{ID: "known", Kind: survey.YesNo, Label: both("En connaissiez-vous un ?", "Did you know one?")},
			}},
			{Title: both("Maintenant", "Now"), Questions: []survey.Question{
				ends(survey.Question{ID: "now", Kind: survey.Scale, Min: 1, Max: 5, Required: true, Pair: "before", Label: both("Et maintenant ?", "And now?")}),
				{ID: "recommend", Kind: survey.NPS, Label: both("La conseilleriez-vous ?", "Would you recommend it?")},
				{ID: "liked", Kind: survey.Multiple, MaxChoices: 2, Label: both("Qu'avez-vous aimé ?", "What did you like?"), Choices: []survey.Choice{
					{Value: "talk", Label: both("Le récit", "The story")}, {Value: "questions", Label: both("Les questions", "The questions")},
					{Value: "format", Label: both("Le format", "The format")},
				}},
				{ID: "words", Kind: survey.FreeText, MaxLength: 80, Help: both("Une phrase suffit.", "One sentence is enough."), Label: both("Un mot ?", "A word?")},
			}},
		},
	}
}

// at moves the clock.
func (s *site) at(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
}

var bodyClass = regexp.MustCompile(`<body class="(\w+)">`)

// call is one request; its zero value is a GET of a person who is not signed in.
type call struct {
	method, path string
	body         string
	form         url.Values
	json         any
	header       map[string]string
	organiser    bool
	context      context.Context // nil: the test's
}

// do sends a call and returns the answer.
func (s *site) do(c call) *httptest.ResponseRecorder {
	s.t.Helper()
	header := map[string]string{}
	var body io.Reader = strings.NewReader(c.body)
	if c.form != nil {
		body, header["Content-Type"] = strings.NewReader(c.form.Encode()), "application/x-www-form-urlencoded"
	}
	if c.json != nil {
		b, err := json.Marshal(c.json)
		if err != nil {
			s.t.Fatal(err)
		}
		body, header["Content-Type"] = bytes.NewReader(b), "application/json"
	}
	if c.organiser {
		header["Authorization"] = "Bearer " + organiserToken
	}
	maps.Copy(header, c.header)
	if c.method == "" {
		c.method = http.MethodGet
	}
	if c.context == nil {
		c.context = s.t.Context()
	}
	r := httptest.NewRequestWithContext(c.context, c.method, c.path, body)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	if class := bodyClass.FindStringSubmatch(w.Body.String()); class != nil {
		executed.Store(class[1], true)
	}
	return w
}

// get reads a page or an object as the organiser.
func (s *site) get(path string) *httptest.ResponseRecorder {
	s.t.Helper()
	w := s.do(call{path: path, organiser: true})
	if w.Code != http.StatusOK {
		s.t.Fatalf("GET %s: %d %s", path, w.Code, w.Body)
	}
	return w
}

// decode reads a JSON answer.
func decode[T any](t testing.TB, w *httptest.ResponseRecorder) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return v
}

// post delivers a webhook of a source, signed as its platform does.
func (s *site) post(source, contentType string, body []byte) *httptest.ResponseRecorder {
	s.t.Helper()
	return s.do(s.webhook(source, contentType, body))
}

// webhook is a webhook of a source, signed as its platform does.
func (s *site) webhook(source, contentType string, body []byte) call {
	src := s.deps.Sources[source]
	request := platforms.Request{Method: http.MethodPost, Header: http.Header{}, Body: body, Now: s.deps.Now()}
	platforms.Dialects[src.Platform].Sign(src, &request)
	header := map[string]string{"Content-Type": contentType}
	for name := range request.Header {
		header[name] = request.Header.Get(name)
	}
	return call{method: http.MethodPost, path: "/webhooks/" + source, body: string(body), header: header}
}

// event delivers one event in the platform's own words.
func (s *site) event(source string, e attendance.Event) {
	s.t.Helper()
	contentType, body := platforms.Dialects[s.deps.Sources[source].Platform].Encode(e)
	if w := s.post(source, contentType, body); w.Code != http.StatusOK {
		s.t.Fatalf("event: %d %s", w.Code, w.Body)
	}
}

// play lets n persons come a minute apart from the start on, and leaves the first stay for ten minutes.
func (s *site) play(n int) {
	s.t.Helper()
	for i := range n {
		e := attendance.Event{
			Kind: attendance.Joined, Room: "951", Occurrence: "o==", Attendee: fmt.Sprintf("p%d", i),
			Connection: fmt.Sprint(100 + i), At: start.Add(time.Duration(i) * time.Minute),
		}
		s.event("zoom", e)
		if i == 0 {
			e.Kind, e.At = attendance.Left, start.Add(10*time.Minute)
			s.event("zoom", e)
		}
	}
}

// answer submits answers as a program and returns the receipt.
func (s *site) answer(session string, answers map[string]any) string {
	s.t.Helper()
	w := s.do(call{method: http.MethodPost, path: "/feedback/" + session, json: map[string]any{"answers": answers}})
	if w.Code != http.StatusCreated {
		s.t.Fatalf("answer: %d %s", w.Code, w.Body)
	}
	return decode[map[string]string](s.t, w)["receipt"]
}

// ended is the Voided of the tests.
type ended struct{ ids sync.Map }

func (e *ended) Add(_ context.Context, id string, _ time.Time) error {
	e.ids.Store(id, true)
	return nil
}

func (e *ended) Has(id string) bool {
	_, ok := e.ids.Load(id)
	return ok
}

// counters are the Metrics of the tests.
type counters struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *counters) add(labels ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[strings.TrimSpace(fmt.Sprintln(labels...))]++
}

func (c *counters) Event(source, kind, result string)      { c.add("event", source, kind, result) }
func (c *counters) Refused(source, reason string)          { c.add("refused", source, reason) }
func (c *counters) Webhook(source string, _ time.Duration) { c.add("webhook", source) }
func (c *counters) Submission(result string)               { c.add("submission", result) }
func (c *counters) Route(route, method string)             { c.add("route", route, method) }
func (c *counters) Login(result string)                    { c.add("login", result) }
func (c *counters) Request(route, method string, code int) { c.add("request", route, method, code) }

func (c *counters) get(labels string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[labels]
}

// buffer is a bytes.Buffer that several requests may write to.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
