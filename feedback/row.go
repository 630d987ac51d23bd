package feedback

import (
	"maps"
	"slices"
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

// cell is one tally of a session: how many people of a segment gave one value to a question. Its key is a field of the
// tally hash. Everything shown is derived from cells; there are no sums to keep.
//
// A row carries the keys of its cells, so that what was added is what is taken back, whatever became of the survey since.
type cell struct {
	survey   string
	segment  string // "": the whole session; ":stayed" and ":left": those who did, segments have no colon
	question string // "": the respondents; "@wave": those of a wave
	shape    string // Question.shape, or pairShape; of the respondents, "" or versionShape; of a wave's, waveShape
	value    string // "": everybody who answered the question
}

func (c cell) key() string {
	return strings.Join([]string{c.survey, c.segment, c.question, c.shape, c.value}, "|")
}

// parseCell reads a key; what is none has an empty survey.
func parseCell(key string) cell {
	parts := strings.Split(key, "|")
	if len(parts) != 5 {
		return cell{}
	}
	return cell{parts[0], parts[1], parts[2], parts[3], parts[4]}
}

// waveShape is the shape of the cell of those who answered in a wave.
const waveShape = "wave"

// versionShape is the shape of the cell of those who answered a version.
func versionShape(version string) string { return "version:" + version }

// cells lists the keys of the tallies that answers count in: for the whole session, for the segment, and for those who
// stayed or left.
func cells(s *survey.Survey, segment, stay string, answers survey.Answers) []string {
	groups := []string{""}
	if segment != "" {
		groups = append(groups, segment)
	}
	if stay != "" {
		groups = append(groups, ":"+stay)
	}
	var keys []string
	for _, c := range countedCells(s, answers) {
		for _, c.segment = range groups {
			keys = append(keys, c.key())
		}
	}
	return append(keys, cell{survey: s.ID, shape: versionShape(s.Version())}.key())
}

// countedCells lists the cells that answers count in, without their groups.
func countedCells(s *survey.Survey, answers survey.Answers) []cell {
	counted := []cell{{}}
	for _, q := range s.All() {
		v, ok := answers[q.ID]
		if !ok {
			continue
		}
		counted = append(counted, cell{question: q.ID, shape: q.Shape()})
		for _, value := range q.Counted(v) {
			counted = append(counted, cell{question: q.ID, shape: q.Shape(), value: value})
		}
		if before, ok := answers[q.Pair]; ok {
			counted = append(counted, cell{question: q.ID, shape: q.PairShape(), value: q.Moved(before, v)})
		}
	}
	for _, wave := range s.Waves {
		if slices.ContainsFunc(slices.Collect(maps.Keys(answers)), func(id string) bool { return survey.WaveOf(id) == wave.ID }) {
			counted = append(counted, cell{question: "@" + wave.ID, shape: waveShape})
		}
	}
	for i := range counted {
		counted[i].survey = s.ID
	}
	return counted
}

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
