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

	"github.com/redis/go-redis/v9"
)

// This file reads a session's marks back from the store.

// readOccurrences reads a session's occurrences and the time of its last event, without any person's marks.
func (s *reader) readOccurrences(ctx context.Context, id string) (*marks, error) {
	m := newMarks()
	last, err := s.rdb.HGet(ctx, s.keys.counts(id), "last").Int64()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read counts: %w", err)
	}
	m.last = last
	raw, err := s.rdb.HGetAll(ctx, s.keys.occurrences(id)).Result()
	if err != nil {
		return nil, fmt.Errorf("read occurrences: %w", err)
	}
	for occurrence, text := range raw {
		f := strings.Split(text, "|")
		if len(f) != 6 {
			return nil, errors.New("occurrence in the store: wrong shape")
		}
		start, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("occurrence in the store: %w", err)
		}
		o := &occurrenceMarks{room: f[1], start: start}
		o.stop, _ = strconv.ParseInt(cmp.Or(f[3], "0"), 10, 64)
		o.number, _ = strconv.Atoi(f[0])
		o.storedEnd, _ = strconv.ParseInt(cmp.Or(f[4], "0"), 10, 64)
		o.storedOpen, _ = strconv.ParseInt(f[5], 10, 64)
		m.occurrences[occurrence] = o
	}
	return m, nil
}

// readMarks reads a session's whole set of marks, page by page, so that a large session does not block Redis.
func (s *reader) readMarks(ctx context.Context, id string) (*marks, error) {
	m, err := s.readOccurrences(ctx, id)
	if err != nil {
		return nil, err
	}
	err = s.each(ctx, s.keys.connections(id), func(key, text string) error { return m.connection(key).parse(text) })
	if err != nil {
		return nil, err
	}
	err = s.each(ctx, s.keys.people(id), func(person, text string) error { return m.parsePerson(person, text) })
	m.last = max(m.last, m.latest())
	return m, err
}

// parse reads "owner;joins;leaves;peers".
func (c *connectionMarks) parse(text string) error {
	f := strings.Split(text, ";")
	if len(f) != 4 {
		return errors.New("connection in the store: wrong shape")
	}
	c.owner = f[0]
	for _, join := range listed(f[1]) {
		ms, person, _ := strings.Cut(join, "=")
		at, err := strconv.ParseInt(ms, 10, 64)
		if err != nil {
			return fmt.Errorf("connection in the store: %w", err)
		}
		c.joins[joinMark{at, person}] = true
	}
	for _, leave := range listed(f[2]) {
		at, err := strconv.ParseInt(leave, 10, 64)
		if err != nil {
			return fmt.Errorf("connection in the store: %w", err)
		}
		c.leaves[at] = true
	}
	for _, peer := range listed(f[3]) {
		c.peers[peer] = true
	}
	return nil
}

// parsePerson reads "connections;flags;reported".
func (m *marks) parsePerson(person, text string) error {
	f := strings.Split(text, ";")
	if len(f) != 3 {
		return errors.New("person in the store: wrong shape")
	}
	if f[0] != "" {
		m.lists[person] = listed(f[0])
	}
	if strings.Contains(f[1], "r") {
		m.registered[person] = true
	}
	if strings.Contains(f[1], "p") {
		m.replayed[person] = true
	}
	for _, total := range listed(f[2]) {
		occurrence, ms, _ := strings.Cut(total, "=")
		if m.reported[person] == nil {
			m.reported[person] = map[string]int64{}
		}
		m.reported[person][occurrence], _ = strconv.ParseInt(ms, 10, 64)
	}
	return nil
}

// readConnections adds connections to the set, and those that are bound to them.
func (s *reader) readConnections(ctx context.Context, id string, m *marks, keys []string) error {
	for len(keys) > 0 {
		texts, err := s.rdb.HMGet(ctx, s.keys.connections(id), keys...).Result()
		if err != nil {
			return fmt.Errorf("read connections: %w", err)
		}
		var peers []string
		for i, key := range keys {
			c := m.connection(key)
			if text, ok := texts[i].(string); ok {
				if err := c.parse(text); err != nil {
					return err
				}
			}
			peers = slices.AppendSeq(peers, maps.Keys(c.peers))
		}
		keys = slices.DeleteFunc(peers, func(key string) bool { return m.connections[key] != nil })
	}
	return nil
}

// each calls f for every field of a hash.
func (s *reader) each(ctx context.Context, key string, f func(field, value string) error) error {
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
