// Package text holds a phrase in several languages, as configuration files and pages carry them.
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
func (t Text) In(lang string) string {
	if s := t[lang]; s != "" {
		return s
	}
	for _, l := range Fallbacks {
		if s := t[l]; s != "" {
			return s
		}
	}
	for _, l := range slices.Sorted(maps.Keys(t)) {
		if t[l] != "" {
			return t[l]
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
