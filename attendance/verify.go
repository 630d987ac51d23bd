package attendance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"jauge/programme"
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
// without a bug or a changed store, nothing does. A session that changes meanwhile is read again.
func (s *Store) Verify(ctx context.Context, id string) ([]Drift, error) {
	session, err := s.programme.Session(ctx, id)
	if err != nil {
		return nil, err
	}
	for range attempts {
		before, err := s.readCounts(ctx, id)
		if err != nil {
			return nil, err
		}
		m, err := s.readMarks(ctx, id)
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
			return compare(m, session, after, kept), nil
		}
	}
	return nil, ErrBusy
}

func (s *reader) readCounts(ctx context.Context, id string) (counts, error) {
	raw, err := s.rdb.HGetAll(ctx, s.keys.counts(id)).Result()
	if err != nil {
		return nil, fmt.Errorf("read counts: %w", err)
	}
	return parseCounts(raw)
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

// tree compares the tree that the peak is found with. The second tail may be any from the curve's last second on.
func (c *comparison) tree(stored counts, kept, want derived) {
	eachOf(kept.tree, want.tree, func(name string, a, b node) {
		c.add("sum of tree "+name, a.sum, b.sum)
		c.add("max of tree "+name, a.max, b.max)
		c.add("at of tree "+name, a.at, b.at)
	})
	for second := range want.curve {
		c.add("tail", stored["tail"], max(stored["tail"], second))
	}
	root := want.tree[fmt.Sprintf("%d:%d", stored["level"], stored["root"])]
	c.add("tail_by", stored["tail_by"], want.curve[stored["tail"]])
	c.add("root_sum", stored["root_sum"], root.sum)
	c.add("root_max", stored["root_max"], root.max)
	c.add("root_at", stored["root_at"], root.at)
}

// marks compares the derived fields in the keys of the marks: ends, open connections, owners, each person's connections.
func (c *comparison) marks(m *marks) {
	owners, ends := m.owners(), m.ends(0, m.last)
	inside, strangers := map[string]int64{}, int64(0)
	lists := map[string][]string{}
	for key, connection := range m.connections {
		occurrence, native := splitKey(key)
		if connection.isOpen(native) {
			inside[occurrence]++
		}
		if connection.owner != owners[key] {
			strangers++
		}
		if owners[key] != "" {
			lists[owners[key]] = append(lists[owners[key]], key)
		}
	}
	for id, o := range m.occurrences {
		end := ends[id]
		if end == never {
			end = 0
		}
		c.add("end of occurrence "+strconv.Itoa(o.number), o.storedEnd, end)
		c.add("open connections of occurrence "+strconv.Itoa(o.number), o.storedOpen, inside[id])
	}
	wrong := int64(0)
	eachOf(m.lists, lists, func(_ string, stored, computed []string) {
		if !slices.Equal(slices.Sorted(slices.Values(stored)), slices.Sorted(slices.Values(computed))) {
			wrong++
		}
	})
	c.add("connections of another owner", strangers, 0)
	c.add("people with other connections", wrong, 0)
}

// compare compares what is stored with what the marks give.
func compare(m *marks, session programme.Session, stored counts, kept derived) []Drift {
	var c comparison
	computed, t := m.counts(session.EndsAt.UnixMilli())
	have := maps.Clone(stored)
	have["watch"] += stored["present"]*(t.until-stored["base"]) - stored["open_moment"]
	have["base"] = computed["base"] // a moment, not a count
	for _, name := range slices.Sorted(maps.Keys(computed)) {
		c.add(name, have[name], computed[name])
	}
	want := m.derive(t.deltas, stored)
	c.add("open_moment", stored["open_moment"], want.openMoment)
	c.marks(m)
	c.tree(stored, kept, want)
	eachOf(kept.curve, want.curve, func(second, a, b int64) { c.add("curve at "+strconv.FormatInt(second, 10), a, b) })
	eachOf(kept.deltas, want.deltas, func(name string, a, b int64) { c.add("delta "+name, a, b) })
	eachOf(kept.labels, want.labels, func(name string, a, b label) {
		c.add("persons of label "+name, a.persons, b.persons)
		c.add("moment of label "+name, a.moment, b.moment)
		c.add("watch of label "+name, a.watch, b.watch)
		c.add("last of label "+name, a.last, max(a.last, b.last))
	})
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
		m, err := s.readMarks(ctx, id)
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

// swap writes the marks under shadow keys and renames those over the session's, if its rev is still the same.
func (s *Store) swap(ctx context.Context, id string, m *marks, rev int64) (bool, error) {
	b := &base{rdb: s.rdb, keys: keys{s.keys.prefix + "shadow:"}}
	shadow := &Store{base: b, names: &names{b}}
	from, to := shadow.keys.session(id), s.keys.session(id)
	if err := s.rdb.Del(ctx, from...).Err(); err != nil {
		return false, fmt.Errorf("repair: %w", err)
	}
	defer s.rdb.Del(context.WithoutCancel(ctx), from...)
	for batch := range slices.Chunk(m.events(id), 500) {
		if _, err := shadow.write(ctx, batch); err != nil {
			return false, err
		}
	}
	err := s.rdb.Watch(ctx, func(tx *redis.Tx) error {
		now, err := tx.HGet(ctx, s.keys.counts(id), "rev").Int64()
		if err != nil && !errors.Is(err, redis.Nil) || now != rev {
			return errors.Join(redis.TxFailedErr, err)
		}
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			for i := range from {
				p.Del(ctx, to[i])
				p.Copy(ctx, from[i], to[i], 0, true)
			}
			p.HSet(ctx, s.keys.counts(id), "rev", rev+1)
			return nil
		})
		return err
	}, s.keys.counts(id))
	if errors.Is(err, redis.TxFailedErr) {
		return false, nil
	}
	return err == nil, err
}

