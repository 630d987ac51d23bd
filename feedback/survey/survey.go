// Package survey is the questionnaire: what is asked, and what is a valid answer to it. It is pure: it knows no store, no clock and no HTTP.
//
// The story in files: survey.go (a survey, its sections and questions) and layout.go (what is worked out of it once), kinds.go (what the
// kinds of questions have of their own, and what they share) with a file for each (scale.go, nps.go, choice.go, choices.go, ranking.go,
// matrix.go, yesno.go, number.go, short.go, text.go and consent.go; whole.go and offered.go are what some of them share), waves.go (a survey
// that is asked several times), validate.go (the mistakes of a definition) and bank.go (ready surveys); answers.go and parse.go (what people
// say, and what is wrong with it), foreign.go and vocabulary.go (the same in the words of form tools), counted.go (the values that an answer counts as).
package survey

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
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
	Notice    text.Text  `yaml:"notice,omitempty" json:"notice,omitempty"`       // what people should know before they answer
	Source    string     `yaml:"source,omitempty" json:"source,omitempty"`       // one line: where the instrument comes from
	Minutes   int        `yaml:"minutes,omitempty" json:"minutes,omitempty"`     // how long it takes; 0: not said
	Anonymity string     `yaml:"anonymity,omitempty" json:"anonymity,omitempty"` // see Linked
	Waves     []Wave     `yaml:"waves,omitempty" json:"waves,omitempty"`         // the times it is asked; none: once
	Questions []Question `yaml:"questions,omitempty" json:"questions,omitempty"`
	Sections  []Section  `yaml:"sections,omitempty" json:"sections,omitempty"`

	layout *layout // nil: it may still change, see Laid
}

// Section is one page of a survey.
type Section struct {
	ID        string     `yaml:"id,omitempty" json:"id,omitempty"` // empty: its number, from "1"; Pages fills it in
	Title     text.Text  `yaml:"title,omitempty" json:"title,omitempty"`
	ShowIf    *Condition `yaml:"show_if,omitempty" json:"show_if,omitempty"` // nil: always
	Waves     []string   `yaml:"waves,omitempty" json:"waves,omitempty"`     // asked in these only; empty: in all
	Questions []Question `yaml:"questions" json:"questions"`
}

// Question is one question of a survey; which fields apply depends on Kind.
type Question struct {
	ID       string     `yaml:"id" json:"id"`
	Kind     Kind       `yaml:"kind" json:"kind"`
	Label    text.Text  `yaml:"label" json:"label"`
	Help     text.Text  `yaml:"help,omitempty" json:"help,omitempty"`
	Required bool       `yaml:"required,omitempty" json:"required,omitempty"` // if it is shown
	ShowIf   *Condition `yaml:"show_if,omitempty" json:"show_if,omitempty"`   // nil: always
	Waves    []string   `yaml:"waves,omitempty" json:"waves,omitempty"`       // asked in these only; empty: in all of its section

	Min  int       `yaml:"min,omitempty" json:"min,omitempty"` // scale, matrix, number
	Max  int       `yaml:"max,omitempty" json:"max,omitempty"` // scale, matrix, number
	Low  text.Text `yaml:"low,omitempty" json:"low,omitempty"` // scale, nps, matrix: the lowest value in words
	High text.Text `yaml:"high,omitempty" json:"high,omitempty"`
	Unit text.Text `yaml:"unit,omitempty" json:"unit,omitempty"` // number

	Rows       []Line   `yaml:"rows,omitempty" json:"rows,omitempty"`               // matrix
	Choices    []Choice `yaml:"choices,omitempty" json:"choices,omitempty"`         // choice, choices, ranking, matrix
	MaxChoices int      `yaml:"max_choices,omitempty" json:"max_choices,omitempty"` // choices; 0: any number

	MaxLength int `yaml:"max_length,omitempty" json:"max_length,omitempty"` // short, text, in characters; 0: see Limit

	Pair string `yaml:"pair,omitempty" json:"pair,omitempty"` // on the "now" question: the id of its "before" question
	Stay bool   `yaml:"stay,omitempty" json:"stay,omitempty"` // yesno: the answer tells who stayed to the end, see Row.Stay

	Of text.Text `yaml:"-" json:"-"` // on a row of a matrix, laid out: the label of the matrix
}

