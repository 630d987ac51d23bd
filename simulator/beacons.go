package simulator

import (
	"fmt"
	"time"

	"jauge/attendance"
)

// playBeacons opens pages that send beacons: each joins while the session is on, is heard from as often as a real page is, and
// leaves before the room closes, as nobody can come or is in after that. Silence is judged by the service's clock, so that
// heartbeats keep their pace at whatever speed. beside is what the session's platform tells of attendance.
func (s *stage) playBeacons(beside attendance.Capability) {
	r := chance(s.Seed, "beacons", s.session.ID)
	for i := range s.Beacons {
		from := max(0, arrival(r, s.length))
		joins, leaves := s.moment(from), s.moment(min(departure(r, from, s.length), s.length))
		id := uuid(fmt.Sprintf("%s-beacon-%d", s.occurrence, i))
		s.beacon(id, "join", joins, i)
		for at := joins.Add(attendance.BeatEvery); at.Before(leaves); at = at.Add(attendance.BeatEvery) {
			s.beacon(id, "beat", at, i)
		}
		s.beacon(id, "leave", leaves, i)
	}
	s.truth.countBeacons(s.Beacons, beside)
}

// beacon is one request of a page, of the content type that a browser sends without asking first.
func (s *stage) beacon(id, kind string, at time.Time, lane int) {
	body := fmt.Appendf(nil, `{"id":%q,"kind":%q}`, id, kind)
	d := Delivery{At: at, Lane: lane, session: s.session.ID, contentType: "text/plain;charset=UTF-8", body: body, signed: body}
	s.sent = append(s.sent, d)
}