// events turns the set back into events: recording them gives the same set.
func (m *marks) events(session string) []placed {
	var out []placed
	emit := func(e sealed) { out = append(out, placed{session, e}) }
	for id, o := range m.occurrences {
		emit(sealed{Kind: Started, Room: o.room, Occurrence: id, At: o.start})
		if o.stop != 0 {
			emit(sealed{Kind: Ended, Room: o.room, Occurrence: id, At: o.stop})
		}
	}
	for key, c := range m.connections {
		occurrence, native := splitKey(key)
		of := sealed{Occurrence: occurrence, Connection: key[len(occurrence)+1:]}
		of.Room = m.occurrences[occurrence].room
		if !native {
			of.Person, of.Connection = of.Connection[1:], ""
		}
		for j := range c.joins {
			e := of
			e.Kind, e.At = Joined, j.at
			if native {
				e.Person = j.person
			}
			emit(e)
		}
		for at := range c.leaves {
			e := of
			e.Kind, e.At = Left, at
			emit(e)
		}
		for peer := range c.peers {
			e := of
			e.Kind, e.Peer, e.At = Bound, peer[len(occurrence)+1:], m.occurrences[occurrence].start
			emit(e)
		}
	}
	for person := range m.registered {
		emit(sealed{Kind: Registered, Person: person})
	}
	for person := range m.replayed {
		emit(sealed{Kind: Replayed, Person: person})
	}
	for person, totals := range m.reported {
		for occurrence, ms := range totals {
			emit(sealed{Kind: Attended, Person: person, Occurrence: occurrence, Seconds: ms / 1000})
		}
	}
	if m.last > 0 && len(m.occurrences) > 0 { // the last event may have added no mark
		for id, o := range m.occurrences {
			emit(sealed{Kind: Started, Room: o.room, Occurrence: id, At: max(m.last, o.start)})
			break
		}
	}
	return out
}
