package feedback

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"

	"jauge/feedback/figures"
	"jauge/feedback/survey"
	"jauge/programme"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

var update = flag.Bool("update", false, "write the golden files")

// The whole feedback object of a session with 28 answers in two segments, read through both stores.
func TestResultsGolden(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		for i := range 28 {
			mustSubmit(t, s, sending{Session: "law", Survey: asked(), Submission: Submission{Segment: []string{"evry", "colombes"}[i%2], Answers: person(i)}})
		}
		r, err := open(s, "law", asked(), k, []string{"colombes", "evry", "corbeil"}...).Results(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.MarshalIndent(r.WithAttended(46, 30), "", "  ")
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
func person(i int) survey.Answers {
	a := survey.Answers{"rating": {fmt.Sprint(i % 11)}, "agree": {survey.No}, "before": {fmt.Sprint(1 + i%3)}, "many": {"x"}}
	if i < 17 {
		a["agree"] = survey.Value{survey.Yes}
	}
	switch {
	case i < 14:
		a["recommend"] = survey.Value{fmt.Sprint(9 + i%2)}
	case i < 22:
		a["recommend"] = survey.Value{fmt.Sprint(7 + i%2)}
	default:
		a["recommend"] = survey.Value{fmt.Sprint(i - 22)}
	}
	if i%4 > 0 {
		a["now"] = survey.Value{fmt.Sprint(1 + i%5)}
	}
	if i%3 == 0 {
		a["many"] = survey.Value{"x", "z"}
	}
	if i < 6 {
		a["comment"] = survey.Value{"Merci"}
	}
	return a
}

func TestScrapeIsResultsWithoutSegments(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		sessions := []programme.Session{{ID: "law", Survey: "asked"}, {ID: "quiet"}, {ID: "empty", Survey: "asked"}, {ID: "pupils", Survey: "asked", Minors: true}}
		for i := range 12 {
			mustSubmit(t, s, sending{Session: "law", Survey: asked(), Submission: Submission{Segment: "evry", Answers: person(i)}})
		}
		s = with(s, map[string]*survey.Survey{"asked": asked()}, k)
		got, err := s.Scrape(t.Context(), sessions)
		if err != nil {
			t.Fatal(err)
		}
		var want []figures.Results
		for _, session := range sessions {
			a, err := s.Open(t.Context(), session)
			if errors.Is(err, ErrNoSurvey) && session.ID == "quiet" {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			r, err := a.Results(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for i := range r.Questions { // texts are read one session at a time
				r.Questions[i].Texts = nil
			}
			want = append(want, r)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if got[0].Respondents != 12 || got[0].Questions[1].N == nil || got[1].Respondents != 0 {
			t.Errorf("law %+v, empty %+v", got[0], got[1])
		}
	})
}

func TestWithAttended(t *testing.T) {
	t.Parallel()
	for attended, want := range map[int]string{46: "0.6087 (0.4646–0.7361) of 46", 0: "nil", 27: "nil"} {
		got := "nil"
		if r := (figures.Results{Respondents: 28}).WithAttended(attended, 0).ResponseRate; r != nil {
			got = fmt.Sprintf("%.4f (%.4f–%.4f) of %d", r.Value, r.Low, r.High, r.N)
		}
		if got != want {
			t.Errorf("28 of %d: %s, not %s", attended, got, want)
		}
	}
}

// TestStayers: 12 who stayed and 10 who left, in a survey that asks; the difference between them is Newcombe's, and those
// who answered stand beside all who attended.
func TestStayers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		asks := asks()
		asks.Sections = append(asks.Sections, survey.Section{Questions: []survey.Question{{ID: "stayed", Kind: survey.YesNo, Stay: true, Label: words("Stayed")}}})
		submit := func(stayed, before string, n int) {
			for range n {
				mustSubmit(t, s, sending{Session: "law", Survey: asks, Submission: Submission{Answers: survey.Answers{"before": {before}, "stayed": {stayed}}}})
			}
		}
		submit(survey.Yes, survey.Yes, 9)
		submit(survey.Yes, survey.No, 3)
		submit(survey.No, survey.Yes, 3)
		submit(survey.No, survey.No, 7)
		r, err := open(s, "law", asks, k).Results(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r = r.WithAttended(40, 30)
		if r.Stay[0].ID != survey.Stayed || *r.Stay[0].Respondents != 12 || r.Stay[1].ID != survey.Left || *r.Stay[1].Respondents != 10 {
			t.Errorf("%+v", r.Stay)
		}
		want := []figures.Comparison{{Question: "before", A: survey.Stayed, B: survey.Left, Difference: figures.Difference(9, 12, 3, 10)}}
		if diff := cmp.Diff(want, r.Compared); diff != "" {
			t.Error(diff)
		}
		if n := r.NonResponse; n.Respondents != (figures.Rate{Share: figures.Wilson(12, 22), N: 22}) || n.Attended != (figures.Rate{Share: figures.Wilson(30, 40), N: 40}) {
			t.Errorf("%+v", n)
		}
		submit(survey.No, survey.Yes, k-1) // they wait
		if again, err := open(s, "law", asks, k).Results(t.Context()); err != nil || !cmp.Equal(again.Stay, r.Stay) {
			t.Errorf("%+v, %v", again.Stay, err)
		}
	})
}

// Of fewer than the minimum group who left, neither they nor, by subtraction from the whole, those who stayed are told.
func TestFewLeavers(t *testing.T) {
	t.Parallel()
	tallied := figures.Tally{}
	asks := asks()
	for i := range 14 {
		stay := survey.Stayed
		if i < k-1 {
			stay = survey.Left
		}
		for _, key := range figures.Cells(asks, "", stay, survey.Answers{"before": {[]string{survey.Yes, survey.No}[i%2]}}) {
			tallied[key]++
		}
	}
	r := tallied.Results("law", asks, nil, k).WithAttended(20, 10)
	if !r.Stay[0].Suppressed || !r.Stay[1].Suppressed || r.Stay[0].Questions[0].N != nil || len(r.Compared) > 0 || r.NonResponse != nil {
		t.Errorf("%+v, %+v, %+v", r.Stay, r.Compared, r.NonResponse)
	}
}

// Answers given on another scale, or to another survey, stay out of the figures; they stay respondents of their own survey.
func TestAChangedScaleStartsAnew(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		for i := range 12 {
			mustSubmit(t, s, sending{Session: "law", Survey: asked(), Submission: Submission{Answers: person(i)}})
		}
		longer := asked()
		longer.Sections[0].Questions[1].Max = 7
		other := asked()
		other.ID = "other"
		for name, test := range map[string]struct {
			survey      *survey.Survey
			respondents int
		}{"longer": {longer, 12}, "other": {other, 0}} {
			r, err := open(s, "law", test.survey, k).Results(t.Context())
			if err != nil || r.Respondents != test.respondents || !r.Questions[1].Suppressed {
				t.Errorf("%s: %+v, %v", name, r, err)
			}
		}
	})
}

// However many wait, all of them are shown: as many as are read in one go, and one more.
func TestManyWait(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		row, err := json.Marshal(newRow(asked(), survey.Answers{"rating": {"4"}}, "", "", "fr", evening))
		if err != nil {
			t.Fatal(err)
		}
		for total, n := 0, readAtOnce; n <= readAtOnce+1; n++ {
			_, err := s.rdb.Pipelined(t.Context(), func(p redis.Pipeliner) error {
				for range n {
					total++
					hash := fmt.Sprint("answer ", total)
					p.HSet(t.Context(), s.keys.rows("law"), hash, "1 "+string(row))
					p.ZAdd(t.Context(), s.keys.pending("law"), redis.Z{Member: hash})
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			r, err := open(s, "law", asked(), k).Results(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if i := slices.IndexFunc(r.Questions, func(q figures.QuestionResult) bool { return q.ID == "rating" }); r.Questions[i].N == nil || *r.Questions[i].N != total {
				t.Errorf("%v of %d are shown", r.Questions[i].N, total)
			}
		}
	})
}
