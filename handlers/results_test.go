package handlers

import (
	"fmt"
	"net/http"
	"testing"
)

// TestResultsPage: 28 answers, 12 of them of the school, with the worked examples of the definitions: 17 of 28 are 61 %
// (42 to 76), and a net promoter score of 28.6.
func TestResultsPage(t *testing.T) {
	t.Parallel()
	s := one(t)
	s.play(40)
	for i := range 28 {
		answers := map[string]any{"before": 1 + i%4, "now": 1 + i%5, "known": i < 17, "recommend": []int{10, 9, 8, 4}[min(i/7, 3)]}
		segment := ""
		if i%2 == 0 && i < 24 {
			segment = "lycee"
		}
		w := s.do(call{method: http.MethodPost, path: "/feedback/metier", json: map[string]any{"answers": answers, "segment": segment}})
		if w.Code != http.StatusCreated {
			t.Fatal(fmt.Sprint(w.Code, w.Body))
		}
	}
	golden(t, "results.html", s.get("/sessions/metier/results"))
	golden(t, "results.en.html", s.get("/sessions/metier/results?lang=en"))
}

// TestResultsOfKinds: every kind of question, two waves, and those who stayed beside those who left.
func TestResultsOfKinds(t *testing.T) {
	t.Parallel()
	s := after(one(t, withKinds))
	for i := range 40 {
		for _, wave := range []string{"before", "after"} {
			answers := map[string]any{"age": 14 + i%5, "town": "Colombes", "agree": true, "views": map[string]any{"place": 1 + i%3, "use": 1 + (i+1)%3}}
			if wave == "after" {
				answers = map[string]any{
					"views": map[string]any{"place": 1 + (i+i/20)%3, "use": 1 + i%3}, "stayed": i%4 != 0, "agree": true,
					"best": [][]string{{"quiz", "talk"}, {"talk", "quiz"}}[i%2],
				}
			}
			w := s.do(call{method: http.MethodPost, path: "/feedback/metier", json: map[string]any{"answers": answers, "wave": wave}})
			if w.Code != http.StatusCreated {
				t.Fatal(wave, w.Code, w.Body)
			}
		}
	}
	golden(t, "results-kinds.html", s.get("/sessions/metier/results"))
}
