package attendance

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/attendance/marks"
	"jauge/internal/journal"
	"jauge/programme"
)

// Options are what a Store is built with.
type Options struct {
	Prefix       string                // of every key, "jauge:" by default
	Key          []byte                // ≥ 32 bytes; hashes every id
	Now          func() time.Time      // time.Now by default
	Capabilities map[string]Capability // by source; Live by default
	Staff        []string              // e-mails, platforms' ids and names of people who are counted in no session; see programme.Session.Staff
	GuestsByName map[string]bool       // by source: guests of one name are one person; else each connection of a guest is
	Journal      *journal.Journal      // nil: nothing is journaled
	Patience     time.Duration         // how long a request waits for a status that is computed in the background; a second by default
}

// Store keeps the marks and the counts of sessions in Redis. It is safe for concurrent use, and several processes may
// work on the same Redis.
type Store struct {
	*base
	*reader
	*asides
	*names
	*mover
	*byHand
	journal *journal.Journal
	observe func(source, kind, result string)

	// With the write-ahead journal, the entry that puts an event aside must come before the entry that claims it. Read-held while
	// events are put aside, held while what is aside is read.
	deciding sync.RWMutex
}

// base is what all parts of a store work with.
type base struct {
	rdb          redis.UniversalClient
	marks        *marks.Store
	programme    *programme.Catalogue
	keys         keys
	seal         sealer
	now          func() time.Time
	capabilities map[string]Capability
	staff        *staffLists
	rule         *idRule
}

// New returns a Store on rdb, which the caller closes after the last call, of the sessions of a programme.
func New(rdb redis.UniversalClient, sessions *programme.Catalogue, o Options) *Store {
	if o.Prefix == "" {
		o.Prefix = "jauge:"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	b := &base{
		rdb: rdb, marks: marks.New(rdb, o.Prefix), programme: sessions, keys: keys{o.Prefix}, seal: newSealer(o.Key, o.GuestsByName), now: o.Now, capabilities: o.Capabilities,
		staff: &staffLists{everywhere: o.Staff}, rule: &idRule{},
	}
	s := &Store{
		base: b, names: &names{b}, journal: o.Journal, observe: func(string, string, string) {},
		reader: &reader{base: b, statuses: statuses{bySession: map[string]keptStatus{}}, patience: cmp.Or(o.Patience, time.Second)},
		asides: &asides{base: b, bounds: asideBounds{asidePerSource, asidePerRoom, asideRooms}, dropped: func(string, int) {}},
	}
	s.mover, s.byHand = &mover{store: s}, &byHand{s}
	journal.Handle(o.Journal, entryCounted, s.apply)
	journal.Handle(o.Journal, entryUncounted, s.undo)
	journal.Handle(o.Journal, entryEvents, s.applyKept)
	journal.Handle(o.Journal, entryClaimed, func(ctx context.Context, events []sealed) error { return s.applyClaimed(ctx, events, true) })
	journal.Handle(o.Journal, entryHeads, s.declare)
	journal.Handle(o.Journal, entryEnd, func(ctx context.Context, e ending) error { return s.end(ctx, &e) })
	journal.Handle(o.Journal, entryBeat, s.storeBeat)
	return s
}

// The kinds of the package's journal entries.
const (
	entryEvents  = "attendance.events"
	entryClaimed = "attendance.claimed" // events that were aside, with their sessions
	entryHeads   = "attendance.heads"

	entryCounted   = "attendance.counted"   // an opening counted by hand, with its events
	entryUncounted = "attendance.uncounted" // and put back aside
	entryEnd       = "attendance.end"
	entryBeat      = "attendance.beat"
)

// Observe sets the function that is told of each event recorded from the journal. Call it before the journal is drained.
func (s *Store) Observe(f func(source, kind, result string)) { s.observe = f }

// ObserveDropped sets the function that is told of authentic events that were dropped, because too much of their source is aside.
// Call it before the first event.
func (s *Store) ObserveDropped(f func(source string, n int)) { s.dropped = f }

// batchSize is how many events of what waits are taken at once.
const batchSize = 500

// Record adds the events of a source to the set of marks; one result per event, in order, or none when Redis is away and the
// journal has them. It is idempotent. An event that cannot be used (see Reason) is kept aside, and the others count: sending it
// again would not make it usable.
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
	return s.keep(ctx, batch)
}

// keep decides which sessions events belong to and records them, through the journal. The write-ahead journal of a volatile store
// keeps the decision, so that comes first.
func (s *Store) keep(ctx context.Context, batch []sealed) (results []Result, _ error) {
	settle := func(ctx context.Context) error { return s.settle(ctx, batch, s.bounds) }
	if s.journal.Ahead() {
		s.deciding.RLock()
		defer s.deciding.RUnlock()
		if err := settle(ctx); err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(batch, func(e sealed) bool { return e.Reason != dropped }) {
			return s.record(ctx, batch)
		}
		settle = func(context.Context) error { return nil }
	}
	err := s.journal.Do(ctx, entryEvents, forJournal{s, batch}, func(ctx context.Context) (err error) {
		if err = settle(ctx); err == nil {
			results, err = s.record(ctx, batch)
		}
		return err
	})
	return results, err
}

