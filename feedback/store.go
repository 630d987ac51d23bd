package feedback

import (
	"cmp"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/feedback/figures"
	"jauge/feedback/survey"
	"jauge/internal/journal"
)

// Store keeps answers and tallies in Redis. It is safe for concurrent use, and several processes may work on the same Redis.
//
// Every write is made in two steps, so that a journal can stand between them: Prepare… builds an Entry, Apply writes it.
// An entry is self-contained, holds no receipt in clear, and can be applied again, later, and in any order.
type Store struct {
	rdb    redis.UniversalClient
	keys   keys
	secret []byte
	now    func() time.Time

	lexicon lexicon

	journal *journal.Journal // nil: nothing is journaled

	asideBounds    asideBounds
	observeDropped func(source string, n int)

	// Where the journal is what survives a restart, it has to say of each answer whether it was shown: what is shown, or
	// taken from what is shown, is written while no answer is.
	writing sync.RWMutex
	defined sync.Map // the keys of the definitions that the journal is known to have

	names func(ctx context.Context, session string, words []string) (map[string]bool, error) // nil: none is known
}

// Options are what a Store is built with.
type Options struct {
	Prefix  string           // of every key, "jauge:" by default
	Secret  []byte           // ≥ 32 bytes; keys the hashes of receipts: the same over restarts and replicas, or no receipt is found again
	Now     func() time.Time // time.Now by default
	Journal *journal.Journal // nil: nothing is journaled

	// Names finds the names in a text: given words of it (folded, letters only, at most a thousand), it returns those that are
	// part of the name of somebody seen in the session. Nil: none is known.
	Names func(ctx context.Context, session string, words []string) (map[string]bool, error)
}

