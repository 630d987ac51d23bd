package feedback

import (
	"context"
	"encoding/hex"
	"errors"
	"maps"
	"strings"

	"jauge/internal/journal"
)

// Where people were told so, the answers that they give in several waves are kept together, in one row under the receipt
// that they bring along. Nothing but that receipt links them.

// links says whether a submission may be linked with others: where it was not promised so to everybody, never again.
func (s *Store) links(ctx context.Context, sub Submission) bool {
	if !sub.Promise.Linked || sub.Unlinked {
		return false
	}
	before, given, err := s.Promise(ctx, sub.Session)
	return err != nil || !given || before.Linked
}

// prepareWave builds the entry that adds answers to those under the submission's token. With the store away, they are added
// when they come to it. What was sent under the submission's key without a token stays where it is: a form sent again is
// never a second answer.
func (s *Store) prepareWave(ctx context.Context, sub Submission) (receipt string, e Entry, err error) {
	hash, ok := s.receiptHash(sub.Session, sub.Token)
	if !ok {
		return "", Entry{}, ErrNotFound
	}
	receipt, _ = s.Receipt(sub.Token)
	joined := s.joined(sub)
	adding := func() Entry { return sub.entry(hash, 0).added(sub).joining(sub.Wave, joined) }
	if sub.Key != "" {
		switch sent, at, old, revision, err := s.sent(ctx, sub.Session, sub.Key); {
		case err == nil:
			e, err := sub.again(at, old, revision)
			return sent, e, err
		case errors.Is(err, ErrDeleted):
			return "", Entry{}, err
		case !errors.Is(err, ErrNotFound):
			return receipt, adding(), nil
		}
	}
	old, revision, err := s.tryLoad(ctx, sub.Session, hash)
	switch {
	case err == nil:
		if sameKey(old.Joined[sub.Wave], joined) {
			if old.Joined[sub.Wave] != joined {
				return "", Entry{}, ErrReused
			}
			return receipt, Entry{}, errRepeated
		}
		sub.Segment, sub.Answers = old.Segment, old.Answers.Beside(sub.Wave).And(sub.Answers)
		return receipt, sub.after(hash, old, revision).joining(sub.Wave, joined), nil
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrDeleted):
		return "", Entry{}, err
	}
	return receipt, adding(), nil
}

// joined is what a row keeps of a submission that is to join it once: hashes of the key and of the answers.
func (s *Store) joined(sub Submission) string {
	if !sub.Once {
		return ""
	}
	return s.formHash(sub.Session, sub.Key) + ":" + sub.sent
}

func sameKey(a, b string) bool {
	key, _, once := strings.Cut(a, ":")
	other, _, _ := strings.Cut(b, ":")
	return once && key == other
}

// joining writes down in the row what joined it in a wave. Without anything to write down, what was is not the last any more.
func (e Entry) joining(wave, joined string) Entry {
	all := maps.Clone(e.Row.Joined)
	delete(all, wave)
	if joined != "" {
		if all == nil {
			all = map[string]string{}
		}
		all[wave] = joined
	}
	e.Row.Joined = all
	return e
}

// added makes the entry one that adds, whatever will be there.
func (e Entry) added(sub Submission) Entry {
	e.Add, e.Wave, e.Survey = true, sub.Wave, sub.Survey
	return e
}

// prepareLinked builds the entry of answers that come without a token, under three words that nobody has. It returns
// journal.ErrAway when only the store could tell which those are.
func (s *Store) prepareLinked(ctx context.Context, sub Submission) (receipt string, e Entry, err error) {
	if sub.Key != "" {
		code, hash, old, revision, err := s.underCode(ctx, sub.Session, sub.Key) // of the time while the store was away
		switch {
		case err == nil:
			e, err := sub.again(hash, old, revision)
			return code, e, err
		case errors.Is(err, ErrDeleted):
			return "", Entry{}, err
		}
	}
	p, old, revision, err := s.underWords(ctx, sub.Session, sub.Key)
	receipt, hash := s.lexicon.token(p, sub.Lang), s.wordsHash(sub.Session, p)
	switch {
	case errors.Is(err, ErrNotFound):
		e := sub.entry(hash, 1)
		e.Row.Form = s.formHash(sub.Session, sub.Key)
		return receipt, e, nil
	case err != nil:
		return "", Entry{}, err
	}
	e, err = sub.again(hash, old, revision)
	return receipt, e, err
}

// formHash names a submission in the row under three words: others may draw the same. Empty without a key.
func (s *Store) formHash(session, key string) string {
	if key == "" {
		return ""
	}
	return hex.EncodeToString(s.mac("form", session, key)[:16])
}

// underCode finds what was sent under a key and has a code, and that code.
func (s *Store) underCode(ctx context.Context, session, key string) (code, hash string, old Row, revision int, err error) {
	code = s.receiptOf(session, key)
	hash, _ = s.receiptHash(session, code)
	old, revision, err = s.tryLoad(ctx, session, hash)
	return code, hash, old, revision, err
}

// underWords finds what was sent under a key and has three words. It returns ErrNotFound with words that nobody has,
// ErrDeleted, ErrConflict when every attempt finds words of others, or journal.ErrAway.
func (s *Store) underWords(ctx context.Context, session, key string) (p places, old Row, revision int, err error) {
	form := s.formHash(session, key)
	for attempt := range 16 {
		p, ok := s.placesOf(session, key, attempt)
		if !ok {
			continue
		}
		old, revision, err := s.tryLoad(ctx, session, s.wordsHash(session, p))
		switch {
		case errors.Is(err, ErrNotFound), errors.Is(err, ErrDeleted) && form != "":
			return p, Row{}, 0, err
		case err == nil && form != "" && old.Form == form:
			return p, old, revision, nil
		case err != nil && !errors.Is(err, ErrDeleted):
			return p, Row{}, 0, errors.Join(journal.ErrAway, err)
		}
	}
	return p, Row{}, 0, ErrConflict
}

// sent finds what was sent under a key, without a token: under a code, or under three words in the language of its answers.
func (s *Store) sent(ctx context.Context, session, key string) (receipt, hash string, row Row, revision int, err error) {
	receipt, hash, row, revision, err = s.underCode(ctx, session, key)
	if !errors.Is(err, ErrNotFound) {
		return receipt, hash, row, revision, err
	}
	p, row, revision, err := s.underWords(ctx, session, key)
	return s.lexicon.token(p, row.Lang), s.wordsHash(session, p), row, revision, err
}

// Sent returns the answer that was sent under a submission's key, and its receipt; not one that joined another's, which has
// the receipt that it was given. It returns ErrNotFound, ErrDeleted, or the store's error.
func (s *Store) Sent(ctx context.Context, session, key string) (receipt string, row Row, err error) {
	receipt, _, row, _, err = s.sent(ctx, session, key)
	return receipt, row, err
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
			if sameKey(old.Joined[e.Wave], e.Row.Joined[e.Wave]) {
				return Duplicate, nil
			}
			before := old.Answers
			if e.Wave != "" {
				before = before.Beside(e.Wave)
			}
			whole.Revision = revision + 1
			whole.Row = newRow(e.Survey, before.And(e.Row.Answers), old.Segment, old.Stay, e.Row.Lang, old.At)
			whole.Row.inherit(old)
			if e.Wave != "" {
				whole = whole.joining(e.Wave, e.Row.Joined[e.Wave])
			}
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
