package survey

import (
	"net/url"
	"slices"
	"strconv"
)

// Ranking is Choices in the order of preference, all of them or the first few.
const Ranking Kind = "ranking"

type ranking struct{ multiple }

func (ranking) traits() traits {
	return traits{fields: []string{"choices"}, several: true, ranked: true}
}

// fields has one for each choice, which takes its rank.
func (ranking) fields(q Question) []string {
	fields := make([]string, len(q.Choices))
	for i, c := range q.Choices {
		fields[i] = q.Field() + "." + c.Value
	}
	return fields
}

// fromForm lists the choices by the ranks in their fields.
func (ranking) fromForm(q Question, form url.Values) ([]string, *FieldError) {
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

func (ranking) toForm(q Question, v Value) url.Values {
	form := url.Values{}
	for i, choice := range v {
		form.Set(q.Field()+"."+choice, strconv.Itoa(i+1))
	}
	return form
}

// read keeps the order.
func (r ranking) read(q Question, said []string) (Value, *FieldError) {
	if _, err := r.multiple.read(q, said); err != nil {
		return nil, err
	}
	return said, nil
}

// counted lists each choice with its rank, "a:1". Choices that a person left out share the ranks that were left, at their
// mean, in halves: of four, two of which are ranked, the others are at "3.5".
func (ranking) counted(q Question, v Value) []string {
	rest := float64(len(v)+1+len(q.Choices)) / 2
	ranks := make([]string, len(q.Choices))
	for i, choice := range q.Values() {
		rank := rest
		if at := slices.Index(v, choice); at >= 0 {
			rank = float64(at + 1)
		}
		ranks[i] = choice + ":" + strconv.FormatFloat(rank, 'f', -1, 64)
	}
	return ranks
}
