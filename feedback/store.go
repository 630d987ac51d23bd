package feedback

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/internal/journal"
)

// Store keeps answers and tallies in Redis. It is safe for concurrent use and holds no state of its own.
//
// Every write is made in two steps, so that a journal can stand between them: Prepare… builds an Entry, Apply writes it.
// An entry is self-contained, holds no receipt in clear, and can be applied again, later, and in any order.
type Store struct {
	rdb    redis.UniversalClient
	prefix string
	secret []byte
	now    func() time.Time

	journal *journal.Journal // nil: nothing is journaled
}

// New returns a store on rdb whose keys begin with prefix. The secret keys the hashes of receipt codes: at least 32 bytes,
// the same over restarts and replicas, or no receipt is found again.
func New(rdb redis.UniversalClient, prefix string, secret []byte, now func() time.Time) (*Store, error) {
	if len(secret) < 32 {
		return nil, errors.New("feedback: the secret key is shorter than 32 bytes")
	}
	return &Store{rdb: rdb, prefix: prefix, secret: secret, now: now}, nil
}

// entryAnswer is the kind of the package's journal entries.
const entryAnswer = "feedback.answer"

// UseJournal lets every write go through a journal; call it before the first one.
func (s *Store) UseJournal(j *journal.Journal) {
	s.journal = j
	journal.Handle(j, entryAnswer, func(ctx context.Context, e Entry) error {
		_, err := s.Apply(ctx, e)
		return err
	})
	journal.Handle(j, entryDefinition, s.applyDefinition)
	journal.Handle(j, entryAside, s.applyAside)
}

// rowsKey is a hash of receipt hash → revision and row. It stays until retention removes it.
func (s *Store) rowsKey(session string) string { return s.prefix + "{" + session + "}:fb:rows" }

// tallyKey is a hash of cell → count. Aggregates name nobody: it stays.
func (s *Store) tallyKey(session string) string { return s.prefix + "{" + session + "}:fb:tally" }

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
}

// Entry is one write. A journal keeps it as JSON.
type Entry struct {
	Session     string `json:"session"`
	ReceiptHash string `json:"receipt_hash"`
	Revision    int    `json:"revision"`      // 1 at first; 0: unknown, the store being away: after whatever is there
	Row         *Row   `json:"row,omitempty"` // nil: deletion
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
	row := newRow(sub.Survey, sub.Answers, sub.Segment, sub.Lang, at)
	if sub.Key == "" {
		receipt = newReceipt()
		hash, _ := s.receiptHash(sub.Session, receipt)
		return receipt, Entry{Session: sub.Session, ReceiptHash: hash, Revision: 1, Row: row}, nil
	}
	receipt = s.receiptOf(sub.Session, sub.Key)
	hash, _ := s.receiptHash(sub.Session, receipt)
	e = Entry{Session: sub.Session, ReceiptHash: hash, Row: row}
	err = s.journal.Try(ctx, func(ctx context.Context) error {
		old, revision, err := s.load(ctx, sub.Session, hash)
		if err == nil {
			e.Revision, row.At = revision+1, old.At
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

// PrepareChange builds the entry that replaces the answers under a receipt; segment and time stay. It returns
// ErrNotFound, ErrDeleted, ErrEmpty, or the store's error.
func (s *Store) PrepareChange(ctx context.Context, session, receipt string, survey *Survey, answers Answers, lang string) (Entry, error) {
	if len(answers) == 0 {
		return Entry{}, ErrEmpty
	}
	hash, _ := s.receiptHash(session, receipt)
	old, revision, err := s.load(ctx, session, hash)
	if err != nil {
		return Entry{}, err
	}
	row := newRow(survey, answers, old.Segment, lang, old.At)
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
	return Entry{Session: session, ReceiptHash: hash, Revision: revision + 1}, nil
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
	keys := []string{s.rowsKey(e.Session), s.tallyKey(e.Session)}
	outcome, err := applyScript.Run(ctx, s.rdb, keys, e.ReceiptHash, e.Revision, row).Text()
	if err != nil {
		return "", fmt.Errorf("feedback: apply: %w", err)
	}
	return Outcome(outcome), nil
}

// Submit is Prepare and Apply, through the journal. It also returns ErrConflict.
func (s *Store) Submit(ctx context.Context, sub Submission) (receipt string, err error) {
	if err := s.define(ctx, sub.Session, sub.Survey); err != nil {
		return "", err
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

// Delete is PrepareDelete and Apply, through the journal, from which it takes what was said before.
func (s *Store) Delete(ctx context.Context, session, receipt string) error {
	if err := s.write(ctx, func() (Entry, error) { return s.PrepareDelete(ctx, session, receipt) }); err != nil {
		return err
	}
	hash, _ := s.receiptHash(session, receipt)
	return s.journal.Remove(func(kind string, data json.RawMessage) bool {
		var e Entry
		return kind == entryAnswer && json.Unmarshal(data, &e) == nil && e.Session == session && e.ReceiptHash == hash && e.Row != nil
	})
}

// write prepares and applies until no other request has changed the same answer in between.
func (s *Store) write(ctx context.Context, prepare func() (Entry, error)) error {
	for range 16 {
		e, err := prepare()
		if err != nil {
			return err
		}
		outcome := Recorded // by the journal, when the store is away
		err = s.journal.Do(ctx, entryAnswer, e, func(ctx context.Context) (err error) {
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

func newRow(survey *Survey, answers Answers, segment, lang string, at time.Time) *Row {
	stay := survey.stay(answers)
	return &Row{
		Survey: survey.ID, Version: survey.Version(), Segment: segment, Stay: stay, Lang: lang,
		At: at.UTC().Truncate(time.Hour), Answers: answers, Cells: cells(survey, segment, stay, answers),
	}
}
