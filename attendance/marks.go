package attendance

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// This file and count.go are the reference model, written to be read: a set of marks, and every figure as a function of it. The
// counts that record.lua keeps are tested against it, rows and summaries are made by it, and Verify computes with it. Times are
// milliseconds of event time.

// closeAfter is how long after its planned end or its last event, whichever is later, a session without a reported end is closed.
const closeAfter = 30 * time.Minute

// marks is the set that everything derives from. Adding a mark twice, or two marks in either order, gives the same set.
type marks struct {
	occurrences map[string]*occurrenceMarks
	connections map[string]*connectionMarks // by occurrence.connection; where the platform names none, occurrence.@person
	registered  map[string]bool             // by person
	replayed    map[string]bool             // by person: watched the recording
	reported    map[string]map[string]int64 // by person and occurrence: the platform's own total, ms
	last        int64                       // latest event time, 0 before the first
	lists       map[string][]string         // by person: as record.lua keeps them, the connections that are theirs
}

type occurrenceMarks struct {
	room  string
	start int64 // earliest mark of any kind
	stop  int64 // latest end mark, 0: none

	// As record.lua keeps them, for Verify alone.
	number     int   // its name in labels
	storedEnd  int64 // 0: it has not ended
	storedOpen int64 // open connections
}

type connectionMarks struct {
	joins  map[joinMark]bool
	leaves map[int64]bool
	owner  string          // as record.lua keeps it, for Verify alone; empty: it has no join
	peers  map[string]bool // connections bound to this one
}

type joinMark struct {
	at     int64
	person string // empty: the platform named none
}

func newMarks() *marks {
	return &marks{
		occurrences: map[string]*occurrenceMarks{}, connections: map[string]*connectionMarks{},
		registered: map[string]bool{}, replayed: map[string]bool{}, reported: map[string]map[string]int64{}, lists: map[string][]string{},
	}
}

func splitKey(key string) (occurrence string, native bool) {
	for i := range len(key) {
		if key[i] == '.' {
			return key[:i], key[i+1] != '@'
		}
	}
	return key, false
}

func (m *marks) connection(key string) *connectionMarks {
	c := m.connections[key]
	if c == nil {
		c = &connectionMarks{joins: map[joinMark]bool{}, leaves: map[int64]bool{}, peers: map[string]bool{}}
		m.connections[key] = c
	}
	return c
}

// latest is the time of the last mark in the set. The last event may be later: an event of staff adds no mark, and neither does a
// second report that the room is open.
func (m *marks) latest() int64 {
	latest := int64(0)
	for _, o := range m.occurrences {
		latest = max(latest, o.start, o.stop)
	}
	for _, c := range m.connections {
		for j := range c.joins {
			latest = max(latest, j.at)
		}
		for at := range c.leaves {
			latest = max(latest, at)
		}
	}
	return latest
}

// never is the end of what has not ended.
const never = int64(1<<63 - 1)

// ends gives each occurrence its end: its latest end mark; without one, the start of the next occurrence of the same
// room; without that, closeAt if it has come.
func (m *marks) ends(plannedEnd, now int64) map[string]int64 {
	ends := map[string]int64{}
	for id, o := range m.occurrences {
		end := never
		if at := m.closeAt(plannedEnd); now >= at {
			end = at
		}
		for _, next := range m.occurrences {
			if next.room == o.room && next.start > o.start {
				end = min(end, next.start)
			}
		}
		if o.stop != 0 {
			end = o.stop
		}
		ends[id] = end
	}
	return ends
}

func (m *marks) closeAt(plannedEnd int64) int64 {
	return max(plannedEnd, m.last) + closeAfter.Milliseconds()
}

// visit is one stay of one connection. Without a leave, low is the last evidence of the person in the occurrence.
type visit struct {
	start, end, low int64 // low == end unless the leave was inferred
}

// owners gives every connection that has a join its person: the one whom the earliest join names, over the connection
// and all that are bound to it; where none is named, the connection itself is the person.
func (m *marks) owners() map[string]string {
	owners := map[string]string{}
	for key, c := range m.connections {
		if len(c.joins) == 0 {
			continue
		}
		var best joinMark
		smallest := ""
		for _, member := range m.bound(key) {
			joins := m.connections[member].joins
			if len(joins) > 0 && (smallest == "" || member < smallest) {
				smallest = member
			}
			for j := range joins {
				if j.person != "" && (best.person == "" || j.at < best.at || j.at == best.at && j.person < best.person) {
					best = j
				}
			}
		}
		if best.person == "" {
			best.person = "~" + smallest
		}
		owners[key] = best.person
	}
	return owners
}

// bound lists the connections that binds tie to this one, itself included.
func (m *marks) bound(key string) []string {
	members, seen := []string{key}, map[string]bool{key: true}
	for i := 0; i < len(members); i++ {
		for peer := range m.connections[members[i]].peers {
			if !seen[peer] {
				seen[peer] = true
				members = append(members, peer)
			}
		}
	}
	return members
}

// visits pairs the joins and leaves of one connection, not yet cut at the occurrence's end. Without a leave a visit ends never.
func (c *connectionMarks) visits(native bool) []visit {
	if len(c.joins) == 0 {
		return nil
	}
	joins := make([]int64, 0, len(c.joins))
	for j := range c.joins {
		joins = append(joins, j.at)
	}
	leaves := slices.Collect(maps.Keys(c.leaves))
	if native {
		start, end := slices.Min(joins), never
		if len(leaves) > 0 {
			end = max(start, slices.Max(leaves))
		}
		return []visit{{start: start, end: end}}
	}
	type mark struct {
		at   int64
		join int // leave 0 before join 1 at equal times
	}
	var all []mark
	for _, at := range joins {
		all = append(all, mark{at, 1})
	}
	for _, at := range leaves {
		all = append(all, mark{at, 0})
	}
	slices.SortFunc(all, func(a, b mark) int { return cmp.Or(cmp.Compare(a.at, b.at), a.join-b.join) })
	var out []visit
	inside := false
	for _, k := range all {
		switch {
		case k.join == 1 && !inside:
			out, inside = append(out, visit{start: k.at, end: never}), true
		case k.join == 0 && inside:
			out[len(out)-1].end, inside = k.at, false
		}
	}
	return out
}

// isOpen says whether the connection has joined and not left.
func (c *connectionMarks) isOpen(native bool) bool {
	visits := c.visits(native)
	return len(visits) > 0 && visits[len(visits)-1].end == never
}
