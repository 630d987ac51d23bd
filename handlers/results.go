package handlers

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
)

// resultsView is what a session's attendees answered, in the order in which they were asked.
type resultsView struct {
	Title        string
	Session      string // its id
	Answers      feedback.Results
	MinimumGroup int
	Questions    []resultView
	Pairs        []changeView
}

// resultView is one question's answers: a bar for each value, the figure that sums them up, and that figure by audience.
type resultView struct {
	Label      string
	Suppressed bool
	N          int
	Bars       []barView
	Headline   string
	Groups     []groupView
}

// barView is one value, its share of those who answered, and the interval of that share.
type barView struct {
	Label    string
	Count    int
	Share    feedback.Share
	Interval string
}

// Width is the share as a length from 0 to 100, Low and High are the ends of its interval.
func (b barView) Width() string { return length(b.Share.Value) }

// Low is the low end of the interval as a length.
func (b barView) Low() string { return length(b.Share.Low) }

// High is the high end of the interval as a length.
func (b barView) High() string { return length(b.Share.High) }

func length(share float64) string { return fmt.Sprintf("%.1f", 100*share) }

// groupView is one audience's figure; an empty headline is hidden.
type groupView struct {
	Title    string
	N        *int
	Headline string
}

// changeView is what changed between two questions.
type changeView struct {
	Before, Now     string // their labels
	Suppressed      bool
	Matched         int
	Rate            float64
	Up, Same, Down  int
	Gain, Margin, P string
	Parts           []changePart
}

// changePart is a stretch of a change's bar: where it begins and how long it is, of 100.
type changePart struct{ Class, X, Width string }

// resultsPage handles GET /sessions/{id}/results.
func (s *server) resultsPage(c *gin.Context) error {
	l := s.langs.of(c.Request)
	st, results, err := s.results(c)
	if err != nil {
		return err
	}
	session, survey := st.Session, s.survey(st.Session)
	v := resultsView{Title: session.Title.In(l.Tag), Session: session.ID, Answers: results, MinimumGroup: s.MinimumGroup}
	titles := map[string]string{}
	for _, segment := range session.Segments {
		titles[segment.ID] = segment.Title.In(l.Tag)
	}
	for i, r := range results.Questions {
		q, _ := survey.Question(r.ID)
		if len(q.Values()) == 0 { // words are not counted
			continue
		}
		view, err := l.result(q, r)
		if err != nil {
			return err
		}
		for _, segment := range results.Segments {
			g := groupView{Title: titles[segment.ID], N: segment.Questions[i].N}
			if g.Headline, err = l.headline(q, segment.Questions[i]); err != nil {
				return err
			}
			view.Groups = append(view.Groups, g)
		}
		v.Questions = append(v.Questions, view)
	}
	for _, p := range results.Pairs {
		v.Pairs = append(v.Pairs, l.change(survey, p))
	}
	return s.renderTitled(c, http.StatusOK, "results", v.Title, v)
}

func (l *lang) result(q feedback.Question, r feedback.QuestionResult) (resultView, error) {
	v := resultView{Label: q.Label.In(l.Tag), Suppressed: r.Suppressed}
	if r.Suppressed {
		return v, nil
	}
	v.N = *r.N
	for _, choice := range r.Choices {
		label, err := l.choice(q, choice.Value)
		if err != nil {
			return v, err
		}
		bar := barView{Label: label.Text, Count: *choice.Count, Share: *choice.Share}
		if bar.Interval, err = l.interval(bar.Share); err != nil {
			return v, err
		}
		v.Bars = append(v.Bars, bar)
	}
	var err error
	v.Headline, err = l.headline(q, r)
	return v, err
}

// headline sums up a question in one figure with its interval; empty when it is hidden, or has none.
func (l *lang) headline(q feedback.Question, r feedback.QuestionResult) (string, error) {
	switch {
	case r.Suppressed:
		return "", nil
	case r.NPS != nil:
		return l.T("results.nps", "Value", l.Signed(r.NPS.Value, 1), "Margin", l.Decimal(r.NPS.Margin, 1),
			"Promoters", l.Number(r.NPS.Promoters), "Passives", l.Number(r.NPS.Passives), "Detractors", l.Number(r.NPS.Detractors))
	case r.TopTwo != nil:
		share, err := l.interval(*r.TopTwo)
		if err != nil {
			return "", err
		}
		return l.T("results.scale", "Mean", l.Decimal(*r.Mean, 1), "Max", l.Number(q.Max), "Share", share)
	case q.Kind == feedback.YesNo:
		share, err := l.interval(*r.Choices[1].Share)
		if err != nil {
			return "", err
		}
		return l.T("results.yes", "Share", share)
	}
	return "", nil
}

// interval writes a share with its interval: "61 % (42 à 76)".
func (l *lang) interval(s feedback.Share) (string, error) {
	return l.T("results.interval", "Share", l.Percent(s.Value), "Low", l.Percent(s.Low), "High", l.Percent(s.High))
}

func (l *lang) change(survey *feedback.Survey, p feedback.PairResult) changeView {
	before, _ := survey.Question(p.Before)
	now, _ := survey.Question(p.Now)
	v := changeView{Before: before.Label.In(l.Tag), Now: now.Label.In(l.Tag), Suppressed: p.Suppressed}
	if p.Suppressed {
		return v
	}
	v.Matched, v.Rate, v.Up, v.Same, v.Down = *p.Matched, *p.MatchRate, *p.Up, *p.Same, *p.Down
	v.Gain, v.Margin, v.P = l.Signed(100**p.Gain, 0), l.Decimal(100**p.Margin, 0), l.chance(*p.P)
	x := 0.0
	for _, part := range []struct {
		class string
		n     int
	}{{"down", v.Down}, {"same", v.Same}, {"up", v.Up}} {
		width := float64(part.n) / float64(v.Matched)
		v.Parts = append(v.Parts, changePart{part.class, length(x), length(width)})
		x += width
	}
	return v
}

// Decimal writes a number with so many decimals: "28,6" in French.
func (l *lang) Decimal(n float64, digits uint64) string { return l.locale.FmtNumber(n, digits) }

// Signed is Decimal with its sign, also of what is above zero.
func (l *lang) Signed(n float64, digits uint64) string {
	text := l.Decimal(max(n, -n), digits)
	switch {
	case strings.Trim(text, "0,.") == "":
		return text
	case n < 0:
		return "−" + text
	}
	return "+" + text
}

// chance writes a p-value: "p = 0,065", and "p < 0,001" below what is worth telling apart.
func (l *lang) chance(p float64) string {
	if p < 0.001 {
		return "p < " + l.Decimal(0.001, 3)
	}
	return "p = " + l.Decimal(p, 3)
}
