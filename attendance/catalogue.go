package attendance

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/internal/journal"
	"jauge/internal/problem"
)

// definition is a session as Redis holds it. File is the digest of the configuration's version, empty for sessions that
// only the API knows: a change at run time survives a restart until the file itself changes.
type definition struct {
	Session Session `json:"session"`
	File    string  `json:"file,omitempty"`
	Retired bool    `json:"retired,omitempty"` // the file no longer has it: kept, but it takes no events and is not listed
	Changes int     `json:"changes,omitempty"` // how often the API changed it: a journal may be drained after a later change
}

// catalogue is every session, as last read from Redis, and what this process knows better.
type catalogue struct {
	definitions map[string]definition // by id
	sessions    []Session             // by planned start
	byID        map[string]Session
	byRoom      map[Room][]Session // by planned start
	readAt      time.Time
}

// staleAfter is how long a replica may not know of a session that another one created. What arrives in between is put
// aside and claimed by Reclaim. refreshWithin is how long a request waits for a new catalogue when it has an old one.
const (
	staleAfter    = time.Second
	refreshWithin = 500 * time.Millisecond
)

// reclaimWithin is how long whoever defines a session waits for what was put aside to be counted.
const reclaimWithin = 10 * time.Second

// news is a definition that this process has accepted, and the store may not have yet.
type news struct {
	definition
	stored bool // the store has it: known from its next reading
}

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
	definitions, err := s.readDefinitions(limited)
	switch {
	case err == nil:
		maps.DeleteFunc(s.news, func(_ string, n news) bool { return n.stored })
	case last != nil && ctx.Err() == nil:
		definitions = maps.Clone(last.definitions)
	default:
		return nil, err
	}
	for id, n := range s.news {
		definitions[id] = n.definition
	}
	c := newCatalogue(definitions)
	s.catalogue.Store(c)
	return c, nil
}

func (c *catalogue) fresh() bool { return c != nil && time.Since(c.readAt) < staleAfter }

// know lets this process see definitions at once, whatever becomes of the next reading.
func (s *Store) know(stored bool, definitions ...definition) {
	s.reload.Lock()
	defer s.reload.Unlock()
	for _, d := range definitions {
		if known, ok := s.news[d.Session.ID]; !ok || known.Changes <= d.Changes {
			s.news[d.Session.ID] = news{d, stored}
		}
	}
	if last := s.catalogue.Load(); last != nil {
		stale := *last
		stale.readAt = time.Time{}
		s.catalogue.Store(&stale)
	}
}

