package feedback

import (
	"cmp"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/internal/journal"
)

// Store keeps answers and tallies in Redis. It is safe for concurrent use, and several processes may work on the same Redis.
//
// Every write is made in two steps, so that a journal can stand between them: Prepare… builds an Entry, Apply writes it.
// An entry is self-contained, holds no receipt in clear, and can be applied again, later, and in any order.
type Store struct {
	rdb    redis.UniversalClient
	prefix string
	secret []byte
	now    func() time.Time

	journal *journal.Journal // nil: nothing is journaled

	// Where the journal is what survives a restart, it has to say of each answer whether it was shown: what is shown, or
	// taken from what is shown, is written while no answer is.
	writing sync.RWMutex

	// names says which words of a text are names, see UseNames; nil: none is known.
	names func(ctx context.Context, session string, words []string) (map[string]bool, error)
}

// New returns a store on rdb whose keys begin with prefix. The secret keys the hashes of receipt codes: at least 32 bytes,
// the same over restarts and replicas, or no receipt is found again.
func New(rdb redis.UniversalClient, prefix string, secret []byte, now func() time.Time) (*Store, error) {
	if len(secret) < 32 {
		return nil, errors.New("feedback: the secret key is shorter than 32 bytes")
	}
	return &Store{rdb: rdb, prefix: prefix, secret: secret, now: now}, nil
}

// The kinds of the package's journal entries. What is of one answer is a mark, under its receipt hash: in the order of the
// entries it would stand beside what its author did at that moment.
const (
	entryAnswer = "feedback.answer"
	entryAside  = "feedback.aside"
	entryShown  = "feedback.shown" // replayed after the answers: by the order of their names
	entryGone   = "feedback.shown.gone"
	entryInvite = "feedback.invite"
	entryUse    = "feedback.invite.used" // replayed after the invitations
)

// UseJournal lets every write go through a journal; call it before the first one.
func (s *Store) UseJournal(j *journal.Journal) {
	s.journal = j
	journal.Handle(j, entryAnswer, func(ctx context.Context, e Entry) error {
		_, err := s.Apply(ctx, e)
		return err
	})
	journal.Handle(j, entryDefinition, s.applyDefinition)
	journal.Handle(j, entryAside, s.applyAside)
	journal.Handle(j, entryShown, s.restoreShown)
	journal.Handle(j, entryGone, s.restoreGone)
	journal.Handle(j, entryModeration, s.applyModeration)
	journal.Handle(j, entryInvite, s.restoreInvite)
	journal.Handle(j, entryUse, s.restoreUse)
}

// shared lets answers be written, each beside others; alone waits for them and keeps new ones away. Both return how to end.
func (s *Store) shared() func() {
	if !s.journal.Ahead() {
		return func() {}
	}
	s.writing.RLock()
	return s.writing.RUnlock
}

func (s *Store) alone() func() {
	if !s.journal.Ahead() {
		return func() {}
	}
	s.writing.Lock()
	return s.writing.Unlock
}

func (s *Store) key(session, name string) string { return s.prefix + "{" + session + "}:fb:" + name }

// rowsKey is a hash of receipt hash → revision and row. It stays until retention removes it.
func (s *Store) rowsKey(session string) string { return s.key(session, "rows") }

// tallyKey is a hash of cell → count. Aggregates name nobody: it stays.
func (s *Store) tallyKey(session string) string { return s.key(session, "tally") }

// Submission is one person's answers to a session's survey.
type Submission struct {
	Session string
	Survey  *Survey // as For returned it
	Segment string  // the audience within the session; empty: none
	Lang    string
	Answers Answers   // as a parser returned them
	At      time.Time // zero: now; kept to the hour only

	// Key names this submission, so that a repetition is an edit and not a second answer; empty: none. It begins with its
	// origin ("form:", "typeform-main:"), and what follows is hard to guess, because it opens the answer.
	Key string

	Stay    string  // whether the person stayed to the end: see Row; empty: not known
	Promise Promise // what the person was told before the first question

	Invitation string // the token that the person was invited by; empty: none. It gives the segment
}

// Entry is one write. A journal keeps it as JSON.
type Entry struct {
	Session     string   `json:"session"`
	ReceiptHash string   `json:"receipt_hash"`
	Revision    int      `json:"revision"`          // 1 at first; 0: unknown, the store being away: after whatever is there
	Row         *Row     `json:"row,omitempty"`     // nil: deletion
	Gone        string   `json:"gone,omitempty"`    // of a deletion: under which id the figures that show the answer are kept
	Promise     *Promise `json:"promise,omitempty"` // of a submission
}

// Outcome says what became of an entry.
type Outcome string

