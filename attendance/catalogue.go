package attendance

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/internal/problem"
)

// definition is a session as Redis holds it. File is the digest of the configuration's version, empty for sessions that
// only the API knows: a change at run time survives a restart until the file itself changes.
type definition struct {
	Session Session `json:"session"`
	File    string  `json:"file,omitempty"`
	Retired bool    `json:"retired,omitempty"` // the file no longer has it: kept, but it takes no events and is not listed
}

// catalogue is every session, as last read from Redis.
type catalogue struct {
	sessions []Session // by planned start
	byID     map[string]Session
	byRoom   map[Room][]Session // by planned start
	readAt   time.Time
}

// staleAfter is how long a replica may not know of a session that another one created. What arrives in between is put
// aside and claimed by Reclaim. refreshWithin is how long a request waits for a new catalogue when it has an old one.
const (
	staleAfter    = time.Second
	refreshWithin = 500 * time.Millisecond
)

// sessions gives the catalogue, read anew when it is stale. While Redis is away the last one stands: pages and surveys go
// on, and what is recorded goes to the journal.
func (s *Store) sessions(ctx context.Context) (*catalogue, error) {
	if c := s.catalogue.Load(); c.fresh() {
		return c, nil
	}
	s.reload.Lock()
	defer s.reload.Unlock()
	last := s.catalogue.Load()
	if last.fresh() {
		return last, nil
	}
	limited, cancel := context.WithTimeout(ctx, refreshWithin)
	defer cancel()
	c, err := s.readCatalogue(limited)
	if err != nil && last != nil && ctx.Err() == nil {
		again := *last
		again.readAt = time.Now()
		s.catalogue.Store(&again)
		return &again, nil
	}
	return c, err
}

func (c *catalogue) fresh() bool { return c != nil && time.Since(c.readAt) < staleAfter }

// readCatalogue is called with reload held.
func (s *Store) readCatalogue(ctx context.Context) (*catalogue, error) {
	raw, err := s.rdb.HGetAll(ctx, s.keys.sessions()).Result()
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	var sessions, retired []Session
	for id, text := range raw {
		var d definition
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			return nil, fmt.Errorf("session %s in the store: %w", id, err)
		}
		if d.Retired {
			retired = append(retired, d.Session)
			continue
		}
		sessions = append(sessions, d.Session)
	}
	c := newCatalogue(sessions)
	for _, session := range retired {
		c.byID[session.ID] = session
	}
	s.catalogue.Store(c)
	return c, nil
}

// newCatalogue sorts sessions and finds them by id and by room.
func newCatalogue(sessions []Session) *catalogue {
	c := &catalogue{sessions: slices.Clone(sessions), byID: map[string]Session{}, byRoom: map[Room][]Session{}, readAt: time.Now()}
	slices.SortFunc(c.sessions, func(a, b Session) int {
		return cmp.Or(a.StartsAt.Compare(b.StartsAt), cmp.Compare(a.ID, b.ID))
	})
	for _, session := range c.sessions {
		c.byID[session.ID] = session
		for _, room := range session.Rooms {
			c.byRoom[room] = append(c.byRoom[room], session)
		}
	}
	return c
}

// A room may serve several sessions. The next one takes over when its doors open, an hour before its planned start, but not
// while the one before may still be closing, half an hour after its planned end, unless its own planned start has come.
const (
	doorsOpen  = time.Hour
	doorsClose = 30 * time.Minute
)

// claim finds the session that something in a room at a time belongs to: the latest that has taken the room over, else the
// first.
func (c *catalogue) claim(room Room, at time.Time) (Session, bool) {
	candidates := c.byRoom[room]
	if len(candidates) == 0 {
		return Session{}, false
	}
	chosen := candidates[0]
	for i, session := range candidates[1:] {
		from := session.StartsAt.Add(-doorsOpen)
		if closed := candidates[i].EndsAt.Add(doorsClose); closed.After(from) {
			from = closed
		}
		if from.After(session.StartsAt) {
			from = session.StartsAt
		}
		if !at.Before(from) {
			chosen = session
		}
	}
	return chosen, true
}

