package marks

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// This file and count.go are the reference model, written to be read: a set of marks, and every figure as a function of it. The
// counts that record.lua keeps are tested against it, rows and summaries are made by it, and Verify computes with it. Times are
// milliseconds of event time.

// CloseAfter is how long after its planned end or its last event, whichever is later, a session without a reported end is closed.
const CloseAfter = 30 * time.Minute

// Set is the set of marks that everything derives from. Adding a mark twice, or two marks in either order, gives the same set.
type Set struct {
	occurrences map[string]*occurrenceMarks
	connections map[string]*connectionMarks // by occurrence.connection; what names no connection is occurrence.@person
	same        map[string]map[string]bool  // by id: the addresses of whom it is
	staff       map[string]bool             // by person
	registered  map[string]bool             // by person
	replayed    map[string]bool             // by person: watched the recording
	names       map[string]string           // by guest: the first, in order, of the names they were shown under (hashes)
	reported    map[string]map[string]int64 // by person and occurrence: the platform's own total, ms
	last        int64                       // latest event time, 0 before the first
}

// occurrenceMarks is one occurrence. Where the platform names none, one stands for every opening of the room: each of its ends closes
// who is inside, and what comes later opens it again.
type occurrenceMarks struct {
	room     string
	nameless bool
	start    int64          // earliest mark of any kind
	stops    map[int64]bool // end marks; of a named occurrence only the latest counts
	touches  map[int64]bool // nameless: what opens the room beside joins of the audience (a start, a join of staff)

	kept []keptOpening // as record.lua keeps them, in order, for Verify alone
}

// keptOpening is an opening as record.lua keeps it.
type keptOpening struct {
	number                   int // its name in labels
	start, stop, close, open int64
}

type connectionMarks struct {
	joins, leaves map[stamp]bool
	staff         bool
	peers         map[string]bool // connections bound to this one
}

// stamp is a join or a leave of a connection.
type stamp struct {
	at     int64
	person string // empty: the platform named none
}

// NewSet returns an empty set.
func NewSet() *Set {
	return &Set{
		occurrences: map[string]*occurrenceMarks{}, connections: map[string]*connectionMarks{}, same: map[string]map[string]bool{}, staff: map[string]bool{},
		registered: map[string]bool{}, replayed: map[string]bool{}, names: map[string]string{}, reported: map[string]map[string]int64{},
	}
}

// Add puts a mark into the set. In the service record.lua does that: this is what it has to do.
func (m *Set) Add(e Mark) {
	if e.Kind.OfPerson() {
		m.addOfPerson(e)
		return
	}
	o := m.occurrences[e.Occurrence]
	if o == nil {
		o = &occurrenceMarks{
			room: e.Room, nameless: strings.HasSuffix(e.Occurrence, "/"), start: e.At, stops: map[int64]bool{}, touches: map[int64]bool{},
		}
		m.occurrences[e.Occurrence] = o
	}
	o.start, m.last = min(o.start, e.At), max(m.last, e.At)
	switch {
	case e.Kind == Ended:
		o.stops[e.At] = true
		return
	case e.Kind == Started, e.Kind == Joined && e.Staff:
		o.touches[e.At] = true
	}
	if e.Kind == Started {
		return
	}
	if e.Kind == Bound {
		key, peer := connectionKey(e.Occurrence, e.Connection, ""), connectionKey(e.Occurrence, e.Peer, "")
		if key != peer {
			m.connection(key).peers[peer] = true
			m.connection(peer).peers[key] = true
		}
	}
	key := connectionKey(e.Occurrence, e.Connection, e.Person)
	switch {
	case e.Staff:
		if e.Person != "" {
			m.staff[e.Person] = true
		}
		if e.Connection != "" {
			m.connection(key).staff = true
		}
		return
	case e.Kind == Joined:
		m.connection(key).joins[stamp{e.At, e.Person}] = true
	case e.Kind == Left:
		m.connection(key).leaves[stamp{e.At, e.Person}] = true
	}
	if e.extra() != "" && e.Kind != Bound && (m.names[e.Person] == "" || e.Name < m.names[e.Person]) {
		m.names[e.Person] = e.Name
	}
}

