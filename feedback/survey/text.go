package survey

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// FreeText is a few lines, at most MaxLength characters.
const FreeText Kind = "text"

// maxTextLength is what MaxLength may be at most.
const maxTextLength = 2000

type freeText struct{ base }

func (freeText) traits() traits { return traits{fields: []string{"max_length"}, length: 500} }

func (freeText) check(v *validator, at string, q Question) {
	if q.MaxLength < 0 || q.MaxLength > maxTextLength {
		v.add(at+".max_length", "%d is not between 1 and %d", q.MaxLength, maxTextLength)
	}
}

func (freeText) read(q Question, said []string) (Value, *FieldError) {
	return readText(q, said[0], true)
}

// readText trims a text and refuses what is none. Browsers send line ends as CR LF, which counts as one character.
func readText(q Question, said string, lines bool) (Value, *FieldError) {
	if !utf8.ValidString(said) {
		return nil, &FieldError{Code: Unclean}
	}
	said = strings.TrimSpace(strings.ReplaceAll(said, "\r\n", "\n"))
	if strings.ContainsFunc(said, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }) {
		return nil, &FieldError{Code: Unclean}
	}
	if !lines && strings.Contains(said, "\n") {
		return nil, &FieldError{Code: Lines}
	}
	if utf8.RuneCountInString(said) > q.Limit() {
		return nil, &FieldError{Code: TooLong, Max: q.Limit()}
	}
	if said == "" {
		return nil, nil
	}
	return Value{said}, nil
}

func (freeText) fromTool(_ Question, said string) (string, *FieldError) { return said, nil }

// counted is nothing: words are read, not counted.
func (freeText) counted(Question, Value) []string { return nil }
