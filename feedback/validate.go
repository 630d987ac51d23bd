package feedback

import (
	"fmt"
	"slices"

	"jauge/internal/problem"
	"jauge/internal/text"
)

// The bounds of a definition.
const (
	maxScale      = 10
	minOffered    = 2
	maxOffered    = 20
	maxTextLength = 2000
)

// Validate returns every mistake of the definition, in reading order; none: it can be asked.
func (s *Survey) Validate() problem.Problems {
	v := validator{}
	v.id("id", s.ID)
	v.text("title", s.Title, true)
	v.text("intro", s.Intro, false)
	if s.Minutes < 0 {
		v.add("minutes", "negative")
	}
	switch {
	case len(s.Questions) > 0 && len(s.Sections) > 0:
		v.add("sections", "not together with questions")
	case len(s.Questions) == 0 && len(s.Sections) == 0:
		v.add("questions", "missing")
	case len(s.Questions) > 0:
		v.questions("questions", 0, s.Questions)
	default:
		v.sections(s)
	}
	v.pairs()
	return v.problems
}

// validator collects the problems of one survey, and where each question stands.
type validator struct {
	problems problem.Problems
	places   []place
}

type place struct {
	Question
	path string
	page int
}

func (v *validator) add(path, format string, args ...any) {
	v.problems = append(v.problems, problem.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (v *validator) id(path, id string) {
	if id == "" {
		v.add(path, "missing")
		return
	}
	if !ids.MatchString(id) {
		v.add(path, "%q is not 1 to 64 of a-z, 0-9, _ and -", id)
	}
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

func (v *validator) sections(s *Survey) {
	seen := map[string]bool{}
	for i, page := range s.Pages() {
		path := fmt.Sprintf("sections[%d]", i)
		v.id(path+".id", page.ID)
		if seen[page.ID] {
			v.add(path+".id", "duplicate")
		}
		seen[page.ID] = true
		v.text(path+".title", page.Title, false)
		if len(page.Questions) == 0 {
			v.add(path+".questions", "missing")
		}
		v.questions(path+".questions", i, page.Questions)
	}
}

func (v *validator) questions(path string, page int, questions []Question) {
	for i, q := range questions {
		at := fmt.Sprintf("%s[%d]", path, i)
		v.id(at+".id", q.ID)
		if q.ID != "" && v.place(q.ID) != nil {
			v.add(at+".id", "duplicate")
		}
		v.places = append(v.places, place{Question: q, path: at, page: page})
		v.text(at+".label", q.Label, true)
		v.text(at+".help", q.Help, false)
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
	kinds := []Kind{Scale, NPS, Single, Multiple, YesNo, FreeText}
	if !slices.Contains(kinds, q.Kind) {
		v.add(at+".kind", "%q is none of %q", q.Kind, kinds)
		return
	}
	v.only(at+".min", q.Min != 0, q, Scale)
	v.only(at+".max", q.Max != 0, q, Scale)
	v.only(at+".low", q.Low != nil, q, Scale, NPS)
	v.only(at+".high", q.High != nil, q, Scale, NPS)
	v.only(at+".choices", q.Choices != nil, q, Single, Multiple)
	v.only(at+".max_choices", q.MaxChoices != 0, q, Multiple)
	v.only(at+".max_length", q.MaxLength != 0, q, FreeText)
	v.only(at+".pair", q.Pair != "", q, Scale, NPS, YesNo)
	v.text(at+".low", q.Low, false)
	v.text(at+".high", q.High, false)
	switch q.Kind {
	case Scale:
		v.scale(at, q)
	case Single, Multiple:
		v.choices(at, q)
	case FreeText:
		if q.MaxLength < 0 || q.MaxLength > maxTextLength {
			v.add(at+".max_length", "%d is not between 1 and %d", q.MaxLength, maxTextLength)
		}
	}
}

// only refuses a field that the question's kind has no use for: it would be ignored, and somebody meant it.
func (v *validator) only(path string, set bool, q Question, kinds ...Kind) {
	if set && !slices.Contains(kinds, q.Kind) {
		v.add(path, "not for kind %s", q.Kind)
	}
}

func (v *validator) scale(at string, q Question) {
	if q.Min < 0 {
		v.add(at+".min", "%d is below 0", q.Min)
	}
	if q.Max > maxScale {
		v.add(at+".max", "%d is above %d", q.Max, maxScale)
	}
	if q.Max <= q.Min {
		v.add(at+".max", "%d is not above min %d", q.Max, q.Min)
	}
}

func (v *validator) choices(at string, q Question) {
	if n := len(q.Choices); n < minOffered || n > maxOffered {
		v.add(at+".choices", "%d of them, not %d to %d", n, minOffered, maxOffered)
	}
	if q.MaxChoices < 0 || q.MaxChoices > len(q.Choices) {
		v.add(at+".max_choices", "%d is not between 1 and %d", q.MaxChoices, len(q.Choices))
	}
	seen := map[string]bool{}
	for i, c := range q.Choices {
		path := fmt.Sprintf("%s.choices[%d]", at, i)
		v.id(path+".value", c.Value)
		if c.Value != "" && seen[c.Value] {
			v.add(path+".value", "duplicate")
		}
		seen[c.Value] = true
		v.text(path+".label", c.Label, true)
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
		case before.shape() != now.shape():
			v.add(path, "%q is not of the same kind and range", now.Pair)
		case before.page == now.page:
			v.add(path, "%q is in the same section", now.Pair)
		case named[now.Pair]:
			v.add(path, "%q is paired already", now.Pair)
		}
		named[now.Pair] = true
	}
}
