package receipt

import (
	"fmt"
	"testing"
)

var secret = []byte("a secret of the tests, 32 bytes.")

func TestReceiptAsItWasShown(t *testing.T) {
	t.Parallel()
	s := New(secret)
	for typed, want := range map[string]string{
		" Abeille  ACADÉMIE zoologie ": "abeille-academie-zoologie true", "7m2k ovxq-9rtb-h4ez": "7M2K-0VXQ-9RTB-H4EZ false", "x": " false", "": " false",
	} {
		receipt, words := s.AsShown(typed)
		if got := fmt.Sprintf("%s %t", receipt, words); got != want {
			t.Errorf("%q: %s", typed, got)
		}
	}
}

func TestReceiptAsPeopleTypeIt(t *testing.T) {
	t.Parallel()
	s := New(secret)
	want, _ := s.Hash("law", "0123-ABCD-11V0-WXYZ")
	for typed, ok := range map[string]bool{
		"0123ABCD11V0WXYZ": true, "0123-abcd-11v0-wxyz": true, " 0123 ABCD 11V0 WXYZ ": true, "oi23-abcd-lIvO-wxyz": true,
		"0123-ABCD-11V0-WXY": false, "0123-ABCD-11V0-WXYZ-0": false, "0123-ABCD-11V0-WXYU": false, "": false, "é123-ABCD-11V0-WXY": false,
	} {
		got, known := s.Hash("law", typed)
		if known != ok || ok && got != want {
			t.Errorf("%q: %q, %t", typed, got, known)
		}
	}
}
