package handlers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/attendance"
	"jauge/handlers/api"
	"jauge/handlers/lookup"
	"jauge/internal/redistest"
	"jauge/platforms"
)

func joined(room string, at time.Time) attendance.Event {
	return attendance.Event{Kind: attendance.Joined, Room: room, Occurrence: "o==", Attendee: "p1", Connection: "1", At: at}
}

func zoomBody(e attendance.Event) []byte {
	_, body := platforms.Dialects["zoom"].Encode(e)
	return body
}

// standardAnswers is a submission in the standard dialect.
func standardAnswers(room, segment string, answers map[string]any) []byte {
	body, _ := json.Marshal(map[string]any{"type": "answers.submitted", "timestamp": start.Add(20 * time.Minute), "data": map[string]any{
		"room": room, "attendee": "p1", "segment": segment, "answers": answers,
	}})
	return body
}

func TestWebhooks(t *testing.T) {
	t.Parallel()
	good := zoomBody(joined("951", start))
	for _, row := range []struct {
		name, source, contentType string
		body                      []byte
		spoil                     func(http.Header)
		code                      int
		counted                   string
	}{
		{"recorded", "zoom", "application/json", good, nil, 200, "event zoom joined recorded"},
		{"with a charset", "zoom", "application/json; charset=utf-8", good, nil, 200, "event zoom joined recorded"},
		{"nobody's room", "zoom", "application/json", zoomBody(joined("1", start)), nil, 200, "event zoom joined aside"},
		{"none of our business", "zoom", "application/json", []byte(`{"event":"webinar.sharing_started","event_ts":1588262400000,"payload":{}}`), nil, 200, "event zoom unsupported unsupported"},
		{"unknown source", "nobody", "application/json", good, nil, 404, "refused unknown source"},
		{"too large before the source is looked at", "nobody", "application/json", bytes.Repeat([]byte("x"), 2<<20), nil, 413, "refused unknown size"},
		{"exactly 1 MiB is read", "zoom", "application/json", bytes.Repeat([]byte("x"), 1<<20), nil, 400, "refused zoom body"},
		{"no content type", "zoom", "", good, nil, 200, "event zoom joined recorded"},
		{"text", "zoom", "text/plain", good, nil, 200, "event zoom joined recorded"},
		{"a charset said twice", "zoom", "application/json; charset=utf-8; charset=utf-8", good, nil, 200, "event zoom joined recorded"},
		{"no content type and no signature", "zoom", "", good, func(h http.Header) { h.Del("X-Zm-Signature") }, 401, "refused zoom missing"},
		{"behind a byte-order mark", "zoom", "application/json", append([]byte("\ufeff"), good...), nil, 200, "event zoom joined recorded"},
		{"of no use", "zoom", "application/json", []byte(`{"event":"meeting.participant_joined","event_ts":1588262400000,"payload":{"object":{"uuid":"o"}}}`), nil, 200, "event zoom joined aside"},
		{"no signature", "zoom", "application/json", good, func(h http.Header) { h.Del("X-Zm-Signature") }, 401, "refused zoom missing"},
		{"wrong signature", "zoom", "application/json", good, func(h http.Header) { h.Set("X-Zm-Signature", "v0="+strings.Repeat("0", 64)) }, 401, "refused zoom signature"},
		{"an unverified body is not read", "zoom", "application/json", []byte("{"), func(h http.Header) { h.Set("X-Zm-Signature", "v0="+strings.Repeat("0", 64)) }, 401, "refused zoom signature"},
		{"repeated with its first signature", "zoom", "application/json", good, func(h http.Header) { resign(h, good, -time.Hour) }, 200, "event zoom joined recorded"},
		{"stale", "zoom", "application/json", good, func(h http.Header) { resign(h, good, -3*time.Hour) }, 401, "refused zoom stale"},
		{"from the future", "zoom", "application/json", good, func(h http.Header) { resign(h, good, 3*time.Hour) }, 401, "refused zoom future"},
		{"garbage", "zoom", "application/json", []byte("{"), nil, 400, "refused zoom body"},
		{"answers", "standard", "application/json", standardAnswers("hall", "", map[string]any{"before": 2, "now": 4}), nil, 200, "submission recorded"},
		{"answers of a segment", "standard", "application/json", standardAnswers("hall", "lycee", map[string]any{"before": 2, "now": 4}), nil, 200, "submission recorded"},
		{"wrong answers", "standard", "application/json", standardAnswers("hall", "", map[string]any{"before": 9, "now": 4}), nil, 200, "submission aside"},
		{"answers of no segment", "standard", "application/json", standardAnswers("hall", "x", map[string]any{"before": 2, "now": 4}), nil, 200, "event standard answers aside"},
		{"answers of nobody's room", "standard", "application/json", standardAnswers("x", "", map[string]any{"before": 2, "now": 4}), nil, 200, "event standard answers aside"},
		{"no answers", "standard", "application/json", standardAnswers("hall", "", map[string]any{}), nil, 200, "event standard unsupported unsupported"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, s *site) {
				w := s.postSpoilt(row.source, row.contentType, row.body, row.spoil)
				if w.code != row.code || s.metrics.get(row.counted) != 1 {
					t.Fatalf("%d %s, counted %v", w.code, w.body, s.metrics.counts)
				}
				if w.code == http.StatusOK && strings.TrimSpace(w.body) != "{}" {
					t.Errorf("answered %s", w.body)
				}
				if n := s.metrics.get("webhook " + row.source); (n == 1) != (row.source != "nobody") {
					t.Errorf("the duration was observed %d times", n)
				}
			})
		})
	}
}

