package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/attendance"
	"jauge/feedback"
	"jauge/internal/redistest"
)

// Of answers that say whose they are, it is kept whether that person stayed, and not who it is.
func TestAnswersKnowWhoStayedAndNotWho(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s := newSite(t, rdb, prefix, func(d *setup) { d.MinimumGroup = 1 })
		come := func(person string, leave time.Duration) {
			e := attendance.Event{Kind: attendance.Joined, Room: "hall", Occurrence: "o", Attendee: person, Connection: "tab of " + person, At: start}
			s.event("standard", e)
			if leave > 0 {
				e.Kind, e.At = attendance.Left, start.Add(leave)
				s.event("standard", e)
			}
		}
		come("ann", 0)
		come("bob", 5*time.Minute)
		for i, attendee := range []string{"ann", "bob", "stranger", ""} {
			data := map[string]any{"room": "hall", "answers": map[string]any{"before": 2, "now": 1 + i}}
			if attendee != "" {
				data["attendee"] = attendee
			}
			body, err := json.Marshal(map[string]any{"type": "answers.submitted", "timestamp": start.Add(20 * time.Minute), "data": data})
			if err != nil {
				t.Fatal(err)
			}
			if w := s.post("standard", "application/json", body); w.Code != http.StatusOK {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
		rows, err := rdb.HVals(t.Context(), prefix+"{metier}:fb:rows").Result()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, field := range rows {
			_, text, _ := strings.Cut(field, " ")
			var row feedback.Row
			if err := json.Unmarshal([]byte(text), &row); err != nil {
				t.Fatal(err)
			}
			got[row.Answers["now"].String()] = fmt.Sprintf("%q", row.Stay)
		}
		if diff := cmp.Diff(map[string]string{"1": `"stayed"`, "2": `"left"`, "3": `""`, "4": `""`}, got); diff != "" {
			t.Error(diff)
		}
	})
}
