package attendance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/redis/go-redis/v9"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Names are never kept. Of the name that somebody was shown under, the audience's and the staff's alike, a session keeps
// the keyed hashes of its words, in a set that belongs to nobody in particular: with it the words of a text can be held
// against the names of those who were there, without knowing any of them.

// A name has few words; a sentence in its place is not worth remembering.
const (
	maxNameWords = 8
	minNameBytes = 3 // of a folded word: three Latin letters, or one or two of most other scripts
)

// nameWords gives the words of a text as they are compared: without case, accents, ligatures and whatever else is not a
// letter. Jean-Pierre is two words. What it makes of a name is hashed and stored, so it may not change; the foldings of
// feedback (text.Fold, which keeps accents, and that of token words) are others for that reason.
func nameWords(text string) []string {
	var words []string
	var word strings.Builder
	end := func() {
		if word.Len() >= minNameBytes {
			words = append(words, word.String())
		}
		word.Reset()
	}
	for _, r := range cases.Fold().String(norm.NFKD.String(text)) {
		switch {
		case unicode.IsMark(r), unicode.Is(unicode.Cf, r): // accents, and what is not seen
		case unicode.IsLetter(r):
			word.WriteString(plain(r))
		default:
			end()
		}
	}
	end()
	return words
}

// plain spells the Latin letters that Unicode does not take apart as people who lack them on their keyboard do.
func plain(r rune) string {
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

// names hashes the words of a name, sorted, each once. Their purpose is that of no source: a person who is known to one
// platform may be spoken of by those whom another one counts.
func (s sealer) names(name string) []string {
	words := nameWords(name)
	hashes := make([]string, 0, maxNameWords)
	for _, word := range words[:min(len(words), maxNameWords)] {
		hashes = append(hashes, s.name(word))
	}
	slices.Sort(hashes)
	return slices.Compact(hashes)
}

func (s sealer) name(word string) string { return s.hash(nameBytes, "name", word) }

// nameIn scopes the hash of a word to a session.
func (s sealer) nameIn(session, hash string) string {
	return s.hash(nameBytes, "name in", session, hash)
}

// names keeps whose names were seen in sessions. Its methods are the store's.
type names struct{ *base }

// addNames queues the names of events that belong to sessions: one command per session, whatever the number of events.
func (s *names) addNames(ctx context.Context, p redis.Pipeliner, events []placed) {
	bySession := map[string][]any{}
	for _, e := range events {
		for _, hash := range e.event.Names {
			bySession[e.session] = append(bySession[e.session], hash)
		}
	}
	for session, hashes := range bySession {
		p.SAdd(ctx, s.keys.names(session), hashes...)
	}
}

// writeNames adds the names of events that leave no mark.
func (s *names) writeNames(ctx context.Context, events []placed) error {
	if len(events) == 0 {
		return nil
	}
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		s.addNames(ctx, p, events)
		return nil
	})
	if err != nil {
		return fmt.Errorf("names: %w", err)
	}
	return nil
}

// NamesIn tells which of these words, as they were typed, are or hold a word of a name that was seen in the session,
// whatever their case and accents; those that are not have no entry. It asks Redis once.
//
// A word that is also a common one (Pierre, Rose, Juste) is told like any other, in every session where somebody is called
// so, and so are the words of names that no person has (Guest, iPhone): taking too much out of a text is safe, too little
// is not. Latin words of fewer than three letters are never told.
func (s *names) NamesIn(ctx context.Context, session string, words []string) (map[string]bool, error) {
	var hashes []any
	var typed []string // of each hash
	for _, word := range words {
		for _, part := range nameWords(word) {
			hashes, typed = append(hashes, s.seal.nameIn(session, s.seal.name(part))), append(typed, word)
		}
	}
	found := map[string]bool{}
	if len(hashes) == 0 {
		return found, nil
	}
	are, err := s.rdb.SMIsMember(ctx, s.keys.names(session), hashes...).Result()
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
