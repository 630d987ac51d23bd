package survey

import (
	"cmp"
	"net/url"
	"slices"
)

// Kind names a kind of question.
type Kind string

// kinds is every kind of question, in the order of Kinds. One more is a file with its kind, a line here, and its subject in
// the tests.
var kinds = []struct {
	name Kind
	kind kind
}{
	{Scale, scale{}},
	{NPS, nps{}},
	{Single, single{}},
	{Multiple, multiple{}},
	{Ranking, ranking{}},
	{Matrix, matrix{}},
	{YesNo, yesNo{}},
	{Number, number{}},
	{ShortText, shortText{}},
	{FreeText, freeText{}},
	{Consent, consent{}},
}

// kind is what a kind of question has of its own. Its methods get questions of that kind, whose definition may have
// mistakes. Most kinds embed what they share with others, and in the end base.
type kind interface {
	traits() traits

	// check notes the mistakes of a definition, those of fields that do not apply apart.
	check(v *validator, at string, q Question)

	values(q Question) []string                 // see Question.Values
	ends(q Question) (low, high int)            // of kinds whose values are whole numbers
	shape(q Question) string                    // see Question.Shape
	items(q Question) []Question                // see Question.Items
	fields(q Question) []string                 // see Question.Fields
	counted(q Question, v Value) []string       // see Question.Counted
	bins(q Question) (bins []string, width int) // see Question.Bins

	// The ways in: what was sent, as the strings that read takes. fromJSON gets no null; fromTool gets a value of a form
	// tool's, as people would write it, and gives "" for what says nothing.
	fromForm(q Question, form url.Values) ([]string, *FieldError)
	fromJSON(q Question, value any) ([]string, *FieldError)
	fromTool(q Question, said string) (string, *FieldError)

	// words lists the ways of saying each value, where it is said in words.
	words(q Question) []word

	// read makes an answer of strings, none of them empty: one, or more if the kind takes several.
	read(q Question, said []string) (Value, *FieldError)

	// The ways out, which are the ways in again: the fields of a form, and what a program would send.
	toForm(q Question, v Value) url.Values
	toJSON(v Value) any
}

// traits are what the program asks of a kind. What is left out is what most kinds are.
type traits struct {
	fields     []string // of the definition, those that apply: of the ones that not every kind has
	several    bool     // see Question.Several
	ranked     bool     // see Question.Ranked
	rows       bool     // see Question.Items
	ordered    bool     // see Question.Ordered
	favourable int      // see Question.Favourable
	silence    bool     // see Question.Silence
	summary    Summary  // see Question.Summary
	length     int      // see Question.Limit; 0: it is no text
}

// kind is what the question's kind has of its own; of a kind that there is not, what all have.
func (q Question) kind() kind {
	for _, k := range kinds {
		if k.name == q.Kind {
			return k.kind
		}
	}
	return base{}
}

// Kinds lists the kinds, in the order in which people are told of them.
func Kinds() []Kind {
	names := make([]Kind, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return names
}

// base is what kinds have if they have nothing else: one of the values, sent as a string.
type base struct{}

func (base) traits() traits                       { return traits{} }
func (base) check(*validator, string, Question)   {}
func (base) values(Question) []string             { return nil }
func (base) ends(q Question) (low, high int)      { return q.Min, q.Max }
func (base) shape(q Question) string              { return string(q.Kind) }
func (base) items(q Question) []Question          { return []Question{q} }
func (base) fields(q Question) []string           { return []string{q.Field()} }
func (base) counted(_ Question, v Value) []string { return v }
func (base) bins(q Question) ([]string, int)      { return q.Values(), 1 }
func (base) words(Question) []word                { return nil }

func (base) fromForm(q Question, form url.Values) ([]string, *FieldError) {
	return form[q.Field()], nil
}

func (base) toForm(q Question, v Value) url.Values { return url.Values{q.Field(): slices.Clone(v)} }

func (base) fromJSON(_ Question, value any) ([]string, *FieldError) {
	s, ok := value.(string)
	if !ok {
		return nil, &FieldError{Code: Type, Want: "a string"}
	}
	return []string{s}, nil
}

func (base) toJSON(v Value) any { return v.String() }

func (base) fromTool(q Question, said string) (string, *FieldError) {
	pick, ok := q.pick(said)
	if !ok {
		return "", &FieldError{Code: NoChoice}
	}
	return pick, nil
}

func (base) read(q Question, said []string) (Value, *FieldError) {
	return readPicks(q, said, FieldError{Code: NoChoice})
}

// readPicks puts values in the survey's order. What is none of them is wrong.
func readPicks(q Question, said []string, wrong FieldError) (Value, *FieldError) {
	offered := q.Values()
	for _, s := range said {
		if !slices.Contains(offered, s) {
			return nil, &wrong
		}
	}
	sorted := slices.SortedFunc(slices.Values(said), func(a, b string) int {
		return cmp.Compare(slices.Index(offered, a), slices.Index(offered, b))
	})
	if len(slices.Compact(slices.Clone(sorted))) < len(said) {
		return nil, &FieldError{Code: Repeated}
	}
	return sorted, nil
}
