package metrics

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"jauge/attendance"
	"jauge/feedback/figures"
	"jauge/internal/journal"
	"jauge/internal/text"
	"jauge/programme"
)

var update = flag.Bool("update", false, "write the golden files")

type attendanceStub func(context.Context) ([]attendance.Status, error)

func (f attendanceStub) Scrape(ctx context.Context) ([]attendance.Status, error) { return f(ctx) }

type feedbackStub func(context.Context, []programme.Session) ([]figures.Results, error)

func (f feedbackStub) Scrape(ctx context.Context, s []programme.Session) ([]figures.Results, error) {
	return f(ctx, s)
}

// scraped is one session of each capability that matters.
func scraped() []attendance.Status {
	at := time.Date(2020, 4, 30, 18, 24, 0, 500e6, time.UTC)
	return []attendance.Status{
		{Figures: attendance.Figures{
			Session: programme.Session{
				ID: "un-metier-d-exception", Series: "conversations-diplomatiques",
				Title:   text.Text{"fr": "Un métier d'exception !", "en": "An exceptional profession!"},
				Invited: 600,
			},
			State: attendance.InSession, Capability: attendance.Live, LastEventAt: at,
			Present: new(412), Connections: new(420), Peak: new(431), Unique: new(502), SeenLeavingOnly: new(3), Registered: new(640),
			Watch: 90*time.Minute + 500*time.Millisecond,
		}, Summary: &attendance.Summary{Attended: 390, Watch: 100 * time.Minute, WatchLow: 75 * time.Minute}},
		{Figures: attendance.Figures{
			Session: programme.Session{ID: "la-cordee", Title: text.Text{"en": "La Cordée"}},
			State:   attendance.Over, Capability: attendance.Joins, LastEventAt: at,
			Unique: new(0), Watch: time.Hour,
		}},
		{Figures: attendance.Figures{
			Session: programme.Session{ID: "lycees", Title: text.Text{"fr": "Trois lycées"}},
			State:   attendance.Scheduled, Capability: attendance.Declared, Declared: new(87),
		}},
		{Figures: attendance.Figures{
			Session: programme.Session{ID: "evry", Title: text.Text{"fr": "Évry"}},
			State:   attendance.Over, Capability: attendance.Totals, Unique: new(31), Watch: 20 * time.Hour,
			Reported: &attendance.Total{Unique: 31, Watch: 20 * time.Hour}, Replayed: new(7),
		}},
		{Figures: attendance.Figures{
			Session: programme.Session{ID: "livestorm", Title: text.Text{"fr": "Pas encore de totaux"}},
			State:   attendance.Over, Capability: attendance.Totals, Registered: new(41),
		}},
	}
}

func sources() Sources {
	clock := time.Date(2020, 4, 30, 18, 25, 0, 0, time.UTC)
	return Sources{
		Attendance: attendanceStub(func(context.Context) ([]attendance.Status, error) { return scraped(), nil }),
		Feedback: feedbackStub(func(_ context.Context, sessions []programme.Session) ([]figures.Results, error) {
			return []figures.Results{{Session: sessions[0].ID, Respondents: 28, Questions: []figures.QuestionResult{
				{ID: "suite", Choices: []figures.ChoiceResult{{Value: "stage", Count: new(12)}, {Value: "rencontre", Count: new(0)}}},
				{ID: "envie", Mean: new(3.75), Choices: []figures.ChoiceResult{{Value: "5", Count: new(9)}}},
				{ID: "recommander", NPS: &figures.NPSResult{Value: 28.6}},
				{ID: "filiere", Suppressed: true, Choices: []figures.ChoiceResult{{Value: "droit"}}},
			}}}, nil
		}),
		AsideEvents: func(context.Context) (map[string]int, error) { return map[string]int{"tally-main": 3}, nil },
		Journal: func() journal.Stats {
			return journal.Stats{Pending: 7, Refused: 2, Waited: 90 * time.Second, Retried: journal.Retries{Applied: 3, Refused: 1}}
		},
		Trouble: func(context.Context) string { return "" },
		Pools: func() map[string]Pool {
			return map[string]Pool{"main": {Hits: 90, Misses: 4, Timeouts: 1, Stale: 2, Waited: 1500 * time.Millisecond, Total: 5, Idle: 3}}
		},
		Webhooks: []string{"zoom-main"},
		Refusals: map[string][]string{"zoom-main": {"signature", "stale"}, "unknown": {"source"}},
		Outcomes: []string{"recorded", "invalid"},
		Store:    "redis",
		Version:  "1.2.3",
		Now: func() time.Time {
			clock = clock.Add(250 * time.Millisecond)
			return clock
		},
		Log: slog.New(slog.DiscardHandler),
	}
}

