package figures

import "slices"

// What is shown protects those who answered. Two rules decide for each question (and pair, and head count) of each group:
//
//  1. Enough people: at least k answered it; and while they are fewer than 2k, there is no value that nobody or everybody
//     picked, because then "nobody said yes" is said of each one of them. A question that fails is hidden whole: from the
//     other values, the mean or the score, a single hidden value could be worked out.
//  2. Nothing by subtraction: what is left of the whole session when the shown segments are taken away has to pass the
//     first rule too. If it does not, the smallest shown segment is hidden with it, and so on. Answers without a segment
//     are part of what is left.

// Group is how many people answered something, and how many of them picked each value that is shown: of a choices question
// several, of a number ranges, of a ranking the choice that came first. A choice whose mean rank is the best or the worst
// that there is came first with everybody or nobody, so these picks stand for the ranks, too.
type Group struct {
	N      int
	Picks  []int
	detail []int // what figures are made of and is never shown itself: the counts by value, of a ranking view.ranks
}

// Enough is the first rule.
func (g Group) Enough(k int) bool {
	if g.N == 0 || g.N < k {
		return false
	}
	extreme := func(picked int) bool { return picked == 0 || picked == g.N }
	return g.N >= 2*k || !slices.ContainsFunc(g.Picks, extreme)
}

// Minus is what is left of a group without another that is part of it.
func (g Group) Minus(other Group) Group {
	rest := Group{N: g.N - other.N, Picks: slices.Clone(g.Picks)} // the detail is not asked for
	for i := range rest.Picks {
		rest.Picks[i] -= other.Picks[i]
	}
	return rest
}

// visible decides which of the parts of a whole are shown, of those that may be.
func visible(whole Group, parts []Group, may []bool, k int) []bool {
	show := make([]bool, len(parts))
	for i, part := range parts {
		show[i] = may[i] && part.Enough(k)
	}
	for {
		rest, smallest := whole, -1
		for i, part := range parts {
			if !show[i] {
				continue
			}
			rest = rest.Minus(part)
			if smallest < 0 || part.N < parts[smallest].N { //nolint:gosec // smallest is one of them
				smallest = i
			}
		}
		if rest.N == 0 || rest.Enough(k) || smallest < 0 {
			return show
		}
		show[smallest] = false
	}
}
