package marks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Drift is one count that is not what the marks say.
type Drift struct {
	Count    string `json:"count"`
	Stored   int64  `json:"stored"`
	Computed int64  `json:"computed"`
}

func (d Drift) String() string {
	return fmt.Sprintf("%s: stored %d, computed %d", d.Count, d.Stored, d.Computed)
}

// ErrBusy says that a session changed each time it was read.
var ErrBusy = errors.New("the session keeps changing: try again when fewer events arrive")

const attempts = 20

// Verify recomputes from the marks every count of a session, and whatever else is derived from them, and lists what differs;
// without a bug or a changed store, nothing does. A session that changes meanwhile is read again. plannedEnd is in ms.
func (s *Store) Verify(ctx context.Context, id string, plannedEnd int64) ([]Drift, error) {
	for range attempts {
		before, err := s.readCounts(ctx, id)
		if err != nil {
			return nil, err
		}
		m, err := s.readStored(ctx, id)
		if err != nil {
			return nil, err
		}
		kept, err := s.readDerived(ctx, id)
		if err != nil {
			return nil, err
		}
		after, err := s.readCounts(ctx, id)
		if err != nil {
			return nil, err
		}
		if before["rev"] == after["rev"] {
			return compare(m, plannedEnd, after, kept), nil
		}
	}
	return nil, ErrBusy
}

// comparison collects the differences.
type comparison []Drift

func (c *comparison) add(name string, stored, computed int64) {
	if stored != computed {
		*c = append(*c, Drift{name, stored, computed})
	}
}

// eachOf calls f for every key of either map, in order.
func eachOf[K cmp.Ordered, V any](stored, computed map[K]V, f func(K, V, V)) {
	all := maps.Clone(stored)
	maps.Copy(all, computed)
	for _, k := range slices.Sorted(maps.Keys(all)) {
		f(k, stored[k], computed[k])
	}
}

// marks compares the derived fields in the keys of the marks: openings, with their ends and open connections; whom connections belong to.
func (c *comparison) marks(m *storedSet) {
	openings, staff := m.openings(0, m.last), m.staffOf()
	type place struct {
		occurrence string
		index      int
	}
	open := map[place]int64{}
	for _, s := range m.stays(openings) {
		if !staff[s.person] && s.open() {
			open[place{s.occurrence, s.index}]++
		}
	}
	for id, list := range openings {
		kept := m.occurrences[id].kept
		c.add("openings of occurrence "+strconv.Itoa(kept[0].number), int64(len(kept)), int64(len(list)))
		for i := range min(len(list), len(kept)) {
			k, p, name := kept[i], list[i], strconv.Itoa(kept[i].number)
			end := p.end
			if end == never {
				end = 0
			}
			c.add("start of opening "+name, k.start, p.start)
			c.add("stop of opening "+name, k.stop, p.stop)
			c.add("end of opening "+name, k.close, end)
			c.add("open connections of opening "+name, k.open, open[place{id, i}])
		}
	}
	c.owners(m)
}

// owners compares with whom the marks of connections are kept, and the index of that.
func (c *comparison) owners(m *storedSet) {
	owners := m.Set.owners()
	lists, index := map[string][]string{}, map[string]string{}
	for key, connection := range m.connections {
		_, name, _ := strings.Cut(key, ".")
		if _, named := splitKey(key); named && (connection.marked() || len(connection.peers) > 0) {
			index[name] = owners[key]
		}
		if connection.marked() {
			lists[owners[key]] = append(lists[owners[key]], key)
		}
	}
	wrong, strangers := int64(0), int64(0)
	eachOf(m.lists, lists, func(_ string, stored, computed []string) {
		if !slices.Equal(slices.Sorted(slices.Values(stored)), slices.Sorted(slices.Values(computed))) {
			wrong++
		}
	})
	for connection := range m.owners {
		if _, ok := index[connection]; !ok {
			strangers++
		}
	}
	for connection, owner := range index {
		if stored, ok := m.owners[connection]; !ok || stored != owner {
			strangers++
		}
	}
	c.add("people with other connections", wrong, 0)
	c.add("connections of another owner", strangers, 0)
}

// compare compares what is stored with what the marks give.
func compare(m *storedSet, plannedEnd int64, stored Counts, kept derived) []Drift {
	var c comparison
	t := m.census(plannedEnd, m.last)
	have := maps.Clone(stored)
	have["watch"] += stored["present"]*(t.until-stored["base"]) - stored["open_moment"]
	computed := m.Count(plannedEnd, m.last).Counts
	for _, name := range []string{"base", "peak", "peak_at"} { // a moment, and what is made of the log
		delete(computed, name)
	}
	for _, name := range slices.Sorted(maps.Keys(computed)) {
		c.add(name, have[name], computed[name])
	}
	want := m.derive(t, stored["base"])
	c.add("open_moment", stored["open_moment"], want.openMoment)
	c.marks(m)
	eachOf(kept.deltas, want.deltas, func(name string, a, b int64) { c.add("delta "+name, a, b) })
	eachOf(kept.labels, want.labels, func(name string, a, b label) {
		c.add("persons of label "+name, a.persons, b.persons)
		c.add("moment of label "+name, a.moment, b.moment)
		c.add("watch of label "+name, a.watch, b.watch)
		c.add("last of label "+name, a.last, max(a.last, b.last))
	})
	eachOf(kept.guests, want.guests, func(_ string, a, b int64) { c.add("guests of one name", a, b) })
	return c
}

