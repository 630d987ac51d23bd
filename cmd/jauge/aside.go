package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"jauge/inbox"
	"jauge/metrics"
)

// inbox takes in what platforms deliver.
func (s *stores) inbox() *inbox.Inbox {
	return &inbox.Inbox{Programme: s.programme, Attendance: s.attendance, Feedback: s.feedback}
}

// expireAside drops what has been aside for too long.
func (s *stores) expireAside(ctx context.Context, log *slog.Logger) {
	if err := s.inbox().Expire(ctx); err != nil && ctx.Err() == nil && !away(err) {
		log.Error("what was put aside long ago", "error", err)
	}
}

// tellDropped lets what is not even kept aside be counted, and said.
func (s *stores) tellDropped(m *metrics.Metrics, log *slog.Logger) {
	d := &droppings{log: log, count: m.AsideDropped, said: map[string]time.Time{}, lost: map[string]int{}}
	s.inbox().ObserveDropped(d.note)
}

// droppedEvery is how often it is said that a source floods.
const droppedEvery = time.Minute

// droppings says what is dropped of each source, now and then.
type droppings struct {
	log   *slog.Logger
	count func(source string, n int)
	mu    sync.Mutex
	said  map[string]time.Time // by source
	lost  map[string]int       // since
}

func (d *droppings) note(source string, n int) {
	d.count(source, n)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lost[source] += n
	if time.Since(d.said[source]) < droppedEvery {
		return
	}
	d.log.Warn("too much is aside: events or answers were dropped", "source", source, "number", d.lost[source])
	d.said[source], d.lost[source] = time.Now(), 0
}
