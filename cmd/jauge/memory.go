package main

import (
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// What memory the service may take: most of a container, half of a machine, which it may share with Redis. Within that, garbage is
// collected once the heap has grown to five times what was in use: webhooks leave much of it and keep little.
const (
	ofContainer = 0.9
	ofMachine   = 0.5
	gcPercent   = 400
)

// memory is what holds.
type memory struct {
	limit   int64  // bytes
	percent string // how much the heap grows between two collections
}

// limitMemory sets that, unless GOMEMLIMIT or GOGC say otherwise. Where neither a container nor the machine tells, there is no limit.
func limitMemory() memory {
	limit, _ := memlimit.Set(memlimit.WithRatio(1), memlimit.WithProvider(memlimit.ApplyFallback(
		memlimit.ApplyRatio(memlimit.FromCgroup, ofContainer), memlimit.ApplyRatio(memlimit.FromSystem, ofMachine),
	)))
	percent, chosen := os.LookupEnv("GOGC")
	if !chosen {
		percent = strconv.Itoa(gcPercent)
		debug.SetGCPercent(gcPercent)
	}
	return memory{limit, percent}
}

func (m memory) announce(log *slog.Logger) {
	log.Info("memory", "limit_mib", m.limit>>20, "gc_percent", m.percent)
}
