package lookup

import (
	"context"
	"time"

	"jauge/attendance"
	"jauge/feedback/figures"
	"jauge/feedback/survey"
	"jauge/programme"
)

// Status is everything known of one session: who was there, as of one moment, and what was answered.
type Status struct {
	attendance.Status
	Answers *figures.Results // nil: no survey
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

// withAnswers adds what was answered, read in one pipeline.
func (s *Sessions) withAnswers(ctx context.Context, sessions []attendance.Status) ([]Status, error) {
	surveys := map[string]*survey.Survey{}
	for _, st := range sessions {
		if survey := s.Survey(st.Session); survey != nil {
			surveys[st.Session.ID] = survey
		}
	}
	results, err := s.Feedback.Scrape(ctx, surveys, s.MinimumGroup)
	if err != nil {
		return nil, err
	}
	all := make([]Status, len(sessions))
	for i, st := range sessions {
		all[i] = Status{Status: st}
		if r, ok := results[st.Session.ID]; ok {
			r = withRate(r, st.Summary)
			all[i].Answers = &r
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

// withRate relates those who answered to those who attended, if that is known.
func withRate(r figures.Results, summary *attendance.Summary) figures.Results {
	if summary == nil {
		return r
	}
	return r.WithAttended(summary.Attended, summary.Completed)
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
