package inbox

import (
	"context"

	"jauge/feedback"
)

// ReclaimEvents records the events that are aside and that a session claims by now, and returns how many.
func (b *Inbox) ReclaimEvents(ctx context.Context) (int, error) { return b.Attendance.Reclaim(ctx) }

// ReclaimAnswers submits the answers that are aside and can be used by now, because a session claims their room or maps their
// references, and returns how many deliveries counted.
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

// Expire drops what has been aside for too long. Run it now and then, and both of the above: another process may have created a
// session since.
func (b *Inbox) Expire(ctx context.Context) error {
	if _, err := b.Attendance.ExpireAside(ctx); err != nil {
		return err
	}
	_, err := b.Feedback.ExpireAside(ctx)
	return err
}

// ObserveDropped names who is told of what was not even kept aside, because its source has too much there; call it before it can be.
func (b *Inbox) ObserveDropped(f func(source string, n int)) {
	b.Attendance.ObserveDropped(f)
	b.Feedback.ObserveDropped(f)
}
