// Package metrics declares every Prometheus metric of jauge. What is counted in this process has a method here, so that no other
// package needs the Prometheus client; the figures of sessions are read once per scrape (collector.go), so that several replicas on
// one Redis show the same. children.go finds the counters of a request, pool.go shows the connections to Redis, journal.go what waits on disk.
//
// No label ever carries an attendee, an occurrence or the text of an error.
package metrics

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"jauge/attendance"
)

// Metrics counts what this process does and serves it together with what Sources know.
type Metrics struct {
	registry *prometheus.Registry
	sources  Sources

	events      *children[event, prometheus.Counter]
	refused     *children[refusal, prometheus.Counter]
	dropped     *children[string, prometheus.Counter]
	webhooks    *children[string, prometheus.Observer]
	submissions *children[string, prometheus.Counter]
	requests    *children[request, prometheus.Counter]
	logins      *children[string, prometheus.Counter]
}

// New registers the metrics counted in this process, and those of Go and of the process itself, in registry. It panics
// when one of their names is taken there, which is a mistake in the program.
func New(registry *prometheus.Registry, s Sources) *Metrics {
	counter := func(name, help string, labels ...string) func(...string) prometheus.Counter {
		vector := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		registry.MustRegister(vector)
		return vector.WithLabelValues
	}
	alone := func(child func(...string) prometheus.Counter) *children[string, prometheus.Counter] {
		return childrenOf(func(label string) prometheus.Counter { return child(label) })
	}
	events := counter("jauge_events_total",
		"Authentic events of platforms, by what became of them: recorded, duplicate, staff, aside or unsupported.",
		"source", "kind", "result")
	refused := counter("jauge_webhook_refused_total",
		"Webhook requests that were not accepted, by reason.", "source", "reason")
	requests := counter("jauge_http_requests_total",
		"HTTP requests answered, by route template, method and status code.", "route", "method", "code")
	webhooks := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "jauge_webhook_duration_seconds",
		Help:    "Time from a webhook request's arrival to its answer, accepted or refused.",
		Unit:    "seconds",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	}, []string{"source"})
	m := &Metrics{
		registry: registry,
		sources:  s,
		events:   childrenOf(func(e event) prometheus.Counter { return events(e.source, e.kind, e.result) }),
		refused:  childrenOf(func(r refusal) prometheus.Counter { return refused(r.source, r.reason) }),
		webhooks: childrenOf(func(source string) prometheus.Observer { return webhooks.WithLabelValues(source) }),
		requests: childrenOf(func(r request) prometheus.Counter { return requests(r.route, r.method, strconv.Itoa(r.code)) }),
		dropped: alone(counter("jauge_aside_dropped_total",
			"Authentic events and answers that count nowhere and were not kept aside either, because too much of their source is.", "source")),
		submissions: alone(counter("jauge_feedback_submissions_total",
			"Submitted surveys, by what became of them.", "result")),
		logins: alone(counter("jauge_logins_total",
			"Organiser tokens that were tried, by what became of them: ok, wrong or limited.", "result")),
	}
	for _, result := range []string{"ok", "wrong", "limited"} {
		m.logins.of(result)
	}
	registry.MustRegister(webhooks,
		constant("jauge_build_info", "The running version of jauge; always 1.", "version", s.Version),
		constant("jauge_store_info", "Where the counts are kept, redis or embedded; always 1.", "store", s.Store),
		journalCollector{s.Journal},
		pools{s.Pools},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
	)
	m.expect()
	return m
}

// expect starts the counts of what is configured at 0: increase() does not see the first events of a series that appears
// with them. Route does the same for what is known later.
func (m *Metrics) expect() {
	for _, source := range append([]string{attendance.BeaconSource}, m.sources.Webhooks...) {
		for _, kind := range attendance.Kinds {
			for _, result := range attendance.Results {
				m.events.of(event{source, string(kind), string(result)})
			}
		}
	}
	for _, source := range m.sources.Webhooks {
		m.events.of(event{source, "answers", string(attendance.Recorded)})
		m.events.of(event{source, "answers", string(attendance.Aside)})
		m.events.of(event{source, "unsupported", "unsupported"})
		m.webhooks.of(source)
		m.dropped.of(source)
	}
	for _, outcome := range m.sources.Outcomes {
		m.submissions.of(outcome)
	}
	for source, reasons := range m.sources.Refusals {
		for _, reason := range reasons {
			m.refused.of(refusal{source, reason})
		}
	}
}

func constant(name, help, label, value string) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: name, Help: help, ConstLabels: prometheus.Labels{label: value},
	}, func() float64 { return 1 })
}

// Event counts one authentic event. source is a configured name; kind and result are attendance's words, or
// "unsupported" for what the dialect does not know (never the platform's own name of it: those are unbounded).
func (m *Metrics) Event(source, kind, result string) {
	m.events.of(event{source, kind, result}).Inc()
}

// Refused counts one webhook request that was not accepted. source is a configured name, never what a caller typed;
// reason is one of a fixed few words.
func (m *Metrics) Refused(source, reason string) { m.refused.of(refusal{source, reason}).Inc() }

// AsideDropped counts authentic events or answers of a source that were not even kept aside.
func (m *Metrics) AsideDropped(source string, n int) {
	m.dropped.of(source).Add(float64(n))
}

// Webhook observes how long a webhook request of a configured source took.
func (m *Metrics) Webhook(source string, took time.Duration) {
	m.webhooks.of(source).Observe(took.Seconds())
}

// Submission counts one submitted survey of a known session; result is one of a few fixed words. It does not name the session:
// that would tell when somebody answered.
func (m *Metrics) Submission(result string) { m.submissions.of(result).Inc() }

// Route starts the counts of a route's failures at 0.
func (m *Metrics) Route(route, method string) {
	for _, code := range []int{http.StatusInternalServerError, http.StatusServiceUnavailable} {
		m.requests.of(request{route, method, code})
	}
}

// Login counts one organiser token that was tried; result is ok, wrong or limited.
func (m *Metrics) Login(result string) { m.logins.of(result).Inc() }

// Request counts one answered HTTP request. route is the route's template, empty when none matched; a method that HTTP
// does not define counts as "other", so that a caller cannot make up series.
func (m *Metrics) Request(route, method string, code int) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
	default:
		method = "other"
	}
	if route == "" {
		route = "none"
	}
	m.requests.of(request{route, method, code}).Inc()
}

// maxScrapes bounds the scrapes served at once: each reads the store, and two Prometheus servers and a person are enough.
const maxScrapes = 4

// Handler serves the metrics in the format that the scraper asks for, OpenMetrics included. It answers 200 as long as
// anything could be gathered; jauge_redis_up says whether the sessions were.
func (m *Metrics) Handler() http.Handler {
	slots := make(chan struct{}, maxScrapes)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			http.Error(w, "too many scrapes at once", http.StatusServiceUnavailable)
			return
		}
		promhttp.HandlerFor(m.scrape(r.Context()), promhttp.HandlerOpts{
			EnableOpenMetrics: true,
			ErrorHandling:     promhttp.ContinueOnError,
		}).ServeHTTP(w, r)
	})
}

// scrape returns everything as of one scrape: the collector of the sessions lives no longer than ctx, so that a scraper
// that gives up cancels the read. (prometheus.Gatherers would merge the two as well, but drops the units.)
func (m *Metrics) scrape(ctx context.Context) prometheus.Gatherer {
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.registry, collector{ctx, m.sources})
	return registry
}
