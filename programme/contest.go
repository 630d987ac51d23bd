package programme

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// While another session of the room could still take an occurrence, its claim keeps what was planned when it was made, and which of these
// sessions' windows have been hit. So who has the occurrence is a function of its marks, whatever their order, and what is planned
// later changes nothing.

// tenure is a claim: which session has an occurrence.
type tenure struct {
	Holder string   `json:"s"`
	First  int64    `json:"f,omitempty"` // its earliest mark, in ms
	Until  int64    `json:"u,omitempty"` // in ms; from then on the claim stands
	Plans  []plan   `json:"r,omitempty"` // the sessions that can have it, the holder among them; none: the claim stands
	Left   []string `json:"x,omitempty"` // the sessions that it was taken from
	ByHand bool     `json:"m,omitempty"` // an organiser gave it to the session, and may take it back
}

// Contest is what was planned when an occurrence was claimed that another session could still take.
type Contest struct {
	Until int64  `json:"u"`
	Plans []plan `json:"r"`
}

// settledAfter is how long after the planned end of the last session that could have it, or after its claim, an occurrence may move.
// mostLate is how much earlier than what is known of it a mark may be that is still to come.
const (
	settledAfter = time.Hour
	mostLate     = 12 * time.Hour
)

// parseClaim reads a claim as the store keeps it: the id of the session alone, where nothing else is to be known; empty: none.
func parseClaim(text string) (c tenure, err error) {
	if !strings.HasPrefix(text, "{") {
		return tenure{Holder: text}, nil
	}
	err = json.Unmarshal([]byte(text), &c)
	return c, err
}

func (c tenure) String() string {
	if len(c.Plans) == 0 && len(c.Left) == 0 && !c.ByHand {
		return c.Holder
	}
	text, _ := json.Marshal(c) //nolint:errchkjson // of plain fields
	return string(text)
}

// open says whether the occurrence can still go to another session: then its events are kept.
func (c tenure) open(now int64) bool { return now < c.Until && c.contested() }

func (c tenure) contested() bool { return c.ByHand || len(c.Plans) > 0 }

// contested makes the claim of an occurrence of whose room these sessions are; without a holder if no mark lies in a window.
func contested(sessions []Session, marks []int64, now int64) tenure {
	c := tenure{First: slices.Min(marks), Until: now}
	for _, session := range sessions {
		c.Plans = append(c.Plans, session.plan())
	}
	c.hit(marks...)
	if c.give(c.nearest()); c.Holder == "" {
		return tenure{}
	}
	for _, p := range c.Plans {
		c.Until = max(c.Until, p.Ends)
	}
	c.Until += settledAfter.Milliseconds()
	return c
}

// hit takes note of marks.
func (c *tenure) hit(marks ...int64) {
	c.Plans = slices.Clone(c.Plans)
	for _, at := range marks {
		c.First = min(c.First, at)
		for i := range c.Plans {
			c.Plans[i].Hit = c.Plans[i].Hit || c.Plans[i].has(at)
		}
	}
}

// nearest is the session whose planned time is nearest to the earliest mark, of those whose window has been hit; empty: none has.
func (c *tenure) nearest() string {
	hit := slices.DeleteFunc(slices.Clone(c.Plans), func(p plan) bool { return !p.Hit })
	if len(hit) == 0 {
		return ""
	}
	return slices.MinFunc(hit, func(a, b plan) int { return nearer(a, b, c.First) }).ID
}

// give lets a session have the occurrence, and drops the plans of those that cannot take it any more.
func (c *tenure) give(to string) {
	if to != c.Holder && c.Holder != "" {
		c.Left = append(slices.DeleteFunc(slices.Clone(c.Left), func(id string) bool { return id == to }), c.Holder)
	}
	c.Holder = to
	at := slices.IndexFunc(c.Plans, func(p plan) bool { return p.ID == to })
	if at < 0 {
		c.Plans = nil
		return
	}
	holder := c.Plans[at]
	c.Plans = slices.DeleteFunc(slices.Clone(c.Plans), func(p plan) bool { return p.ID != to && !p.canTake(holder, c.First) })
	if len(c.Plans) == 1 {
		c.Plans = nil
	}
}

// canTake says whether marks that are still to come could make a session nearer to the occurrence than the one that holds it.
func (p plan) canTake(holder plan, first int64) bool {
	earliest := first - mostLate.Milliseconds()
	if p.Closes < earliest {
		return false
	}
	// Both distances change their slope at these moments only: where p is nearer at all, it is at one of them.
	for _, turn := range []int64{earliest, first, p.Starts, p.Ends, holder.Starts, holder.Ends} {
		for _, at := range []int64{turn - 1, turn, turn + 1} {
			if earliest <= at && at <= first && nearer(p, holder, at) < 0 {
				return true
			}
		}
	}
	return false
}