// Choice is one of the answers offered by a choice, choices or ranking question, or a column of a matrix.
type Choice struct {
	Value string    `yaml:"value" json:"value"`
	Label text.Text `yaml:"label" json:"label"`
}

// Line is a row of a matrix.
type Line struct {
	ID    string    `yaml:"id" json:"id"`
	Label text.Text `yaml:"label" json:"label"`
}

// Condition is what has to be answered for a section or a question to be shown. A question that is itself not shown has
// no answer.
type Condition struct {
	Question string   `yaml:"question" json:"question"` // of an earlier section; a row of a matrix as "matrix.row"
	Is       []string `yaml:"is" json:"is"`             // any of these values
}

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

// All returns every item of every wave, in order: the rows of a matrix in its place, ids as In has them.
func (s *Survey) All() []Question {
	if s.layout != nil {
		return s.layout.all
	}
	var all []Question
	for _, wave := range s.WaveIDs() {
		for _, p := range s.In(wave).Pages() {
			all = append(all, p.Items()...)
		}
	}
	return all
}

// Conditions lists the items that each item's being asked depends on.
func (s *Survey) Conditions() map[string][]string {
	if s.layout != nil {
		return s.layout.conditions
	}
	on := map[string][]string{}
	for _, wave := range s.WaveIDs() {
		for _, p := range s.In(wave).Pages() {
			for _, q := range p.Items() {
				for _, c := range []*Condition{p.ShowIf, q.ShowIf} {
					if c != nil {
						on[q.ID] = append(on[q.ID], c.Question)
					}
				}
			}
		}
	}
	return on
}

// Question returns the item with this id.
func (s *Survey) Question(id string) (Question, bool) {
	if s.layout != nil {
		i, ok := s.layout.at[id]
		if !ok {
			return Question{}, false
		}
		return s.layout.all[i], true
	}
	all := s.All()
	i := slices.IndexFunc(all, func(q Question) bool { return q.ID == id })
	if i < 0 {
		return Question{}, false
	}
	return all[i], true
}

// Items returns the items of a section's questions, in order.
func (p Section) Items() []Question {
	all := make([]Question, 0, len(p.Questions))
	for _, q := range p.Questions {
		if !q.kind().traits().rows {
			all = append(all, q)
		} else {
			all = append(all, q.Items()...)
		}
	}
	return all
}

// Items returns what is answered one by one: of a matrix its rows, each a scale or a choice whose id is "matrix.row"; of
// any other kind the question itself. Answers, results and exports know items only.
func (q Question) Items() []Question { return q.kind().items(q) }

// Shown returns the sections, with the questions in each, that a person with these answers is asked. A section with
// nothing to show is left out.
func (s *Survey) Shown(answers Answers) []Section {
	var shown []Section
	said := Answers{} // to what is shown
	for _, page := range s.Pages() {
		if !page.ShowIf.holds(said) {
			continue
		}
		page.Questions = slices.DeleteFunc(slices.Clone(page.Questions), func(q Question) bool { return !q.ShowIf.holds(said) })
		if len(page.Questions) == 0 {
			continue
		}
		shown = append(shown, page)
		for _, q := range page.Items() {
			if v, ok := answers[q.ID]; ok {
				said[q.ID] = v
			}
		}
	}
	return shown
}

func (c *Condition) holds(said Answers) bool {
	return c == nil || slices.ContainsFunc(c.Is, said[c.Question].Has)
}

// For returns the survey as a session may ask it: minors are asked no texts.
func (s *Survey) For(minors bool) *Survey {
	if !minors {
		return s
	}
	return s.only(func(_ Section, q Question) bool { return !q.IsText() })
}

