package marks

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// This file reads a session's marks back from the store: record.lua says how they are written there.

var errShape = errors.New("marks in the store: wrong shape")

func (s *Store) readCounts(ctx context.Context, id string) (Counts, error) {
	text, err := s.rdb.Get(ctx, s.keys.Counts(id)).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read counts: %w", err)
	}
	return parseCounts(text)
}

// Person reads what is kept of the first of these people whom a session has, and of nobody else: a Set in which they are alone, and who it is; ""
// if it has none of them.
func (s *Store) Person(ctx context.Context, id string, people ...string) (*Set, string, error) {
	texts, err := s.rdb.HMGet(ctx, s.keys.People(id), people...).Result()
	if err != nil {
		return nil, "", fmt.Errorf("read a person: %w", err)
	}
	for i, person := range people {
		text, ok := texts[i].(string)
		if !ok {
			continue
		}
		if other, ok := strings.CutPrefix(text, "="); ok {
			return s.Person(ctx, id, other)
		}
		m, err := s.readOccurrences(ctx, id)
		if err == nil {
			err = m.parsePerson(person, text)
		}
		if err != nil {
			return nil, "", err
		}
		m.bindAll(m.lists[person]) // what ties them together may be with others
		return m.Set, person, nil
	}
	return nil, "", nil
}

// Known are those of some people of whom a session has anything.
func (s *Store) Known(ctx context.Context, id string, people []string) ([]string, error) {
	if len(people) == 0 {
		return nil, nil
	}
	texts, err := s.rdb.HMGet(ctx, s.keys.People(id), people...).Result()
	if err != nil {
		return nil, fmt.Errorf("read people: %w", err)
	}
	var out []string
	for i, text := range texts {
		if text != nil {
			out = append(out, people[i])
		}
	}
	return out, nil
}

// Open lists the occurrences of a session that are open at a moment, each with its room; none: nothing was recorded of it.
func (s *Store) Open(ctx context.Context, id string, plannedEnd, at int64) (open map[string]string, none bool, err error) {
	m, err := s.readOccurrences(ctx, id)
	if err != nil {
		return nil, false, err
	}
	open = map[string]string{}
	for occurrence, list := range m.openings(plannedEnd, at) {
		if p := list[len(list)-1]; p.start != 0 && p.end == never {
			open[occurrence] = p.room
		}
	}
	return open, len(m.occurrences) == 0, nil
}

// readOccurrences reads a session's occurrences and the time of its last event, without any person's marks.
func (s *Store) readOccurrences(ctx context.Context, id string) (*storedSet, error) {
	m := &storedSet{Set: NewSet(), numbers: map[string]string{}, lists: map[string][]string{}, owners: map[string]string{}}
	c, err := s.readCounts(ctx, id)
	if err != nil {
		return nil, err
	}
	m.last, m.base = c["last"], c["base"]
	raw, err := s.rdb.HGetAll(ctx, s.keys.Occurrences(id)).Result()
	if err != nil {
		return nil, fmt.Errorf("read occurrences: %w", err)
	}
	for occurrence, text := range raw {
		o, err := parseOccurrence(occurrence, text)
		if err != nil {
			return nil, err
		}
		m.occurrences[occurrence] = o
		m.numbers[strconv.Itoa(o.kept[0].number)] = occurrence
	}
	return m, nil
}

// storedSet is a set of marks as it is being read.
type storedSet struct {
	*Set
	base    int64               // what times of marks are counted from
	numbers map[string]string   // of an occurrence's first opening, by which connections name it → occurrence
	lists   map[string][]string // person → keys of the connections that are kept with them
	owners  map[string]string   // connection → owner, as the index has it
}

// parseOccurrence reads "room|touches|number,start,stop,close,open|…".
func parseOccurrence(id, text string) (*occurrenceMarks, error) {
	f := strings.Split(text, "|")
	if len(f) < 3 {
		return nil, errShape
	}
	o := &occurrenceMarks{room: f[0], nameless: strings.HasSuffix(id, "/"), stops: map[int64]bool{}, touches: map[int64]bool{}}
	for _, touch := range listed(f[1]) {
		at, err := strconv.ParseInt(touch, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errShape, err)
		}
		o.touches[at] = true
	}
	for _, text := range f[2:] {
		n, err := numbers(text, ",", 5)
		if err != nil {
			return nil, err
		}
		o.kept = append(o.kept, keptOpening{int(n[0]), n[1], n[2], n[3], n[4]})
		if n[2] != 0 {
			o.stops[n[2]] = true
		}
	}
	o.start = o.kept[0].start
	return o, nil
}

