package survey

import (
	"fmt"
	"strings"
)

// Matrix is Rows, each a scale (Min to Max) or a choice (of Choices); see Question.Items.
const Matrix Kind = "matrix"

const maxRows = 20

type matrix struct{ base }

func (matrix) traits() traits {
	return traits{fields: []string{"min", "max", "low", "high", "rows", "choices"}, rows: true}
}

// check looks at the rows, and at the columns as those of a scale or of a choice.
func (matrix) check(v *validator, at string, q Question) {
	if n := len(q.Rows); n < 1 || n > maxRows {
		v.add(at+".rows", "%d of them, not 1 to %d", n, maxRows)
	}
	seen := map[string]bool{}
	for i, row := range q.Rows {
		path := fmt.Sprintf("%s.rows[%d]", at, i)
		v.unique(path+".id", row.ID, seen)
		v.text(path+".label", row.Label, true)
	}
	ranged := q.Min != 0 || q.Max != 0 || q.Low != nil || q.High != nil
	switch {
	case ranged && q.Choices != nil:
		v.add(at+".choices", "not together with min, max, low and high")
	case q.Choices != nil:
		single{}.check(v, at, q)
	case ranged:
		scale{}.check(v, at, q)
	default:
		v.add(at, "neither choices nor min and max")
	}
}

// items are the rows.
func (matrix) items(q Question) []Question {
	rows := make([]Question, len(q.Rows))
	for i, line := range q.Rows {
		row := q
		row.ID, row.Kind, row.Label, row.Of, row.Help, row.Rows = inRow(q.ID, line.ID), q.columns(), line.Label, q.Label, nil, nil
		if q.Pair != "" {
			row.Pair = inRow(q.Pair, line.ID)
		}
		rows[i] = row
	}
	return rows
}

// columns is the kind of a matrix's rows.
func (q Question) columns() Kind {
	if q.Choices != nil {
		return Single
	}
	return Scale
}

// inRow is the id of a matrix's row; the wave stays last.
func inRow(matrix, row string) string {
	id, wave, waved := strings.Cut(matrix, "@")
	if waved {
		wave = "@" + wave
	}
	return id + "." + row + wave
}
