package page

import (
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a form is sent under opens its answer: it goes along in the form, and stands in no address.
func TestNoAddressHoldsAToken(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff([]string{"token", "resume", "segment", "kiosk", "invite", "code"}, Carried); diff != "" {
		t.Errorf("fields of a form (-want +got):\n%s", diff)
	}
	for name, names := range map[string][]string{"opening": Opening, "printed": Printed, "switched": fieldsFor(switched)} {
		if slices.Contains(names, "token") {
			t.Errorf("%s: %v", name, names)
		}
	}
}

// The address in another language keeps what the page needs, and leaves the organisers' tokens and its own language behind.
func TestOtherAddress(t *testing.T) {
	t.Parallel()
	query := url.Values{
		"wave": {"after"}, "segment": {"lycee"}, "kiosk": {""}, "lang": {"fr"}, "access": {"session.x"}, "token": {"secret"}, "other": {"x"},
	}
	if got := otherAddress(query, "en"); got != "?lang=en&segment=lycee&wave=after" {
		t.Error(got)
	}
	if got := WithQuery("/feedback/metier", Only(query, Printed)); got != "/feedback/metier?segment=lycee&wave=after" {
		t.Error(got)
	}
	if got := WithQuery("/feedback/metier", Only(query, nil)); got != "/feedback/metier" {
		t.Error(got)
	}
}
