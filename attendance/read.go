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
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/programme"
)

// reader reads what is known of sessions. Its methods are the store's.
type reader struct {
	*base
	statuses statuses
	patience time.Duration // how long who asks waits for a status
}

// counts is the HASH that record.lua keeps, with 0 for what is not there.
type counts map[string]int64

func parseCounts(raw map[string]string) (counts, error) {
	c := counts{}
	for name, text := range raw {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("count %s: %w", name, err)
		}
		c[name] = n
	}
	return c, nil
}

// Figures reads the counts of the given sessions in one pipelined read.
func (s *reader) Figures(ctx context.Context, sessions ...programme.Session) ([]Figures, error) {
	read, err := s.readFigures(ctx, sessions)
	out := make([]Figures, len(read))
	for i, r := range read {
		out[i] = r.Figures
	}
	return out, err
}

// versioned are figures with the rev of the counts that they were made of.
type versioned struct {
	Figures
	rev int64
}

func (s *reader) readFigures(ctx context.Context, sessions []programme.Session) ([]versioned, error) {
	type reply struct {
		counts   *redis.MapStringStringCmd
		declared *redis.StringCmd
	}
	replies := make([]reply, len(sessions))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, session := range sessions {
			replies[i] = reply{p.HGetAll(ctx, s.keys.counts(session.ID)), p.Get(ctx, s.keys.declared(session.ID))}
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read figures: %w", err)
	}
	out := make([]versioned, len(sessions))
	for i, session := range sessions {
		c, err := parseCounts(replies[i].counts.Val())
		if err != nil {
			return nil, fmt.Errorf("session %s: %w", session.ID, err)
		}
		declared, err := readDeclared(replies[i].declared)
		if err != nil {
			return nil, fmt.Errorf("session %s: declared heads: %w", session.ID, err)
		}
		out[i] = versioned{s.figures(session, c, declared, s.now()), c["rev"]}
	}
	return out, nil
}

// Unseen is what is known of a session of which nothing was counted yet.
func (s *reader) Unseen(session programme.Session) Figures {
	return s.figures(session, counts{}, nil, s.now())
}

// figures makes of counts what is known at a moment: the automatic close is a matter of the clock, not of a write.
func (s *reader) figures(session programme.Session, c counts, declared *int, asOf time.Time) Figures {
	now := asOf.UnixMilli()
	f := Figures{Session: session, AsOf: asOf, Capability: s.planned(session), Declared: declared}
	if c["measured"] > 0 {
		f.Capability = Live // a beacon tells what the platform does not
	}
	if c["last"] > 0 {
		f.LastEventAt = time.UnixMilli(c["last"]).UTC()
	}
	if c["occurrences"] > 0 {
		f.StartedAt = time.UnixMilli(c["started"]).UTC()
	}
	closeAt := max(session.EndsAt.UnixMilli(), c["last"]) + CloseAfter.Milliseconds()
	closed := now >= closeAt
	until := max(now, c["last"])
	if closed {
		until = closeAt
	}
	present, connections := int(c["present"]), int(c["connections"])
	measured := Total{int(c["measured"]), time.Duration(c["watch"]+c["present"]*(until-c["base"])-c["open_moment"]) * time.Millisecond}
	switch {
	case c["live"] > 0 && !closed:
		f.State = InSession
	case c["live"] > 0:
		f.State, f.EndedAt = Over, time.UnixMilli(max(c["ended"], closeAt)).UTC()
		present, connections = 0, 0
	case c["occurrences"] > 0 && now >= session.StartsAt.UnixMilli():
		f.State, f.EndedAt = Over, time.UnixMilli(c["ended"]).UTC()
	case closed:
		f.State = Over
	default:
		f.State = Scheduled // not seen yet, or only a rehearsal that has ended
	}
	if f.Capability == Live {
		peak := int(c["peak"])
		f.Present, f.Connections, f.Peak = &present, &connections, &peak
		if peak > 0 {
			at := time.Unix(c["peak_at"], 0).UTC()
			f.PeakAt = &at
		}
	}
	f.totals(s.planned(session), measured, c)
	if n := int(c["replayed"]); n > 0 {
		f.Replayed = &n
	}
	if n := int(c["registered"]); n > 0 {
		f.Registered = &n
		if f.showsWhoCame(s.planned(session)) {
			rate := float64(c["registered"]-c["registered_seen"]) / float64(n)
			f.NoShowRate = &rate
		}
	}
	return f
}

