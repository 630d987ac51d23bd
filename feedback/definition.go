package feedback

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// versionsKey is a hash of version → what the survey asked in it, as JSON: an old answer is shown with the words that it
// was given to. Definitions name nobody: it stays.
func (s *Store) versionsKey(session string) string { return s.prefix + "{" + session + "}:fb:versions" }

// definition is the journal's entry of one version.
type definition struct {
	Session string  `json:"session"`
	Survey  *Survey `json:"survey"` // as For returned it
}

const entryDefinition = "feedback.definition"

// define keeps what a survey asks before the first answer to it is kept. It has an entry of its own, so that deleting that
// answer leaves it.
func (s *Store) define(ctx context.Context, session string, survey *Survey) error {
	known := false
	err := s.journal.Try(ctx, func(ctx context.Context) (err error) {
		known, err = s.rdb.HExists(ctx, s.versionsKey(session), survey.Version()).Result()
		return err
	})
	if err == nil && known {
		return nil
	}
	d := definition{Session: session, Survey: survey}
	return s.journal.Do(ctx, entryDefinition, d, func(ctx context.Context) error { return s.applyDefinition(ctx, d) })
}

func (s *Store) applyDefinition(ctx context.Context, d definition) error {
	b, err := json.Marshal(d.Survey)
	if err != nil {
		return fmt.Errorf("feedback: encode a survey: %w", err)
	}
	if err := s.rdb.HSetNX(ctx, s.versionsKey(d.Session), d.Survey.Version(), b).Err(); err != nil {
		return fmt.Errorf("feedback: keep a survey: %w", err)
	}
	return nil
}

// Definition returns what a session's survey asked in a version that somebody answered. It returns ErrNotFound, or the
// store's error.
func (s *Store) Definition(ctx context.Context, session, version string) (*Survey, error) {
	b, err := s.rdb.HGet(ctx, s.versionsKey(session), version).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("feedback: read a survey: %w", err)
	}
	var survey Survey
	if err := json.Unmarshal(b, &survey); err != nil {
		return nil, fmt.Errorf("feedback: decode a survey: %w", err)
	}
	return &survey, nil
}
