package marks

import (
	"context"
	"fmt"
	"sync"
)

// Events that arrive together are recorded together (a group commit): while a call of the script is in flight for a session, what
// arrives for it is gathered, and goes out as one call when that has been answered. A request that finds no call in flight sends
// its own at once, so waiting in company costs the lone request nothing. Nobody is answered before the call that carried their events has been.
//
// One call of a session is in flight from a process. A call that fails because Redis is away fails everybody who waits behind it, too: they go to the
// journal, and not one after the other into the same wall.

// committers are the committers of all sessions.
type committers struct {
	store     *Store
	bySession sync.Map // id → *committer
}

func (c *committers) of(session string) *committer {
	if known, ok := c.bySession.Load(session); ok {
		return known.(*committer)
	}
	known, _ := c.bySession.LoadOrStore(session, &committer{store: c.store, session: session})
	return known.(*committer)
}

// committer sends the events of one session.
type committer struct {
	store   *Store
	session string

	mu      sync.Mutex
	leading bool       // a request leads: it has a call in flight
	queue   []*request // who waits for it

	doubt bool // the leader's: nobody knows what became of the last call
}

// request is the events of one request and what became of them.
type request struct {
	events  []Placed
	results []Outcome
	err     error
	turn    chan bool // true: it is to lead the next call; false: it has been carried
}

// add records at most atOnce events. It does not give up when ctx ends: what is sent is sent, and the call has a limit of its own.
func (c *committer) add(ctx context.Context, events []Placed) ([]Outcome, error) {
	r := &request{events: events}
	c.mu.Lock()
	lead := !c.leading
	if lead {
		c.leading = true
	} else {
		r.turn = make(chan bool, 1)
		c.queue = append(c.queue, r)
	}
	c.mu.Unlock()
	switch {
	case lead:
		c.lead(context.WithoutCancel(ctx), []*request{r})
	case <-r.turn:
		c.lead(context.WithoutCancel(ctx), c.next())
	}
	return r.results, r.err
}

// next takes from the queue what fits into one call, at least its first.
func (c *committer) next() []*request {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, size := 1, len(c.queue[0].events)
	for n < len(c.queue) && size+len(c.queue[n].events) <= atOnce {
		size += len(c.queue[n].events)
		n++
	}
	batch := c.queue[:n:n]
	c.queue = c.queue[n:]
	return batch
}

// lead carries a batch, of which its caller's request is the first, wakes the others, and hands the lead on. With Redis away, it fails
// those who wait, too.
func (c *committer) lead(ctx context.Context, batch []*request) {
	err := errStopped // unless carry returns
	defer func() {
		for _, r := range batch {
			if err != nil && r.results == nil && r.err == nil {
				r.err = err
			}
		}
		c.mu.Lock()
		if err != nil {
			for _, r := range c.queue {
				r.err = err
			}
			batch, c.queue = append(batch, c.queue...), nil
		}
		var heir *request
		if len(c.queue) > 0 {
			heir = c.queue[0]
		} else {
			c.leading, c.queue = false, nil
		}
		c.mu.Unlock()
		if heir != nil {
			heir.turn <- true
		}
		for _, r := range batch[1:] {
			r.turn <- false
		}
	}()
	err = c.carry(ctx, batch)
}

var errStopped = fmt.Errorf("record: stopped half-way")

// carry sends a batch in one call. Where the server does not take it, it is sent request by request, so that an event that the
// script cannot take hurts its sender alone. The error is one that concerns everybody.
func (c *committer) carry(ctx context.Context, batch []*request) error {
	if len(batch) == 1 {
		r := batch[0]
		r.results, r.err = c.call(ctx, r.events)
		if ofEntry(r.err) {
			return nil
		}
		return r.err
	}
	all := make([]Placed, 0, atOnce)
	for _, r := range batch {
		all = append(all, r.events...)
	}
	results, err := c.call(ctx, all)
	switch {
	case err == nil:
		for _, r := range batch {
			n := len(r.events)
			r.results, results = results[:n:n], results[n:]
		}
		return nil
	case !ofEntry(err):
		return err
	}
	for i := range batch {
		if err := c.carry(ctx, batch[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// call sends events within callWithin. After a call of which nobody knows what became, the server has to answer first: it may still be
// at it, and a second one would not make it faster.
func (c *committer) call(ctx context.Context, events []Placed) ([]Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	if c.doubt {
		if err := c.store.rdb.Exists(ctx, c.store.keys.Counts(c.session)).Err(); err != nil {
			return nil, fmt.Errorf("record: %w", err)
		}
	}
	results, err := c.store.call(ctx, c.session, events)
	c.doubt = err != nil && TimedOut(err)
	return results, err
}
