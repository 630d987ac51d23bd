package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"jauge/internal/problem"
	"jauge/platforms"
	"jauge/programme"
	"jauge/simulator"
)

// simulateCmd is `jauge simulate`.
type simulateCmd struct {
	URL       string  `required:"" placeholder:"URL" help:"Where the service listens, such as http://127.0.0.1:8080."`
	Config    string  `help:"Configuration file of the service (default: $JAUGE_CONFIG, ./jauge.yaml, the built-in example programme)." type:"path"`
	Session   string  `help:"The session to play (default: the first that has a room on a source)."`
	Attendees int     `help:"How many persons come, or answer where there is only a form (default: as many as were invited, or 60)."`
	Guests    int     `help:"How many of them have no id, where the platform has such guests: each connection of theirs counts as a person more."`
	Beacons   int     `help:"How many persons' pages send beacons beside that, at most 600."`
	Speed     float64 `default:"60" help:"How many times as fast as planned: at 60 an hour takes a minute, for the service too."`
	Faults    bool    `help:"Send duplicates, late and reordered requests and forged ones, and lose leaves."`
	Seed      uint64  `default:"1" help:"The same seed gives the same audience and the same faults."`
}

// Help is what --help says below the flags' own line.
func (simulateCmd) Help() string {
	return `Events are stamped as they are played, by the clock of this machine: at --speed 60 a session planned for an
hour takes a minute, people stay for seconds, and the figures say so. What is printed at the end is true of this run alone:
play it on a session that has no events yet to compare all figures. A leave that --faults loses for good makes its visit
last until the session's end.

A session takes of its rooms what happens around its planned time (window, an hour before and after by default): one that is planned
for another day is not played, and the command says what to do. The built-in example programme begins when it is served: its first
session is on now, the others follow in days.

On a platform that sends no joins and leaves (Livestorm) people register before the start, and after the end it is told who
came, and for how long: what nobody can know of such a session is not part of the truth.

Where a room of the session is a form (Typeform, Tally, Formbricks), three in five of those who came submit it after the
end; on a session that has no other room, --attendees do. "answers" is then what the service must show as respondents.

With --beacons, that many pages open and close again while the session is on, each a person of its own. The service stamps
them when it hears them, so the truth says how many there were, not when. It takes 600 from one address at once; a second run
within a minute waits for it.`
}

// Run plays until the end or until SIGINT or SIGTERM; the truth goes to out, the progress to err.
func (cmd simulateCmd) Run(out output) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return cmd.play(ctx, out)
}

const (
	simulateWorkers = 8  // requests under way at once
	defaultAudience = 60 // of a session that does not say how many were invited

	mostBeacons = 600 // the joins, and the leaves, that the service takes at once from one address
)

