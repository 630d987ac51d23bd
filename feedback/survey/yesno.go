package survey

// YesNo is "yes" or "no".
const YesNo Kind = "yesno"

// The two values of a yes-no question.
const (
	Yes = "yes"
	No  = "no"
)

// The words of form tools for them, folded.
var (
	yesWords = []string{"yes", "oui", "true", "vrai"}
	noWords  = []string{"no", "non", "false", "faux"}
)

type yesNo struct{ base }

func (yesNo) traits() traits {
	return traits{fields: []string{"pair", "stay"}, ordered: true, favourable: 1}
}

func (yesNo) values(Question) []string { return []string{No, Yes} }

func (yesNo) fromJSON(_ Question, value any) ([]string, *FieldError) {
	switch v := value.(type) {
	case bool:
		if v {
			return []string{Yes}, nil
		}
		return []string{No}, nil
	case string:
		return []string{v}, nil
	}
	return nil, &FieldError{Code: Type, Want: `true, false, "yes" or "no"`}
}

func (yesNo) words(Question) []word { return append(say(yesWords, Yes), say(noWords, No)...) }

// say pairs words with the value that they stand for.
func say(folded []string, value string) []word {
	var words []word
	for _, f := range folded {
		words = append(words, word{f, value})
	}
	return words
}
