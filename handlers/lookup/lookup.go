// Package lookup reads what more than one audience shows of a session: its status, what it asks and under which promise, and what was
// answered.
//
// The story in files: lookup.go (what it reads from), status.go (the status of sessions), objects.go (the same as the API and the
// stream write it), asked.go (what a session asks), answers.go (what was answered, and what people wrote).
package lookup

import (
	"context"
	"slices"
	"time"

	"jauge/attendance"
	"jauge/feedback"
	"jauge/handlers/door"
	"jauge/programme"
)

// Sessions looks sessions up. It is safe for concurrent use; everything but Series is required.
type Sessions struct {
	Programme  *programme.Catalogue
	Attendance *attendance.Store
	Feedback   *feedback.Store
	Configured []programme.Series
	Now        func() time.Time
}

// Series is a configured series.
func (s *Sessions) Series(id string) (programme.Series, bool) {
	i := slices.IndexFunc(s.Configured, func(series programme.Series) bool { return series.ID == id })
	if i < 0 {
		return programme.Series{}, false
	}
	return s.Configured[i], true
}

// ErrSeries is the failure of a request for a series that does not exist.
var ErrSeries = door.NotFound("There is no series with this id.")

// InSeries lists the sessions of a series.
func (s *Sessions) InSeries(ctx context.Context, series string) ([]programme.Session, error) {
	sessions, err := s.Programme.Sessions(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(sessions, func(session programme.Session) bool { return session.Series != series }), nil
}
