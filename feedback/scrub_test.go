package feedback

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"jauge/feedback/survey"
	"jauge/internal/redistest"
)

func TestContactsAreTakenOut(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text, want string }{
		{"an address", "Écrivez-moi à jean.dupont+jauge@exemple.fr.", "Écrivez-moi à […]."},
		{"an address after a colon", "mail:jean@sub.exemple.co.uk, merci", "mail:[…], merci"},
		{"an address in brackets", "Jean <jean@exemple.fr>", "Jean <[…]>"},
		{"an address with accents", "zoé@éxemple.fr", "[…]"},
		{"an address with spaces", "jean @ exemple.fr", "[…]"},
		{"an address that hides", "jean(at)exemple.fr et jean [AT] exemple.fr", "[…] et […]"},
		{"a full-width @", "jean＠exemple.fr", "[…]"},
		{"an address with a hidden character", "jean\u200b@exemple.fr", "[…]"},
		{"two addresses", "a@b.fr c@d.fr", "[…]"},
		{"no address", "rendez-vous @ midi, 3@5", "rendez-vous @ midi, 3@5"},

		{"French, in pairs", "au 06 12 34 56 78, le soir", "au […], le soir"},
		{"French, without a gap", "0612345678", "[…]"},
		{"French, dots", "Tél. 06.12.34.56.78.", "Tél. […]."},
		{"French, hyphens", "06-12-34-56-78", "[…]"},
		{"French, slashes", "06/12/34/56/78", "[…]"},
		{"French, other groups", "0612 345 678", "[…]"},
		{"French, no-break spaces", "06\u00a012\u202f34\u200956 78", "[…]"},
		{"French, international", "+33 6 12 34 56 78", "[…]"},
		{"French, international with 0", "+33 (0)6 12 34 56 78", "[…]"},
		{"French, 00", "0033612345678", "[…]"},
		{"French, 00 with spaces", "00 33 6 12 34 56 78", "[…]"},
		{"after a year", "en 2020 06 12 34 56 78", "en 2020 […]"},
		{"before a date", "06 12 34 56 78 le 30/04/2020", "[…] le 30/04/2020"},
		{"stuck to a word", "tel06 12 34 56 78", "tel[…]"},
		{"two on one line", "06 12 34 56 78 / 07 12 34 56 78", "[…]"},
		{"two on two lines", "06 12 34 56 78\n07 12 34 56 78", "[…]\n[…]"},
		{"looks like a date at first", "06.12.2034.56", "[…]"},
		{"British", "+44 20 7946 0958 or 020 7946 0958", "[…] or […]"},
		{"German", "+49 (0) 171 / 123 45 67", "[…]"},
		{"American", "(555) 123-4567 or 555.123.4567 or +1 555 123 4567", "[…] or […] or […]"},
		{"Arabic digits", "٠٦١٢٣٤٥٦٧٨", "[…]"},

		{"years", "1914-1918, 1939-1945, 2018/2019, 2020", ""},
		{"short years", "la guerre de 14-18", ""},
		{"thousands", "10 000 élèves, 1 500 000 €, 1.234.567,89", ""},
		{"billions", "1 000 000 000 d'habitants, 8 100 000 000", ""},
		{"dates", "le 01/04/2020, 01.04.2020, 01-04-2020 18 30, 2020-04-01 18:30", ""},
		{"hours", "de 09 h 00 à 10 h 30, 09:00-10:30", ""},
		{"scales", "de 0 à 10, 8/10, 0-10", ""},
		{"decimals", "3,14159265 et 99.99 %", ""},
		{"a postal code", "92700 Colombes, 75005 Paris", ""},
		{"a score of its own", "+10 % à 0,5 près", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if row.want == "" {
				row.want = row.text
			}
			if got := redactContacts(row.text); got != row.want {
				t.Errorf("%q, not %q", got, row.want)
			}
		})
	}
}

