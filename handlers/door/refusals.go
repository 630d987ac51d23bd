package door

import (
	"sync"
	"time"
)

// refusalEvery is how often a refusal of one source for one reason is logged: refused platforms retry, and so do guessers.
const refusalEvery = 10 * time.Second

// Refusals limits the log lines of refusals, by source and reason, of which there are few; wrong logins are among them. It is safe for
// concurrent use.
type Refusals struct {
	wall   func() time.Time
	mu     sync.Mutex
	logged map[[2]string]logged
}

type logged struct {
	at         time.Time
	suppressed int // refusals since
}

// NewRefusals returns a log limiter by a clock.
func NewRefusals(wall func() time.Time) *Refusals {
	return &Refusals{wall: wall, logged: map[[2]string]logged{}}
}

// Note says whether a refusal is to be logged, and how many were not since the last one that was.
func (r *Refusals) Note(source, reason string) (suppressed int, due bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	what, now := [2]string{source, reason}, r.wall()
	last, before := r.logged[what]
	if before && now.Sub(last.at) < refusalEvery {
		last.suppressed++
		r.logged[what] = last
		return 0, false
	}
	r.logged[what] = logged{at: now}
	return last.suppressed, true
}
