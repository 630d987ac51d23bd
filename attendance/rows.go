package attendance

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// Rows returns one row per person, by first join; persons with a total and no visit come last.
func (s *reader) Rows(ctx context.Context, id string) ([]Row, error) {
	session, err := s.programme.Session(ctx, id)
	if err != nil {
		return nil, err
	}
	m, err := s.readMarks(ctx, id)
	if err != nil {
		return nil, err
	}
	return m.rows(session.StartsAt.UnixMilli(), session.EndsAt.UnixMilli(), s.now().UnixMilli()), nil
}

// rows describes every person, by first join.
func (m *marks) rows(plannedStart, plannedEnd, now int64) []Row {
	t, live := m.count(plannedEnd, now), m.liveTime(plannedStart, plannedEnd, now)
	rows := make([]Row, 0, len(t.people))
	for id, p := range t.people {
		rows = append(rows, p.row(id, t.until, live))
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.joined(), b.joined()), cmp.Compare(a.Attendee, b.Attendee))
	})
	return rows
}

// row describes one person; until is the moment that open visits count to, live the session's length in ms.
func (p *personVisits) row(id string, until, live int64) Row {
	watch, low := p.watch(upper, until), p.watch(lower, until)
	r := Row{
		Attendee: id, Watch: time.Duration(watch) * time.Millisecond, WatchLow: time.Duration(low) * time.Millisecond,
		Attended: watch >= attendedAfter.Milliseconds(), Provenance: FromMarks,
	}
	r.Completed = r.Attended && float64(watch) >= completedShare*float64(live) // staying through a session of four minutes is neither
	switch {
	case len(p.visits) == 0:
		r.Provenance = FromPlatform
		return r
	case low < watch:
		r.Provenance = FromInferred
	}
	r.FirstJoinedAt = time.UnixMilli(p.visits[0].start).UTC()
	grace, last := reconnectGrace.Milliseconds(), p.visits[0].start
	for i, v := range p.visits {
		if i == 0 || last != never && v.start > last+grace {
			r.Visits++
		}
		last = max(last, v.end)
	}
	if last != never {
		r.LastLeftAt = time.UnixMilli(last).UTC()
	}
	return r
}

// joined is when the person joined first, in ms; never, for a person without a visit.
func (r Row) joined() int64 {
	if r.FirstJoinedAt.IsZero() {
		return never
	}
	return r.FirstJoinedAt.UnixMilli()
}

// Stayed says whether the person whom a source calls attendee, by an id or an e-mail address, has completed the session, as far as it has
// gone by now: a stay of at least five minutes, and 85 % of its live time. known is false for a person who was not seen in it.
func (s *reader) Stayed(ctx context.Context, id, source, attendee string) (completed, known bool, err error) {
	session, err := s.programme.Session(ctx, id)
	if err != nil {
		return false, false, err
	}
	who := s.seal.pseudonymsOf(id, source, attendee)
	texts, err := s.rdb.HMGet(ctx, s.keys.people(id), who...).Result()
	if err != nil {
		return false, false, fmt.Errorf("read a person: %w", err)
	}
	now, end := s.now().UnixMilli(), session.EndsAt.UnixMilli()
	for i, text := range texts {
		if text == nil {
			continue
		}
		m, err := s.readOccurrences(ctx, id)
		if err != nil {
			return false, false, err
		}
		live := m.liveTime(session.StartsAt.UnixMilli(), end, now)
		if err := m.parsePerson(who[i], text.(string)); err != nil {
			return false, false, err
		}
		m.bindAll(m.lists[who[i]]) // what ties them together may be with others
		t := m.count(end, now)
		if p := t.people[who[i]]; p != nil {
			return p.row(who[i], t.until, live).Completed, true, nil
		}
	}
	return false, false, nil
}
