package feedback

import (
	"strconv"
	"strings"
	"time"

	"jauge/feedback/survey"
)

// Row is one answer as it is kept. It has no attendee and no exact time, so that who answered and what was answered
// stay apart.
type Row struct {
	Survey  string         `json:"survey"`
	Version string         `json:"version"`
	Segment string         `json:"segment,omitempty"`
	Stay    string         `json:"stay,omitempty"` // Stayed, Left or empty: not known
	Lang    string         `json:"lang,omitempty"`
	At      time.Time      `json:"at"`             // of the first submission, UTC, truncated to the hour
	Form    string         `json:"form,omitempty"` // under three words: what named the submission, hashed, as others may draw the same
	Answers survey.Answers `json:"answers"`
	Cells   []string       `json:"cells"` // the tallies that it counts in

	// Sent is a keyed hash of what was first submitted, if that was to happen once; see Submission.Once.
	Sent string `json:"sent,omitempty"`

	// Joined is the same of what joined the answer later, by wave, behind a keyed hash of the submission's key.
	Joined map[string]string `json:"joined,omitempty"`
}

// inherit takes over what names the submissions that made a row from the one whose place it takes.
func (row *Row) inherit(old Row) { row.Form, row.Sent, row.Joined = old.Form, old.Sent, old.Joined }

// stored is a row with its revision, as one field of the rows hash holds it: "3 {…}", and "4 " once deleted. The revision
// stands outside the JSON so that the script can tell a repetition by comparing strings.
type stored struct {
	revision int
	row      string // "" once deleted
}

func parseStored(field string) stored {
	revision, row, _ := strings.Cut(field, " ")
	n, _ := strconv.Atoi(revision) // written by apply.lua alone
	return stored{revision: n, row: row}
}
