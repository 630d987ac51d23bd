package main

import (
	"context"
	"sync"
	"time"
)

// clock is the demo's time. It jumps from one conversation to the next, runs faster than the wall's during each, and stands still
// while a request is answered: on a slow machine the demo takes longer, and its requests still come at their time.
type clock struct {
	mu    sync.Mutex
	at    time.Time // its time when it was last set
	since time.Time // the wall's time then
	rate  float64   // its seconds per second
	until time.Time // where it stops; zero: nowhere
}

// Now implements the service's clock.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *clock) now() time.Time {
	now := c.at.Add(time.Duration(float64(time.Since(c.since)) * c.rate))
	if !c.until.IsZero() && now.After(c.until) {
		return c.until
	}
	return now
}

// jump sets the clock, which then stands.
func (c *clock) jump(to time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.since, c.rate, c.until = to, time.Now(), 1, to
}

// release lets the clock run on as the wall's does.
func (c *clock) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.since, c.rate, c.until = c.now(), time.Now(), 1, time.Time{}
}

// run lets the clock go to a moment, rate times as fast as the wall's, and returns when it stands there. It does not go
// back to a moment that is past.
func (c *clock) run(ctx context.Context, to time.Time, rate float64) error {
	c.mu.Lock()
	now := c.now()
	if to.Before(now) {
		to = now
	}
	c.at, c.since, c.rate, c.until = now, time.Now(), rate, to
	c.mu.Unlock()
	return sleepUntil(ctx, time.Now().Add(time.Duration(float64(to.Sub(now))/rate)))
}
