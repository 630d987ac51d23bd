package simulator

import (
	"math/rand/v2"
	"time"
)

// A person holds a connection per device, and a new one after each reconnect. Times are since the planned start.
type person struct {
	staff bool
	stays []stay
}

type stay struct{ from, to time.Duration }

// Shares of the audience. They are round numbers that give a session its usual shape, not measurements.
const (
	shareEarly      = 0.3  // wait for it to begin
	sharePunctual   = 0.5  // come soon after the start; the rest trickles in
	shareLeaveEarly = 0.15 // do not stay to the end
	shareReconnect  = 0.15 // lose the connection once
	shareTwoDevices = 0.1  // a phone beside the computer, for a while
	staffCount      = 2    // a host and a speaker, there from the opening to the end
)

// draw invents the audience of a session of the given planned length: n persons, and staff.
func draw(r *rand.Rand, n int, length time.Duration) []person {
	minute := length / 60
	people := make([]person, 0, n+staffCount)
	for range n {
		first := stay{from: arrival(r, length)}
		first.to = departure(r, first.from, length)
		p := person{stays: []stay{first}}
		if r.Float64() < shareReconnect {
			p.stays = reconnect(r, first, minute)
		}
		if r.Float64() < shareTwoDevices {
			from := between(r, first.from, first.to)
			p.stays = append(p.stays, stay{from, between(r, from, first.to+minute)})
		}
		people = append(people, p)
	}
	for range staffCount {
		people = append(people, person{staff: true, stays: []stay{{-4*minute - between(r, 0, minute/2), length + 2*minute}}})
	}
	return people
}

func arrival(r *rand.Rand, length time.Duration) time.Duration {
	switch share := r.Float64(); {
	case share < shareEarly:
		return -between(r, 0, length/15)
	case share < shareEarly+sharePunctual:
		return min(time.Duration(r.ExpFloat64()*float64(length)/25), length/4)
	}
	return between(r, 0, length*7/10)
}

// departure is mostly around the end, before and after the room closes.
func departure(r *rand.Rand, arrived, length time.Duration) time.Duration {
	if r.Float64() < shareLeaveEarly {
		return between(r, arrived+length/60, length)
	}
	return between(r, length*97/100, length*105/100)
}

// reconnect splits a stay in two, with seconds or a minute between them.
func reconnect(r *rand.Rand, t stay, minute time.Duration) []stay {
	gap := between(r, minute/12, minute*3/2)
	lost := between(r, t.from, t.to-gap)
	if lost <= t.from {
		return []stay{t}
	}
	return []stay{{t.from, lost}, {lost + gap, t.to}}
}

// between draws from [low, high); low if there is nothing in it.
func between(r *rand.Rand, low, high time.Duration) time.Duration {
	if high <= low {
		return low
	}
	return low + time.Duration(r.Int64N(int64(high-low)))
}
