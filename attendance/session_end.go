package attendance

import (
	"context"

	"jauge/attendance/marks"
)

// ending is the journal entry of a session ended by hand.
type ending struct {
	Session     string            `json:"session"`
	At          int64             `json:"at"`
	Occurrences map[string]string `json:"occurrences"` // open occurrence → its room; nil: not decided yet
}

// End closes a session by hand, now: every occurrence that is open gets an end mark. programme.ErrNotFound.
func (s *Store) End(ctx context.Context, id string) error {
	if _, err := s.programme.Session(ctx, id); err != nil {
		return err
	}
	e := &ending{Session: id, At: s.now().UnixMilli()}
	if s.journal.Ahead() { // the entry has to say which occurrences it closes
		if err := s.decideEnd(ctx, e); err != nil {
			return err
		}
	}
	return s.journal.Do(ctx, entryEnd, e, func(ctx context.Context) error { return s.end(ctx, e) })
}

// decideEnd finds the occurrences that are open.
func (s *Store) decideEnd(ctx context.Context, e *ending) error {
	session, err := s.programme.Session(ctx, e.Session)
	if err != nil {
		return err
	}
	open, none, err := s.marks.Open(ctx, e.Session, session.EndsAt.UnixMilli(), e.At)
	if err != nil {
		return err
	}
	if e.Occurrences = open; none { // no event came: the end makes an occurrence of its own
		e.Occurrences[s.seal.token("occurrence", "by hand", e.Session)] = s.seal.token("room", "by hand", e.Session)
	}
	return nil
}

func (s *Store) end(ctx context.Context, e *ending) error {
	if e.Occurrences == nil {
		if err := s.decideEnd(ctx, e); err != nil {
			return err
		}
	}
	var batch []marks.Placed
	for id, room := range e.Occurrences {
		batch = append(batch, marks.Placed{Session: e.Session, Mark: marks.Mark{Kind: Ended, Room: room, Occurrence: id, At: e.At}})
	}
	_, err := s.marks.Write(ctx, batch)
	return err
}

// heads is the journal entry of a declared head count.
type heads struct {
	Session string `json:"session"`
	Heads   int    `json:"heads"`
}

// Declare keeps the head count that a host typed; programme.ErrNotFound.
func (s *Store) Declare(ctx context.Context, id string, n int) error {
	if _, err := s.programme.Session(ctx, id); err != nil {
		return err
	}
	h := heads{id, n}
	return s.journal.Do(ctx, entryHeads, h, func(ctx context.Context) error { return s.declare(ctx, h) })
}

func (s *Store) declare(ctx context.Context, h heads) error {
	return s.marks.Declare(ctx, h.Session, h.Heads)
}
