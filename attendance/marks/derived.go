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

// derived is what record.lua keeps of a session beside the counts, so that an end, or a late mark, costs little. All of it is a function of
// the marks; Verify computes it by the definitions in this file.
type derived struct {
	deltas map[string]int64 // label:ms → change of persons under that label, from base on: the log, added up
	labels map[string]label
	guests map[string]int64 // name → guests of that name who have been seen

	openMoment int64 // of the labels that have no end: kept among the counts
}

// label is the sum over the persons inside one set of openings.
type label struct {
	persons int64 // still under it
	moment  int64 // sum of change × (time − base), ms
	last    int64 // the latest change; in the store, the latest that there ever was
	watch   int64 // ms before the label's end; 0 while it has none
}

// readDerived reads what is kept beside the counts of a session.
func (s *Store) readDerived(ctx context.Context, id string) (derived, error) {
	d := derived{deltas: map[string]int64{}, labels: map[string]label{}, guests: map[string]int64{}}
	log, err := s.rdb.Get(ctx, s.keys.Log(id)).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return d, fmt.Errorf("read log: %w", err)
	}
	err = eachChange(log, func(label string, ms, by int64) { d.deltas[label+":"+strconv.FormatInt(ms, 10)] += by })
	maps.DeleteFunc(d.deltas, func(_ string, by int64) bool { return by == 0 })
	return d, errors.Join(err,
		s.each(ctx, s.keys.Labels(id), func(name, text string) error {
			n, err := numbers(text, "|", 4)
			d.labels[name] = label{n[0], n[1], n[2], n[3]}
			return err
		}),
		s.each(ctx, s.keys.Guests(id), func(name, text string) (err error) {
			d.guests[name], err = strconv.ParseInt(text, 10, 64)
			return err
		}),
	)
}

// derive computes from the set what is kept beside the counts. Moments and the log are counted from base.
func (m *Set) derive(t *census, base int64) derived {
	d := derived{deltas: m.deltas(base), guests: map[string]int64{}}
	d.labels, d.openMoment = m.labels(d.deltas, base)
	for person := range t.people {
		if name := m.names[person]; name != "" && IsGuest(person) {
			d.guests[name]++
		}
	}
	return d
}

// crossing is a person entering (1) or leaving (-1) an occurrence.
type crossing struct {
	at     int64
	number int // of the occurrence
	by     int
}

// deltas gives the changes of persons by label and time. A label is the set of openings that a person is inside, as their numbers in
// order; a visit is not cut at its opening's end here. Staff have none.
func (m *Set) deltas(base int64) map[string]int64 {
	crossings, staff := map[string][]crossing{}, m.staffOf() // by person
	for _, s := range m.stays(m.openings(0, m.last)) {
		kept := m.occurrences[s.occurrence].kept
		if staff[s.person] || s.index >= len(kept) {
			continue
		}
		for _, v := range s.visits {
			crossings[s.person] = append(crossings[s.person], crossing{v.start, kept[s.index].number, 1})
			if v.end != never {
				crossings[s.person] = append(crossings[s.person], crossing{v.end, kept[s.index].number, -1})
			}
		}
	}
	deltas := map[string]int64{}
	for _, of := range crossings {
		walk(of, func(name string, at int64, by int64) { deltas[name+":"+strconv.FormatInt(at-base, 10)] += by })
	}
	maps.DeleteFunc(deltas, func(_ string, by int64) bool { return by == 0 })
	return deltas
}

// walk follows one person through their labels.
func walk(crossings []crossing, change func(label string, at, by int64)) {
	slices.SortFunc(crossings, func(a, b crossing) int { return cmp.Compare(a.at, b.at) })
	inside, under := map[int]int{}, ""
	for i, s := range crossings {
		if inside[s.number] += s.by; inside[s.number] == 0 {
			delete(inside, s.number)
		}
		if i+1 < len(crossings) && crossings[i+1].at == s.at {
			continue // what happens in one millisecond is one change
		}
		var names []string
		for _, n := range slices.Sorted(maps.Keys(inside)) {
			names = append(names, strconv.Itoa(n))
		}
		now := strings.Join(names, ",")
		if now == under {
			continue
		}
		if under != "" {
			change(under, s.at, -1)
		}
		if now != "" {
			change(now, s.at, 1)
		}
		under = now
	}
}

// labels sums the deltas up, each label until the latest end of its openings, and the moments of those that have none.
func (m *Set) labels(deltas map[string]int64, base int64) (labels map[string]label, openMoment int64) {
	ends := map[string]int64{} // by number
	for id, list := range m.openings(0, m.last) {
		kept := m.occurrences[id].kept
		for i := range min(len(list), len(kept)) {
			ends[strconv.Itoa(kept[i].number)] = list[i].end
		}
	}
	labels = map[string]label{}
	for field, by := range deltas {
		name, ms, _ := strings.Cut(field, ":")
		after, _ := strconv.ParseInt(ms, 10, 64) // as deltas wrote it
		at, stop := base+after, endOf(name, ends)
		l := labels[name]
		l.persons, l.moment, l.last = l.persons+by, l.moment+by*after, max(l.last, at)
		switch {
		case stop == never:
			openMoment += by * after
		case at < stop:
			l.watch += by * (stop - at)
		}
		labels[name] = l
	}
	return labels, openMoment
}
