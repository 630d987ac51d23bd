package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"jauge/attendance"
	"jauge/handlers"
	"jauge/handlers/door"
	"jauge/handlers/hooks"
	"jauge/metrics"
	"jauge/platforms"
)

// serveCmd is `jauge serve`.
type serveCmd struct {
	Config string `help:"Configuration file (default: $JAUGE_CONFIG, ./jauge.yaml, the built-in example programme)." type:"path"`
}

// Run serves until SIGINT or SIGTERM, then drains and returns nil.
func (cmd *serveCmd) Run(out output) error {
	c, err := loadConfig(cmd.Config)
	if err != nil {
		return err
	}
	c.beginNow(time.Now())
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return serve(ctx, c, out, time.Now, nil)
}

// drainFor is how long open requests may take after the signal.
const drainFor = 10 * time.Second

// serve runs the service until ctx ends. ready, if not nil, is called with the address once requests are answered.
func serve(ctx context.Context, c *Config, out output, now func() time.Time, ready func(service)) error {
	redis.SetLogger(quiet{})
	log := c.Log.logger(out.err)
	memory := limitMemory()
	for _, line := range c.warnings() {
		fmt.Fprintln(out.err, line)
	}
	listener, err := listen(c.Listen, "listen: or JAUGE_LISTEN")
	if err != nil {
		return err
	}
	defer listener.Close() //nolint:errcheck // closed by the server already in the usual case
	s, err := openStores(c, now)
	if err != nil {
		return err
	}
	defer s.close()
	if goesOn, err := s.begin(ctx, c, log); !goesOn {
		return err
	}

	streams, endStreams := context.WithCancel(context.Background())
	defer endStreams()
	v, err := newService(streams, c, s, log, now)
	if err != nil {
		return err
	}
	servers, err := v.servers(c, listener)
	if err != nil {
		return err
	}
	var background sync.WaitGroup
	background.Go(func() { s.maintain(ctx, c, log) })
	background.Go(func() { s.control(ctx, c.DataDir, log) })
	background.Go(func() { s.voided.follow(ctx, log) })
	failed := make(chan error, len(servers))
	for _, server := range servers {
		background.Go(func() {
			if err := server.Serve(server.listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		})
	}
	memory.announce(log)
	v.announce(out.out, c)
	if ready != nil {
		ready(v)
	}
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	log.Info("draining")
	endStreams()
	drain, cancel := context.WithTimeout(context.Background(), drainFor)
	defer cancel()
	for _, server := range servers {
		switch e := server.Shutdown(drain); {
		case errors.Is(e, context.DeadlineExceeded): // a request that does not end is no error of the service
			log.Warn("requests were cut off", "after", drainFor)
			_ = server.Close()
		case e != nil:
			err = errors.Join(err, e)
		}
	}
	if ctx.Err() != nil {
		background.Wait()
	}
	return err
}

// begin makes the store ready before the first request; goesOn: the service can start, also where Redis is away or is being migrated, which is
// as if it were: s.maintain and s.voided.follow do it later.
func (s *stores) begin(ctx context.Context, c *Config, log *slog.Logger) (goesOn bool, _ error) {
	if s.migrating(ctx) {
		return true, nil
	}
	if err := s.prepare(ctx, c, log); err != nil {
		if ctx.Err() != nil { // told to stop while it read the journal
			return false, nil
		}
		if s.embedded != nil || !away(err) || isUnfit(err) {
			return false, err
		}
	}
	_ = s.voided.read(ctx)
	return true, nil
}

func listen(address, setting string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen: %s is in use by another program; choose another with %s", address, setting)
	}
	if err != nil {
		return nil, fmt.Errorf("listen: cannot open %s: %w", address, errors.Unwrap(err))
	}
	return l, nil
}

// service is the running service's parts.
type service struct {
	handler http.Handler
	metrics http.Handler
	token   string
	stores  *stores
}

func newService(streams context.Context, c *Config, s *stores, log *slog.Logger, now func() time.Time) (service, error) {
	m := metrics.New(prometheus.NewRegistry(), metrics.Sources{
		Attendance: s.attendance, Feedback: s.feedback,
		AsideEvents: s.inbox().Counts, Journal: s.journal.Stats, Trouble: s.trouble, Pools: s.pools, Webhooks: names(c.Sources),
		Refusals: hooks.Refusals(names(c.Sources)), Outcomes: door.Outcomes(), Store: s.name(), Version: version, Now: now, Log: log,
	})
	if s.embedded == nil { // on the embedded store, each start would count all of the journal again
		s.attendance.Observe(m.Event)
	}
	s.tellDropped(m, log)
	public, err := url.Parse(c.PublicURL)
	if err != nil {
		return service{}, err
	}
	v := service{metrics: m.Handler(), token: c.OrganiserToken, stores: s}
	if v.token == "" {
		v.token = rand.Text()
	}
	sources := map[string]platforms.Source{}
	for _, source := range c.Sources {
		sources[source.Name] = source.source()
	}
	d := handlers.Deps{
		Programme: s.programme, Attendance: s.attendance, Feedback: s.feedback, Series: c.Series, Sources: sources,
		Voided: s.voided, Metrics: m, PublicURL: public, OrganiserToken: v.token, Key: s.key,
		TrustedProxies: c.TrustedProxies, Log: log, Now: now, Wall: time.Now, Ready: s.ready, Away: away, Context: streams, Version: version, Embedded: s.embedded != nil,
	}
	if c.MetricsListen == "" {
		d.MetricsHandler = v.metrics
	}
	v.handler, err = handlers.New(d)
	return v, err
}

