package handlers

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"jauge/internal/embedded"
	"jauge/internal/redistest"
)

// TestPrivatePagesGoOnWhileTheStoreIsAway with what they have shown last, and say how old it is; programs are told the truth, and
// what people wrote is not kept for it.
func TestPrivatePagesGoOnWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	store, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	rdb := store.Client()
	t.Cleanup(store.Close)
	s := newSite(t, rdb, "away:")
	s.play(7)
	for range 10 {
		s.answer("metier", map[string]any{"before": 3, "now": 4, "words": "MOTS À NE PAS GARDER"})
	}
	for _, text := range s.texts("") {
		s.decide(text.ID, "approve", http.StatusOK)
	}
	pages := []string{"/", "/?lang=en", "/sessions/metier", "/sessions/metier/results", "/series/cycle", "/sessions/metier?lang=en"}
	before := map[string]string{}
	for _, page := range pages {
		before[page] = s.get(page).Body.String()
	}
	if !strings.Contains(before["/sessions/metier/results"], "MOTS") {
		t.Fatal("the text is not shown while all is well")
	}
	_ = rdb.Close()
	if first := s.get("/?lang=en").Body.String(); !strings.Contains(first, "less than a minute old") {
		t.Errorf("at first: %s", first[:min(len(first), 1500)])
	}
	s.at(s.deps.Now().Add(5*time.Minute + 30*time.Second))
	for _, page := range pages {
		after := s.get(page).Body.String()
		if !strings.Contains(after, "5 minutes") || !strings.Contains(after, `class="caution" role="status"`) {
			t.Errorf("%s does not say its age: %s", page, after[:min(len(after), 1500)])
		}
		for _, figure := range []string{">6<", ">7<"} { // present, came
			if strings.Contains(before[page], figure) != strings.Contains(after, figure) {
				t.Errorf("%s lost a figure: %s", page, figure)
			}
		}
		if strings.Contains(after, "MOTS") {
			t.Errorf("%s keeps what somebody wrote", page)
		}
	}
	for path, want := range map[string]int{
		"/api/v1/sessions/metier": http.StatusServiceUnavailable, "/sessions/metier/live": http.StatusServiceUnavailable,
		"/sessions/eleves": http.StatusServiceUnavailable, // nobody has looked at it before
		"/feedback/metier": http.StatusOK,
	} {
		if w := s.do(call{path: path, organiser: true}); w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
	if log := s.log.String(); strings.Contains(log, "MOTS") {
		t.Error("a text is in the log")
	}
}

// TestWhoHangsUpIsNobodysFailure: neither counted as an error of ours nor logged as one.
func TestWhoHangsUpIsNobodysFailure(t *testing.T) {
	t.Parallel()
	rdb, prefix := redistest.Redis()
	s := newSite(t, rdb, prefix)
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/sessions/metier", nil)
	r.Header.Set("Authorization", "Bearer "+organiserToken)
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	if n := s.metrics.get("request /api/v1/sessions/:id GET 499"); n != 1 || strings.Contains(s.log.String(), `"ERROR"`) {
		t.Errorf("counted %d times, answered %d, log %s", n, w.Code, s.log)
	}
}
