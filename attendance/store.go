package attendance

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/internal/journal"
)

// Errors of the store. Anything else is the store's own trouble (Redis is away).
var (
	ErrNotFound = errors.New("no such session")
	ErrExists   = errors.New("a session with this id exists")
)

// Options are what a Store is built with.
type Options struct {
	Prefix       string                // of every key, "jauge:" by default
	Key          []byte                // ≥ 32 bytes; hashes every id
	Now          func() time.Time      // time.Now by default
	Capabilities map[string]Capability // by source; Live by default
	Journal      *journal.Journal      // nil: nothing is journaled
}

// Store keeps the marks and the counts of sessions in Redis. It is safe for concurrent use, and several processes may
// work on the same Redis.
type Store struct {
	rdb          redis.UniversalClient
	keys         keys
	seal         sealer
	now          func() time.Time
	capabilities map[string]Capability
	journal      *journal.Journal
	observe      func(source, kind, result string)

	reload    sync.Mutex // held while the catalogue is read anew
	catalogue atomic.Pointer[catalogue]
	statuses  statuses
}

// New returns a Store on rdb, which the caller closes after the last call.
func New(rdb redis.UniversalClient, o Options) *Store {
	if o.Prefix == "" {
		o.Prefix = "jauge:"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Store{
		rdb: rdb, keys: keys{o.Prefix}, seal: sealer{o.Key}, now: o.Now,
		capabilities: o.Capabilities, journal: o.Journal, observe: func(string, string, string) {}, statuses: statuses{bySession: map[string]keptStatus{}, turns: map[string]*sync.Mutex{}},
	}
	journal.Handle(o.Journal, entryEvents, func(ctx context.Context, batch []sealed) error {
		results, err := s.apply(ctx, batch)
		for i, r := range results {
			s.observe(batch[i].Source, string(batch[i].Kind), string(r))
		}
		return err
	})
	journal.Handle(o.Journal, entrySession, s.replayed)
	journal.Handle(o.Journal, entryHeads, s.declare)
	journal.Handle(o.Journal, entryEnd, s.end)
	journal.Handle(o.Journal, entryBeat, s.hear)
	return s
}

// The kinds of the package's journal entries.
const (
	entryEvents  = "attendance.events"
	entrySession = "attendance.session"
	entryHeads   = "attendance.heads"
	entryEnd     = "attendance.end"
	entryBeat    = "attendance.beat"
)

// Observe names who is told of events that the journal kept and that are recorded now; call it before they can be.
func (s *Store) Observe(f func(source, kind, result string)) { s.observe = f }

// Record adds what a source said to the set of marks; one result per event, in order, or none when Redis is away and the
// journal has them. It is idempotent. An event that cannot be used (see Reason) is kept aside, and the others count: a
// platform that sent it once more could not make it better.
func (s *Store) Record(ctx context.Context, source string, events []Event) ([]Result, error) {
	batch := make([]sealed, len(events))
	for i, e := range events {
		e.At = writable(e.At)
		batch[i] = s.seal.seal(source, e)
		if reason := s.unusable(e); reason != "" {
			batch[i].Reason, batch[i].Arrived, batch[i].Names = reason, s.now().UnixMilli(), nil
		}
	}
	if len(batch) == 0 {
		return nil, nil
	}
	var results []Result
	err := s.journal.Do(ctx, entryEvents, batch, func(ctx context.Context) (err error) {
		results, err = s.apply(ctx, batch)
		return err
	})
	return results, err
}

// apply finds the sessions of sealed events and records them; what no session claims, or cannot be used, is put aside.
func (s *Store) apply(ctx context.Context, batch []sealed) ([]Result, error) {
	results := make([]Result, len(batch))
	var work, unmarked []placed
	var index []int
	var aside []sealed
	cat, err := s.sessions(ctx)
	if err != nil {
		return nil, err
	}
	for i, e := range batch {
		if e.Reason != "" {
			results[i] = Aside
			aside = append(aside, e)
			continue
		}
		session, ok, err := s.settled(ctx, cat, e)
		if err != nil {
			return nil, err
		}
		switch {
		case !ok:
			results[i] = Aside
			aside = append(aside, e)
		case e.Staff && e.Kind.ofPerson():
			results[i] = StaffSeen
			unmarked = append(unmarked, placed{session.ID, s.seal.within(session.ID, e)})
		default:
			for _, p := range s.beaconsToo(session, e) {
				work, index = append(work, p), append(index, i)
			}
		}
	}
	if err := s.putAside(ctx, aside); err != nil {
		return nil, err
	}
	if err := s.writeNames(ctx, unmarked); err != nil {
		return nil, err
	}
	written, err := s.write(ctx, work)
	if err != nil {
		return nil, err
	}
	for i := len(written) - 1; i >= 0; i-- { // the first of an event's marks is its own
		results[index[i]] = written[i]
	}
	return results, nil
}
