package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
	"jauge/internal/text"
)

// surveyView is one page of a survey.
type surveyView struct {
	Title        string // of the session
	PageTitle    string // with the number of the page, if there are several
	TitleLang    string // see phrase
	Wave         phrase // which time it is asked; empty: the only one
	Intro        phrase // said on the first page only
	Advice       phrase // the survey's own notice, likewise
	Minutes      int
	MinimumGroup int
	Section      phrase
	Number, Of   int
	Questions    []questionView
	Carried      []field // what other pages hold, and the form's own fields
	Mistakes     []mistake
	Notice       string // a message's id: why nothing was kept
	Action       string // where the form is sent
	Changing     bool

	Code  *codeView // on the first page of a later wave
	Opens string    // when the wave opens, if it has not
	Alone bool      // in a kiosk: answers are not kept together here, though they are elsewhere

	Note      string // a message's id: what there is to know about the form
	Anonymity string // see form.level
	Personal  bool   // the link was given to one person
	Terms     string // the address of the privacy notice
	Draft     string // the address that resumes the form; empty: nothing is kept yet
	Days      int    // how long that is; 0: nothing is kept before it is sent
	Restart   string // in a kiosk, the address of a new form
}

// phrase is a text of the organiser's; Lang is set when it is in another language than the page, because it was not
// written in that one.
type phrase struct{ Text, Lang string }

// Dir is the direction in which the phrase is written, when Lang is set.
func (p phrase) Dir() string { return text.Direction(p.Lang) }

func (l *lang) say(t text.Text) phrase {
	p := phrase{Text: t.In(l.Tag)}
	if spoken := t.Spoken(l.Tag); spoken != l.Tag {
		p.Lang = spoken
	}
	return p
}

type field struct{ Name, Value string }

// mistake is a line of the summary; Target is the input to go to, empty for a question that is not asked.
type mistake struct {
	Target string
	Label  phrase
	Text   string
}

func (v surveyView) mistaken() bool { return len(v.Mistakes) > 0 || v.Notice != "" }

// questionView is one question with what was said to it so far.
type questionView struct {
	feedback.Question
	Label, Help, Low, High, Unit phrase

	Options []option       // to pick from
	Ranks   []rankView     // of a ranking: one for each choice
	Rows    []questionView // of a matrix
	Row     bool           // it is one of these

	Said    string // to a text or number
	Target  string // the id of its first input
	Hint    string // what an answer may be
	Mistake string
}

// Describe lists the ids of what is said about the question beside its label, for who does not see it there.
func (q questionView) Describe() string {
	var parts []string
	for _, part := range []struct {
		name string
		is   bool
	}{{"help", q.Help.Text != ""}, {"hint", q.Hint != ""}, {"ends", q.Low.Text+q.High.Text != ""}, {"unit", q.Unit.Text != ""}, {"wrong", q.Mistake != ""}} {
		if part.is {
			parts = append(parts, q.Field()+"-"+part.name)
		}
	}
	return strings.Join(parts, " ")
}

type option struct {
	ID, Value string
	Label     phrase
	Checked   bool
}

// rankView is a choice that takes a rank.
type rankView struct {
	ID, Name string
	Label    phrase
	Ranks    []option
}

// in sets which wave of the survey is asked: the one that is named, else the one that is open. It returns false if there
// is no such wave.
func (a asked) in(wave string, s *server) (asked, bool) {
	if wave == "" {
		wave = a.whole.WaveAt(a.session.StartsAt, a.session.EndsAt, s.Now())
	}
	a.wave, a.survey = wave, a.whole.In(wave)
	return a, a.survey != nil
}

// noWave is what somebody reads who followed a link to a wave that the survey does not have.
func noWave() *failure {
	return &failure{status: http.StatusNotFound, code: "no_survey", detail: "The survey of this session has no such wave."}
}

// pages are those that a person is asked who said so much. There is always one.
func (f form) pages() []feedback.Section {
	answers, _ := feedback.ParseForm(f.survey, f.said)
	if pages := f.survey.Shown(answers); len(pages) > 0 {
		return pages
	}
	return f.survey.Pages()[:1]
}

