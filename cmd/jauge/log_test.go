package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestLogHasALevelAndAFormat: of the environment or the file, and what is asked all the time is not in it by default.
func TestLogHasALevelAndAFormat(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		env               []string
		json, info, debug bool
	}{
		"by default":     {nil, false, true, false},
		"JSON":           {[]string{"JAUGE_LOG_FORMAT=json"}, true, true, false},
		"warnings alone": {[]string{"JAUGE_LOG_LEVEL=warn"}, false, false, false},
		"everything":     {[]string{"JAUGE_LOG_LEVEL=debug", "JAUGE_LOG_FORMAT=json"}, true, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, todaysTalk(), tt.env...) // which asks /readyz
			p.everyMetric()
			p.do(http.MethodGet, "/feedback/talk", http.Header{}, nil)
			p.stop()
			log := p.log.String()
			for route, want := range map[string]bool{"/feedback/:session": tt.info, "/readyz": tt.debug, "/metrics": tt.debug} {
				got := strings.Contains(log, "route="+route+" ") || strings.Contains(log, `"route":"`+route+`"`)
				if got != want {
					t.Errorf("%s logged: %t", route, got)
				}
			}
			if tt.json {
				line := log[strings.Index(log, "{"+`"time"`):]
				line, _, _ = strings.Cut(line, "\n")
				if !json.Valid([]byte(line)) {
					t.Errorf("no JSON: %s", line)
				}
			}
		})
	}
}
