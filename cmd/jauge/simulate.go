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

	"jauge/attendance"
	"jauge/internal/problem"
	"jauge/platforms"
	"jauge/simulator"
)

// simulateCmd is `jauge simulate`.
type simulateCmd struct {
	URL       string  `required:"" placeholder:"URL" help:"Where the service listens, such as http://127.0.0.1:8080."`
	Config    string  `help:"Configuration file of the service (default: $JAUGE_CONFIG, ./jauge.yaml, the built-in example programme)." type:"path"`
	Session   string  `help:"The session to play (default: the first that has a room on a source)."`
	Attendees int     `help:"How many persons come (default: as many as were invited, or 60)."`
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

On a platform that sends no joins and leaves (Livestorm) people register before the start, and after the end it is told who
came, and for how long: what nobody can know of such a session is not part of the truth.`
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
)

func (cmd simulateCmd) play(ctx context.Context, out output) error {
	c, err := loadConfig(cmd.Config)
	if err != nil {
		return err
	}
	session, source, err := cmd.choose(c)
	if err != nil {
		return err
	}
	client := httpClient(simulateWorkers)
	defer client.CloseIdleConnections()
	poster := simulator.Poster{URL: cmd.URL, Client: client, Now: time.Now, Patience: time.Minute}
	if err := poster.Reach(ctx); err != nil {
		return err
	}
	o := simulator.Options{Attendees: cmp.Or(cmd.Attendees, session.Invited, defaultAudience), Seed: cmd.Seed, Speed: cmd.Speed}
	o.Start = time.Now().Add(time.Duration(float64(simulator.Lead(session)) / cmd.Speed))
	if cmd.Faults {
		o.Faults = simulator.AllFaults()
	}
	performance, err := simulator.New(session, source, o)
	if err != nil {
		return err
	}
	p := newProgress(out.err, performance)
	err = performance.Play(ctx, simulateWorkers, sleepUntil, func(ctx context.Context, d simulator.Delivery) error {
		err := poster.Post(ctx, performance, d)
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
func (cmd simulateCmd) choose(c *Config) (attendance.Session, platforms.Source, error) {
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
	at := slices.IndexFunc(c.Sessions, func(s attendance.Session) bool {
		_, ok := c.playable(s)
		return ok && (cmd.Session == "" || cmd.Session == s.ID)
	})
	switch {
	case at >= 0:
	case cmd.Session == "":
		add("--session", "no session of the configuration has a room on a source that tells about attendance")
	case slices.ContainsFunc(c.Sessions, func(s attendance.Session) bool { return s.ID == cmd.Session }):
		add("--session", fmt.Sprintf("%s has no room on a source that tells about attendance", cmd.Session))
	default:
		add("--session", fmt.Sprintf("no session of the configuration has the id %q", cmd.Session))
	}
	if len(ps) > 0 {
		return attendance.Session{}, platforms.Source{}, ps
	}
	source, _ := c.playable(c.Sessions[at])
	return c.Sessions[at], source, nil
}

// playable is the source of a session's first room that tells about attendance.
func (c *Config) playable(session attendance.Session) (platforms.Source, bool) {
	for _, room := range session.Rooms {
		for _, s := range c.Sources {
			if s.Name == room.Source && simulator.Plays(s.Platform) {
				return s.source(), true
			}
		}
	}
	return platforms.Source{}, false
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
	fmt.Fprintf(w, "playing %s on %s: %d requests in %s\n", p.Truth.Session, p.Source.Name, bar.of, time.Until(last).Round(time.Second))
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
