package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"strings"
	"testing"
)

// Memory is limited by itself, unless the environment says how much, and when garbage is collected.
func TestMemory(t *testing.T) {
	limit, percent := debug.SetMemoryLimit(-1), debug.SetGCPercent(100)
	t.Cleanup(func() {
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
	})
	for _, row := range []struct {
		name    string
		env     map[string]string
		limited bool
		percent int
	}{
		{"by itself", nil, true, gcPercent},
		{"limited by the environment", map[string]string{"GOMEMLIMIT": "off"}, false, gcPercent},
		{"collected as the environment says", map[string]string{"GOGC": "100"}, true, 100},
	} {
		debug.SetMemoryLimit(math.MaxInt64) // as the runtime takes GOMEMLIMIT=off and GOGC=100
		debug.SetGCPercent(100)
		for _, name := range []string{"GOMEMLIMIT", "GOGC"} {
			value, set := row.env[name]
			if t.Setenv(name, value); !set {
				_ = os.Unsetenv(name) // t.Setenv puts back what was
			}
		}
		var log bytes.Buffer
		limitMemory().announce(slog.New(slog.NewTextHandler(&log, nil)))
		got := debug.SetMemoryLimit(-1)
		if limited := got < math.MaxInt64; limited != row.limited {
			t.Errorf("%s: limited to %d bytes", row.name, got)
		}
		if got := debug.SetGCPercent(100); got != row.percent {
			t.Errorf("%s: collected at %d %%", row.name, got)
		}
		if want := fmt.Sprintf("limit_mib=%d gc_percent=%d\n", got>>20, row.percent); !strings.HasSuffix(log.String(), want) {
			t.Errorf("%s: said %q, not %q", row.name, log.String(), want)
		}
	}
}
