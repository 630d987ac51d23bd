package survey

import (
	"slices"

	"jauge/internal/text"
)

// Consent is "yes", or nothing: a box to tick.
const Consent Kind = "consent"

type consent struct{ base }

func (consent) traits() traits { return traits{silence: true} }

func (consent) values(Question) []string { return []string{Yes} }

func (consent) fromJSON(_ Question, value any) ([]string, *FieldError) {
	switch value {
	case true, Yes:
		return []string{Yes}, nil
	case false, "":
		return nil, nil
	}
	return nil, &FieldError{Code: Type, Want: `true, "yes" or false`}
}

// fromTool takes no as a box that was not ticked.
func (c consent) fromTool(q Question, said string) (string, *FieldError) {
	if slices.Contains(noWords, text.Fold(said)) {
		return "", nil
	}
	return c.base.fromTool(q, said)
}

// words has the sentence that is agreed to, which is what some tools send.
func (consent) words(q Question) []word {
	words := say(yesWords, Yes)
	for _, lang := range q.Label.Langs() {
		words = append(words, word{text.Fold(q.Label[lang]), Yes})
	}
	return words
}
