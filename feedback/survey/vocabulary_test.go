package survey_test

import (
	"encoding/json"
	"testing"

	"jauge/feedback/survey"
)

// Nothing that a person may have written is taken for impersonal, on one line or on several.
func TestImpersonal(t *testing.T) {
	t.Parallel()
	v := survey.VocabularyOf(map[string]*survey.Survey{"asked": asked()})
	for _, kind := range []survey.Kind{survey.ShortText, survey.FreeText} {
		if kept := v.Impersonal(&survey.Question{Kind: kind}, "12"); kept != nil {
			t.Errorf("%s: %v is kept", kind, kept)
		}
	}
	for _, value := range []any{"12", json.Number("-1000"), "Yes", "oui", []any{"x", "y"}, true} {
		if v.Impersonal(nil, value) == nil {
			t.Errorf("%v is not kept", value)
		}
	}
	for _, value := range []any{"Jane", json.Number("1001"), "0612345678", []any{"x", "Jane"}, map[string]any{"x": "x"}, nil} {
		if kept := v.Impersonal(nil, value); kept != nil {
			t.Errorf("%v is kept", kept)
		}
	}
}