func (m *Set) addOfPerson(e Mark) {
	switch {
	case e.Kind == Same:
		if m.same[e.Peer] == nil {
			m.same[e.Peer] = map[string]bool{}
		}
		m.same[e.Peer][e.Person] = true
	case e.Staff:
		m.staff[e.Person] = true
	case e.Kind == Registered:
		m.registered[e.Person] = true
	case e.Kind == Replayed:
		m.replayed[e.Person] = true
	default:
		if m.reported[e.Person] == nil {
			m.reported[e.Person] = map[string]int64{}
		}
		m.reported[e.Person][e.Occurrence] = max(m.reported[e.Person][e.Occurrence], e.Seconds*1000)
	}
}

// connectionKey names a connection within a session. What names none is of the person.
func connectionKey(occurrence, connection, person string) string {
	if connection == "" {
		return occurrence + ".@" + person
	}
	return occurrence + "." + connection
}

// drop takes an occurrence out of the set; false: it was not there.
func (m *Set) drop(occurrence string) bool {
	_, had := m.occurrences[occurrence]
	delete(m.occurrences, occurrence)
	maps.DeleteFunc(m.connections, func(key string, _ *connectionMarks) bool {
		of, _ := splitKey(key)
		had = had || of == occurrence
		return of == occurrence
	})
	for person, totals := range m.reported {
		if _, ok := totals[occurrence]; !ok {
			continue
		}
		had = true
		if delete(totals, occurrence); len(totals) == 0 {
			delete(m.reported, person)
		}
	}
	m.last = m.latest()
	return had
}

// splitKey gives the occurrence of a connection's key, and whether the platform named the connection.
func splitKey(key string) (occurrence string, named bool) {
	occurrence, connection, _ := strings.Cut(key, ".")
	return occurrence, !strings.HasPrefix(connection, "@")
}

// IsGuest says whether a person is known by an id that the platform does not give them for longer than a connection.
func IsGuest(person string) bool {
	return strings.HasPrefix(person, "*") || strings.HasPrefix(person, "~")
}

func (m *Set) connection(key string) *connectionMarks {
	c := m.connections[key]
	if c == nil {
		c = &connectionMarks{joins: map[stamp]bool{}, leaves: map[stamp]bool{}, peers: map[string]bool{}}
		m.connections[key] = c
	}
	return c
}

// marked says whether there is a mark beside those that bind the connection to others.
func (c *connectionMarks) marked() bool { return c.staff || len(c.joins) > 0 || len(c.leaves) > 0 }

// latest is the time of the last mark in the set. The last event may be later: an event of staff, or a second report that the room is
// open, may add none.
func (m *Set) latest() int64 {
	latest := int64(0)
	for _, o := range m.occurrences {
		latest = max(latest, o.start)
		for at := range o.stops {
			latest = max(latest, at)
		}
	}
	for _, c := range m.connections {
		for _, set := range []map[stamp]bool{c.joins, c.leaves} {
			for k := range set {
				latest = max(latest, k.at)
			}
		}
	}
	return latest
}

// never is the end of what has not ended.
const never = int64(1<<63 - 1)

// opening is one time that a room was open: a whole occurrence, or what lies between two ends of a nameless one.
type opening struct {
	occurrence string
	index      int // within the occurrence
	room       string
	start      int64 // 0: nothing has opened it
	stop       int64 // its end mark; 0: none
	end        int64 // its end; never, while it is open
}

