package feedback

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"jauge/feedback/figures"

	"github.com/redis/go-redis/v9"
)

// Drift is one tally that differs from what the rows say.
type Drift struct {
	Cell      string
	Stored    int
	Recounted int
}

// String is the drift as one line.
func (d Drift) String() string {
	return fmt.Sprintf("answers, %s: stored %d, recounted %d", d.Cell, d.Stored, d.Recounted)
}

// Recount recomputes a session's tallies from its rows, those of all answers and those of what is shown, and returns the
// ones that differ, sorted by cell; with repair it also writes the recomputed ones. It returns ErrConflict when answers keep
// coming in between.
func (s *publication) Recount(ctx context.Context, session string, repair bool) ([]Drift, error) {
	keys := []string{
		s.keys.rows(session), s.keys.tally(session), s.keys.shown(session), s.keys.gone(session), s.keys.shownTally(session), s.keys.pending(session),
	}
	var drifts []Drift
	check := func(tx *redis.Tx) error {
		b, err := s.readBooks(ctx, tx, session)
		if err != nil {
			return err
		}
		drifts = slices.Concat(differ("", b.tally, b.counted), differ("shown ", b.shownTally, b.shownCounted), differ("", b.pending, b.waiting))
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Exists(ctx, s.keys.tally(session)) // so that the transaction proves all reads to be of one moment
			if repair && len(drifts) > 0 {
				s.rewrite(ctx, p, session, b)
			}
			return nil
		})
		return err
	}
	for range 16 {
		err := s.rdb.Watch(ctx, check, keys...)
		if err == nil {
			return drifts, nil
		}
		if !errors.Is(err, redis.TxFailedErr) {
			return nil, fmt.Errorf("feedback: recount: %w", err)
		}
	}
	return nil, ErrConflict
}

// books is what a session's store says, and what its rows say.
type books struct {
	tally, counted           figures.Tally
	shownTally, shownCounted figures.Tally
	pending, waiting         figures.Tally // "waiting hash" → 1
}

func (s *publication) readBooks(ctx context.Context, tx *redis.Tx, session string) (b books, err error) {
	var rows, tallied, shown, shownTallied *redis.MapStringStringCmd
	var deleted, pending *redis.StringSliceCmd
	_, err = tx.Pipelined(ctx, func(p redis.Pipeliner) error {
		rows, tallied = p.HGetAll(ctx, s.keys.rows(session)), p.HGetAll(ctx, s.keys.tally(session))
		shown, shownTallied = p.HGetAll(ctx, s.keys.shown(session)), p.HGetAll(ctx, s.keys.shownTally(session))
		deleted, pending = p.HVals(ctx, s.keys.gone(session)), p.ZRange(ctx, s.keys.pending(session), 0, -1)
		return nil
	})
	if err != nil {
		return b, err
	}
	if b.tally, err = readTally(tallied); err != nil {
		return b, err
	}
	if b.shownTally, err = readTally(shownTallied); err != nil {
		return b, err
	}
	b.counted, b.shownCounted, b.pending, b.waiting = figures.Tally{}, figures.Tally{}, figures.Tally{}, figures.Tally{}
	for hash, field := range rows.Val() {
		row := parseStored(field).row
		if row != "" && row != shown.Val()[hash] {
			b.waiting[waitingCell+hash] = 1
		}
		err = errors.Join(err, countRow(b.counted, row))
	}
	for _, hash := range pending.Val() {
		b.pending[waitingCell+hash] = 1
	}
	for _, text := range slices.AppendSeq(deleted.Val(), maps.Values(shown.Val())) {
		err = errors.Join(err, countRow(b.shownCounted, text))
	}
	return b, err
}

// waitingCell begins the name of the drift of an answer that waits to be shown and is not known to, or the reverse.
const waitingCell = "waiting "

// rewrite replaces what is derived by what was recounted.
func (s *publication) rewrite(ctx context.Context, p redis.Pipeliner, session string, b books) {
	for key, counted := range map[string]figures.Tally{s.keys.tally(session): b.counted, s.keys.shownTally(session): b.shownCounted} {
		p.Del(ctx, key)
		for cell, n := range counted {
			p.HSet(ctx, key, cell, n)
		}
	}
	p.Del(ctx, s.keys.pending(session))
	for name := range b.waiting {
		p.ZAdd(ctx, s.keys.pending(session), redis.Z{Member: strings.TrimPrefix(name, waitingCell)})
	}
}

// differ lists the cells that differ, sorted, what before each name.
func differ(what string, stored, counted figures.Tally) []Drift {
	var drifts []Drift
	both := maps.Clone(stored)
	maps.Copy(both, counted)
	for _, key := range slices.Sorted(maps.Keys(both)) {
		if stored[key] != counted[key] {
			drifts = append(drifts, Drift{Cell: what + key, Stored: stored[key], Recounted: counted[key]})
		}
	}
	return drifts
}

// countRow counts the cells of a row, or of what is left of one, as JSON; empty: nothing.
func countRow(t figures.Tally, row string) error {
	counted, err := parseGone(row)
	if err != nil || counted == nil {
		return err
	}
	t.Count(counted.Cells)
	return nil
}

func readTally(cmd *redis.MapStringStringCmd) (figures.Tally, error) {
	fields, err := cmd.Result()
	if err != nil {
		return nil, err
	}
	return figures.ParseTally(fields)
}
