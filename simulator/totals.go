package simulator

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"jauge/attendance"
)

// For two who come, one has registered and stays away: a third of all who registered, as is usual for a free webinar.
const comeForOneAway = 2

// playTotals adds the events of a platform of totals, without joins and leaves (Livestorm): who registered, before the planned start;
// the start and the end; then each person's total, or that they did not come.
func (s *stage) playTotals() {
	lead, closes := Lead(s.session), closing(s.length)
	afterwards := func() time.Duration { return closes + s.length/60 + between(s.audience, 0, s.length/6) }
	people := draw(s.audience, s.Attendees, s.length)
	away := s.Attendees / comeForOneAway
	var watched time.Duration
	for i := range len(people) + away {
		e := attendance.Event{Kind: attendance.Registered, Attendee: fmt.Sprintf("attendee-%d-%d", s.Seed, i)}
		comes := i < len(people)
		e.Staff = comes && people[i].staff
		s.say(e, -between(s.audience, lead/4, lead), i)
		if !comes {
			s.stayedAway(e, afterwards(), i)
			continue
		}
		e.Kind, e.Total = attendance.Attended, s.total(people[i], closes)
		s.say(e, afterwards(), i)
		if !e.Staff {
			watched += e.Total
		}
	}
	s.say(attendance.Event{Kind: attendance.Started}, -lead/5, -1)
	s.say(attendance.Event{Kind: attendance.Ended}, closes, -1)
	registered := s.Attendees + away
	s.truth.Unique, s.truth.UniqueLow, s.truth.WatchSeconds = new(s.Attendees), new(s.Attendees), new(watched.Seconds())
	s.truth.Registered, s.truth.NoShowRate = &registered, new(float64(away)/float64(registered))
}

// total is the whole seconds from a person's first arrival to their last departure, or to the end.
func (s *stage) total(p person, closes time.Duration) time.Duration {
	from := slices.MinFunc(p.stays, func(a, b stay) int { return int(a.from - b.from) }).from
	to := slices.MaxFunc(p.stays, func(a, b stay) int { return int(a.to - b.to) }).to
	return max(0, s.scaled(min(to, closes)-from)).Truncate(time.Second)
}

// stayedAway reports that a registered person did not come. The dialect cannot encode that, as jauge reads it as a registration and
// nothing more, so the type of the encoded event is replaced.
func (s *stage) stayedAway(e attendance.Event, after time.Duration, lane int) {
	d, e := s.encode(e, after, lane)
	d.body = bytes.Replace(d.body, []byte(`"people.registered"`), []byte(`"people.not_attended"`), 1)
	d.signed = d.body
	s.send(d, s.intruder(e))
}

// uuid is an id such as platforms draw, the same for the same text.
func uuid(text string) string {
	sum := sha256.Sum256([]byte(text))
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
