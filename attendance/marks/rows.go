package marks

import (
	"cmp"
	"slices"
	"time"
)

// Row is one person's attendance, under a pseudonym.
type Row struct {
	Attendee      string    `json:"attendee"`
	FirstJoinedAt time.Time `json:"first_joined_at"`
	LastLeftAt    time.Time `json:"last_left_at"` // zero: still in
	Visits        int       `json:"visits"`       // gaps of up to a minute joined
	Watch         time.Duration
	WatchLow      time.Duration
	Attended      bool
	Completed     bool
	Provenance    Provenance
}

// reconnectGrace is the gap up to which two visits read as one; the gap itself is not watch time.
const reconnectGrace = time.Minute

// Provenance is what a figure rests on.
type Provenance string

// The provenances.
const (
	FromMarks    Provenance = "measured" // joins and leaves
	FromInferred Provenance = "inferred" // joins, and leaves that were inferred
	FromPlatform Provenance = "reported" // the platform's own totals
)

// The thresholds printed next to the figures.
const (
	attendedAfter  = 5 * time.Minute
	completedShare = 0.85
)

// Rows describes every person, by first join; those with a total and no visit come last. Times are in ms.
func (m *Set) Rows(plannedStart, plannedEnd, now int64) []Row {
	t, live := m.census(plannedEnd, now), m.liveTime(plannedStart, plannedEnd, now)
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
