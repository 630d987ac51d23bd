package attendance

import (
	"cmp"
	"context"
	"slices"
	"time"

	"jauge/attendance/marks"
	"jauge/programme"
)

// reader reads figures, curves and rows. Store embeds it.
type reader struct {
	*base
	statuses statuses
	patience time.Duration // how long a request waits for a status
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

// versioned are figures with the revision (rev) of the counts that they were made of.
type versioned struct {
	Figures
	rev int64
}

func (s *reader) readFigures(ctx context.Context, sessions []programme.Session) ([]versioned, error) {
	ids := make([]string, len(sessions))
	for i, session := range sessions {
		ids[i] = session.ID
	}
	seen, err := s.marks.Look(ctx, ids...)
	if err != nil {
		return nil, err
	}
	out := make([]versioned, len(sessions))
	for i, session := range sessions {
		out[i] = versioned{s.figures(session, seen[i].Counts, seen[i].Declared, s.now()), seen[i].Counts["rev"]}
	}
	return out, nil
}

// Verify recomputes from the marks every count of a session, and lists what differs; see marks.Store.
func (s *reader) Verify(ctx context.Context, id string) ([]Drift, error) {
	session, err := s.programme.Session(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.marks.Verify(ctx, id, session.EndsAt.UnixMilli())
}

// Repair rebuilds every derived count of a session from its marks.
func (s *reader) Repair(ctx context.Context, id string) error { return s.marks.Repair(ctx, id) }

// Drift is one count that is not what the marks say.
type Drift = marks.Drift

// ErrBusy says that a session changed each time it was read.
var ErrBusy = marks.ErrBusy

// Unseen gives the figures of a session without any event.
func (s *reader) Unseen(session programme.Session) Figures {
	return s.figures(session, marks.Counts{}, nil, s.now())
}

// figures derives figures from counts and a moment. The automatic close is derived from that moment too; it is never stored.
func (s *reader) figures(session programme.Session, c marks.Counts, declared *int, asOf time.Time) Figures {
	now := asOf.UnixMilli()
	f := Figures{Session: session, AsOf: asOf, Capability: s.planned(session), Declared: declared}
	if c["measured"] > 0 {
		f.Capability = Live // beacons report joins and leaves where the platform does not
	}
	if c["last"] > 0 {
		f.LastEventAt = time.UnixMilli(c["last"]).UTC()
	}
	if c["occurrences"] > 0 {
		f.StartedAt = time.UnixMilli(c["started"]).UTC()
	}
	closeAt := max(session.EndsAt.UnixMilli(), c["last"]) + marks.CloseAfter.Milliseconds()
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
		f.State = Scheduled // no event yet, or only a rehearsal that has ended
	}
	if f.Capability == Live {
		peak := int(c["peak"])
		f.Present, f.Connections, f.Peak, f.SeenLeavingOnly = &present, &connections, &peak, new(int(c["leaving"]))
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
	if expected := cmp.Or(session.Invited, int(c["registered"])); expected > 0 && f.Unique != nil && f.State != Scheduled {
		rate := float64(*f.Unique) / float64(expected)
		f.AttendanceRate = &rate
	}
	return f
}

// showsWhoCame says whether a registered person who came would have been seen by now: on a platform of totals, once it has sent
// them (beacons and registrations are not linked); elsewhere, from the start on.
func (f *Figures) showsWhoCame(planned Capability) bool {
	return f.Reported != nil || planned != Totals && f.Unique != nil && f.State != Scheduled
}

// totals fills in how many came and for how long. On a platform of totals, its totals replace what was measured; elsewhere they
// count for persons without a visit.
func (f *Figures) totals(planned Capability, measured Total, c marks.Counts) {
	reported := Total{int(c["reported"]), time.Duration(c["reported_watch"]) * time.Millisecond}
	if measured.Unique > 0 {
		f.Measured = &measured
	}
	if reported.Unique > 0 {
		f.Reported = &reported
	}
	unique := int(c["unique"])
	low := min(max(int(c["known"]+c["names"]), 1), unique) // guests without names are somebody
	f.Provenance, f.Watch = FromMarks, measured.Watch+time.Duration(c["filled"])*time.Millisecond
	if planned == Totals && reported.Unique > 0 {
		f.Provenance, unique, low, f.Watch = FromPlatform, reported.Unique, reported.Unique, reported.Watch
	}
	if f.Capability == Live || f.Capability == Joins || unique > 0 {
		f.Unique, f.UniqueLow = &unique, &low
	}
}

// planned is the best capability among the sources of a session's rooms.
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

// A session is on /metrics from visibleBefore its start until visibleAfter its end: see Scrape.
const (
	visibleBefore = time.Hour
	visibleAfter  = 24 * time.Hour
)

// Scrape reads the figures of the sessions that belong on /metrics now: from an hour before the planned start, or the
// first event, until a day after the planned end or the last event, whichever is later. A summary is with them where one has just
// been computed for somebody else: reading everybody's marks is no price for a scrape.
func (s *reader) Scrape(ctx context.Context) ([]Status, error) {
	sessions, err := s.programme.Sessions(ctx)
	if err != nil || len(sessions) == 0 {
		return nil, err
	}
	read, err := s.readFigures(ctx, sessions)
	if err != nil {
		return nil, err
	}
	now := s.now()
	var shown []Status
	for _, f := range read {
		last := f.Session.EndsAt
		if f.LastEventAt.After(last) {
			last = f.LastEventAt
		}
		before := now.Before(f.Session.StartsAt.Add(-visibleBefore)) && f.LastEventAt.IsZero()
		if !before && !now.After(last.Add(visibleAfter)) {
			shown = append(shown, s.cached(f))
		}
	}
	return shown, nil
}