// The outcomes of applying an entry.
const (
	Recorded   Outcome = "recorded"   // it changed what is known
	Duplicate  Outcome = "duplicate"  // it was known already
	Superseded Outcome = "superseded" // a revision as high or higher is there: an old entry again, or a change at the same moment
	Deleted    Outcome = "deleted"    // the answer was deleted, and nothing brings it back
)

// Prepare builds the entry of a submission, and the receipt code to show once. With a Key it looks up what is there; should
// the store be away, it succeeds all the same. It returns ErrEmpty, ErrSegment, or ErrDeleted when the answer of that Key
// was deleted.
func (s *Store) Prepare(ctx context.Context, sub Submission) (receipt string, e Entry, err error) {
	if len(sub.Answers) == 0 {
		return "", Entry{}, ErrEmpty
	}
	if sub.Segment != "" && !ids.MatchString(sub.Segment) {
		return "", Entry{}, ErrSegment
	}
	at := sub.At
	if at.IsZero() {
		at = s.now()
	}
	sub.Answers = s.redact(ctx, sub.Session, sub.Survey, sub.Answers)
	row := sub.row(sub.Stay, at)
	if sub.Key == "" {
		receipt = newReceipt()
		hash, _ := s.receiptHash(sub.Session, receipt)
		return receipt, Entry{Session: sub.Session, ReceiptHash: hash, Revision: 1, Row: row, Promise: &sub.Promise}, nil
	}
	receipt = s.receiptOf(sub.Session, sub.Key)
	hash, _ := s.receiptHash(sub.Session, receipt)
	e = Entry{Session: sub.Session, ReceiptHash: hash, Row: row, Promise: &sub.Promise}
	err = s.journal.Try(ctx, func(ctx context.Context) error {
		old, revision, err := s.load(ctx, sub.Session, hash)
		if err == nil {
			e.Revision, e.Row = revision+1, sub.row(cmp.Or(old.Stay, sub.Stay), old.At) // the first time and stay remain
		}
		return err
	})
	switch {
	case errors.Is(err, ErrDeleted):
		return "", Entry{}, err
	case errors.Is(err, ErrNotFound):
		e.Revision = 1
	}
	return receipt, e, nil
}

// PrepareChange builds the entry that replaces the answers under a receipt, those of the waves that are answered now;
// segment, stay and time remain. It returns ErrNotFound, ErrDeleted, ErrEmpty, or the store's error.
func (s *Store) PrepareChange(ctx context.Context, session, receipt string, survey *Survey, answers Answers, lang string) (Entry, error) {
	if len(answers) == 0 {
		return Entry{}, ErrEmpty
	}
	hash, _ := s.receiptHash(session, receipt)
	old, revision, err := s.load(ctx, session, hash)
	if err != nil {
		return Entry{}, err
	}
	row := newRow(survey, s.redact(ctx, session, survey, survey.merge(old.Answers, answers)), old.Segment, old.Stay, lang, old.At)
	return Entry{Session: session, ReceiptHash: hash, Revision: revision + 1, Row: row}, nil
}

// PrepareDelete builds the entry that deletes the answer under a receipt. It returns ErrNotFound, ErrDeleted, or the
// store's error.
func (s *Store) PrepareDelete(ctx context.Context, session, receipt string) (Entry, error) {
	hash, _ := s.receiptHash(session, receipt)
	_, revision, err := s.load(ctx, session, hash)
	if err != nil {
		return Entry{}, err
	}
	return Entry{Session: session, ReceiptHash: hash, Revision: revision + 1, Gone: rand.Text()}, nil
}

//go:embed lua/apply.lua
var applySource string

var applyScript = redis.NewScript(applySource)

// Apply writes an entry: the answer and every tally, in one script.
func (s *Store) Apply(ctx context.Context, e Entry) (Outcome, error) {
	row := ""
	if e.Row != nil {
		b, err := json.Marshal(e.Row)
		if err != nil {
			return "", fmt.Errorf("feedback: encode an answer: %w", err)
		}
		row = string(b)
	}
	level, k, minors := e.Promise.args()
	outcome, err := applyScript.Run(ctx, s.rdb, s.applyKeys(e.Session), e.ReceiptHash, e.Revision, row, e.Gone, level, k, minors).Text()
	if err != nil {
		return "", fmt.Errorf("feedback: apply: %w", err)
	}
	return Outcome(outcome), nil
}

func (s *Store) applyKeys(session string) []string {
	return []string{
		s.rowsKey(session), s.tallyKey(session), s.pendingKey(session), s.shownKey(session), s.goneKey(session), s.promiseKey(session),
	}
}

// Submit is Prepare and Apply, through the journal. It also returns ErrConflict and, with an invitation, which it uses
// first and gives back when it fails, ErrUninvited and ErrUsed.
func (s *Store) Submit(ctx context.Context, sub Submission) (receipt string, err error) {
	if err := s.define(ctx, sub.Session, sub.Survey); err != nil {
		return "", err
	}
	if sub.Invitation != "" {
		release, err := s.claim(ctx, &sub)
		if err != nil {
			return "", err
		}
		defer func() {
			if receipt == "" {
				release()
			}
		}()
	}
	err = s.write(ctx, func() (e Entry, err error) {
		receipt, e, err = s.Prepare(ctx, sub)
		return e, err
	})
	if err != nil {
		return "", err
	}
	return receipt, nil
}

