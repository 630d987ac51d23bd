package figures

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"jauge/feedback/survey"
)

// view is one reading of a session's tallies, on its way to what is shown.
type view struct {
	tally  Tally
	survey *survey.Survey
	all    []survey.Question

	conditions map[string][]string // by item: those that it depends on

	names []string // "" for the whole session, then the groups that divide it: its segments, or those who stayed or left
	open  []bool   // by name: whether anything of it may be shown
	k     int
}

// part is what one group answered, and whether that may be shown.
type part struct {
	Group
	show bool
}

// Results derives everything that is shown from the tallies of one session.
func (t Tally) Results(session string, asked *survey.Survey, segments []string, k int) Results {
	v := view{tally: t, survey: asked, all: asked.All(), conditions: asked.Conditions(), k: k}
	audiences := v.among(v.everySegment(segments))
	r := Results{
		Session: session, Survey: asked.ID, Version: asked.Version(), Versions: v.versions(), Waves: v.waves(), Respondents: v.respondents("").N,
		Questions: audiences[0].Questions, Pairs: audiences[0].Pairs, Segments: make([]SegmentResult, len(segments)),
		Stay: v.among([]string{":" + survey.Stayed, ":" + survey.Left})[1:],
	}
	for i, id := range segments {
		r.Segments[i] = audiences[1+slices.IndexFunc(audiences[1:], func(a SegmentResult) bool { return a.ID == id })]
	}
	for i := range r.Stay {
		r.Stay[i].ID = r.Stay[i].ID[1:]
	}
	r.Compared = append(v.compare(r.Segments), v.compare(r.Stay)...)
	return r
}

