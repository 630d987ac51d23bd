package main

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// verifyCmd is `jauge verify`.
type verifyCmd struct {
	Config  string `help:"Configuration file (default: $JAUGE_CONFIG, ./jauge.yaml, the built-in example programme)." type:"path"`
	Session string `arg:"" optional:"" help:"One session; all of them by default."`
	Repair  bool   `help:"Write the recomputed counts where they differ."`
}

// Run prints a line per session and per difference; it returns errDrift if there is one that was not repaired.
func (cmd verifyCmd) Run(out output) error {
	c, err := loadConfig(cmd.Config)
	if err != nil {
		return err
	}
	redis.SetLogger(quiet{})
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	s, err := openToVerify(ctx, c, out)
	if err != nil {
		return err
	}
	defer s.close()
	ids := []string{cmd.Session}
	if cmd.Session == "" {
		sessions, err := s.programme.Sessions(ctx)
		if err != nil {
			return err
		}
		ids = ids[:0]
		for _, session := range sessions {
			ids = append(ids, session.ID)
		}
	}
	drifted := false
	for _, id := range ids {
		drifts, err := s.verify(ctx, id, cmd.Repair)
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		if len(drifts) == 0 {
			fmt.Fprintf(out.out, "%s: every count agrees with the marks\n", id)
			continue
		}
		for _, d := range drifts {
			fmt.Fprintf(out.out, "%s: %s\n", id, d)
		}
		if cmd.Repair {
			fmt.Fprintf(out.out, "%s: repaired\n", id)
			continue
		}
		drifted = true
	}
	if drifted {
		return errDrift
	}
	return nil
}

// openToVerify opens Redis beside whatever runs on it, or the embedded store, whose service must have stopped.
func openToVerify(ctx context.Context, c *Config, out output) (*stores, error) {
	if c.RedisURL != "" {
		return openRedis(c, time.Now)
	}
	s, err := openStores(c, time.Now)
	if err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, c, c.Log.logger(out.err)); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// verify lists what differs in a session, attendance and answers, and repairs it if asked.
func (s *stores) verify(ctx context.Context, id string, repair bool) ([]fmt.Stringer, error) {
	var out []fmt.Stringer
	counts, err := s.attendance.Verify(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, d := range counts {
		out = append(out, d)
	}
	if repair && len(counts) > 0 {
		if err := s.attendance.Repair(ctx, id); err != nil {
			return nil, err
		}
	}
	tallies, err := s.feedback.Recount(ctx, id, repair)
	for _, d := range tallies {
		out = append(out, d)
	}
	return out, err
}
