package figures

import (
	"fmt"
	"strconv"
)

// Tally is how many people each cell counts.
type Tally map[string]int

// ParseTally reads the fields of a tally's hash.
func ParseTally(fields map[string]string) (Tally, error) {
	t := make(Tally, len(fields))
	for key, value := range fields {
		var err error
		if t[key], err = strconv.Atoi(value); err != nil {
			return nil, fmt.Errorf("tally of %s: %w", key, err)
		}
	}
	return t, nil
}

// Count adds one person to cells.
func (t Tally) Count(cells []string) {
	for _, key := range cells {
		t[key]++
	}
}
