package handlers

import (
	"fmt"
	"testing"
)

// Each route's failures are counted from 0, not from the first one.
func TestEveryRouteBeginsItsCounts(t *testing.T) {
	t.Parallel()
	s := one(t)
	for _, r := range (&server{Deps: s.deps}).routes() {
		if s.metrics.get(fmt.Sprint("route ", r.path, " ", r.method)) != 1 {
			t.Errorf("%s %s does not", r.method, r.path)
		}
	}
}