// showsWhoCame says whether a registered person who came would have been seen by now: where the platform tells it after
// the end, once it has (a beacon knows nobody's registration); elsewhere, from the start on.
func (f *Figures) showsWhoCame(planned Capability) bool {
	return f.Reported != nil || planned != Totals && f.Unique != nil && f.State != Scheduled
}

// totals fills in who came and for how long. A platform of totals has the word on both as soon as it has spoken; elsewhere
// its totals stand for those of whom nothing was measured.
func (f *Figures) totals(planned Capability, measured Total, c counts) {
	reported := Total{int(c["reported"]), time.Duration(c["reported_watch"]) * time.Millisecond}
	if measured.Unique > 0 {
		f.Measured = &measured
	}
	if reported.Unique > 0 {
		f.Reported = &reported
	}
	unique := int(c["unique"])
	f.Provenance, f.Watch = FromMarks, measured.Watch+time.Duration(c["filled"])*time.Millisecond
	if planned == Totals && reported.Unique > 0 {
		f.Provenance, unique, f.Watch = FromPlatform, reported.Unique, reported.Watch
	}
	if f.Capability == Live || f.Capability == Joins || unique > 0 {
		f.Unique = &unique
	}
}

// planned is the best that the sources of a session's rooms can tell.
func (s *reader) planned(session programme.Session) Capability {
	order := []Capability{Live, Joins, Totals, Declared}
	best := len(order)
	for _, room := range session.Rooms {
		c, ok := s.capabilities[room.Source]
		if !ok {
			c = Live
		}
		best = min(best, slices.Index(order, c))
	}
	if best == len(order) {
		return Declared
	}
	return order[best]
}

// The window in which a session is to be seen on /metrics.
const (
	visibleBefore = time.Hour
	visibleAfter  = 24 * time.Hour
)

// Scrape reads the figures of the sessions that belong on /metrics now: from an hour before the planned start, or the
// first event, until a day after the planned end or the last event, whichever is later.
func (s *reader) Scrape(ctx context.Context) ([]Figures, error) {
	sessions, err := s.programme.Sessions(ctx)
	if err != nil || len(sessions) == 0 {
		return nil, err
	}
	figures, err := s.Figures(ctx, sessions...)
	if err != nil {
		return nil, err
	}
	now := s.now()
	return slices.DeleteFunc(figures, func(f Figures) bool {
		last := f.Session.EndsAt
		if f.LastEventAt.After(last) {
			last = f.LastEventAt
		}
		before := now.Before(f.Session.StartsAt.Add(-visibleBefore)) && f.LastEventAt.IsZero()
		return before || now.After(last.Add(visibleAfter))
	}), nil
}

// Curve returns present at each step, by event time, from the first event to the end or the moment of the figures; empty before
// the first event. A step is at least a second.
func (s *reader) Curve(ctx context.Context, f Figures, step time.Duration) ([]Point, error) {
	raw, err := s.rdb.HGetAll(ctx, s.keys.curve(f.Session.ID)).Result()
	if err != nil {
		return nil, fmt.Errorf("read curve: %w", err)
	}
	if len(raw) == 0 {
		return nil, nil
	}
	deltas, err := parseCurve(raw)
	if err != nil {
		return nil, err
	}
	return points(deltas, max(int64(step/time.Second), 1), curveEnd(f)), nil
}

// curveEnd is the last moment of a session's curve: its end, or that of the figures.
func curveEnd(f Figures) time.Time {
	if f.State == Over && !f.EndedAt.IsZero() {
		return f.EndedAt
	}
	if f.LastEventAt.After(f.AsOf) {
		return f.LastEventAt
	}
	return f.AsOf
}

func parseCurve(raw map[string]string) (map[int64]int64, error) {
	deltas := make(map[int64]int64, len(raw))
	for second, by := range raw {
		at, err := strconv.ParseInt(second, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("curve: %w", err)
		}
		if deltas[at], err = strconv.ParseInt(by, 10, 64); err != nil {
			return nil, fmt.Errorf("curve: %w", err)
		}
	}
	return deltas, nil
}

// points samples the curve at every step from its first second until end, the last change included.
func points(deltas map[int64]int64, step int64, end time.Time) []Point {
	seconds := slices.Sorted(maps.Keys(deltas))
	present, i := int64(0), 0
	var out []Point
	for at := seconds[0]; ; at += step {
		last := at >= end.Unix()
		if last {
			at = max(end.Unix(), seconds[0])
		}
		for i < len(seconds) && seconds[i] <= at {
			present += deltas[seconds[i]]
			i++
		}
		out = append(out, Point{At: time.Unix(at, 0).UTC(), Present: int(present)})
		if last {
			return out
		}
	}
}

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
		stop, _ := strconv.ParseInt(cmp.Or(f[3], "0"), 10, 64)
		number, _ := strconv.Atoi(f[0])
		m.occurrences[occurrence] = &occurrenceMarks{room: f[1], start: start, stop: stop, number: number}
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