// Repair rebuilds every derived count of a session from its marks: they are recorded again under the keys of a shadow on
// the same shard, which then takes the session's place in one step, unless something was recorded meanwhile.
func (s *Store) Repair(ctx context.Context, id string) error {
	for range attempts {
		before, err := s.readCounts(ctx, id)
		if err != nil {
			return err
		}
		m, err := s.Read(ctx, id)
		if err != nil {
			return err
		}
		done, err := s.swap(ctx, id, m, before["rev"])
		if err != nil || done {
			return err
		}
	}
	return ErrBusy
}

// Drop takes an occurrence out of a session, with everything that was said of it; ErrBusy.
func (s *Store) Drop(ctx context.Context, id, occurrence string) error {
	for range attempts {
		before, err := s.readCounts(ctx, id)
		if err != nil {
			return err
		}
		m, err := s.Read(ctx, id)
		if errors.Is(err, errShape) { // read in several commands: what is recorded between them may not fit together
			after, changed := s.readCounts(ctx, id)
			if changed == nil && after["rev"] != before["rev"] {
				continue
			}
		}
		if err != nil || !m.drop(occurrence) {
			return err
		}
		done, err := s.swap(ctx, id, m, before["rev"])
		if err != nil || done {
			return err
		}
	}
	return ErrBusy
}

// swap writes the marks under shadow keys and renames those over the session's, if its rev is still the same.
func (s *Store) swap(ctx context.Context, id string, m *Set, rev int64) (bool, error) {
	shadow := New(s.rdb, s.keys.Prefix+"shadow:")
	from, to := shadow.keys.Session(id), s.keys.Session(id)
	if err := s.rdb.Del(ctx, from...).Err(); err != nil {
		return false, fmt.Errorf("repair: %w", err)
	}
	defer s.rdb.Del(context.WithoutCancel(ctx), from...)
	for batch := range slices.Chunk(m.events(id), atOnce) {
		if _, err := shadow.call(ctx, id, batch); err != nil {
			return false, err
		}
	}
	err := s.rdb.Watch(ctx, func(tx *redis.Tx) error {
		text, err := tx.Get(ctx, s.keys.Counts(id)).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		now, err := parseCounts(text)
		if err != nil || now["rev"] != rev {
			return errors.Join(redis.TxFailedErr, err)
		}
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			for i := range from {
				p.Del(ctx, to[i])
				p.Copy(ctx, from[i], to[i], 0, true)
			}
			return nil
		})
		return err
	}, s.keys.Counts(id))
	if errors.Is(err, redis.TxFailedErr) {
		return false, nil
	}
	return err == nil, err
}

// events turns the set back into events: recording them gives the same set.
func (m *Set) events(session string) []Placed {
	var out []Placed
	emit := func(e Mark) { out = append(out, Placed{Session: session, Mark: e}) }
	for id, o := range m.occurrences {
		of := Mark{Room: o.room, Occurrence: id, Kind: Started}
		for at := range o.touches {
			of.At = at
			emit(of)
		}
		of.Kind = Ended
		for at := range o.stops {
			of.At = at
			emit(of)
		}
		if of.Kind, of.At = Left, o.start; o.nameless { // it may open nothing
			of.Staff = true
		} else {
			of.Kind = Started
		}
		emit(of)
	}
	for key, c := range m.connections {
		m.eventsOf(key, c, emit)
	}
	for _, set := range []struct {
		people map[string]bool
		e      Mark
	}{{m.staff, Mark{Kind: Registered, Staff: true}}, {m.registered, Mark{Kind: Registered}}, {m.replayed, Mark{Kind: Replayed}}} {
		for person := range set.people {
			set.e.Person = person
			emit(set.e)
		}
	}
	for id, addresses := range m.same {
		for address := range addresses {
			emit(Mark{Kind: Same, Person: address, Peer: id})
		}
	}
	for person, totals := range m.reported {
		for occurrence, ms := range totals {
			emit(Mark{Kind: Attended, Person: person, Occurrence: occurrence, Seconds: ms / 1000})
		}
	}
	if m.last > m.latest() { // the last event has added no mark
		for id, o := range m.occurrences {
			emit(Mark{Kind: Left, Staff: true, Room: o.room, Occurrence: id, At: m.last})
			break
		}
	}
	return out
}

// eventsOf turns the marks of one connection back into events.
func (m *Set) eventsOf(key string, c *connectionMarks, emit func(Mark)) {
	occurrence, named := splitKey(key)
	of := Mark{Occurrence: occurrence, Room: m.occurrences[occurrence].room}
	if named {
		of.Connection = key[len(occurrence)+1:]
	}
	for kind, set := range map[Kind]map[stamp]bool{Joined: c.joins, Left: c.leaves} {
		for k := range set {
			e := of
			e.Kind, e.At, e.Person, e.Name = kind, k.at, k.person, m.names[k.person]
			emit(e)
		}
	}
	if of.At = m.occurrences[occurrence].start; c.staff {
		e := of
		e.Kind, e.Staff = Left, true
		emit(e)
	}
	for peer := range c.peers {
		e := of
		e.Kind, e.Peer = Bound, peer[len(occurrence)+1:]
		emit(e)
	}
}