type answered struct {
	code int
	body string
}

// postSpoilt signs a body and then spoils its headers.
func (s *site) postSpoilt(source, contentType string, body []byte, spoil func(http.Header)) answered {
	src := s.deps.Sources[source]
	request := platforms.Request{Method: http.MethodPost, Header: http.Header{}, Body: body, Now: s.deps.Now()}
	if dialect, ok := platforms.Dialects[src.Platform]; ok {
		dialect.Sign(src, &request)
	}
	if spoil != nil {
		spoil(request.Header)
	}
	header := map[string]string{}
	for name := range request.Header {
		header[name] = request.Header.Get(name)
	}
	delete(header, "Content-Type")
	if contentType != "" {
		header["Content-Type"] = contentType
	}
	w := s.do(call{method: http.MethodPost, path: "/webhooks/" + source, body: string(body), header: header})
	return answered{w.Code, w.Body.String()}
}

// resign signs a zoom body for another time than now.
func resign(h http.Header, body []byte, by time.Duration) {
	request := platforms.Request{Method: http.MethodPost, Header: h, Body: body, Now: start.Add(30*time.Minute + by)}
	platforms.Dialects["zoom"].Sign(platforms.Source{Name: "zoom", Platform: "zoom", Secrets: []string{zoomSecret}}, &request)
}

// What cannot be used of a delivery is kept aside with its reason, again and again as one event; the rest counts.
func TestUnusableEventsAreKeptAside(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		at := func(stamp, attendee string) string {
			return fmt.Sprintf(`{"type":"attendee.joined","timestamp":%q,"data":{"room":"hall","attendee":%q}}`, stamp, attendee)
		}
		body := "[" + at("1970-01-02T00:00:00Z", "p") + "," + at(start.Format(time.RFC3339), "p2") + "," + at("9999-12-31T23:59:59Z", "p") + "]"
		nobody := zoomBody(attendance.Event{Kind: attendance.Joined, Room: "951", Occurrence: "o==", At: start})
		for range 3 {
			for source, body := range map[string]string{"standard": body, "zoom": string(nobody)} {
				if w := s.post(source, "application/json", []byte(body)); w.Code != http.StatusOK {
					t.Fatalf("%s: %d %s", source, w.Code, w.Body)
				}
			}
		}
		for counted, want := range map[string]int{
			"event standard joined aside": 6, "event standard joined recorded": 1, "event standard joined duplicate": 2, "event zoom joined aside": 3,
		} {
			if n := s.metrics.get(counted); n != want {
				t.Errorf("%s: %d, want %d", counted, n, want)
			}
		}
		got := decode[api.Aside](t, s.get("/api/v1/aside"))
		early, late := time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
		want := []api.AsideGroup{
			{Source: "standard", Room: "hall", Kind: "joined", Reason: "time", Count: 2, FirstAt: early, LastAt: late, References: []string{}},
			{Source: "zoom", Room: "951", Kind: "joined", Reason: "nobody", Count: 1, FirstAt: start.UTC(), LastAt: start.UTC(), References: []string{}},
		}
		if diff := cmp.Diff(want, got.Groups); diff != "" || got.Total != 3 || len(got.Events) != 3 || got.Events[0].References != nil {
			t.Errorf("%d aside (-want +got):\n%s", got.Total, diff)
		}
		if text := s.get("/?lang=en").Body.String(); !strings.Contains(text, "An impossible time") || !strings.Contains(text, "Nobody is named") {
			t.Errorf("the programme says %s", text)
		}
	})
}

