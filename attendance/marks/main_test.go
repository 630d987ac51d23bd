package marks

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"jauge/internal/redistest"
)

func TestMain(m *testing.M) {
	os.Exit(redistest.Main(m, func() error { return goleak.Find() }))
}
