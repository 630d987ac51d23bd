package attendance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Format 1 of the store kept each connection's marks with the connection, and the curve beside them. Its marks are read here and recorded
// again: marks are a set, so a migration may stop half-way, run twice, or go on while new events come. Sessions that began in format 1 go on with
// the best id as the person. It had longer hashes, of which this version's are the beginnings.

// before are the keys of a session in format 1.
func (k keys) before(id string) map[string]string {
	names := map[string]string{}
	for _, name := range []string{"counts", "occurrences", "connections", "people", "labels", "deltas", "curve", "tree"} {
		names[name] = k.of(id, name)
	}
	return names
}

// Migrate brings every session of format 1 to this version's format; progress, if not nil, is told after each of them.
func (s *Store) Migrate(ctx context.Context, progress func(done, of int)) error {
	ids, err := s.programme.IDs(ctx)
	if err != nil {
		return err
	}
	for i, id := range ids {
		if err := s.migrate(ctx, id); err != nil {
			return fmt.Errorf("session %s: %w", id, err)
		}
		if progress != nil {
			progress(i+1, len(ids))
		}
	}
	return nil
}

// migrate records the marks of one session anew, and removes the old ones when all of them are there.
func (s *Store) migrate(ctx context.Context, id string) error {
	keys := s.keys.before(id)
	last, err := s.rdb.HGet(ctx, keys["counts"], "last").Int64()
	if errors.Is(err, redis.Nil) {
		if n, err := s.rdb.Exists(ctx, keys["people"]).Result(); err != nil || n == 0 {
			return err // nothing is stored in format 1
		}
	} else if err != nil {
		return err
	}
	if err := s.keepByID(ctx, id); err != nil {
		return err
	}
	o := oldSession{nameless: map[string]bool{}, rooms: map[string]string{}}
	session, err := s.programme.Session(ctx, id)
	if err != nil {
		return err
	}
	o.nameless[s.seal.token("occurrence", BeaconSource, id, "")] = true
	for _, room := range session.Rooms {
		o.nameless[s.seal.token("occurrence", room.Source, room.ID, "")] = true
	}
	err = s.each(ctx, keys["occurrences"], func(occurrence, text string) error { return o.occurrence(occurrence, text, last) })
	if err == nil {
		err = s.each(ctx, keys["connections"], o.connection)
	}
	if err == nil {
		err = s.each(ctx, keys["people"], o.person)
	}
	if err != nil {
		return err
	}
	for events := range slices.Chunk(o.events, atOnce) {
		batch := make([]placed, len(events))
		for i, e := range events {
			batch[i] = placed{id, e}
		}
		if _, err := s.call(ctx, id, batch); err != nil {
			return err
		}
	}
	var old []string
	for _, key := range keys {
		old = append(old, key)
	}
	return s.rdb.Del(ctx, old...).Err()
}

// oldSession turns what format 1 kept of a session into events.
type oldSession struct {
	nameless map[string]bool   // occurrences of platforms that name none
	rooms    map[string]string // by occurrence
	events   []sealed
}

// id is an occurrence's id in this version.
func (o *oldSession) id(occurrence string) string {
	if o.nameless[occurrence] {
		return occurrence + "/"
	}
	return occurrence
}

// occurrence reads "number|room|start|stop|close|open connections".
func (o *oldSession) occurrence(occurrence, text string, last int64) error {
	f := strings.Split(text, "|")
	if len(f) != 6 {
		return errShape
	}
	o.rooms[occurrence] = f[1]
	for kind, text := range map[Kind]string{Started: f[2], Ended: f[3]} {
		if text == "" {
			continue
		}
		at, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%w: %w", errShape, err)
		}
		o.events = append(o.events, sealed{Kind: kind, Room: f[1], Occurrence: o.id(occurrence), At: at})
	}
	if o.events[len(o.events)-1].At < last { // the last event may have added no mark; an event of staff does not open a room
		o.events = append(o.events, sealed{Kind: Left, Staff: true, Room: f[1], Occurrence: o.id(occurrence), At: last})
	}
	return nil
}

// connection reads "owner;joins;leaves;peers" of "occurrence.connection", or of "occurrence.@person": joins "ms=person".
func (o *oldSession) connection(key, text string) error {
	occurrence, connection, _ := strings.Cut(key, ".")
	f := strings.Split(text, ";")
	room, ok := o.rooms[occurrence]
	if len(f) != 4 || !ok {
		return errShape
	}
	of := sealed{Room: room, Occurrence: o.id(occurrence)}
	if person, loose := strings.CutPrefix(connection, "@"); loose {
		of.Person = shorter(person)
	} else {
		of.Connection = connectionIn(occurrence, connection)
	}
	add := func(kind Kind, ms, person string) error {
		e := of
		at, err := strconv.ParseInt(ms, 10, 64)
		if err != nil {
			return fmt.Errorf("%w: %w", errShape, err)
		}
		if e.Kind, e.At = kind, at; person != "" {
			e.Person = shorter(person)
		}
		o.events = append(o.events, e)
		return nil
	}
	for _, join := range listed(f[1]) {
		ms, person, _ := strings.Cut(join, "=")
		if err := add(Joined, ms, person); err != nil {
			return err
		}
	}
	for _, leave := range listed(f[2]) {
		if err := add(Left, leave, ""); err != nil {
			return err
		}
	}
	for _, peer := range listed(f[3]) {
		e := of
		e.Kind, e.Peer = Bound, connectionIn(occurrence, strings.TrimPrefix(peer, occurrence+"."))
		if i := slices.IndexFunc(o.events, func(e sealed) bool { return e.Occurrence == of.Occurrence }); i >= 0 {
			e.At = o.events[i].At
		}
		o.events = append(o.events, e)
	}
	return nil
}

// person reads "connections;flags;reported".
func (o *oldSession) person(person, text string) error {
	f := strings.Split(text, ";")
	if len(f) != 3 {
		return errShape
	}
	for flag, kind := range map[string]Kind{"r": Registered, "p": Replayed} {
		if strings.Contains(f[1], flag) {
			o.events = append(o.events, sealed{Kind: kind, Person: shorter(person)})
		}
	}
	for _, total := range listed(f[2]) {
		occurrence, ms, _ := strings.Cut(total, "=")
		n, err := strconv.ParseInt(ms, 10, 64)
		if err != nil {
			return fmt.Errorf("%w: %w", errShape, err)
		}
		o.events = append(o.events, sealed{Kind: Attended, Person: shorter(person), Occurrence: o.id(occurrence), Seconds: n / 1000})
	}
	return nil
}

// shorter is a person's hash as this version cuts it.
func shorter(person string) string { return person[:min(len(person), 4*withinBytes/3)] }
