package feedback

import "slices"

// What is shown protects those who answered. Two rules decide for each question (and pair, and head count) of each group:
//
//  1. Enough people: at least k answered it; and while they are fewer than 2k, there is no value that nobody or everybody
//     picked, because then "nobody said yes" is said of each one of them. A question that fails is hidden whole: from the
//     other values, the mean or the score, a single hidden value could be worked out.
//  2. Nothing by subtraction: what is left of the whole session when the shown segments are taken away has to pass the
//     first rule too. If it does not, the smallest shown segment is hidden with it, and so on. Answers without a segment
//     are part of what is left.

// group is how many people answered something, and how many of them picked each value that is shown: of a choices question
// several, of a number ranges, of a ranking the choice that came first. A choice whose mean rank is the best or the worst
// that there is came first with everybody or nobody, so these picks stand for the ranks, too.
type group struct {
	n      int
	picks  []int
	detail []int // what figures are made of and is never shown itself: of a number the counts by value, of a ranking view.ranks
}

// enough is the first rule.
func (g group) enough(k int) bool {
	if g.n == 0 || g.n < k {
		return false
	}
	extreme := func(picked int) bool { return picked == 0 || picked == g.n }
	return g.n >= 2*k || !slices.ContainsFunc(g.picks, extreme)
}

func (g group) minus(other group) group {
	rest := group{n: g.n - other.n, picks: slices.Clone(g.picks)} // the detail is not asked for
	for i := range rest.picks {
		rest.picks[i] -= other.picks[i]
	}
	return rest
}

// visible decides which of the parts of a whole are shown, of those that may be.
func visible(whole group, parts []group, may []bool, k int) []bool {
	show := make([]bool, len(parts))
	for i, part := range parts {
		show[i] = may[i] && part.enough(k)
	}
	for {
		rest, smallest := whole, -1
		for i, part := range parts {
			if !show[i] {
				continue
			}
			rest = rest.minus(part)
			if smallest < 0 || part.n < parts[smallest].n { //nolint:gosec // smallest is one of them
				smallest = i
			}
		}
		if rest.n == 0 || rest.enough(k) || smallest < 0 {
			return show
		}
		show[smallest] = false
	}
}
