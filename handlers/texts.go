package handlers

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
	"jauge/internal/problem"
	"jauge/programme"
)

// organised finds the session in the path and its survey, for its organiser.
func (s *server) organised(c *gin.Context) (asked, error) {
	session, err := s.Programme.Session(c.Request.Context(), c.Param("id"))
	if err != nil {
		return asked{}, err
	}
	survey := s.survey(session)
	if survey == nil {
		return asked{}, notFound("This session has no survey.")
	}
	promise := s.promised(c.Request.Context(), session, survey)
	return asked{session: session, whole: survey.For(promise.Minors), promise: promise}, nil
}

func segmentIDs(session programme.Session) []string {
	ids := make([]string, len(session.Segments))
	for i, segment := range session.Segments {
		ids[i] = segment.ID
	}
	return ids
}

// texts reads the texts of a session.
func (s *server) texts(c *gin.Context, a asked) ([]feedback.Text, error) {
	return s.Feedback.Texts(c.Request.Context(), a.session.ID, a.whole, s.MinimumGroup)
}

// textStates are the states that a list of texts can be about, the first by default on the page.
var textStates = []feedback.TextState{feedback.Pending, feedback.Approved, feedback.Hidden}

// stateOf reads ?state= or the form's field; empty when it is not given.
func stateOf(given string) (feedback.TextState, error) {
	state := feedback.TextState(given)
	if given != "" && !slices.Contains(textStates, state) {
		return "", badRequest("state is pending, approved or hidden.")
	}
	return state, nil
}

// getTexts handles GET /api/v1/sessions/{id}/texts?state=: every text, or those in one state.
func (s *server) getTexts(c *gin.Context) error {
	state, err := stateOf(c.Query("state"))
	if err != nil {
		return err
	}
	a, err := s.organised(c)
	if err != nil {
		return err
	}
	texts, err := s.texts(c, a)
	if err != nil {
		return err
	}
	texts = slices.DeleteFunc(texts, func(t feedback.Text) bool { return state != "" && t.State != state })
	return respond(c, http.StatusOK, list(texts))
}

// moderate decides about the text in the path.
func (s *server) moderate(c *gin.Context, decision feedback.Decision) (feedback.Text, error) {
	a, err := s.organised(c)
	if err != nil {
		return feedback.Text{}, err
	}
	return s.Feedback.Moderate(c.Request.Context(), a.session.ID, a.whole, s.MinimumGroup, c.Param("text"), decision)
}

// postText handles POST /api/v1/sessions/{id}/texts/{text}.
func (s *server) postText(c *gin.Context) error {
	var body struct {
		Decision feedback.Decision `json:"decision"`
	}
	if err := decodeJSON(c, &body); err != nil {
		return err
	}
	if body.Decision != feedback.Approve && body.Decision != feedback.Hide {
		return problem.Problems{{Path: "decision", Message: `"approve" or "hide" belongs here`}}
	}
	text, err := s.moderate(c, body.Decision)
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, text)
}

// textsView is the page on which texts are decided about.
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

// maxTexts is how many texts a page shows; those that follow move up as these are decided.
const maxTexts = 100

// textsPage handles GET /sessions/{id}/texts?state=.
func (s *server) textsPage(c *gin.Context) error {
	state, err := stateOf(cmp.Or(c.Query("state"), string(feedback.Pending)))
	if err != nil {
		return err
	}
	a, err := s.organised(c)
	if err != nil {
		return err
	}
	texts, err := s.texts(c, a)
	if err != nil {
		return err
	}
	l := s.langs.of(c.Request)
	v := textsView{
		Title: a.session.Title.In(l.Tag), Address: "/sessions/" + a.session.ID + "/texts", Back: "/sessions/" + a.session.ID,
		State: state, Open: len(texts) > 0, Minimum: a.promise.MinimumGroup,
	}
	for _, each := range textStates {
		v.States = append(v.States, stateView{each, countTexts(texts, each)})
	}
	texts = slices.DeleteFunc(texts, func(t feedback.Text) bool { return t.State != state })
	if v.More = max(0, len(texts)-maxTexts); v.More > 0 {
		texts = texts[:maxTexts]
	}
	v.Questions = l.textGroups(a.whole, texts)
	return s.render(c, http.StatusOK, "texts", "texts.title", v)
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

// textGroups parts texts, which are sorted by question, into groups.
func (l *lang) textGroups(survey *feedback.Survey, texts []feedback.Text) []textGroup {
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

// moderateForm handles POST /sessions/{id}/texts/{text}, a button of the page.
func (s *server) moderateForm(c *gin.Context) error {
	form, err := readForm(c)
	if err != nil {
		return err
	}
	state, err := stateOf(form.Get("state"))
	if err != nil {
		return err
	}
	if _, err := s.moderate(c, feedback.Decision(form.Get("decision"))); err != nil {
		return err
	}
	query := url.Values{"state": {string(state)}}
	if s.langs.byTag(chosenLang(c.Request)) != nil {
		query.Set("lang", chosenLang(c.Request))
	}
	c.Redirect(http.StatusSeeOther, "/sessions/"+c.Param("id")+"/texts?"+query.Encode())
	return nil
}

// sessionTexts is what a session's page says of its texts: those that are approved, and how many wait; nil when none is asked
// or too few have answered. Of a great many the page of results and that of texts tell.
type sessionTexts struct {
	Address  string
	Waiting  int
	Approved []textGroup
}

// mostTexts is from how many respondents on their texts are not all read for the session's page, which is opened often.
const mostTexts = 1000

func (s *server) sessionTexts(c *gin.Context, of sessionView) (*sessionTexts, error) {
	session, survey := of.Session, s.survey(of.Session)
	if survey == nil || of.Answers == nil {
		return nil, nil
	}
	if of.Answers.Respondents > mostTexts {
		return &sessionTexts{Address: "/sessions/" + session.ID + "/texts"}, nil
	}
	texts, err := s.texts(c, asked{session: session, whole: survey})
	if err != nil || len(texts) == 0 {
		return nil, err
	}
	v := &sessionTexts{Address: "/sessions/" + session.ID + "/texts", Waiting: countTexts(texts, feedback.Pending)}
	approved := slices.DeleteFunc(texts, func(t feedback.Text) bool { return t.State != feedback.Approved })
	v.Approved = s.langs.of(c.Request).textGroups(survey, approved)
	return v, nil
}
