package redact

import (
	"bufio"
	"flag"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files")

// named makes the set of known names.
func named(names ...string) map[string]bool {
	known := map[string]bool{}
	for _, name := range names {
		known[name] = true
	}
	return known
}

// The corpus is a sentence a line, its golden file what is left of each. The first lines name who was there: "# names: …".
func TestCorpus(t *testing.T) {
	t.Parallel()
	const corpus, golden = "testdata/corpus.txt", "testdata/corpus.golden"
	file, err := os.Open(corpus)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	known := map[string]bool{}
	var left strings.Builder
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := lines.Text()
		if names, ok := strings.CutPrefix(line, "# names: "); ok {
			for _, name := range strings.Fields(names) {
				known[name] = true
			}
		} else if !strings.HasPrefix(line, "#") {
			line = Names(Contacts(line), known)
		}
		left.WriteString(line + "\n")
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, []byte(left.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(left.String(), "\n")); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
}

// What may be a name is listed once, in the order of the texts, without particles and single letters.
func TestWords(t *testing.T) {
	t.Parallel()
	got := Words([]string{"Merci à Jean-Pierre de La Tour", "", "JEAN, l'été\u00a0! 12 x"})
	if diff := cmp.Diff([]string{"merci", "jean", "pierre", "tour", "été"}, got); diff != "" {
		t.Errorf("words (-want +got):\n%s", diff)
	}
}

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
			if got := Contacts(row.text); got != row.want {
				t.Errorf("%q, not %q", got, row.want)
			}
		})
	}
}

func TestNamesAreTakenOut(t *testing.T) {
	t.Parallel()
	known := named("anne", "dupont", "jean", "zoé", "de", "li", "brien", "ольга")
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
		if got := Names(row.text, known); got != row.want {
			t.Errorf("%s: %q, not %q", row.name, got, row.want)
		}
	}
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
		got := Contacts(text)
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
		if !strings.HasSuffix(got, after) || !strings.Contains(got, Mark) {
			t.Errorf("%q becomes %q", text, got)
		}
	})
}

func FuzzRedact(f *testing.F) {
	for _, seed := range []string{"Anne a@b.fr 06 12 34 56 78", "+33 (0)6.12", "01/04/2020 0612345678", "Jean-\u0301 @", "é", "[…] […]", "0 1 anne 2 3 4 5 6 7 8 9"} {
		f.Add(seed)
	}
	known := named("anne", "a", "é")
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return // no text
		}
		once := Names(Contacts(text), known)
		if !utf8.ValidString(once) || len(once) > 3*len(text) {
			t.Errorf("%q becomes %q", text, once)
		}
		if twice := Names(Contacts(once), known); twice != once {
			t.Errorf("%q becomes %q, and then %q", text, once, twice)
		}
	})
}
