package attendance

import (
	"errors"
	"os"
	"testing"

	"go.uber.org/goleak"

	"jauge/internal/journal"
	"jauge/internal/redistest"
)

func TestMain(m *testing.M) {
	os.Exit(redistest.Main(m, func() error { return goleak.Find() }))
}

// judge is what a store would say of its errors.
func judge(err error) (journal.Fault, string) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return journal.Away, "network"
	}
	return journal.Caller, "invalid"
}
