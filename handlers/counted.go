package handlers

import (
	"errors"

	"jauge/feedback"
	"jauge/platforms"
)

// What is counted here is counted under fixed words, all of them in this file: metrics begins each at 0, because increase()
// does not see the first of a series that appears with it. A test finds every word of these two types at 0 in a service that
// has just started.
type (
	refusal string // why a webhook request was not accepted: the label reason of jauge_webhook_refused_total
	outcome string // what became of a submitted survey: the label result of jauge_feedback_submissions_total
)

// The refusals, beside those of platforms.Reasons.
const (
	refusedSize        refusal = "size"
	refusedSource      refusal = "source"
	refusedContentType refusal = "content_type"
	refusedBody        refusal = "body"
	refusedStore       refusal = "store" // authentic, but neither the store nor the journal could take it
)

const (
	submissionRecorded outcome = "recorded"
	submissionChanged  outcome = "changed"
	submissionDeleted  outcome = "deleted"
	submissionAside    outcome = "aside"
	submissionEmpty    outcome = "empty"
	submissionInvalid  outcome = "invalid"
	submissionFailed   outcome = "failed"
)

// unknownSource stands for names that are not configured: what a caller typed is neither logged nor a label.
const unknownSource = "unknown"

// Refusals lists, by source, every reason that a webhook request is refused for; among them the one source that stands for
// what is not configured.
func Refusals(sources []string) map[string][]string {
	reasons := platforms.Reasons()
	for _, r := range []refusal{refusedSize, refusedSource, refusedContentType, refusedBody, refusedStore} {
		reasons = append(reasons, string(r))
	}
	bySource := map[string][]string{unknownSource: reasons}
	for _, source := range sources {
		bySource[source] = reasons
	}
	return bySource
}

// Outcomes lists everything that may become of a submitted survey.
func Outcomes() []string {
	return []string{
		string(submissionRecorded), string(submissionChanged), string(submissionDeleted), string(submissionAside),
		string(submissionEmpty), string(submissionInvalid), string(submissionFailed),
	}
}

// submitted counts one submitted survey of a known session, which the count does not name: it would tell when somebody answered.
func (s *server) submitted(what outcome) { s.Metrics.Submission(string(what)) }

// outcomeOf is what became of a submission that ended with err.
func outcomeOf(err error) outcome {
	switch {
	case err == nil:
		return submissionRecorded
	case errors.Is(err, feedback.ErrEmpty):
		return submissionEmpty
	case errors.Is(err, feedback.ErrDeleted), errors.Is(err, feedback.ErrNotFound), errors.Is(err, feedback.ErrSegment),
		errors.Is(err, feedback.ErrUninvited), errors.Is(err, feedback.ErrUsed), errors.Is(err, feedback.ErrReused):
		return submissionInvalid
	}
	return submissionFailed
}
