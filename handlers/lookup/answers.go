package lookup

import (
	"context"
	"slices"

	"jauge/feedback"
	"jauge/feedback/figures"
	"jauge/handlers/door"
)

// Results reads where a session stands and what was answered, by its segments.
func (s *Sessions) Results(ctx context.Context, id string) (Status, figures.Results, error) {
	st, err := s.Status(ctx, id)
	if err != nil {
		return st, figures.Results{}, err
	}
	survey := s.Survey(st.Session)
	if survey == nil {
		return st, figures.Results{}, ErrNoSurvey
	}
	results, err := s.Feedback.Results(ctx, st.Session.ID, survey, SegmentIDs(st.Session), s.MinimumGroup)
	return st, withRate(results, st.Summary), err
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

// Texts reads what people wrote.
func (s *Sessions) Texts(ctx context.Context, a Asked) ([]feedback.Text, error) {
	return s.Feedback.Texts(ctx, a.Session.ID, a.Whole, s.MinimumGroup)
}

// Moderate decides about one text of a session.
func (s *Sessions) Moderate(ctx context.Context, session, text string, decision feedback.Decision) (feedback.Text, error) {
	a, err := s.Asked(ctx, session)
	if err != nil {
		return feedback.Text{}, err
	}
	return s.Feedback.Moderate(ctx, session, a.Whole, s.MinimumGroup, text, decision)
}
