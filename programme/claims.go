package programme

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// What one opening of a room (an occurrence) was claimed for holds for all of it: a meeting that overruns is still the same
// meeting, whatever is planned next. Where the platform names no occurrence, each event goes by its own time.

// A room may serve several sessions. The next one takes over when its doors open, an hour before its planned start, but not
// while the one before may still be closing, half an hour after its planned end, unless its own planned start has come.
const (
	doorsOpen  = time.Hour
	doorsClose = 30 * time.Minute
)

// Seen is something that happened, reduced to what decides which session it belongs to.
type Seen struct {
	Room       Room
	Alias      string    // another id of the room that sessions may name instead; empty: none
	Occurrence string    // one opening of the room, unlike every other of any room; empty: the platform names none
	At         time.Time // by the platform's clock
	Names      string    // the session that it names by itself, whatever the room; empty: it names none
	Session    string    // that it was decided to belong to; empty: not decided yet
}

// Find gives the session that something belongs to by its room and time, whatever its occurrence was claimed for.
func (c *Catalogue) Find(ctx context.Context, seen Seen) (Session, bool, error) {
	s, err := c.snapshot(ctx)
	if err != nil {
		return Session{}, false, err
	}
	session, ok := s.find(seen)
	return session, ok, nil
}

// Claim decides which session each of these belongs to, and claims their occurrences: by the first of each that belongs to
// one. The results are in order, without an id where no session claims it. What was decided already stays, and is claimed as
// it was; only the id of its session is given.
func (c *Catalogue) Claim(ctx context.Context, seen []Seen) (_ []Session, err error) {
	known := &snapshot{}
	if slices.ContainsFunc(seen, func(s Seen) bool { return s.Session == "" }) {
		if known, err = c.snapshot(ctx); err != nil {
			return nil, err
		}
	}
	wanted := map[string]string{} // occurrence → the session of its first event here; empty: none
	for _, s := range seen {
		if s.Occurrence == "" || wanted[s.Occurrence] != "" {
			continue
		}
		wanted[s.Occurrence] = s.Session
		if session, ok := known.find(s); ok && s.Session == "" {
			wanted[s.Occurrence] = session.ID
		}
	}
	held, err := c.hold(ctx, wanted)
	if err != nil {
		return nil, err
	}
	sessions := make([]Session, len(seen))
	for i, s := range seen {
		sessions[i] = known.decide(s, held[s.Occurrence])
	}
	return sessions, nil
}

// Known is Claim as far as it can be told without asking Redis; false: it cannot be, or no session claims it yet.
func (c *Catalogue) Known(seen Seen) (Session, bool) {
	known := c.last.Load()
	held, claimed := c.claims.get(seen.Occurrence)
	if known == nil || seen.Occurrence != "" && !claimed {
		return Session{}, false
	}
	session := known.decide(seen, held)
	return session, session.ID != ""
}

// inRoom finds the session that a room serves at a time: the latest that has taken it over, else the first.
func (s *snapshot) inRoom(room Room, at time.Time) (Session, bool) {
	candidates := s.byRoom[room]
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

// find goes by what an event says itself: the session that it names, else its time and its room, else the room's other id.
func (s *snapshot) find(seen Seen) (Session, bool) {
	if seen.Names != "" {
		session, ok := s.byID[seen.Names]
		return session, ok
	}
	if session, ok := s.inRoom(seen.Room, seen.At); ok || seen.Alias == "" {
		return session, ok
	}
	return s.inRoom(Room{seen.Room.Source, seen.Alias}, seen.At)
}

// decide gives the session of an event whose occurrence is held by one, if it is.
func (s *snapshot) decide(seen Seen, held string) Session {
	switch {
	case seen.Session != "":
		return Session{ID: seen.Session}
	case held == "":
		session, _ := s.find(seen)
		return session
	}
	if session, ok := s.byID[held]; ok {
		return session
	}
	return Session{ID: held} // of another replica: to be known in a moment
}

// hold gives the session that each occurrence is claimed for, and claims those that are not for the wanted one.
func (c *Catalogue) hold(ctx context.Context, wanted map[string]string) (map[string]string, error) {
	held := map[string]string{}
	var ask []string
	for occurrence := range wanted {
		if id, known := c.claims.get(occurrence); known {
			held[occurrence] = id
		} else {
			ask = append(ask, occurrence)
		}
	}
	if len(ask) == 0 {
		return held, nil
	}
	var reply *redis.SliceCmd
	_, err := c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, occurrence := range ask {
			if id := wanted[occurrence]; id != "" {
				p.HSetNX(ctx, c.keys.claims(), occurrence, id)
			}
		}
		reply = p.HMGet(ctx, c.keys.claims(), ask...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	for i, id := range reply.Val() {
		if id, ok := id.(string); ok {
			held[ask[i]] = id
			c.claims.put(ask[i], id)
		}
	}
	return held, nil
}

// claims remembers what occurrences were claimed for: a claim does not change, and so needs to be asked for once, and is
// known while Redis is away.
type claims struct {
	mu    sync.Mutex
	known map[string]string
}

// claimsKnown bounds the memory; an occurrence that lasts is soon known again.
const claimsKnown = 10_000

func (c *claims) get(occurrence string) (session string, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	session, known = c.known[occurrence]
	return session, known
}

func (c *claims) put(occurrence, session string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= claimsKnown {
		c.known = map[string]string{}
	}
	c.known[occurrence] = session
}
