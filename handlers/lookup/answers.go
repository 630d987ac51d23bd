package lookup

import (
	"context"
	"slices"

	"jauge/feedback"
	"jauge/feedback/figures"
	"jauge/handlers/door"
)

// Results reads what was answered to a session, by its segments, and how many of those who attended that is.
func (s *Sessions) Results(ctx context.Context, id string) (*feedback.Asked, figures.Results, error) {
	a, err := s.Asked(ctx, id)
	if err != nil {
		return nil, figures.Results{}, err
	}
	all, err := s.Attendance.Status(ctx, a.Session)
	if err != nil {
		return nil, figures.Results{}, err
	}
	results, err := a.Results(ctx)
	if summary := all[0].Summary; summary != nil {
		results = results.WithAttended(summary.Attended, summary.Completed)
	}
	return a, results, err
}

// TextStates are the states that a list of texts can be about, the first by default on the page.
var TextStates = []feedback.TextState{feedback.Pending, feedback.Approved, feedback.Hidden}

// TextState reads a state as a query or a form says it; empty when it is not given.
func TextState(given string) (feedback.TextState, error) {
	state := feedback.TextState(given)
	if given != "" && !slices.Contains(TextStates, state) {
		return "", door.BadRequest("state is pending, approved or hidden.")
	}
	return state, nil
}