func TestZoomHandshake(t *testing.T) {
	t.Parallel()
	s := one(t)
	w := s.post("zoom", "application/json", []byte(`{"event":"endpoint.url_validation","event_ts":1588262400000,"payload":{"plainToken":"abc"}}`))
	got := decode[map[string]string](t, w)
	if w.Code != http.StatusOK || got["plainToken"] != "abc" || len(got["encryptedToken"]) != 64 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestRedeliveredAnswers: the same delivery twice is one respondent.
func TestRedeliveredAnswers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		body := standardAnswers("hall", "", map[string]any{"before": 2, "now": 4})
		src := s.deps.Sources["standard"]
		request := platforms.Request{Method: http.MethodPost, Header: http.Header{}, Body: body, Now: s.deps.Now()}
		platforms.Dialects["standard"].Sign(src, &request)
		header := map[string]string{"Content-Type": "application/json"}
		for name := range request.Header {
			header[name] = request.Header.Get(name)
		}
		for range 3 {
			if w := s.do(call{method: "POST", path: "/webhooks/standard", body: string(body), header: header}); w.Code != http.StatusOK {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
		if n := decode[lookup.Object](t, s.get("/api/v1/sessions/metier")).Feedback.Respondents; *n != 1 {
			t.Errorf("%d respondents", *n)
		}
	})
}

// TestStoreAway: what could not be kept is not acknowledged, and says when to come again.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	server, err := redistest.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	address, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: address.Path, DisableIdentity: true, MaxRetries: -1, DialerRetries: 1, ReadTimeout: redistest.Patience})
	t.Cleanup(func() { _ = rdb.Close() })
	s := newSite(t, rdb, "away:")
	server.Stop()
	answers := map[string]any{"answers": map[string]any{"before": 2, "now": 4}}
	for name, w := range map[string]call{
		"submission": {method: "POST", path: "/feedback/metier", json: answers},
		"figures":    {path: "/api/v1/sessions/metier", organiser: true},
		"readiness":  {path: "/readyz"},
	} {
		got := s.do(w)
		if got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") != "5" || strings.Contains(got.Body.String(), "dial") {
			t.Errorf("%s: %d %v %s %s", name, got.Code, got.Header(), got.Body, s.log)
		}
	}
	got := s.post("zoom", "application/json", zoomBody(joined("951", start)))
	if got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") != "5" || s.metrics.get("refused zoom store") != 1 {
		t.Errorf("webhook: %d %s", got.Code, got.Body)
	}
	form := s.do(call{method: "POST", path: "/feedback/metier", form: lastPage()})
	if form.Code != http.StatusServiceUnavailable || !strings.Contains(form.Body.String(), `value="4" checked`) {
		t.Errorf("the form does not keep what was said: %d %s", form.Code, form.Body)
	}
	if w := s.do(call{path: "/healthz"}); w.Code != http.StatusOK {
		t.Errorf("healthz: %d", w.Code)
	}
}

// TestAcceptedWebhooksAreQuiet: what platforms send all the time is counted; only what is wrong has an id, the headers of pages, and a
// line in the log.
func TestAcceptedWebhooksAreQuiet(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name            string
		level           slog.Level
		spoil           func(http.Header)
		code            int
		logged, dressed bool
	}{
		{"accepted", slog.LevelInfo, func(http.Header) {}, http.StatusOK, false, false},
		{"accepted, at debug", slog.LevelDebug, func(http.Header) {}, http.StatusOK, true, false},
		{"refused", slog.LevelInfo, func(h http.Header) { h.Del("X-Zm-Signature") }, http.StatusUnauthorized, true, true},
	} {
		log := &buffer{}
		s := one(t, func(d *setup) { d.Log = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: row.level})) })
		call := s.webhook("zoom", "application/json", zoomBody(joined("951", start)))
		header := http.Header{"Accept-Encoding": {"gzip"}}
		for name, value := range call.header {
			header.Set(name, value)
		}
		row.spoil(header)
		call.header = map[string]string{}
		for name := range header {
			call.header[name] = header.Get(name)
		}
		w := s.do(call)
		dressed := w.Header().Get("X-Request-Id") != "" && w.Header().Get("X-Content-Type-Options") == "nosniff" && w.Header().Get("Content-Security-Policy") != ""
		bare := w.Header().Get("X-Request-Id")+w.Header().Get("X-Content-Type-Options")+w.Header().Get("Content-Security-Policy")+w.Header().Get("Vary") == ""
		if w.Code != row.code || dressed != row.dressed || bare == row.dressed {
			t.Errorf("%s: %d %v", row.name, w.Code, w.Header())
		}
		if logged := strings.Contains(log.String(), `"msg":"request"`); logged != row.logged {
			t.Errorf("%s: logged %v: %s", row.name, logged, log)
		}
		if s.metrics.get(fmt.Sprint("request /webhooks/:source POST ", row.code)) != 1 {
			t.Errorf("%s: counted %v", row.name, s.metrics.counts)
		}
	}
}