// everySegment adds those that somebody answered in and that are not asked for, because the session does not have them any
// more, and sorts them: what is hidden must depend neither on which ones it has now nor on their order.
func (v view) everySegment(asked []string) []string {
	all := slices.Clone(asked)
	for key := range v.tally {
		c := ParseCell(key)
		if c == (Cell{Survey: v.survey.ID, Segment: c.Segment}) && c.Segment != "" && !strings.HasPrefix(c.Segment, ":") {
			all = append(all, c.Segment)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// among reads the whole session, which comes first, and some groups that divide it.
func (v view) among(names []string) []SegmentResult {
	v.names, v.open = append([]string{""}, names...), make([]bool, len(names)+1)
	for i := range v.open {
		v.open[i] = true
	}
	results := make([]SegmentResult, len(v.names))
	for i, head := range v.parts(v.respondents) {
		v.open[i] = head.show
		results[i] = SegmentResult{ID: v.names[i], Suppressed: !head.show, Questions: []QuestionResult{}, Pairs: []PairResult{}}
		if head.show {
			results[i].Respondents = &head.N
		}
	}
	for _, q := range v.all {
		v.addQuestion(results, q)
	}
	return results
}

// addQuestion appends a question's figures, and those of its pair, to each group's.
func (v view) addQuestion(results []SegmentResult, q survey.Question) {
	hide := v.hidden(results, q)
	for i, p := range v.parts(func(segment string) Group { return v.question(segment, q) }) {
		p.show = p.show && !hide[i]
		results[i].Questions = append(results[i].Questions, questionResult(q, p))
	}
	at := slices.IndexFunc(v.all, func(before survey.Question) bool { return before.ID == q.Pair })
	if at < 0 {
		return
	}
	for i, p := range v.parts(func(segment string) Group { return v.pair(segment, q) }) {
		p.show = p.show && !hide[i]
		either := v.question(v.names[i], v.all[at]).N + v.question(v.names[i], q).N - p.N
		results[i].Pairs = append(results[i].Pairs, pairResult(q, p, either))
	}
}

// hidden says of which groups a question must not be shown because one that it depends on is not: how many were asked
// would tell what was answered there. Of one group it could be worked out from the others.
func (v view) hidden(results []SegmentResult, q survey.Question) []bool {
	hide := make([]bool, len(results))
	for _, id := range v.conditions[q.ID] {
		at := slices.IndexFunc(v.all, func(before survey.Question) bool { return before.ID == id })
		from := len(hide)
		if slices.ContainsFunc(results[1:], func(r SegmentResult) bool { return !r.Suppressed && r.Questions[at].Suppressed }) {
			from = 1
		}
		if results[0].Questions[at].Suppressed {
			from = 0
		}
		for i := from; i < len(hide); i++ {
			hide[i] = true
		}
	}
	return hide
}

// compare sets every two groups side by side, in the questions whose answers are summed up by a share.
func (v view) compare(groups []SegmentResult) []Comparison {
	compared := []Comparison{}
	for i, q := range v.all {
		for a := range groups {
			for b := a + 1; b < len(groups); b++ {
				x1, n1, ok1 := favourable(q, groups[a].Questions[i])
				x2, n2, ok2 := favourable(q, groups[b].Questions[i])
				if ok1 && ok2 {
					compared = append(compared, Comparison{Question: q.ID, A: groups[a].ID, B: groups[b].ID, Difference: Difference(x1, n1, x2, n2)})
				}
			}
		}
	}
	return compared
}

// favourable counts those who said yes, or one of a scale's two highest values; false: hidden, not of such a
// question, or of the one that makes the groups.
func favourable(q survey.Question, r QuestionResult) (x, n int, ok bool) {
	top := q.Favourable()
	if r.Suppressed || top == 0 || q.Stay {
		return 0, 0, false
	}
	for _, choice := range r.Choices[len(r.Choices)-top:] {
		x += *choice.Count
	}
	return x, *r.N, true
}

// parts reads the same of the whole session and of each group, and decides what is shown.
func (v view) parts(read func(segment string) Group) []part {
	groups := make([]Group, len(v.names))
	for i, name := range v.names {
		groups[i] = read(name)
	}
	parts := make([]part, len(groups))
	parts[0] = part{groups[0], groups[0].Enough(v.k)}
	for i, show := range visible(groups[0], groups[1:], v.open[1:], v.k) {
		parts[i+1] = part{groups[i+1], show}
	}
	return parts
}

// versions reads how many answered which version: the present one first, and of the others those that somebody did. The
// whole is shown, so they are hidden as segments are.
func (v view) versions() []VersionResult {
	names := []string{v.survey.Version()}
	for _, key := range slices.Sorted(maps.Keys(v.tally)) {
		c := ParseCell(key)
		if version, ok := strings.CutPrefix(c.Shape, versionShape("")); ok && c.Survey == v.survey.ID && c.Question == "" && version != names[0] {
			names = append(names, version)
		}
	}
	groups, may := make([]Group, len(names)), make([]bool, len(names))
	for i, version := range names {
		groups[i] = Group{N: v.tally[Cell{Survey: v.survey.ID, Shape: versionShape(version)}.Key()]}
		may[i] = true
	}
	results := make([]VersionResult, len(names))
	for i, show := range visible(v.respondents(""), groups, may, v.k) {
		results[i].Version = names[i]
		if show {
			results[i].Respondents = &groups[i].N
		}
	}
	return results
}

func (v view) respondents(segment string) Group {
	return Group{N: v.tally[Cell{Survey: v.survey.ID, Segment: segment}.Key()]}
}

// asked reads how many of a group answered in a wave; "": in a survey without waves.
func (v view) asked(segment, wave string) Group {
	if wave == "" {
		return v.respondents(segment)
	}
	return Group{N: v.tally[Cell{Survey: v.survey.ID, Segment: segment, Question: "@" + wave, Shape: waveShape}.Key()]}
}

// waves reads how many answered in each wave. As the whole is told, so would be those who did not.
func (v view) waves() []WaveResult {
	results := make([]WaveResult, len(v.survey.Waves))
	for i, wave := range v.survey.Waves {
		answered := v.asked("", wave.ID)
		results[i].ID = wave.ID
		if visible(v.respondents(""), []Group{answered}, []bool{true}, v.k)[0] {
			results[i].Respondents = &answered.N
		}
	}
	return results
}

// question reads what a group answered to an item.
func (v view) question(segment string, q survey.Question) Group {
	c := Cell{Survey: v.survey.ID, Segment: segment, Question: q.ID, Shape: q.Shape()}
	g := Group{N: v.tally[c.Key()]}
	if q.Silence() {
		g.N = v.asked(segment, survey.WaveOf(q.ID)).N
	}
	if q.Ranked() {
		g.Picks, g.detail = v.ranks(c, q)
		return g
	}
	bins, width := q.Bins()
	g.Picks, g.detail = make([]int, len(bins)), v.picks(c, q.Values())
	for i, n := range g.detail {
		g.Picks[i/width] += n
	}
	return g
}

// ranks reads how many ranked each choice first, and the sum of the ranks that each was given, in halves.
func (v view) ranks(c Cell, q survey.Question) (firsts, sums []int) {
	offered := q.Values()
	firsts, sums = make([]int, len(offered)), make([]int, len(offered))
	for i, choice := range offered {
		for half := 2; half <= 2*len(offered); half++ {
			c.Value = choice + ":" + strconv.FormatFloat(float64(half)/2, 'f', -1, 64)
			n := v.tally[c.Key()]
			sums[i] += half * n
			if half == 2 {
				firsts[i] = n
			}
		}
	}
	return firsts, sums
}

func (v view) pair(segment string, q survey.Question) Group {
	c := Cell{Survey: v.survey.ID, Segment: segment, Question: q.ID, Shape: q.PairShape()}
	picks := v.picks(c, []string{survey.Up, survey.Same, survey.Down})
	return Group{N: sum(picks), Picks: picks}
}

func (v view) picks(c Cell, values []string) []int {
	picks := make([]int, len(values))
	for i, value := range values {
		c.Value = value
		picks[i] = v.tally[c.Key()]
	}
	return picks
}

// Median is the middle of counts by value, whose first value is low; of an even number of people, the mean of the middle two.
func Median(low int, byValue []int) *float64 {
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

func questionResult(q survey.Question, p part) QuestionResult {
	r := QuestionResult{ID: q.ID, Kind: q.Kind, Suppressed: !p.show, Choices: []ChoiceResult{}}
	shown, _ := q.Bins()
	for i, value := range shown {
		c := ChoiceResult{Value: value}
		if p.show {
			c.Count, c.Share = &p.Picks[i], share(p.Picks[i], p.N)
			if q.Ranked() {
				rank := float64(p.detail[i]) / 2 / float64(p.N)
				c.MeanRank = &rank
			}
		}
		r.Choices = append(r.Choices, c)
	}
	if !p.show {
		return r
	}
	r.N = &p.N
	low, _ := q.Ends()
	switch q.Summary() {
	case survey.Average:
		r.Mean, r.TopTwo = meanOf(low, p.detail), share(sum(p.detail[len(p.detail)-2:]), p.N)
	case survey.Middle:
		r.Mean, r.Median = meanOf(low, p.detail), Median(low, p.detail)
	case survey.NetScore:
		r.NPS = npsOf(p.detail)
	}
	return r
}

func pairResult(q survey.Question, p part, either int) PairResult {
	r := PairResult{Before: q.Pair, Now: q.ID, Suppressed: !p.show}
	if !p.show {
		return r
	}
	rate := float64(p.N) / float64(either)
	gain := float64(p.Picks[0]-p.Picks[2]) / float64(p.N)
	margin := netMargin(p.Picks[0], p.Picks[2], p.N)
	r.Matched, r.MatchRate, r.Up, r.Same, r.Down = &p.N, &rate, &p.Picks[0], &p.Picks[1], &p.Picks[2]
	chance := mcnemar(p.Picks[0], p.Picks[2])
	r.Gain, r.Margin, r.P = &gain, &margin, &chance
	return r
}

func share(x, n int) *Share {
	s := Wilson(x, n)
	return &s
}
