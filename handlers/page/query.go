package page

import (
	"net/http"
	"net/url"
)

// use says where a field of a form is passed on.
type use int

const (
	carried  use = 1 << iota // from page to page, as a hidden field
	opening                  // in the address that opens a blank form like it
	printed                  // in the address that a QR code leads to
	switched                 // in the address of the same page in the other language
)

// fields are the parameters of forms and their addresses, beside the answers and the language. The address in the other language has
// only what the page needs, and so never the organisers' tokens.
var fields = []struct {
	name string
	uses use
}{
	{"token", carried},                                  // under which the form is sent; it opens the answer
	{"resume", carried | switched},                      // under which its draft is found
	{"segment", carried | opening | printed | switched}, // of which audience it is
	{"kiosk", carried | opening | switched},             // it is on a device that people share
	{"invite", carried | opening | switched},            // the token of a personal link
	{"code", carried | opening | printed | switched},    // the receipt of an earlier wave
	{"wave", printed | switched},                        // which wave is asked; a form adds its own
	{"page", switched},                                  // where in the form the person is
	{"thanks", switched},                                // the page thanks for what was just done
	{"sent", switched},                                  // likewise, on a shared device
	{"stay", switched},                                  // the thanks on a shared device stay
}

func fieldsFor(u use) []string {
	var names []string
	for _, f := range fields {
		if f.uses&u != 0 {
			names = append(names, f.name)
		}
	}
	return names
}

// The names of a form's own fields: Carried go along from page to page, in this order; Opening stand in the address of a
// form, beside its wave; Printed stand in the address of a QR code.
var (
	Carried = fieldsFor(carried)
	Opening = fieldsFor(opening)
	Printed = fieldsFor(printed)
)

// Only gives the named fields that have a value.
func Only(said url.Values, names []string) url.Values {
	kept := url.Values{}
	for _, name := range names {
		if value := said.Get(name); value != "" {
			kept.Set(name, value)
		}
	}
	return kept
}

// otherAddress is the address of the same page in another language.
func otherAddress(query url.Values, tag string) string {
	kept := Only(query, fieldsFor(switched))
	kept.Set("lang", tag)
	return "?" + kept.Encode()
}

// WithQuery adds a query to a path, unless there is nothing to ask.
func WithQuery(path string, query url.Values) string {
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// onKiosk says whether the request comes from a device that people share.
func onKiosk(r *http.Request) bool {
	return r.URL.Query().Get("kiosk") != "" || r.PostForm.Get("kiosk") != ""
}