// only returns the survey with the questions that are kept, and without the sections that this leaves empty. The others
// keep their ids.
func (s *Survey) only(keep func(Section, Question) bool) *Survey {
	kept := *s
	kept.layout = nil
	kept.Questions, kept.Sections = nil, nil
	for _, page := range s.Pages() {
		page.Questions = slices.DeleteFunc(slices.Clone(page.Questions), func(q Question) bool { return !keep(page, q) })
		switch {
		case len(s.Sections) == 0:
			kept.Questions = page.Questions
		case len(page.Questions) > 0:
			kept.Sections = append(kept.Sections, page)
		}
	}
	return &kept
}

// Version names what is asked: 8 hexadecimal digits of a hash over the waves and the pages: ids, kinds, ranges, choices,
// conditions, pairs, and the words of questions and choices in every language. A question that is changed is another one.
func (s *Survey) Version() string {
	if s.layout != nil {
		return s.layout.version
	}
	b, err := json.Marshal([]any{s.Waves, s.Pages()})
	if err != nil {
		panic(err) // plain structs, maps and strings always encode
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:4])
}

// Definition is the survey as JSON, which decodes to the same survey. Nobody may change it.
func (s *Survey) Definition() json.RawMessage {
	if s.layout != nil {
		return s.layout.definition
	}
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // plain structs, maps and strings always encode
	}
	return b
}

// Field is the name of the question's input in an HTML form ("q." and the id), apart from the form's own fields.
func (q Question) Field() string { return FieldPrefix + q.ID }

// Fields lists the names of all inputs of an item: of a ranking one for each choice, which takes its rank.
func (q Question) Fields() []string { return q.kind().fields(q) }

// FieldPrefix is what the names of all questions' inputs begin with.
const FieldPrefix = "q."

// Values lists every value that can be picked, in order: the numbers of a scale, nps or number, the choices, no and yes,
// yes alone. Nil for a text and for a matrix.
func (q Question) Values() []string { return q.kind().values(q) }

// Ends are the lowest and the highest value of a scale, nps or number.
func (q Question) Ends() (low, high int) { return q.kind().ends(q) }

// Shape tells apart questions whose answers cannot be added up: answers given before a scale was changed from five
// points to ten, or before another choice was offered, stay out of the figures of the new one.
func (q Question) Shape() string { return q.kind().shape(q) }

// IsText says whether people answer a question in their own words.
func (q Question) IsText() bool { return q.kind().traits().length > 0 }

// AsksTexts says whether people answer any question in their own words.
func (s *Survey) AsksTexts() bool { return slices.ContainsFunc(s.All(), Question.IsText) }

// Limit is the greatest length of a text answer, in characters; 0: it is no text.
func (q Question) Limit() int { return cmp.Or(q.MaxLength, q.kind().traits().length) }

// Several says whether an answer may have several values.
func (q Question) Several() bool { return q.kind().traits().several }

// Ordered says whether the values go from low to high: two answers tell what went up or down.
func (q Question) Ordered() bool { return q.kind().traits().ordered }

// Ranked says whether an answer puts its values in an order of preference.
func (q Question) Ranked() bool { return q.kind().traits().ranked }

// Asks says whether an item stands in the section.
func (p Section) Asks(item string) bool {
	return slices.ContainsFunc(p.Items(), func(q Question) bool { return q.ID == item })
}

// Has says whether a form's field is one of a question of the section.
func (p Section) Has(field string) bool {
	return slices.ContainsFunc(p.Items(), func(q Question) bool { return slices.Contains(q.Fields(), field) })
}

// Has says whether a form's field is one of a question of the survey.
func (s *Survey) Has(field string) bool {
	return slices.ContainsFunc(s.Pages(), func(p Section) bool { return p.Has(field) })
}

// The levels of anonymity: of Survey.Anonymity, of a promise as the store keeps it, and of the messages that tell it.
const (
	Anonymous = "anonymous" // no two answers are kept together
	Linked    = "linked"    // those of one person in several waves are
)

var (
	// Ids are what questions, choice values, surveys, sections, waves and segments are called: short, and safe in keys,
	// labels and addresses.
	Ids = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

	// Items are what the questions of a survey are called once it is laid out: "question", "matrix.row", either "@wave".
	Items = regexp.MustCompile(`^[a-z0-9_-]{1,64}(\.[a-z0-9_-]{1,64})?(@[a-z0-9_-]{1,64})?$`)
)
