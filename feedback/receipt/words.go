package receipt

import (
	"crypto/rand"
	"embed"
	"encoding/binary"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Who answers several times needs a token that is kept for weeks: three words ("lanterne-abricot-rivage") instead of a code.
// A word stands for its place in the list, so that the same token is said in either language. Three words are 33 bits: few
// enough to be tried, so they open an answer only where people were told that their answers are kept together.
const (
	tokenWords = 3
	wordBits   = 11
	listLength = 1 << wordBits
)

//go:embed words
var wordFiles embed.FS

// lexicon is the words by language, without accents, and the place of each.
type lexicon map[string]wordList

type wordList struct {
	words  []string
	places map[string]int
}

func newLexicon() lexicon {
	l := lexicon{}
	for _, lang := range []string{"fr", "en"} {
		text, _ := wordFiles.ReadFile("words/" + lang + ".txt") // embedded
		list := wordList{places: map[string]int{}}
		for line := range strings.Lines(string(text)) {
			if word := strings.TrimSpace(line); word != "" && word[0] != '#' {
				word = plainLetters(word)
				list.places[word] = len(list.words)
				list.words = append(list.words, word)
			}
		}
		l[lang] = list
	}
	return l
}

// plainLetters folds case and accents. Everything else stays, as split takes a token apart at what is no letter. It is not
// text.Fold, which keeps accents, nor the folding of names in attendance, whose stored hashes hang on more letters being spelled out.
func plainLetters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFKD.String(cases.Fold().String(s)))
}

// Words are three words as their places in the list, as one number.
type Words uint64

func (l lexicon) token(p Words, lang string) string {
	list, ok := l[lang]
	if !ok {
		list = l["fr"]
	}
	words := make([]string, tokenWords)
	for i := range words {
		words[i] = list.words[p>>(wordBits*i)%listLength]
	}
	return strings.Join(words, "-")
}

// parse reads a token as people type it: any case, with or without accents, with hyphens or spaces.
func (l lexicon) parse(token string) (Words, bool) {
	words := split(token)
	if len(words) != tokenWords {
		return 0, false
	}
	for _, lang := range []string{"fr", "en"} {
		if p, ok := l[lang].parse(words); ok {
			return p, true
		}
	}
	return 0, false
}

// split gives the words of a token, as the lists have them.
func split(token string) []string {
	return strings.FieldsFunc(plainLetters(token), func(r rune) bool { return !unicode.IsLetter(r) })
}

func (w wordList) parse(words []string) (p Words, ok bool) {
	for i, word := range words {
		at, ok := w.places[word]
		if !ok {
			return 0, false
		}
		p |= Words(at) << (wordBits * i)
	}
	return p, true
}

// draw makes places of random bytes; false: some language's words for them are the other language's for others.
func (l lexicon) draw(random []byte) (Words, bool) {
	p := Words(binary.BigEndian.Uint64(random) % (1 << (wordBits * tokenWords)))
	for lang := range l {
		if read, ok := l.parse(l.token(p, lang)); !ok || read != p {
			return p, false
		}
	}
	return p, true
}

// WordsOf draws the words of a submission: of one with a key always the same ones, in the same order of attempts; false: these are
// not to be used, try the next.
func (s Sealer) WordsOf(session, key string, attempt int) (Words, bool) {
	if key == "" {
		b := make([]byte, 8)
		_, _ = rand.Read(b) // never fails
		return s.lexicon.draw(b)
	}
	return s.lexicon.draw(s.MAC("words", session, key+"\x00"+strconv.Itoa(attempt)))
}

// Say writes words in a language, with hyphens between them; one that has no list says them in French.
func (s Sealer) Say(w Words, lang string) string { return s.lexicon.token(w, lang) }
