package attendance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Names are never kept. A session keeps the keyed hashes of the words of the names that platforms show, of the audience and of
// the staff, in one set that is linked to no person. With it, the words of a text can be compared with the names of those who
// were there, without knowing any of them.

// A name has few words; a sentence in its place is not worth remembering.
const (
	maxNameWords = 8
	minNameBytes = 3 // of a folded word: three Latin letters, or one or two of most other scripts
)

// nameWords gives the words of a text as they are compared: without case, accents, ligatures and whatever else is not a
// letter. Jean-Pierre is two words. Its output is hashed and stored, so it may not change; that is why feedback does not share it
// (text.Fold keeps accents, and receipts have a folding of their own).
func nameWords(text string) []string {
	var words []string
	var word strings.Builder
	end := func() {
		if word.Len() >= minNameBytes {
			words = append(words, word.String())
		}
		word.Reset()
	}
	for _, r := range folded(text, norm.NFKD) {
		switch {
		case unicode.IsMark(r), unicode.Is(unicode.Cf, r): // accents, and invisible characters
		case unicode.IsLetter(r):
			word.WriteString(transliterate(r))
		default:
			end()
		}
	}
	end()
	return words
}

// folded is a text in a normal form, without case.
func folded(text string, form norm.Form) string {
	if strings.IndexFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) < 0 { // most names: the same, and much faster
		return strings.ToLower(text)
	}
	return cases.Fold().String(form.String(text))
}

// transliterate writes in ASCII the Latin letters that Unicode does not decompose.
func transliterate(r rune) string {
	switch r {
	case 'œ':
		return "oe"
	case 'æ':
		return "ae"
	case 'ø':
		return "o"
	case 'ł':
		return "l"
	case 'đ', 'ð':
		return "d"
	case 'þ':
		return "th"
	case 'ı':
		return "i"
	}
	return string(r)
}

// hashNames hashes the words of a name, sorted, each once. The hashes are scoped to no source: an answer may name a person who was
// on another platform.
func (s sealer) hashNames(name string) []string {
	words := nameWords(name)
	hashes := make([]string, 0, maxNameWords)
	for _, word := range words[:min(len(words), maxNameWords)] {
		hashes = append(hashes, s.hashName(word))
	}
	slices.Sort(hashes)
	return slices.Compact(hashes)
}

// wholeName is a name as whole names are compared: without case and superfluous spaces.
func wholeName(name string) string {
	return folded(strings.Join(strings.Fields(name), " "), norm.NFKC)
}

// hashWholeName hashes a name by which guests are told apart, and staff are known.
func (s sealer) hashWholeName(name string) string {
	if name == "" {
		return ""
	}
	return s.hash(nameBytes, "whole name", name)
}

func (s sealer) hashName(word string) string { return s.hash(nameBytes, "name", word) }

// hashNameIn scopes the hash of a word to a session.
func (s sealer) hashNameIn(session, hash string) string {
	return s.hash(nameBytes, "name in", session, hash)
}

// names keeps the hashed words of the names seen in sessions. Store embeds it.
type names struct{ *base }

// NamesIn gives, of words as they were typed, those that are or hold a word of a name seen in the session, whatever the case and
// accents; the others have no entry. It asks Redis once.
//
// A name that is also a common word (Pierre, Rose, Juste) is found like any other, and so are display names of devices and guests
// (Guest, iPhone): taking too much out of a text is safe, too little is not. Latin words of fewer than three letters are not found.
func (s *names) NamesIn(ctx context.Context, session string, words []string) (map[string]bool, error) {
	var hashes []any
	var typed []string // of each hash
	for _, word := range words {
		for _, part := range nameWords(word) {
			hashes, typed = append(hashes, s.seal.hashNameIn(session, s.seal.hashName(part))), append(typed, word)
		}
	}
	found := map[string]bool{}
	if len(hashes) == 0 {
		return found, nil
	}
	are, err := s.rdb.SMIsMember(ctx, s.marks.Keys().Names(session), hashes...).Result()
	if err != nil {
		return nil, fmt.Errorf("names: %w", err)
	}
	for i, is := range are {
		if is {
			found[typed[i]] = true
		}
	}
	return found, nil
}
