package feedback

import (
	"flag"
	"os"
	"testing"

	"jauge/internal/redistest"
)

func TestMain(m *testing.M) {
	_ = flag.Set("rapid.checks", "200") // the default; -rapid.checks on the command line wins
	os.Exit(redistest.Main(m, nil))
}
