package attendance

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A status is of one moment. Counts are read in a millisecond, what needs every person's marks is not; so that the latter never
// stands beside newer counts, a status that is kept is kept whole, and says of when it is.

// keptStatus is a status with what decides how long it may be shown.
type keptStatus struct {
	Status
	rev   int64
	until time.Time // by the process's clock
}

// statuses keeps the last status of each session that was asked for.
type statuses struct {
	mu        sync.Mutex
	bySession map[string]keptStatus
	turns     map[string]*sync.Mutex // held while a session's is computed: who waits finds it done
}

func (s *statuses) get(id string) (k keptStatus, ok bool, turn *sync.Mutex) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turns[id] == nil {
		s.turns[id] = &sync.Mutex{}
	}
	k, ok = s.bySession[id]
	return k, ok, s.turns[id]
}

func (s *statuses) put(id string, k keptStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bySession[id] = k
}

const (
	dear       = 2000 // from how many people on a status is kept although something new was recorded
	keepFactor = 20   // for how many times as long as it took to compute: a twentieth of a processor at most
)

// Status tells what is known of sessions. That of a large one that goes on may be some time old: all of it, as AsOf says. Once
// nobody is in, it is that of now.
func (s *Store) Status(ctx context.Context, sessions ...Session) ([]Status, error) {
	read, err := s.readFigures(ctx, sessions)
	if err != nil {
		return nil, err
	}
	out := make([]Status, len(read))
	for i, now := range read {
		if out[i], err = s.status(ctx, now); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Live tells what is known of a session now: of a large one that goes on, the counts alone.
func (s *Store) Live(ctx context.Context, session Session) (Status, error) {
	read, err := s.readFigures(ctx, []Session{session})
	if err != nil {
		return Status{}, err
	}
	if now := read[0]; now.large() {
		return Status{Figures: now.Figures}, nil
	}
	return s.status(ctx, read[0])
}

// large says whether what needs every person's marks is too dear to be computed each time something is recorded.
func (now versioned) large() bool {
	quiet := now.State != InSession || now.Present == nil || *now.Present == 0
	return !quiet && now.Unique != nil && *now.Unique >= dear
}

// status gives what is kept, or computes it, one caller at a time.
func (s *Store) status(ctx context.Context, now versioned) (Status, error) {
	known := now.Capability == Live || now.Capability == Totals && now.Unique != nil
	if !known || now.LastEventAt.IsZero() {
		return Status{Figures: now.Figures}, nil
	}
	k, ok, turn := s.statuses.get(now.Session.ID)
	if ok && k.stands(now) {
		return k.beside(now), nil
	}
	turn.Lock()
	defer turn.Unlock()
	if k, ok, _ = s.statuses.get(now.Session.ID); ok && k.stands(now) {
		return k.beside(now), nil
	}
	k, err := s.compute(ctx, now)
	if err != nil {
		return Status{}, err
	}
	s.statuses.put(now.Session.ID, k)
	return k.Status, nil
}

// stands says whether a kept status may still be shown.
func (k keptStatus) stands(now versioned) bool {
	if k.State != now.State || !k.Session.EndsAt.Equal(now.Session.EndsAt) {
		return false
	}
	return k.rev == now.rev && k.settled() || (k.rev == now.rev || now.large()) && time.Now().Before(k.until)
}

// settled says whether the clock alone changes nothing any more.
func (k keptStatus) settled() bool { return k.State == Over && !k.EndedAt.After(k.AsOf) }

// beside gives a kept status with what does not come from marks as it is now.
func (k keptStatus) beside(now versioned) Status {
	st := k.Status
	st.Session, st.Declared = now.Session, now.Declared
	if k.settled() {
		st.AsOf = now.AsOf
	}
	return st
}

// compute derives a status from the marks alone, so that no two figures of it can contradict each other.
func (s *Store) compute(ctx context.Context, now versioned) (keptStatus, error) {
	began := time.Now()
	m, err := s.readMarks(ctx, now.Session.ID)
	if err != nil {
		return keptStatus{}, err
	}
	asOf, end := s.now(), now.Session.EndsAt.UnixMilli()
	c, _ := m.counts(end)
	st := Status{Figures: s.figures(now.Session, c, now.Declared, asOf)}
	st.Summary = summarise(m.rows(end, asOf.UnixMilli()), s.planned(now.Session) == Totals)
	return keptStatus{st, now.rev, time.Now().Add(keepFactor * time.Since(began))}, nil
}

// summarise adds rows up. A platform of totals has the word as soon as it has given one.
func summarise(rows []Row, ofTotals bool) *Summary {
	fromPlatform := func(r Row) bool { return r.Provenance == FromPlatform }
	if ofTotals && slices.ContainsFunc(rows, fromPlatform) {
		rows = slices.DeleteFunc(rows, func(r Row) bool { return !fromPlatform(r) })
	}
	sum := &Summary{}
	for _, r := range rows {
		sum.Watch += r.Watch
		sum.WatchLow += r.WatchLow
		if r.Attended {
			sum.Attended++
		}
		if r.Completed {
			sum.Completed++
		}
	}
	return sum
}