// openings lists the openings of every occurrence in order, each with its end: its end mark; without one, the start of the
// next opening of the same room; without that, the automatic close if that has come.
func (m *Set) openings(plannedEnd, now int64) map[string][]opening {
	all := map[string][]opening{}
	starts := map[string][]int64{} // by room
	for id, o := range m.occurrences {
		all[id] = o.openings(id)
		if o.nameless {
			m.startOpenings(id, all[id])
		}
		for _, p := range all[id] {
			if p.start != 0 {
				starts[o.room] = append(starts[o.room], p.start)
			}
		}
	}
	closeAt := m.closeAt(plannedEnd)
	for _, list := range all {
		for i := range list {
			p := &list[i]
			if p.end = p.stop; p.stop != 0 {
				continue
			}
			if p.end = never; now >= closeAt {
				p.end = closeAt
			}
			for _, next := range starts[p.room] {
				if p.start != 0 && next > p.start {
					p.end = min(p.end, next)
				}
			}
		}
	}
	return all
}

// openings cuts an occurrence at its ends. Only the first has its start: that of the others is the first mark that opens them.
func (o *occurrenceMarks) openings(id string) []opening {
	stops := slices.Sorted(maps.Keys(o.stops))
	if !o.nameless && len(stops) > 0 {
		stops = stops[len(stops)-1:]
	}
	list := make([]opening, 0, len(stops)+1)
	for i, stop := range stops {
		list = append(list, opening{occurrence: id, index: i, room: o.room, stop: stop})
	}
	if o.nameless || len(stops) == 0 {
		list = append(list, opening{occurrence: id, index: len(stops), room: o.room})
	}
	list[0].start = o.start
	return list
}

// startOpenings finds what opened the room again, after each of its ends.
func (m *Set) startOpenings(id string, list []opening) {
	open := func(at int64) {
		if p := &list[placeOf(list, at, true)]; p.index > 0 && (p.start == 0 || at < p.start) {
			p.start = at
		}
	}
	for at := range m.occurrences[id].touches {
		open(at)
	}
	for key, c := range m.connections {
		if occurrence, _ := splitKey(key); occurrence == id {
			for j := range c.joins {
				open(j.at)
			}
		}
	}
}

// placeOf is the index of the opening that a mark belongs to. At the time of an end, what opens the room belongs to the next.
func placeOf(list []opening, at int64, opens bool) int {
	for i, p := range list[:len(list)-1] {
		if at < p.stop || at == p.stop && !opens {
			return i
		}
	}
	return len(list) - 1
}

func (m *Set) closeAt(plannedEnd int64) int64 {
	return max(plannedEnd, m.last) + CloseAfter.Milliseconds()
}

// who gives the person that an id is of: addresses that have an id in common are one person, and the first of them, in order, is who it is.
func (m *Set) who() func(id string) string {
	first := map[string]string{} // by id or address
	for changed := true; changed; {
		changed = false
		for id, addresses := range m.same {
			best := first[id]
			for address := range addresses {
				for _, candidate := range []string{address, first[address]} {
					if candidate != "" && (best == "" || candidate < best) {
						best = candidate
					}
				}
			}
			for of := range addresses {
				if first[of] != best {
					first[of], changed = best, true
				}
			}
			if first[id] != best {
				first[id], changed = best, true
			}
		}
	}
	return func(id string) string { return cmp.Or(first[id], id) }
}

// owners gives every connection that has a mark its person: the one whom the earliest join names, over the connection and all that
// are bound to it; else the one whom the earliest leave names; where none is named, the connection itself is the person.
func (m *Set) owners() map[string]string {
	owners, who := map[string]string{}, m.who()
	for key, c := range m.connections {
		if !c.marked() {
			continue
		}
		var join, leave stamp
		smallest := ""
		for _, member := range m.bound(key) {
			of := m.connections[member]
			if of.marked() && (smallest == "" || member < smallest) {
				smallest = member
			}
			join, leave = earliest(join, of.joins), earliest(leave, of.leaves)
		}
		_, connection, _ := strings.Cut(smallest, ".")
		owners[key] = cmp.Or(who(join.person), who(leave.person), "~"+connection)
	}
	return owners
}

// earliest is the earliest of these marks that names a person, of two the one whose person comes first.
func earliest(best stamp, set map[stamp]bool) stamp {
	for k := range set {
		if k.person != "" && (best.person == "" || k.at < best.at || k.at == best.at && k.person < best.person) {
			best = k
		}
	}
	return best
}

