package receipt

import (
	"bytes"
	"strings"
	"testing"
)

func TestThreeWords(t *testing.T) {
	t.Parallel()
	l := newLexicon()
	for lang, list := range l {
		if len(list.words) != listLength || len(list.places) != listLength {
			t.Errorf("%s: %d words, %d without accents", lang, len(list.words), len(list.places))
		}
	}
	p, ok := l.parse("abeille-académie-zoologie")
	if !ok || l.token(p, "fr") != "abeille-academie-zoologie" || l.token(p, "") != l.token(p, "fr") || !strings.HasSuffix(l.token(p, "en"), "-zoo") {
		t.Errorf("%s %s", l.token(p, "fr"), l.token(p, "en"))
	}
	for _, typed := range []string{" Abeille  ACADÉMIE zoologie ", "abeille, acade\u0301mie, zoologie.", l.token(p, "en")} {
		if again, ok := l.parse(typed); !ok || again != p {
			t.Errorf("%q: %v %t", typed, again, ok)
		}
	}
	for _, typed := range []string{"", "abeille-zoologie", "abeille-abeille-abeille-abeille", "abeille-jauge-zoologie", "zoologie-zoo-zebra", "0123-ABCD-11V0-WXYZ"} {
		if _, ok := l.parse(typed); ok {
			t.Errorf("%q is taken", typed)
		}
	}
	refused := 0
	for i := range 2000 {
		if _, ok := l.draw(bytes.Repeat([]byte{byte(i), byte(i >> 8), 7}, 3)); !ok {
			refused++
		}
	}
	if refused > 20 {
		t.Errorf("%d of 2000 draws mean two things", refused)
	}
}
