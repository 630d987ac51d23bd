package text

import "testing"

func TestFold(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"OUI":                    "oui",
		"\u00a0Peut\u202fêtre\n": "peut être",
		"L’Été":                  "l'été",
		"L'E\u0301te\u0301":      "l'été",
		"Straße":                 "strasse",
		"ﬁn":                     "fin",
		"Ｌｉ":                     "li",
		"Marché":                 "marché",
		"œuf":                    "œuf",
		"":                       "",
	} {
		if got := Fold(typed); got != want {
			t.Errorf("%q is folded to %q, not %q", typed, got, want)
		}
	}
}
