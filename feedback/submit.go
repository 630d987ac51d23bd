package feedback

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"jauge/feedback/figures"
	"jauge/feedback/survey"
	"jauge/internal/journal"
)

// Submission is one person's answers to what a session asks.
type Submission struct {
	Segment string // the audience within the session; empty: none
	Lang    string
	Answers survey.Answers // as a parser returned them
	At      time.Time      // zero: now; kept to the hour only

	// Key names this submission, so that a repetition is an edit and not a second answer; empty: none. It begins with its
	// origin ("form:", "typeform-main:"), and what follows is hard to guess, because it opens the answer.
	Key string
	// Once makes a repetition under the Key change nothing: the same answers again are the same answer, others ErrReused.
	Once bool
	sent string // with Once: the answers' fingerprint, see Row.Sent

	Stay string // whether the person stayed to the end: see Row; empty: not known

	Invitation string // the token that the person was invited by; empty: none. It gives the segment

	// Of a survey whose waves are linked: the wave that the answers are of, whose name is at the end of their questions' ids,
	// and the receipt that the person brings from an earlier one. The answers join those under it.
	Wave  string
	Token string

	// Unlinked keeps the answers by themselves whatever was promised, under a code: nobody sees a receipt to bring along, as
	// on a shared device, or in a form tool.
	Unlinked bool
}

// Submit keeps a person's answers, through the journal, and returns the receipt to show once. With a Key or a Token it looks
// up what is there; should the store be away, it succeeds all the same. It returns ErrEmpty, ErrSegment, ErrConflict, ErrDeleted
// when the answer of that Key or Token was deleted, ErrNotFound when there never was one of that Token, ErrReused and, with an
// invitation, which it uses first and gives back when it fails, ErrUninvited and ErrUsed.
func (a *Asked) Submit(ctx context.Context, sub Submission) (receipt string, err error) {
	if sub.Invitation != "" {
		release, err := a.store.claim(ctx, a.Session.ID, &sub)
		if err != nil {
			return "", err
		}
		defer func() {
			if receipt == "" {
				release()
			}
		}()
	}
	err = a.store.write(ctx, func() (e entry, err error) {
		receipt, e, err = a.prepare(ctx, sub)
		return e, err
	})
	if err != nil && !errors.Is(err, errRepeated) {
		return "", err
	}
	return receipt, nil
}

// Change replaces the answers under a receipt, those of the waves that are answered now, through the journal; segment, stay
// and time remain. It returns ErrNotFound, ErrDeleted, ErrEmpty, ErrUnlinked, ErrConflict, or the store's error.
func (a *Asked) Change(ctx context.Context, receipt string, answers survey.Answers, lang string) error {
	return a.store.write(ctx, func() (entry, error) { return a.prepareChange(ctx, receipt, answers, lang) })
}

// Delete deletes the answers under a receipt, through the journal, which keeps nothing of what was said: only, until enough
// other answers of the same group have changed, what the figures that show it count. It returns ErrNotFound, ErrDeleted,
// ErrConflict, or the store's error.
func (a *Asked) Delete(ctx context.Context, receipt string) error {
	unlock := a.store.lockAlone()
	defer unlock()
	return a.store.attempt(ctx, func() (entry, error) { return a.prepareDelete(ctx, receipt) })
}

// Get returns the answer under a receipt code, typed with or without dashes, in either case. It returns ErrNotFound,
// ErrDeleted, or the store's error.
func (a *Asked) Get(ctx context.Context, receipt string) (Row, error) {
	hash, _ := a.store.seal.Hash(a.Session.ID, receipt)
	row, _, err := a.store.load(ctx, a.Session.ID, hash)
	return row, err
}

// Sent returns the answer that was sent under a submission's key, and its receipt; not one that joined another's, which has
// the receipt that it was given. It returns ErrNotFound, ErrDeleted, or the store's error.
func (a *Asked) Sent(ctx context.Context, key string) (receipt string, row Row, err error) {
	receipt, _, row, _, err = a.store.sent(ctx, a.Session.ID, key)
	return receipt, row, err
}

// prepare builds the entry of a submission, and its receipt. For a repetition of a Submission that is Once there is nothing to
// write: errRepeated.
func (a *Asked) prepare(ctx context.Context, sub Submission) (receipt string, e entry, err error) {
	if len(sub.Answers) == 0 {
		return "", entry{}, ErrEmpty
	}
	if sub.Segment != "" && !survey.Ids.MatchString(sub.Segment) {
		return "", entry{}, ErrSegment
	}
	if sub.At.IsZero() {
		sub.At = a.store.now()
	}
	seal, session := a.store.seal, a.Session.ID
	if sub.Once {
		if sub.sent, err = seal.fingerprint(session, sub); err != nil {
			return "", entry{}, err
		}
	}
	sub.Answers = a.redacted(ctx, sub.Answers)
	switch linked := a.Promise.Linked && !sub.Unlinked; {
	case linked && sub.Token != "":
		return a.prepareWave(ctx, sub)
	case linked:
		receipt, e, err = a.prepareLinked(ctx, sub)
		if !errors.Is(err, journal.ErrAway) {
			return receipt, e, err
		}
	}
	if sub.Key == "" {
		receipt = seal.Code()
		hash, _ := seal.Hash(session, receipt)
		return receipt, a.newEntry(sub, hash, 1), nil
	}
	receipt = seal.CodeOf(session, sub.Key)
	hash, _ := seal.Hash(session, receipt)
	e, err = a.prepareUnder(ctx, sub, hash)
	return receipt, e, err
}