func (s *stores) pools() map[string]metrics.Pool {
	stats := s.rdb.PoolStats()
	return map[string]metrics.Pool{"main": {
		Hits: stats.Hits, Misses: stats.Misses, Timeouts: stats.Timeouts, Stale: stats.StaleConns,
		Waited: time.Duration(stats.WaitDurationNs), Total: stats.TotalConns, Idle: stats.IdleConns,
	}}
}

// How often the background work runs.
const (
	drainEvery   = 500 * time.Millisecond
	reclaimEvery = 5 * time.Second
	silenceEvery = 10 * time.Second
	asideEvery   = time.Minute
	expireEvery  = time.Hour
	hearingTime  = 3 * attendance.BeatEvery // what beacons get to be heard after a start, or after Redis was away
)

// maintain does the periodic work until ctx ends: it drains the journal when Redis is back, stores the file's sessions if Redis was
// away at the start, reclaims what is aside and can be used by now, drops expired drafts and what has been aside for too long, and
// closes silent beacons.
func (s *stores) maintain(ctx context.Context, c *Config, log *slog.Logger) {
	tick := time.NewTicker(drainEvery)
	defer tick.Stop()
	reclaimed, silence, expired, forgotten := time.Now(), time.Now().Add(hearingTime), time.Time{}, time.Time{}
	watch := watcher{stores: s, log: log}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		watch.look(ctx)
		if !s.configured.Load() {
			_ = s.configure(ctx, c) // the watcher logs why it fails
		}
		s.drain(ctx, log) // before silence is judged: heartbeats may wait there
		if time.Now().After(silence) {
			silence = time.Now().Add(s.closeSilent(ctx, log))
		}
		if time.Since(expired) > expireEvery {
			expired = time.Now()
			if err := s.feedback.ExpireDrafts(); err != nil {
				log.Error("drafts that are over", "error", err)
			}
		}
		if time.Since(forgotten) > asideEvery {
			forgotten = time.Now()
			s.expireAside(ctx, log)
		}
		if time.Since(reclaimed) < reclaimEvery {
			continue
		}
		reclaimed = time.Now()
		if s.configured.Load() {
			_ = s.programme.Restore(ctx, c.Sessions) // Redis may have come back empty; the watcher logs that it is away
		}
		s.reclaim(ctx, log)
	}
}

// reclaim counts what is aside and can be used by now: another process may have created the session.
func (s *stores) reclaim(ctx context.Context, log *slog.Logger) {
	report := func(what string, n int, err error) {
		switch {
		case err != nil && ctx.Err() == nil && !away(err):
			log.Error(what+" put aside", "error", err)
		case n > 0:
			log.Info(what+" put aside are counted now", "number", n)
		}
	}
	events, err := s.inbox().ReclaimEvents(ctx)
	report("events", events, err)
	answers, err := s.inbox().ReclaimAnswers(ctx)
	report("answers", answers, err)
}

// closeSilent closes silent beacons, and returns when to do so again: after an error, not before the beacons could be heard again.
func (s *stores) closeSilent(ctx context.Context, log *slog.Logger) time.Duration {
	_, err := s.attendance.CloseSilentBeacons(ctx)
	if err == nil {
		return silenceEvery
	}
	if ctx.Err() == nil && !away(err) {
		log.Error("silent beacons", "error", err)
	}
	return hearingTime
}

func (s *stores) drain(ctx context.Context, log *slog.Logger) {
	waiting := s.journal.Pending()
	if waiting == 0 {
		return
	}
	err := s.journal.Drain(ctx, func(err error) {
		_, why := judge(err)
		log.Error("the store refused an entry of the journal, which stays there: see jauge journal list", "why", why)
	})
	if now := s.journal.Pending(); err == nil && now < waiting {
		log.Info("journal drained", "entries", waiting-now)
	}
}

// watcher tells the log when the store goes away, why, and when it is back.
type watcher struct {
	*stores
	log    *slog.Logger
	why    string // the last trouble; empty: none
	looked time.Time
}

// lookEvery is how often a store without trouble is probed; in trouble, it is probed at each tick.
const lookEvery = 5 * time.Second

func (w *watcher) look(ctx context.Context) {
	if w.why == "" && w.journal.Pending() == 0 && time.Since(w.looked) < lookEvery {
		return
	}
	w.looked = time.Now()
	err := w.probe(ctx)
	why := whyOf(err)
	switch {
	case ctx.Err() != nil || why == w.why:
		return
	case isUnfit(err):
		w.log.Error("Redis is not used: events and answers go to the journal until it is", "why", why, "error", err)
	case err != nil:
		w.log.Warn("Redis is away: events and answers go to the journal until it is back", "why", why)
	default:
		w.log.Info("Redis is there")
	}
	w.why = why
}

// httpServer is one server with its listener.
type httpServer struct {
	*http.Server
	listener net.Listener
}

func (v service) servers(c *Config, listener net.Listener) ([]httpServer, error) {
	servers := []httpServer{newServer(v.handler, listener)}
	if c.MetricsListen == "" {
		return servers, nil
	}
	l, err := listen(c.MetricsListen, "metrics_listen: or JAUGE_METRICS_LISTEN")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", v.metrics)
	return append(servers, newServer(mux, l)), nil
}

// What a connection of any listener may take. Bodies are limited at the door of the handlers.
const (
	maxHeader     = 64 << 10 // bytes; a token, a link and a cookie or two need a few hundred
	headerTimeout = 5 * time.Second
	readTimeout   = 8 * time.Second // header and body
	writeTimeout  = 30 * time.Second
	idleTimeout   = 2 * time.Minute
)

func newServer(h http.Handler, l net.Listener) httpServer {
	return httpServer{&http.Server{
		Handler: h, MaxHeaderBytes: maxHeader, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
	}, l}
}

func names(sources []Source) []string {
	out := make([]string, len(sources))
	for i, s := range sources {
		out[i] = s.Name
	}
	return out
}
