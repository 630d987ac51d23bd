package simulator

import (
	"fmt"
	"time"

	"jauge/attendance"
)

// playBeacons opens pages that send beacons: each joins while the session is on, sends heartbeats as often as a real page does, and
// leaves before the room closes. The service judges silence by its own clock, so heartbeats keep that pace at any speed. beside is
// the capability of the session's platform.
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