// prepareUnder builds the entry of a submission under a receipt's hash, whatever is there.
func (a *Asked) prepareUnder(ctx context.Context, sub Submission, hash string) (entry, error) {
	old, revision, err := a.store.tryLoad(ctx, a.Session.ID, hash)
	switch {
	case err == nil:
		return a.again(sub, hash, old, revision)
	case errors.Is(err, ErrDeleted):
		return entry{}, err
	case errors.Is(err, ErrNotFound), sub.Once: // with Once, also while the store is away: whatever was there first stays
		return a.newEntry(sub, hash, 1), nil
	}
	return a.newEntry(sub, hash, 0), nil
}

// fingerprint tells whether a program sends the same answers again, whatever became of them since.
func (s sealer) fingerprint(session string, sub Submission) (string, error) {
	text, err := json.Marshal([]any{sub.Answers, sub.Segment, sub.Lang})
	if err != nil {
		return "", fmt.Errorf("feedback: encode answers: %w", err)
	}
	return hex.EncodeToString(s.MAC("once", session, string(text))[:16]), nil
}

// again is the entry of a submission whose Key was used before: an edit, or nothing at all.
func (a *Asked) again(sub Submission, hash string, old Row, revision int) (entry, error) {
	switch {
	case sub.Once && old.Sent != sub.sent:
		return entry{}, ErrReused
	case sub.Once:
		return entry{}, errRepeated
	}
	return a.after(sub, hash, old, revision), nil
}

// newEntry is that of a submission under a receipt's hash.
func (a *Asked) newEntry(sub Submission, hash string, revision int) entry {
	row := newRow(a.Survey, sub.Answers, sub.Segment, sub.Stay, sub.Lang, sub.At)
	row.Sent = sub.sent
	return entry{Session: a.Session.ID, ReceiptHash: hash, Revision: revision, Promise: &a.Promise, Row: row, asked: a.Survey}
}

// after is the entry of what replaces an answer: the first time, and what was known of the stay then, remain.
func (a *Asked) after(sub Submission, hash string, old Row, revision int) entry {
	sub.At, sub.Stay = old.At, cmp.Or(old.Stay, sub.Stay)
	e := a.newEntry(sub, hash, revision+1)
	e.Row.inherit(old)
	return e
}

// prepareChange builds the entry of a change.
func (a *Asked) prepareChange(ctx context.Context, receipt string, answers survey.Answers, lang string) (entry, error) {
	if len(answers) == 0 {
		return entry{}, ErrEmpty
	}
	hash, _ := a.store.seal.Hash(a.Session.ID, receipt)
	old, revision, err := a.store.load(ctx, a.Session.ID, hash)
	if err != nil {
		return entry{}, err
	}
	known, err := a.known(ctx)
	if err != nil {
		return entry{}, err
	}
	if known.told != nil && !known.told.Linked && a.Survey.AddsWave(old.Answers, answers) {
		return entry{}, ErrUnlinked
	}
	row := newRow(a.Survey, a.redacted(ctx, a.Survey.Merge(old.Answers, answers)), old.Segment, old.Stay, lang, old.At)
	row.inherit(old)
	return entry{Session: a.Session.ID, ReceiptHash: hash, Revision: revision + 1, Row: row, asked: a.Survey}, nil
}

// prepareDelete builds the entry of a deletion.
func (a *Asked) prepareDelete(ctx context.Context, receipt string) (entry, error) {
	hash, _ := a.store.seal.Hash(a.Session.ID, receipt)
	_, revision, err := a.store.load(ctx, a.Session.ID, hash)
	if err != nil {
		return entry{}, err
	}
	return entry{Session: a.Session.ID, ReceiptHash: hash, Revision: revision + 1, Gone: rand.Text()}, nil
}

// newRow is an answer as it is kept. What the survey asks of the stay comes before what is known of it otherwise.
func newRow(survey *survey.Survey, answers survey.Answers, segment, stay, lang string, at time.Time) *Row {
	stay = cmp.Or(survey.Stay(answers), stay)
	return &Row{
		Survey: survey.ID, Version: survey.Version(), Segment: segment, Stay: stay, Lang: lang,
		At: at.UTC().Truncate(time.Hour), Answers: answers, Cells: figures.Cells(survey, segment, stay, answers),
	}
}
