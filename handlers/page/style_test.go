package page

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// mostStyle is how many bytes the stylesheet may have.
const mostStyle = 8 << 10

func stylesheet(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("assets/style.css")
	if err != nil {
		t.Fatal(err)
	}
	if len(content) > mostStyle {
		t.Errorf("the stylesheet has %d bytes", len(content))
	}
	return regexp.MustCompile(`(?s)/\*.*?\*/`).ReplaceAllString(string(content), "")
}

var (
	schemes  = regexp.MustCompile(`:root \{[^}]*\}`)
	token    = regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{3,6})`)
	colour   = regexp.MustCompile(`#[0-9a-fA-F]{3,8}\b|\b(?:rgb|hsl|oklch|color-mix)\(`)
	physical = regexp.MustCompile(`(?:^|[\s{;-])(left|right)\b`)
	sides    = regexp.MustCompile(`(?:padding|margin|border-width|inset): *([^\s;]+) ([^\s;]+) ([^\s;]+) ([^\s;]+);`)
	moving   = regexp.MustCompile(`transition|animation|@keyframes|scroll-behavior: smooth`)
)

// luminance is the relative luminance that WCAG 2.2 defines, of #rgb or #rrggbb.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	hex = strings.TrimPrefix(hex, "#")
	if len(hex) == 3 {
		hex = fmt.Sprintf("%[1]c%[1]c%[2]c%[2]c%[3]c%[3]c", hex[0], hex[1], hex[2])
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		value, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(value) / 255
		if c <= 0.04045 {
			sum += weight * c / 12.92
		} else {
			sum += weight * math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return sum
}

// contrast is WCAG's contrast ratio, from 1 to 21.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// TestContrast computes what a browser cannot always tell: every pair of colours that may meet, on a light screen, on a
// dark one and on paper. Text needs 4.5 : 1 (WCAG 1.4.3), edges, rings and curves 3 : 1 (1.4.11).
func TestContrast(t *testing.T) {
	t.Parallel()
	for text, want := range map[[2]string]float64{{"#000", "#ffffff"}: 21, {"#777777", "#fff"}: 4.48, {"#fff", "#fff"}: 1} { // published values
		if got := contrast(t, text[0], text[1]); math.Abs(got-want) > 0.005 {
			t.Fatalf("%v: %.3f, not %.2f", text, got, want)
		}
	}
	css := stylesheet(t)
	blocks := schemes.FindAllString(css, -1)
	if len(blocks) != 3 {
		t.Fatalf("%d sets of colours, not light, dark and paper", len(blocks))
	}
	for i, scheme := range []string{"light", "dark", "paper"} {
		colours := map[string]string{}
		judged := map[string]bool{"paper": true, "rule": true} // rules only part what is apart anyway
		for _, found := range token.FindAllStringSubmatch(blocks[i], -1) {
			colours[found[1]] = found[2]
		}
		for _, pair := range []struct {
			front, back string
			least       float64
		}{
			{"ink", "paper", 4.5}, {"quiet", "paper", 4.5}, {"accent", "paper", 4.5}, {"on-accent", "accent", 4.5},
			{"well", "paper", 4.5}, {"caution", "paper", 4.5}, {"wrong", "paper", 4.5},
			{"edge", "paper", 3}, {"now", "paper", 3}, {"before", "paper", 3},
		} {
			if colours[pair.front] == "" || colours[pair.back] == "" {
				t.Fatalf("%s lacks %s or %s", scheme, pair.front, pair.back)
			}
			if got := contrast(t, colours[pair.front], colours[pair.back]); got < pair.least {
				t.Errorf("%s: %s on %s has %.2f : 1, and needs %.1f : 1", scheme, pair.front, pair.back, got, pair.least)
			}
			judged[pair.front] = true
		}
		for name := range colours {
			if judged[name] {
				continue
			}
			t.Errorf("%s: nobody has judged the contrast of %s", scheme, name)
		}
	}
	rest := strings.ReplaceAll(schemes.ReplaceAllString(css, ""), ".qr { background: #fff;", "") // scanners need white
	for _, literal := range colour.FindAllString(rest, -1) {
		t.Errorf("%s is a colour outside of the tokens", literal)
	}
	for _, word := range []string{"opacity", "filter:", "forced-color-adjust"} {
		if strings.Contains(rest, word) {
			t.Errorf("%s changes colours behind the tokens' back", word)
		}
	}
}

// TestStyleHasNoSides: nothing in the stylesheet is on the left or on the right, so that pages can be mirrored; and
// nothing moves for those who asked for stillness.
func TestStyleHasNoSides(t *testing.T) {
	t.Parallel()
	css := stylesheet(t)
	for _, found := range physical.FindAllString(css, -1) {
		t.Errorf("%q: say start or end", strings.TrimSpace(found))
	}
	for _, found := range sides.FindAllStringSubmatch(css, -1) {
		if found[2] != found[4] {
			t.Errorf("%q is not the same on both sides", found[0])
		}
	}
	still, _, _ := strings.Cut(css, "@media (prefers-reduced-motion: no-preference)")
	if found := moving.FindString(still); found != "" {
		t.Errorf("%s, whatever was asked for; put it under prefers-reduced-motion: no-preference, at the end", found)
	}
}
