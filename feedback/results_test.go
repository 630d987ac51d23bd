package feedback

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// The whole feedback object of a session with 28 answers in two segments, read through both stores.
func TestResultsGolden(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		for i := range 28 {
			mustSubmit(t, s, Submission{Session: "law", Survey: asked(), Segment: []string{"evry", "colombes"}[i%2], Answers: person(i)})
		}
		r, err := s.Results(t.Context(), "law", asked(), []string{"colombes", "evry", "corbeil"}, k)
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.MarshalIndent(r.WithAttended(46), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "testdata/results.json", append(got, '\n'))
	})
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(bytes.TrimSpace(want)), string(bytes.TrimSpace(got))); diff != "" {
		t.Error(diff)
	}
}

// person answers as the worked examples have it: 17 of 28 say yes; 14 promoters, 8 passives, 6 detractors.
func person(i int) Answers {
	a := Answers{"rating": {fmt.Sprint(i % 11)}, "agree": {No}, "before": {fmt.Sprint(1 + i%3)}, "many": {"x"}}
	if i < 17 {
		a["agree"] = Value{Yes}
	}
	switch {
	case i < 14:
		a["recommend"] = Value{fmt.Sprint(9 + i%2)}
	case i < 22:
		a["recommend"] = Value{fmt.Sprint(7 + i%2)}
	default:
		a["recommend"] = Value{fmt.Sprint(i - 22)}
	}
	if i%4 > 0 {
		a["now"] = Value{fmt.Sprint(1 + i%5)}
	}
	if i%3 == 0 {
		a["many"] = Value{"x", "z"}
	}
	if i < 6 {
		a["comment"] = Value{"Merci"}
	}
	return a
}

func TestScrapeIsResultsWithoutSegments(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		surveys := map[string]*Survey{"law": asked(), "empty": asked(), "pupils": asked().For(true)}
		for i := range 12 {
			mustSubmit(t, s, Submission{Session: "law", Survey: asked(), Segment: "evry", Answers: person(i)})
		}
		got, err := s.Scrape(t.Context(), surveys, k)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]Results{}
		for session, survey := range surveys {
			r, err := s.Results(t.Context(), session, survey, nil, k)
			if err != nil {
				t.Fatal(err)
			}
			for i := range r.Questions { // texts are read one session at a time
				r.Questions[i].Texts = nil
			}
			want[session] = r
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if got["law"].Respondents != 12 || got["law"].Questions[1].N == nil || got["empty"].Respondents != 0 {
			t.Errorf("law %+v, empty %+v", got["law"], got["empty"])
		}
	})
}

func TestWithAttended(t *testing.T) {
	t.Parallel()
	for attended, want := range map[int]string{46: "0.6087 (0.4646–0.7361) of 46", 0: "nil", 27: "nil"} {
		got := "nil"
		if r := (Results{Respondents: 28}).WithAttended(attended).ResponseRate; r != nil {
			got = fmt.Sprintf("%.4f (%.4f–%.4f) of %d", r.Value, r.Low, r.High, r.N)
		}
		if got != want {
			t.Errorf("28 of %d: %s, not %s", attended, got, want)
		}
	}
}

// Answers given on another scale, or to another survey, stay out of the figures; they stay respondents of their own survey.
func TestAChangedScaleStartsAnew(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		for i := range 12 {
			mustSubmit(t, s, Submission{Session: "law", Survey: asked(), Answers: person(i)})
		}
		longer := asked()
		longer.Sections[0].Questions[1].Max = 7
		other := asked()
		other.ID = "other"
		for name, test := range map[string]struct {
			survey      *Survey
			respondents int
		}{"longer": {longer, 12}, "other": {other, 0}} {
			r, err := s.Results(t.Context(), "law", test.survey, nil, k)
			if err != nil || r.Respondents != test.respondents || !r.Questions[1].Suppressed {
				t.Errorf("%s: %+v, %v", name, r, err)
			}
		}
	})
}
