package survey

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
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
		if q.Kind != Ranking {
			form[q.Field()] = slices.Clone(v)
			continue
		}
		for i, choice := range v {
			form.Set(q.Field()+"."+choice, strconv.Itoa(i+1))
		}
	}
	return form
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

// read checks what was said to an item. Empty strings are no answer.
func (q Question) Read(said []string) (Value, *FieldError) {
	said = slices.DeleteFunc(slices.Clone(said), func(s string) bool { return s == "" })
	if len(said) > 1 && q.Kind != Multiple && q.Kind != Ranking {
		return nil, &FieldError{Code: Repeated}
	}
	if len(said) == 0 {
		return nil, nil
	}
	switch q.Kind {
	case ShortText, FreeText:
		return q.readText(said[0])
	case Number:
		return q.readNumber(said[0])
	}
	offered := q.Values()
	for _, s := range said {
		if !slices.Contains(offered, s) {
			return nil, q.notOffered()
		}
	}
	sorted := slices.SortedFunc(slices.Values(said), func(a, b string) int {
		return cmp.Compare(slices.Index(offered, a), slices.Index(offered, b))
	})
	if len(slices.Compact(slices.Clone(sorted))) < len(said) {
		return nil, &FieldError{Code: Repeated}
	}
	if q.MaxChoices > 0 && len(said) > q.MaxChoices {
		return nil, &FieldError{Code: TooMany, Max: q.MaxChoices}
	}
	if q.Kind == Ranking {
		return said, nil
	}
	return sorted, nil
}

func (q Question) notOffered() *FieldError {
	switch q.Kind {
	case Scale, NPS, Number:
		low, high := q.bounds()
		return &FieldError{Code: Range, Min: low, Max: high}
	}
	return &FieldError{Code: NoChoice}
}

// readNumber takes digits, as people type them: with spaces around, or zeros before.
func (q Question) readNumber(said string) (Value, *FieldError) {
	digits := strings.TrimSpace(said)
	if digits == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(digits)
	if err != nil || digits[0] == '+' || n < q.Min || n > q.Max {
		return nil, q.notOffered()
	}
	return Value{strconv.Itoa(n)}, nil
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
	if q.Kind == ShortText && strings.Contains(said, "\n") {
		return nil, &FieldError{Code: Lines}
	}
	if utf8.RuneCountInString(said) > q.Limit() {
		return nil, &FieldError{Code: TooLong, Max: q.Limit()}
	}
	if said == "" {
		return nil, nil
	}
	return Value{said}, nil
}