// parsePerson reads "connections;flags;reported"; the connections are derived and not read.
func (m *marks) parsePerson(person, text string) error {
	f := strings.Split(text, ";")
	if len(f) != 3 {
		return errors.New("person in the store: wrong shape")
	}
	if strings.Contains(f[1], "r") {
		m.registered[person] = true
	}
	if strings.Contains(f[1], "p") {
		m.replayed[person] = true
	}
	for _, total := range split(f[2]) {
		occurrence, ms, _ := strings.Cut(total, "=")
		if m.reported[person] == nil {
			m.reported[person] = map[string]int64{}
		}
		m.reported[person][occurrence], _ = strconv.ParseInt(ms, 10, 64)
	}
	return nil
}

// Stayed says whether the person whom a source calls attendee has completed the session, as far as it has gone by now:
// a stay of at least CompletedShare of its live time. known is false for a person who was not seen in it.
func (s *reader) Stayed(ctx context.Context, id, source, attendee string) (completed, known bool, err error) {
	session, err := s.programme.Session(ctx, id)
	if err != nil {
		return false, false, err
	}
	person := s.seal.optional("attendee", id, s.seal.optional("person", source, attendee))
	text, err := s.rdb.HGet(ctx, s.keys.people(id), person).Result()
	if errors.Is(err, redis.Nil) {
		return false, false, nil
	}
	if err != nil {
		return false, false, fmt.Errorf("read a person: %w", err)
	}
	m, err := s.readOccurrences(ctx, id)
	if err != nil {
		return false, false, err
	}
	if err := m.parsePerson(person, text); err != nil {
		return false, false, err
	}
	connections, _, _ := strings.Cut(text, ";")
	if err := s.readConnections(ctx, id, m, split(connections)); err != nil {
		return false, false, err
	}
	now := s.now().UnixMilli()
	t := m.count(session.EndsAt.UnixMilli(), now)
	p, known := t.people[person]
	if !known {
		return false, false, nil
	}
	return p.row(person, t.until, m.liveTime(session.EndsAt.UnixMilli(), now)).Completed, true, nil
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

func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// parse reads "owner;joins;leaves;peers"; the owner is derived and not read.
func (c *connectionMarks) parse(text string) error {
	f := strings.Split(text, ";")
	if len(f) != 4 {
		return errors.New("connection in the store: wrong shape")
	}
	for _, join := range split(f[1]) {
		ms, person, _ := strings.Cut(join, "=")
		at, err := strconv.ParseInt(ms, 10, 64)
		if err != nil {
			return fmt.Errorf("connection in the store: %w", err)
		}
		c.joins[joinMark{at, person}] = true
	}
	for _, leave := range split(f[2]) {
		at, err := strconv.ParseInt(leave, 10, 64)
		if err != nil {
			return fmt.Errorf("connection in the store: %w", err)
		}
		c.leaves[at] = true
	}
	for _, peer := range split(f[3]) {
		c.peers[peer] = true
	}
	return nil
}

// Rows returns one row per person, by first join; those of whom only a total is known come last.
func (s *reader) Rows(ctx context.Context, id string) ([]Row, error) {
	session, err := s.programme.Session(ctx, id)
	if err != nil {
		return nil, err
	}
	m, err := s.readMarks(ctx, id)
	if err != nil {
		return nil, err
	}
	return m.rows(session.EndsAt.UnixMilli(), s.now().UnixMilli()), nil
}

// rows describes every person, by first join.
func (m *marks) rows(plannedEnd, now int64) []Row {
	t, live := m.count(plannedEnd, now), m.liveTime(plannedEnd, now)
	rows := make([]Row, 0, len(t.people))
	for id, p := range t.people {
		rows = append(rows, p.row(id, t.until, live))
	}
	last := func(r Row) int { // those of whom only a total is known have no first join
		if r.FirstJoinedAt.IsZero() {
			return 1
		}
		return 0
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(last(a), last(b)), a.FirstJoinedAt.Compare(b.FirstJoinedAt), cmp.Compare(a.Attendee, b.Attendee))
	})
	return rows
}
