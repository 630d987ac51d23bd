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

// tellDropped has dropped events and answers counted, and logged.
func (s *stores) tellDropped(m *metrics.Metrics, log *slog.Logger) {
	d := &dropLog{log: log, count: m.AsideDropped, logged: map[string]time.Time{}, lost: map[string]int{}}
	s.inbox().ObserveDropped(d.note)
}

// droppedEvery is how often it is logged that a source floods.
const droppedEvery = time.Minute

// dropLog counts what is dropped of each source, and logs it at most every droppedEvery.
type dropLog struct {
	log    *slog.Logger
	count  func(source string, n int)
	mu     sync.Mutex
	logged map[string]time.Time // by source
	lost   map[string]int       // since then, by source
}

func (d *dropLog) note(source string, n int) {
	d.count(source, n)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lost[source] += n
	if time.Since(d.logged[source]) < droppedEvery {
		return
	}
	d.log.Warn("too much is aside: events or answers were dropped", "source", source, "number", d.lost[source])
	d.logged[source], d.lost[source] = time.Now(), 0
}
