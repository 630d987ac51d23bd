package marks

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
	known                              int             // of unique, those with an id that outlasts a connection
	names                              int             // distinct names of the others
	leaving                            int             // persons of whom nothing but a leave was seen
	watch                              int64           // ms measured; open visits until `until`
	filled                             int64           // ms, the platform's totals of persons without a visit
	measured                           int             // persons with a visit
	registered, registeredSeen         int
	replayed                           int
	reported                           int   // persons of whom the platform gave a total
	reportedWatch                      int64 // ms, the sum of those totals
	openings, live                     int   // openings, and how many of them have not ended
	started, ended                     int64 // ended 0: nothing has ended
	last                               int64 // latest event time
	until                              int64 // the moment that open visits count to
	people                             map[string]*personVisits
}

type personVisits struct {
	visits   []visit // cut at their opening's end, by start
	reported int64   // ms, the platform's own total
}

// census derives everything from the set, as of now. Staff are in no figure.
func (m *Set) census(plannedEnd, now int64) *census {
	t := &census{deltas: map[int64]int64{}, people: map[string]*personVisits{}, last: m.last, until: max(now, m.last)}
	openings, staff := m.openings(plannedEnd, now), m.staffOf()
	t.collectOpenings(openings)
	leaving := t.collectStays(m.stays(openings), staff)
	who := m.who()
	for person, totals := range m.totals(who) {
		if staff[person] {
			continue
		}
		t.reported++
		for _, ms := range totals {
			t.person(person).reported += ms
			t.reportedWatch += ms
		}
	}
	for person := range each(m.registered, who) {
		if !staff[person] {
			t.registered++
			if t.people[person] != nil {
				t.registeredSeen++
			}
		}
	}
	for person := range each(m.replayed, who) {
		if !staff[person] {
			t.replayed++
		}
	}
	names := map[string]bool{}
	for person, p := range t.people {
		switch name := m.names[person]; {
		case !IsGuest(person):
			t.known++
		case name != "":
			names[name] = true
		}
		p.addTo(t)
	}
	for person := range leaving {
		if t.people[person] == nil {
			t.leaving++
		}
	}
	t.unique, t.names = len(t.people), len(names)
	t.findPeak()
	return t
}

// each are the persons whom these ids are of.
func each(ids map[string]bool, who func(string) string) map[string]bool {
	people := map[string]bool{}
	for id := range ids {
		people[who(id)] = true
	}
	return people
}

// totals are the platform's totals by person and occurrence, of several the largest.
func (m *Set) totals(who func(string) string) map[string]map[string]int64 {
	totals := map[string]map[string]int64{}
	for id, of := range m.reported {
		person := who(id)
		if totals[person] == nil {
			totals[person] = map[string]int64{}
		}
		for occurrence, ms := range of {
			totals[person][occurrence] = max(totals[person][occurrence], ms)
		}
	}
	return totals
}

func (t *census) person(id string) *personVisits {
	if t.people[id] == nil {
		t.people[id] = &personVisits{}
	}
	return t.people[id]
}

func (t *census) collectOpenings(openings map[string][]opening) {
	for _, list := range openings {
		t.openings += len(list)
		for _, p := range list {
			switch {
			case p.start == 0:
				continue
			case p.end == never:
				t.live++
			default:
				t.ended = max(t.ended, p.end)
			}
			if t.started == 0 || p.start < t.started {
				t.started = p.start
			}
		}
	}
}

// collectStays gives each person their visits, cut at the end of the opening, and returns who has left in some place without having
// joined there.
func (t *census) collectStays(stays []stay, staff map[string]bool) (leaving map[string]bool) {
	leaving = map[string]bool{}
	for _, s := range stays {
		if staff[s.person] {
			continue
		}
		if s.end == never && s.open() {
			t.connections++
		}
		if len(s.visits) == 0 {
			leaving[s.person] = true
		}
		for _, v := range s.visits {
			missing := v.end == never && s.end != never
			v.end = max(v.start, min(v.end, s.end))
			v.low = v.end
			if missing {
				v.low = max(v.start, min(v.end, s.evidence))
			}
			p := t.person(s.person)
			p.visits = append(p.visits, v)
		}
	}
	for _, p := range t.people {
		slices.SortFunc(p.visits, func(a, b visit) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end)) })
	}
	return leaving
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

// liveTime is how long the session took place: the planned time, as far as a room was open then; where none was, as long as one was
// open. What is open counts until now.
func (m *Set) liveTime(plannedStart, plannedEnd, now int64) int64 {
	open := &personVisits{}
	for _, list := range m.openings(plannedEnd, now) {
		for _, p := range list {
			if p.start != 0 {
				open.visits = append(open.visits, visit{start: p.start, end: p.end})
			}
		}
	}
	slices.SortFunc(open.visits, func(a, b visit) int { return cmp.Compare(a.start, b.start) })
	until, planned := max(now, m.last), int64(0)
	for _, v := range open.union(upper) {
		planned += max(0, min(v.end, until, plannedEnd)-max(v.start, plannedStart))
	}
	if planned > 0 {
		return planned
	}
	return open.watch(upper, until)
}

// Count is what a set shows as of now: the counts that record.lua keeps, by their names, with the peak; "base" is the moment that open
// visits are in "watch" until. The automatic close counts from closeAt on.
func (m *Set) Count(plannedEnd, now int64) Moment {
	t := m.census(plannedEnd, now)
	return Moment{Counts{
		"present": int64(t.present), "connections": int64(t.connections), "unique": int64(t.unique), "known": int64(t.known), "names": int64(t.names),
		"leaving": int64(t.leaving), "measured": int64(t.measured), "watch": t.watch, "filled": t.filled, "started": t.started,
		"occurrences": int64(t.openings), "live": int64(t.live), "ended": t.ended, "last": m.last,
		"registered": int64(t.registered), "registered_seen": int64(t.registeredSeen), "replayed": int64(t.replayed),
		"reported": int64(t.reported), "reported_watch": t.reportedWatch,
		"base": t.until, "peak": int64(t.peak), "peak_at": t.peakAt,
	}, t.deltas}
}

// Counts is what record.lua keeps of the set, with the peak. The automatic close is left out: it is a matter of the clock.
func (m *Set) Counts() Counts { return m.Count(never-CloseAfter.Milliseconds(), m.last).Counts }

// floorSecond is the second that a millisecond belongs to.
func floorSecond(ms int64) int64 {
	if ms < 0 {
		return (ms - 999) / 1000
	}
	return ms / 1000
}