// applyKept records events of the journal as they were decided, or decides now. Replayed events were within the bounds when they
// were written.
func (s *Store) applyKept(ctx context.Context, batch []sealed) error {
	bounds := s.bounds
	if s.journal.Ahead() {
		bounds = asideBounds{}
	}
	if err := s.settle(ctx, batch, bounds); err != nil {
		return err
	}
	results, err := s.recordKept(ctx, batch)
	for i, r := range results {
		s.observe(batch[i].Source, string(batch[i].Kind), string(r))
	}
	return err
}

// settle decides which sessions events belong to, and keeps aside those that belong to none.
func (s *Store) settle(ctx context.Context, batch []sealed, bounds asideBounds) error {
	for i := range batch {
		if e := &batch[i]; e.Version == 0 {
			*e = s.seal.upgraded(*e)
		}
	}
	if err := s.decide(ctx, batch); err != nil {
		return err
	}
	var aside []*sealed
	for i := range batch {
		if e := &batch[i]; e.Session == "" && e.Reason != dropped {
			aside = append(aside, e)
		}
	}
	return s.putAside(ctx, aside, bounds)
}

// record writes the marks of settled events into their sessions. A mark that is one too many there is put aside.
func (s *Store) record(ctx context.Context, batch []sealed) ([]Result, error) {
	results, index := make([]Result, len(batch)), make([]int, 0, len(batch)+1)
	work := make([]marks.Placed, 0, len(batch)+1)
	for i := range batch {
		if results[i] = Aside; batch[i].Session == "" {
			continue
		}
		var err error
		if work, err = s.appendMarks(ctx, work, batch[i]); err != nil {
			return nil, err
		}
		for len(index) < len(work) {
			index = append(index, i)
		}
	}
	written, err := s.marks.Write(ctx, work)
	if err != nil {
		return nil, err
	}
	var tooMany []*sealed
	for i := len(written) - 1; i >= 0; i-- { // the first of an event's marks is its own
		switch e := &batch[index[i]]; written[i] {
		case marks.Recorded:
			results[index[i]] = Recorded
		case marks.Duplicate:
			results[index[i]] = Duplicate
		case marks.OfStaff:
			results[index[i]] = StaffSeen
		case marks.TooMany:
			e.Reason, e.Session, results[index[i]] = TooMany, "", Aside
			tooMany = append(tooMany, e)
		}
	}
	if err := s.putAside(ctx, tooMany, s.bounds); err != nil {
		return nil, err
	}
	return results, s.follow(ctx, batch)
}

// appendMarks appends the marks of an event, its own first. Where beacons count beside the platform, its end of the session ends the beacons'
// occurrence too: a page that stays open afterwards is not in the session. An event that says an id and an e-mail address says that they are
// of one person.
func (s *Store) appendMarks(ctx context.Context, all []marks.Placed, e sealed) ([]marks.Placed, error) {
	if e.Version == 0 { // the session has begun with an earlier version
		if err := s.keepByID(ctx, e.Session); err != nil {
			return nil, err
		}
	}
	byID, err := s.isByID(ctx, e.Session)
	if err != nil {
		return nil, err
	}
	if session, err := s.programme.Session(ctx, e.Session); err == nil && s.isStaff(session, e) {
		e.Staff = true
	}
	own := s.seal.within(e.Session, e, byID)
	all = append(all, own)
	if e.Email != "" && e.Person != "" && e.Kind != Left && !e.Guest && !byID { // another event may say the id alone
		all = append(all, marks.Placed{Session: e.Session, Mark: marks.Mark{
			Kind: marks.Same, Person: own.Person, Peer: s.seal.pseudonym(e.Session, e.Person), At: e.At,
		}})
	}
	if e.Beacons {
		all = append(all, s.seal.within(e.Session, sealed{
			Kind: Ended, Source: BeaconSource, RoomID: e.Session, At: e.At, Occurrence: s.seal.occurrence(BeaconSource, e.Session, ""),
		}, byID))
	}
	return all, nil
}

// recordKept records events of the journal. Events that take too long although the server answers are cut in halves and tried on; one that
// still does is put aside, and everything behind it goes on.
func (s *Store) recordKept(ctx context.Context, batch []sealed) ([]Result, error) {
	results, err := s.record(ctx, batch)
	if err == nil || !marks.TimedOut(err) || ctx.Err() != nil || !s.answers(ctx) {
		return results, err
	}
	if len(batch) == 1 {
		slog.Error("an event takes the store too long: it is kept aside and not counted", "source", batch[0].Source, "kind", string(batch[0].Kind))
		batch[0].Reason, batch[0].Session = Poison, ""
		return []Result{Aside}, s.putAside(ctx, []*sealed{&batch[0]}, asideBounds{})
	}
	half := len(batch) / 2
	for _, part := range [][]sealed{batch[:half], batch[half:]} {
		of, err := s.recordKept(ctx, part)
		if err != nil {
			return nil, err
		}
		results = append(results, of...)
	}
	return results, nil
}

// answers says whether the server answers.
func (b *base) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return b.rdb.Ping(ctx).Err() == nil
}