// settled finds the session of an event. In a room that serves several sessions an occurrence stays with the session that
// its first event fell to: a meeting that overruns is still the same meeting.
func (s *Store) settled(ctx context.Context, c *catalogue, e sealed) (Session, bool, error) {
	session, ok := c.of(e)
	if !ok || len(c.byRoom[Room{e.Source, e.RoomID}])+len(c.byRoom[Room{e.Source, e.Alias}]) < 2 {
		return session, ok, nil
	}
	field := s.seal.token("room", e.Source, e.RoomID) + "." + e.Occurrence
	if err := s.rdb.HSetNX(ctx, s.keys.claims(), field, session.ID).Err(); err != nil {
		return Session{}, false, fmt.Errorf("claim: %w", err)
	}
	id, err := s.rdb.HGet(ctx, s.keys.claims(), field).Result()
	if err != nil {
		return Session{}, false, fmt.Errorf("claim: %w", err)
	}
	if first, known := c.byID[id]; known {
		session = first
	}
	return session, true, nil
}

// of finds the session of an event, by its room or by the room's other id.
func (c *catalogue) of(e sealed) (Session, bool) {
	if e.Source == BeaconSource {
		session, ok := c.byID[e.RoomID]
		return session, ok
	}
	at := time.UnixMilli(e.At)
	if session, ok := c.claim(Room{e.Source, e.RoomID}, at); ok || e.Alias == "" {
		return session, ok
	}
	return c.claim(Room{e.Source, e.Alias}, at)
}

// Claim finds the session that takes place in a room at a moment.
func (s *Store) Claim(ctx context.Context, source, room string, at time.Time) (Session, bool, error) {
	c, err := s.sessions(ctx)
	if err != nil {
		return Session{}, false, err
	}
	session, ok := c.claim(Room{source, room}, at)
	return session, ok, nil
}

// Session returns one session; ErrNotFound.
func (s *Store) Session(ctx context.Context, id string) (Session, error) {
	c, err := s.sessions(ctx)
	if err != nil {
		return Session{}, err
	}
	session, ok := c.byID[id]
	if !ok {
		return Session{}, ErrNotFound
	}
	return session, nil
}

