package figures

import (
	"slices"
	"testing"
)

// TestTheSmallestAudienceIsHiddenWithTheRest: what could be worked out from the others is hidden, at the least cost.
func TestTheSmallestAudienceIsHiddenWithTheRest(t *testing.T) {
	t.Parallel()
	all := []bool{true, true, true}
	for name, tt := range map[string]struct {
		whole int
		parts []int
		want  []bool
	}{
		"nothing is left":             {40, []int{20, 8, 12}, []bool{true, true, true}},
		"enough is left":              {45, []int{20, 8, 12}, []bool{true, true, true}},
		"too few are left":            {43, []int{20, 8, 12}, []bool{true, false, true}},
		"too few are one of the part": {43, []int{20, 3, 20}, []bool{false, false, true}},
	} {
		parts := make([]Group, len(tt.parts))
		for i, n := range tt.parts {
			parts[i] = Group{N: n}
		}
		if got := visible(Group{N: tt.whole}, parts, all, 5); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
