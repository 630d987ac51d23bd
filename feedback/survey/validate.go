package survey

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"jauge/internal/problem"
	"jauge/internal/text"
)

// The bounds of a definition; those of a kind stand with it.
const (
	minWaves = 2
	maxWaves = 10
)

// Validate returns every mistake of the definition, in reading order, those between questions last; none: it can be asked.
func (s *Survey) Validate() problem.Problems {
	v := validator{survey: s}
	v.id("id", s.ID)
	v.text("title", s.Title, true)
	v.text("intro", s.Intro, false)
	v.text("notice", s.Notice, false)
	if strings.ContainsFunc(s.Source, unicode.IsControl) {
		v.add("source", "more than one line")
	}
	if s.Minutes < 0 {
		v.add("minutes", "negative")
	}
	v.waves()
	switch {
	case len(s.Questions) > 0 && len(s.Sections) > 0:
		v.add("sections", "not together with questions")
	case len(s.Questions) == 0 && len(s.Sections) == 0:
		v.add("questions", "missing")
	case len(s.Questions) > 0:
		v.questions("questions", 0, s.Pages()[0])
	default:
		v.sections()
	}
	v.pairs()
	v.conditions()
	v.stays()
	v.silentWaves()
	return v.problems
}

// validator collects the problems of one survey, and where each question stands.
type validator struct {
	survey   *Survey
	problems problem.Problems
	places   []place
}

// place is where a question stands.
type place struct {
	Question
	path  string
	page  int
	waves []string // that ask it
}

