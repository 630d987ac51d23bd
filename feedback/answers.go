package feedback

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Value is the answer to one question: the picked values as Question.Values lists them (scale and nps "4", yesno "yes",
// choices any number of them in the survey's order), or one text.
type Value []string

// Has tells whether a value was picked: what a form needs to check its boxes.
func (v Value) Has(pick string) bool { return slices.Contains(v, pick) }

// String is the only value, "" when there is none: what a form needs to fill a text in.
func (v Value) String() string { return strings.Join(v, ", ") }

// Answers holds a value for each question that was answered, by question id.
type Answers map[string]Value

// Form returns the answers as form fields (see Question.Field), so that a page can carry those of the others.
func (a Answers) Form() url.Values {
	form := url.Values{}
	for id, v := range a {
		form[fieldPrefix+id] = slices.Clone(v)
	}
	return form
}

// Code says what is wrong with an answer; pages turn it into a sentence.
type Code string

// What can be wrong with an answer, with the parameters of FieldError that go with it.
const (
	Required Code = "required" // it must be answered
	Unknown  Code = "unknown"  // the survey has no such question
	Type     Code = "type"     // Want: what it has to be
	Range    Code = "range"    // Min, Max: not a whole number between them
	NoChoice Code = "choice"   // not one of the choices
	Repeated Code = "repeated" // the same choice twice, or two answers where one is asked
	TooMany  Code = "too_many" // Max: more choices than that
	TooLong  Code = "too_long" // Max: more characters than that
	Unclean  Code = "unclean"  // not valid UTF-8, or control characters
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
	case TooLong:
		return fmt.Sprintf("is longer than %d characters", e.Max)
	}
	return "has characters that are not text"
}

// FieldErrors holds what is wrong, by question id.
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
	if !ids.MatchString(name) {
		name = Unnamed
	}
	e[name] = FieldError{Code: Unknown}
}

// answer checks what was said to each question and keeps what is valid. The two parsers differ only in raw, which turns
// what was sent to a question into strings.
func answer(questions []Question, raw func(Question) ([]string, *FieldError), errs FieldErrors) Answers {
	answers := Answers{}
	for _, q := range questions {
		said, err := raw(q)
		var v Value
		if err == nil {
			v, err = q.read(said)
		}
		if err == nil && len(v) == 0 && q.Required {
			err = &FieldError{Code: Required}
		}
		if err != nil {
			errs[q.ID] = *err
		} else if len(v) > 0 {
			answers[q.ID] = v
		}
	}
	return answers
}

// read checks what was said to a question. Empty strings are no answer.
func (q Question) read(said []string) (Value, *FieldError) {
	said = slices.DeleteFunc(slices.Clone(said), func(s string) bool { return s == "" })
	if len(said) > 1 && q.Kind != Multiple {
		return nil, &FieldError{Code: Repeated}
	}
	if len(said) == 0 {
		return nil, nil
	}
	if q.Kind == FreeText {
		return q.readText(said[0])
	}
	offered := q.Values()
	for _, s := range said {
		if !slices.Contains(offered, s) {
			return nil, q.notOffered()
		}
	}
	slices.SortFunc(said, func(a, b string) int { return cmp.Compare(slices.Index(offered, a), slices.Index(offered, b)) })
	if len(slices.Compact(slices.Clone(said))) < len(said) {
		return nil, &FieldError{Code: Repeated}
	}
	if q.MaxChoices > 0 && len(said) > q.MaxChoices {
		return nil, &FieldError{Code: TooMany, Max: q.MaxChoices}
	}
	return said, nil
}

func (q Question) notOffered() *FieldError {
	switch q.Kind {
	case Scale, NPS:
		low, high := q.bounds()
		return &FieldError{Code: Range, Min: low, Max: high}
	}
	return &FieldError{Code: NoChoice}
}

// readText trims a text and refuses what is none. Browsers send line ends as CR LF, which counts as one character.
func (q Question) readText(said string) (Value, *FieldError) {
	if !utf8.ValidString(said) {
		return nil, &FieldError{Code: Unclean}
	}
	said = strings.TrimSpace(strings.ReplaceAll(said, "\r\n", "\n"))
	if strings.ContainsFunc(said, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }) {
		return nil, &FieldError{Code: Unclean}
	}
	if utf8.RuneCountInString(said) > q.Limit() {
		return nil, &FieldError{Code: TooLong, Max: q.Limit()}
	}
	if said == "" {
		return nil, nil
	}
	return Value{said}, nil
}
