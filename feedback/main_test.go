package feedback

import (
	"flag"
	"os"
	"testing"

	"jauge/feedback/survey/surveytest"
	"jauge/internal/redistest"
)

// What most tests ask.
var (
	asked, every, bilingual = surveytest.Asked, surveytest.Every, surveytest.Bilingual
	words, offer            = surveytest.Words, surveytest.Offer
)

func TestMain(m *testing.M) {
	_ = flag.Set("rapid.checks", "30") // make soak plays many more; -rapid.checks on the command line wins
	os.Exit(redistest.Main(m, nil))
}
