package text

import "testing"

func TestDirection(t *testing.T) {
	t.Parallel()
	for lang, want := range map[string]string{
		"ar": "rtl", "he": "rtl", "fa": "rtl", "ur": "rtl", "ar-MA": "rtl", "yi": "rtl", "dv": "rtl", "az-Arab": "rtl", "pa-PK": "rtl",
		"fr": "ltr", "en": "ltr", "az": "ltr", "ja": "ltr", "": "ltr", "no language": "ltr",
	} {
		if got := Direction(lang); got != want {
			t.Errorf("%q is written %s, not %s", lang, got, want)
		}
	}
}
