package programme

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/internal/journal"
)

// Options are what a Catalogue is built with.
type Options struct {
	Prefix  string           // of both keys, "jauge:" by default
	Journal *journal.Journal // nil: nothing is journaled
}

// Catalogue is every session, kept in Redis. It is safe for concurrent use, and several processes may work on the same Redis.
type Catalogue struct {
	rdb     redis.UniversalClient
	keys    keys
	journal *journal.Journal

	reload   sync.Mutex // held while the sessions are read anew
	last     atomic.Pointer[snapshot]
	accepted map[string]accepted // by session id; guarded by reload

	claims claims
}

// entrySession is the kind of the package's journal entries, definitions. It is older than the package.
const entrySession = "attendance.session"

// New returns the Catalogue on rdb, which the caller closes after the last call.
func New(rdb redis.UniversalClient, o Options) *Catalogue {
	c := &Catalogue{rdb: rdb, keys: keys{cmp.Or(o.Prefix, "jauge:")}, journal: o.Journal, accepted: map[string]accepted{}}
	journal.Handle(o.Journal, entrySession, c.applyEntry)
	return c
}

// definition is a session as Redis holds it. File is the digest of the configuration's version, empty for sessions that
// only the API knows: a change at run time survives a restart until the file itself changes.
type definition struct {
	Session Session `json:"session"`
	File    string  `json:"file,omitempty"`
	Retired bool    `json:"retired,omitempty"` // the file no longer has it: kept, but it takes no events and is not listed
	Changes int     `json:"changes,omitempty"` // how often the API changed it: a journal may be drained after a later change
}

// accepted is a definition that this process has accepted and that the store may not have yet.
type accepted struct {
	definition
	stored bool // the store has it: the next snapshot reads it from there
}

// snapshot is every session, as last read from Redis, with the definitions accepted since.
type snapshot struct {
	definitions map[string]definition // by id
	sessions    []Session             // by planned start
	byID        map[string]Session
	byRoom      map[Room][]Session // by planned start
	readAt      time.Time
}

// staleAfter is how long a replica may not know of a session that another one created. Events that arrive in between are put aside,
// and counted once it knows. refreshWithin is how long a request waits for a new snapshot while there is an old one.
const (
	staleAfter    = time.Second
	refreshWithin = 500 * time.Millisecond
)

// newSnapshot sorts sessions and finds them by id and by room.
func newSnapshot(definitions map[string]definition) *snapshot {
	s := &snapshot{definitions: definitions, byID: map[string]Session{}, byRoom: map[Room][]Session{}, readAt: time.Now()}
	for id, d := range definitions {
		if s.byID[id] = d.Session; !d.Retired {
			s.sessions = append(s.sessions, d.Session)
		}
	}
	slices.SortFunc(s.sessions, func(a, b Session) int {
		return cmp.Or(a.StartsAt.Compare(b.StartsAt), cmp.Compare(a.ID, b.ID))
	})
	for _, session := range s.sessions {
		for _, room := range session.Rooms {
			s.byRoom[room] = append(s.byRoom[room], session)
		}
	}
	return s
}

func (s *snapshot) fresh() bool { return s != nil && time.Since(s.readAt) < staleAfter }

// Session returns one session, a retired one too; ErrNotFound.
func (c *Catalogue) Session(ctx context.Context, id string) (Session, error) {
	s, err := c.snapshot(ctx)
	if err != nil {
		return Session{}, err
	}
	session, ok := s.byID[id]
	if !ok {
		return Session{}, ErrNotFound
	}
	return session, nil
}

// Sessions lists all sessions by planned start.
func (c *Catalogue) Sessions(ctx context.Context) ([]Session, error) {
	s, err := c.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Clone(s.sessions), nil
}

// IDs lists the ids of all sessions, the retired ones too, sorted.
func (c *Catalogue) IDs(ctx context.Context) ([]string, error) {
	s, err := c.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(s.byID)), nil
}