// Change is PrepareChange and Apply, through the journal. It also returns ErrConflict.
func (s *Store) Change(ctx context.Context, session, receipt string, survey *Survey, answers Answers, lang string) error {
	if err := s.define(ctx, session, survey); err != nil {
		return err
	}
	return s.write(ctx, func() (Entry, error) { return s.PrepareChange(ctx, session, receipt, survey, answers, lang) })
}

// Delete is PrepareDelete and Apply, through the journal, which keeps nothing of what was said: only, until enough other
// answers of the same group have changed, what the figures that show it count.
func (s *Store) Delete(ctx context.Context, session, receipt string) error {
	defer s.alone()()
	return s.attempt(ctx, func() (Entry, error) { return s.PrepareDelete(ctx, session, receipt) })
}

func (s *Store) write(ctx context.Context, prepare func() (Entry, error)) error {
	defer s.shared()()
	return s.attempt(ctx, prepare)
}

// attempt prepares and applies until no other request has changed the same answer in between.
func (s *Store) attempt(ctx context.Context, prepare func() (Entry, error)) error {
	for range 16 {
		e, err := prepare()
		if err != nil {
			return err
		}
		marks, err := s.marks(ctx, e)
		if err != nil {
			return err
		}
		outcome := Recorded // by the journal, when the store is away
		err = s.journal.Keep(ctx, marks, func(ctx context.Context) (err error) {
			outcome, err = s.Apply(ctx, e)
			return err
		})
		switch {
		case err != nil:
			return err
		case outcome == Deleted:
			return ErrDeleted
		case outcome != Superseded:
			return nil
		}
	}
	return ErrConflict
}

// marks is what the journal keeps of an entry.
func (s *Store) marks(ctx context.Context, e Entry) ([]journal.Mark, error) {
	marks := []journal.Mark{{Kind: entryAnswer, Key: e.Session + " " + e.ReceiptHash, Value: e, Rank: e.Revision}}
	if e.Row != nil || !s.journal.Ahead() {
		return marks, nil
	}
	row, err := s.rdb.HGet(ctx, s.shownKey(e.Session), e.ReceiptHash).Result()
	if errors.Is(err, redis.Nil) {
		return marks, nil
	}
	var shown gone
	if err == nil {
		err = json.Unmarshal([]byte(row), &shown)
	}
	if err != nil {
		return nil, fmt.Errorf("feedback: read what is shown: %w", err)
	}
	return append(marks,
		shownEntry{Session: e.Session, ReceiptHash: e.ReceiptHash}.mark(),
		goneEntry{Session: e.Session, ID: e.Gone, Gone: &shown}.mark()), nil
}

// Get returns the answer under a receipt code, typed with or without dashes, in either case. It returns ErrNotFound,
// ErrDeleted, or the store's error.
func (s *Store) Get(ctx context.Context, session, receipt string) (Row, error) {
	hash, _ := s.receiptHash(session, receipt)
	row, _, err := s.load(ctx, session, hash)
	return row, err
}

// load reads an answer and its revision; what is no receipt has an empty hash and no answer.
func (s *Store) load(ctx context.Context, session, hash string) (Row, int, error) {
	field, err := s.rdb.HGet(ctx, s.rowsKey(session), hash).Result()
	if errors.Is(err, redis.Nil) {
		return Row{}, 0, ErrNotFound
	}
	if err != nil {
		return Row{}, 0, fmt.Errorf("feedback: read an answer: %w", err)
	}
	found := parseStored(field)
	if found.row == "" {
		return Row{}, 0, ErrDeleted
	}
	var row Row
	if err := json.Unmarshal([]byte(found.row), &row); err != nil {
		return Row{}, 0, fmt.Errorf("feedback: decode an answer: %w", err)
	}
	return row, found.revision, nil
}

func (sub Submission) row(stay string, at time.Time) *Row {
	return newRow(sub.Survey, sub.Answers, sub.Segment, stay, sub.Lang, at)
}

// newRow is an answer as it is kept. What the survey asks of the stay comes before what is known of it otherwise.
func newRow(survey *Survey, answers Answers, segment, stay, lang string, at time.Time) *Row {
	stay = cmp.Or(survey.stay(answers), stay)
	return &Row{
		Survey: survey.ID, Version: survey.Version(), Segment: segment, Stay: stay, Lang: lang,
		At: at.UTC().Truncate(time.Hour), Answers: answers, Cells: cells(survey, segment, stay, answers),
	}
}
