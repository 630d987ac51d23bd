package attend

import (
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
	"jauge/feedback/survey"
	"jauge/handlers/door"
	"jauge/handlers/page"
)

// form is a survey half-way: all answers so far, as form fields. Every page carries the fields of the others, so that none is lost
// while the store is away.
type form struct {
	asked
	said    url.Values // the fields of all questions, and page and page.Carried
	receipt string     // of the answer being changed; empty: a new one
	kept    bool       // pages are kept as a draft
	seen    []string   // the pages that the draft has shown
	over    bool       // in a kiosk: it was sent, and must not be shown to the next person
	lost    bool       // it was sent, and its answer is not found
	wrong   string     // a message's id: what is wrong with its code
}

// openForm is the form that an address opens.
func openForm(c *gin.Context, a asked) form {
	return form{asked: a, said: page.Only(c.Request.URL.Query(), page.Opening)}
}

// readForm reads a submitted page.
func readForm(c *gin.Context, a asked, now time.Time) (form, error) {
	said, err := door.ReadForm(c)
	if err != nil {
		return form{}, err
	}
	if wave := said.Get("wave"); wave != "" {
		if a, err = a.in(wave, now); err != nil {
			return form{}, err
		}
	}
	f := form{asked: a, said: said}
	if !f.takesCode() {
		said.Del("code")
	}
	return f, nil
}

func (f form) kiosk() bool { return f.said.Get("kiosk") != "" }

// page is the number of the page that the form is at, from 0.
func (f form) page() int {
	return max(0, slices.IndexFunc(f.pages(), func(p survey.Section) bool { return p.ID == f.said.Get("page") }))
}

// sending says whether its last page was sent.
func (f form) sending() bool { return f.page() == len(f.pages())-1 && f.said.Get("do") != "back" }

// with adds the stored fields of the other pages. A page that was sent from the browser's history may carry fewer, or older ones.
func (f form) with(stored url.Values) form {
	here := f.pages()[f.page()]
	f.said = maps.Clone(f.said)
	for field, values := range stored {
		if !here.Has(field) && f.survey.Has(field) {
			f.said[field] = values
		}
	}
	return f
}

// draft is what is kept of the form: the questions' fields, those of this page also when they were left empty, and the pages that were
// shown.
func (f form) draft() feedback.Draft {
	pages, here := f.survey.Pages(), f.pages()[f.page()]
	d := feedback.Draft{Form: url.Values{}, Page: here.ID, Seen: slices.Clone(f.seen)}
	for _, page := range pages {
		shown := page.ID == d.Page || slices.Contains(f.seen, page.ID)
		for field, values := range f.said {
			if page.Has(field) {
				d.Form[field], shown = values, true
			}
		}
		if shown && !slices.Contains(d.Seen, page.ID) {
			d.Seen = append(d.Seen, page.ID)
		}
	}
	for _, q := range here.Items() {
		for _, name := range q.Fields() {
			if _, said := d.Form[name]; !said {
				d.Form[name] = []string{}
			}
		}
	}
	return d
}

// opened is the query that a blank form like this one is opened with.
func (f form) opened() url.Values {
	query := page.Only(f.said, page.Opening)
	if f.wave != "" {
		query.Set("wave", f.wave)
	}
	return query
}

// address is where a form is opened again: its draft, or, in a kiosk, a blank form or the thanks for one that was sent.
func (f form) address(lang, done string) string {
	query := f.opened()
	if lang != "" {
		query.Set("lang", lang)
	}
	if done != "" {
		query.Set(done, "1")
	}
	if !f.kiosk() {
		query.Set("resume", f.said.Get("resume"))
	}
	return "/feedback/" + f.Session.ID + "?" + query.Encode()
}

// at moves the form to its page number i, from 0.
func (f form) at(i int) form {
	f.said = maps.Clone(f.said)
	f.said.Set("page", f.pages()[i].ID)
	return f
}

// pages are those that the survey shows after these answers. There is always one.
func (f form) pages() []survey.Section {
	answers, _ := survey.ParseForm(f.survey, f.said)
	if pages := f.survey.Shown(answers); len(pages) > 0 {
		return pages
	}
	return f.survey.Pages()[:1]
}

// carried lists the hidden fields of a page: those of the other pages, the page's own id, and what names the submission. Answers to
// questions that are not shown now are among them, so that a person who goes back finds them again.
func (f form) carried(at survey.Section, lang string) []field {
	fields := []field{{"page", at.ID}}
	if lang != "" {
		fields = append(fields, field{"lang", lang})
	}
	if f.wave != "" {
		fields = append(fields, field{"wave", f.wave})
	}
	for _, name := range page.Carried {
		if value := f.said.Get(name); value != "" && (name != "code" || f.page() > 0) {
			fields = append(fields, field{name, value})
		}
	}
	here := at.Items()
	for _, q := range f.survey.All() {
		if slices.ContainsFunc(here, func(shown survey.Question) bool { return shown.ID == q.ID }) {
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

// takesCode says whether the form has a field for the receipt of an earlier wave.
func (f form) takesCode() bool {
	return f.Promise.Linked && f.wave != "" && f.wave != f.Survey.Waves[0].ID && !f.kiosk() && f.receipt == ""
}

// level is the level of anonymity that the form promises. Answers from a shared device are not linked.
func (f form) level() string {
	if f.kiosk() {
		return survey.Anonymous
	}
	return f.Promise.Level()
}

// field is a hidden one.
type field struct{ Name, Value string }