// Read reads a session's whole set of marks, page by page, so that a large session does not block Redis.
func (s *Store) Read(ctx context.Context, id string) (*Set, error) {
	m, err := s.readStored(ctx, id)
	if err != nil {
		return nil, err
	}
	return m.Set, nil
}

// readStored reads the marks with the index of them.
func (s *Store) readStored(ctx context.Context, id string) (*storedSet, error) {
	m, err := s.readOccurrences(ctx, id)
	if err != nil {
		return nil, err
	}
	err = s.each(ctx, s.keys.People(id), m.parsePerson)
	if err == nil {
		err = s.each(ctx, s.keys.Connections(id), m.parseConnection)
	}
	m.last = max(m.last, m.latest())
	return m, err
}

// parsePerson reads "connections;flags;reported;name", or "=person".
func (m *storedSet) parsePerson(person, text string) error {
	if other, ok := strings.CutPrefix(text, "="); ok {
		m.same[person] = map[string]bool{other: true}
		return nil
	}
	f := append(strings.Split(text, ";"), "", "", "")
	if len(f) > 7 {
		return errShape
	}
	for _, connection := range listed(f[0]) {
		if err := m.parseMarks(person, connection); err != nil {
			return err
		}
	}
	for flag, set := range map[string]map[string]bool{"r": m.registered, "p": m.replayed, "s": m.staff} {
		if strings.Contains(f[1], flag) {
			set[person] = true
		}
	}
	for _, total := range listed(f[2]) {
		occurrence, text, _ := strings.Cut(total, "=")
		ms, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%w: %w", errShape, err)
		}
		if m.reported[person] == nil {
			m.reported[person] = map[string]int64{}
		}
		m.reported[person][occurrence] = ms
	}
	if f[3] != "" {
		m.names[person] = f[3]
	}
	return nil
}

// parseMarks reads "number.connection", or of the first occurrence "connection", with its marks: >join, <leave, ! of staff; with =person, if it names another one.
func (m *storedSet) parseMarks(person, text string) error {
	from := strings.IndexAny(text, "><!")
	if from < 0 {
		return errShape
	}
	number, connection, named := strings.Cut(text[:from], ".")
	if !named {
		number, connection = "1", text[:from]
	}
	occurrence, ok := m.numbers[number]
	if !ok {
		return errShape
	}
	key := occurrence + "." + connection
	if connection == "@" {
		key += person
	}
	m.lists[person] = append(m.lists[person], key)
	c, owner := m.connection(key), person
	if strings.HasPrefix(person, "~") {
		owner = ""
	}
	for rest := text[from:]; rest != ""; {
		next := strings.IndexAny(rest[1:], "><!") + 1
		if next == 0 {
			next = len(rest)
		}
		sign, value := rest[0], rest[1:next]
		if rest = rest[next:]; sign == '!' {
			c.staff = true
			continue
		}
		ms, named, other := strings.Cut(value, "=")
		at, err := strconv.ParseInt(ms, 10, 64)
		if err != nil {
			return fmt.Errorf("%w: %w", errShape, err)
		}
		k := stamp{m.base + at, owner}
		if other {
			k.person = named
		}
		if sign == '>' {
			c.joins[k] = true
		} else {
			c.leaves[k] = true
		}
	}
	return nil
}

// parseConnection reads "owner", or "owner;number;peer,peer".
func (m *storedSet) parseConnection(connection, text string) error {
	f := strings.Split(text, ";")
	m.owners[connection] = f[0]
	if len(f) == 1 {
		return nil
	}
	occurrence, ok := "", len(f) == 3
	if ok {
		occurrence, ok = m.numbers[f[1]]
	}
	if !ok {
		return errShape
	}
	c := m.connection(occurrence + "." + connection)
	for _, peer := range listed(f[2]) {
		c.peers[occurrence+"."+peer] = true
	}
	return nil
}

// each calls f for every field of a hash.
func (s *Store) each(ctx context.Context, key string, f func(field, value string) error) error {
	var cursor uint64
	for {
		page, next, err := s.rdb.HScan(ctx, key, cursor, "", 1000).Result()
		if err != nil {
			return fmt.Errorf("read marks: %w", err)
		}
		for i := 0; i+1 < len(page); i += 2 {
			if err := f(page[i], page[i+1]); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// listed splits a list; an empty one has no elements.
func listed(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// numbers reads exactly n numbers, at most five; an empty one is 0.
func numbers(text, separator string, n int) (out [5]int64, err error) {
	parts := strings.Split(text, separator)
	if len(parts) != n {
		return out, errShape
	}
	for i, part := range parts {
		if part == "" {
			continue
		}
		if out[i], err = strconv.ParseInt(part, 10, 64); err != nil {
			return out, fmt.Errorf("%w: %w", errShape, err)
		}
	}
	return out, nil
}