// Sessions lists all sessions by planned start.
func (s *Store) Sessions(ctx context.Context) ([]Session, error) {
	c, err := s.sessions(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Clone(c.sessions), nil
}

// Configure brings the configuration file's sessions into the store, each unless the store has that very version of it,
// perhaps changed since by the API. With Redis away it fails, and the file's sessions are what is known until it works.
func (s *Store) Configure(ctx context.Context, sessions []Session) error {
	s.catalogue.CompareAndSwap(nil, newCatalogue(sessions))
	known := map[string]bool{}
	for _, session := range sessions {
		known[session.ID] = true
		d, err := ofFile(session)
		if err != nil {
			return err
		}
		stored, err := s.definition(ctx, session.ID)
		if err == nil && stored.File == d.File && !stored.Retired {
			continue
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err := s.store(ctx, d); err != nil {
			return err
		}
	}
	if err := s.retire(ctx, known); err != nil {
		return err
	}
	s.reload.Lock() // what is known so far is the file: the sessions that the API made are not in it
	defer s.reload.Unlock()
	_, err := s.readCatalogue(ctx)
	return err
}

// ofFile is the definition of a session as the file has it.
func ofFile(session Session) (definition, error) {
	text, err := json.Marshal(session)
	sum := sha256.Sum256(text)
	return definition{Session: session, File: hex.EncodeToString(sum[:8])}, err
}

// retire takes the rooms from sessions that came from a file and are no longer in it.
func (s *Store) retire(ctx context.Context, known map[string]bool) error {
	raw, err := s.rdb.HGetAll(ctx, s.keys.sessions()).Result()
	if err != nil {
		return fmt.Errorf("read sessions: %w", err)
	}
	for id, text := range raw {
		var d definition
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			return fmt.Errorf("session %s in the store: %w", id, err)
		}
		if known[id] || d.File == "" || d.Retired {
			continue
		}
		d.Retired = true
		if err := s.store(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// Restore puts back what the store lacks of the file's sessions: a Redis that came back empty knows none. Unlike Configure
// it changes nothing that is there, so replicas with different files do not undo each other.
func (s *Store) Restore(ctx context.Context, sessions []Session) error {
	for _, session := range sessions {
		d, err := ofFile(session)
		if err != nil {
			return err
		}
		text, err := json.Marshal(d)
		if err != nil {
			return err
		}
		if err := s.rdb.HSetNX(ctx, s.keys.sessions(), session.ID, text).Err(); err != nil {
			return fmt.Errorf("store session: %w", err)
		}
	}
	return nil
}

// replayed takes a definition from the journal, unless the file has another version of it by now.
func (s *Store) replayed(ctx context.Context, d definition) error {
	if now, err := s.definition(ctx, d.Session.ID); err == nil && now.File != d.File {
		return nil
	}
	return s.store(ctx, d)
}

func (s *Store) definition(ctx context.Context, id string) (definition, error) {
	text, err := s.rdb.HGet(ctx, s.keys.sessions(), id).Result()
	if errors.Is(err, redis.Nil) {
		return definition{}, ErrNotFound
	}
	if err != nil {
		return definition{}, fmt.Errorf("read session: %w", err)
	}
	var d definition
	return d, json.Unmarshal([]byte(text), &d)
}

// Create adds a session at run time; ErrExists, or problem.Problems if the definition is wrong.
func (s *Store) Create(ctx context.Context, session Session) error {
	if err := session.Validate().Err(); err != nil {
		return err
	}
	switch _, err := s.definition(ctx, session.ID); {
	case err == nil:
		return ErrExists
	case !errors.Is(err, ErrNotFound):
		return err
	}
	return s.Put(ctx, session)
}

// Put creates or changes a session at run time; problem.Problems if the definition is wrong. Events that were put aside
// for its rooms are counted.
func (s *Store) Put(ctx context.Context, session Session) error {
	if err := session.Validate().Err(); err != nil {
		return err
	}
	d, err := s.definition(ctx, session.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	d.Session, d.Retired = session, false
	err = s.journal.Do(ctx, entrySession, d, func(ctx context.Context) error { return s.store(ctx, d) })
	if err != nil {
		return err
	}
	_, _ = s.Reclaim(ctx) // what cannot be counted now is counted when Reclaim runs again
	return nil
}

// store writes a definition and lets this process see it at once.
func (s *Store) store(ctx context.Context, d definition) error {
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	if err := s.rdb.HSet(ctx, s.keys.sessions(), d.Session.ID, text).Err(); err != nil {
		return fmt.Errorf("store session: %w", err)
	}
	s.reload.Lock()
	defer s.reload.Unlock()
	_, err = s.readCatalogue(ctx)
	return err
}

var idShape = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

// Validate lists every mistake of a session's definition.
func (s Session) Validate() problem.Problems {
	var ps problem.Problems
	add := func(path, message string) { ps = append(ps, problem.Problem{Path: path, Message: message}) }
	if !idShape.MatchString(s.ID) {
		add("id", "must be 1 to 64 of a-z, 0-9 and -")
	}
	if s.Series != "" && !idShape.MatchString(s.Series) {
		add("series", "must be 1 to 64 of a-z, 0-9 and -")
	}
	if s.Title.In("fr") == "" {
		add("title", "missing")
	}
	for name, at := range map[string]time.Time{"starts_at": s.StartsAt, "ends_at": s.EndsAt} {
		if at.IsZero() {
			add(name, "missing")
		}
	}
	if !s.StartsAt.IsZero() && !s.EndsAt.IsZero() && !s.EndsAt.After(s.StartsAt) {
		add("ends_at", "must be after starts_at")
	}
	for i, room := range s.Rooms {
		if room.Source == "" || room.ID == "" {
			add(fmt.Sprintf("rooms[%d]", i), "needs a source and an id")
		}
		if slices.Contains(s.Rooms[:i], room) {
			add(fmt.Sprintf("rooms[%d]", i), "duplicate")
		}
	}
	seen := map[string]bool{}
	for i, segment := range s.Segments {
		if !idShape.MatchString(segment.ID) {
			add(fmt.Sprintf("segments[%d].id", i), "must be 1 to 64 of a-z, 0-9 and -")
		}
		if seen[segment.ID] {
			add(fmt.Sprintf("segments[%d].id", i), "duplicate")
		}
		seen[segment.ID] = true
	}
	if s.Invited < 0 {
		add("invited", "must not be negative")
	}
	slices.SortStableFunc(ps, func(a, b problem.Problem) int { return cmp.Compare(a.Path, b.Path) })
	return ps
}
