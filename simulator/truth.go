package simulator

import (
	"cmp"
	"slices"
	"time"

	"jauge/attendance"
)

// Truth has the figures of a performance, from who was in when at the platform's resolution of time. A service that counts right, and
// had no earlier data of the session, shows exactly these once everything was sent.
//
// A figure that cannot be known from what the platform sends is nil, and absent from the JSON. For the same reason, a visit whose
// leave is lost for good lasts until the session's end.
type Truth struct {
	Session      string     `json:"session"`
	Unique       *int       `json:"unique,omitempty"`     // persons who came; each connection of a guest is one
	UniqueLow    *int       `json:"unique_low,omitempty"` // how many they are at least, where a guest who comes again is somebody new
	Visits       int        `json:"visits,omitempty"`     // connections that they came with; 0: the platform tells none
	Peak         *int       `json:"peak,omitempty"`       // most persons within the same second
	PeakAt       *time.Time `json:"peak_at,omitempty"`
	WatchSeconds *float64   `json:"watch_seconds,omitempty"` // all persons' time; two devices at once are one person
	Present      *int       `json:"present,omitempty"`       // 0: the session ended
	Connections  *int       `json:"connections,omitempty"`   // 0: the session ended
	Registered   *int       `json:"registered,omitempty"`    // persons
	NoShowRate   *float64   `json:"no_show_rate,omitempty"`
	Answers      *int       `json:"answers,omitempty"` // persons whose answers a form tool posted; nil: no form was played
	Beacons      int        `json:"beacons,omitempty"` // persons whose pages sent beacons

	Requests   int `json:"requests"`    // of all kinds
	Duplicates int `json:"duplicates"`  // requests that repeat another
	Late       int `json:"late"`        // requests that were held back
	LostLeaves int `json:"lost_leaves"` // leaves that were never sent
	Forged     int `json:"forged"`      // requests that must be refused
}

// visit is one connection's time; to is zero when its leave is lost.
type visit struct {
	person   int
	from, to time.Time
}

// count computes the figures of visits to a session that ended at end. It shares no code with the service: it marks the seconds in
// which a person was there one by one.
func (t *Truth) count(visits []visit, end time.Time) {
	t.Visits, t.Present, t.Connections = len(visits), new(0), new(0)
	byPerson := map[int][]visit{}
	for _, v := range visits {
		if v.to.IsZero() || v.to.After(end) {
			v.to = end
		}
		byPerson[v.person] = append(byPerson[v.person], v)
	}
	t.Unique = new(len(byPerson))
	var watched time.Duration
	inside := map[int64]int{} // persons by Unix second
	for _, own := range byPerson {
		slices.SortFunc(own, func(a, b visit) int { return a.from.Compare(b.from) })
		var until time.Time // counted so far
		for _, v := range own {
			if v.from.Before(until) {
				v.from = until
			}
			if !v.to.After(v.from) {
				continue
			}
			watched += v.to.Sub(v.from)
			until = v.to
			for second := v.from.Unix(); second < v.to.Unix(); second++ {
				inside[second]++
			}
		}
	}
	t.WatchSeconds = new(watched.Seconds())
	t.findPeak(inside)
}

// countBeacons adds n pages that opened and closed again. Beside a platform of totals the figures stay; else each page is a person
// more. The service stamps beacons as they arrive, so peak and watch time cannot be known any more.
func (t *Truth) countBeacons(n int, beside attendance.Capability) {
	t.Beacons, t.Present, t.Connections = n, new(0), new(0)
	if beside == attendance.Totals {
		return
	}
	if t.Unique != nil {
		n += *t.Unique
	}
	t.Unique, t.Peak, t.PeakAt, t.WatchSeconds = &n, nil, nil, nil
	if t.UniqueLow == nil {
		t.UniqueLow = new(1) // somebody opened them
	}
}

// findPeak takes the most persons in one second, and the first such second.
func (t *Truth) findPeak(inside map[int64]int) {
	var at int64
	peak := 0
	for second, persons := range inside {
		if cmp.Or(cmp.Compare(persons, peak), cmp.Compare(at, second)) > 0 {
			peak, at = persons, second
		}
	}
	t.Peak = &peak
	if peak > 0 {
		moment := time.Unix(at, 0).UTC()
		t.PeakAt = &moment
	}
}
