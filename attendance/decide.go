package attendance

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Which session an event belongs to is decided once: at the door, or when an event that was put aside is claimed. The
// decision goes into the journal with the event, and what is replayed is the decision: a restart, another replica or a
// session that is created or changed later moves nobody.
//
// What one opening of a room (an occurrence) was claimed for holds for all of it: a meeting that overruns is still the same
// meeting, whatever is planned next. Where the platform names no occurrence, each event goes by its own time.

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

// of finds the session that an event belongs to by its own time, by its room or by the room's other id.
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

// claims says whether some session claims a room, at one time or another.
func (c *catalogue) claims(room asideRoom) bool {
	_, ok := c.of(sealed{Source: room.Source, RoomID: room.Room, Alias: room.Alias})
	return ok
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

// occurrenceOf names the occurrence of an event among those of all rooms; empty: the platform names none.
func (s *Store) occurrenceOf(e sealed) string {
	if e.Source == BeaconSource || e.Occurrence == s.seal.token("occurrence", e.Source, e.RoomID, "") {
		return ""
	}
	return s.seal.token("room", e.Source, e.RoomID) + "." + e.Occurrence
}

// decide fills in the session of each event that has none yet, or why it has none. What is decided already is claimed as it
// was.
func (s *Store) decide(ctx context.Context, batch []sealed) (err error) {
	c := &catalogue{}
	if slices.ContainsFunc(batch, func(e sealed) bool { return e.Session == "" && e.Reason == "" }) {
		if c, err = s.sessions(ctx); err != nil {
			return err
		}
	}
	occurrences := make([]string, len(batch))
	wanted := map[string]string{} // occurrence → the session of its first event here; empty: none
	for i, e := range batch {
		if e.Reason != "" {
			continue
		}
		if occurrences[i] = s.occurrenceOf(e); occurrences[i] == "" || wanted[occurrences[i]] != "" {
			continue
		}
		wanted[occurrences[i]] = e.Session
		if session, ok := c.of(e); ok && e.Session == "" {
			wanted[occurrences[i]] = session.ID
		}
	}
	held, err := s.hold(ctx, wanted)
	if err != nil {
		return err
	}
	for i := range batch {
		if e := &batch[i]; e.Session == "" && e.Reason == "" {
			s.assign(c, e, held[occurrences[i]])
		}
	}
	return nil
}

// assign writes a decision into an event; held is the session that has its occurrence, if any.
func (s *Store) assign(c *catalogue, e *sealed, held string) {
	session, ok := c.of(*e)
	if held != "" {
		if session, ok = c.byID[held]; !ok { // of another replica: to be known in a moment
			session, ok = Session{ID: held}, true
		}
	}
	if !ok {
		e.Reason = NoSession
		return
	}
	e.Session = session.ID
	e.Beacons = e.Kind == Ended && e.Source != BeaconSource && s.planned(session) != Live
}

// hold gives the session that each occurrence is claimed for, and claims those that are not for the wanted one.
func (s *Store) hold(ctx context.Context, wanted map[string]string) (map[string]string, error) {
	held := map[string]string{}
	var ask []string
	for occurrence := range wanted {
		if id, known := s.claimed.get(occurrence); known {
			held[occurrence] = id
		} else {
			ask = append(ask, occurrence)
		}
	}
	if len(ask) == 0 {
		return held, nil
	}
	var reply *redis.SliceCmd
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, occurrence := range ask {
			if id := wanted[occurrence]; id != "" {
				p.HSetNX(ctx, s.keys.claims(), occurrence, id)
			}
		}
		reply = p.HMGet(ctx, s.keys.claims(), ask...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	for i, id := range reply.Val() {
		if id, ok := id.(string); ok {
			held[ask[i]] = id
			s.claimed.put(ask[i], id)
		}
	}
	return held, nil
}

// claimed remembers what occurrences were claimed for: a claim does not change, and so needs to be asked for once, and is
// known while Redis is away.
type claimed struct {
	mu    sync.Mutex
	known map[string]string
}

// claimsKnown bounds the memory; an occurrence that lasts is soon known again.
const claimsKnown = 10_000

func (c *claimed) get(occurrence string) (session string, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	session, known = c.known[occurrence]
	return session, known
}

func (c *claimed) put(occurrence, session string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= claimsKnown {
		c.known = map[string]string{}
	}
	c.known[occurrence] = session
}

// forJournal is a batch on its way into the journal. What was dropped stays out of it. When Redis was away, what can be
// decided without asking it is decided as it is written; the rest is when the journal is drained, and is as old then as it
// is now.
type forJournal struct {
	s     *Store
	batch []sealed
}

// MarshalJSON implements json.Marshaler.
func (f forJournal) MarshalJSON() ([]byte, error) {
	c := f.s.catalogue.Load()
	for i := range f.batch {
		e := &f.batch[i]
		if e.Session != "" || e.Reason != "" {
			continue
		}
		e.Arrived = f.s.now().UnixMilli()
		occurrence := f.s.occurrenceOf(*e)
		held, known := f.s.claimed.get(occurrence)
		if c == nil || occurrence != "" && !known {
			continue
		}
		if _, ok := c.of(*e); ok || known {
			f.s.assign(c, e, held)
			e.Arrived = 0
		}
	}
	return json.Marshal(slices.DeleteFunc(slices.Clone(f.batch), func(e sealed) bool { return e.Reason == dropped }))
}
