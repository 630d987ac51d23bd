package survey

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"jauge/internal/problem"
	"jauge/internal/text"
)

// Form tools name questions by references of their own and say choices in the words that people read. A session's
// `questions` tells which reference is which question; an empty id leaves a reference out on purpose.

// CheckQuestions lists the mistakes of a session's `questions`, by reference. The survey is as For returned it; nil: none.
func CheckQuestions(s *Survey, questions map[string]string) problem.Problems {
	var ps problem.Problems
	add := func(ref, message string) {
		ps = append(ps, problem.Problem{Path: fmt.Sprintf("questions[%q]", ref), Message: message})
	}
	for _, ref := range slices.Sorted(maps.Keys(questions)) {
		id := questions[ref]
		if ref == "" {
			add(ref, "the reference is missing")
		}
		if id == "" {
			continue
		}
		if s == nil {
			add(ref, "the session has no survey")
		} else if _, ok := s.Question(id); !ok {
			add(ref, fmt.Sprintf("the session's survey has no question %q", id))
		}
	}
	return ps
}

// Translate turns the answers of a form tool into those of the survey: a reference is the question that `questions` names,
// or the one of that very id; a choice is found by its value or by its label in any language, whatever the case and the
// spaces; numbers may come as strings, yes and no as words in French or English, a ranking as the list of its choices, the
// best first. Nothing is required, and conditions are not checked against what was shown: both are up to the form. What cannot be
// translated comes back by reference, with the reason; of several choices, those that the survey has are kept, and of a ranking all
// or nothing.
func Translate(s *Survey, questions map[string]string, values map[string]any) (Answers, FieldErrors) {
	answers, lost := Answers{}, FieldErrors{}
	for _, ref := range slices.Sorted(maps.Keys(values)) {
		id, mapped := questions[ref]
		if !mapped {
			id = ref
		}
		q, ok := s.Question(id)
		switch {
		case mapped && id == "" || isNothing(values[ref]):
			continue
		case !ok:
			lost[ref] = FieldError{Code: Unknown}
			continue
		}
		said, wrong := q.translate(values[ref])
		v, err := q.Read(said)
		if err == nil && len(v) > 0 && answers[id] != nil {
			err = &FieldError{Code: Repeated}
		}
		if err == nil && len(v) > 0 {
			answers[id] = v
		}
		if err == nil {
			err = wrong
		}
		if err != nil {
			lost[ref] = *err
		}
	}
	return answers, lost
}

// isNothing says whether a JSON value is a question that was skipped.
func isNothing(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return strings.TrimSpace(v) == ""
	case []any:
		return len(v) == 0
	}
	return false
}

// translate turns a form tool's value into the strings that a form of ours would have sent, and says what it could not.
// Some tools send a list of one where one answer is asked.
func (q Question) translate(value any) (said []string, wrong *FieldError) {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	for _, item := range list {
		words, ok := AsText(item)
		if !ok {
			wrong = &FieldError{Code: Type, Want: "text, a number, or yes or no"}
			continue
		}
		one, err := q.kind().fromTool(q, words)
		if err != nil {
			wrong = err
			continue
		}
		if !slices.Contains(said, one) { // two labels of one choice
			said = append(said, one)
		}
	}
	if wrong != nil && q.Ranked() { // what is left would move up
		return nil, wrong
	}
	return said, wrong
}

// pick finds the value that a choice's words stand for: the value itself before a label, an earlier choice before a later.
func (q Question) pick(said string) (string, bool) {
	if slices.Contains(q.Values(), said) {
		return said, true
	}
	words := text.Fold(said)
	for _, word := range q.words() {
		if word.folded == words {
			return word.value, true
		}
	}
	return "", false
}

// word is one way of saying a value.
type word struct{ folded, value string }

// words lists the ways of saying each value of a question that offers some in words.
func (q Question) words() []word { return q.kind().words(q) }

// AsText is a string, number or boolean as people would write it.
func AsText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case float64, int, bool:
		return fmt.Sprint(v), true
	}
	return "", false
}
