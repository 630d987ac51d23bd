package page

import (
	"io/fs"
	"maps"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"jauge/feedback/survey"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

// start is the moment of the tests.
var start = time.Date(2020, 4, 30, 18, 0, 0, 0, time.FixedZone("", 2*60*60))

// plurals are the forms that CLDR gives each language's whole numbers.
var plurals = map[string][]string{"fr": {"many", "one", "other"}, "en": {"one", "other"}}

// messages reads a catalogue flat: ids and their text, or their forms joined.
func messages(t *testing.T, tag string) map[string]string {
	t.Helper()
	content, err := os.ReadFile("messages/" + tag + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(content, &tree); err != nil {
		t.Fatal(err)
	}
	flat := map[string]string{}
	var walk func(prefix string, node map[string]any)
	walk = func(prefix string, node map[string]any) {
		if _, counted := node["other"].(string); counted {
			if forms := slices.Sorted(maps.Keys(node)); !slices.Equal(forms, plurals[tag]) {
				t.Errorf("%s %s has the forms %v", tag, prefix, forms)
			}
			for form, text := range node {
				if text == "" {
					t.Errorf("%s %s.%s is empty", tag, prefix, form)
				}
				flat[prefix] += text.(string)
			}
			return
		}
		for key, value := range node {
			id := strings.TrimPrefix(prefix+"."+key, ".")
			switch v := value.(type) {
			case map[string]any:
				walk(id, v)
			case string:
				flat[id] = v
			default:
				t.Errorf("%s %s is no text: %v", tag, id, v)
			}
		}
	}
	walk("", tree)
	return flat
}

func TestCatalogues(t *testing.T) {
	t.Parallel()
	fr, en := messages(t, "fr"), messages(t, "en")
	if diff := cmp.Diff(slices.Sorted(maps.Keys(fr)), slices.Sorted(maps.Keys(en))); diff != "" {
		t.Errorf("ids (-fr +en):\n%s", diff)
	}
	mentions := regexp.MustCompile(`\{\{?\.?\w+\}?\}`)
	for id, text := range fr {
		if strings.TrimSpace(text) == "" || strings.TrimSpace(en[id]) == "" {
			t.Errorf("%s is empty", id)
		}
		got, want := mentions.FindAllString(en[id], -1), mentions.FindAllString(text, -1)
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(slices.Compact(want), slices.Compact(got)); diff != "" {
			t.Errorf("%s mentions (-fr +en):\n%s", id, diff)
		}
		if strings.Contains(text+en[id], "!") {
			t.Errorf("%s exclaims", id)
		}
	}
}

// TestFrenchSpaces: French sets a space before some signs, and a line must not begin with one of them.
func TestFrenchSpaces(t *testing.T) {
	t.Parallel()
	breaks := regexp.MustCompile(` [;:!?»]|«[^\x{a0}\x{202f}]`)
	for id, text := range messages(t, "fr") {
		if found := breaks.FindString(text); found != "" {
			t.Errorf("%s may break at %q: %s", id, found, text)
		}
	}
}

// sourcesOf reads what there is of handlers and pages, by its path, without tests.
func sourcesOf(t *testing.T, extensions ...string) map[string]string {
	t.Helper()
	contents, handlers := map[string]string{}, os.DirFS("..")
	err := fs.WalkDir(handlers, ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || !slices.Contains(extensions, path.Ext(name)) || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "testdata/") {
			return err
		}
		content, err := fs.ReadFile(handlers, name)
		contents[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return contents
}

// TestMessagesAreUsed: every message is named in a template or in the code, alone or by its group.
func TestMessagesAreUsed(t *testing.T) {
	t.Parallel()
	var sources strings.Builder
	for _, content := range sourcesOf(t, ".go", ".html") {
		sources.WriteString(content)
	}
	code := sources.String()
	for id := range messages(t, "fr") {
		group, last, _ := strings.Cut(id, ".")
		composed := map[string]string{
			"error": `"error.`, "mistake": `"mistake."`, "state": `"state.%s"`, "choice": `"choice."`, "aside": `"aside.%s"`, "total": `"total.%s"`,
			"texts": `"texts.%s"`, "anonymity": `"anonymity.%s`,
		}[group]
		if strings.Contains(code, `"`+id+`"`) || composed != "" && strings.Contains(code, composed) {
			continue
		}
		t.Errorf("nothing says %s (%s)", id, last)
	}
}

// TestErrorsHaveTexts: every failure that a person may meet has a title and says what to do.
func TestErrorsHaveTexts(t *testing.T) {
	t.Parallel()
	known := messages(t, "fr")
	code := regexp.MustCompile(`(?:Code: |TooMany\(c, wait, )"(\w+)"`)
	found := 0
	for file, content := range sourcesOf(t, ".go") {
		for _, match := range code.FindAllStringSubmatch(content, -1) {
			found++
			if match[1] != "signature" && match[1] != "closed" && match[1] != "over" && (known["error."+match[1]+".title"] == "" || known["error."+match[1]+".help"] == "") {
				t.Errorf("%s: no text for the failure %s", file, match[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d failures were found", found)
	}
	for _, c := range []survey.Code{
		survey.Required, survey.Unknown, survey.Type, survey.Range, survey.NoChoice, survey.Repeated, survey.TooMany,
		survey.TooLong, survey.Unclean,
	} {
		if known["mistake."+string(c)] == "" {
			t.Errorf("no text for the mistake %s", c)
		}
	}
}

func languages(t *testing.T) (fr, en *Lang) {
	t.Helper()
	ls, err := NewLangs()
	if err != nil {
		t.Fatal(err)
	}
	return ls.ByTag("fr"), ls.ByTag("en")
}

func TestPlurals(t *testing.T) {
	t.Parallel()
	fr, en := languages(t)
	for _, row := range []struct {
		l    *Lang
		n    int
		want string
	}{
		{fr, 0, "0 minute"}, {fr, 1, "1 minute"}, {fr, 2, "2 minutes"}, {fr, 1000, "1\u202f000 minutes"}, {fr, 1_000_000, "1\u202f000\u202f000 minutes"},
		{en, 0, "0 minutes"}, {en, 1, "1 minute"}, {en, 2, "2 minutes"}, {en, 1000, "1,000 minutes"},
	} {
		if got, err := row.l.Count("survey.minutes", row.n); err != nil || got != row.want {
			t.Errorf("%s %d: %q %v, not %q", row.l.Tag, row.n, got, err, row.want)
		}
	}
	if _, err := fr.T("no.such.message"); err == nil {
		t.Error("a message that is not there is no error")
	}
}

func TestNumbersAndTimes(t *testing.T) {
	t.Parallel()
	fr, en := languages(t)
	first := time.Date(2020, 5, 1, 18, 4, 0, 0, start.Location())
	n := 1234
	for _, row := range []struct{ got, want string }{
		{fr.Number(1234), "1\u202f234"}, {en.Number(1234), "1,234"}, {fr.Number(-3), "-3"}, {fr.Number(0), "0"},
		{fr.Maybe(nil), "–"}, {fr.Maybe(&n), "1\u202f234"},
		{fr.Percent(0.125), "12,5\u00a0%"}, {en.Percent(0.125), "12.5%"}, {fr.Percent(0.14), "14\u00a0%"}, {en.Percent(1), "100%"},
		{fr.Clock(first), "18\u00a0h\u00a004"}, {en.Clock(first), "18:04"},
		{fr.Date(first), "vendredi 1er mai 2020"}, {fr.Date(first.AddDate(0, 0, 10)), "lundi 11 mai 2020"}, {en.Date(first), "Friday, May 1, 2020"},
		{fr.Zone(first), "UTC+02:00"},
		{fr.Stay(0), "0\u00a0min"}, {fr.Stay(59*time.Minute + 29*time.Second), "59\u00a0min"}, {en.Stay(65 * time.Minute), "1\u00a0h\u00a005\u00a0min"},
		{fr.Stay(1234 * time.Hour), "1\u202f234\u00a0h\u00a000\u00a0min"},
	} {
		if row.got != row.want {
			t.Errorf("%q, not %q", row.got, row.want)
		}
	}
}

func TestLanguageOfRequests(t *testing.T) {
	t.Parallel()
	ls, err := NewLangs()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ query, accept, want string }{
		{"", "", "fr"}, {"", "en-GB,en;q=0.9", "en"}, {"", "de, en;q=0.5", "en"}, {"", "de", "fr"}, {"", "fr-CA", "fr"},
		{"", "en;q=0.2, fr;q=0.8", "fr"}, {"?lang=en", "fr", "en"}, {"?lang=fr", "en", "fr"}, {"?lang=xx", "en", "en"}, {"", ";;;", "fr"},
	} {
		r := httptest.NewRequest("GET", "/"+row.query, nil)
		r.Header.Set("Accept-Language", row.accept)
		if got := ls.Of(r).Tag; got != row.want {
			t.Errorf("%q, %q: %s, not %s", row.query, row.accept, got, row.want)
		}
	}
}