// count makes m count one of everything.
func count(m *Metrics) {
	m.Event("zoom-main", "joined", "recorded")
	m.Event("zoom-main", "unsupported", "unsupported")
	m.Refused("zoom-main", "signature")
	m.AsideDropped("zoom-main", 12)
	m.Webhook("zoom-main", 3*time.Millisecond)
	m.Submission("recorded")
	m.Route("/sessions/:id", "GET")
	m.Login("wrong")
	m.Request("/sessions/:id", "GET", 200)
	m.Request("", "PROPFIND", 404)
}

// scrape returns what m serves, without the metrics of Go and of the process, whose values differ at each run.
func scrape(t *testing.T, m *Metrics, accept string) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	var ours strings.Builder
	for line := range strings.Lines(w.Body.String()) {
		if strings.Contains(line, "jauge_") && !strings.Contains(line, "_created{") || strings.HasPrefix(line, "# EOF") {
			ours.WriteString(line)
		}
	}
	return ours.String()
}

func TestExposition(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, accept, golden string }{
		{"text", "text/plain", "testdata/metrics.txt"},
		{"OpenMetrics", "application/openmetrics-text; version=1.0.0", "testdata/metrics.openmetrics.txt"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := New(prometheus.NewPedanticRegistry(), sources())
			count(m)
			got := scrape(t, m, tt.accept)
			if *update {
				if err := os.WriteFile(tt.golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(tt.golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("exposition (-want +got), -update writes it anew:\n%s", diff)
			}
		})
	}
}

func TestRuntimeMetricsAreServed(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	New(prometheus.NewRegistry(), sources()).Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, name := range []string{"go_goroutines", "process_resident_memory_bytes", "go_build_info"} {
		if !strings.Contains(w.Body.String(), "\n"+name) {
			t.Errorf("%s is not served", name)
		}
	}
}

// TestCollectorIsConsistent has the pedantic registry check that what is collected is what was described.
func TestCollectorIsConsistent(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collector{t.Context(), sources()})
	if _, err := registry.Gather(); err != nil {
		t.Error(err)
	}
}

func TestUnknownIsAbsent(t *testing.T) {
	t.Parallel()
	got := scrape(t, New(prometheus.NewRegistry(), sources()), "text/plain")
	for series, want := range map[string]bool{
		`jauge_session_attendees{session="un-metier-d-exception"} 412`: true,
		`jauge_session_attendees{session="la-cordee"}`:                 false,
		`jauge_session_attendees_unique{session="la-cordee"} 0`:        true, // known, and nobody
		`jauge_session_watch_seconds{session="la-cordee"}`:             false,
		`jauge_session_watch_seconds{session="evry"} 72000`:            true,
		`jauge_session_last_event_timestamp_seconds{session="lycees"}`: false,
		`jauge_session_declared{session="lycees"} 87`:                  true,
		`jauge_session_declared{session="un-metier-d-exception"}`:      false,
		`jauge_feedback_respondents{session="la-cordee"}`:              false,
		`question="filiere"`: false, // too few people to be shown
		`jauge_session_info{capability="joins",series="",session="la-cordee",titl`: true,
	} {
		if strings.Contains(got, series) != want {
			t.Errorf("%s: served %t, want %t", series, !want, want)
		}
	}
}

func TestStoreAway(t *testing.T) {
	t.Parallel()
	away := errors.New("connection refused")
	for _, tt := range []struct {
		name   string
		broken func(*Sources)
		served map[string]bool
	}{
		{"everything", func(s *Sources) {
			s.Attendance = attendanceStub(func(context.Context) ([]attendance.Status, error) { return nil, away })
		}, map[string]bool{"jauge_session_info": false, "jauge_feedback_respondents": false, "jauge_aside_events": false}},
		{"feedback", func(s *Sources) {
			s.Feedback = feedbackStub(func(context.Context, []programme.Session) ([]figures.Results, error) { return nil, away })
		}, map[string]bool{"jauge_session_info": true, "jauge_feedback_respondents": false, "jauge_aside_events": true}},
		{"aside", func(s *Sources) {
			s.AsideEvents = func(context.Context) (map[string]int, error) { return nil, away }
		}, map[string]bool{"jauge_session_info": true, "jauge_feedback_respondents": true, "jauge_aside_events": false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := sources()
			tt.broken(&s)
			var log bytes.Buffer
			s.Log = slog.New(slog.NewTextHandler(&log, nil))
			m := New(prometheus.NewRegistry(), s)
			got := scrape(t, m, "text/plain")
			tt.served["jauge_collect_success 0"] = true
			tt.served["jauge_redis_up 1"] = true // that something could not be read is another matter
			tt.served["jauge_collect_duration_seconds 0.25"] = true
			tt.served["jauge_journal_pending 7"] = true
			for series, want := range tt.served {
				if strings.Contains(got, "\n"+series) != want {
					t.Errorf("%s: served %t, want %t", series, !want, want)
				}
			}
			if !strings.Contains(log.String(), away.Error()) {
				t.Errorf("the log does not say why: %q", &log)
			}
		})
	}
}

