package survey

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"jauge/internal/text"
)

// The bounds of Choices.
const (
	minOffered = 2
	maxOffered = 20
)

// offered is what kinds share whose values are Choices.
type offered struct{ base }

func (offered) check(v *validator, at string, q Question) {
	if n := len(q.Choices); n < minOffered || n > maxOffered {
		v.add(at+".choices", "%d of them, not %d to %d", n, minOffered, maxOffered)
	}
	if q.MaxChoices < 0 || q.MaxChoices > len(q.Choices) {
		v.add(at+".max_choices", "%d is not between 1 and %d", q.MaxChoices, len(q.Choices))
	}
	seen := map[string]bool{}
	for i, c := range q.Choices {
		path := fmt.Sprintf("%s.choices[%d]", at, i)
		v.unique(path+".value", c.Value, seen)
		v.text(path+".label", c.Label, true)
	}
}

func (offered) values(q Question) []string {
	values := make([]string, len(q.Choices))
	for i, c := range q.Choices {
		values[i] = c.Value
	}
	return values
}

// shape is that of the choices in any order: answers given before another choice was offered are others.
func (offered) shape(q Question) string {
	h := sha256.Sum256([]byte(strings.Join(slices.Sorted(slices.Values(q.Values())), "|")))
	return string(q.Kind) + ":" + hex.EncodeToString(h[:4])
}

// words are the values before the labels.
func (offered) words(q Question) []word {
	var words []word
	for _, choice := range q.Choices {
		words = append(words, word{text.Fold(choice.Value), choice.Value})
	}
	for _, choice := range q.Choices {
		for _, lang := range choice.Label.Langs() {
			words = append(words, word{text.Fold(choice.Label[lang]), choice.Value})
		}
	}
	return words
}
