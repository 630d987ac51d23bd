package survey

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Value is the answer to one item: the picked values as Question.Values lists them (scale, nps and number "4", yesno "yes",
// choices any number of them in the survey's order, ranking the best first), or one text.
type Value []string

// Has tells whether a value was picked: what a form needs to check its boxes.
func (v Value) Has(pick string) bool { return slices.Contains(v, pick) }

// String is the only value, "" when there is none: what a form needs to fill a text in.
func (v Value) String() string { return strings.Join(v, ", ") }

// Answers holds a value for each item that was answered, by its id.
type Answers map[string]Value

// Form returns answers as form fields (see Question.Fields), so that they can be changed. What the survey does not ask, or
// does not take any more, is left out.
func (s *Survey) Form(a Answers) url.Values {
	form := url.Values{}
	for _, q := range s.All() {
		v, err := q.Read(a[q.ID])
		if err != nil || len(v) == 0 {
			continue
		}
		maps.Copy(form, q.kind().toForm(q, v))
	}
	return form
}

// JSON returns answers as a program would send them: numbers as numbers, several choices and rankings as a list.
func (s *Survey) JSON(a Answers) map[string]any {
	values := make(map[string]any, len(a))
	for id, v := range a {
		q, _ := s.Question(id)
		values[id] = q.kind().toJSON(v)
	}
	return values
}

// Code says what is wrong with an answer; pages turn it into a sentence.
type Code string

// What can be wrong with an answer, with the parameters of FieldError that go with it.
const (
	Required Code = "required"  // it must be answered
	NotAsked Code = "not_asked" // it is not shown to who gives the other answers
	Unknown  Code = "unknown"   // the survey has no such question
	Type     Code = "type"      // Want: what it has to be
	Range    Code = "range"     // Min, Max: not a whole number between them
	NoChoice Code = "choice"    // not one of the choices
	Repeated Code = "repeated"  // the same choice twice, or two answers where one is asked
	TooMany  Code = "too_many"  // Max: more choices than that
	Tied     Code = "tied"      // one rank for two choices
	Gap      Code = "gap"       // a rank is left out
	TooLong  Code = "too_long"  // Max: more characters than that
	Lines    Code = "lines"     // more lines than one
	Unclean  Code = "unclean"   // not valid UTF-8, or control characters
)

// FieldError is what is wrong with the answer to one question. It never holds what was answered.
type FieldError struct {
	Code     Code
	Min, Max int    // Range, TooMany, TooLong
	Want     string // Type: "a number, not a string" and the like, in English
}

// Error is an English sentence without a full stop.
func (e FieldError) Error() string {
	switch e.Code {
	case Required:
		return "must be answered"
	case NotAsked:
		return "is not asked, given the other answers"
	case Unknown:
		return "is not a question of this survey"
	case Type:
		return "must be " + e.Want
	case Range:
		return fmt.Sprintf("must be a whole number from %d to %d", e.Min, e.Max)
	case NoChoice:
		return "is not one of the choices"
	case Repeated:
		return "is answered twice"
	case TooMany:
		return fmt.Sprintf("has more than %d choices", e.Max)
	case Tied:
		return "gives one rank to two choices"
	case Gap:
		return "leaves a rank out: they follow one another from 1"
	case Lines:
		return "has more than one line"
	case TooLong:
		return fmt.Sprintf("is longer than %d characters", e.Max)
	}
	return "has characters that are not text"
}

// FieldErrors holds what is wrong, by item id.
type FieldErrors map[string]FieldError

// Unnamed is the key of FieldErrors for unknown questions whose name is no id: such a name is not repeated.
const Unnamed = "?"

// Error is one line over all questions, sorted by id.
func (e FieldErrors) Error() string {
	lines := make([]string, 0, len(e))
	for _, id := range slices.Sorted(maps.Keys(e)) {
		lines = append(lines, id+" "+e[id].Error())
	}
	return strings.Join(lines, "; ")
}

// Reasons returns the English sentences by question id, as JSON carries them.
func (e FieldErrors) Reasons() map[string]string {
	reasons := make(map[string]string, len(e))
	for id, err := range e {
		reasons[id] = err.Error()
	}
	return reasons
}

// unknown notes a question that the survey does not have, by its name if that is harmless to repeat.
func (e FieldErrors) unknown(name string) {
	if !Items.MatchString(name) {
		name = Unnamed
	}
	e[name] = FieldError{Code: Unknown}
}

// answer checks what was said to each item and keeps what is valid. The two parsers differ in raw, which turns what was
// sent to an item into strings, and in what they make of an answer to an item that is not shown, which comes back in
// hidden. Nothing is required of these, and their mistakes do not count.
func (s *Survey) answer(raw func(Question) ([]string, *FieldError), errs FieldErrors) (answers Answers, hidden []string) {
	read, wrong := Answers{}, FieldErrors{}
	var asked []Question
	for _, q := range s.All() {
		said, err := raw(q)
		var v Value
		if err == nil {
			v, err = q.Read(said)
		}
		if err != nil {
			wrong[q.ID] = *err
		} else if len(v) > 0 {
			read[q.ID] = v
		}
	}
	for _, page := range s.Shown(read) {
		asked = append(asked, page.Items()...)
	}
	answers = Answers{}
	for _, q := range asked {
		err, isWrong := wrong[q.ID]
		v, said := read[q.ID]
		switch {
		case isWrong:
			errs[q.ID] = err
		case said:
			answers[q.ID] = v
		case q.Required:
			errs[q.ID] = FieldError{Code: Required}
		}
		delete(wrong, q.ID)
		delete(read, q.ID)
	}
	return answers, slices.Concat(slices.Collect(maps.Keys(wrong)), slices.Collect(maps.Keys(read)))
}

// Read checks what was said to an item. Empty strings are no answer.
func (q Question) Read(said []string) (Value, *FieldError) {
	said = slices.DeleteFunc(slices.Clone(said), func(s string) bool { return s == "" })
	switch {
	case len(said) > 1 && !q.Several():
		return nil, &FieldError{Code: Repeated}
	case len(said) == 0:
		return nil, nil
	}
	return q.kind().read(q, said)
}
