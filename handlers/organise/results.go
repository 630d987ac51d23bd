package organise

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"jauge/feedback/figures"
	"jauge/feedback/survey"
	"jauge/handlers/page"
	"jauge/programme"
)

// resultsView is what a session's attendees answered, in the order in which they were asked.
type resultsView struct {
	Title        string
	Session      string // its id
	Answers      figures.Results
	MinimumGroup int
	Earlier      bool // some answered an earlier wording
	Questions    []resultView
	Pairs        []changeView
	Stayed       string // the share who stayed of those who answered, and StayedOfAll of all; empty: one of them is not known
	StayedOfAll  string
}

// resultView is one question's answers: a bar for each value, the figure that sums them up, and that figure by group.
type resultView struct {
	Wave       string // the title of the wave that begins here; empty: that of the question before
	InWave     *int   // how many answered in it; nil: hidden
	Label      string
	Suppressed bool
	N          int
	Bars       []barView
	Ranked     bool // bars have ranks
	Headline   string
	Groups     []groupView
	Compared   []comparisonView
	Texts      []string // approved ones
}

// comparisonView is the difference between two groups.
type comparisonView struct {
	A, B       string
	Difference string
	Differ     bool // the interval does not contain 0
}

// barView is one value, its share of those who answered, and the interval of that share.
type barView struct {
	Label    string
	Count    int
	Share    figures.Share
	Interval string
	Rank     string // the mean rank of a choice; empty: it has none
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
	Question        string // of the same one in two waves, its label
	Before, Now     string // the labels of two questions, or the titles of two waves
	Suppressed      bool
	Matched         int
	Rate            float64
	Up, Same, Down  int
	Gain, Margin, P string
	Parts           []changePart
}

// changePart is a stretch of a change's bar: where it begins and how long it is, of 100.
type changePart struct{ Class, X, Width string }

// ResultsPage handles GET /sessions/{id}/results.
func (h *Handlers) ResultsPage(c *gin.Context) error {
	v, err := orLast(h, c, "results", func() (resultsView, error) { return h.resultsView(c) })
	if err != nil {
		return err
	}
	return h.Pages.RenderTitled(c, http.StatusOK, "results", v.Title, v)
}

func (h *Handlers) resultsView(c *gin.Context) (v resultsView, err error) {
	l := h.Pages.Lang(c)
	a, results, err := h.Sessions.Results(c.Request.Context(), c.Param("id"))
	if err != nil {
		return v, err
	}
	v = resultsView{
		Title: a.Session.Title.In(l.Tag), Session: a.Session.ID, Answers: results, MinimumGroup: a.Promise.MinimumGroup,
		Earlier: len(results.Versions) > 1,
	}
	titles, err := groupTitles(l, a.Session)
	if err != nil {
		return v, err
	}
	if v.Questions, err = resultViews(l, a.Survey, results, titles); err != nil {
		return v, err
	}
	for _, p := range results.Pairs {
		v.Pairs = append(v.Pairs, changeOf(l, a.Survey, p))
	}
	if both := results.NonResponse; both != nil {
		if v.Stayed, err = interval(l, both.Respondents.Share); err != nil {
			return v, err
		}
		v.StayedOfAll, err = interval(l, both.Attended.Share)
	}
	return v, err
}

// withoutTexts is the view without what people wrote.
func (v resultsView) withoutTexts() resultsView {
	v.Questions = slices.Clone(v.Questions)
	for i := range v.Questions {
		v.Questions[i].Texts = nil
	}
	return v
}

// groupTitles names the groups of a session's answers, by id: its segments, and those who stayed or left.
func groupTitles(l *page.Lang, session programme.Session) (map[string]string, error) {
	titles := map[string]string{}
	for _, segment := range session.Segments {
		titles[segment.ID] = segment.Title.In(l.Tag)
	}
	for stay, message := range map[string]string{survey.Stayed: "results.stayed", survey.Left: "results.left"} {
		title, err := l.T(message)
		if err != nil {
			return nil, err
		}
		titles[stay] = title
	}
	return titles, nil
}

// resultViews lays out the questions. Groups of which all is hidden are left out.
func resultViews(l *page.Lang, survey *survey.Survey, results figures.Results, titles map[string]string) ([]resultView, error) {
	var views []resultView
	wave := ""
	for i, r := range results.Questions {
		q, _ := survey.Question(r.ID)
		view, err := resultOf(l, q, r)
		if err != nil {
			return nil, err
		}
		if _, in, _ := strings.Cut(q.ID, "@"); in != wave {
			wave, view.Wave = in, page.Wave(l, survey, in).Text
			view.InWave = results.Waves[slices.IndexFunc(results.Waves, func(w figures.WaveResult) bool { return w.ID == in })].Respondents
		}
		for _, group := range slices.Concat(results.Segments, results.Stay) {
			if view.Headline == "" || group.Questions[i].Suppressed {
				continue
			}
			g := groupView{Title: titles[group.ID], N: group.Questions[i].N}
			if g.Headline, err = headline(l, q, group.Questions[i]); err != nil {
				return nil, err
			}
			view.Groups = append(view.Groups, g)
		}
		if view.Compared, err = comparisons(l, results, q.ID, titles); err != nil {
			return nil, err
		}
		views = append(views, view)
	}
	return views, nil
}

