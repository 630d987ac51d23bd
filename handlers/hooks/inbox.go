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
		received, err := h.Feedback.Deliver(ctx, h.delivered(source, a), h.Rooms)
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

// Programme tells feedback what people answer in a room, and what they are promised, by the sessions of a catalogue, the surveys
// and the minimum group of the configuration.
func Programme(sessions *programme.Catalogue, surveys map[string]*survey.Survey, minimumGroup int) feedback.Programme {
	claim := func(ctx context.Context, source, room string, at time.Time) (feedback.Target, error) {
		session, ok, err := sessions.Find(ctx, programme.Seen{Room: programme.Room{Source: source, ID: room}, At: at})
		if err != nil || !ok {
			return feedback.Target{}, err
		}
		target := feedback.Target{Session: session.ID, Questions: session.Questions}
		if survey := surveys[session.Survey]; survey != nil {
			target.Survey = survey.For(session.Minors)
			target.Promise = feedback.Promise{Linked: survey.Linked(), MinimumGroup: minimumGroup, Minors: session.Minors}
		}
		for _, segment := range session.Segments {
			target.Segments = append(target.Segments, segment.ID)
		}
		return target, nil
	}
	return feedback.Programme{Surveys: surveys, Claim: claim}
}

// submitted counts one submitted survey of a known session, which the count does not name: it would tell when somebody answered.
func (h *Handlers) submitted(what door.Outcome) { h.Metrics.Submission(string(what)) }
