package hooks

import (
	"context"
	"time"

	"jauge/attendance"
	"jauge/feedback"
	"jauge/feedback/survey"
	"jauge/handlers/door"
	"jauge/platforms"
	"jauge/programme"
)

// keep records a delivery: its events first, then its answers; what cannot be used of either is put aside. All of it is
// idempotent, so that a delivery which failed half-way may simply come again.
func (h *Handlers) keep(ctx context.Context, source string, d platforms.Delivery) error {
	results, err := h.Attendance.Record(ctx, source, d.Events)
	if err != nil {
		return h.refuse(source, refusedStore, door.Unavailable(err))
	}
	for i, result := range results {
		h.Metrics.Event(source, string(d.Events[i].Kind), string(result))
	}
	for range d.Unsupported {
		h.Metrics.Event(source, "unsupported", "unsupported")
	}
	for _, a := range d.Answers {
		received, err := h.Rooms.deliver(ctx, h.delivered(source, a))
		if err != nil {
			return h.refuse(source, refusedStore, door.Unavailable(err))
		}
		h.countAnswers(source, received)
	}
	return nil
}

// answersKind is the kind of event that a delivery of answers counts as.
const answersKind = "answers"

// delivered is a platform's answers as feedback takes them: without the attendee, of whom only goes along whether they
// stayed.
func (h *Handlers) delivered(source string, a platforms.Answers) feedback.Delivery {
	d := feedback.Delivery{
		Source: source, Room: a.Room, Key: a.Key, Segment: a.Segment, Lang: a.Lang, At: a.At, Values: a.Values,
		Foreign: a.Foreign, Partial: a.Partial,
	}
	if a.Attendee == "" {
		return d
	}
	d.Stay = func(ctx context.Context, session string) (string, error) {
		completed, known, err := h.Attendance.Stayed(ctx, session, source, a.Attendee)
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

// countAnswers counts what became of delivered answers; a part of them may be recorded and another put aside.
func (h *Handlers) countAnswers(source string, r feedback.Received) {
	if r.Reason != "" {
		h.Metrics.Event(source, answersKind, string(attendance.Aside))
	}
	if r.Recorded {
		h.Metrics.Event(source, answersKind, string(attendance.Recorded))
	}
	if r.Session == "" {
		return
	}
	switch {
	case r.Recorded:
		h.submitted(door.SubmissionRecorded)
	case r.Reason != "":
		h.submitted(door.SubmissionAside)
	default:
		h.submitted(door.SubmissionEmpty)
	}
}

// Rooms takes the answers that are given in rooms to what the sessions that claim them ask.
type Rooms struct {
	Programme *programme.Catalogue
	Feedback  *feedback.Store
}

// deliver takes one person's answers.
func (r Rooms) deliver(ctx context.Context, d feedback.Delivery) (feedback.Received, error) {
	session, err := r.session(ctx, d.Source, d.Room, d.At)
	if err != nil {
		return feedback.Received{}, err
	}
	return r.Feedback.Deliver(ctx, d, session)
}

// Reclaim takes the answers that are aside and can be used by now, and returns how many deliveries counted. Run it now and then.
func (r Rooms) Reclaim(ctx context.Context) (n int, err error) {
	err = r.Feedback.EachAside(ctx, func(kept feedback.Kept) error {
		session, err := r.session(ctx, kept.Source, kept.Room, kept.At)
		if err != nil {
			return err
		}
		counted, err := r.Feedback.Reclaim(ctx, kept, session)
		if counted {
			n++
		}
		return err
	})
	return n, err
}

// session finds the one that claims a room at a time; nil: none does.
func (r Rooms) session(ctx context.Context, source, room string, at time.Time) (*programme.Session, error) {
	session, claimed, err := r.Programme.Find(ctx, programme.Seen{Room: programme.Room{Source: source, ID: room}, At: at})
	if err != nil || !claimed {
		return nil, err
	}
	return &session, nil
}

// submitted counts one submitted survey of a known session, which the count does not name: it would tell when somebody answered.
func (h *Handlers) submitted(what door.Outcome) { h.Metrics.Submission(string(what)) }
