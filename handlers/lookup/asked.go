package lookup

import (
	"context"

	"jauge/feedback"
)

// Asked finds a session and what it asks; programme.ErrNotFound or feedback.ErrNoSurvey if there is none.
func (s *Sessions) Asked(ctx context.Context, id string) (*feedback.Asked, error) {
	session, err := s.Programme.Session(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.Feedback.Open(ctx, session)
}
