package marks

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
func (k Keys) before(id string) map[string]string {
	names := map[string]string{}
	for _, name := range []string{"counts", "occurrences", "connections", "people", "labels", "deltas", "curve", "tree"} {
		names[name] = k.Of(id, name)
	}
	return names
}

// InFormat1 says whether something of a session is stored in format 1.
func (s *Store) InFormat1(ctx context.Context, id string) (bool, error) {
	keys := s.keys.before(id)
	n, err := s.rdb.Exists(ctx, keys["counts"], keys["people"]).Result()
	return n > 0, err
}

// Migrate records the marks that are in format 1 of one session anew, and removes the old ones when all of them are there. nameless are the
// occurrences of platforms that name none.
func (s *Store) Migrate(ctx context.Context, id string, nameless map[string]bool) error {
	keys := s.keys.before(id)
	last, err := s.rdb.HGet(ctx, keys["counts"], "last").Int64()
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	o := oldSession{nameless: nameless, rooms: map[string]string{}}
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
	for marks := range slices.Chunk(o.marks, atOnce) {
		batch := make([]Placed, len(marks))
		for i, m := range marks {
			batch[i] = Placed{Session: id, Mark: m}
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

// oldSession turns what format 1 kept of a session into marks.
type oldSession struct {
	nameless map[string]bool   // occurrences of platforms that name none
	rooms    map[string]string // by occurrence
	marks    []Mark
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
	seen := int64(0)
	for i, kind := range []Kind{Started, Ended} {
		text := f[2+i]
		if text == "" {
			continue
		}
		at, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%w: %w", errShape, err)
		}
		seen = max(seen, at)
		o.marks = append(o.marks, Mark{Kind: kind, Room: f[1], Occurrence: o.id(occurrence), At: at})
	}
	if seen < last { // the last event may have added no mark; an event of staff does not open a room
		o.marks = append(o.marks, Mark{Kind: Left, Staff: true, Room: f[1], Occurrence: o.id(occurrence), At: last})
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
	of := Mark{Room: room, Occurrence: o.id(occurrence)}
	if person, loose := strings.CutPrefix(connection, "@"); loose {
		of.Person = shorter(person)
	} else {
		of.Connection = ConnectionIn(occurrence, connection)
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
		o.marks = append(o.marks, e)
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
		e.Kind, e.Peer = Bound, ConnectionIn(occurrence, strings.TrimPrefix(peer, occurrence+"."))
		if i := slices.IndexFunc(o.marks, func(e Mark) bool { return e.Occurrence == of.Occurrence }); i >= 0 {
			e.At = o.marks[i].At
		}
		o.marks = append(o.marks, e)
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
			o.marks = append(o.marks, Mark{Kind: kind, Person: shorter(person)})
		}
	}
	for _, total := range listed(f[2]) {
		occurrence, ms, _ := strings.Cut(total, "=")
		n, err := strconv.ParseInt(ms, 10, 64)
		if err != nil {
			return fmt.Errorf("%w: %w", errShape, err)
		}
		o.marks = append(o.marks, Mark{Kind: Attended, Person: shorter(person), Occurrence: o.id(occurrence), Seconds: n / 1000})
	}
	return nil
}

// shorter is a person's hash as this version cuts it.
func shorter(person string) string { return person[:min(len(person), 4*IDBytes/3)] }
