package survey_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"jauge/feedback/survey"
)

// A survey that is laid out says the same as the one that it was made of, wave by wave.
func TestALaidOutSurveySaysTheSame(t *testing.T) {
	t.Parallel()
	for _, s := range []*survey.Survey{every(), asked(), asked().For(true)} {
		laid := s.Laid()
		same := func(what string, want, got any) {
			t.Helper()
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(survey.Survey{})); diff != "" {
				t.Errorf("%s: %s: %s", s.ID, what, diff)
			}
		}
		same("version", s.Version(), laid.Version())
		same("questions", s.All(), laid.All())
		same("conditions", s.Conditions(), laid.Conditions())
		for _, wave := range slices.Concat(s.WaveIDs(), []string{"never"}) {
			same("wave "+wave, s.In(wave), laid.In(wave))
		}
		for _, q := range append(s.All(), survey.Question{ID: "nothing"}) {
			want, wantOK := s.Question(q.ID)
			got, ok := laid.Question(q.ID)
			same("question "+q.ID, want, got)
			same("question "+q.ID, wantOK, ok)
		}
		same("for minors", s.For(true).All(), laid.For(true).All())
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(laid)
		same("as JSON", string(text), string(again))
		same("definition", string(text), string(laid.Definition()))
		same("as JSON", nil, err)
	}
}
