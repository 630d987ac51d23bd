package feedback

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// view is one reading of a session's tallies, on its way to what is shown.
type view struct {
	tally  tally
	survey *Survey
	names  []string // "" for the whole session, then its segments
	open   []bool   // by name: whether anything of it may be shown
	k      int
}

// part is what one group answered, and whether that may be shown.
type part struct {
	group
	show bool
}

// results derives everything that is shown from the tallies of one session.
func (t tally) results(session string, survey *Survey, segments []string, k int) Results {
	v := view{tally: t, survey: survey, names: append([]string{""}, segments...), open: make([]bool, len(segments)+1), k: k}
	for i := range v.open {
		v.open[i] = true
	}
	r := Results{
		Session: session, Survey: survey.ID, Version: survey.Version(), Versions: v.versions(),
		Questions: []QuestionResult{}, Pairs: []PairResult{}, Segments: make([]SegmentResult, len(segments)),
	}
	heads := v.parts(v.respondents)
	r.Respondents = heads[0].n
	for i, id := range segments {
		head := heads[i+1]
		v.open[i+1] = head.show
		r.Segments[i] = SegmentResult{ID: id, Suppressed: !head.show, Questions: []QuestionResult{}, Pairs: []PairResult{}}
		if head.show {
			r.Segments[i].Respondents = &head.n
		}
	}
	all := survey.All()
	for _, q := range all {
		v.addQuestion(&r, all, q)
	}
	return r
}

// addQuestion appends a question's figures, and those of its pair, to the whole and to each segment.
func (v view) addQuestion(r *Results, all []Question, q Question) {
	parts := v.parts(func(segment string) group { return v.question(segment, q) })
	r.Questions = append(r.Questions, q.result(parts[0]))
	for i := range r.Segments {
		r.Segments[i].Questions = append(r.Segments[i].Questions, q.result(parts[i+1]))
	}
	at := slices.IndexFunc(all, func(before Question) bool { return before.ID == q.Pair })
	if at < 0 {
		return
	}
	parts = v.parts(func(segment string) group { return v.pair(segment, q) })
	either := func(i int) int {
		return v.question(v.names[i], all[at]).n + v.question(v.names[i], q).n - parts[i].n
	}
	r.Pairs = append(r.Pairs, q.pairResult(parts[0], either(0)))
	for i := range r.Segments {
		r.Segments[i].Pairs = append(r.Segments[i].Pairs, q.pairResult(parts[i+1], either(i+1)))
	}
}

// parts reads the same of the whole session and of each segment, and decides what is shown.
func (v view) parts(read func(segment string) group) []part {
	groups := make([]group, len(v.names))
	for i, name := range v.names {
		groups[i] = read(name)
	}
	parts := make([]part, len(groups))
	parts[0] = part{groups[0], groups[0].enough(v.k)}
	for i, show := range visible(groups[0], groups[1:], v.open[1:], v.k) {
		parts[i+1] = part{groups[i+1], show}
	}
	return parts
}

// versions reads how many answered which version: the present one first, and of the others those that somebody did. The
// whole is shown, so they are hidden as segments are.
func (v view) versions() []VersionResult {
	names := []string{v.survey.Version()}
	prefix := cell{survey: v.survey.ID, shape: versionShape("")}.key()
	prefix = strings.TrimSuffix(prefix, "|")
	for _, key := range slices.Sorted(maps.Keys(v.tally)) {
		version, ok := strings.CutPrefix(key, prefix)
		if version = strings.TrimSuffix(version, "|"); ok && version != names[0] {
			names = append(names, version)
		}
	}
	groups, may := make([]group, len(names)), make([]bool, len(names))
	for i, version := range names {
		groups[i] = group{n: v.tally[cell{survey: v.survey.ID, shape: versionShape(version)}.key()]}
		may[i] = true
	}
	results := make([]VersionResult, len(names))
	for i, show := range visible(v.respondents(""), groups, may, v.k) {
		results[i].Version = names[i]
		if show {
			results[i].Respondents = &groups[i].n
		}
	}
	return results
}

func (v view) respondents(segment string) group {
	return group{n: v.tally[cell{survey: v.survey.ID, segment: segment}.key()]}
}

