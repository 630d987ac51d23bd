package feedback

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"

	"jauge/internal/text"
)

// Survey is what a session asks of its attendees. It has either Questions (one page) or Sections (a page each).
// It decodes from YAML and JSON by its tags; call Validate before anything else.
type Survey struct {
	ID        string     `yaml:"id" json:"id"`
	Title     text.Text  `yaml:"title" json:"title"`
	Intro     text.Text  `yaml:"intro,omitempty" json:"intro,omitempty"`
	Minutes   int        `yaml:"minutes,omitempty" json:"minutes,omitempty"` // how long it takes; 0: not said
	Questions []Question `yaml:"questions,omitempty" json:"questions,omitempty"`
	Sections  []Section  `yaml:"sections,omitempty" json:"sections,omitempty"`
}

// Section is one page of a survey.
type Section struct {
	ID        string     `yaml:"id,omitempty" json:"id,omitempty"` // empty: its number, from "1"; Pages fills it in
	Title     text.Text  `yaml:"title,omitempty" json:"title,omitempty"`
	Questions []Question `yaml:"questions" json:"questions"`
}

// Question is one question of a survey; which fields apply depends on Kind.
type Question struct {
	ID       string    `yaml:"id" json:"id"`
	Kind     Kind      `yaml:"kind" json:"kind"`
	Label    text.Text `yaml:"label" json:"label"`
	Help     text.Text `yaml:"help,omitempty" json:"help,omitempty"`
	Required bool      `yaml:"required,omitempty" json:"required,omitempty"`

	Min  int       `yaml:"min,omitempty" json:"min,omitempty"` // scale
	Max  int       `yaml:"max,omitempty" json:"max,omitempty"` // scale
	Low  text.Text `yaml:"low,omitempty" json:"low,omitempty"` // scale, nps: the lowest value in words
	High text.Text `yaml:"high,omitempty" json:"high,omitempty"`

	Choices    []Choice `yaml:"choices,omitempty" json:"choices,omitempty"`         // choice, choices
	MaxChoices int      `yaml:"max_choices,omitempty" json:"max_choices,omitempty"` // choices; 0: any number

	MaxLength int `yaml:"max_length,omitempty" json:"max_length,omitempty"` // text, in characters; 0: DefaultMaxLength

	Pair string `yaml:"pair,omitempty" json:"pair,omitempty"` // on the "now" question: the id of its "before" question
}

// Choice is one of the answers offered by a choice or choices question.
type Choice struct {
	Value string    `yaml:"value" json:"value"`
	Label text.Text `yaml:"label" json:"label"`
}

// DefaultMaxLength is how many characters a text answer may have when the question does not say.
const DefaultMaxLength = 500

// Pages returns the survey's sections with their ids filled in: one section for a survey that has plain questions.
func (s *Survey) Pages() []Section {
	if len(s.Sections) == 0 {
		return []Section{{ID: "1", Questions: s.Questions}}
	}
	pages := slices.Clone(s.Sections)
	for i := range pages {
		if pages[i].ID == "" {
			pages[i].ID = strconv.Itoa(i + 1)
		}
	}
	return pages
}

// Page returns the section with this id.
func (s *Survey) Page(id string) (Section, bool) {
	pages := s.Pages()
	i := slices.IndexFunc(pages, func(p Section) bool { return p.ID == id })
	if i < 0 {
		return Section{}, false
	}
	return pages[i], true
}

// All returns every question, in order.
func (s *Survey) All() []Question {
	var all []Question
	for _, p := range s.Pages() {
		all = append(all, p.Questions...)
	}
	return all
}

// Question returns the question with this id.
func (s *Survey) Question(id string) (Question, bool) {
	for _, p := range s.Pages() {
		for _, q := range p.Questions {
			if q.ID == id {
				return q, true
			}
		}
	}
	return Question{}, false
}

// For returns the survey as a session may ask it: minors are asked no text questions.
func (s *Survey) For(minors bool) *Survey {
	if !minors {
		return s
	}
	isText := func(q Question) bool { return q.Kind == FreeText }
	asked := *s
	asked.Questions = slices.DeleteFunc(slices.Clone(s.Questions), isText)
	asked.Sections = nil
	if len(s.Sections) == 0 {
		return &asked
	}
	for _, page := range s.Pages() {
		page.Questions = slices.DeleteFunc(slices.Clone(page.Questions), isText)
		if len(page.Questions) > 0 {
			asked.Sections = append(asked.Sections, page)
		}
	}
	return &asked
}

// Version names what is asked: 8 hexadecimal digits of a hash over the ids, kinds, ranges, choices, limits, pairs and pages.
// Texts are left out, so that correcting a wording or adding a translation keeps the version.
func (s *Survey) Version() string {
	h := sha256.New()
	for i, p := range s.Pages() {
		for _, q := range p.Questions {
			fmt.Fprintf(h, "%d %q %q %t %d %d %q %d %d %q\n",
				i, q.ID, q.Kind, q.Required, q.Min, q.Max, q.Values(), q.MaxChoices, q.Limit(), q.Pair)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:4])
}

// Field is the name of the question's input in an HTML form ("q." and the id), apart from the form's own fields.
func (q Question) Field() string { return fieldPrefix + q.ID }

const fieldPrefix = "q."

// Values lists every value that can be picked, in order: the numbers of a scale or nps, the choices, no and yes. Nil for a text.
func (q Question) Values() []string {
	switch q.Kind {
	case Scale, NPS:
		low, high := q.bounds()
		values := make([]string, 0, high-low+1)
		for n := low; n <= high; n++ {
			values = append(values, strconv.Itoa(n))
		}
		return values
	case YesNo:
		return []string{No, Yes}
	case Single, Multiple:
		values := make([]string, len(q.Choices))
		for i, c := range q.Choices {
			values[i] = c.Value
		}
		return values
	}
	return nil
}

// bounds are the ends of a scale or nps.
func (q Question) bounds() (low, high int) {
	if q.Kind == NPS {
		return 0, 10
	}
	return q.Min, q.Max
}

// shape tells apart questions whose answers cannot be added up: answers given before a scale was changed from five
// points to ten stay out of the figures of the new one.
func (q Question) shape() string {
	if q.Kind == Scale {
		return fmt.Sprintf("scale%d-%d", q.Min, q.Max)
	}
	return string(q.Kind)
}

// Limit is the greatest length of a text answer, in characters.
func (q Question) Limit() int {
	if q.MaxLength == 0 {
		return DefaultMaxLength
	}
	return q.MaxLength
}
