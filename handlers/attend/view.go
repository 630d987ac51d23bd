package attend

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
	"jauge/feedback/survey"
	"jauge/handlers/page"
)

// surveyView is one page of a survey.
type surveyView struct {
	Title        string      // of the session
	PageTitle    string      // with the number of the page, if there are several
	TitleLang    string      // see page.Phrase
	Wave         page.Phrase // empty: the survey has no waves
	Intro        page.Phrase // said on the first page only
	Advice       page.Phrase // the survey's own notice, likewise
	Minutes      int
	MinimumGroup int
	Section      page.Phrase
	Number, Of   int
	Questions    []questionView
	Carried      []field // what other pages hold, and the form's own fields
	Mistakes     []mistake
	Notice       string // a message's id: why the answers were not kept
	Action       string // where the form is sent
	Changing     bool

	Code  *codeView // on the first page of a later wave
	Opens string    // when the wave opens, if it has not
	Alone bool      // in a kiosk: answers are not linked here, though they are elsewhere

	Note      string // a message's id: a remark about the form
	Anonymity string // see form.level
	Personal  bool   // the link was given to one person
	Terms     string // the address of the privacy notice
	Draft     string // the address that resumes the form; empty: nothing is kept yet
	Days      int    // how long a draft is kept; 0: none is
	Restart   string // in a kiosk, the address of a new form
}

// mistake is a line of the summary; Target is the input to go to, empty for a question that is not asked.
type mistake struct {
	Target string
	Label  page.Phrase
	Text   string
}

// Mistaken says whether the page reports mistakes.
func (v surveyView) Mistaken() bool { return len(v.Mistakes) > 0 || v.Notice != "" }

// layout writes the pages of forms.
type layout struct {
	pages  *page.Pages
	public *url.URL
	now    func() time.Time
}

// remarks are what a form's page says about it; the texts are ids of messages.
type remarks struct {
	mistakes survey.FieldErrors
	note     string // about the form
	notice   string // why the answers were not kept
}

// render writes the page that the form is at.
func (y layout) render(c *gin.Context, status int, f form, r remarks) error {
	v, err := y.survey(c, f, r.mistakes)
	if err != nil {
		return err
	}
	v.Note, v.Notice = r.note, r.notice
	return y.pages.RenderTitled(c, status, "survey", v.PageTitle, v)
}

// survey lays out the page that the form is at.
func (y layout) survey(c *gin.Context, f form, mistakes survey.FieldErrors) (surveyView, error) {
	l := y.pages.Lang(c)
	pages, at := f.pages(), f.page()
	title := l.Say(f.Session.Title)
	v := surveyView{
		Title: title.Text, TitleLang: title.Lang, Wave: page.Wave(l, f.Survey, f.wave), Minutes: f.survey.Minutes, MinimumGroup: f.Promise.MinimumGroup,
		Section: l.Say(pages[at].Title), Number: at + 1, Of: len(pages), Changing: f.receipt != "",
		Action: "/feedback/" + f.Session.ID, Carried: f.carried(pages[at], page.Chosen(c.Request)),
	}
	v.PageTitle = v.Title
	if v.Of > 1 {
		var err error
		if v.PageTitle, err = l.T("survey.page_title", "Title", v.Title, "Number", v.Number, "Of", v.Of); err != nil {
			return v, err
		}
	}
	if f.receipt != "" {
		v.Action = answerPath(f.Session.ID, f.receipt)
	}
	y.explain(c, f, &v)
	if at == 0 {
		if err := y.welcome(l, f, &v, len(mistakes) == 0 && f.wrong == ""); err != nil {
			return v, err
		}
	}
	before := len(v.Mistakes)
	for _, q := range pages[at].Questions {
		question, err := questionOf(l, q, f.said, mistakes)
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

// welcome fills in what the first page shows before the questions.
func (y layout) welcome(l *page.Lang, f form, v *surveyView, words bool) (err error) {
	if words {
		v.Intro, v.Advice = l.Say(f.survey.Intro), l.Say(f.survey.Notice)
	}
	if v.Opens, err = y.opens(l, f.asked, f.wave); err != nil {
		return err
	}
	if v.Code, err = codeField(l, f); err != nil || v.Code == nil || v.Code.Mistake == "" {
		return err
	}
	label, err := l.T("wave.code")
	v.Mistakes = append(v.Mistakes, mistake{Target: codeTarget, Label: page.Phrase{Text: label}, Text: v.Code.Mistake})
	return err
}

// explain fills in what a page of a new form tells about anonymity and drafts.
func (y layout) explain(c *gin.Context, f form, v *surveyView) {
	v.Anonymity, v.Personal = f.level(), f.said.Get("invite") != ""
	v.Alone = f.kiosk() && f.Promise.Linked
	v.Terms = page.WithQuery("/feedback/"+f.Session.ID+"/notice", f.opened())
	lang := page.Chosen(c.Request)
	switch {
	case f.receipt != "":
	case f.kiosk():
		v.Restart = f.address(lang, "")
	case v.Of > 1 && f.said.Get("resume") != "":
		v.Days = draftDays
		if f.kept {
			v.Draft = y.public.String() + f.address(lang, "")
		}
	}
}

// draftDays is how long a draft is kept, as pages say it.
const draftDays = int(feedback.DraftFor / (24 * time.Hour))

// opens says when a wave opens, in words; empty: it is open, or the time is not known.
func (y layout) opens(l *page.Lang, a asked, wave string) (string, error) {
	i := slices.IndexFunc(a.Survey.Waves, func(w survey.Wave) bool { return w.ID == wave })
	if i < 1 {
		return "", nil
	}
	at, known := a.Survey.Waves[i].OpensAt(a.Session.StartsAt, a.Session.EndsAt)
	if !known || !at.After(y.now()) {
		return "", nil
	}
	at = at.In(a.Session.StartsAt.Location())
	return l.T("wave.when", "Date", l.Date(at), "Time", l.Clock(at), "Zone", l.Zone(at))
}

// sentView is the page at a draft's address once the form is sent.
type sentView struct {
	Title, Action string
	Words         bool // what opens the answers is three words
}

func (y layout) wasSent(c *gin.Context, f form) error {
	title := f.Session.Title.In(y.pages.Lang(c).Tag)
	v := sentView{Title: title, Action: "/feedback/" + f.Session.ID, Words: f.Promise.Linked}
	return y.pages.RenderTitled(c, http.StatusOK, "sent", title, v)
}