func (v *validator) add(path, format string, args ...any) {
	v.problems = append(v.problems, problem.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (v *validator) id(path, id string) {
	if id == "" {
		v.add(path, "missing")
		return
	}
	if !Ids.MatchString(id) {
		v.add(path, "%q is not 1 to 64 of a-z, 0-9, _ and -", id)
	}
}

// unique refuses an id that is there already.
func (v *validator) unique(path, id string, seen map[string]bool) {
	v.id(path, id)
	if id != "" && seen[id] {
		v.add(path, "duplicate")
	}
	seen[id] = true
}

func (v *validator) text(path string, t text.Text, required bool) {
	if required && len(t.Langs()) == 0 {
		v.add(path, "missing (fr, en or both)")
		return
	}
	for _, lang := range t.Langs() {
		if !slices.Contains(text.Fallbacks, lang) {
			v.add(path, "language %q is none of %q", lang, text.Fallbacks)
		}
	}
}

func (v *validator) waves() {
	s := v.survey
	switch levels := []string{Anonymous, Linked}; {
	case s.Anonymity != "" && !slices.Contains(levels, s.Anonymity):
		v.add("anonymity", "%q is none of %q", s.Anonymity, levels)
	case s.Anonymity == Linked && len(s.Waves) == 0:
		v.add("anonymity", "there are no waves to link")
	}
	if n := len(s.Waves); n > 0 && n < minWaves || n > maxWaves {
		v.add("waves", "%d of them, not %d to %d", n, minWaves, maxWaves)
	}
	seen := map[string]bool{}
	for i, w := range s.Waves {
		at := fmt.Sprintf("waves[%d]", i)
		v.unique(at+".id", w.ID, seen)
		v.text(at+".title", w.Title, true)
		_, ok := w.OpensAt(time.Unix(0, 0), time.Unix(0, 0))
		switch {
		case i == 0 && w.Opens != "":
			v.add(at+".opens", "not for the first wave, which is open from the beginning")
		case i > 0 && w.Opens == "":
			v.add(at+".opens", "missing")
		case i > 0 && !ok:
			v.add(at+".opens", `%q is not like "start", "end", "start-48h" or "end+336h"`, w.Opens)
		}
	}
}

// askedIn checks in which waves a section or a question says that it is asked.
func (v *validator) askedIn(path string, waves []string) {
	seen := map[string]bool{}
	for i, wave := range waves {
		at := fmt.Sprintf("%s[%d]", path, i)
		if !slices.ContainsFunc(v.survey.Waves, func(w Wave) bool { return w.ID == wave }) {
			v.add(at, "no wave %q", wave)
		} else if seen[wave] {
			v.add(at, "duplicate")
		}
		seen[wave] = true
	}
}

// silentWaves refuses a wave that asks nothing.
func (v *validator) silentWaves() {
	for i, w := range v.survey.Waves {
		if len(v.places) > 0 && !slices.ContainsFunc(v.places, func(p place) bool { return slices.Contains(p.waves, w.ID) }) {
			v.add(fmt.Sprintf("waves[%d]", i), "asks nothing")
		}
	}
}

func (v *validator) sections() {
	seen := map[string]bool{}
	for i, page := range v.survey.Pages() {
		path := fmt.Sprintf("sections[%d]", i)
		v.unique(path+".id", page.ID, seen)
		v.text(path+".title", page.Title, false)
		v.askedIn(path+".waves", page.Waves)
		if len(page.Questions) == 0 {
			v.add(path+".questions", "missing")
		}
		v.questions(path+".questions", i, page)
	}
}

func (v *validator) questions(path string, number int, page Section) {
	for i, q := range page.Questions {
		at := fmt.Sprintf("%s[%d]", path, i)
		v.id(at+".id", q.ID)
		if q.ID != "" && v.place(q.ID) != nil {
			v.add(at+".id", "duplicate")
		}
		v.text(at+".label", q.Label, true)
		v.text(at+".help", q.Help, false)
		problems := len(v.problems)
		v.askedIn(at+".waves", q.Waves)
		in := v.survey.askedIn(page, q)
		if len(in) == 0 && len(v.problems) == problems && len(v.survey.Waves) > 0 && len(q.Waves) > 0 {
			v.add(at+".waves", "none of them is one of the section's")
		}
		v.places = append(v.places, place{Question: q, path: at, page: number, waves: in})
		v.kind(at, q)
	}
}

// place returns where the first question with this id stands, nil without one.
func (v *validator) place(id string) *place {
	i := slices.IndexFunc(v.places, func(p place) bool { return p.ID == id })
	if i < 0 {
		return nil
	}
	return &v.places[i]
}

func (v *validator) kind(at string, q Question) {
	if !slices.Contains(Kinds(), q.Kind) {
		v.add(at+".kind", "%q is none of %q", q.Kind, Kinds())
		return
	}
	v.fields(at, q)
	v.text(at+".low", q.Low, false)
	v.text(at+".high", q.High, false)
	v.text(at+".unit", q.Unit, false)
	q.kind().check(v, at, q)
}

// fields refuses those that the question's kind has no use for: they would be ignored, and somebody meant them.
func (v *validator) fields(at string, q Question) {
	for _, field := range []struct {
		name string
		set  bool
	}{
		{"min", q.Min != 0},
		{"max", q.Max != 0},
		{"low", q.Low != nil},
		{"high", q.High != nil},
		{"unit", q.Unit != nil},
		{"rows", q.Rows != nil},
		{"choices", q.Choices != nil},
		{"max_choices", q.MaxChoices != 0},
		{"max_length", q.MaxLength != 0},
		{"pair", q.Pair != ""},
		{"stay", q.Stay},
	} {
		if field.set && !slices.Contains(q.kind().traits().fields, field.name) {
			v.add(at+"."+field.name, "not for kind %s", q.Kind)
		}
	}
}

// pairs checks every "now" question against its "before" question, once all questions are known. On one page the first
// answer would anchor the second.
func (v *validator) pairs() {
	named := map[string]bool{}
	for _, now := range v.places {
		if now.Pair == "" {
			continue
		}
		path, before := now.path+".pair", v.place(now.Pair)
		switch {
		case before == nil:
			v.add(path, "no question %q", now.Pair)
		case before.Shape() != now.Shape():
			v.add(path, "%q is not of the same kind and range", now.Pair)
		case before.page == now.page:
			v.add(path, "%q is in the same section", now.Pair)
		case named[now.Pair]:
			v.add(path, "%q is paired already", now.Pair)
		default:
			v.together(path, before, now.waves)
		}
		named[now.Pair] = true
	}
}

// together refuses a question that is not asked in one of these waves, where another needs it.
func (v *validator) together(path string, q *place, waves []string) {
	for _, wave := range waves {
		if !slices.Contains(q.waves, wave) {
			v.add(path, "%q is not asked in wave %q", q.ID, wave)
		}
	}
}

// conditions checks those of sections and questions, once all questions are known.
func (v *validator) conditions() {
	for i, page := range v.survey.Pages() {
		v.condition(fmt.Sprintf("sections[%d].show_if", i), page.ShowIf, i, v.survey.askedIn(page, Question{}))
	}
	for _, p := range v.places {
		v.condition(p.path+".show_if", p.ShowIf, p.page, p.waves)
	}
}

func (v *validator) condition(path string, c *Condition, page int, waves []string) {
	if c == nil {
		return
	}
	if len(c.Is) == 0 {
		v.add(path+".is", "missing")
	}
	if c.Question == "" {
		v.add(path+".question", "missing")
		return
	}
	q, at := v.item(c.Question)
	switch {
	case at == nil:
		v.add(path+".question", "no question %q", c.Question)
	case q.IsText() || q.Ranked() || q.kind().traits().rows:
		v.add(path+".question", "%q is of kind %s, which has no value to compare", c.Question, q.Kind)
	case at.page >= page:
		v.add(path+".question", "%q is not in an earlier section", c.Question)
	default:
		v.together(path+".question", at, waves)
		values := q.Values()
		for i, value := range c.Is {
			if len(values) > 0 && !slices.Contains(values, value) { // none: its own mistake is told
				v.add(fmt.Sprintf("%s.is[%d]", path, i), "%q is no value of %q", value, c.Question)
			}
		}
	}
}

// item finds a question or a row of a matrix, and where it stands.
func (v *validator) item(id string) (Question, *place) {
	for i, p := range v.places {
		for _, q := range append(p.Items(), p.Question) {
			if q.ID == id {
				return q, &v.places[i]
			}
		}
	}
	return Question{}, nil
}

// stays allows one question to tell who stayed.
func (v *validator) stays() {
	seen := false
	for _, p := range v.places {
		if p.Stay && seen {
			v.add(p.path+".stay", "another question tells it already")
		}
		seen = seen || p.Stay
	}
}
