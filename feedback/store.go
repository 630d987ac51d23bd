package feedback

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/feedback/receipt"
	"jauge/feedback/survey"
	"jauge/internal/journal"
)

// Options are what a Store is built with.
type Options struct {
	Prefix  string           // of every key, "jauge:" by default
	Secret  []byte           // ≥ 32 bytes; keys the hashes of receipts: the same over restarts and replicas, or no receipt is found again
	Now     func() time.Time // time.Now by default
	Journal *journal.Journal // nil: nothing is journaled

	Surveys      map[string]*survey.Survey // by id: what sessions ask
	MinimumGroup int                       // no figure about fewer people than this

	// Names finds the names in a text: given words of it (folded, letters only, at most a thousand), it returns those that are
	// part of the name of somebody seen in the session. Nil: none is known.
	Names func(ctx context.Context, session string, words []string) (map[string]bool, error)
}

// Store keeps answers and tallies in Redis. It is safe for concurrent use, and several processes may work on the same Redis.
// What one session asks is opened with Open.
type Store struct {
	*base
	*ledger
	*publication
	*moderation
	*drafts
	*invitations
	*asides

	surveys      map[string]*survey.Survey
	minimumGroup int
}

// base is what all parts of a store work with.
type base struct {
	rdb     redis.UniversalClient
	keys    keys
	seal    sealer
	now     func() time.Time
	journal *journal.Journal // nil: nothing is journaled
	names   redactor

	layouts sync.Map // of surveys: layoutOf → *survey.Survey

	// Where the journal is what survives a restart, it has to say of each answer whether it was shown: what is shown, or
	// taken from what is shown, is written while no answer is.
	writing sync.RWMutex
}

// sealer makes the receipts and the hashes of a store.
type sealer struct{ receipt.Sealer }

// New returns the Store on rdb, which the caller closes after the last call. It fails when the secret is too short.
func New(rdb redis.UniversalClient, o Options) (*Store, error) {
	if len(o.Secret) < 32 {
		return nil, errors.New("feedback: the secret key is shorter than 32 bytes")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	b := &base{
		rdb: rdb, keys: keys{cmp.Or(o.Prefix, "jauge:")}, seal: sealer{receipt.New(o.Secret)}, now: o.Now, journal: o.Journal,
		names: redactor{o.Journal, o.Names},
	}
	s := &Store{
		base: b, ledger: &ledger{base: b}, publication: &publication{b}, moderation: &moderation{b}, drafts: &drafts{b},
		invitations: &invitations{b}, asides: newAsides(b, o.Surveys), surveys: o.Surveys, minimumGroup: o.MinimumGroup,
	}
	s.handle(o.Journal)
	return s, nil
}

// The kinds of the package's journal entries. What is of one answer is a mark, under its receipt hash: in the order of the
// entries it would stand beside what its author did at that moment.
const (
	entryAnswer     = "feedback.answer"
	entryAside      = "feedback.aside"
	entryShown      = "feedback.shown" // replayed after the answers: by the order of their names
	entryGone       = "feedback.shown.gone"
	entryModeration = "feedback.moderation"
	entryVersion    = "feedback.version"
	entryInvite     = "feedback.invite"
	entryUse        = "feedback.invite.used" // replayed after the invitations
	entryDraft      = "feedback.draft"
	entryProgress   = "feedback.progress" // replayed after the drafts: it says what they may show
)

// handle applies what a journal kept.
func (s *Store) handle(j *journal.Journal) {
	journal.Handle(j, entryAnswer, func(ctx context.Context, e entry) error {
		_, err := s.apply(ctx, e)
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

// lockShared lets answers be written, each beside others; lockAlone waits for them and keeps new ones away. Both return what unlocks.
func (b *base) lockShared() (unlock func()) {
	if !b.journal.Ahead() {
		return func() {}
	}
	b.writing.RLock()
	return b.writing.RUnlock
}

func (b *base) lockAlone() (unlock func()) {
	if !b.journal.Ahead() {
		return func() {}
	}
	b.writing.Lock()
	return b.writing.Unlock
}

// Receipt writes a receipt as it was shown, whatever was typed: three words in their language, without accents, or a code in
// its groups; words says which. It is empty for what is neither; whether there is such an answer is not looked up.
func (s *Store) Receipt(typed string) (receipt string, words bool) { return s.seal.AsShown(typed) }
