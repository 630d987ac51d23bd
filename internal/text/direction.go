package text

import "golang.org/x/text/language"

// Direction returns "rtl" for a language that is written from right to left and "ltr" for all others, as HTML's dir
// attribute takes it. The language is a BCP 47 tag; its script decides, the likely one where the tag names none.
func Direction(lang string) string {
	script, _ := language.Make(lang).Script()
	switch script.String() {
	case "Adlm", "Arab", "Hebr", "Mand", "Nkoo", "Rohg", "Syrc", "Thaa":
		return "rtl"
	}
	return "ltr"
}
