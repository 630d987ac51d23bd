package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
)

// surveyView is one page of a survey.
type surveyView struct {
	Title        string // of the session
	PageTitle    string // with the number of the page, if there are several
	Survey       string // its title
	Intro        string // said on the first page only
	Minutes      int
	MinimumGroup int
	Section      string
	Number, Of   int
	Questions    []questionView
	Carried      []field // what other pages hold, and the form's own fields
	Mistakes     []mistake
	Notice       string // a message's id: why nothing was kept
	Action       string // where the form is sent
	Changing     bool
}

type field struct{ Name, Value string }

// mistake is a line of the summary; Target is the input to go to, empty for a question that is not asked.
type mistake struct{ Target, Label, Text string }

func (v surveyView) mistaken() bool { return len(v.Mistakes) > 0 || v.Notice != "" }

// questionView is one question with what was said to it so far.
type questionView struct {
	feedback.Question
	Label, Help, Low, High string
	Options                []option
	Said                   string // to a text question
	Target                 string // the id of its first input
	Mistake                string
}

type option struct {
	ID, Value, Label string
	Checked          bool
}

func (s *server) renderSurvey(c *gin.Context, status int, f form) error {
	v, err := s.surveyView(c, f, nil)
	if err != nil {
		return err
	}
	return s.renderTitled(c, status, "survey", v.PageTitle, v)
}

func (s *server) renderMistakes(c *gin.Context, f form, mistakes feedback.FieldErrors) error {
	s.Metrics.Submission(f.session.ID, "invalid")
	v, err := s.surveyView(c, f, mistakes)
	if err != nil {
		return err
	}
	return s.renderTitled(c, http.StatusUnprocessableEntity, "survey", v.PageTitle, v)
}

// surveyView lays out the page that the form is at.
func (s *server) surveyView(c *gin.Context, f form, mistakes feedback.FieldErrors) (surveyView, error) {
	l := s.langs.of(c.Request)
	pages := f.survey.Pages()
	at := max(0, slices.IndexFunc(pages, func(p feedback.Section) bool { return p.ID == f.said.Get("page") }))
	v := surveyView{
		Title: f.session.Title.In(l.Tag), Survey: f.survey.Title.In(l.Tag), Minutes: f.survey.Minutes, MinimumGroup: f.promise.MinimumGroup,
		Section: pages[at].Title.In(l.Tag), Number: at + 1, Of: len(pages), Changing: f.receipt != "",
		Action: "/feedback/" + f.session.ID, Carried: f.carried(pages[at], chosenLang(c.Request)),
	}
	v.PageTitle = v.Title
	if v.Of > 1 {
		var err error
		if v.PageTitle, err = l.T("survey.page_title", "Title", v.Title, "Number", v.Number, "Of", v.Of); err != nil {
			return v, err
		}
	}
	if f.receipt != "" {
		v.Action = answerPath(f.session.ID, f.receipt)
	}
	if at == 0 && len(mistakes) == 0 {
		v.Intro = f.survey.Intro.In(l.Tag)
	}
	for _, q := range pages[at].Questions {
		question, err := l.question(q, f.said, mistakes)
		if err != nil {
			return v, err
		}
		v.Questions = append(v.Questions, question)
		if question.Mistake != "" {
			v.Mistakes = append(v.Mistakes, mistake{question.Target, question.Label, question.Mistake})
		}
	}
	if len(mistakes) > len(v.Mistakes) {
		text, err := l.T("mistake.unknown")
		v.Mistakes = append(v.Mistakes, mistake{Text: text})
		return v, err
	}
	return v, nil
}

// carried lists the hidden fields of a page: what the others hold, where this one is, and what names the submission.
func (f form) carried(page feedback.Section, lang string) []field {
	fields := []field{{"page", page.ID}}
	if lang != "" {
		fields = append(fields, field{"lang", lang})
	}
	for _, name := range []string{"token", "segment"} {
		if value := f.said.Get(name); value != "" {
			fields = append(fields, field{name, value})
		}
	}
	for _, q := range f.survey.All() {
		if slices.ContainsFunc(page.Questions, func(here feedback.Question) bool { return here.ID == q.ID }) {
			continue
		}
		for _, value := range f.said[q.Field()] {
			fields = append(fields, field{q.Field(), value})
		}
	}
	return fields
}

func (l *lang) question(q feedback.Question, said url.Values, mistakes feedback.FieldErrors) (questionView, error) {
	v := questionView{
		Question: q, Label: q.Label.In(l.Tag), Help: q.Help.In(l.Tag), Low: q.Low.In(l.Tag), High: q.High.In(l.Tag),
		Said: said.Get(q.Field()), Target: "q-" + q.ID,
	}
	for i, value := range q.Values() {
		o := option{ID: v.Target + "-" + strconv.Itoa(i), Value: value, Checked: slices.Contains(said[q.Field()], value)}
		var err error
		if o.Label, err = l.choice(q, value); err != nil {
			return v, err
		}
		v.Options = append(v.Options, o)
	}
	if len(v.Options) > 0 {
		v.Target = v.Options[0].ID
	}
	wrong, ok := mistakes[q.ID]
	if !ok {
		return v, nil
	}
	var err error
	v.Mistake, err = l.T("mistake."+string(wrong.Code), "Min", l.Number(wrong.Min), "Max", l.Number(wrong.Max))
	return v, err
}

// choice is the wording of one value of a question.
func (l *lang) choice(q feedback.Question, value string) (string, error) {
	if q.Kind == feedback.YesNo {
		return l.T("choice." + value)
	}
	for _, choice := range q.Choices {
		if choice.Value == value {
			return choice.Label.In(l.Tag), nil
		}
	}
	return value, nil
}