func (cmd simulateCmd) play(ctx context.Context, out output) error {
	c, err := loadConfig(cmd.Config)
	if err != nil {
		return err
	}
	c.beginNow(time.Now())
	session, err := cmd.choose(c)
	if err != nil {
		return err
	}
	if err := c.inTime(session, time.Now()); err != nil {
		return err
	}
	client := httpClient(simulateWorkers)
	defer client.CloseIdleConnections()
	poster := simulator.Poster{URL: cmd.URL, Client: client, Now: time.Now, Patience: time.Minute}
	if err := poster.Reach(ctx); err != nil {
		return err
	}
	o := simulator.Options{Attendees: cmp.Or(cmd.Attendees, session.Invited, defaultAudience), Seed: cmd.Seed, Speed: cmd.Speed, Guests: cmd.Guests, Beacons: cmd.Beacons, Survey: c.asks(session)}
	o.Start = time.Now().Add(time.Duration(float64(simulator.Lead(session)) / cmd.Speed))
	if cmd.Faults {
		o.Faults = simulator.AllFaults()
	}
	performance, err := simulator.New(session, c.sources(), o)
	if err != nil {
		return err
	}
	p := newProgress(out.err, performance)
	err = performance.Play(ctx, simulateWorkers, sleepUntil, func(ctx context.Context, d simulator.Delivery) error {
		err := poster.Post(ctx, d)
		if err == nil {
			p.step()
		}
		return err
	})
	p.finish()
	if ctx.Err() != nil {
		return fmt.Errorf("stopped after %d of %d requests: the service still has session %s open", p.done, p.of, session.ID)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(out.out).Encode(performance.Truth)
}

// choose finds the session that the flags ask for. Every mistake of theirs is reported at once.
func (cmd simulateCmd) choose(c *Config) (programme.Session, error) {
	var ps problem.Problems
	add := func(path, message string) { ps = append(ps, problem.Problem{Path: path, Message: message}) }
	if u, err := url.Parse(cmd.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		add("--url", "must be an http or https URL")
	}
	if cmd.Speed <= 0 {
		add("--speed", "must be above 0")
	}
	if cmd.Attendees < 0 {
		add("--attendees", "must be at least 1")
	}
	if cmd.Guests < 0 {
		add("--guests", "must not be negative")
	}
	if cmd.Beacons < 0 || cmd.Beacons > mostBeacons {
		add("--beacons", fmt.Sprintf("must be from 0 to %d: the service takes no more at once from one address", mostBeacons))
	}
	at := slices.IndexFunc(c.Sessions, func(s programme.Session) bool {
		return c.playable(s) && (cmd.Session == "" || cmd.Session == s.ID)
	})
	switch {
	case at >= 0:
	case cmd.Session == "":
		add("--session", "no session of the configuration has a room on a source that tells about attendance, or a form and a survey")
	case slices.ContainsFunc(c.Sessions, func(s programme.Session) bool { return s.ID == cmd.Session }):
		add("--session", fmt.Sprintf("%s has no room on a source that tells about attendance, nor a form and a survey", cmd.Session))
	default:
		add("--session", fmt.Sprintf("no session of the configuration has the id %q", cmd.Session))
	}
	if len(ps) > 0 {
		return programme.Session{}, ps
	}
	return c.Sessions[at], nil
}

// inTime says whether what is played now falls into the session's window; problem.Problems if not, with what to do.
func (c *Config) inTime(session programme.Session, now time.Time) error {
	meets := len(simulator.Cast(session, c.sources(), nil)) > 0 // a form takes answers at any time
	if !meets || !now.Before(session.Opens()) && !now.After(session.Closes()) {
		return nil
	}
	return problem.Problems{{Path: "--session", Message: fmt.Sprintf(
		"%s is from %s to %s, and takes of its rooms what happens from %s to %s: what is played now would be put aside, not counted. Nothing was sent. "+
			"Give the session a time around now (starts_at and ends_at, or a wider window), play another one, or watch jauge demo, which has a clock of its own",
		session.ID, moment(session.StartsAt), moment(session.EndsAt), moment(session.Opens()), moment(session.Closes()),
	)}}
}

func moment(t time.Time) string { return t.Format("2006-01-02 15:04 -07:00") }

// playable says whether any source of a session can be simulated.
func (c *Config) playable(session programme.Session) bool {
	return len(simulator.Cast(session, c.sources(), c.asks(session))) > 0
}

func (c *Config) sources() []platforms.Source {
	sources := make([]platforms.Source, len(c.Sources))
	for i, s := range c.Sources {
		sources[i] = s.source()
	}
	return sources
}

// httpClient keeps as many connections as there are workers.
func httpClient(workers int) *http.Client {
	return &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: workers}}
}

// sleepUntil waits for a moment of the machine's clock, or for the end of ctx.
func sleepUntil(ctx context.Context, at time.Time) error {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
	return context.Cause(ctx)
}

// progress shows how far a performance is: a bar that is drawn over itself on a terminal, else a line now and then.
type progress struct {
	w        io.Writer
	terminal bool
	ends     time.Time // when the last request is due

	mu       sync.Mutex
	done, of int
	shown    time.Time
}

// How often progress is shown, on a terminal and elsewhere.
const (
	redrawEvery = 100 * time.Millisecond
	lineEvery   = 10 * time.Second
	barWidth    = 30
)

func newProgress(w io.Writer, p *simulator.Performance) *progress {
	last := p.Deliveries[len(p.Deliveries)-1].At
	bar := &progress{w: w, ends: last, of: len(p.Deliveries), shown: time.Now()}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		bar.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	var on []string
	for _, source := range p.Sources {
		on = append(on, source.Name)
	}
	fmt.Fprintf(w, "playing %s on %s: %d requests in %s\n", p.Truth.Session, strings.Join(on, " and "), bar.of, time.Until(last).Round(time.Second))
	return bar
}

// step counts one request that was answered as it should be.
func (p *progress) step() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	every := lineEvery
	if p.terminal {
		every = redrawEvery
	}
	if time.Since(p.shown) >= every {
		p.show()
	}
}

// show is called with mu held.
func (p *progress) show() {
	p.shown = time.Now()
	left := max(0, time.Until(p.ends)).Round(time.Second)
	if !p.terminal {
		fmt.Fprintf(p.w, "%d of %d requests, %s left\n", p.done, p.of, left)
		return
	}
	full := barWidth * p.done / p.of
	fmt.Fprintf(p.w, "\r[%s%s] %d of %d requests, %s left  ", strings.Repeat("#", full), strings.Repeat(" ", barWidth-full), p.done, p.of, left)
}

// finish shows the last state and ends the line.
func (p *progress) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.show()
	if p.terminal {
		fmt.Fprintln(p.w)
	}
}
