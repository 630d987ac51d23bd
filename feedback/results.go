package feedback

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"jauge/feedback/figures"
	"jauge/programme"
)

// Results reads a session's figures, with those of its segments. Nothing about fewer people than the minimum group comes out, or
// than was promised: see figures, and publication.go for what two readings tell.
func (a *Asked) Results(ctx context.Context) (figures.Results, error) {
	a, err := a.known(ctx)
	if err != nil {
		return figures.Results{}, err
	}
	read, err := a.store.read(ctx, []*Asked{a})
	if err != nil {
		return figures.Results{}, err
	}
	return a.withTexts(ctx, a.results(read[0], a.segments()))
}

// results derives the figures.
func (a *Asked) results(r reading, segments []string) figures.Results {
	results := r.shown.Results(a.Session.ID, a.Survey, segments, a.Promise.MinimumGroup)
	results.Respondents = r.respondents
	return results
}

// Scrape reads the figures of those of the sessions that ask anything, in their order, without segments and texts, in a pipeline.
func (s *Store) Scrape(ctx context.Context, sessions []programme.Session) ([]figures.Results, error) {
	asking := slices.DeleteFunc(slices.Clone(sessions), func(session programme.Session) bool { return !s.Asks(session) })
	told := make([]*redis.MapStringStringCmd, len(asking))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, session := range asking {
			told[i] = p.HGetAll(ctx, s.keys.promise(session.ID))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("feedback: read what was promised: %w", err)
	}
	all := make([]*Asked, len(asking))
	for i, session := range asking {
		c, _ := s.termsOf(session)
		promise, err := readPromise(told[i])
		if err != nil {
			return nil, err
		}
		all[i] = s.asked(session, c, promise)
	}
	read, err := s.read(ctx, all)
	if err != nil {
		return nil, err
	}
	results := make([]figures.Results, len(all))
	for i, a := range all {
		results[i] = a.results(read[i], nil)
	}
	return results, nil
}

// Respondents counts the persons with an answer, by the id of those of the sessions that ask anything, in a pipeline.
func (s *Store) Respondents(ctx context.Context, sessions ...programme.Session) (map[string]int, error) {
	replies := map[string]*redis.StringCmd{}
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, session := range sessions {
			if s.Asks(session) {
				replies[session.ID] = p.HGet(ctx, s.keys.tally(session.ID), figures.Cell{Survey: session.Survey}.Key())
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("feedback: read tallies: %w", err)
	}
	counts := make(map[string]int, len(replies))
	for session, reply := range replies {
		counts[session], _ = strconv.Atoi(reply.Val()) // nobody: no field
	}
	return counts, nil
}

// reading is what a session's figures are made of.
type reading struct {
	shown       figures.Tally
	respondents int      // now
	waiting     []change // nil: none, or more than are read at once
	many        bool     // more than are read at once wait
}

// read shows what is due in each session, and reads what is shown.
func (s *publication) read(ctx context.Context, all []*Asked) ([]reading, error) {
	read, err := s.readings(ctx, all)
	if err != nil {
		return nil, err
	}
	var again []int
	for i, a := range all {
		if read[i].many || len(due(read[i].waiting, a.Promise.MinimumGroup)) > 0 {
			if err := s.publish(ctx, a, read[i]); err != nil {
				return nil, err
			}
			again = append(again, i)
		}
	}
	if len(again) == 0 {
		return read, nil
	}
	published := make([]*Asked, len(again))
	for i, at := range again {
		published[i] = all[at]
	}
	fresh, err := s.readings(ctx, published)
	if err != nil {
		return nil, err
	}
	for i, at := range again {
		read[at] = fresh[i]
	}
	return read, nil
}

//go:embed lua/read.lua
var readSource string

var readScript = redis.NewScript(readSource)

// readings runs the script once per session, pipelined. A script that the server has lost is loaded, or in a cluster sent whole.
func (s *publication) readings(ctx context.Context, all []*Asked) ([]reading, error) {
	cmds, err := s.pipeline(ctx, all, readScript.EvalSha)
	if redis.HasErrorPrefix(err, "NOSCRIPT") && readScript.Load(ctx, s.rdb).Err() == nil {
		cmds, err = s.pipeline(ctx, all, readScript.EvalSha)
	}
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		cmds, err = s.pipeline(ctx, all, readScript.Eval)
	}
	if err != nil {
		return nil, fmt.Errorf("feedback: read figures: %w", err)
	}
	read := make([]reading, len(all))
	for i, cmd := range cmds {
		if read[i], err = parseReading(cmd.(*redis.Cmd)); err != nil {
			return nil, fmt.Errorf("feedback: read figures: %w", err)
		}
	}
	return read, nil
}

type evaluate func(ctx context.Context, c redis.Scripter, keys []string, args ...any) *redis.Cmd

func (s *publication) pipeline(ctx context.Context, all []*Asked, run evaluate) ([]redis.Cmder, error) {
	return s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, a := range all {
			run(ctx, p, s.keys.figures(a.Session.ID), figures.Cell{Survey: a.Survey.ID}.Key(), readAtOnce)
		}
		return nil
	})
}

var errReply = errors.New("the script's reply has another shape")

// parseReading reads a reply of read.lua.
func parseReading(cmd *redis.Cmd) (r reading, err error) {
	reply, err := cmd.Slice()
	if err != nil {
		return r, err
	}
	if len(reply) != 5 {
		return r, errReply
	}
	text, _ := reply[0].(string)
	r.respondents, _ = strconv.Atoi(text) // nobody: no field
	if r.shown, err = figures.ParseTally(fieldsOf(reply[1])); err != nil {
		return r, err
	}
	waiting, _ := reply[3].(int64)
	answers, _ := reply[4].([]any)
	if r.many = int(waiting) != len(answers); r.many {
		return r, nil
	}
	for _, answer := range answers {
		texts := textsOf(answer)
		if len(texts) != 3 {
			return r, errReply
		}
		c, err := changeOf(texts[0], texts[1], texts[2])
		if err != nil {
			return r, err
		}
		r.waiting = append(r.waiting, c)
	}
	deleted, err := deletionsOf(fieldsOf(reply[2]))
	r.waiting = append(r.waiting, deleted...)
	return r, err
}

func textsOf(reply any) []string {
	list, _ := reply.([]any)
	texts := make([]string, len(list))
	for i, item := range list {
		texts[i], _ = item.(string)
	}
	return texts
}

// fieldsOf reads a hash as scripts return it: fields and values in turn.
func fieldsOf(reply any) map[string]string {
	flat := textsOf(reply)
	fields := make(map[string]string, len(flat)/2)
	for pair := range slices.Chunk(flat, 2) {
		fields[pair[0]] = pair[len(pair)-1]
	}
	return fields
}
