package survey

import (
	"encoding/json"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// ParseJSON reads answers as JSON decodes them (numbers as json.Number or float64), strictly: a number is not a string.
// Null, an empty string and an empty list are no answer, and neither is false to a consent. The rows of a matrix come in
// an object under its id, or each under "matrix.row"; of In(wave), ids may come without "@wave". Of a survey with waves,
// only the waves that are answered require answers. With errors there are no answers. The caller refuses bodies that are
// not valid UTF-8, because encoding/json replaces what is not.
func ParseJSON(s *Survey, values map[string]any) (Answers, FieldErrors) {
	errs := FieldErrors{}
	said := s.lay(values, errs)
	all := Answers{}
	var hidden []string
	for _, wave := range s.WaveIDs() {
		asked := s.In(wave)
		if wave != "" && !slices.ContainsFunc(asked.All(), func(q Question) bool { return said[q.ID] != nil }) {
			continue
		}
		answers, left := asked.answer(func(q Question) ([]string, *FieldError) { return fromJSON(q, said[q.ID]) }, errs)
		maps.Copy(all, answers)
		hidden = append(hidden, left...)
	}
	if len(errs) == 0 { // else the mistakes may be why nothing was shown
		for _, id := range hidden {
			errs[id] = FieldError{Code: NotAsked}
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return all, nil
}

// lay gives each value to the item that it answers, and notes those of no item.
func (s *Survey) lay(values map[string]any, errs FieldErrors) map[string]any {
	known, matrices := s.names()
	said := map[string]any{}
	put := func(name string, value any) {
		id, ok := known[name]
		switch {
		case !ok:
			errs.unknown(name)
		case said[id] != nil && value != nil:
			errs[id] = FieldError{Code: Repeated}
		case value != nil:
			said[id] = value
		}
	}
	for name, value := range values {
		if id, ok := matrices[name]; !ok {
			put(name, value)
		} else if rows, ok := value.(map[string]any); ok {
			for row, value := range rows {
				put(inRow(id, row), value)
			}
		} else if value != nil {
			errs[id] = FieldError{Code: Type, Want: "an object with an answer to each row"}
		}
	}
	return said
}

// names lists what items and matrices may be called: by their ids, and by these without the wave where one wave alone
// asks them.
func (s *Survey) names() (known, matrices map[string]string) {
	known, matrices = map[string]string{}, map[string]string{}
	name := func(names map[string]string, id string) {
		names[id] = id
		plain, _, waved := strings.Cut(id, "@")
		if _, taken := names[plain]; !waved {
			return
		} else if taken {
			id = "" // of two waves
		}
		names[plain] = id
	}
	for _, wave := range s.WaveIDs() {
		for _, page := range s.In(wave).Pages() {
			for _, q := range page.Questions {
				if q.Kind == Matrix {
					name(matrices, q.ID)
				}
			}
			for _, q := range page.Items() {
				name(known, q.ID)
			}
		}
	}
	ambiguous := func(_, id string) bool { return id == "" }
	maps.DeleteFunc(known, ambiguous)
	maps.DeleteFunc(matrices, ambiguous)
	return known, matrices
}

// ParseForm reads answers from an HTML form, in the fields that Question.Fields names: for the items of the sections with
// these ids, or of all when none is given. Fields of other sections and the form's own are left alone, and so are answers
// to what is not shown: the person went back and changed an earlier answer. With errors, the answers hold what is valid.
func ParseForm(s *Survey, form url.Values, sections ...string) (Answers, FieldErrors) {
	errs := FieldErrors{}
	fields, outside := map[string]bool{}, map[string]bool{}
	for _, page := range s.Pages() {
		for _, q := range page.Items() {
			for _, field := range q.Fields() {
				fields[field] = true
			}
			outside[q.ID] = len(sections) > 0 && !slices.Contains(sections, page.ID)
		}
	}
	answers, _ := s.answer(func(q Question) ([]string, *FieldError) { return q.fromForm(form) }, errs)
	maps.DeleteFunc(answers, func(id string, _ Value) bool { return outside[id] })
	maps.DeleteFunc(errs, func(id string, _ FieldError) bool { return outside[id] })
	for field := range form {
		if name, ok := strings.CutPrefix(field, FieldPrefix); ok && !fields[field] {
			errs.unknown(name)
		}
	}
	if len(errs) == 0 {
		return answers, nil
	}
	return answers, errs
}

// fromForm returns what a form has for an item; of a ranking, the choices by the ranks in their fields.
func (q Question) fromForm(form url.Values) ([]string, *FieldError) {
	if q.Kind != Ranking {
		return form[q.Field()], nil
	}
	ranked := make([]string, len(q.Choices)+1) // by rank
	last, n := 0, 0
	for i, field := range q.Fields() {
		said := slices.DeleteFunc(slices.Clone(form[field]), func(s string) bool { return s == "" })
		if len(said) == 0 {
			continue
		}
		rank, err := strconv.Atoi(said[0])
		switch {
		case len(said) > 1:
			return nil, &FieldError{Code: Repeated}
		case err != nil || rank < 1 || rank >= len(ranked):
			return nil, &FieldError{Code: Range, Min: 1, Max: len(q.Choices)}
		case ranked[rank] != "":
			return nil, &FieldError{Code: Tied}
		}
		ranked[rank] = q.Choices[i].Value
		last, n = max(last, rank), n+1
	}
	if n < last {
		return nil, &FieldError{Code: Gap}
	}
	return ranked[1 : last+1], nil
}

// fromJSON turns a JSON value into the strings that a form would have sent.
func fromJSON(q Question, value any) ([]string, *FieldError) {
	if value == nil {
		return nil, nil
	}
	switch q.Kind {
	case Scale, NPS, Number:
		return q.fromNumber(value)
	case YesNo:
		if b, ok := value.(bool); ok {
			return []string{map[bool]string{true: Yes, false: No}[b]}, nil
		}
		if s, ok := value.(string); ok {
			return []string{s}, nil
		}
		return nil, &FieldError{Code: Type, Want: `true, false, "yes" or "no"`}
	case Consent:
		switch value {
		case true, Yes:
			return []string{Yes}, nil
		case false, "":
			return nil, nil
		}
		return nil, &FieldError{Code: Type, Want: `true, "yes" or false`}
	case Multiple, Ranking:
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
	low, high := q.bounds()
	if err != nil || n != math.Trunc(n) || n < float64(low) || n > float64(high) {
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
