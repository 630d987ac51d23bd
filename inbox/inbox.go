// Package inbox takes in what platforms deliver: a delivery's events go to attendance, each person's answers to feedback, and what
// neither can use is kept aside (quarantined) until it can be counted or has expired.
//
// The story in files: inbox.go (one delivery), rooms.go (which room it is of, where the platform only hints), aside.go (lists and counts of
// what is aside, of both), reclaim.go (how it leaves).
package inbox

import (
	"context"
	"slices"
	"time"

	"jauge/attendance"
	"jauge/feedback"
	"jauge/feedback/survey"
	"jauge/platforms"
	"jauge/programme"
)

// Inbox takes deliveries in. It is safe for concurrent use; everything is required.
type Inbox struct {
	Programme  *programme.Catalogue
	Attendance *attendance.Store
	Feedback   *feedback.Store
}

// Taken is what became of a delivery.
type Taken struct {
	Events  []attendance.Result // one for each of its events; "" while the journal has it
	Answers []feedback.Received // one for each person's answers
}

// Take records a delivery of a source: its events first, then its answers; what cannot be used of either is put aside. It is
// idempotent, so a delivery that failed half-way may come again: with an error comes what was taken before it.
func (b *Inbox) Take(ctx context.Context, source string, d platforms.Delivery) (t Taken, err error) {
	for part := range slices.Chunk(d.Events, atOnce) {
		results, err := b.Attendance.Record(ctx, source, part)
		if err != nil {
			return t, err
		}
		if results == nil {
			results = make([]attendance.Result, len(part))
		}
		t.Events = append(t.Events, results...)
	}
	for _, a := range d.Answers {
		session, err := b.claim(ctx, source, a.Room, a.At)
		if err != nil {
			return t, err
		}
		received, err := b.Feedback.Deliver(ctx, b.delivery(source, a), session)
		if err != nil {
			return t, err
		}
		t.Answers = append(t.Answers, received)
	}
	return t, nil
}

// atOnce is how many events of one delivery are recorded at once. A platform that writes down a whole meeting sends ten thousand: the
// store would take as long for them as one that is away.
const atOnce = 500

// claim finds the session that answers of a room at a time are for; nil: none.
func (b *Inbox) claim(ctx context.Context, source, room string, at time.Time) (*programme.Session, error) {
	session, claimed, err := b.Programme.Find(ctx, programme.Seen{Room: programme.Room{Source: source, ID: room}, At: at})
	if err != nil || !claimed {
		return nil, err
	}
	return &session, nil
}

// delivery is a platform's answers as feedback takes them: of the attendee, it can ask only whether they stayed.
func (b *Inbox) delivery(source string, a platforms.Answers) feedback.Delivery {
	d := feedback.Delivery{
		Source: source, Room: a.Room, Key: a.Key, Segment: a.Segment, Lang: a.Lang, At: a.At, Values: a.Values,
		Foreign: a.Foreign, Partial: a.Partial,
	}
	if a.Attendee == "" {
		return d
	}
	d.Stay = func(ctx context.Context, session string) (string, error) {
		completed, known, err := b.Attendance.Stayed(ctx, session, source, a.Attendee)
		switch {
		case err != nil || !known:
			return "", err
		case completed:
			return survey.Stayed, nil
		}
		return survey.Left, nil
	}
	return d
}
