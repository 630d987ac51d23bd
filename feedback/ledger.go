package feedback

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/redis/go-redis/v9"

	"jauge/feedback/survey"
	"jauge/internal/journal"
)

// ledger holds the answers one by one.
//
// Every write is made in two steps, so that a journal can stand between them: an entry is prepared, and applied. An entry is
// self-contained, holds no receipt in clear, and can be applied again, later, and in any order.
type ledger struct {
	*base
	defined sync.Map // the keys of the definitions that the journal is known to have
}

// entry is one write. A journal keeps it as JSON.
type entry struct {
	Session     string   `json:"session"`
	ReceiptHash string   `json:"receipt_hash"`
	Revision    int      `json:"revision"`          // 1 at first; 0: unknown, the store being away: after whatever is there
	Row         *Row     `json:"row,omitempty"`     // nil: deletion
	Gone        string   `json:"gone,omitempty"`    // of a deletion: under which id the figures that show the answer are kept
	Promise     *Promise `json:"promise,omitempty"` // of a submission

	// The answers join those that are there, in the place of what was said in the same wave; Survey is what they answer.
	Add    bool           `json:"add,omitempty"`
	Wave   string         `json:"wave,omitempty"`
	Survey *survey.Survey `json:"survey,omitempty"`

	asked *survey.Survey // what Row answers; nil after a restart: the journal keeps it once, by its version
}

// outcome says what became of an entry.
type outcome string

// The outcomes of applying an entry.
const (
	recorded   outcome = "recorded"   // it changed what is known
	duplicate  outcome = "duplicate"  // it was known already
	superseded outcome = "superseded" // a revision as high or higher is there: an old entry again, or a change at the same moment
	deleted    outcome = "deleted"    // the answer was deleted, and nothing brings it back
	undefined  outcome = "undefined"  // nothing was written: the store does not have the definition of what is answered
)

//go:embed lua/apply.lua
var applySource string

var applyScript = redis.NewScript(applySource)

// apply writes an entry: the answer and every tally, in one script. The definition, which is much longer than an answer, is sent
// only where the store lacks it.
func (l *ledger) apply(ctx context.Context, e entry) (outcome, error) {
	if e.Add {
		return l.add(ctx, e)
	}
	row := ""
	if e.Row != nil {
		b, err := json.Marshal(e.Row)
		if err != nil {
			return "", fmt.Errorf("feedback: encode an answer: %w", err)
		}
		row = string(b)
	}
	definition, version := e.definition()
	level, k, minors := e.Promise.args()
	did := undefined
	for _, text := range [][]byte{nil, definition} {
		said, err := applyScript.Run(ctx, l.rdb, l.keys.answer(e.Session),
			e.ReceiptHash, e.Revision, row, e.Gone, level, k, minors, version, text).Text()
		if did = outcome(said); err != nil {
			return "", fmt.Errorf("feedback: apply: %w", err)
		}
		if did != undefined {
			break
		}
	}
	return did, nil
}

func (l *ledger) write(ctx context.Context, prepare func() (entry, error)) error {
	unlock := l.lockShared()
	defer unlock()
	return l.attempt(ctx, prepare)
}

// attempt prepares and applies until no other request has changed the same answer in between.
func (l *ledger) attempt(ctx context.Context, prepare func() (entry, error)) error {
	for range 16 {
		e, err := prepare()
		if err != nil {
			return err
		}
		marks, err := l.marks(ctx, e)
		if err != nil {
			return err
		}
		did := recorded // by the journal, when the store is away
		err = l.journal.Keep(ctx, marks, func(ctx context.Context) (err error) {
			did, err = l.apply(ctx, e)
			return err
		})
		if err == nil && e.asked != nil {
			l.defined.Store(e.Session+" "+e.Row.Version, true)
		}
		switch {
		case err != nil:
			return err
		case did == deleted:
			return ErrDeleted
		case did != superseded:
			return nil
		}
	}
	return ErrConflict
}

// marks is what the journal keeps of an entry.
func (l *ledger) marks(ctx context.Context, e entry) ([]journal.Mark, error) {
	marks := []journal.Mark{{Kind: entryAnswer, Key: e.Session + " " + e.ReceiptHash, Value: e, Rank: e.Revision}}
	if e.Add { // it takes no other's place
		marks[0].Key += " " + rand.Text()
	}
	if marks = append(marks, l.definitionMark(e)...); e.Row != nil || !l.journal.Ahead() {
		return marks, nil
	}
	row, err := l.rdb.HGet(ctx, l.keys.shown(e.Session), e.ReceiptHash).Result()
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

// tryLoad is load within the patience of a request.
func (l *ledger) tryLoad(ctx context.Context, session, hash string) (row Row, revision int, err error) {
	err = l.journal.Try(ctx, func(ctx context.Context) (err error) {
		row, revision, err = l.load(ctx, session, hash)
		return err
	})
	return row, revision, err
}

// load reads an answer and its revision; what is no receipt has an empty hash and no answer.
func (l *ledger) load(ctx context.Context, session, hash string) (Row, int, error) {
	field, err := l.rdb.HGet(ctx, l.keys.rows(session), hash).Result()
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
