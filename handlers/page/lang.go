package page

import (
	"embed"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-playground/locales"
	"github.com/go-playground/locales/en"
	"github.com/go-playground/locales/fr"
	"github.com/goccy/go-yaml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"jauge/internal/text"
)

//go:embed messages/*.yaml
var messageFiles embed.FS

// unknown is how pages write a figure that is not known; it is never written as 0.
const unknown = "–"

// Lang speaks one language: its messages with their plurals, its numbers, dates and times.
type Lang struct {
	Tag      string
	messages *i18n.Localizer
	locale   locales.Translator
	clock    string // of a time's hour and minute
}

// Langs are the languages that pages are written in, the default first.
type Langs struct {
	matcher language.Matcher
	all     []*Lang
}

// NewLangs reads the messages.
func NewLangs() (*Langs, error) {
	all := []*Lang{
		{Tag: "fr", locale: fr.New(), clock: "15\u00a0h\u00a004"},
		{Tag: "en", locale: en.New(), clock: "15:04"},
	}
	bundle := i18n.NewBundle(language.French)
	bundle.RegisterUnmarshalFunc("yaml", yaml.Unmarshal)
	tags := make([]language.Tag, len(all))
	for i, l := range all {
		if _, err := bundle.LoadMessageFileFS(messageFiles, "messages/"+l.Tag+".yaml"); err != nil {
			return nil, fmt.Errorf("messages: %w", err)
		}
		l.messages = i18n.NewLocalizer(bundle, l.Tag)
		tags[i] = language.Make(l.Tag)
	}
	return &Langs{matcher: language.NewMatcher(tags), all: all}, nil
}

// Of chooses the language of a request: ?lang=, or the form's lang, then Accept-Language, then French.
func (ls *Langs) Of(r *http.Request) *Lang {
	if l := ls.ByTag(Chosen(r)); l != nil {
		return l
	}
	tags, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil || len(tags) == 0 {
		return ls.all[0]
	}
	_, i, _ := ls.matcher.Match(tags...)
	return ls.all[i]
}

// ByTag is the language with this tag; nil: pages are not written in it.
func (ls *Langs) ByTag(tag string) *Lang {
	for _, l := range ls.all {
		if l.Tag == tag {
			return l
		}
	}
	return nil
}

// Chosen is the language tag that the query or the form names, whether pages speak it or not; empty: none.
func Chosen(r *http.Request) string {
	if tag := r.PostForm.Get("lang"); tag != "" {
		return tag
	}
	return r.URL.Query().Get("lang")
}

// Dir is how the language is written, for HTML's dir: "ltr" or "rtl".
func (l *Lang) Dir() string { return text.Direction(l.Tag) }

// T is the message with this id; pairs are the names and values that it mentions.
func (l *Lang) T(id string, pairs ...any) (string, error) {
	return l.messages.Localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: data(pairs)})
}

// Count is the message with this id in the form that n takes; the message mentions n as .N.
func (l *Lang) Count(id string, n int, pairs ...any) (string, error) {
	return l.messages.Localize(&i18n.LocalizeConfig{
		MessageID: id, PluralCount: n, TemplateData: data(append(pairs, "N", l.Number(n))),
	})
}

// Word is the message with this id, which does not mention n, in the form that n takes; the plural for what is not known.
func (l *Lang) Word(id string, n *int) (string, error) {
	if n == nil {
		return l.Count(id, 2)
	}
	return l.Count(id, *n)
}

func data(pairs []any) map[string]any {
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m
}

// Number writes a whole number: "1 234" in French, "1,234" in English.
func (l *Lang) Number(n int) string { return l.locale.FmtNumber(float64(n), 0) }

// Maybe is Number, or a dash for what is not known.
func (l *Lang) Maybe(n *int) string {
	if n == nil {
		return unknown
	}
	return l.Number(*n)
}

// Decimal writes a number with so many decimals: "28,6" in French.
func (l *Lang) Decimal(n float64, digits uint64) string { return l.locale.FmtNumber(n, digits) }

// Signed is Decimal with its sign, also of what is above zero.
func (l *Lang) Signed(n float64, digits uint64) string {
	text := l.Decimal(max(n, -n), digits)
	switch {
	case strings.Trim(text, "0,.") == "":
		return text
	case n < 0:
		return "−" + text
	}
	return "+" + text
}

// Percent writes a share from 0 to 1 with at most one decimal: "12,5 %" in French, "12.5%" in English.
func (l *Lang) Percent(share float64) string {
	whole := l.locale.FmtPercent(share*100, 1)
	for _, zero := range []string{",0", ".0"} {
		whole = strings.Replace(whole, zero, "", 1)
	}
	return whole
}

// Clock writes the time of day: "18 h 24" in French, "18:24" in English.
func (l *Lang) Clock(t time.Time) string { return t.Format(l.clock) }

// Stay writes how long people stayed: "1 h 05 min", "12 min" below an hour, in hours and minutes however long.
func (l *Lang) Stay(d time.Duration) string {
	minutes := int(d.Round(time.Minute) / time.Minute)
	if minutes < 60 {
		return fmt.Sprintf("%d\u00a0min", minutes)
	}
	return fmt.Sprintf("%s\u00a0h\u00a0%02d\u00a0min", l.Number(minutes/60), minutes%60)
}

// Date writes the day in words; French counts the first of a month as "1er".
func (l *Lang) Date(t time.Time) string {
	date := l.locale.FmtDateFull(t)
	if l.Tag == "fr" && t.Day() == 1 {
		date = strings.Replace(date, " 1 ", " 1er ", 1)
	}
	return date
}

// Zone names the offset that a session's times are written in: "UTC+02:00".
func (l *Lang) Zone(t time.Time) string { return "UTC" + t.Format("-07:00") }

// Phrase is a text of the organiser's; Lang is set when it is in another language than the page, because it was not
// written in that one.
type Phrase struct{ Text, Lang string }

// Dir is the direction in which the phrase is written, when Lang is set.
func (p Phrase) Dir() string { return text.Direction(p.Lang) }

// Say says a text in the language, or in the one that it is written in.
func (l *Lang) Say(t text.Text) Phrase {
	p := Phrase{Text: t.In(l.Tag)}
	if spoken := t.Spoken(l.Tag); spoken != l.Tag {
		p.Lang = spoken
	}
	return p
}
