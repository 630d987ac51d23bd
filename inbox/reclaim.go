package inbox

import (
	"context"

	"jauge/feedback"
)

// ReclaimEvents records the events aside that a session claims by now, and returns how many.
func (b *Inbox) ReclaimEvents(ctx context.Context) (int, error) { return b.Attendance.Reclaim(ctx) }

// ReclaimAnswers submits the answers aside that can be used by now, because a session claims their room or maps their references,
// and returns how many were.
func (b *Inbox) ReclaimAnswers(ctx context.Context) (n int, err error) {
	err = b.Feedback.EachAside(ctx, func(kept feedback.Kept) error {
		session, err := b.claim(ctx, kept.Source, kept.Room, kept.At)
		if err != nil {
			return err
		}
		counted, err := b.Feedback.Reclaim(ctx, kept, session)
		if counted {
			n++
		}
		return err
	})
	return n, err
}

// Expire drops what has been aside for too long. Call it periodically, and both functions above too: another process may have
// created a session.
func (b *Inbox) Expire(ctx context.Context) error {
	if _, err := b.Attendance.ExpireAside(ctx); err != nil {
		return err
	}
	_, err := b.Feedback.ExpireAside(ctx)
	return err
}

// ObserveDropped sets the function that is told of events and answers that were dropped, because too much of their source is aside.
// Call it before the first delivery.
func (b *Inbox) ObserveDropped(f func(source string, n int)) {
	b.Attendance.ObserveDropped(f)
	b.Feedback.ObserveDropped(f)
}