func (s *server) renderSurvey(c *gin.Context, status int, f form) error {
	v, err := s.surveyView(c, f, nil)
	if err != nil {
		return err
	}
	return s.renderTitled(c, status, "survey", v.PageTitle, v)
}

func (s *server) renderMistakes(c *gin.Context, f form, mistakes feedback.FieldErrors) error {
	s.submitted(submissionInvalid)
	v, err := s.surveyView(c, f, mistakes)
	if err != nil {
		return err
	}
	return s.renderTitled(c, http.StatusUnprocessableEntity, "survey", v.PageTitle, v)
}

// surveyView lays out the page that the form is at.
func (s *server) surveyView(c *gin.Context, f form, mistakes feedback.FieldErrors) (surveyView, error) {
	l := s.langs.of(c.Request)
	pages, at := f.pages(), f.page()
	title := l.say(f.session.Title)
	v := surveyView{
		Title: title.Text, TitleLang: title.Lang, Wave: l.wave(f.whole, f.wave), Minutes: f.survey.Minutes, MinimumGroup: f.promise.MinimumGroup,
		Section: l.say(pages[at].Title), Number: at + 1, Of: len(pages), Changing: f.receipt != "",
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
	s.explain(c, f, &v)
	if at == 0 {
		if err := s.welcome(l, f, &v, len(mistakes) == 0 && f.wrong == ""); err != nil {
			return v, err
		}
	}
	before := len(v.Mistakes)
	for _, q := range pages[at].Questions {
		question, err := l.question(q, f.said, mistakes)
		if err != nil {
			return v, err
		}
		v.Questions = append(v.Questions, question)
		v.Mistakes = append(v.Mistakes, question.mistakes()...)
	}
	if len(mistakes) > len(v.Mistakes)-before {
		text, err := l.T("mistake.unknown")
		v.Mistakes = append(v.Mistakes, mistake{Text: text})
		return v, err
	}
	return v, nil
}

// welcome fills in what the first page says before the questions.
func (s *server) welcome(l *lang, f form, v *surveyView, words bool) (err error) {
	if words {
		v.Intro, v.Advice = l.say(f.survey.Intro), l.say(f.survey.Notice)
	}
	if v.Opens, err = s.opens(l, f.asked, f.wave); err != nil {
		return err
	}
	if v.Code, err = l.codeField(f); err != nil || v.Code == nil || v.Code.Mistake == "" {
		return err
	}
	label, err := l.T("wave.code")
	v.Mistakes = append(v.Mistakes, mistake{Target: codeTarget, Label: phrase{Text: label}, Text: v.Code.Mistake})
	return err
}

// mistakes are the lines that a question has in the summary.
func (q questionView) mistakes() []mistake {
	var all []mistake
	if q.Mistake != "" {
		all = append(all, mistake{q.Target, q.Label, q.Mistake})
	}
	for _, row := range q.Rows {
		all = append(all, row.mistakes()...)
	}
	return all
}

// wave is the title of a survey's wave.
func (l *lang) wave(survey *feedback.Survey, id string) phrase {
	for _, w := range survey.Waves {
		if w.ID == id {
			return l.say(w.Title)
		}
	}
	return phrase{}
}

// carried lists the hidden fields of a page: what the others hold, where this one is, and what names the submission. What
// was said to questions that are not shown now is among them: who goes back once more finds it again.
func (f form) carried(page feedback.Section, lang string) []field {
	fields := []field{{"page", page.ID}}
	if lang != "" {
		fields = append(fields, field{"lang", lang})
	}
	if f.wave != "" {
		fields = append(fields, field{"wave", f.wave})
	}
	for _, name := range carriedFields {
		if value := f.said.Get(name); value != "" && (name != "code" || f.page() > 0) {
			fields = append(fields, field{name, value})
		}
	}
	here := page.Items()
	for _, q := range f.survey.All() {
		if slices.ContainsFunc(here, func(shown feedback.Question) bool { return shown.ID == q.ID }) {
			continue
		}
		for _, name := range q.Fields() {
			for _, value := range f.said[name] {
				fields = append(fields, field{name, value})
			}
		}
	}
	return fields
}

// question lays out a question; each kind has its own inputs.
func (l *lang) question(q feedback.Question, said url.Values, mistakes feedback.FieldErrors) (questionView, error) {
	v := questionView{
		Question: q, Label: l.say(q.Label), Help: l.say(q.Help), Low: l.say(q.Low), High: l.say(q.High), Unit: l.say(q.Unit),
		Said: said.Get(q.Field()), Target: "q-" + q.ID,
	}
	var err error
	switch q.Kind {
	case feedback.Matrix:
		for _, item := range q.Items() {
			row, err := l.question(item, said, mistakes)
			if err != nil {
				return v, err
			}
			row.Row, row.Low, row.High = true, phrase{}, phrase{} // said once, of the matrix
			v.Rows = append(v.Rows, row)
		}
		return v, nil
	case feedback.Ranking:
		v.rank(l, said)
	case feedback.Number, feedback.ShortText, feedback.FreeText:
	default:
		if v.Options, err = l.options(q, said); err != nil {
			return v, err
		}
		v.Target = v.Options[0].ID
	}
	if v.Hint, err = l.hint(q); err != nil {
		return v, err
	}
	if wrong, ok := mistakes[q.ID]; ok {
		v.Mistake, err = l.mistake(q, wrong)
	}
	return v, err
}

// options are the boxes and buttons of a question.
func (l *lang) options(q feedback.Question, said url.Values) ([]option, error) {
	var options []option
	values := q.Values()
	if q.Kind == feedback.YesNo { // low before high for figures, yes before no for people
		values = []string{feedback.Yes, feedback.No}
	}
	for i, value := range values {
		label, err := l.choice(q, value)
		if err != nil {
			return nil, err
		}
		options = append(options, option{
			ID: "q-" + q.ID + "-" + strconv.Itoa(i), Value: value, Label: label, Checked: slices.Contains(said[q.Field()], value),
		})
	}
	return options, nil
}

// rank lays out the choices of a ranking, each with a list of ranks.
func (q *questionView) rank(l *lang, said url.Values) {
	for i, name := range q.Fields() {
		r := rankView{ID: "q-" + q.ID + "-" + strconv.Itoa(i), Name: name, Label: l.say(q.Choices[i].Label)}
		for n := range q.Choices {
			rank := strconv.Itoa(n + 1)
			r.Ranks = append(r.Ranks, option{Value: rank, Checked: said.Get(name) == rank})
		}
		q.Ranks = append(q.Ranks, r)
	}
	q.Target = q.Ranks[0].ID
}

// hint says what an answer may be, where the inputs do not.
func (l *lang) hint(q feedback.Question) (string, error) {
	switch {
	case q.Kind == feedback.Number:
		return l.T("survey.between", "Min", q.Min, "Max", q.Max)
	case q.Kind == feedback.Ranking:
		return l.T("survey.ranks")
	case q.MaxChoices > 0:
		return l.Count("survey.at_most", q.MaxChoices)
	case q.Kind == feedback.FreeText || q.Kind == feedback.ShortText:
		return l.T("survey.words")
	}
	return "", nil
}

// mistake says what is wrong with an answer, in the words that go with the kind of question.
func (l *lang) mistake(q feedback.Question, wrong feedback.FieldError) (string, error) {
	id := "mistake." + string(wrong.Code)
	switch kind := string(q.Kind); {
	case wrong.Code == feedback.Required && slices.Contains([]string{"ranking", "number", "short", "text", "consent"}, kind):
		id += "_" + kind
	case wrong.Code == feedback.Range && q.Kind == feedback.Number: // which may be a year: no separators
		return l.T(id+"_number", "Min", wrong.Min, "Max", wrong.Max)
	}
	return l.T(id, "Min", l.Number(wrong.Min), "Max", l.Number(wrong.Max))
}

// choice is the wording of one value of a question.
func (l *lang) choice(q feedback.Question, value string) (phrase, error) {
	switch q.Kind {
	case feedback.YesNo:
		word, err := l.T("choice." + value)
		return phrase{Text: word}, err
	case feedback.Consent:
		return l.say(q.Label), nil
	}
	for _, choice := range q.Choices {
		if choice.Value == value {
			return l.say(choice.Label), nil
		}
	}
	return phrase{Text: value}, nil
}
