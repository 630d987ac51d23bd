package attendance

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// This file is the definition of every figure, written to be read: a set of marks, and functions of it. It is the oracle
// that the store's counts are tested against, the engine of rows and summaries, and what Verify recomputes with. Times
// are milliseconds of event time.

// CloseAfter is how long after its planned end or its last event, whichever is later, a session whose platform never
// says that it ended is closed.
const CloseAfter = 30 * time.Minute

// marks is the set that everything derives from. Adding a mark twice, or two marks in either order, gives the same set.
type marks struct {
	occurrences map[string]*occurrenceMarks
	connections map[string]*connectionMarks // by connectionKey
	registered  map[string]bool             // by person
	replayed    map[string]bool             // by person: watched the recording
	reported    map[string]map[string]int64 // by person and occurrence: the platform's own total, ms
	last        int64                       // latest event time, 0 before the first
}

type occurrenceMarks struct {
	room   string
	start  int64 // earliest mark of any kind
	stop   int64 // latest end mark, 0: none
	number int   // by which the store calls it in labels
}

type connectionMarks struct {
	joins  map[joinMark]bool
	leaves map[int64]bool
	peers  map[string]bool // connections bound to this one, by connectionKey
}

type joinMark struct {
	at     int64
	person string // empty: nobody named
}

func newMarks() *marks {
	return &marks{
		occurrences: map[string]*occurrenceMarks{}, connections: map[string]*connectionMarks{},
		registered: map[string]bool{}, replayed: map[string]bool{}, reported: map[string]map[string]int64{},
	}
}

// connectionKey names a connection within a session. Where the platform names none, the person is the connection.
func connectionKey(occurrence, connection, person string) string {
	if connection == "" {
		return occurrence + ".@" + person
	}
	return occurrence + "." + connection
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

// add puts one sealed event into the set.
func (m *marks) add(e sealed) {
	switch e.Kind {
	case Registered:
		m.registered[e.Person] = true
		return
	case Replayed:
		m.replayed[e.Person] = true
		return
	case Attended:
		if m.reported[e.Person] == nil {
			m.reported[e.Person] = map[string]int64{}
		}
		m.reported[e.Person][e.Occurrence] = max(m.reported[e.Person][e.Occurrence], e.Seconds*1000)
		return
	}
	o := m.occurrences[e.Occurrence]
	if o == nil {
		o = &occurrenceMarks{room: e.Room, start: e.At}
		m.occurrences[e.Occurrence] = o
	}
	o.start, m.last = min(o.start, e.At), max(m.last, e.At)
	if e.Kind == Ended {
		o.stop = max(o.stop, e.At)
	}
	if e.Staff || e.Kind == Started || e.Kind == Ended {
		return
	}
	key := connectionKey(e.Occurrence, e.Connection, e.Person)
	switch e.Kind {
	case Joined:
		m.connection(key).joins[joinMark{e.At, e.Person}] = true
	case Left:
		m.connection(key).leaves[e.At] = true
	case Bound:
		peer := connectionKey(e.Occurrence, e.Peer, "")
		m.connection(key).peers[peer] = true
		m.connection(peer).peers[key] = true
	}
}

// latest is the time of the last mark in the set. The last event may be later: one that was of staff, or repeated that the room
// is open, leaves no mark.
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

// open is the end of what has not ended.
const open = int64(1<<63 - 1)

// ends gives each occurrence its end: its latest end mark; without one, the start of the next occurrence of the same
// room; without that, closeAt if it has come.
func (m *marks) ends(plannedEnd, now int64) map[string]int64 {
	ends := map[string]int64{}
	for id, o := range m.occurrences {
		end := open
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
	return max(plannedEnd, m.last) + CloseAfter.Milliseconds()
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

// visits pairs the joins and leaves of one connection, before any cut; an end of open means no leave came.
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
		start, end := slices.Min(joins), open
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
			out, inside = append(out, visit{start: k.at, end: open}), true
		case k.join == 0 && inside:
			out[len(out)-1].end, inside = k.at, false
		}
	}
	return out
}

