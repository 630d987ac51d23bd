package feedback

import (
	"fmt"
	"strconv"
)

// tally is how many people each cell counts.
type tally map[string]int

// parseTally reads the fields of a tally's hash.
func parseTally(fields map[string]string) (tally, error) {
	t := make(tally, len(fields))
	for key, value := range fields {
		var err error
		if t[key], err = strconv.Atoi(value); err != nil {
			return nil, fmt.Errorf("tally of %s: %w", key, err)
		}
	}
	return t, nil
}

// count adds one person to cells.
func (t tally) count(cells []string) {
	for _, key := range cells {
		t[key]++
	}
}
