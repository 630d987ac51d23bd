package figures

import (
	"maps"
	"slices"
	"strings"

	"jauge/feedback/survey"
)

// Cell is one tally of a session: how many people of a segment gave one value to a question. Its key is a field of the
// tally hash. Everything shown is derived from cells; there are no sums to keep.
//
// A row carries the keys of its cells, so that what was added is what is taken back, whatever became of the survey since.
type Cell struct {
	Survey   string
	Segment  string // "": the whole session; ":stayed" and ":left": those who did, segments have no colon
	Question string // "": the respondents; "@wave": those of a wave
	Shape    string // Question.shape, or pairShape; of the respondents, "" or versionShape; of a wave's, waveShape
	Value    string // "": everybody who answered the question
}

// Key is the cell as a field of the tally hash.
func (c Cell) Key() string {
	return strings.Join([]string{c.Survey, c.Segment, c.Question, c.Shape, c.Value}, "|")
}

// ParseCell reads a key; what is none has an empty survey.
func ParseCell(key string) Cell {
	parts := strings.Split(key, "|")
	if len(parts) != 5 {
		return Cell{}
	}
	return Cell{parts[0], parts[1], parts[2], parts[3], parts[4]}
}

// waveShape is the shape of the cell of those who answered in a wave.
const waveShape = "wave"

// versionShape is the shape of the cell of those who answered a version.
func versionShape(version string) string { return "version:" + version }

// Cells lists the keys of the tallies that answers count in: for the whole session, for the segment, and for those who
// stayed or left.
func Cells(s *survey.Survey, segment, stay string, answers survey.Answers) []string {
	groups := []string{""}
	if segment != "" {
		groups = append(groups, segment)
	}
	if stay != "" {
		groups = append(groups, ":"+stay)
	}
	var keys []string
	for _, c := range countedCells(s, answers) {
		for _, c.Segment = range groups {
			keys = append(keys, c.Key())
		}
	}
	return append(keys, Cell{Survey: s.ID, Shape: versionShape(s.Version())}.Key())
}

// countedCells lists the cells that answers count in, without their groups.
func countedCells(s *survey.Survey, answers survey.Answers) []Cell {
	counted := []Cell{{}}
	for _, q := range s.All() {
		v, ok := answers[q.ID]
		if !ok {
			continue
		}
		counted = append(counted, Cell{Question: q.ID, Shape: q.Shape()})
		for _, value := range q.Counted(v) {
			counted = append(counted, Cell{Question: q.ID, Shape: q.Shape(), Value: value})
		}
		if before, ok := answers[q.Pair]; ok {
			counted = append(counted, Cell{Question: q.ID, Shape: q.PairShape(), Value: q.Moved(before, v)})
		}
	}
	for _, wave := range s.Waves {
		if slices.ContainsFunc(slices.Collect(maps.Keys(answers)), func(id string) bool { return survey.WaveOf(id) == wave.ID }) {
			counted = append(counted, Cell{Question: "@" + wave.ID, Shape: waveShape})
		}
	}
	for i := range counted {
		counted[i].Survey = s.ID
	}
	return counted
}