// TestTroubleSaysWhy: the store is asked by itself, and one that takes nothing is down whatever can be read of it.
func TestTroubleSaysWhy(t *testing.T) {
	t.Parallel()
	s := sources()
	s.Trouble = func(context.Context) string { return "READONLY" }
	got := scrape(t, New(prometheus.NewRegistry(), s), "text/plain")
	for _, series := range []string{"jauge_redis_up 0", `jauge_redis_trouble{why="READONLY"} 1`, "jauge_collect_success 1", "jauge_session_live"} {
		if !strings.Contains(got, "\n"+series) {
			t.Errorf("%s is not served", series)
		}
	}
}

func TestScrapeIsBoundedByTheScraper(t *testing.T) {
	t.Parallel()
	s := sources()
	var bounded bool
	s.Attendance = attendanceStub(func(ctx context.Context) ([]attendance.Status, error) {
		_, bounded = ctx.Deadline()
		<-ctx.Done()
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	New(prometheus.NewRegistry(), s).Handler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/metrics", nil))
	if !bounded {
		t.Error("the read has no deadline")
	}
	if !strings.Contains(w.Body.String(), "jauge_collect_success 0") {
		t.Errorf("a cancelled scrape: status %d", w.Code)
	}
}

func TestTooManyScrapes(t *testing.T) {
	t.Parallel()
	s := sources()
	arrived, release := make(chan struct{}), make(chan struct{})
	s.Attendance = attendanceStub(func(context.Context) ([]attendance.Status, error) {
		arrived <- struct{}{}
		<-release
		return nil, nil
	})
	handler := New(prometheus.NewRegistry(), s).Handler()
	codes := make(chan int)
	get := func() {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		codes <- w.Code
	}
	for range maxScrapes {
		go get()
		<-arrived
	}
	go get()
	if code := <-codes; code != http.StatusServiceUnavailable {
		t.Errorf("one scrape too many: status %d", code)
	}
	close(release)
	for range maxScrapes {
		if code := <-codes; code != http.StatusOK {
			t.Errorf("a scrape in time: status %d", code)
		}
	}
}

// TestBadLabelSparesTheRest: one title that is not UTF-8 must not cost the figures of every session.
func TestBadLabelSparesTheRest(t *testing.T) {
	t.Parallel()
	s := sources()
	s.Attendance = attendanceStub(func(context.Context) ([]attendance.Status, error) {
		figures := scraped()
		figures[0].Session.Title = text.Text{"fr": "\xff"}
		return figures, nil
	})
	got := scrape(t, New(prometheus.NewRegistry(), s), "text/plain")
	if !strings.Contains(got, `jauge_session_attendees{session="un-metier-d-exception"} 412`) {
		t.Error("the session's other figures are gone")
	}
}

func TestLint(t *testing.T) {
	t.Parallel()
	m := New(prometheus.NewRegistry(), sources())
	count(m)
	families, err := m.scrape(t.Context()).Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, f := range families {
		name, help := f.GetName(), f.GetHelp()
		if !strings.HasPrefix(name, "jauge_") {
			continue
		}
		if !strings.HasSuffix(help, ".") || len(help) < 20 {
			t.Errorf("%s: help %q is not a sentence", name, help)
		}
		if strings.HasSuffix(name, "_seconds") != (f.GetUnit() == "seconds") {
			t.Errorf("%s: unit %q", name, f.GetUnit())
		}
		if f.GetType().String() == "HISTOGRAM" && f.GetUnit() == "" {
			t.Errorf("%s: a histogram without a unit", name)
		}
	}
}

func TestPromtool(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatal("promtool is not on this machine: install the Debian package prometheus, or run make deps")
	}
	m := New(prometheus.NewRegistry(), sources())
	count(m)
	cmd := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(scrape(t, m, "text/plain"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

func BenchmarkScrape(b *testing.B) {
	m := New(prometheus.NewRegistry(), sources())
	count(m)
	handler := m.Handler()
	for b.Loop() {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		_, _ = io.Copy(io.Discard, w.Body)
	}
}
