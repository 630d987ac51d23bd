package programme

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// The session that one opening of a room (an occurrence) was claimed for keeps all of it: a meeting that overruns is still the same
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
	Names      string    // the session that it names itself, whatever the room; empty: it names none
	Session    string    // the session that was decided on; empty: none yet
}

// Find gives the session that seen belongs to by its room and time alone; claims are not looked at.
func (c *Catalogue) Find(ctx context.Context, seen Seen) (Session, bool, error) {
	s, err := c.snapshot(ctx)
	if err != nil {
		return Session{}, false, err
	}
	session, ok := s.find(seen)
	return session, ok, nil
}

// Claim decides which session each of these belongs to, and claims each occurrence for the session of its first one that has any.
// The results are in order, without an id where no session claims it. An earlier decision (Seen.Session) stays and claims the
// occurrence; its result has the session's id only.
func (c *Catalogue) Claim(ctx context.Context, seen []Seen) (_ []Session, err error) {
	planned := &snapshot{}
	if slices.ContainsFunc(seen, func(s Seen) bool { return s.Session == "" }) {
		if planned, err = c.snapshot(ctx); err != nil {
			return nil, err
		}
	}
	wanted := map[string]string{} // occurrence → the session of its first event here; empty: none
	for _, s := range seen {
		if s.Occurrence == "" || wanted[s.Occurrence] != "" {
			continue
		}
		wanted[s.Occurrence] = s.Session
		if session, ok := planned.find(s); ok && s.Session == "" {
			wanted[s.Occurrence] = session.ID
		}
	}
	held, err := c.claimAll(ctx, wanted)
	if err != nil {
		return nil, err
	}
	sessions := make([]Session, len(seen))
	for i, s := range seen {
		sessions[i] = planned.decide(s, held[s.Occurrence])
	}
	return sessions, nil
}

// Known decides as Claim does, from memory alone; false: Redis has to be asked, or no session claims it yet.
func (c *Catalogue) Known(seen Seen) (Session, bool) {
	planned := c.last.Load()
	held, claimed := c.claims.get(seen.Occurrence)
	if planned == nil || seen.Occurrence != "" && !claimed {
		return Session{}, false
	}
	session := planned.decide(seen, held)
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

// find gives the session that seen names, else the one of its room at its time, else the one of its room's other id.
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

// decide gives the session of seen, whose occurrence is claimed for the session held; held is empty where it is not claimed.
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
	return Session{ID: held} // created by another replica, and not in this snapshot yet
}

// claimAll claims each occurrence for the wanted session unless it is claimed, and gives the session that holds each.
func (c *Catalogue) claimAll(ctx context.Context, wanted map[string]string) (map[string]string, error) {
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

// claims caches which session each occurrence was claimed for. A claim does not change, so Redis is asked once; the cache also
// answers while Redis is away.
type claims struct {
	mu       sync.Mutex
	sessions map[string]string
}

// claimsKept bounds the cache: at that size it is emptied, and each occurrence that lasts is asked for once more.
const claimsKept = 10_000

func (c *claims) get(occurrence string) (session string, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	session, known = c.sessions[occurrence]
	return session, known
}

func (c *claims) put(occurrence, session string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sessions == nil || len(c.sessions) >= claimsKept {
		c.sessions = map[string]string{}
	}
	c.sessions[occurrence] = session
}
