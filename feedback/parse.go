package feedback

import (
	"encoding/json"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// ParseJSON reads answers as JSON decodes them (numbers as json.Number or float64), strictly: a number is not a string.
// Null, an empty string and an empty list are no answer. With errors there are no answers. The caller refuses bodies that
// are not valid UTF-8, because encoding/json replaces what is not.
func ParseJSON(s *Survey, values map[string]any) (Answers, FieldErrors) {
	errs := FieldErrors{}
	for name := range values {
		if _, ok := s.Question(name); !ok {
			errs.unknown(name)
		}
	}
	answers := answer(s.All(), func(q Question) ([]string, *FieldError) { return fromJSON(q, values[q.ID]) }, errs)
	if len(errs) > 0 {
		return nil, errs
	}
	return answers, nil
}

// ParseForm reads answers from an HTML form, in the fields that Question.Field names: for the questions of the sections
// with these ids, or of all when none is given. Fields of other sections and the form's own are left alone. With errors,
// the answers hold what is valid.
func ParseForm(s *Survey, form url.Values, sections ...string) (Answers, FieldErrors) {
	errs := FieldErrors{}
	for field := range form {
		name, ok := strings.CutPrefix(field, fieldPrefix)
		if _, known := s.Question(name); ok && !known {
			errs.unknown(name)
		}
	}
	var questions []Question
	for _, page := range s.Pages() {
		if len(sections) == 0 || slices.Contains(sections, page.ID) {
			questions = append(questions, page.Questions...)
		}
	}
	answers := answer(questions, func(q Question) ([]string, *FieldError) { return form[q.Field()], nil }, errs)
	if len(errs) == 0 {
		return answers, nil
	}
	return answers, errs
}

// fromJSON turns a JSON value into the strings that a form would have sent.
func fromJSON(q Question, value any) ([]string, *FieldError) {
	if value == nil {
		return nil, nil
	}
	switch q.Kind {
	case Scale, NPS:
		return q.fromNumber(value)
	case YesNo:
		if b, ok := value.(bool); ok {
			return []string{map[bool]string{true: Yes, false: No}[b]}, nil
		}
		if s, ok := value.(string); ok {
			return []string{s}, nil
		}
		return nil, &FieldError{Code: Type, Want: `true, false, "yes" or "no"`}
	case Multiple:
		return fromList(value)
	}
	s, ok := value.(string)
	if !ok {
		return nil, &FieldError{Code: Type, Want: "a string"}
	}
	return []string{s}, nil
}

func (q Question) fromNumber(value any) ([]string, *FieldError) {
	var n float64
	var err error
	switch v := value.(type) {
	case json.Number:
		n, err = v.Float64()
	case float64:
		n = v
	case int:
		n = float64(v)
	case string:
		return nil, &FieldError{Code: Type, Want: "a number, not a string"}
	default:
		return nil, &FieldError{Code: Type, Want: "a number"}
	}
	if err != nil || n != math.Trunc(n) || math.Abs(n) > 1000 {
		return nil, q.notOffered()
	}
	return []string{strconv.Itoa(int(n))}, nil
}

func fromList(value any) ([]string, *FieldError) {
	wrong := &FieldError{Code: Type, Want: "a list of strings"}
	list, ok := value.([]any)
	if !ok {
		return nil, wrong
	}
	said := make([]string, len(list))
	for i, item := range list {
		if said[i], ok = item.(string); !ok {
			return nil, wrong
		}
	}
	return said, nil
}