// snapshot gives the sessions, read anew when the last snapshot is stale. While Redis is away that one is used: pages and surveys go
// on, and events and answers go to the journal.
func (c *Catalogue) snapshot(ctx context.Context) (*snapshot, error) {
	if s := c.last.Load(); s.fresh() {
		return s, nil
	}
	c.reload.Lock()
	defer c.reload.Unlock()
	last := c.last.Load()
	if last.fresh() {
		return last, nil
	}
	limited, cancel := context.WithTimeout(ctx, refreshWithin)
	defer cancel()
	definitions, err := c.readAll(limited)
	switch {
	case err == nil:
		maps.DeleteFunc(c.accepted, func(_ string, n accepted) bool { return n.stored })
	case last != nil && ctx.Err() == nil:
		definitions = maps.Clone(last.definitions)
	default:
		return nil, err
	}
	for id, n := range c.accepted {
		definitions[id] = n.definition
	}
	s := newSnapshot(definitions)
	c.last.Store(s)
	return s, nil
}

// remember lets this process see definitions at once, before and whether or not Redis can be read.
func (c *Catalogue) remember(stored bool, definitions ...definition) {
	c.reload.Lock()
	defer c.reload.Unlock()
	for _, d := range definitions {
		if before, ok := c.accepted[d.Session.ID]; !ok || before.Changes <= d.Changes {
			c.accepted[d.Session.ID] = accepted{d, stored}
		}
	}
	if last := c.last.Load(); last != nil {
		stale := *last
		stale.readAt = time.Time{}
		c.last.Store(&stale)
	}
}

// forget removes an accepted definition that a later one has replaced.
func (c *Catalogue) forget(d definition) {
	c.reload.Lock()
	defer c.reload.Unlock()
	if c.accepted[d.Session.ID].Changes <= d.Changes {
		delete(c.accepted, d.Session.ID)
	}
}

func (c *Catalogue) readAll(ctx context.Context) (map[string]definition, error) {
	raw, err := c.rdb.HGetAll(ctx, c.keys.sessions()).Result()
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	definitions := make(map[string]definition, len(raw))
	for id, text := range raw {
		var d definition
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			return nil, fmt.Errorf("session %s in the store: %w", id, err)
		}
		definitions[id] = d
	}
	return definitions, nil
}

// read gives one definition of the store; ErrNotFound.
func (c *Catalogue) read(ctx context.Context, id string) (definition, error) {
	text, err := c.rdb.HGet(ctx, c.keys.sessions(), id).Result()
	if errors.Is(err, redis.Nil) {
		return definition{}, ErrNotFound
	}
	if err != nil {
		return definition{}, fmt.Errorf("read session: %w", err)
	}
	var d definition
	return d, json.Unmarshal([]byte(text), &d)
}

// lastKnown is the definition of a session in the store, or, with Redis away, as this process knows it; ErrNotFound.
func (c *Catalogue) lastKnown(ctx context.Context, id string) (d definition, err error) {
	err = c.journal.Try(ctx, func(ctx context.Context) error {
		d, err = c.read(ctx, id)
		return err
	})
	if !errors.Is(err, journal.ErrAway) {
		return d, err
	}
	s, err := c.snapshot(ctx)
	if err != nil {
		return definition{}, err
	}
	d, ok := s.definitions[id]
	if !ok {
		return definition{}, ErrNotFound
	}
	return d, nil
}

// storeBatch is how many definitions go out in one command.
const storeBatch = 500

// store writes definitions and lets this process see them at once.
func (c *Catalogue) store(ctx context.Context, definitions ...definition) error {
	for batch := range slices.Chunk(definitions, storeBatch) {
		fields := make([]any, 0, 2*len(batch))
		for _, d := range batch {
			text, err := json.Marshal(d)
			if err != nil {
				return err
			}
			fields = append(fields, d.Session.ID, text)
		}
		if err := c.rdb.HSet(ctx, c.keys.sessions(), fields...).Err(); err != nil {
			return fmt.Errorf("store sessions: %w", err)
		}
		c.remember(true, batch...)
	}
	return nil
}