func (s *Store) readDefinitions(ctx context.Context) (map[string]definition, error) {
	raw, err := s.rdb.HGetAll(ctx, s.keys.sessions()).Result()
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

// newCatalogue sorts sessions and finds them by id and by room.
func newCatalogue(definitions map[string]definition) *catalogue {
	c := &catalogue{definitions: definitions, byID: map[string]Session{}, byRoom: map[Room][]Session{}, readAt: time.Now()}
	for id, d := range definitions {
		if c.byID[id] = d.Session; !d.Retired {
			c.sessions = append(c.sessions, d.Session)
		}
	}
	slices.SortFunc(c.sessions, func(a, b Session) int {
		return cmp.Or(a.StartsAt.Compare(b.StartsAt), cmp.Compare(a.ID, b.ID))
	})
	for _, session := range c.sessions {
		for _, room := range session.Rooms {
			c.byRoom[room] = append(c.byRoom[room], session)
		}
	}
	return c
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

// Unseen is what is known of a session of which nothing was counted yet.
func (s *Store) Unseen(session Session) Figures { return s.figures(session, counts{}, nil, s.now()) }

// Configure brings the configuration file's sessions into the store, each unless the store has that very version of it,
// perhaps changed since by the API, and takes the rooms from sessions that came from a file and are no longer in it. With
// Redis away it fails, and the file's sessions are what is known until it works.
func (s *Store) Configure(ctx context.Context, sessions []Session) error {
	file := make(map[string]definition, len(sessions))
	for _, session := range sessions {
		d, err := ofFile(session)
		if err != nil {
			return err
		}
		file[session.ID] = d
	}
	s.catalogue.CompareAndSwap(nil, newCatalogue(file))
	stored, err := s.readDefinitions(ctx)
	if err != nil {
		return err
	}
	var changed []definition
	for id, d := range file {
		if before, ok := stored[id]; ok && before.File == d.File {
			if d = before; !before.Retired {
				continue
			}
			d.Retired = false
		}
		changed = append(changed, d)
	}
	for id, d := range stored {
		if _, ok := file[id]; ok || d.File == "" || d.Retired {
			continue
		}
		d.Retired = true
		changed = append(changed, d)
	}
	if err := s.store(ctx, changed...); err != nil {
		return err
	}
	s.know(true) // what is known so far is the file: the sessions that the API made are not in it
	_, err = s.sessions(ctx)
	return err
}

// ofFile is the definition of a session as the file has it.
func ofFile(session Session) (definition, error) {
	text, err := json.Marshal(session)
	sum := sha256.Sum256(text)
	return definition{Session: session, File: hex.EncodeToString(sum[:8])}, err
}

// Restore puts back what the store lacks of the file's sessions: a Redis that came back empty knows none. Unlike Configure
// it changes nothing that is there, so replicas with different files do not undo each other.
func (s *Store) Restore(ctx context.Context, sessions []Session) error {
	c, err := s.sessions(ctx)
	if err != nil {
		return err
	}
	sessions = slices.DeleteFunc(slices.Clone(sessions), func(session Session) bool { _, ok := c.definitions[session.ID]; return ok })
	if len(sessions) == 0 {
		return nil
	}
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, session := range sessions {
			d, err := ofFile(session)
			if err != nil {
				return err
			}
			text, err := json.Marshal(d)
			if err != nil {
				return err
			}
			p.HSetNX(ctx, s.keys.sessions(), session.ID, text)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store sessions: %w", err)
	}
	s.know(true)
	return nil
}

// replayed takes a definition from the journal, unless the store has a later one, or the file has another version of it by now.
func (s *Store) replayed(ctx context.Context, d definition) error {
	now, err := s.definition(ctx, d.Session.ID)
	absent := errors.Is(err, ErrNotFound)
	switch {
	case absent || err == nil && now.Retired:
		d.Retired = d.File != "" && s.journal.Ahead() // the store knows the file by now, and the file no longer has it
	case err != nil:
		return err
	}
	if !absent && (now.File != d.File || now.Changes > d.Changes) {
		s.forget(d)
		return nil
	}
	return s.store(ctx, d)
}

// forget lets go of a definition that was accepted and is overtaken.
func (s *Store) forget(d definition) {
	s.reload.Lock()
	defer s.reload.Unlock()
	if s.news[d.Session.ID].Changes <= d.Changes {
		delete(s.news, d.Session.ID)
	}
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

// lastKnown is the definition of a session in the store, or, with Redis away, as this process knows it; ErrNotFound.
func (s *Store) lastKnown(ctx context.Context, id string) (d definition, err error) {
	err = s.journal.Try(ctx, func(ctx context.Context) error {
		d, err = s.definition(ctx, id)
		return err
	})
	if !errors.Is(err, journal.ErrAway) {
		return d, err
	}
	c, err := s.sessions(ctx)
	if err != nil {
		return definition{}, err
	}
	d, ok := c.definitions[id]
	if !ok {
		return definition{}, ErrNotFound
	}
	return d, nil
}

// Create adds a session at run time; ErrExists, or problem.Problems if the definition is wrong.
func (s *Store) Create(ctx context.Context, session Session) error {
	if err := session.Validate().Err(); err != nil {
		return err
	}
	switch _, err := s.lastKnown(ctx, session.ID); {
	case err == nil:
		return ErrExists
	case !errors.Is(err, ErrNotFound):
		return err
	}
	return s.Put(ctx, session)
}

// Put creates or changes a session at run time; problem.Problems if the definition is wrong. Events that were put aside
// for its rooms are counted. What is accepted is known to this process at once, even if it waits in the journal.
func (s *Store) Put(ctx context.Context, session Session) error {
	if err := session.Validate().Err(); err != nil {
		return err
	}
	d, err := s.lastKnown(ctx, session.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	d.Session, d.Retired, d.Changes = session, false, d.Changes+1
	stored := false
	err = s.journal.Do(ctx, entrySession, d, func(ctx context.Context) error {
		err := s.store(ctx, d)
		stored = err == nil
		return err
	})
	if err != nil {
		return err
	}
	if !stored {
		s.know(false, d)
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, reclaimWithin)
	defer cancel()
	_, _ = s.Reclaim(limited) // what cannot be counted now is counted when Reclaim runs again
	return nil
}

// storeBatch is how many definitions go out in one command.
const storeBatch = 500

// store writes definitions and lets this process see them at once.
func (s *Store) store(ctx context.Context, definitions ...definition) error {
	for batch := range slices.Chunk(definitions, storeBatch) {
		fields := make([]any, 0, 2*len(batch))
		for _, d := range batch {
			text, err := json.Marshal(d)
			if err != nil {
				return err
			}
			fields = append(fields, d.Session.ID, text)
		}
		if err := s.rdb.HSet(ctx, s.keys.sessions(), fields...).Err(); err != nil {
			return fmt.Errorf("store sessions: %w", err)
		}
		s.know(true, batch...)
	}
	return nil
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
