package survey

import (
	"maps"
	"net/url"
	"slices"
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
	if s.layout != nil {
		return s.layout.known, s.layout.matrices
	}
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
				if q.kind().traits().rows {
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
	answers, _ := s.answer(func(q Question) ([]string, *FieldError) { return q.kind().fromForm(q, form) }, errs)
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

// fromJSON turns a JSON value into the strings that a form would have sent.
func fromJSON(q Question, value any) ([]string, *FieldError) {
	if value == nil {
		return nil, nil
	}
	return q.kind().fromJSON(q, value)
}
