package e2e

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var (
	// axe is axe-core 4.14.1 as npm has it, under the Mozilla Public License 2.0 (its header says so). The browser's
	// protocol puts it into the page; the service never serves it, and the page's policy does not see it.
	//
	//go:embed testdata/axe.min.js
	axe string

	//go:embed testdata/measure.js
	measure string
)

var (
	// standards are the tags of the rules that pages keep: WCAG 2.0 to 2.2, levels A and AA, and what axe calls best practice.
	standards = []string{"wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"}

	// colours are the rules that may come out differently in other colours.
	colours = []string{"color-contrast", "link-in-text-block"}
)

// judged are rules that axe may leave to people, and who has judged them.
var judged = map[string]string{
	"color-contrast": "handlers/page/style_test.go computes the contrast of every pair of colours; forced ones are the system's own",
}

// findings is what axe says of a page.
type findings struct {
	Violations, Incomplete []finding
	Passes                 []string
}

type finding struct {
	Rule, Help string
	Nodes      []string
}

// axe lets axe look at the page as it is shown now. The page needs both scripts.
func (b browser) axe(rules []string) findings {
	b.t.Helper()
	list, err := json.Marshal(rules)
	if err != nil {
		b.t.Fatal(err)
	}
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("measure.axe("+string(list)+")", chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatal(err)
	}
	var found findings
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		b.t.Fatal(err)
	}
	return found
}

// checkAxe holds the page to axe: it finds nothing, and leaves nothing open that nobody has judged.
func (v *view) checkAxe(l look) {
	v.t.Helper()
	if l.rules == nil {
		return
	}
	found := v.axe(l.rules)
	for _, f := range found.Violations {
		v.t.Errorf("%s: axe finds %s: %s\n\t%s", l.name, f.Rule, f.Help, strings.Join(f.Nodes, "\n\t"))
	}
	for _, f := range found.Incomplete {
		v.t.Logf("%s: axe leaves open %s: %s", l.name, f.Rule, strings.Join(f.Nodes, "; "))
		if judged[f.Rule] == "" {
			v.t.Errorf("%s: nobody has judged %s: %s", l.name, f.Rule, f.Help)
		}
	}
	for _, rule := range []string{"color-contrast", "html-has-lang", "page-has-heading-one", "region", "target-size"} {
		if rule != "color-contrast" && slices.Equal(l.rules, colours) {
			continue
		}
		if !slices.Contains(found.Passes, rule) && !slices.ContainsFunc(found.Incomplete, func(f finding) bool { return f.Rule == rule }) {
			v.t.Errorf("%s: axe has not looked at %s", l.name, rule)
		}
	}
}

// faulty is a page with a mistake for everything that the checks look for.
const faulty = `<!doctype html><title>Faulty</title><img src="data:,"><p style="color: #999; background: #fff">Pale</p>
	<button style="outline: none; width: 20px; height: 20px; margin-left: 100px">x</button>
	<p style="width: 900px">Wide</p>`

// TestChecksSeeFaults: axe and the measures find what is wrong with a page.
func TestChecksSeeFaults(t *testing.T) {
	t.Parallel()
	b := openBrowser(t, 320, 740)
	b.do(chromedp.Navigate(host(t, faulty)))
	b.run("axe", axe)
	b.run("measure.js", measure)
	var found []string
	for _, f := range b.axe(standards).Violations {
		found = append(found, f.Rule)
	}
	for _, rule := range []string{"image-alt", "html-has-lang", "color-contrast", "page-has-heading-one", "region"} {
		if !slices.Contains(found, rule) {
			t.Errorf("axe does not find %s, but %v", rule, found)
		}
	}
	b.do(chromedp.KeyEvent(kb.Tab))
	for _, row := range []struct{ measure, want string }{
		{"measure.small().join()", "button"}, {"measure.wide().join()", "the page"}, {"measure.unmirrored().join()", "button"},
		{"measure.ring().width", "0"}, {"measure.stops().length", "1"}, {"measure.stop()", "0"},
	} {
		if got := b.js(row.measure); !strings.Contains(got, row.want) {
			t.Errorf("%s is %q, without %q", row.measure, got, row.want)
		}
	}
}