// isOpen says whether the connection has joined and not left.
func (c *connectionMarks) isOpen(native bool) bool {
	visits := c.visits(native)
	return len(visits) > 0 && visits[len(visits)-1].end == open
}

// tally is everything that is derived from a set of marks at one moment.
type tally struct {
	present, connections, unique, peak int
	peakAt                             int64           // second
	deltas                             map[int64]int64 // change of present by second, zeros left out
	watch                              int64           // ms measured; open visits until `until`
	filled                             int64           // ms, the platform's totals of those of whom nothing was measured
	measured                           int             // persons with a visit
	registered, registeredSeen         int
	replayed                           int
	reported                           int   // persons of whom the platform gave a total
	reportedWatch                      int64 // ms, the sum of those totals
	anomalies                          int   // connections with leaves only
	started, ended                     int64 // ended 0: something is open
	last                               int64
	until                              int64 // the moment that open visits count to
	people                             map[string]*personTally
}

type personTally struct {
	visits   []visit // cut at their occurrence's end, by start
	reported int64   // ms, the platform's own total
}

// count derives everything from the set, as of now.
func (m *marks) count(plannedEnd, now int64) *tally {
	t := &tally{deltas: map[int64]int64{}, people: map[string]*personTally{}, last: m.last, until: max(now, m.last)}
	ends := m.ends(plannedEnd, now)
	m.collectVisits(t, ends)
	for person, totals := range m.reported {
		for _, ms := range totals {
			t.person(person).reported += ms
			t.reportedWatch += ms
		}
	}
	t.registered, t.replayed, t.reported = len(m.registered), len(m.replayed), len(m.reported)
	for person := range m.registered {
		if t.people[person] != nil {
			t.registeredSeen++
		}
	}
	for id, o := range m.occurrences {
		if t.started == 0 || o.start < t.started {
			t.started = o.start
		}
		t.ended = max(t.ended, ends[id])
	}
	if t.ended == open {
		t.ended = 0
	}
	t.unique = len(t.people)
	for _, p := range t.people {
		p.addTo(t)
	}
	t.findPeak()
	return t
}

func (t *tally) person(id string) *personTally {
	if t.people[id] == nil {
		t.people[id] = &personTally{}
	}
	return t.people[id]
}

func (m *marks) collectVisits(t *tally, ends map[string]int64) {
	owners := m.owners()
	type stay struct{ person, occurrence string }
	evidence := map[stay]int64{} // latest mark of a person in an occurrence
	for key, person := range owners {
		occurrence, _ := splitKey(key)
		s := stay{person, occurrence}
		for j := range m.connections[key].joins {
			evidence[s] = max(evidence[s], j.at)
		}
		for at := range m.connections[key].leaves {
			evidence[s] = max(evidence[s], at)
		}
	}
	for key, c := range m.connections {
		occurrence, native := splitKey(key)
		end := ends[occurrence]
		if native && len(c.joins) == 0 && len(c.leaves) > 0 {
			t.anomalies++
		}
		if end == open && c.isOpen(native) {
			t.connections++
		}
		for _, v := range c.visits(native) {
			missing := v.end == open && end != open
			v.end = max(v.start, min(v.end, end))
			v.low = v.end
			if missing {
				v.low = max(v.start, min(v.end, evidence[stay{owners[key], occurrence}]))
			}
			p := t.person(owners[key])
			p.visits = append(p.visits, v)
		}
	}
	for _, p := range t.people {
		slices.SortFunc(p.visits, func(a, b visit) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end)) })
	}
}

// union merges the visits into the person's stay: disjoint, by start, without empty ones. end picks v.end or v.low.
func (p *personTally) union(end func(visit) int64) []visit {
	var out []visit
	for _, v := range p.visits {
		e := end(v)
		switch {
		case e <= v.start:
		case len(out) > 0 && v.start <= out[len(out)-1].end:
			out[len(out)-1].end = max(out[len(out)-1].end, e)
		default:
			out = append(out, visit{start: v.start, end: e})
		}
	}
	return out
}

func upper(v visit) int64 { return v.end }
func lower(v visit) int64 { return v.low }

