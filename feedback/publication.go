package feedback

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"jauge/feedback/figures"
	"jauge/feedback/survey"
	"jauge/internal/journal"
)

// Whoever reads the figures before and after one answer would read that answer. So figures are made of *shown* answers: a
// change (an answer, an edit, a deletion) waits until, in each group of people that it touches, at least as many changes
// wait as the minimum group has people; then they are shown together, by whoever reads next. Only the number of
// respondents is always that of now.
//
// A group is an audience, whether its people stayed, and the wave. It is the finest division that figures are made by, so
// that two readings of any of them, or of what is left of the whole, differ by nobody or by that many people at least.

// publication holds what is shown of the answers.
type publication struct{ *base }

// gone is a deleted answer that the shown figures still count: the figures, and none of its words.
type gone struct {
	Segment string   `json:"segment,omitempty"`
	Stay    string   `json:"stay,omitempty"`
	Cells   []string `json:"cells"`
}

// shownEntry and goneEntry are what the journal keeps with a volatile store: the shown state itself (gone: a tombstone).
type shownEntry struct {
	Session     string          `json:"session"`
	ReceiptHash string          `json:"receipt_hash"`
	Row         json.RawMessage `json:"row"` // nil: not shown any more
}

func (e shownEntry) mark() journal.Mark {
	m := journal.Mark{Kind: entryShown, Key: e.Session + " " + e.ReceiptHash}
	if e.Row != nil {
		m.Value = e
	}
	return m
}

type goneEntry struct {
	Session string `json:"session"`
	ID      string `json:"id"`
	Gone    *gone  `json:"gone"` // nil: taken off the figures
}

func (e goneEntry) mark() journal.Mark {
	m := journal.Mark{Kind: entryGone, Key: e.Session + " " + e.ID}
	if e.Gone != nil {
		m.Value = e
	}
	return m
}

// change is what one person did since what is shown of them.
type change struct {
	hash     string // of the receipt; empty: a deleted answer
	revision string
	row      string // as JSON
	gone     string // the id of a deleted answer

	delta  figures.Tally
	groups []string
}

// move makes the change one from what is shown to what is there now; nil: nothing.
func (c *change) move(before, now *gone) {
	c.delta = figures.Tally{}
	count := func(at *gone, by int) {
		if at == nil {
			return
		}
		for _, cell := range at.Cells {
			c.delta[cell] += by
		}
	}
	count(before, -1)
	count(now, 1)
	touched := map[string]bool{}
	for cell, by := range c.delta {
		switch {
		case by < 0:
			touched[before.group(cell)] = true
		case by > 0:
			touched[now.group(cell)] = true
		}
	}
	c.groups = slices.Collect(maps.Keys(touched))
}

// group is the group of people that a cell of theirs belongs to.
func (g *gone) group(cell string) string {
	return g.Segment + "|" + g.Stay + "|" + survey.WaveOf(figures.ParseCell(cell).Question)
}

// due lists the changes that may be shown together: each group that they touch has at least k of them. What moves no
// figure touches none.
func due(all []change, k int) []change {
	for {
		waiting := map[string]int{}
		for _, c := range all {
			for _, g := range c.groups {
				waiting[g]++
			}
		}
		rest := slices.DeleteFunc(slices.Clone(all), func(c change) bool {
			return slices.ContainsFunc(c.groups, func(g string) bool { return waiting[g] < k })
		})
		if len(rest) == len(all) {
			return rest
		}
		all = rest
	}
}

// publish shows what is due, as it was just read. While answers are being changed all the time, it leaves that to the next reading.
func (s *publication) publish(ctx context.Context, a *Asked, read reading) error {
	unlock := s.lockAlone()
	defer unlock()
	fresh := !s.journal.Ahead() // there, answers may have been written before they were kept away
	for range 4 {
		all := read.waiting
		if !fresh || read.many {
			var err error
			if all, err = s.changes(ctx, a.Session.ID); err != nil {
				return err
			}
		}
		changes := due(all, a.Promise.MinimumGroup)
		if len(changes) == 0 {
			return nil
		}
		if done, err := s.show(ctx, a.Session.ID, changes); done || err != nil {
			return err
		}
		fresh = false
	}
	return nil
}

// readAtOnce is how many rows are asked for in one command.
const readAtOnce = 1000

// changes reads what waits in a session.
func (s *publication) changes(ctx context.Context, session string) ([]change, error) {
	hashes, err := s.rdb.ZRange(ctx, s.keys.pending(session), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("feedback: read what waits: %w", err)
	}
	var all []change
	for page := range slices.Chunk(hashes, readAtOnce) {
		var rows, shown *redis.SliceCmd
		_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			rows, shown = p.HMGet(ctx, s.keys.rows(session), page...), p.HMGet(ctx, s.keys.shown(session), page...)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("feedback: read what waits: %w", err)
		}
		for i, hash := range page {
			field, _ := rows.Val()[i].(string)
			old, _ := shown.Val()[i].(string)
			c, err := changeOf(hash, field, old)
			if err != nil {
				return nil, err
			}
			all = append(all, c)
		}
	}
	fields, err := s.rdb.HGetAll(ctx, s.keys.gone(session)).Result()
	if err != nil {
		return nil, fmt.Errorf("feedback: read what waits: %w", err)
	}
	deleted, err := deletionsOf(fields)
	return append(all, deleted...), err
}

