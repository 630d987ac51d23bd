// Package text holds what is common to texts in any language.
//
// The story in files: text.go (a phrase in several languages, as configuration files and pages carry them), direction.go
// (from left to right or the reverse), fold.go (what reads as the same).
package text

import (
	"maps"
	"slices"
)

// Fallbacks are tried in this order when a text lacks the wanted language.
var Fallbacks = []string{"fr", "en"}

// Text is one phrase by language tag ("fr", "en").
type Text map[string]string

// In returns the phrase in lang, or in the first fallback that has one, or in any language at all.
func (t Text) In(lang string) string { return t[t.Spoken(lang)] }

// Spoken returns the language of the phrase that In(lang) returns; empty when there is none.
func (t Text) Spoken(lang string) string {
	for _, l := range slices.Concat([]string{lang}, Fallbacks, t.Langs()) {
		if t[l] != "" {
			return l
		}
	}
	return ""
}

// Langs lists the languages that have a phrase, sorted.
func (t Text) Langs() []string {
	langs := make([]string, 0, len(t))
	for _, l := range slices.Sorted(maps.Keys(t)) {
		if t[l] != "" {
			langs = append(langs, l)
		}
	}
	return langs
}
