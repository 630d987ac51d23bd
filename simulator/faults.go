package simulator

import (
	"fmt"
	"time"

	"jauge/attendance"
)

// Faults are what goes wrong between a platform and the service, each as the share of requests (0 to 1) that it befalls.
type Faults struct {
	Duplicate float64 // sent twice: at once, as when an answer was lost, or up to half a minute later
	Reorder   float64 // held back for up to five minutes: overtaken by leaves, or by the session's end
	Redeliver float64 // sent, or sent again, two to twenty minutes later
	LoseLeave float64 // a leave is never sent: its visit lasts until the session's end
	Forge     float64 // accompanied by a forged request, which must be refused
}

// LightFaults are those of an ordinary day: duplicates and reordering.
func LightFaults() Faults { return Faults{Duplicate: 0.05, Reorder: 0.05} }

// AllFaults are those of a bad day.
func AllFaults() Faults {
	return Faults{Duplicate: 0.1, Reorder: 0.15, Redeliver: 0.05, LoseLeave: 0.05, Forge: 0.03}
}

func (s *stage) happens(share float64) bool { return share > 0 && s.faults.Float64() < share }

// delay draws a delay at a speed of 1 and scales it.
func (s *stage) delay(low, high time.Duration) time.Duration {
	return s.scaled(between(s.faults, low, high))
}

// send adds a delivery, with its faults, to what is sent. forged is the body that an intruder of that name would send.
func (s *stage) send(d Delivery, forged func(name string) []byte) {
	if s.happens(s.Faults.Forge) {
		forgery := d
		forgery.Forged, forgery.body = true, forged(fmt.Sprintf("intruder-%d", s.truth.Forged))
		s.sent = append(s.sent, forgery)
		s.truth.Forged++
	}
	f := s.Faults
	switch {
	case s.happens(f.Redeliver):
		again := d
		again.At = d.At.Add(s.delay(2*time.Minute, 20*time.Minute))
		s.sent = append(s.sent, again)
		if s.faults.IntN(2) == 0 { // the first attempt did not arrive at all
			s.truth.Late++
			return
		}
		s.truth.Duplicates++
	case s.happens(f.Reorder):
		d.At = d.At.Add(s.delay(5*time.Second, 5*time.Minute))
		s.truth.Late++
	}
	s.sent = append(s.sent, d)
	if s.happens(f.Duplicate) {
		if s.faults.IntN(2) == 0 {
			d.At = d.At.Add(s.delay(0, 30*time.Second))
		}
		s.sent = append(s.sent, d)
		s.truth.Duplicates++
	}
}

// intruder forges a join, or a total of a minute: a service that believes it counts a person too many.
func (s *stage) intruder(e attendance.Event) func(name string) []byte {
	return func(name string) []byte {
		e.Kind, e.Staff, e.Guest = attendance.Joined, false, false
		if s.dialect.Capability == attendance.Totals {
			e.Kind, e.Total = attendance.Attended, time.Minute
		}
		e.Attendee, e.Connection = name, s.occurrence+"-"+name
		_, body := s.dialect.Encode(e)
		return body
	}
}