// changeOf reads the change of an answer from its field and from what is shown of it; empty: nothing is.
func changeOf(hash, field, shown string) (change, error) {
	c := change{hash: hash}
	c.revision, c.row, _ = strings.Cut(field, " ")
	before, err := parseGone(shown)
	now, e := parseGone(c.row)
	if err = errors.Join(err, e); err != nil {
		return change{}, err
	}
	c.move(before, now)
	return c, nil
}

// deletionsOf reads the changes that took an answer away, by their ids.
func deletionsOf(fields map[string]string) ([]change, error) {
	var all []change
	for id, text := range fields {
		before, err := parseGone(text)
		if err != nil {
			return nil, err
		}
		c := change{gone: id}
		c.move(before, nil)
		all = append(all, c)
	}
	return all, nil
}

// parseGone reads what a row, or what is left of one, counts in; nil: nothing is there.
func parseGone(text string) (*gone, error) {
	if text == "" {
		return nil, nil
	}
	g := &gone{}
	if err := json.Unmarshal([]byte(text), g); err != nil {
		return nil, fmt.Errorf("feedback: decode an answer: %w", err)
	}
	return g, nil
}

//go:embed lua/publish.lua
var publishSource string

var publishScript = redis.NewScript(publishSource)

// show writes changes to what is shown; false: one of them is not what was read any more, and nothing was written.
func (s *publication) show(ctx context.Context, session string, changes []change) (done bool, err error) {
	var rows, deleted, deltas []any
	var marks []journal.Mark
	delta := figures.Tally{}
	for _, c := range changes {
		if c.gone != "" {
			deleted = append(deleted, c.gone)
			marks = append(marks, goneEntry{Session: session, ID: c.gone}.mark())
		} else {
			rows = append(rows, c.hash, c.revision)
			marks = append(marks, shownEntry{session, c.hash, json.RawMessage(c.row)}.mark())
		}
		for cell, by := range c.delta {
			delta[cell] += by
		}
	}
	for cell, by := range delta {
		if by != 0 {
			deltas = append(deltas, cell, by)
		}
	}
	args := slices.Concat([]any{len(rows) / 2}, rows, []any{len(deleted)}, deleted, deltas)
	keys := []string{s.keys.rows(session), s.keys.pending(session), s.keys.shown(session), s.keys.shownTally(session), s.keys.gone(session)}
	run := func(ctx context.Context) (err error) {
		done, err = publishScript.Run(ctx, s.rdb, keys, args...).Bool()
		return err
	}
	if s.journal.Ahead() {
		err = s.journal.Keep(ctx, marks, run)
	} else {
		err = s.journal.Try(ctx, run)
	}
	if err != nil {
		return false, fmt.Errorf("feedback: publish: %w", err)
	}
	return done, nil
}

// restoreShown shows an answer as it was before a restart. Answers are there by then, all of them waiting.
func (s *publication) restoreShown(ctx context.Context, e shownEntry) error {
	row := string(e.Row)
	counted, err := parseGone(row)
	if err != nil {
		return err
	}
	fresh, err := s.rdb.HSetNX(ctx, s.keys.shown(e.Session), e.ReceiptHash, row).Result()
	if err != nil || !fresh {
		return err
	}
	field, err := s.rdb.HGet(ctx, s.keys.rows(e.Session), e.ReceiptHash).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	if parseStored(field).row == row {
		if err := s.rdb.ZRem(ctx, s.keys.pending(e.Session), e.ReceiptHash).Err(); err != nil {
			return err
		}
	}
	return s.recall(ctx, e.Session, counted)
}

// restoreGone counts a deleted answer as it was before a restart.
func (s *publication) restoreGone(ctx context.Context, e goneEntry) error {
	text, err := json.Marshal(e.Gone)
	if err != nil {
		return err
	}
	fresh, err := s.rdb.HSetNX(ctx, s.keys.gone(e.Session), e.ID, text).Result()
	if err != nil || !fresh {
		return err
	}
	return s.recall(ctx, e.Session, e.Gone)
}

// recall adds what was counted before a restart to the shown tally.
func (s *publication) recall(ctx context.Context, session string, counted *gone) error {
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, cell := range counted.Cells {
			p.HIncrBy(ctx, s.keys.shownTally(session), cell, 1)
		}
		return nil
	})
	return err
}

// published reads the answers that are shown, by receipt hash: those that the figures count.
func (s *publication) published(ctx context.Context, session string) (map[string]Row, error) {
	shown, err := s.rdb.HGetAll(ctx, s.keys.shown(session)).Result()
	if err != nil {
		return nil, fmt.Errorf("feedback: read what is shown: %w", err)
	}
	rows := make(map[string]Row, len(shown))
	for hash, text := range shown {
		var row Row
		if err := json.Unmarshal([]byte(text), &row); err != nil {
			return nil, fmt.Errorf("feedback: decode an answer: %w", err)
		}
		rows[hash] = row
	}
	return rows, nil
}