// watch is the length of the person's stay in ms, open visits counted until the given moment. Where nothing was
// measured, the platform's own total stands.
func (p *personTally) watch(end func(visit) int64, until int64) int64 {
	if len(p.visits) == 0 {
		return p.reported
	}
	total := int64(0)
	for _, v := range p.union(end) {
		total += min(v.end, until) - v.start
	}
	return total
}

func (p *personTally) addTo(t *tally) {
	if len(p.visits) == 0 {
		t.filled += p.reported
		return
	}
	t.measured++
	t.watch += p.watch(upper, t.until)
	if slices.ContainsFunc(p.visits, func(v visit) bool { return v.end == open }) {
		t.present++
	}
	for _, v := range p.union(upper) {
		t.change(v.start, 1)
		if v.end != open {
			t.change(v.end, -1)
		}
	}
}

func (t *tally) change(at, by int64) {
	second := floorSecond(at)
	if t.deltas[second] += by; t.deltas[second] == 0 {
		delete(t.deltas, second)
	}
}

// counts is what record.lua keeps of a set, made of the set itself. The automatic close is left out: it is not stored.
func (m *marks) counts(plannedEnd int64) (counts, *tally) {
	t, live, ended := m.count(plannedEnd, m.last), int64(0), int64(0)
	for _, end := range m.ends(plannedEnd, m.last) {
		if end == open {
			live++
		} else {
			ended = max(ended, end)
		}
	}
	return counts{
		"present": int64(t.present), "connections": int64(t.connections), "unique": int64(t.unique),
		"peak": int64(t.peak), "peak_at": t.peakAt, "measured": int64(t.measured), "watch": t.watch, "filled": t.filled, "started": t.started,
		"occurrences": int64(len(m.occurrences)), "anomalies": int64(t.anomalies), "live": live, "ended": ended, "last": m.last,
		"registered": int64(t.registered), "registered_seen": int64(t.registeredSeen), "replayed": int64(t.replayed),
		"reported": int64(t.reported), "reported_watch": t.reportedWatch,
		"base": t.until, // open visits are in watch until then
	}, t
}

// floorSecond is the second that a millisecond belongs to.
func floorSecond(ms int64) int64 {
	if ms < 0 {
		return (ms - 999) / 1000
	}
	return ms / 1000
}

// findPeak takes the curve's maximum at its earliest second.
func (t *tally) findPeak() {
	present := int64(0)
	for _, second := range slices.Sorted(maps.Keys(t.deltas)) {
		present += t.deltas[second]
		if present > int64(t.peak) {
			t.peak, t.peakAt = int(present), second
		}
	}
}

// liveTime is how long the session was open: the union of its occurrences, those that are open counted until now.
func (m *marks) liveTime(plannedEnd, now int64) int64 {
	ends := m.ends(plannedEnd, now)
	span := &personTally{}
	for id, o := range m.occurrences {
		span.visits = append(span.visits, visit{start: o.start, end: ends[id]})
	}
	slices.SortFunc(span.visits, func(a, b visit) int { return cmp.Compare(a.start, b.start) })
	return span.watch(upper, max(now, m.last))
}

// row describes one person; until is the moment that open visits count to, live the session's length in ms.
func (p *personTally) row(id string, until, live int64) Row {
	watch, low := p.watch(upper, until), p.watch(lower, until)
	r := Row{
		Attendee: id, Watch: time.Duration(watch) * time.Millisecond, WatchLow: time.Duration(low) * time.Millisecond,
		Attended: watch >= AttendedAfter.Milliseconds(), Provenance: FromMarks,
	}
	r.Completed = r.Attended && float64(watch) >= CompletedShare*float64(live) // in a short session, all of it is no attendance
	switch {
	case len(p.visits) == 0:
		r.Provenance = FromPlatform
		return r
	case low < watch:
		r.Provenance = FromInferred
	}
	r.FirstJoinedAt = time.UnixMilli(p.visits[0].start).UTC()
	grace, last := ReconnectGrace.Milliseconds(), p.visits[0].start
	for i, v := range p.visits {
		if i == 0 || last != open && v.start > last+grace {
			r.Visits++
		}
		last = max(last, v.end)
	}
	if last != open {
		r.LastLeftAt = time.UnixMilli(last).UTC()
	}
	return r
}
