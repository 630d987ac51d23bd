package organise

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
	"jauge/feedback/survey"
	"jauge/handlers/door"
	"jauge/handlers/lookup"
	"jauge/handlers/page"
)

// textsView is the page on which texts are moderated.
type textsView struct {
	Title     string // of the session
	Address   string // of this page
	Back      string // to the session
	State     feedback.TextState
	States    []stateView
	Questions []textGroup
	More      int // texts that are not on the page
	Open      bool
	Minimum   int
}

type stateView struct {
	State  feedback.TextState
	Number int
}

// textGroup is the texts of one question.
type textGroup struct {
	Label string
	Texts []feedback.Text
}

// maxTexts is how many texts a page shows; the next ones move up as these are moderated.
const maxTexts = 100

// TextsPage handles GET /sessions/{id}/texts?state=.
func (h *Handlers) TextsPage(c *gin.Context) error {
	state, err := lookup.TextState(cmp.Or(c.Query("state"), string(feedback.Pending)))
	if err != nil {
		return err
	}
	a, err := h.Sessions.Asked(c.Request.Context(), c.Param("id"))
	if err != nil {
		return err
	}
	texts, err := a.Texts(c.Request.Context())
	if err != nil {
		return err
	}
	l := h.Pages.Lang(c)
	v := textsView{
		Title: a.Session.Title.In(l.Tag), Address: "/sessions/" + a.Session.ID + "/texts", Back: "/sessions/" + a.Session.ID,
		State: state, Open: len(texts) > 0, Minimum: a.Promise.MinimumGroup,
	}
	for _, each := range lookup.TextStates {
		v.States = append(v.States, stateView{each, countTexts(texts, each)})
	}
	texts = slices.DeleteFunc(texts, func(t feedback.Text) bool { return t.State != state })
	if v.More = max(0, len(texts)-maxTexts); v.More > 0 {
		texts = texts[:maxTexts]
	}
	v.Questions = textGroups(l, a.Survey, texts)
	return h.Pages.Render(c, http.StatusOK, "texts", "texts.title", v)
}

func countTexts(texts []feedback.Text, state feedback.TextState) int {
	n := 0
	for _, t := range texts {
		if t.State == state {
			n++
		}
	}
	return n
}

// textGroups groups texts, which are sorted by question.
func textGroups(l *page.Lang, survey *survey.Survey, texts []feedback.Text) []textGroup {
	var groups []textGroup
	last := ""
	for _, t := range texts {
		if t.Question != last {
			q, _ := survey.Question(t.Question)
			groups, last = append(groups, textGroup{Label: q.Label.In(l.Tag)}), t.Question
		}
		group := &groups[len(groups)-1]
		group.Texts = append(group.Texts, t)
	}
	return groups
}

// ModerateForm handles POST /sessions/{id}/texts/{text}, a button of the page.
func (h *Handlers) ModerateForm(c *gin.Context) error {
	form, err := door.ReadForm(c)
	if err != nil {
		return err
	}
	state, err := lookup.TextState(form.Get("state"))
	if err != nil {
		return err
	}
	a, err := h.Sessions.Asked(c.Request.Context(), c.Param("id"))
	if err != nil {
		return err
	}
	if _, err := a.Moderate(c.Request.Context(), c.Param("text"), feedback.Decision(form.Get("decision"))); err != nil {
		return err
	}
	h.Pages.Redirect(c, "/sessions/"+c.Param("id")+"/texts", url.Values{"state": {string(state)}})
	return nil
}

// sessionTexts is what a session's page shows of its texts: the approved ones, and how many are pending; nil: the survey asks for none,
// or too few have answered. From mostTexts on, only the pages of results and of texts show them.
type sessionTexts struct {
	Address  string
	Waiting  int
	Approved []textGroup
}

// mostTexts is from how many respondents on the session's page, which is opened often, does not read the texts.
const mostTexts = 1000

func (h *Handlers) sessionTexts(c *gin.Context, a *feedback.Asked, respondents int) (*sessionTexts, error) {
	address := "/sessions/" + a.Session.ID + "/texts"
	if respondents > mostTexts {
		return &sessionTexts{Address: address}, nil
	}
	texts, err := a.Texts(c.Request.Context())
	if err != nil || len(texts) == 0 {
		return nil, err
	}
	v := &sessionTexts{Address: address, Waiting: countTexts(texts, feedback.Pending)}
	approved := slices.DeleteFunc(texts, func(t feedback.Text) bool { return t.State != feedback.Approved })
	v.Approved = textGroups(h.Pages.Lang(c), a.Survey, approved)
	return v, nil
}
