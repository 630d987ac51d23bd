package attend

import "jauge/handlers/page"

// codeView is the field for the receipt of an earlier wave.
type codeView struct{ Said, Mistake string }

// codeTarget is the id of its input.
const codeTarget = "code"

// codeField lays out that field.
func codeField(l *page.Lang, f form) (*codeView, error) {
	if !f.takesCode() {
		return nil, nil
	}
	v := &codeView{Said: f.said.Get("code")}
	if f.wrong == "" {
		return v, nil
	}
	var err error
	v.Mistake, err = l.T(f.wrong)
	return v, err
}