// New returns the Store on rdb, which the caller closes after the last call. It fails when the secret is too short.
func New(rdb redis.UniversalClient, o Options) (*Store, error) {
	if len(o.Secret) < 32 {
		return nil, errors.New("feedback: the secret key is shorter than 32 bytes")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Store{
		rdb: rdb, keys: keys{cmp.Or(o.Prefix, "jauge:")}, secret: o.Secret, now: o.Now, lexicon: newLexicon(), journal: o.Journal, names: o.Names,
		asideBounds: asideBounds{asidePerSource, asidePerRoom, asideRooms}, observeDropped: func(string, int) {},
	}
	s.handle(o.Journal)
	return s, nil
}

// ObserveDropped names who is told of deliveries that were not even kept aside, because their source has too much there; call
// it before they can be.
func (s *Store) ObserveDropped(f func(source string, n int)) { s.observeDropped = f }

// The kinds of the package's journal entries. What is of one answer is a mark, under its receipt hash: in the order of the
// entries it would stand beside what its author did at that moment.
const (
	entryAnswer  = "feedback.answer"
	entryAside   = "feedback.aside"
	entryShown   = "feedback.shown" // replayed after the answers: by the order of their names
	entryGone    = "feedback.shown.gone"
	entryVersion = "feedback.version"
	entryInvite  = "feedback.invite"
	entryUse     = "feedback.invite.used" // replayed after the invitations
)

// handle applies what a journal kept.
func (s *Store) handle(j *journal.Journal) {
	journal.Handle(j, entryAnswer, func(ctx context.Context, e Entry) error {
		_, err := s.Apply(ctx, e)
		return err
	})
	journal.Handle(j, entryAside, s.restoreAside)
	journal.Handle(j, entryShown, s.restoreShown)
	journal.Handle(j, entryGone, s.restoreGone)
	journal.Handle(j, entryModeration, s.applyModeration)
	journal.Handle(j, entryVersion, s.define)
	journal.Handle(j, entryInvite, s.restoreInvite)
	journal.Handle(j, entryUse, s.restoreUse)
	journal.Handle(j, entryDraft, s.applyDraft)
	journal.Handle(j, entryProgress, s.applyProgress)
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

// Submission is one person's answers to a session's survey.
type Submission struct {
	Session string
	Survey  *survey.Survey // as For returned it
	Segment string         // the audience within the session; empty: none
	Lang    string
	Answers survey.Answers // as a parser returned them
	At      time.Time      // zero: now; kept to the hour only

	// Key names this submission, so that a repetition is an edit and not a second answer; empty: none. It begins with its
	// origin ("form:", "typeform-main:"), and what follows is hard to guess, because it opens the answer.
	Key string
	// Once makes a repetition under the Key change nothing: the same answers again are the same answer, others ErrReused.
	Once bool
	sent string // with Once: the answers' fingerprint, see Row.Sent

	Stay    string  // whether the person stayed to the end: see Row; empty: not known
	Promise Promise // what the person was told before the first question

	Invitation string // the token that the person was invited by; empty: none. It gives the segment

	// Of a survey whose waves are linked: the wave that the answers are of, whose name is at the end of their questions' ids,
	// and the receipt that the person brings from an earlier one. The answers join those under it.
	Wave  string
	Token string

	// Unlinked keeps the answers by themselves whatever was promised, under a code: nobody sees a receipt to bring along, as
	// on a shared device, or in a form tool.
	Unlinked bool
}

// Entry is one write. A journal keeps it as JSON.
type Entry struct {
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

// Outcome says what became of an entry.
type Outcome string

// The outcomes of applying an entry.
const (
	Recorded   Outcome = "recorded"   // it changed what is known
	Duplicate  Outcome = "duplicate"  // it was known already
	Superseded Outcome = "superseded" // a revision as high or higher is there: an old entry again, or a change at the same moment
	Deleted    Outcome = "deleted"    // the answer was deleted, and nothing brings it back
)

// Prepare builds the entry of a submission, and the receipt to show once. With a Key or a Token it looks up what is there;
// should the store be away, it succeeds all the same. It returns ErrEmpty, ErrSegment, ErrDeleted when the answer of that Key
// or Token was deleted, ErrNotFound when there never was one of that Token, or ErrReused; for a repetition of a Submission
// that is Once there is nothing to write, and Submit says so.
func (s *Store) Prepare(ctx context.Context, sub Submission) (receipt string, e Entry, err error) {
	if len(sub.Answers) == 0 {
		return "", Entry{}, ErrEmpty
	}
	if sub.Segment != "" && !survey.Ids.MatchString(sub.Segment) {
		return "", Entry{}, ErrSegment
	}
	if sub.At.IsZero() {
		sub.At = s.now()
	}
	if sub.Once {
		if sub.sent, err = s.fingerprint(sub); err != nil {
			return "", Entry{}, err
		}
	}
	sub.Answers = s.redact(ctx, sub.Session, sub.Survey, sub.Answers)
	switch linked := s.links(ctx, sub); {
	case linked && sub.Token != "":
		return s.prepareWave(ctx, sub)
	case linked:
		receipt, e, err = s.prepareLinked(ctx, sub)
		if !errors.Is(err, journal.ErrAway) {
			return receipt, e, err
		}
	}
	if sub.Key == "" {
		receipt = newReceipt()
		hash, _ := s.receiptHash(sub.Session, receipt)
		return receipt, sub.entry(hash, 1), nil
	}
	receipt = s.receiptOf(sub.Session, sub.Key)
	hash, _ := s.receiptHash(sub.Session, receipt)
	e, err = s.prepareUnder(ctx, sub, hash)
	return receipt, e, err
}

// prepareUnder builds the entry of a submission under a receipt's hash, whatever is there.
func (s *Store) prepareUnder(ctx context.Context, sub Submission, hash string) (Entry, error) {
	old, revision, err := s.tryLoad(ctx, sub.Session, hash)
	switch {
	case err == nil:
		return sub.again(hash, old, revision)
	case errors.Is(err, ErrDeleted):
		return Entry{}, err
	case errors.Is(err, ErrNotFound), sub.Once: // with Once, also while the store is away: whatever was there first stays
		return sub.entry(hash, 1), nil
	}
	return sub.entry(hash, 0), nil
}

// fingerprint tells whether a program sends the same answers again, whatever became of them since.
func (s *Store) fingerprint(sub Submission) (string, error) {
	text, err := json.Marshal([]any{sub.Answers, sub.Segment, sub.Lang})
	if err != nil {
		return "", fmt.Errorf("feedback: encode answers: %w", err)
	}
	return hex.EncodeToString(s.mac("once", sub.Session, string(text))[:16]), nil
}

// again is the entry of a submission whose Key was used before: an edit, or nothing at all.
func (sub Submission) again(hash string, old Row, revision int) (Entry, error) {
	switch {
	case sub.Once && old.Sent != sub.sent:
		return Entry{}, ErrReused
	case sub.Once:
		return Entry{}, errRepeated
	}
	return sub.after(hash, old, revision), nil
}

func (sub Submission) entry(hash string, revision int) Entry {
	row := newRow(sub.Survey, sub.Answers, sub.Segment, sub.Stay, sub.Lang, sub.At)
	row.Sent = sub.sent
	return Entry{Session: sub.Session, ReceiptHash: hash, Revision: revision, Promise: &sub.Promise, Row: row, asked: sub.Survey}
}

// after is the entry of what replaces an answer: the first time, and what was known of the stay then, remain.
func (sub Submission) after(hash string, old Row, revision int) Entry {
	sub.At, sub.Stay = old.At, cmp.Or(old.Stay, sub.Stay)
	e := sub.entry(hash, revision+1)
	e.Row.inherit(old)
	return e
}

// PrepareChange builds the entry that replaces the answers under a receipt, those of the waves that are answered now;
// segment, stay and time remain. It returns ErrNotFound, ErrDeleted, ErrEmpty, ErrUnlinked, or the store's error.
func (s *Store) PrepareChange(ctx context.Context, session, receipt string, survey *survey.Survey, answers survey.Answers, lang string) (Entry, error) {
	if len(answers) == 0 {
		return Entry{}, ErrEmpty
	}
	hash, _ := s.receiptHash(session, receipt)
	old, revision, err := s.load(ctx, session, hash)
	if err != nil {
		return Entry{}, err
	}
	promise, given, err := s.Promise(ctx, session)
	if err != nil {
		return Entry{}, err
	}
	if given && !promise.Linked && slices.ContainsFunc(survey.Answered(answers), func(wave string) bool { return !slices.Contains(survey.Answered(old.Answers), wave) }) {
		return Entry{}, ErrUnlinked
	}
	row := newRow(survey, s.redact(ctx, session, survey, survey.Merge(old.Answers, answers)), old.Segment, old.Stay, lang, old.At)
	row.inherit(old)
	return Entry{Session: session, ReceiptHash: hash, Revision: revision + 1, Row: row, asked: survey}, nil
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
	if e.Add {
		return s.add(ctx, e)
	}
	row := ""
	if e.Row != nil {
		b, err := json.Marshal(e.Row)
		if err != nil {
			return "", fmt.Errorf("feedback: encode an answer: %w", err)
		}
		row = string(b)
	}
	definition, version, err := e.definition()
	if err != nil {
		return "", err
	}
	level, k, minors := e.Promise.args()
	outcome, err := applyScript.Run(ctx, s.rdb, s.keys.answer(e.Session),
		e.ReceiptHash, e.Revision, row, e.Gone, level, k, minors, version, definition).Text()
	if err != nil {
		return "", fmt.Errorf("feedback: apply: %w", err)
	}
	return Outcome(outcome), nil
}

// Submit is Prepare and Apply, through the journal. It also returns ErrConflict and, with an invitation, which it uses
// first and gives back when it fails, ErrUninvited and ErrUsed.
func (s *Store) Submit(ctx context.Context, sub Submission) (receipt string, err error) {
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
	if err != nil && !errors.Is(err, errRepeated) {
		return "", err
	}
	return receipt, nil
}

// Change is PrepareChange and Apply, through the journal. It also returns ErrConflict.
func (s *Store) Change(ctx context.Context, session, receipt string, survey *survey.Survey, answers survey.Answers, lang string) error {
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
		if err == nil && e.asked != nil {
			s.defined.Store(e.Session+" "+e.Row.Version, true)
		}
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
	if e.Add { // it takes no other's place
		marks[0].Key += " " + rand.Text()
	}
	definition, err := s.definitionMark(e)
	if marks = append(marks, definition...); err != nil || e.Row != nil || !s.journal.Ahead() {
		return marks, err
	}
	row, err := s.rdb.HGet(ctx, s.keys.shown(e.Session), e.ReceiptHash).Result()
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

// tryLoad is load within the patience of a request.
func (s *Store) tryLoad(ctx context.Context, session, hash string) (row Row, revision int, err error) {
	err = s.journal.Try(ctx, func(ctx context.Context) (err error) {
		row, revision, err = s.load(ctx, session, hash)
		return err
	})
	return row, revision, err
}

// load reads an answer and its revision; what is no receipt has an empty hash and no answer.
func (s *Store) load(ctx context.Context, session, hash string) (Row, int, error) {
	field, err := s.rdb.HGet(ctx, s.keys.rows(session), hash).Result()
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

// newRow is an answer as it is kept. What the survey asks of the stay comes before what is known of it otherwise.
func newRow(survey *survey.Survey, answers survey.Answers, segment, stay, lang string, at time.Time) *Row {
	stay = cmp.Or(survey.Stay(answers), stay)
	return &Row{
		Survey: survey.ID, Version: survey.Version(), Segment: segment, Stay: stay, Lang: lang,
		At: at.UTC().Truncate(time.Hour), Answers: answers, Cells: figures.Cells(survey, segment, stay, answers),
	}
}
