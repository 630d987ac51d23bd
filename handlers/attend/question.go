package attend

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"jauge/feedback/survey"
	"jauge/handlers/page"
)

// questionView is one question with its answer so far.
type questionView struct {
	survey.Question
	Label, Help, Low, High, Unit page.Phrase

	Options []option       // to pick from
	Ranks   []rankView     // of a ranking: one for each choice
	Rows    []questionView // of a matrix
	Row     bool           // it is one of these

	Said    string // to a text or number
	Target  string // the id of its first input
	Hint    string // what an answer may be
	Mistake string
}

// Describe lists the ids of the texts about the question beside its label, for aria-describedby.
func (q questionView) Describe() string {
	var parts []string
	for _, part := range []struct {
		name string
		is   bool
	}{{"help", q.Help.Text != ""}, {"hint", q.Hint != ""}, {"ends", q.Low.Text+q.High.Text != ""}, {"unit", q.Unit.Text != ""}, {"wrong", q.Mistake != ""}} {
		if part.is {
			parts = append(parts, q.Field()+"-"+part.name)
		}
	}
	return strings.Join(parts, " ")
}

type option struct {
	ID, Value string
	Label     page.Phrase
	Checked   bool
}

// rankView is a choice that takes a rank.
type rankView struct {
	ID, Name string
	Label    page.Phrase
	Ranks    []option
}

// mistakes are the question's lines in the summary of mistakes.
func (q questionView) mistakes() []mistake {
	var all []mistake
	if q.Mistake != "" {
		all = append(all, mistake{q.Target, q.Label, q.Mistake})
	}
	for _, row := range q.Rows {
		all = append(all, row.mistakes()...)
	}
	return all
}

// questionOf lays out a question; each kind has its own inputs.
func questionOf(l *page.Lang, q survey.Question, said url.Values, mistakes survey.FieldErrors) (questionView, error) {
	v := questionView{
		Question: q, Label: l.Say(q.Label), Help: l.Say(q.Help), Low: l.Say(q.Low), High: l.Say(q.High), Unit: l.Say(q.Unit),
		Said: said.Get(q.Field()), Target: "q-" + q.ID,
	}
	var err error
	switch {
	case q.Kind == survey.Matrix:
		for _, item := range q.Items() {
			row, err := questionOf(l, item, said, mistakes)
			if err != nil {
				return v, err
			}
			row.Row, row.Low, row.High = true, page.Phrase{}, page.Phrase{} // said once, of the matrix
			v.Rows = append(v.Rows, row)
		}
		return v, nil
	case q.Ranked():
		v.rank(l, said)
	case q.Kind == survey.Number || q.IsText():
	default:
		if v.Options, err = optionsOf(l, q, said); err != nil {
			return v, err
		}
		v.Target = v.Options[0].ID
	}
	if v.Hint, err = hintOf(l, q); err != nil {
		return v, err
	}
	if wrong, ok := mistakes[q.ID]; ok {
		v.Mistake, err = mistakeOf(l, q, wrong)
	}
	return v, err
}

// optionsOf are the boxes and buttons of a question.
func optionsOf(l *page.Lang, q survey.Question, said url.Values) ([]option, error) {
	var options []option
	values := q.Values()
	if q.Kind == survey.YesNo { // low before high for figures, yes before no for people
		values = []string{survey.Yes, survey.No}
	}
	for i, value := range values {
		label, err := page.Choice(l, q, value)
		if err != nil {
			return nil, err
		}
		options = append(options, option{
			ID: "q-" + q.ID + "-" + strconv.Itoa(i), Value: value, Label: label, Checked: slices.Contains(said[q.Field()], value),
		})
	}
	return options, nil
}

// rank lays out the choices of a ranking, each with a list of ranks.
func (q *questionView) rank(l *page.Lang, said url.Values) {
	for i, name := range q.Fields() {
		r := rankView{ID: "q-" + q.ID + "-" + strconv.Itoa(i), Name: name, Label: l.Say(q.Choices[i].Label)}
		for n := range q.Choices {
			rank := strconv.Itoa(n + 1)
			r.Ranks = append(r.Ranks, option{Value: rank, Checked: said.Get(name) == rank})
		}
		q.Ranks = append(q.Ranks, r)
	}
	q.Target = q.Ranks[0].ID
}

// hintOf says what an answer may be, where the inputs do not.
func hintOf(l *page.Lang, q survey.Question) (string, error) {
	switch {
	case q.Kind == survey.Number:
		return l.T("survey.between", "Min", q.Min, "Max", q.Max)
	case q.Ranked():
		return l.T("survey.ranks")
	case q.MaxChoices > 0:
		return l.Count("survey.at_most", q.MaxChoices)
	case q.IsText():
		return l.T("survey.words")
	}
	return "", nil
}

// mistakeOf says what is wrong with an answer, in the words that go with the kind of question.
func mistakeOf(l *page.Lang, q survey.Question, wrong survey.FieldError) (string, error) {
	id := "mistake." + string(wrong.Code)
	switch kind := string(q.Kind); {
	case wrong.Code == survey.Required && slices.Contains([]string{"ranking", "number", "short", "text", "consent"}, kind):
		id += "_" + kind
	case wrong.Code == survey.Range && q.Kind == survey.Number: // which may be a year: no separators
		return l.T(id+"_number", "Min", wrong.Min, "Max", wrong.Max)
	}
	return l.T(id, "Min", l.Number(wrong.Min), "Max", l.Number(wrong.Max))
}
