package attendance

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"jauge/programme"
)

// All of a status is of one moment, AsOf. Counts are read in a millisecond; a summary needs every person's marks, so it is computed
// in the background, once for all requests that wait (single-flight), and cached. Figures and summary are cached together, so that
// a summary is never shown beside newer counts.

// keptStatus is a cached status.
type keptStatus struct {
	Status
	rev   int64     // of the counts, when it was computed
	until time.Time // while the session is large, shown until then though rev has moved; by the process's clock
}

// statuses caches the last status of each session that was asked for.
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
	largeFrom     = 2000        // people, from which on a status is shown for a while although new marks were recorded
	keepFactor    = 20          // that while, in times of what computing took: it costs a twentieth of a processor at most
	computeWithin = time.Minute // how long one computation may take
)

// Status gives the status of sessions. It may be some time old, all of it, as AsOf says: of a large session that goes on, and where
// computing the new one takes longer than the store's patience. Once everybody has left, it is of now.
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
		out[i] = k.withCurrent(now)
	}
	return out, nil
}

// Live gives the status of a session now: counts alone of a large one that goes on, and where computing the summary takes longer
// than the store's patience.
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
	return k.withCurrent(now), nil
}

// maxSummaryAge is how old a summary may be that is shown beside newer counts: see cached.
const maxSummaryAge = time.Minute

// cached gives the counts with the summary that was computed last for anybody, if it still says what is: no mark has come since and the
// session is over, or it is of the last minute. It computes nothing.
func (s *reader) cached(now versioned) Status {
	st := Status{Figures: now.Figures}
	k, kept := s.statuses.get(now.Session.ID)
	if kept && k.says(now) && (k.rev == now.rev && k.settled() || now.AsOf.Sub(k.AsOf) < maxSummaryAge) {
		st.Summary = k.Summary
	}
	return st
}

// large says whether reading every person's marks costs too much to be done whenever a mark is recorded.
func (now versioned) large() bool {
	quiet := now.State != InSession || now.Present == nil || *now.Present == 0
	return !quiet && now.Unique != nil && *now.Unique >= largeFrom
}

// await gives the cached status if it is current, else has it computed and waits. fresh is false when that takes longer than the
// store's patience: then it is the one cached before, or, without one, the counts.
func (s *reader) await(ctx context.Context, now versioned) (k keptStatus, fresh bool, err error) {
	counts := keptStatus{Status: Status{Figures: now.Figures}}
	summarised := now.Capability == Live || now.Capability == Totals && now.Unique != nil
	if !summarised || now.LastEventAt.IsZero() {
		return counts, true, nil
	}
	patience := time.NewTimer(s.patience)
	defer patience.Stop()
	for {
		k, kept := s.statuses.get(now.Session.ID)
		switch {
		case !kept:
			k = counts
		case k.current(now):
			return k, true, nil
		}
		select {
		case done := <-s.statuses.computing.DoChan(now.Session.ID, func() (any, error) { return s.compute(now) }):
			if done.Err != nil {
				return k, false, done.Err
			}
			if k := done.Val.(keptStatus); k.rev >= now.rev { // else the computation began before these counts were read
				return k, true, nil
			}
		case <-patience.C:
			return k, false, nil
		case <-ctx.Done():
			return k, false, ctx.Err()
		}
	}
}

// current says whether a cached status may still be shown.
func (k keptStatus) current(now versioned) bool {
	if !k.says(now) {
		return false
	}
	return k.rev == now.rev && k.settled() || (k.rev == now.rev || now.large()) && time.Now().Before(k.until)
}

// says tells whether a cached status is of the session as it is planned now, and stands where it does.
func (k keptStatus) says(now versioned) bool {
	return k.State == now.State && k.Session.StartsAt.Equal(now.Session.StartsAt) && k.Session.EndsAt.Equal(now.Session.EndsAt)
}

// settled says whether only a new mark can change the status: the session is over.
func (k keptStatus) settled() bool { return k.State == Over && !k.EndedAt.After(k.AsOf) }

// withCurrent gives a cached status with what does not come from marks (session, head count) as it is now.
func (k keptStatus) withCurrent(now versioned) Status {
	st := k.Status
	st.Session, st.Declared = now.Session, now.Declared
	if k.settled() {
		st.AsOf = now.AsOf
	}
	return st
}

// compute derives a status from the marks alone, so that its figures cannot contradict each other, and caches it. It does not run
// under a request's context: the request that started it may be cancelled while others wait for it.
func (s *reader) compute(now versioned) (keptStatus, error) {
	ctx, cancel := context.WithTimeout(context.Background(), computeWithin)
	defer cancel()
	began := time.Now()
	m, err := s.marks.Read(ctx, now.Session.ID)
	if err != nil {
		return keptStatus{}, err
	}
	asOf, end := s.now(), now.Session.EndsAt.UnixMilli()
	st := Status{Figures: s.figures(now.Session, m.Counts(), now.Declared, asOf)}
	st.Summary = summarise(m.Rows(now.Session.StartsAt.UnixMilli(), end, asOf.UnixMilli()), s.planned(now.Session) == Totals)
	k := keptStatus{st, now.rev, time.Now().Add(keepFactor * time.Since(began))}
	s.statuses.put(now.Session.ID, k)
	return k, nil
}

// summarise adds rows up. As soon as a platform of totals has sent some, only its totals count.
func summarise(rows []Row, ofTotals bool) *Summary {
	fromPlatform := func(r Row) bool { return r.Provenance == FromPlatform }
	if ofTotals && slices.ContainsFunc(rows, fromPlatform) {
		rows = slices.DeleteFunc(rows, func(r Row) bool { return !fromPlatform(r) })
	}
	sum := &Summary{}
	var stays []time.Duration
	for _, r := range rows {
		sum.Watch += r.Watch
		sum.WatchLow += r.WatchLow
		if r.Attended {
			stays = append(stays, r.Watch)
		}
		if r.Completed {
			sum.Completed++
		}
	}
	sum.Attended, sum.StayMean, sum.StayMedian = len(stays), mean(stays), median(stays)
	return sum
}

// mean is 0 for none, to the millisecond.
func mean(stays []time.Duration) time.Duration {
	total := time.Duration(0)
	for _, stay := range stays {
		total += stay
	}
	return (total / time.Duration(max(len(stays), 1))).Round(time.Millisecond)
}

// median is 0 for none. It sorts them.
func median(stays []time.Duration) time.Duration {
	if len(stays) == 0 {
		return 0
	}
	slices.Sort(stays)
	middle := len(stays) / 2
	if len(stays)%2 == 1 {
		return stays[middle]
	}
	return (stays[middle-1] + stays[middle]) / 2
}
