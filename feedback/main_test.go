package feedback

import (
	"flag"
	"os"
	"testing"

	"jauge/internal/redistest"
)

func TestMain(m *testing.M) {
	_ = flag.Set("rapid.checks", "30") // make soak plays many more; -rapid.checks on the command line wins
	os.Exit(redistest.Main(m, nil))
}