// bound lists the connections that binds tie to this one, itself included.
func (m *Set) bound(key string) []string {
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

// bindAll ties connections together that are known to be of one person.
func (m *Set) bindAll(keys []string) {
	for _, key := range keys {
		m.connection(keys[0]).peers[key] = true
		m.connection(key).peers[keys[0]] = true
	}
}

// visit is one stay of one connection. Without a leave, low is the last evidence of the person in the occurrence.
type visit struct {
	start, end, low int64 // low == end unless the leave was inferred
}

// pair gives the visits of one connection: its joins and leaves pair in time order, leave before join at equal times; a join while it
// is open and a leave while it is closed are ignored. Without a leave a visit ends never.
func pair(joins, leaves []int64) []visit {
	type step struct {
		at   int64
		join int // leave 0 before join 1 at equal times
	}
	all := make([]step, 0, len(joins)+len(leaves))
	for _, at := range joins {
		all = append(all, step{at, 1})
	}
	for _, at := range leaves {
		all = append(all, step{at, 0})
	}
	slices.SortFunc(all, func(a, b step) int { return cmp.Or(cmp.Compare(a.at, b.at), a.join-b.join) })
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

// stay is what one connection of a person says of them in one opening: its visits, not cut at the opening's end.
type stay struct {
	person string
	opening
	visits   []visit
	evidence int64 // latest mark of the person in the opening
}

// open says whether somebody has joined and not left.
func (s stay) open() bool { return len(s.visits) > 0 && s.visits[len(s.visits)-1].end == never }

// stays lists what every connection says. A mark that names no connection is of every connection that its person has in the occurrence; of
// a person who has none there, it is a connection of its own.
func (m *Set) stays(openings map[string][]opening) []stay {
	type place struct{ person, occurrence string }
	connections, loose := map[place][]string{}, map[place][]*connectionMarks{}
	for key, person := range m.owners() {
		occurrence, named := splitKey(key)
		if at := (place{person, occurrence}); named {
			connections[at] = append(connections[at], key)
		} else {
			connections[at], loose[at] = append([]string{}, connections[at]...), append(loose[at], m.connections[key])
		}
	}
	var out []stay
	for at, keys := range connections {
		list := openings[at.occurrence]
		evidence, from := make([]int64, len(list)), len(out)
		if len(keys) == 0 {
			out = appendStays(out, at.person, list, evidence, loose[at]...)
		}
		for _, key := range keys {
			out = appendStays(out, at.person, list, evidence, append([]*connectionMarks{m.connections[key]}, loose[at]...)...)
		}
		for i := range out[from:] {
			out[from+i].evidence = evidence[out[from+i].index]
		}
	}
	return out
}

// appendStays adds the stays of one connection, whose marks are in these sets, and notes the latest mark of each opening.
func appendStays(out []stay, person string, list []opening, evidence []int64, sets ...*connectionMarks) []stay {
	joins, leaves := make([][]int64, len(list)), make([][]int64, len(list))
	note := func(by [][]int64, at int64, opens bool) {
		i := placeOf(list, at, opens)
		by[i], evidence[i] = append(by[i], at), max(evidence[i], at)
	}
	for _, c := range sets {
		for k := range c.joins {
			note(joins, k.at, true)
		}
		for k := range c.leaves {
			note(leaves, k.at, false)
		}
	}
	for i, p := range list {
		if len(joins[i])+len(leaves[i]) > 0 {
			out = append(out, stay{person: person, opening: p, visits: pair(joins[i], leaves[i])})
		}
	}
	return out
}

// staffOf says which persons are staff: whom a mark of staff names, and who has a connection with one.
func (m *Set) staffOf() map[string]bool {
	staff, who := map[string]bool{}, m.who()
	for person := range m.staff {
		staff[who(person)] = true
	}
	for key, person := range m.owners() {
		if m.connections[key].staff {
			staff[person] = true
		}
	}
	return staff
}
