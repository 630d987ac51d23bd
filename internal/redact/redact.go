// Package redact removes personal data from free text: e-mail addresses and telephone numbers by their form, names by a set of
// words that are known to be names. It is text in and text out, and knows neither a store nor a session.
//
// In doubt it removes, but it leaves the numbers that people write in surveys: years, dates, amounts and scales.
//
// The story in files: redact.go (names, and the placeholder), contacts.go (addresses and numbers).
package redact

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"jauge/internal/text"
)

// Mark is the placeholder for what was removed; neighbours share one.
const Mark = "[…]"

// Words lists the words of texts that may be names, folded (text.Fold) and split at hyphens, each once, without particles ("de",
// "van") and single letters.
func Words(texts []string) []string {
	var all []string
	listed := map[string]bool{}
	for _, s := range texts {
		for _, w := range wordsOf(s) {
			for _, part := range w.parts {
				if !listed[part] {
					listed[part] = true
					all = append(all, part)
				}
			}
		}
	}
	return all
}

// Names takes the words of a text out of which one part, as Words lists it, is a name.
func Names(s string, names map[string]bool) string {
	var found []span
	for _, w := range wordsOf(s) {
		if slices.ContainsFunc(w.parts, func(part string) bool { return names[part] }) {
			found = append(found, w.span)
		}
	}
	return cut(s, found)
}

// span is a part of a text, in bytes.
type span struct{ from, to int }

// nameable is a word with its hyphens ("Jean-Pierre"): a name if one of its parts is.
type nameable struct {
	span
	parts []string // folded; without particles and single letters
}

var (
	wordPattern = regexp.MustCompile(`[\p{L}\p{M}]+(?:\p{Pd}[\p{L}\p{M}]+)*`)

	// particles are parts of names that are common words too.
	particles = strings.Fields("al da de del della den der des di do dos du el et la las le les lo los of the van von und y")
)

// wordsOf lists the words of a text that may be names.
func wordsOf(s string) []nameable {
	var all []nameable
	for _, at := range wordPattern.FindAllStringIndex(s, -1) {
		w := nameable{span: span{at[0], at[1]}}
		for _, part := range strings.FieldsFunc(s[at[0]:at[1]], func(r rune) bool { return unicode.Is(unicode.Pd, r) }) {
			if part = text.Fold(part); utf8.RuneCountInString(part) > 1 && !slices.Contains(particles, part) {
				w.parts = append(w.parts, part)
			}
		}
		all = append(all, w)
	}
	return all
}

// neighbours matches what may lie between two removed spans that share one Mark: blanks or a hyphen.
var neighbours = regexp.MustCompile(`\[…\](?:[\p{Zs}\t-]*\[…\])+`)

// cut puts Mark in the place of each span; spans are in order and apart.
func cut(s string, spans []span) string {
	if len(spans) == 0 {
		return s
	}
	var b strings.Builder
	done := 0
	for _, at := range spans {
		b.WriteString(s[done:at.from] + Mark)
		done = at.to
	}
	b.WriteString(s[done:])
	return neighbours.ReplaceAllLiteralString(b.String(), Mark)
}
