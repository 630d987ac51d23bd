// Command jauge counts who attends webinars and asks them what they thought: see `jauge --help`.
//
// The story in files, a subcommand each: serve.go, demo.go with demo_clock.go, simulate.go, verify.go, surveys.go,
// journal.go with control.go (how it reaches a running service). What they share: config.go, read by yaml.go, with redis_url.go; stores.go
// (what is opened, and how it is watched), redis.go (what an error of Redis means), guard.go (stored data of another format); and what
// the service does beside its requests: aside.go, voided.go (revoked grants), memory.go (how much it takes), announce.go (what is printed at the start).
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"

	"jauge/internal/problem"

	_ "time/tzdata" // sessions carry their zone, containers carry none
)

// version is set by the build: -ldflags "-X main.version=…".
var version = "dev"

// output is where a command writes: results to out, the rest to err.
type output struct{ out, err io.Writer }

// cli is the command line, one file per command.
type cli struct {
	Serve    serveCmd    `cmd:"" help:"Run the service. SIGINT and SIGTERM drain and stop it."`
	Demo     demoCmd     `cmd:"" help:"Run the service and play the example programme on it, in a few minutes, answers included."`
	Simulate simulateCmd `cmd:"" help:"Post what a session's platforms would post, signed, and print the truth it played as JSON."`
	Check    checkCmd    `cmd:"" help:"Validate the whole configuration: all mistakes at once, exit 2 if there are any."`
	Verify   verifyCmd   `cmd:"" help:"Recompute every count from the marks and compare: exit 1 on drift."`
	Journal  journalCmd  `cmd:"" help:"List what waits on this disk and what the store refused; offer it again, or drop it."`
	Surveys  surveysCmd  `cmd:"" help:"List the ready surveys, or print one to be changed."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

// The exit codes. Kong's own mistakes (an unknown flag) end with exitWrong too.
const (
	exitOK     = 0
	exitFailed = 1
	exitWrong  = 2 // the command line or the configuration is wrong
)

// errDrift ends verify with exitFailed; what drifted has been printed.
var errDrift = errors.New("counts differ from the marks")

func main() { os.Exit(run(os.Args[1:], output{os.Stdout, os.Stderr})) }

func run(args []string, out output) int {
	var c cli
	code := -1
	parser, err := kong.New(&c, kong.Name("jauge"), kong.Writers(out.out, out.err), kong.Exit(func(n int) { code = n }),
		kong.Description("jauge tells the organisers of a webinar how many people were really there, for how long, and what it changed for them."),
		kong.UsageOnError())
	if err != nil {
		fmt.Fprintln(out.err, "jauge:", err)
		return exitFailed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	ctx, err := parser.Parse(args)
	if code >= 0 { // --help has been printed
		return code
	}
	if err != nil {
		fmt.Fprintf(out.err, "jauge: %v\nTry: jauge --help\n", err)
		return exitWrong
	}
	return report(ctx.Run(&c, out), out.err)
}

// report prints an error, a line per problem, and gives the exit code.
func report(err error, w io.Writer) int {
	var problems problem.Problems
	var u *unfit
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &problems):
		fmt.Fprintln(w, problems)
		return exitWrong
	case errors.As(err, &u): // its message alone, without the command that met it
		err = u
	}
	fmt.Fprintln(w, "jauge:", err)
	return exitFailed
}

// versionCmd is `jauge version`.
type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(out output) error {
	_, err := fmt.Fprintln(out.out, "jauge", version)
	return err
}

// checkCmd is `jauge check`.
type checkCmd struct {
	Config string `help:"Configuration file (default: $JAUGE_CONFIG, ./jauge.yaml, the built-in example programme)." type:"path"`
}

// Run prints a line on what the configuration holds; every mistake is an error.
func (cmd checkCmd) Run(out output) error {
	c, err := loadConfig(cmd.Config)
	if err != nil {
		return err
	}
	for _, line := range c.warnings() {
		fmt.Fprintln(out.err, line)
	}
	name := c.origin
	if name == "" {
		name = "the built-in example programme"
	}
	_, err = fmt.Fprintf(out.out, "%s: good, with %d sources, %d sessions and %d surveys beside the ready ones\n", name, len(c.Sources), len(c.Sessions), len(c.Surveys))
	return err
}
