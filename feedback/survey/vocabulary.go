package survey

import (
	"math"
	"strconv"
	"strings"

	"jauge/internal/text"
)

// Vocabulary is every word that some survey offers as an answer, folded.
type Vocabulary map[string]bool

// VocabularyOf collects the words of surveys.
func VocabularyOf(surveys map[string]*Survey) Vocabulary {
	v := Vocabulary{}
	for _, word := range (Question{Kind: YesNo}).words() {
		v[word.folded] = true
	}
	for _, s := range surveys {
		for _, q := range s.All() {
			for _, word := range q.words() {
				v[word.folded] = true
			}
		}
	}
	return v
}

// maxCount is from where on a number, either way, may be one of a telephone.
const maxCount = 1000

// Impersonal gives a value that is surely none of a person's own words: a small number, yes or no, or what some survey offers; else
// nil. What answers a question for a text is a person's, whatever it is; the question is nil where none is known.
func (v Vocabulary) Impersonal(q *Question, value any) any {
	if q != nil && q.IsText() {
		return nil
	}
	if list, ok := value.([]any); ok {
		for _, item := range list {
			if v.Impersonal(nil, item) == nil {
				return nil
			}
		}
		return value
	}
	said, ok := AsText(value)
	if !ok {
		return nil
	}
	if n, err := strconv.ParseFloat(strings.TrimSpace(said), 64); err == nil && math.Abs(n) <= maxCount && len(said) < 16 {
		return value
	}
	if v[text.Fold(said)] {
		return value
	}
	return nil
}