func comparisons(l *page.Lang, results figures.Results, question string, titles map[string]string) ([]comparisonView, error) {
	var views []comparisonView
	for _, c := range results.Compared {
		if c.Question != question {
			continue
		}
		d := c.Difference
		text, err := l.T("results.difference", "Points", l.Signed(100*d.Value, 0), "Low", l.Signed(100*d.Low, 0), "High", l.Signed(100*d.High, 0))
		if err != nil {
			return nil, err
		}
		views = append(views, comparisonView{titles[c.A], titles[c.B], text, d.Low > 0 || d.High < 0})
	}
	return views, nil
}

func resultOf(l *page.Lang, q survey.Question, r figures.QuestionResult) (resultView, error) {
	v := resultView{Label: labelOf(l, q), Suppressed: r.Suppressed, Texts: r.Texts, Ranked: q.Ranked()}
	if r.Suppressed {
		return v, nil
	}
	v.N = *r.N
	for _, choice := range r.Choices {
		label, err := page.Choice(l, q, choice.Value)
		if err != nil {
			return v, err
		}
		bar := barView{Label: label.Text, Count: *choice.Count, Share: *choice.Share}
		if choice.MeanRank != nil {
			bar.Rank = l.Decimal(*choice.MeanRank, 1)
		}
		if bar.Interval, err = interval(l, bar.Share); err != nil {
			return v, err
		}
		v.Bars = append(v.Bars, bar)
	}
	var err error
	v.Headline, err = headline(l, q, r)
	return v, err
}

// headline sums up a question in one figure with its interval; empty when it is hidden, or has none.
func headline(l *page.Lang, q survey.Question, r figures.QuestionResult) (string, error) {
	switch {
	case r.Suppressed:
		return "", nil
	case r.NPS != nil:
		return l.T("results.nps", "Value", l.Signed(r.NPS.Value, 1), "Margin", l.Decimal(r.NPS.Margin, 1),
			"Promoters", l.Number(r.NPS.Promoters), "Passives", l.Number(r.NPS.Passives), "Detractors", l.Number(r.NPS.Detractors))
	case r.TopTwo != nil:
		share, err := interval(l, *r.TopTwo)
		if err != nil {
			return "", err
		}
		return l.T("results.scale", "Mean", l.Decimal(*r.Mean, 1), "Max", l.Number(q.Max), "Share", share)
	case r.Median != nil:
		return l.T("results.number", "Mean", l.Decimal(*r.Mean, 1), "Median", l.Decimal(*r.Median, 1), "Unit", q.Unit.In(l.Tag))
	case q.Kind == survey.YesNo || q.Kind == survey.Consent:
		share, err := interval(l, *r.Choices[len(r.Choices)-1].Share)
		if err != nil {
			return "", err
		}
		return l.T("results.yes", "Share", share)
	}
	return "", nil
}

// interval writes a share with its interval: "61 % (42 à 76)".
func interval(l *page.Lang, s figures.Share) (string, error) {
	return l.T("results.interval", "Share", l.Percent(s.Value), "Low", l.Percent(s.Low), "High", l.Percent(s.High))
}

// labelOf is an item's label, that of a matrix's row with the matrix's before it.
func labelOf(l *page.Lang, q survey.Question) string {
	if of := q.Of.In(l.Tag); of != "" {
		return of + " – " + q.Label.In(l.Tag)
	}
	return q.Label.In(l.Tag)
}

func changeOf(l *page.Lang, survey *survey.Survey, p figures.PairResult) changeView {
	before, _ := survey.Question(p.Before)
	now, _ := survey.Question(p.Now)
	v := changeView{Before: labelOf(l, before), Now: labelOf(l, now), Suppressed: p.Suppressed}
	if _, first, waved := strings.Cut(p.Before, "@"); waved && v.Before == v.Now {
		_, later, _ := strings.Cut(p.Now, "@")
		v.Question, v.Before, v.Now = v.Now, page.Wave(l, survey, first).Text, page.Wave(l, survey, later).Text
	}
	if p.Suppressed {
		return v
	}
	v.Matched, v.Rate, v.Up, v.Same, v.Down = *p.Matched, *p.MatchRate, *p.Up, *p.Same, *p.Down
	v.Gain, v.Margin, v.P = l.Signed(100**p.Gain, 0), l.Decimal(100**p.Margin, 0), pValue(l, *p.P)
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

// pValue writes a p-value: "p = 0,065", and "p < 0,001" below what is worth telling apart.
func pValue(l *page.Lang, p float64) string {
	if p < 0.001 {
		return "p < " + l.Decimal(0.001, 3)
	}
	return "p = " + l.Decimal(p, 3)
}
