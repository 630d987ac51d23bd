package feedback

import (
	"maps"
	"slices"
	"strings"

	"jauge/feedback/survey"
)

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
