package attendance

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"jauge/programme"
)

// Which session an event belongs to is decided once, by what is planned: at the door, or when an event that was put aside is
// claimed. The decision goes into the journal with the event, and what is replayed is the decision: a restart, another replica
// or a session that is created or changed later moves nobody. An earlier mark of the same occurrence may: see move.go.

// occurrenceOf names the occurrence of an event among those of all rooms; empty: the platform names none.
func (s *Store) occurrenceOf(e sealed) string {
	if strings.HasSuffix(e.Occurrence, "/") {
		return ""
	}
	return s.seal.token("room", e.Source, e.RoomID) + "." + e.Occurrence
}

// seen is what the programme needs to know of an event.
func (s *Store) seen(e sealed) programme.Seen {
	seen := e.asideRoom().seen()
	seen.Occurrence, seen.At = s.occurrenceOf(e), time.UnixMilli(e.At)
	seen.Session, seen.From, seen.Contest = e.Session, e.From, e.Contest
	if e.Kind == Registered { // before any opening of the room
		seen.Occurrence = ""
	}
	seen.Anytime = e.Kind.OfPerson() && seen.Occurrence == ""
	return seen
}

// seen is what the programme needs to know of a room, without a time. A beacon's room is the session itself.
func (r asideRoom) seen() programme.Seen {
	seen := programme.Seen{Room: programme.Room{Source: r.Source, ID: r.Room}, Alias: r.Alias}
	if r.Source == BeaconSource {
		seen.Names = r.Room
	}
	return seen
}

// contest says whether the occurrence of an event could still move when the event was decided on.
type contest byte

const (
	settled  contest = iota // it could not
	open                    // it could
	settling                // it could before this event, and cannot any more
	moved                   // it could not, but it had moved before, and nobody here knows whether all of it
)

// decide fills in the session of each event that has none yet, or the reason why it has none. An event with a session keeps it, and
// claims its occurrence for it. Events of occurrences that may move are kept for that.
func (s *Store) decide(ctx context.Context, batch []sealed) error {
	var seen []programme.Seen
	var index []int
	for i, e := range batch {
		if e.Reason == "" {
			seen, index = append(seen, s.seen(e)), append(index, i)
		}
	}
	decisions, err := s.programme.Claim(ctx, s.now(), seen)
	if err != nil {
		return err
	}
	moving, long := map[string][]*sealed{}, map[string]time.Duration{}
	for i, d := range decisions {
		e := &batch[index[i]]
		replayed := e.Session != "" && s.journal.Ahead()
		if e.Session != "" {
			e.Session = d.Session.ID // the occurrence may have moved since
		} else {
			s.assign(e, d.Session)
			if e.From, e.Contest = d.From, d.Contest; d.Served {
				e.Reason = Outside
			}
		}
		switch {
		case d.Open:
			e.contest = open
		case d.Settles:
			e.contest = settling
		case d.Moved && !s.isThrough(seen[i].Occurrence, e.Session):
			e.contest = moved
		}
		if d.Open || d.Settles || replayed && d.Contested {
			name := seen[i].Occurrence
			moving[name] = append(moving[name], e)
			long[name] = d.Until.Sub(s.now())
			if replayed {
				long[name] = max(long[name], loggedAfter)
			}
		}
	}
	for name, events := range moving {
		if err := s.log(ctx, name, events, long[name]); err != nil {
			return err
		}
	}
	return nil
}

// assign writes a decision into an event; a session without an id is none.
func (s *Store) assign(e *sealed, session programme.Session) {
	if session.ID == "" {
		e.Reason = NoSession
		return
	}
	e.Session = session.ID
	e.Beacons = e.Kind == Ended && e.Source != BeaconSource && s.planned(session) != Live
}

// forJournal is a batch as the journal writes it: without dropped events. While Redis is away, the session of an event is decided
// here if that takes no question to Redis; otherwise when the journal is drained, and until then Arrived says how old the event is.
type forJournal struct {
	s     *Store
	batch []sealed
}

// MarshalJSON implements json.Marshaler.
func (f forJournal) MarshalJSON() ([]byte, error) {
	for i := range f.batch {
		e := &f.batch[i]
		if e.Session != "" || e.Reason != "" {
			continue
		}
		if session, ok := f.s.programme.Known(f.s.now(), f.s.seen(*e)); ok {
			f.s.assign(e, session)
		} else {
			e.Arrived = f.s.now().UnixMilli()
		}
	}
	return json.Marshal(slices.DeleteFunc(slices.Clone(f.batch), func(e sealed) bool { return e.Reason == dropped }))
}
