package attendance

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"jauge/programme"
)

// A status is of one moment. Counts are read in a millisecond, what needs every person's marks is not: it is computed behind
// the requests, once for all who ask at the same time. So that it never stands beside newer counts, a status that is kept is
// kept whole, and says of when it is.

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
	computing singleflight.Group // by session
}

func (s *statuses) get(id string) (k keptStatus, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok = s.bySession[id]
	return k, ok
}

func (s *statuses) put(id string, k keptStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bySession[id] = k
}

const (
	dear          = 2000        // from how many people on a status is kept although something new was recorded
	keepFactor    = 20          // for how many times as long as it took to compute: a twentieth of a processor at most
	computeWithin = time.Minute // how long one computation may take
)

// Status tells what is known of sessions. That of a large one that goes on may be some time old, and so is any whose new one
// does not come in time: all of it, as AsOf says. Once nobody is in, it is that of now.
func (s *reader) Status(ctx context.Context, sessions ...programme.Session) ([]Status, error) {
	read, err := s.readFigures(ctx, sessions)
	if err != nil {
		return nil, err
	}
	out := make([]Status, len(read))
	for i, now := range read {
		k, _, err := s.await(ctx, now)
		if err != nil {
			return nil, err
		}
		out[i] = k.beside(now)
	}
	return out, nil
}

// Live tells what is known of a session now: of a large one that goes on, and of one whose status does not come in time, the
// counts alone.
func (s *reader) Live(ctx context.Context, session programme.Session) (Status, error) {
	read, err := s.readFigures(ctx, []programme.Session{session})
	if err != nil {
		return Status{}, err
	}
	now := read[0]
	if now.large() {
		return Status{Figures: now.Figures}, nil
	}
	k, fresh, err := s.await(ctx, now)
	if err != nil || !fresh {
		return Status{Figures: now.Figures}, err
	}
	return k.beside(now), nil
}

// large says whether what needs every person's marks is too dear to be computed each time something is recorded.
func (now versioned) large() bool {
	quiet := now.State != InSession || now.Present == nil || *now.Present == 0
	return !quiet && now.Unique != nil && *now.Unique >= dear
}

// await gives the status that is kept, or lets it be computed and waits; fresh is false when that takes longer than the store's
// patience: then it is the one before, or, without one, the counts.
func (s *reader) await(ctx context.Context, now versioned) (k keptStatus, fresh bool, err error) {
	counts := keptStatus{Status: Status{Figures: now.Figures}}
	known := now.Capability == Live || now.Capability == Totals && now.Unique != nil
	if !known || now.LastEventAt.IsZero() {
		return counts, true, nil
	}
	patience := time.NewTimer(s.patience)
	defer patience.Stop()
	for {
		k, kept := s.statuses.get(now.Session.ID)
		switch {
		case !kept:
			k = counts
		case k.stands(now):
			return k, true, nil
		}
		select {
		case done := <-s.statuses.computing.DoChan(now.Session.ID, func() (any, error) { return s.compute(now) }):
			if done.Err != nil {
				return k, false, done.Err
			}
			if k := done.Val.(keptStatus); k.rev >= now.rev { // else it was begun before these counts were read
				return k, true, nil
			}
		case <-patience.C:
			return k, false, nil
		case <-ctx.Done():
			return k, false, ctx.Err()
		}
	}
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

// compute derives a status from the marks alone, so that no two figures of it can contradict each other, and keeps it. It belongs
// to no request: whoever asked first may be gone, and others wait for it.
func (s *reader) compute(now versioned) (keptStatus, error) {
	ctx, cancel := context.WithTimeout(context.Background(), computeWithin)
	defer cancel()
	began := time.Now()
	m, err := s.readMarks(ctx, now.Session.ID)
	if err != nil {
		return keptStatus{}, err
	}
	asOf, end := s.now(), now.Session.EndsAt.UnixMilli()
	c, _ := m.counts(end)
	st := Status{Figures: s.figures(now.Session, c, now.Declared, asOf)}
	st.Summary = summarise(m.rows(end, asOf.UnixMilli()), s.planned(now.Session) == Totals)
	k := keptStatus{st, now.rev, time.Now().Add(keepFactor * time.Since(began))}
	s.statuses.put(now.Session.ID, k)
	return k, nil
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