// question reads what a group answered to an item.
func (v view) question(segment string, q Question) group {
	c := cell{survey: v.survey.ID, segment: segment, question: q.ID, shape: q.shape()}
	g := group{n: v.tally[c.key()], picks: v.picks(c, q.Values())}
	switch q.Kind {
	case Consent: // those who did not tick the box have said something, too
		g.n = v.respondents(segment).n
	case Number:
		g.detail = g.picks
		g.picks = make([]int, len(q.bins()))
		for i, n := range g.detail {
			g.picks[i/q.binWidth()] += n
		}
	case Ranking:
		g.picks, g.detail = v.ranks(c, q)
	}
	return g
}

// ranks reads how many ranked each choice first, and the sum of the ranks that each was given, in halves.
func (v view) ranks(c cell, q Question) (firsts, sums []int) {
	offered := q.Values()
	firsts, sums = make([]int, len(offered)), make([]int, len(offered))
	for i, choice := range offered {
		for half := 2; half <= 2*len(offered); half++ {
			c.value = choice + ":" + strconv.FormatFloat(float64(half)/2, 'f', -1, 64)
			n := v.tally[c.key()]
			sums[i] += half * n
			if half == 2 {
				firsts[i] = n
			}
		}
	}
	return firsts, sums
}

func (v view) pair(segment string, q Question) group {
	c := cell{survey: v.survey.ID, segment: segment, question: q.ID, shape: q.pairShape()}
	picks := v.picks(c, []string{up, same, down})
	return group{n: sum(picks), picks: picks}
}

func (v view) picks(c cell, values []string) []int {
	picks := make([]int, len(values))
	for i, value := range values {
		c.value = value
		picks[i] = v.tally[c.key()]
	}
	return picks
}

// maxBins is how many ranges the answers to a number are shown in.
const maxBins = 10

// binWidth is how many numbers are in each range.
func (q Question) binWidth() int { return (q.Max - q.Min + maxBins) / maxBins }

// bins are the ranges of a number, from the lowest: "10-19", the last one up to the highest number.
func (q Question) bins() []string {
	var bins []string
	for low := q.Min; low <= q.Max; low += q.binWidth() {
		high := min(low+q.binWidth()-1, q.Max)
		if low == high {
			bins = append(bins, strconv.Itoa(low))
			continue
		}
		bins = append(bins, fmt.Sprintf("%d-%d", low, high))
	}
	return bins
}

// median is the middle of counts by value, whose first value is low; of an even number of people, the mean of the middle two.
func median(low int, byValue []int) *float64 {
	n := sum(byValue)
	nth := func(rank int) int { // of the people in order, from 0
		for i, c := range byValue {
			if rank -= c; rank < 0 {
				return low + i
			}
		}
		return low + len(byValue) - 1
	}
	m := float64(nth((n-1)/2)+nth(n/2)) / 2
	return &m
}

func (q Question) result(p part) QuestionResult {
	r := QuestionResult{ID: q.ID, Kind: q.Kind, Suppressed: !p.show, Choices: []ChoiceResult{}}
	shown := q.Values()
	if q.Kind == Number {
		shown = q.bins()
	}
	for i, value := range shown {
		c := ChoiceResult{Value: value}
		if p.show {
			c.Count, c.Share = &p.picks[i], share(p.picks[i], p.n)
			if q.Kind == Ranking {
				rank := float64(p.detail[i]) / 2 / float64(p.n)
				c.MeanRank = &rank
			}
		}
		r.Choices = append(r.Choices, c)
	}
	if !p.show {
		return r
	}
	r.N = &p.n
	switch q.Kind {
	case Scale:
		r.Mean, r.TopTwo = meanOf(q.Min, p.picks), share(sum(p.picks[len(p.picks)-2:]), p.n)
	case NPS:
		r.NPS = npsOf(p.picks)
	case Number:
		r.Mean, r.Median = meanOf(q.Min, p.detail), median(q.Min, p.detail)
	}
	return r
}

func (q Question) pairResult(p part, either int) PairResult {
	r := PairResult{Before: q.Pair, Now: q.ID, Suppressed: !p.show}
	if !p.show {
		return r
	}
	rate := float64(p.n) / float64(either)
	gain := float64(p.picks[0]-p.picks[2]) / float64(p.n)
	margin := netMargin(p.picks[0], p.picks[2], p.n)
	r.Matched, r.MatchRate, r.Up, r.Same, r.Down = &p.n, &rate, &p.picks[0], &p.picks[1], &p.picks[2]
	chance := mcnemar(p.picks[0], p.picks[2])
	r.Gain, r.Margin, r.P = &gain, &margin, &chance
	return r
}

func share(x, n int) *Share {
	s := wilson(x, n)
	return &s
}
