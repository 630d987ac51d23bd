package feedback

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"jauge/feedback/survey"
)

// view is one reading of a session's tallies, on its way to what is shown.
type view struct {
	tally  tally
	survey *survey.Survey
	all    []survey.Question

	conditions map[string][]string // by item: those that it depends on

	names []string // "" for the whole session, then the groups that divide it: its segments, or those who stayed or left
	open  []bool   // by name: whether anything of it may be shown
	k     int
}

// part is what one group answered, and whether that may be shown.
type part struct {
	group
	show bool
}

// results derives everything that is shown from the tallies of one session.
func (t tally) results(session string, asked *survey.Survey, segments []string, k int) Results {
	v := view{tally: t, survey: asked, all: asked.All(), conditions: asked.Conditions(), k: k}
	audiences := v.among(v.everySegment(segments))
	r := Results{
		Session: session, Survey: asked.ID, Version: asked.Version(), Versions: v.versions(), Waves: v.waves(), Respondents: v.respondents("").n,
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
		c := parseCell(key)
		if c == (cell{survey: v.survey.ID, segment: c.segment}) && c.segment != "" && !strings.HasPrefix(c.segment, ":") {
			all = append(all, c.segment)
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
			results[i].Respondents = &head.n
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
	for i, p := range v.parts(func(segment string) group { return v.question(segment, q) }) {
		p.show = p.show && !hide[i]
		results[i].Questions = append(results[i].Questions, questionResult(q, p))
	}
	at := slices.IndexFunc(v.all, func(before survey.Question) bool { return before.ID == q.Pair })
	if at < 0 {
		return
	}
	for i, p := range v.parts(func(segment string) group { return v.pair(segment, q) }) {
		p.show = p.show && !hide[i]
		either := v.question(v.names[i], v.all[at]).n + v.question(v.names[i], q).n - p.n
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
					compared = append(compared, Comparison{Question: q.ID, A: groups[a].ID, B: groups[b].ID, Difference: difference(x1, n1, x2, n2)})
				}
			}
		}
	}
	return compared
}

// favourable counts those who said yes, or one of a scale's two highest values; false: hidden, not of such a
// question, or of the one that makes the groups.
func favourable(q survey.Question, r QuestionResult) (x, n int, ok bool) {
	top := map[survey.Kind]int{survey.YesNo: 1, survey.Scale: 2}[q.Kind]
	if r.Suppressed || top == 0 || q.Stay {
		return 0, 0, false
	}
	for _, choice := range r.Choices[len(r.Choices)-top:] {
		x += *choice.Count
	}
	return x, *r.N, true
}

// parts reads the same of the whole session and of each group, and decides what is shown.
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
	for _, key := range slices.Sorted(maps.Keys(v.tally)) {
		c := parseCell(key)
		if version, ok := strings.CutPrefix(c.shape, versionShape("")); ok && c.survey == v.survey.ID && c.question == "" && version != names[0] {
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

// asked reads how many of a group answered in a wave; "": in a survey without waves.
func (v view) asked(segment, wave string) group {
	if wave == "" {
		return v.respondents(segment)
	}
	return group{n: v.tally[cell{survey: v.survey.ID, segment: segment, question: "@" + wave, shape: waveShape}.key()]}
}

// waves reads how many answered in each wave. As the whole is told, so would be those who did not.
func (v view) waves() []WaveResult {
	results := make([]WaveResult, len(v.survey.Waves))
	for i, wave := range v.survey.Waves {
		answered := v.asked("", wave.ID)
		results[i].ID = wave.ID
		if visible(v.respondents(""), []group{answered}, []bool{true}, v.k)[0] {
			results[i].Respondents = &answered.n
		}
	}
	return results
}

// question reads what a group answered to an item.
func (v view) question(segment string, q survey.Question) group {
	c := cell{survey: v.survey.ID, segment: segment, question: q.ID, shape: q.Shape()}
	g := group{n: v.tally[c.key()], picks: v.picks(c, q.Values())}
	switch q.Kind {
	case survey.Consent: // those who did not tick the box have said something, too
		g.n = v.asked(segment, survey.WaveOf(q.ID)).n
	case survey.Number:
		g.detail = g.picks
		g.picks = make([]int, len(q.Bins()))
		for i, n := range g.detail {
			g.picks[i/q.BinWidth()] += n
		}
	case survey.Ranking:
		g.picks, g.detail = v.ranks(c, q)
	}
	return g
}

// ranks reads how many ranked each choice first, and the sum of the ranks that each was given, in halves.
func (v view) ranks(c cell, q survey.Question) (firsts, sums []int) {
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

func (v view) pair(segment string, q survey.Question) group {
	c := cell{survey: v.survey.ID, segment: segment, question: q.ID, shape: q.PairShape()}
	picks := v.picks(c, []string{survey.Up, survey.Same, survey.Down})
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

func questionResult(q survey.Question, p part) QuestionResult {
	r := QuestionResult{ID: q.ID, Kind: q.Kind, Suppressed: !p.show, Choices: []ChoiceResult{}}
	shown := q.Values()
	if q.Kind == survey.Number {
		shown = q.Bins()
	}
	for i, value := range shown {
		c := ChoiceResult{Value: value}
		if p.show {
			c.Count, c.Share = &p.picks[i], share(p.picks[i], p.n)
			if q.Kind == survey.Ranking {
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
	case survey.Scale:
		r.Mean, r.TopTwo = meanOf(q.Min, p.picks), share(sum(p.picks[len(p.picks)-2:]), p.n)
	case survey.NPS:
		r.NPS = npsOf(p.picks)
	case survey.Number:
		r.Mean, r.Median = meanOf(q.Min, p.detail), median(q.Min, p.detail)
	}
	return r
}

func pairResult(q survey.Question, p part, either int) PairResult {
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
