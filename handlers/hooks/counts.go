package hooks

import (
	"jauge/attendance"
	"jauge/feedback"
	"jauge/handlers/door"
	"jauge/inbox"
	"jauge/platforms"
)

// count counts what became of a delivery, as far as it was taken.
func (h *Handlers) count(source string, d platforms.Delivery, t inbox.Taken) {
	for i, result := range t.Events {
		if result == "" { // counted when the journal is drained
			continue
		}
		h.Metrics.Event(source, string(d.Events[i].Kind), string(result))
	}
	for range d.Unsupported {
		h.Metrics.Event(source, "unsupported", "unsupported")
	}
	for _, received := range t.Answers {
		h.countAnswers(source, received)
	}
}

// countAnswers counts what became of delivered answers; a part of them may be recorded and another put aside.
func (h *Handlers) countAnswers(source string, r feedback.Received) {
	if r.Reason != "" {
		h.Metrics.Event(source, inbox.Answers, string(attendance.Aside))
	}
	if r.Recorded {
		h.Metrics.Event(source, inbox.Answers, string(attendance.Recorded))
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

// submitted counts one submitted survey of a known session, which the count does not name: it would tell when somebody answered.
func (h *Handlers) submitted(what door.Outcome) { h.Metrics.Submission(string(what)) }