// named is a session where people with these names were seen.
func named(names ...string) func(context.Context, string, []string) (map[string]bool, error) {
	return func(_ context.Context, session string, words []string) (map[string]bool, error) {
		found := map[string]bool{}
		for _, word := range words {
			for _, name := range names {
				if session == "law" && word == name {
					found[word] = true
				}
			}
		}
		return found, nil
	}
}

func TestNamesAreTakenOut(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil, "")
	s.UseNames(named("anne", "dupont", "jean", "zoé", "de", "li", "brien", "ольга"))
	for _, row := range []struct{ name, text, want string }{
		{"first and last", "Merci à Anne Dupont, et à vous.", "Merci à […], et à vous."},
		{"whatever the case", "merci anne, ANNE", "merci […], […]"},
		{"with a hyphen", "Jean-Pierre et Jean‑Luc", "[…] et […]"},
		{"after an apostrophe", "l'avis d'Anne, O’Brien", "l'avis d'[…], O’[…]"},
		{"decomposed", "Zoe\u0301 a raison", "[…] a raison"},
		{"two letters", "Li parle bien", "[…] parle bien"},
		{"another script", "спасибо, Ольга", "спасибо, […]"},
		{"a particle is no name", "de quoi parler", "de quoi parler"},
		{"a part of a word is no name", "Une annexe, Anneau", "Une annexe, Anneau"},
		{"on two lines", "Anne\nDupont", "[…]\n[…]"},
		{"nothing", "", ""},
	} {
		got, err := s.redactNames(t.Context(), "law", []string{row.text})
		if err != nil || got[0] != row.want {
			t.Errorf("%s: %q, %v, not %q", row.name, got, err, row.want)
		}
	}
}

// Names are asked for once each, and no more than a thousand at a time.
func TestNamesAreAskedInBounds(t *testing.T) {
	t.Parallel()
	s, asked := newStore(t, nil, ""), 0
	s.UseNames(func(_ context.Context, _ string, words []string) (map[string]bool, error) {
		if asked += len(words); len(words) > wordsAtOnce {
			t.Errorf("%d words at once", len(words))
		}
		return map[string]bool{words[len(words)-1]: true}, nil
	})
	var text strings.Builder
	for i := range 2 * wordsAtOnce {
		word := string([]rune{'a' + rune(i%26), 'a' + rune(i/26%26), 'a' + rune(i/26/26), 'x'})
		text.WriteString(word + " " + strings.ToUpper(word) + ", ")
	}
	got, err := s.redactNames(t.Context(), "law", []string{text.String()})
	if err != nil || asked != 2*wordsAtOnce || strings.Count(got[0], Redacted) != 2 {
		t.Errorf("%d asked, %d names, %v", asked, strings.Count(got[0], Redacted), err)
	}
}

// Nothing of what is taken out reaches the store, on whichever way the answer comes.
func TestStoredTextsAreScrubbed(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s := newStore(t, rdb, prefix)
		s.UseNames(named("li"))
		const said, want = "a@b.co 612345678 Li", "[…]"
		sub := submission(survey.Answers{"rating": {"4"}, "comment": {said}})
		receipts := map[string]string{"submitted": mustSubmit(t, s, sub)}
		sub.Key = "form:1"
		receipts["submitted with a key"] = mustSubmit(t, s, sub)
		receipts["changed"] = mustSubmit(t, s, submission(survey.Answers{"rating": {"4"}}))
		if err := s.Change(t.Context(), "law", receipts["changed"], asked(), survey.Answers{"comment": {said}}, "fr"); err != nil {
			t.Fatal(err)
		}
		d := Delivery{Source: "tally", Room: "law", Key: "1", At: evening, Values: map[string]any{"rating": 4, "comment": said}}
		claim := func(context.Context, string, string, time.Time) (Target, error) {
			return Target{Session: "law", Survey: asked()}, nil
		}
		if r, err := s.Deliver(t.Context(), d, Programme{Claim: claim}); err != nil || !r.Recorded {
			t.Fatalf("%+v, %v", r, err)
		}
		receipts["delivered"] = s.receiptOf("law", s.name(d))
		for how, receipt := range receipts {
			row, err := s.Get(t.Context(), "law", receipt)
			if err != nil || row.Answers["comment"].String() != want {
				t.Errorf("%s: %q, %v", how, row.Answers["comment"], err)
			}
		}
		if sub.Answers["comment"].String() != said {
			t.Error("the caller's answers were changed")
		}
		d.Key, claim = "2", func(context.Context, string, string, time.Time) (Target, error) { return Target{}, nil }
		if _, err := s.Deliver(t.Context(), d, Programme{Claim: claim}); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{s.asideKeys(d.Source)[0], s.rowsKey("law")} {
			kept, err := rdb.HGetAll(t.Context(), key).Result()
			if text := fmt.Sprint(kept); err != nil || len(kept) == 0 || strings.Contains(text, "b.co") || strings.Contains(text, "61234") || strings.Contains(text, "Li") {
				t.Errorf("%s: %s, %v", key, text, err)
			}
		}
	})
}

