// Package embedded is the store of a first run: an in-process server that speaks Redis' protocol and runs the same
// scripts. It keeps everything in memory; what makes it durable is the journal that is replayed into it at start.
package embedded

import (
	"crypto/rand"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Store is a running in-process store. Close it after every client of it.
type Store struct {
	server   *miniredis.Miniredis
	password string
	done     chan struct{}
	stopped  chan struct{}
}

// Start listens on a free loopback port, behind a random password, and lets the store's clock run.
func Start() (*Store, error) {
	s := &Store{server: miniredis.NewMiniRedis(), password: rand.Text(), done: make(chan struct{}), stopped: make(chan struct{})}
	s.server.RequireAuth(s.password)
	if err := s.server.StartAddr("127.0.0.1:0"); err != nil {
		return nil, err
	}
	go s.tick()
	return s, nil
}

// tick moves the store's clock, on which keys expire: miniredis' own ClockTTL mode walks all keys at each access.
func (s *Store) tick() {
	defer close(s.stopped)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-s.done:
			return
		case now := <-ticker.C:
			s.server.FastForward(now.Sub(last))
			last = now
		}
	}
}

// Client returns a new client of the store; the caller closes it. Only its context limits a read: a store in the
// same process may be slow and is never away, and retries would add to its load.
func (s *Store) Client() redis.UniversalClient {
	return redis.NewClient(&redis.Options{
		Addr: s.server.Addr(), Password: s.password, DisableIdentity: true,
		ContextTimeoutEnabled: true, ReadTimeout: -1, PoolTimeout: time.Minute,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// Close stops the clock and the server.
func (s *Store) Close() {
	close(s.done)
	<-s.stopped
	s.server.Close()
}
