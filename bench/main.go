// Command bench measures jauge against what stands beside it, in one run on one machine: the pairs take turns, so that what else the
// machine does meets both. It prints a table of ratios with their targets, and adds a line of JSON to a history.
//
// The story in files: main.go (what is measured, in which order), report.go (rows, targets and verdicts), processes.go (the services that
// are started for it), load.go (requests out, from one thread), zoom.go (what Zoom sends), then a file for what is measured: webhooks.go,
// record.go and presence.go (the store alone), memory.go and sessions.go (how it grows), survey.go (against an earlier version), poison.go (one bad sender beside good ones).
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"
)

// bench is one run.
type bench struct {
	short    bool
	rounds   int           // of each pair
	lasting  time.Duration // of each half of a pair, at most
	dir      string        // removed at the end
	root     string        // of jauge's source
	binary   string        // jauge, built from it
	base     string        // the revision that is "before"
	now      time.Time     // sessions run around it
	began    time.Time
	only     string
	emptyAll map[string][]float64 // rates of the empty handler, by setting
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%4.0f s  "+format+"\n", append([]any{time.Since(b.began).Seconds()}, args...)...)
}

func (b *bench) noise(setting string, rate float64) {
	b.emptyAll[setting] = append(b.emptyAll[setting], rate)
}

// chapter is a part of the bench; without it, its rows are not measured.
type chapter struct {
	name    string
	measure func(context.Context) ([]Row, error)
}

func (b *bench) chapters() []chapter {
	return []chapter{
		{"webhooks", b.webhooks}, {"poison", b.poison}, {"record", b.record}, {"replicas", b.replicas}, {"embedded", b.embedded},
		{"memory", b.memory}, {"survey", b.survey}, {"sessions", b.sessions}, {"growth", b.growth},
	}
}

// chosen are the chapters that are asked for, in their own order.
func (b *bench) chosen() (chosen []chapter, _ error) {
	if b.only == "" {
		return b.chapters(), nil
	}
	names := strings.Split(b.only, ",")
	for _, c := range b.chapters() {
		if slices.Contains(names, c.name) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) != len(names) {
		return nil, fmt.Errorf("-only %s: not all of these are chapters, see --help", b.only)
	}
	return chosen, nil
}

const usage = `Measures jauge against what stands beside it: an empty Gin handler, another Redis presence library, a script that does nothing,
redis-server against the embedded store, and an earlier version. The table goes to standard output, progress to standard error.

It needs Linux, Go and redis-server, and starts its own servers on free ports of 127.0.0.1. Numbers count on a machine that does
nothing else: the last line says how calm it was.

usage: make bench [SHORT=1] [BASE=REVISION] [ONLY=CHAPTERS] [HISTORY=FILE], or in bench/: go run -tags nomsgpack . [flags]
`

func main() {
	if len(os.Args) == 3 && os.Args[1] == emptyCommand {
		fmt.Fprintln(os.Stderr, serveEmpty(os.Args[2]))
		os.Exit(1)
	}
	b := &bench{emptyAll: map[string][]float64{}, now: time.Now(), began: time.Now()}
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	flags.Usage = func() {
		fmt.Fprint(os.Stderr, usage)
		flags.PrintDefaults()
	}
	flags.BoolVar(&b.short, "short", false, "fewer and shorter rounds, and no million people: under two minutes, once all is compiled")
	flags.StringVar(&b.root, "root", "..", "the `directory` of jauge's source")
	flags.StringVar(&b.base, "base", "8657331", "the `revision` that the survey is measured against")
	flags.StringVar(&b.only, "only", "", "these `chapters` alone, separated by commas: webhooks,poison,record,replicas,embedded,memory,survey,sessions,growth")
	history := flags.String("history", "", "add the run as a line of JSON to this `file`")
	limit := flags.Duration("limit", 0, "what is not measured by then is left out (default 15m, or 110s with -short)")
	_ = flags.Parse(os.Args[1:])
	if err := b.run(*history, *limit); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) run(history string, limit time.Duration) (err error) {
	debug.SetGCPercent(400) // as the service does, for whoever is called from here
	b.rounds, b.lasting = 7, 2*time.Second
	bound := 15 * time.Minute
	if b.short {
		b.rounds, b.lasting, bound = 3, 700*time.Millisecond, 110*time.Second
	}
	bound = cmp.Or(limit, bound)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	if _, err := exec.LookPath("redis-server"); err != nil {
		return errors.New("redis-server is not on this machine: install the Debian package redis-server, or run make deps")
	}
	if b.dir, err = os.MkdirTemp("", "jauge-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	chapters, err := b.chosen()
	if err != nil {
		return err
	}
	report := b.report(ctx)
	b.say("building jauge; everything takes %s at most", bound)
	b.binary = filepath.Join(b.dir, "jauge")
	if err := build(ctx, b.root, b.binary); err != nil {
		return err
	}
	for _, c := range chapters {
		b.say("%s", c.name)
		rows, err := c.measure(ctx)
		if err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				err = fmt.Errorf("there was no time left of %s", bound)
			}
			if errors.Is(err, context.Canceled) {
				return errors.New("interrupted")
			}
			b.say("%s: %v", c.name, err)
			rows = []Row{unmeasured(c.name, "", nil, err.Error())}
		}
		report.Rows = append(report.Rows, rows...)
	}
	report.Took = time.Since(b.began).Round(time.Second).String()
	for _, rates := range b.emptyAll {
		report.Noise = max(report.Noise, spread(rates))
	}
	report.table(os.Stdout)
	if history != "" {
		return report.keep(history)
	}
	return nil
}

// report says where and when it was measured.
func (b *bench) report(ctx context.Context) *Report {
	said := func(name string, args ...string) string {
		out, _ := exec.CommandContext(ctx, name, args...).Output() //nolint:gosec // fixed commands
		return strings.TrimSpace(string(out))
	}
	r := &Report{At: b.began.UTC().Truncate(time.Second), Short: b.short, Cores: runtime.NumCPU(), Go: runtime.Version()}
	r.Commit = said("git", "-C", b.root, "describe", "--always", "--dirty")
	r.Model = "unknown processor"
	cpus, _ := os.ReadFile("/proc/cpuinfo")
	if _, rest, found := strings.Cut(string(cpus), "model name"); found {
		name, _, _ := strings.Cut(rest, "\n")
		r.Model = strings.TrimSpace(strings.Trim(strings.TrimSpace(name), ":"))
	}
	_, version, _ := strings.Cut(said("redis-server", "--version"), "v=")
	r.Redis, _, _ = strings.Cut(version, " ")
	load, _ := os.ReadFile("/proc/loadavg")
	r.Load, _, _ = strings.Cut(string(load), " ")
	return r
}
