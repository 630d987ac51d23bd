package redact

import (
	"regexp"
	"unicode"
	"unicode/utf8"
)

// The forms of addresses and telephone numbers. Between the digits of a number may stand up to three separators, no line end. Digits
// are a number if they begin with + or 00 and go on for 8 digits or more, or with 0 for 9 or more, or have the groups of North
// America (555 123-4567), or are 9 or more without a gap. So years, dates, "10 000" and "14-18" stay.
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

// Contacts takes e-mail addresses and telephone numbers out of a text.
func Contacts(text string) string {
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

// dates finds the dates of a text, whose digits could look like a telephone number.
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
