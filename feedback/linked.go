package feedback

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"

	"jauge/internal/journal"
)

// Where people were told so, the answers that they give in several waves are kept together, in one row under the receipt
// that they bring along. Nothing but that receipt links them.

// waveOf is the wave that an item is asked in: what follows the @ of its id.
func waveOf(question string) string {
	_, wave, _ := strings.Cut(question, "@")
	return wave
}

// beside returns the answers of other waves.
func (a Answers) beside(wave string) Answers {
	others := Answers{}
	for id, v := range a {
		if waveOf(id) != wave {
			others[id] = v
		}
	}
	return others
}

// links says whether a submission may be linked with others: where it was not promised so to everybody, never again.
func (s *Store) links(ctx context.Context, sub Submission) bool {
	if !sub.Promise.Linked || sub.delivered {
		return false
	}
	before, given, err := s.Promise(ctx, sub.Session)
	return err != nil || !given || before.Linked
}

// prepareWave builds the entry that adds answers to those under the submission's token. With the store away, they are added
// when they come to it.
func (s *Store) prepareWave(ctx context.Context, sub Submission) (Entry, error) {
	hash, ok := s.receiptHash(sub.Session, sub.Token)
	if !ok {
		return Entry{}, ErrNotFound
	}
	old, revision, err := s.tryLoad(ctx, sub.Session, hash)
	switch {
	case err == nil:
		sub.Segment, sub.Answers = old.Segment, old.Answers.beside(sub.Wave).and(sub.Answers)
		return sub.after(hash, old, revision), nil
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrDeleted):
		return Entry{}, err
	}
	return sub.entry(hash, 0).added(sub), nil
}

// added makes the entry one that adds, whatever will be there.
func (e Entry) added(sub Submission) Entry {
	e.Add, e.Wave, e.Survey = true, sub.Wave, sub.Survey
	return e
}

// prepareLinked builds the entry of a first wave, under three words that nobody has. It returns journal.ErrAway when only
// the store could tell which those are.
func (s *Store) prepareLinked(ctx context.Context, sub Submission) (token string, e Entry, err error) {
	form := ""
	if sub.Key != "" {
		form = hex.EncodeToString(s.mac("form", sub.Session, sub.Key)[:16])
		code := s.receiptOf(sub.Session, sub.Key) // of the time while the store was away
		hash, _ := s.receiptHash(sub.Session, code)
		switch old, revision, err := s.tryLoad(ctx, sub.Session, hash); {
		case err == nil:
			e, err := sub.again(hash, old, revision)
			return code, e, err
		case errors.Is(err, ErrDeleted):
			return "", Entry{}, err
		}
	}
	for attempt := range 16 {
		p, ok := s.placesOf(sub.Session, sub.Key, attempt)
		if !ok {
			continue
		}
		token, hash := s.lexicon.token(p, sub.Lang), s.wordsHash(sub.Session, p)
		old, revision, err := s.tryLoad(ctx, sub.Session, hash)
		switch {
		case errors.Is(err, ErrNotFound):
			e := sub.entry(hash, 1)
			e.Row.Form = form
			return token, e, nil
		case err == nil && form != "" && old.Form == form:
			e, err := sub.again(hash, old, revision)
			return token, e, err
		case errors.Is(err, ErrDeleted) && form != "":
			return "", Entry{}, err
		case err != nil && !errors.Is(err, ErrDeleted):
			return "", Entry{}, errors.Join(journal.ErrAway, err)
		}
	}
	return "", Entry{}, ErrConflict
}

// add writes answers beside those that are there by now. What was said in the same wave before gives way; what a part of a
// submission says, of no wave, does not.
func (s *Store) add(ctx context.Context, e Entry) (Outcome, error) {
	for range 16 {
		whole := e
		whole.Add = false
		old, revision, err := s.load(ctx, e.Session, e.ReceiptHash)
		switch {
		case err == nil:
			before := old.Answers
			if e.Wave != "" {
				before = before.beside(e.Wave)
			}
			whole.Revision = revision + 1
			whole.Row = newRow(e.Survey, before.and(e.Row.Answers), old.Segment, old.Stay, e.Row.Lang, old.At)
			whole.Row.Form, whole.Row.Sent = old.Form, old.Sent
		case errors.Is(err, ErrDeleted):
			return Deleted, nil
		case !errors.Is(err, ErrNotFound):
			return "", err
		}
		outcome, err := s.Apply(ctx, whole)
		if err != nil || outcome != Superseded {
			return outcome, err
		}
	}
	return "", ErrConflict
}
