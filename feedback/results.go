package feedback

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"jauge/feedback/figures"
	"jauge/feedback/survey"

	"github.com/redis/go-redis/v9"
)

// Results reads a session's figures; segments are the ids of its audiences, in the order wanted. Nothing about fewer than
// minimumGroup people comes out, or fewer than was promised: see suppress.go, and publication.go for what two readings tell.
func (s *Store) Results(ctx context.Context, session string, asked *survey.Survey, segments []string, minimumGroup int) (figures.Results, error) {
	all, err := s.read(ctx, map[string]*survey.Survey{session: asked}, minimumGroup)
	if err != nil {
		return figures.Results{}, err
	}
	return s.withTexts(ctx, all[session].results(session, asked, segments, minimumGroup), asked)
}

// Scrape reads the figures of many sessions, without segments, in a pipeline: surveys by session id in, results by session
// id out.
func (s *Store) Scrape(ctx context.Context, surveys map[string]*survey.Survey, minimumGroup int) (map[string]figures.Results, error) {
	read, err := s.read(ctx, surveys, minimumGroup)
	if err != nil {
		return nil, err
	}
	all := make(map[string]figures.Results, len(surveys))
	for session, survey := range surveys {
		all[session] = read[session].results(session, survey, nil, minimumGroup)
	}
	return all, nil
}

// reading is what a session's figures are made of.
type reading struct {
	shown       figures.Tally
	respondents int // now
	promise     Promise
}

// results derives the figures. Answers that were promised to be minors' stay so.
func (r reading) results(session string, survey *survey.Survey, segments []string, minimumGroup int) figures.Results {
	results := r.shown.Results(session, survey.For(r.promise.Minors), segments, max(minimumGroup, r.promise.MinimumGroup))
	results.Respondents = r.respondents
	return results
}

// read shows what is due in each session, and reads what is shown.
func (s *Store) read(ctx context.Context, surveys map[string]*survey.Survey, minimumGroup int) (map[string]reading, error) {
	type replies struct {
		promise, shown   *redis.MapStringStringCmd
		changed, deleted *redis.IntCmd
		respondents      *redis.StringCmd
	}
	all := make(map[string]*replies, len(surveys))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for session := range surveys {
			all[session] = &replies{
				promise: p.HGetAll(ctx, s.keys.promise(session)),
				changed: p.ZCard(ctx, s.keys.pending(session)), deleted: p.HLen(ctx, s.keys.gone(session)),
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("feedback: read what waits: %w", err)
	}
	read := make(map[string]reading, len(surveys))
	for session, r := range all {
		promise, _, err := readPromise(r.promise)
		if err == nil && r.changed.Val()+r.deleted.Val() > 0 {
			err = s.publish(ctx, session, max(minimumGroup, promise.MinimumGroup))
		}
		if err != nil {
			return nil, err
		}
		read[session] = reading{promise: promise}
	}
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for session, r := range all {
			r.shown = p.HGetAll(ctx, s.keys.shownTally(session))
			r.respondents = p.HGet(ctx, s.keys.tally(session), figures.Cell{Survey: surveys[session].ID}.Key())
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("feedback: read tallies: %w", err)
	}
	for session, r := range all {
		found := read[session]
		found.respondents, _ = strconv.Atoi(r.respondents.Val()) // nobody: no field
		if found.shown, err = readTally(r.shown); err != nil {
			return nil, fmt.Errorf("feedback: read tallies: %w", err)
		}
		read[session] = found
	}
	return read, nil
}
