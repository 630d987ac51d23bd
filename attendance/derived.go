package attendance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// derived is what record.lua keeps of a session beside the counts (an index), so that an end, or a late mark, costs little. All of
// it is a function of the marks; Verify computes it by the definitions in this file.
type derived struct {
	curve  map[int64]int64  // second → change of present
	deltas map[string]int64 // label:ms → change of persons under that label
	labels map[string]label
	tree   map[string]node // level:index → the curve below

	openMoment int64 // of the labels that have no end: kept among the counts
}

// label is the sum over the persons inside one set of occurrences.
type label struct {
	persons int64 // still under it
	moment  int64 // sum of change × (time − base), ms
	last    int64 // the latest change; in the store, the latest that there ever was
	watch   int64 // ms before the label's end; 0 while it has none
}

// node sums up a part of the curve.
type node struct {
	sum int64 // of its changes
	max int64 // their highest running sum
	at  int64 // its earliest second
}

// then is the node of two parts, one after the other.
func (a node) then(b node) node {
	joined := node{a.sum + b.sum, a.max, a.at}
	if a.sum+b.max > a.max {
		joined.max, joined.at = a.sum+b.max, b.at
	}
	return joined
}

// readDerived reads what is kept beside the counts of a session, page by page.
func (s *Store) readDerived(ctx context.Context, id string) (derived, error) {
	d := derived{curve: map[int64]int64{}, deltas: map[string]int64{}, labels: map[string]label{}, tree: map[string]node{}}
	err := errors.Join(
		s.each(ctx, s.keys.labels(id), func(name, text string) error {
			n, err := numbers(text, "|", 4)
			d.labels[name] = label{n[0], n[1], n[2], n[3]}
			return err
		}),
		s.each(ctx, s.keys.deltas(id), func(name, text string) error {
			n, err := numbers(text, "|", 1)
			d.deltas[name] = n[0]
			return err
		}),
		s.each(ctx, s.keys.curve(id), func(second, text string) error {
			n, err := numbers(second+","+text, ",", 2)
			d.curve[n[0]] = n[1]
			return err
		}),
		s.each(ctx, s.keys.tree(id), func(name, text string) error {
			n, err := numbers(text, ",", 3)
			d.tree[name] = node{n[0], n[1], n[2]}
			return err
		}),
	)
	return d, err
}

// numbers reads exactly n numbers.
func numbers(text, separator string, n int) (out [4]int64, err error) {
	parts := strings.Split(text, separator)
	if len(parts) != n {
		return out, errors.New("derived numbers in the store: wrong shape")
	}
	for i, part := range parts {
		if out[i], err = strconv.ParseInt(part, 10, 64); err != nil {
			return out, fmt.Errorf("derived numbers in the store: %w", err)
		}
	}
	return out, nil
}

// derive computes from the set what is kept beside the counts. base, tail and level are taken from the store: moments are counted
// from base, the second tail of the curve is kept out of the tree, and level is the height of the tree.
func (m *marks) derive(curve map[int64]int64, stored counts) derived {
	d := derived{curve: curve, deltas: m.deltas(), tree: treeOf(curve, stored["tail"], stored["level"])}
	d.labels, d.openMoment = m.labels(d.deltas, stored["base"])
	return d
}

// crossing is a person entering (1) or leaving (-1) an occurrence.
type crossing struct {
	at     int64
	number int // of the occurrence
	by     int
}

// deltas gives the changes of persons by label and time. A label is the set of occurrences that a person is inside, as their
// numbers in order; a visit is not cut at its occurrence's end here.
func (m *marks) deltas() map[string]int64 {
	crossings := map[string][]crossing{} // by person
	for key, person := range m.owners() {
		occurrence, native := splitKey(key)
		n := m.occurrences[occurrence].number
		for _, v := range m.connections[key].visits(native) {
			crossings[person] = append(crossings[person], crossing{v.start, n, 1})
			if v.end != never {
				crossings[person] = append(crossings[person], crossing{v.end, n, -1})
			}
		}
	}
	deltas := map[string]int64{}
	for _, of := range crossings {
		walk(of, func(name string, at int64, by int64) { deltas[name+":"+strconv.FormatInt(at, 10)] += by })
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

// labels sums the deltas up, each label until the latest end of its occurrences, and the moments of those that have none.
func (m *marks) labels(deltas map[string]int64, base int64) (labels map[string]label, openMoment int64) {
	ends := map[string]int64{} // by number
	for id, end := range m.ends(0, m.last) {
		ends[strconv.Itoa(m.occurrences[id].number)] = end
	}
	labels = map[string]label{}
	for field, by := range deltas {
		name, ms, _ := strings.Cut(field, ":")
		at, _ := strconv.ParseInt(ms, 10, 64) // as deltas wrote it
		stop := int64(0)
		for _, n := range strings.Split(name, ",") {
			stop = max(stop, ends[n])
		}
		l := labels[name]
		l.persons, l.moment, l.last = l.persons+by, l.moment+by*(at-base), max(l.last, at)
		switch {
		case stop == never:
			openMoment += by * (at - base)
		case at < stop:
			l.watch += by * (stop - at)
		}
		labels[name] = l
	}
	return labels, openMoment
}

// treeOf is the binary tree over the seconds of a curve, up to a level. A parent of one child is that child.
func treeOf(curve map[int64]int64, tail, level int64) map[string]node {
	row, tree := map[int64]node{}, map[string]node{}
	for second, by := range curve {
		if second != tail {
			row[second] = node{by, by, second}
		}
	}
	for l := int64(1); l <= level; l++ {
		above := map[int64]node{}
		for _, i := range slices.Sorted(maps.Keys(row)) {
			first, ok := above[i>>1]
			if above[i>>1] = row[i]; ok {
				above[i>>1] = first.then(row[i])
			}
		}
		for i, n := range above {
			tree[fmt.Sprintf("%d:%d", l, i)] = n
		}
		row = above
	}
	return tree
}
