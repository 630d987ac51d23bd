package handlers

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jauge/attendance"
	"jauge/internal/redistest"
	"jauge/platforms"
)

// BenchmarkWebhook is signed webhooks of Zoom, new joins, 64 at once: from the request to Redis and back.
func BenchmarkWebhook(b *testing.B) {
	rdb, prefix := redistest.Redis()
	s := newSite(b, rdb, prefix)
	var calls []call
	for i := range 20_000 {
		_, body := platforms.Dialects["zoom"].Encode(attendance.Event{
			Kind: attendance.Joined, Room: "951", Occurrence: "o==", Attendee: fmt.Sprint("p", i), Connection: fmt.Sprint(i), Name: "Ann Lee",
			Email: fmt.Sprintf("p%d@example.org", i), At: start.Add(time.Duration(i) * time.Millisecond),
		})
		calls = append(calls, s.webhook("zoom", "application/json", body))
	}
	var sent, refused atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c := calls[int(sent.Add(1))%len(calls)]
			r := httptest.NewRequestWithContext(b.Context(), c.method, c.path, strings.NewReader(c.body))
			for name, value := range c.header {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			if s.handler.ServeHTTP(w, r); w.Code != http.StatusOK {
				refused.Add(1)
			}
		}
	})
	if n := refused.Load(); n > 0 {
		b.Fatalf("%d refused", n)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "webhooks/s")
}
