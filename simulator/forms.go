package simulator

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"jauge/feedback/survey"
	"jauge/platforms"
)

// shareAnswering is how many of those who came fill the form in: a round number, not a measurement.
const shareAnswering = 0.6

// playForm lets people fill the form in after the end: all of them where no platform reports attendance.
func (s *stage) playForm() {
	r := chance(s.Seed, "answers", s.session.ID)
	share := shareAnswering
	if s.truth.Unique == nil {
		share = 1
	}
	answered := 0
	for i := range s.Attendees {
		if r.Float64() < share && s.fillIn(r, i) {
			answered++
		}
	}
	s.truth.Answers = &answered
}

// fillIn sends one person's answers, and says whether there are any. Where the platform posts a response as it grows, half of
// it comes first.
func (s *stage) fillIn(r *rand.Rand, person int) bool {
	lang := "fr"
	if r.IntN(12) == 0 {
		lang = "en"
	}
	said := Answers(r, s.Survey, lang)
	a := platforms.Answers{
		Room: s.room, Key: fmt.Sprintf("%s-answers-%d", s.occurrence, person), Lang: lang, Foreign: true, Values: s.words(said, lang),
	}
	if n := len(s.session.Segments); n > 0 {
		a.Segment = s.session.Segments[r.IntN(n)].ID
	}
	after := closing(s.length) + between(r, s.length/60, s.length/4)
	if len(a.Values) == 0 {
		return false
	}
	if questions := s.Survey.All(); s.dialect.Grows {
		half := a
		for _, q := range questions[len(questions)/2:] {
			delete(said, q.ID)
		}
		if half.Partial, half.Values = true, s.words(said, lang); len(half.Values) > 0 {
			s.submit(half, after-between(r, s.length/600, s.length/120), person)
		}
	}
	s.submit(a, after, person)
	return true
}

// submit sends answers. An intruder sends the same under another key: a service that believes it counts a respondent too many.
func (s *stage) submit(a platforms.Answers, after time.Duration, person int) {
	a.At = s.moment(after)
	contentType, body := s.dialect.EncodeAnswers(a)
	s.send(s.delivery(after, person, contentType, body), func(name string) []byte {
		a.Key = s.occurrence + "-" + name
		_, body := s.dialect.EncodeAnswers(a)
		return body
	})
}

// words writes answers as the form tool does: the session's references in place of ids, numbers as JSON has them, choice labels in
// place of values.
func (s *stage) words(said map[string]any, lang string) map[string]any {
	values := map[string]any{}
	for _, q := range s.Survey.All() {
		ref, asked := s.reference(q.ID)
		if value, answered := said[q.ID]; asked && answered {
			values[ref] = s.word(q, value, lang)
		}
	}
	return values
}

// reference is the form's name of a question: the one that the session maps to it, or else its id, unless the session maps that to
// another question.
func (s *stage) reference(question string) (ref string, asked bool) {
	for _, ref := range slices.Sorted(maps.Keys(s.session.Questions)) {
		if s.session.Questions[ref] == question {
			return ref, true
		}
	}
	_, taken := s.session.Questions[question]
	return question, !taken
}

// word is the form tool's way to write one answer.
func (s *stage) word(q survey.Question, value any, lang string) any {
	switch v := value.(type) {
	case int:
		return json.Number(strconv.Itoa(v))
	case bool:
		if s.dialect.SaysBooleans {
			return v
		}
		words := map[string]map[bool]string{"fr": {true: "Oui", false: "Non"}, "en": {true: "Yes", false: "No"}}
		return words[lang][v]
	case []string:
		labels := make([]any, len(v))
		for i, choice := range v {
			labels[i] = choiceLabel(q, choice, lang)
		}
		return labels
	case string:
		return choiceLabel(q, v, lang)
	}
	return value
}

// choiceLabel is what people read for a value; a text is its own.
func choiceLabel(q survey.Question, value, lang string) string {
	i := slices.IndexFunc(q.Choices, func(c survey.Choice) bool { return c.Value == value })
	if i < 0 {
		return value
	}
	return cmp.Or(q.Choices[i].Label.In(lang), value)
}
