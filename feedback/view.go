package feedback

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
		Session: session, Survey: survey.ID, Version: survey.Version(),
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
	for _, q := range survey.All() {
		v.addQuestion(&r, q)
	}
	return r
}

// addQuestion appends a question's figures, and those of its pair, to the whole and to each segment.
func (v view) addQuestion(r *Results, q Question) {
	parts := v.parts(func(segment string) group { return v.question(segment, q) })
	r.Questions = append(r.Questions, q.result(parts[0]))
	for i := range r.Segments {
		r.Segments[i].Questions = append(r.Segments[i].Questions, q.result(parts[i+1]))
	}
	before, ok := v.survey.Question(q.Pair)
	if !ok {
		return
	}
	parts = v.parts(func(segment string) group { return v.pair(segment, q) })
	either := func(i int) int {
		return v.question(v.names[i], before).n + v.question(v.names[i], q).n - parts[i].n
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

func (v view) respondents(segment string) group {
	return group{n: v.tally[cell{survey: v.survey.ID, segment: segment}.key()]}
}

func (v view) question(segment string, q Question) group {
	c := cell{survey: v.survey.ID, segment: segment, question: q.ID, shape: q.shape()}
	return group{n: v.tally[c.key()], picks: v.picks(c, q.Values())}
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

func (q Question) result(p part) QuestionResult {
	r := QuestionResult{ID: q.ID, Kind: q.Kind, Suppressed: !p.show, Choices: []ChoiceResult{}}
	for i, value := range q.Values() {
		c := ChoiceResult{Value: value}
		if p.show {
			c.Count, c.Share = &p.picks[i], share(p.picks[i], p.n)
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
