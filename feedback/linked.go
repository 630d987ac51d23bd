package feedback

import (
	"context"
	"encoding/hex"
	"errors"
	"maps"
	"strings"

	"jauge/feedback/receipt"
	"jauge/internal/journal"
)

// Where people were told so, the answers that they give in several waves are kept together, in one row under the receipt
// that they bring along. Nothing but that receipt links them.

// prepareWave builds the entry that adds answers to those under the submission's token. With the store away, they are added
// when they come to it. What was sent under the submission's key without a token stays where it is: a form sent again is
// never a second answer.
func (a *Asked) prepareWave(ctx context.Context, sub Submission) (receipt string, e entry, err error) {
	s, seal, session := a.store, a.store.seal, a.Session.ID
	hash, ok := seal.Hash(session, sub.Token)
	if !ok {
		return "", entry{}, ErrNotFound
	}
	receipt, _ = seal.AsShown(sub.Token)
	joined := seal.joined(session, sub)
	adding := func() entry { return a.newEntry(sub, hash, 0).added(sub).joining(sub.Wave, joined) }
	if sub.Key != "" {
		switch sent, at, old, revision, err := s.sent(ctx, session, sub.Key); {
		case err == nil:
			e, err := a.again(sub, at, old, revision)
			return sent, e, err
		case errors.Is(err, ErrDeleted):
			return "", entry{}, err
		case !errors.Is(err, ErrNotFound):
			return receipt, adding(), nil
		}
	}
	old, revision, err := s.tryLoad(ctx, session, hash)
	switch {
	case err == nil:
		if sameKey(old.Joined[sub.Wave], joined) {
			if old.Joined[sub.Wave] != joined {
				return "", entry{}, ErrReused
			}
			return receipt, entry{}, errRepeated
		}
		sub.Segment, sub.Answers = old.Segment, old.Answers.Beside(sub.Wave).And(sub.Answers)
		return receipt, a.after(sub, hash, old, revision).joining(sub.Wave, joined), nil
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrDeleted):
		return "", entry{}, err
	}
	return receipt, adding(), nil
}

// joined is what a row keeps of a submission that is to join it once: hashes of the key and of the answers.
func (s sealer) joined(session string, sub Submission) string {
	if !sub.Once {
		return ""
	}
	return s.formHash(session, sub.Key) + ":" + sub.sent
}

func sameKey(a, b string) bool {
	key, _, once := strings.Cut(a, ":")
	other, _, _ := strings.Cut(b, ":")
	return once && key == other
}

// joining writes down in the row what joined it in a wave. Without anything to write down, what was is not the last any more.
func (e entry) joining(wave, joined string) entry {
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
func (e entry) added(sub Submission) entry {
	e.Add, e.Wave, e.Survey = true, sub.Wave, e.asked
	return e
}

// prepareLinked builds the entry of answers that come without a token, under three words that nobody has. It returns
// journal.ErrAway when only the store could tell which those are.
func (a *Asked) prepareLinked(ctx context.Context, sub Submission) (receipt string, e entry, err error) {
	s, session := a.store, a.Session.ID
	if sub.Key != "" {
		code, hash, old, revision, err := s.underCode(ctx, session, sub.Key) // of the time while the store was away
		switch {
		case err == nil:
			e, err := a.again(sub, hash, old, revision)
			return code, e, err
		case errors.Is(err, ErrDeleted):
			return "", entry{}, err
		}
	}
	p, old, revision, err := s.underWords(ctx, session, sub.Key)
	receipt, hash := s.seal.Say(p, sub.Lang), s.seal.HashOf(session, p)
	switch {
	case errors.Is(err, ErrNotFound):
		e := a.newEntry(sub, hash, 1)
		e.Row.Form = s.seal.formHash(session, sub.Key)
		return receipt, e, nil
	case err != nil:
		return "", entry{}, err
	}
	e, err = a.again(sub, hash, old, revision)
	return receipt, e, err
}

// formHash names a submission in the row under three words: others may draw the same. Empty without a key.
func (s sealer) formHash(session, key string) string {
	if key == "" {
		return ""
	}
	return hex.EncodeToString(s.MAC("form", session, key)[:16])
}

// underCode finds what was sent under a key and has a code, and that code.
func (l *ledger) underCode(ctx context.Context, session, key string) (code, hash string, old Row, revision int, err error) {
	code = l.seal.CodeOf(session, key)
	hash, _ = l.seal.Hash(session, code)
	old, revision, err = l.tryLoad(ctx, session, hash)
	return code, hash, old, revision, err
}

// underWords finds what was sent under a key and has three words. It returns ErrNotFound with words that nobody has,
// ErrDeleted, ErrConflict when every attempt finds words of others, or journal.ErrAway.
func (l *ledger) underWords(ctx context.Context, session, key string) (p receipt.Words, old Row, revision int, err error) {
	form := l.seal.formHash(session, key)
	for attempt := range 16 {
		p, ok := l.seal.WordsOf(session, key, attempt)
		if !ok {
			continue
		}
		old, revision, err := l.tryLoad(ctx, session, l.seal.HashOf(session, p))
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
func (l *ledger) sent(ctx context.Context, session, key string) (receipt, hash string, row Row, revision int, err error) {
	receipt, hash, row, revision, err = l.underCode(ctx, session, key)
	if !errors.Is(err, ErrNotFound) {
		return receipt, hash, row, revision, err
	}
	p, row, revision, err := l.underWords(ctx, session, key)
	return l.seal.Say(p, row.Lang), l.seal.HashOf(session, p), row, revision, err
}

// add writes answers beside those that are there by now. What was said in the same wave before gives way; what a part of a
// submission says, of no wave, does not.
func (l *ledger) add(ctx context.Context, e entry) (outcome, error) {
	for range 16 {
		whole := e
		whole.Add = false
		old, revision, err := l.load(ctx, e.Session, e.ReceiptHash)
		switch {
		case err == nil:
			if sameKey(old.Joined[e.Wave], e.Row.Joined[e.Wave]) {
				return duplicate, nil
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
			return deleted, nil
		case !errors.Is(err, ErrNotFound):
			return "", err
		}
		did, err := l.apply(ctx, whole)
		if err != nil || did != superseded {
			return did, err
		}
	}
	return "", ErrConflict
}
