package text

import (
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold normalises a text for comparison: case, kinds of space and of apostrophe, composed and compatible letters.
// Accents stay: "marche" and "marché" are two answers.
func Fold(s string) string {
	s = cases.Fold().String(norm.NFKC.String(s))
	return strings.Join(strings.Fields(strings.ReplaceAll(s, "’", "'")), " ")
}
