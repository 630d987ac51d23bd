package feedback

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"jauge/feedback/survey"
	"jauge/internal/journal"
)

// A survey that is changed after answers are in is another version, and answers keep theirs: the definition of each version
// that was answered is kept with the answers, so that they are shown with the words that they were given to.

// Definition returns the survey as it was when it had a version (Row.Version): what was asked then. ErrNotFound: nobody has
// answered that one.
func (a *Asked) Definition(ctx context.Context, version string) (*survey.Survey, error) {
	text, err := a.store.rdb.HGet(ctx, a.store.keys.versions(a.Session.ID), version).Result()
	if errors.Is(err, redis.Nil) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("feedback: read a definition: %w", err)
	}
	survey := &survey.Survey{}
	if err := json.Unmarshal([]byte(text), survey); err != nil {
		return nil, fmt.Errorf("feedback: decode a definition: %w", err)
	}
	return survey, nil
}

// definition is what an entry's row answers, as JSON; nil: not at hand.
func (e entry) definition() (text json.RawMessage, version string) {
	if e.asked == nil || e.Row == nil {
		return nil, ""
	}
	return e.asked.Definition(), e.Row.Version
}

// definitionEntry is what a journal keeps of a definition.
type definitionEntry struct {
	Session    string          `json:"session"`
	Version    string          `json:"version"`
	Definition json.RawMessage `json:"definition"`
}

// definitionMark is the definition for the journal, unless it is known to have it.
func (l *ledger) definitionMark(e entry) []journal.Mark {
	text, version := e.definition()
	if text == nil {
		return nil
	}
	key := e.Session + " " + version
	if _, known := l.defined.Load(key); known && l.journal.Ahead() {
		return nil
	}
	return []journal.Mark{{Kind: entryVersion, Key: key, Value: definitionEntry{e.Session, version, text}}}
}

func (l *ledger) define(ctx context.Context, e definitionEntry) error {
	return l.rdb.HSetNX(ctx, l.keys.versions(e.Session), e.Version, string(e.Definition)).Err()
}
