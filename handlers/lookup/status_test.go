package lookup

import (
	"testing"
	"time"
)

func TestNiceStep(t *testing.T) {
	t.Parallel()
	for span, want := range map[time.Duration]time.Duration{
		0: time.Second, time.Minute: time.Second, time.Hour: 10 * time.Second, 24 * time.Hour: 5 * time.Minute, 365 * 24 * time.Hour: 24 * time.Hour,
	} {
		if got := NiceStep(span, 500); got != want {
			t.Errorf("%v: %v, not %v", span, got, want)
		}
	}
}
