package door

// Outcome is what became of a submitted survey: the label result of jauge_feedback_submissions_total. All its words are in
// this file: metrics begins each at 0, because increase() does not see the first of a series that appears with it.
type Outcome string

// What may become of a submission.
const (
	SubmissionRecorded Outcome = "recorded"
	SubmissionChanged  Outcome = "changed"
	SubmissionDeleted  Outcome = "deleted"
	SubmissionAside    Outcome = "aside"
	SubmissionEmpty    Outcome = "empty"
	SubmissionInvalid  Outcome = "invalid"
	SubmissionFailed   Outcome = "failed"
)

// Outcomes lists everything that may become of a submitted survey.
func Outcomes() []string {
	return []string{
		string(SubmissionRecorded), string(SubmissionChanged), string(SubmissionDeleted), string(SubmissionAside),
		string(SubmissionEmpty), string(SubmissionInvalid), string(SubmissionFailed),
	}
}
