package feedback

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

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

// Recount recomputes a session's tallies from its rows and returns those that differ, sorted by cell; with repair it
// also writes the recomputed ones. It returns ErrConflict when answers keep coming in between.
func (s *Store) Recount(ctx context.Context, session string, repair bool) ([]Drift, error) {
	rowsKey, tallyKey := s.rowsKey(session), s.tallyKey(session)
	var drifts []Drift
	check := func(tx *redis.Tx) error {
		rows, err := tx.HVals(ctx, rowsKey).Result()
		if err != nil {
			return err
		}
		stored, err := readTally(tx.HGetAll(ctx, tallyKey))
		if err != nil {
			return err
		}
		counted, err := count(rows)
		if err != nil {
			return err
		}
		drifts = differ(stored, counted)
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			if !repair || len(drifts) == 0 {
				p.Exists(ctx, tallyKey) // so that the transaction proves both reads to be of one moment
				return nil
			}
			p.Del(ctx, tallyKey)
			for key, n := range counted {
				p.HSet(ctx, tallyKey, key, n)
			}
			return nil
		})
		return err
	}
	for range 16 {
		err := s.rdb.Watch(ctx, check, rowsKey, tallyKey)
		if err == nil {
			return drifts, nil
		}
		if !errors.Is(err, redis.TxFailedErr) {
			return nil, fmt.Errorf("feedback: recount: %w", err)
		}
	}
	return nil, ErrConflict
}

// tally is how many people each cell counts.
type tally map[string]int

func readTally(cmd *redis.MapStringStringCmd) (tally, error) {
	fields, err := cmd.Result()
	if err != nil {
		return nil, err
	}
	t := make(tally, len(fields))
	for key, value := range fields {
		if t[key], err = strconv.Atoi(value); err != nil {
			return nil, fmt.Errorf("tally of %s: %w", key, err)
		}
	}
	return t, nil
}

// count adds up the cells of rows, as the rows hash holds them.
func count(rows []string) (tally, error) {
	t := tally{}
	for _, field := range rows {
		found := parseStored(field)
		if found.row == "" {
			continue
		}
		var row Row
		if err := json.Unmarshal([]byte(found.row), &row); err != nil {
			return nil, err
		}
		for _, key := range row.Cells {
			t[key]++
		}
	}
	return t, nil
}

func differ(stored, counted tally) []Drift {
	var drifts []Drift
	both := maps.Clone(stored)
	maps.Copy(both, counted)
	for _, key := range slices.Sorted(maps.Keys(both)) {
		if stored[key] != counted[key] {
			drifts = append(drifts, Drift{Cell: key, Stored: stored[key], Recounted: counted[key]})
		}
	}
	return drifts
}
