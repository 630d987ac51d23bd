package attendance

import (
	"cmp"
	"maps"
	"slices"
)

// census is everything that is derived from a set of marks at one moment.
type census struct {
	present, connections, unique, peak int
	peakAt                             int64           // second
	deltas                             map[int64]int64 // change of present by second, zeros left out
	watch                              int64           // ms measured; open visits until `until`
	filled                             int64           // ms, the platform's totals of persons without a visit
	measured                           int             // persons with a visit
	registered, registeredSeen         int
	replayed                           int
	reported                           int   // persons of whom the platform gave a total
	reportedWatch                      int64 // ms, the sum of those totals
	anomalies                          int   // connections with leaves only
	started, ended                     int64 // ended 0: something is open
	last                               int64 // latest event time
	until                              int64 // the moment that open visits count to
	people                             map[string]*personVisits
}

type personVisits struct {
	visits   []visit // cut at their occurrence's end, by start
	reported int64   // ms, the platform's own total
}

// count derives everything from the set, as of now.
func (m *marks) count(plannedEnd, now int64) *census {
	t := &census{deltas: map[int64]int64{}, people: map[string]*personVisits{}, last: m.last, until: max(now, m.last)}
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
	if t.ended == never {
		t.ended = 0
	}
	t.unique = len(t.people)
	for _, p := range t.people {
		p.addTo(t)
	}
	t.findPeak()
	return t
}

func (t *census) person(id string) *personVisits {
	if t.people[id] == nil {
		t.people[id] = &personVisits{}
	}
	return t.people[id]
}

func (m *marks) collectVisits(t *census, ends map[string]int64) {
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
		if end == never && c.isOpen(native) {
			t.connections++
		}
		for _, v := range c.visits(native) {
			missing := v.end == never && end != never
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
func (p *personVisits) union(end func(visit) int64) []visit {
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

// watch is the length of the person's stay in ms, open visits counted until the given moment. A person without a visit has the
// platform's own total.
func (p *personVisits) watch(end func(visit) int64, until int64) int64 {
	if len(p.visits) == 0 {
		return p.reported
	}
	total := int64(0)
	for _, v := range p.union(end) {
		total += min(v.end, until) - v.start
	}
	return total
}

func (p *personVisits) addTo(t *census) {
	if len(p.visits) == 0 {
		t.filled += p.reported
		return
	}
	t.measured++
	t.watch += p.watch(upper, t.until)
	if slices.ContainsFunc(p.visits, func(v visit) bool { return v.end == never }) {
		t.present++
	}
	for _, v := range p.union(upper) {
		t.change(v.start, 1)
		if v.end != never {
			t.change(v.end, -1)
		}
	}
}

func (t *census) change(at, by int64) {
	second := floorSecond(at)
	if t.deltas[second] += by; t.deltas[second] == 0 {
		delete(t.deltas, second)
	}
}

// findPeak takes the curve's maximum at its earliest second.
func (t *census) findPeak() {
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
	span := &personVisits{}
	for id, o := range m.occurrences {
		span.visits = append(span.visits, visit{start: o.start, end: ends[id]})
	}
	slices.SortFunc(span.visits, func(a, b visit) int { return cmp.Compare(a.start, b.start) })
	return span.watch(upper, max(now, m.last))
}

// counts is what record.lua keeps of a set, made of the set itself. The automatic close is left out: it is not stored.
func (m *marks) counts(plannedEnd int64) (counts, *census) {
	t, live, ended := m.count(plannedEnd, m.last), int64(0), int64(0)
	for _, end := range m.ends(plannedEnd, m.last) {
		if end == never {
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