// An answer is kept when names cannot be looked up; addresses and numbers are taken out all the same.
func TestNamesAreAway(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		s.UseNames(func(context.Context, string, []string) (map[string]bool, error) { return nil, errors.New("away") })
		receipt := mustSubmit(t, s, submission(survey.Answers{"comment": {"Anne, a@b.fr"}}))
		row, err := s.Get(t.Context(), "law", receipt)
		if err != nil || row.Answers["comment"].String() != "Anne, […]" {
			t.Errorf("%q, %v", row.Answers["comment"], err)
		}
	})
}

// However a French number is written, none of it is left, and what stands around it is.
func TestFrenchNumbers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		separator := rapid.SampledFrom([]string{"", " ", ".", "-", "/", "\u00a0", "\u202f", "\u2009", " - ", "–", ") ", "\u200b"})
		number := rapid.SampledFrom([]string{"0", "+33", "+33 ", "+33 (0)", "0033", "00 33 ", "(0)", "+33-"}).Draw(t, "prefix")
		number += rapid.StringMatching(`[1-9]`).Draw(t, "first")
		gap := separator.Draw(t, "separator")
		for range 4 {
			number += gap + rapid.StringMatching(`\d\d`).Draw(t, "pair")
		}
		around := rapid.SampledFrom([]string{"", "a ", "né en 1999, ", "le 14-18 ", "« ", "tél: ", "\n"})
		before, after := around.Draw(t, "before"), rapid.SampledFrom([]string{"", ".", ", merci", " le soir", "\n10 000"}).Draw(t, "after")
		text := before + number + after
		got := redactContacts(text)
		digits := func(s string) int {
			return strings.Count(strings.Map(func(r rune) rune {
				if r >= '0' && r <= '9' {
					return '9'
				}
				return -1
			}, s), "9")
		}
		if kept := digits(got); kept > digits(before)+digits(after) {
			t.Errorf("%q leaves %q", text, got)
		}
		if !strings.HasSuffix(got, after) || !strings.Contains(got, Redacted) {
			t.Errorf("%q becomes %q", text, got)
		}
	})
}

func FuzzScrub(f *testing.F) {
	for _, seed := range []string{"Anne a@b.fr 06 12 34 56 78", "+33 (0)6.12", "01/04/2020 0612345678", "Jean-\u0301 @", "é", "[…] […]", "0 1 anne 2 3 4 5 6 7 8 9"} {
		f.Add(seed)
	}
	s, err := New(nil, "", secret, nil)
	if err != nil {
		f.Fatal(err)
	}
	s.UseNames(named("anne", "a", "é"))
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return // refused by the parsers
		}
		scrub := func(text string) string {
			kept, err := s.redactNames(context.Background(), "law", []string{redactContacts(text)})
			if err != nil {
				t.Fatal(err)
			}
			return kept[0]
		}
		once := scrub(text)
		if !utf8.ValidString(once) || len(once) > 3*len(text) {
			t.Errorf("%q becomes %q", text, once)
		}
		if twice := scrub(once); twice != once {
			t.Errorf("%q becomes %q, and then %q", text, once, twice)
		}
	})
}
