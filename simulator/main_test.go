package simulator

import (
	"os"
	"testing"

	"jauge/internal/redistest"
)

func TestMain(m *testing.M) { os.Exit(redistest.Main(m, nil)) }
