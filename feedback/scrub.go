package feedback

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"jauge/feedback/survey"
)

// People write names and numbers into text answers although they are asked not to. What can be recognised is taken out
// before an answer is kept: e-mail addresses and telephone numbers by their form, names by asking who was seen in the
// session. Names are looked for again whenever a text is read, because some are seen only after it was written. What
// is left over is for the organiser to hide, see texts.go.

// Redacted stands in a text for what was taken out of it; neighbours share one.
const Redacted = "[…]"

// UseNames says how names are found; call it before the first answer. find is given words of a text (folded, letters
// only, at most wordsAtOnce) and returns those that are part of the name of somebody seen in the session.
func (s *Store) UseNames(find func(ctx context.Context, session string, words []string) (map[string]bool, error)) {
	s.names = find
}

// wordsAtOnce bounds one question for names.
const wordsAtOnce = 1000

// redact returns answers as they may be kept. While the store is away names stay in until the text is read: an answer
// must not be lost for that.
func (s *Store) redact(ctx context.Context, session string, whole *survey.Survey, answers survey.Answers) survey.Answers {
	var asked, texts []string
	for _, q := range whole.All() {
		if said, ok := answers[q.ID]; ok && q.IsText() {
			asked, texts = append(asked, q.ID), append(texts, redactContacts(said.String()))
		}
	}
	if len(texts) == 0 {
		return answers
	}
	_ = s.journal.Try(ctx, func(ctx context.Context) error {
		without, err := s.redactNames(ctx, session, texts)
		if err == nil {
			texts = without
		}
		return err
	})
	kept := maps.Clone(answers)
	for i, id := range asked {
		kept[id] = survey.Value{texts[i]}
	}
	return kept
}

// redactNames takes the names of people seen in a session out of texts.
func (s *Store) redactNames(ctx context.Context, session string, texts []string) ([]string, error) {
	if s.names == nil {
		return texts, nil
	}
	asked := map[string]bool{}
	var all []string
	for _, text := range texts {
		for _, w := range wordsOf(text) {
			for _, part := range w.parts {
				if !asked[part] {
					asked[part] = true
					all = append(all, part)
				}
			}
		}
	}
	names := map[string]bool{}
	for words := range slices.Chunk(all, wordsAtOnce) {
		found, err := s.names(ctx, session, words)
		if err != nil {
			return nil, err
		}
		for name, is := range found {
			names[name] = names[name] || is
		}
	}
	without := make([]string, len(texts))
	for i, text := range texts {
		var found []span
		for _, w := range wordsOf(text) {
			if slices.ContainsFunc(w.parts, func(part string) bool { return names[part] }) {
				found = append(found, w.span)
			}
		}
		without[i] = cut(text, found)
	}
	return without, nil
}

// span is a part of a text, in bytes.
type span struct{ from, to int }

// nameable is a word with its hyphens ("Jean-Pierre"): a name if one of its parts is.
type nameable struct {
	span
	parts []string // folded; without those that cannot be told from the language
}

var (
	wordPattern = regexp.MustCompile(`[\p{L}\p{M}]+(?:\p{Pd}[\p{L}\p{M}]+)*`)

	// particles are parts of names that every other sentence holds.
	particles = strings.Fields("al da de del della den der des di do dos du el et la las le les lo los of the van von und y")
)

// wordsOf lists the words of a text that may be names.
func wordsOf(text string) []nameable {
	var all []nameable
	for _, at := range wordPattern.FindAllStringIndex(text, -1) {
		w := nameable{span: span{at[0], at[1]}}
		for _, part := range strings.FieldsFunc(text[at[0]:at[1]], func(r rune) bool { return unicode.Is(unicode.Pd, r) }) {
			if part = survey.Fold(part); utf8.RuneCountInString(part) > 1 && !slices.Contains(particles, part) {
				w.parts = append(w.parts, part)
			}
		}
		all = append(all, w)
	}
	return all
}

// The forms of addresses and numbers. Between the digits of a number stand up to three separators, never a line's end. A
// number is one if it begins with + or 00 and goes on for 8 digits or more, or with 0 for 9 or more, or has the groups of
// North America (555 123-4567), or is 9 digits or more without a gap. So years, dates, "10 000" and "14-18" are none.
const (
	between = `[\p{Zs}\p{Cf}\p{Pd}\t./()·_*]{0,3}`
	label   = `[\p{L}\p{M}\p{N}\p{Cf}_-]+`
)

var (
	mailPattern = regexp.MustCompile(`[^\pZ\p{Cc}@＠<>()\[\]{},;:"«»“”…]+ ?(?:@|＠|\((?i:at|arobase)\)|\[(?i:at|arobase)\]) ?` + label + `(?:\.` + label + `)+`)

	phonePattern = regexp.MustCompile(`(?:^|[^\p{Nd}])(` +
		`(?:\+|00)` + between + `[1-9](?:` + between + `\d){7,}` +
		`|0` + between + `[1-9](?:` + between + `\d){7,}` +
		`|\(?[2-9]\d{2}\)?[\p{Zs}\p{Pd}.]{1,2}\d{3}[\p{Zs}\p{Pd}.]\d{4}` +
		`|\p{Nd}{9,})`)

	datePattern = regexp.MustCompile(`\d{1,2}[/.-]\d{1,2}[/.-](?:19|20)\d{2}|(?:19|20)\d{2}[/.-]\d{1,2}[/.-]\d{1,2}`)
	nextDigit   = regexp.MustCompile(`^[/.-]?\p{Nd}`)
)

// redactContacts takes e-mail addresses and telephone numbers out of a text.
func redactContacts(text string) string {
	var found []span
	for _, at := range mailPattern.FindAllStringIndex(text, -1) {
		found = append(found, span{at[0], at[1]})
	}
	text, found = cut(text, found), nil
	from := 0
	for _, date := range append(dates(text), span{len(text), len(text)}) {
		found = append(found, phones(text, from, date.from)...)
		from = date.to
	}
	return cut(text, found)
}

// dates finds the dates of a text, whose digits a telephone number could be made of.
func dates(text string) []span {
	var found []span
	for _, at := range datePattern.FindAllStringIndex(text, -1) {
		before, _ := utf8.DecodeLastRuneInString(text[:at[0]])
		if !unicode.IsDigit(before) && !nextDigit.MatchString(text[at[1]:]) {
			found = append(found, span{at[0], at[1]})
		}
	}
	return found
}

// phones finds the telephone numbers between two places of a text.
func phones(text string, from, to int) []span {
	var found []span
	for _, at := range phonePattern.FindAllStringSubmatchIndex(text[from:to], -1) {
		found = append(found, span{from + at[2], from + at[3]})
	}
	return found
}

// neighbours are what is taken out with nothing but blanks or a hyphen between.
var neighbours = regexp.MustCompile(`\[…\](?:[\p{Zs}\t-]*\[…\])+`)

// cut puts Redacted in the place of each span; spans are in order and apart.
func cut(text string, spans []span) string {
	if len(spans) == 0 {
		return text
	}
	var b strings.Builder
	done := 0
	for _, s := range spans {
		b.WriteString(text[done:s.from] + Redacted)
		done = s.to
	}
	b.WriteString(text[done:])
	return neighbours.ReplaceAllLiteralString(b.String(), Redacted)
}