// TestNothingPersonalLeaks: no name, address, secret, receipt or token reaches the log, a label or an answer.
func TestNothingPersonalLeaks(t *testing.T) {
	t.Parallel()
	s := one(t)
	body := `{"event":"webinar.participant_joined","event_ts":1588262400000,"payload":{"object":{"id":"951","uuid":"o==","participant":{` +
		`"user_id":"1","user_name":"Jane Doe","registrant_id":"p1","email":"jane@secret.example","public_ip":"198.51.100.7","join_time":"2020-04-30T16:00:00Z"}}}}`
	if w := s.post("zoom", "application/json", []byte(body)); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	s.postSpoilt("zoom", "application/json", []byte(body), func(h http.Header) { h.Del("X-Zm-Signature") })
	s.do(call{method: "POST", path: "/webhooks/jane@secret.example", body: body})
	receipt := s.answer("metier", map[string]any{"before": 2, "now": 4, "words": "Jane Doe"})
	s.do(call{path: "/feedback/metier/answers/" + receipt})
	s.do(call{path: "/login?token=" + organiserToken})
	s.do(call{path: "/Jane%20Doe?email=jane@secret.example", header: map[string]string{"X-Forwarded-For": "198.51.100.7", "X-Request-Id": "Jane Doe"}})
	everything := s.log.String() + fmt.Sprint(s.metrics.counts) + s.get("/api/v1/sessions/metier/attendance").Body.String()
	for _, secret := range []string{"Jane", "secret.example", "198.51.100.7", receipt, organiserToken, zoomSecret, "192.0.2.1"} {
		if strings.Contains(everything, secret) {
			t.Errorf("%q leaks", secret)
		}
	}
	if !strings.Contains(s.log.String(), `"route":"/feedback/:session/answers/:receipt"`) {
		t.Errorf("requests are not logged by their template: %s", s.log)
	}
}

// panicking fails in the middle of a submission, quoting what was sent.
type panicking struct{ *counters }

func (panicking) Submission(string) { panic("Jane Doe said 4") }

func TestPanics(t *testing.T) {
	t.Parallel()
	s := one(t, func(d *setup) { d.Metrics = panicking{d.Metrics.(*counters)} })
	w := s.do(call{method: "POST", path: "/feedback/metier", json: map[string]any{"answers": map[string]any{"before": 2, "now": 4}}})
	if p := decode[problemJSON](t, w); w.Code != http.StatusInternalServerError || p.Code != "internal" || strings.Contains(w.Body.String(), "Jane") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if s.metrics.get("request /feedback/:session POST 500") != 1 || !strings.Contains(s.log.String(), `"msg":"panic"`) || strings.Contains(s.log.String(), "Jane") {
		t.Errorf("counted %v, logged %s", s.metrics.counts, s.log)
	}
	if w := s.do(call{method: "POST", path: "/feedback/metier", form: lastPage()}); !strings.Contains(w.Body.String(), "Quelque chose s") {
		t.Errorf("people get %s", w.Body)
	}
}

// TestBodyIsCutOff: a body that never ends is read up to the limit only.
func TestBodyIsCutOff(t *testing.T) {
	t.Parallel()
	s := one(t)
	for _, path := range []string{"/webhooks/zoom", "/feedback/metier", "/api/v1/sessions"} {
		body := &endless{}
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, path, body)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+organiserToken)
		w := &recorder{header: http.Header{}}
		s.handler.ServeHTTP(w, r)
		if w.code != http.StatusRequestEntityTooLarge || body.read > 2<<20 {
			t.Errorf("%s: %d after %d bytes", path, w.code, body.read)
		}
	}
}

type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return copy(p, strings.Repeat(" ", len(p))), nil
}

type recorder struct {
	header http.Header
	code   int
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(code int)        { r.code = code }
func (r *recorder) Write(p []byte) (int, error) { return io.Discard.Write(p) }
