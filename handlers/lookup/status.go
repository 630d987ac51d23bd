package lookup

import (
	"context"
	"time"

	"jauge/attendance"
	"jauge/feedback/figures"
	"jauge/programme"
)

// Status is one session: its attendance, as of one moment, and its answers.
type Status struct {
	attendance.Status
	Answers *Answers // nil: no survey
}

// Answers is how many have answered, and how many of those who attended that is.
type Answers struct {
	Respondents  int
	ResponseRate *figures.Rate // nil: it is not known how many attended
}

// Statuses reads many sessions, each as of one moment.
func (s *Sessions) Statuses(ctx context.Context, sessions ...programme.Session) ([]Status, error) {
	all, err := s.Attendance.Status(ctx, sessions...)
	if err != nil {
		return nil, err
	}
	return s.withAnswers(ctx, all)
}

// Live reads one session as it is now: see attendance.Live.
func (s *Sessions) Live(ctx context.Context, id string) (Status, error) {
	session, err := s.Programme.Session(ctx, id)
	if err != nil {
		return Status{}, err
	}
	now, err := s.Attendance.Live(ctx, session)
	if err != nil {
		return Status{}, err
	}
	all, err := s.withAnswers(ctx, []attendance.Status{now})
	if err != nil {
		return Status{}, err
	}
	return all[0], nil
}

// withAnswers adds how many have answered, read in one pipeline.
func (s *Sessions) withAnswers(ctx context.Context, statuses []attendance.Status) ([]Status, error) {
	sessions := make([]programme.Session, len(statuses))
	for i, st := range statuses {
		sessions[i] = st.Session
	}
	respondents, err := s.Feedback.Respondents(ctx, sessions...)
	if err != nil {
		return nil, err
	}
	all := make([]Status, len(statuses))
	for i, st := range statuses {
		all[i] = Status{Status: st}
		n, asks := respondents[st.Session.ID]
		if !asks {
			continue
		}
		all[i].Answers = &Answers{Respondents: n}
		if st.Summary != nil {
			all[i].Answers.ResponseRate = figures.ResponseRate(n, st.Summary.Attended)
		}
	}
	return all, nil
}

// Status reads one session by its id.
func (s *Sessions) Status(ctx context.Context, id string) (Status, error) {
	session, err := s.Programme.Session(ctx, id)
	if err != nil {
		return Status{}, err
	}
	all, err := s.Statuses(ctx, session)
	if err != nil {
		return Status{}, err
	}
	return all[0], nil
}

// Span is how long the session has lasted.
func (s *Sessions) Span(f attendance.Figures) time.Duration {
	if f.StartedAt.IsZero() {
		return 0
	}
	end := f.EndedAt
	if end.IsZero() {
		end = s.Now()
	}
	return max(0, end.Sub(f.StartedAt))
}

// NiceStep is the smallest round step that needs no more than this number of points.
func NiceStep(span time.Duration, points int) time.Duration {
	for _, seconds := range []int{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400} {
		if step := time.Duration(seconds) * time.Second; int(span/step)+2 <= points {
			return step
		}
	}
	return 7 * 24 * time.Hour
}
