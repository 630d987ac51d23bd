package lookup

import (
	"context"
	"slices"

	"jauge/feedback"
	"jauge/feedback/survey"
	"jauge/handlers/door"
	"jauge/programme"
)

// Asked is what a session asks, and what it promises to those who answer.
type Asked struct {
	Session programme.Session
	Whole   *survey.Survey   // with all its waves, without what must not be asked under the promise
	Promise feedback.Promise // what holds for the answers: what was promised to those before, or more
}

// ErrNoSurvey is the failure of who asks for the answers of a session that asks nothing.
var ErrNoSurvey = door.NotFound("This session has no survey.")

// Asked finds a session and what it asks; programme.ErrNotFound or ErrNoSurvey if there is none.
func (s *Sessions) Asked(ctx context.Context, id string) (Asked, error) {
	session, err := s.Programme.Session(ctx, id)
	if err != nil {
		return Asked{}, err
	}
	survey := s.Survey(session)
	if survey == nil {
		return Asked{}, ErrNoSurvey
	}
	promise := s.Promised(ctx, session, survey)
	return Asked{session, survey.For(promise.Minors), promise}, nil
}

// Promised is what holds for a session's answers: what was promised to those who gave some, or more. With the store away,
// the configuration has to do: what was promised is kept when the answer comes to the store.
func (s *Sessions) Promised(ctx context.Context, session programme.Session, survey *survey.Survey) feedback.Promise {
	promise := feedback.Promise{Linked: survey.Linked(), MinimumGroup: s.MinimumGroup, Minors: session.Minors}
	if before, given, err := s.Feedback.Promise(ctx, session.ID); err == nil && given {
		promise = promise.Tighten(before)
	}
	promise.Linked = promise.Linked && !promise.Minors
	return promise
}

// Survey returns what a session may ask, or nil if it asks nothing.
func (s *Sessions) Survey(session programme.Session) *survey.Survey {
	survey := s.Surveys[session.Survey]
	if survey == nil {
		return nil
	}
	return survey.For(session.Minors)
}

// SegmentIDs lists a session's audiences.
func SegmentIDs(session programme.Session) []string {
	ids := make([]string, len(session.Segments))
	for i, segment := range session.Segments {
		ids[i] = segment.ID
	}
	return ids
}

// HasSegment says whether id is one of the session's audiences, or none at all.
func HasSegment(session programme.Session, id string) bool {
	return id == "" || slices.ContainsFunc(session.Segments, func(s programme.Segment) bool { return s.ID == id })
}
