package handlers

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/goccy/go-yaml"

	"jauge/feedback/survey"
	"jauge/internal/redistest"
)

// BenchmarkSubmission is answers of many people to a ready survey, as programs send them, 32 at once: from the request to Redis and back.
func BenchmarkSubmission(b *testing.B) {
	rdb, prefix := redistest.Redis()
	text, err := survey.Bank.ReadFile("bank/vocation.yaml")
	if err != nil {
		b.Fatal(err)
	}
	ready := &survey.Survey{}
	if err := yaml.Unmarshal(text, ready); err != nil {
		b.Fatal(err)
	}
	s := newSite(b, rdb, prefix, func(u *setup) { u.Surveys["vocation"] = ready })
	const body = `{"lang":"fr","segment":"lycee","answers":{"interest_before":2,"interest_now":4}}`
	var refused atomic.Int64
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/feedback/metier", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			s.handler.ServeHTTP(w, r)
			if w.Code != http.StatusCreated {
				refused.Add(1)
			}
		}
	})
	if n := refused.Load(); n > 0 {
		b.Fatalf("%d refused", n)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "submissions/s")
}
