package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/attendance"
	"jauge/feedback/survey"
	"jauge/internal/redistest"
)

// TestNoFigureContradictsAnother: sessions shorter than an attendance, empty ones and a link that was passed on make no share above
// the whole, no figure that is none, and no error.
func TestNoFigureContradictsAnother(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		open                time.Duration
		stays               map[time.Duration]int // how many stayed for how long
		stayed, left        int                   // how many answered so
		attended, completed any
	}{
		"under 5 min 53 s":          {330 * time.Second, map[time.Duration]int{310 * time.Second: 12, 290 * time.Second: 20}, 6, 6, 12.0, 12.0},
		"a minute":                  {time.Minute, map[time.Duration]int{time.Minute: 8}, 6, 2, 0.0, 0.0},
		"nobody came":               {time.Minute, nil, 0, 0, 0.0, 0.0},
		"nobody came, and answered": {time.Minute, nil, 7, 1, 0.0, 0.0},
		"more answered than came":   {time.Hour, map[time.Duration]int{time.Hour: 3}, 9, 4, 3.0, 3.0},
		"nobody answered":           {time.Hour, map[time.Duration]int{time.Hour: 3, 10 * time.Minute: 2}, 0, 0, 5.0, 3.0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
				s := newSite(t, rdb, prefix, func(d *setup) {
					d.MinimumGroup = 1
					d.Surveys["vocation"] = &survey.Survey{ID: "vocation", Questions: []survey.Question{
						{ID: "stayed", Kind: survey.YesNo, Stay: true, Label: d.Surveys["vocation"].Title},
					}}
				})
				event := func(kind attendance.Kind, who string, after time.Duration) {
					e := attendance.Event{Kind: kind, Room: "hall", Occurrence: "o", At: start.Add(after)}
					if who != "" {
						e.Attendee, e.Connection = who, "tab of "+who
					}
					s.event("standard", e)
				}
				event(attendance.Started, "", 0)
				for stay, n := range tt.stays {
					for i := range n {
						who := fmt.Sprint(stay, i)
						event(attendance.Joined, who, 0)
						event(attendance.Left, who, stay)
					}
				}
				event(attendance.Ended, "", tt.open)
				s.at(start.Add(2 * time.Hour))
				for i := range tt.stayed + tt.left {
					s.answer("metier", map[string]any{"stayed": i < tt.stayed})
				}
				object := decode[map[string]any](t, s.get("/api/v1/sessions/metier"))
				at := object["attendance"].(map[string]any)
				if at["attended"] != tt.attended || at["completed"] != tt.completed || at["as_of"] != nil {
					t.Errorf("attended %v, completed %v, as of %v", at["attended"], at["completed"], at["as_of"])
				}
				for _, path := range []string{"/api/v1/sessions", "/api/v1/sessions/metier", "/api/v1/sessions/metier/feedback", "/api/v1/series/cycle"} {
					var v any
					if err := json.Unmarshal(s.get(path).Body.Bytes(), &v); err != nil {
						t.Errorf("%s: %v", path, err)
					}
					plausible(t, path, v)
				}
				for _, path := range []string{"/", "/sessions/metier", "/sessions/metier/results", "/series/cycle", "/api/v1/sessions/metier/feedback.csv", "/api/v1/sessions/metier/curve"} {
					if w := s.do(call{path: path, organiser: true}); w.Code != http.StatusOK {
						t.Errorf("%s: %d", path, w.Code)
					}
				}
			})
		})
	}
}

// plausible looks at every share with an interval, however deep.
func plausible(t *testing.T, path string, v any) {
	t.Helper()
	switch v := v.(type) {
	case []any:
		for i, part := range v {
			plausible(t, fmt.Sprintf("%s[%d]", path, i), part)
		}
	case map[string]any:
		value, isValue := v["value"].(float64)
		low, isLow := v["low"].(float64)
		high, isHigh := v["high"].(float64)
		if isValue && isLow && isHigh && !(0 <= low && low <= value && value <= high && high <= 1) {
			t.Errorf("%s: %v (%v to %v)", path, value, low, high)
		}
		for name, part := range v {
			plausible(t, path+"."+name, part)
		}
	}
}
