package door

import (
	"fmt"
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	t.Parallel()
	q, now := Quota{PerMinute: 30, Burst: 2}, func() time.Time { return start }
	l := NewLimiter(now)
	waits := func(l *Limiter, address, what string) time.Duration {
		_, wait := l.Take(Claim{address, what, q})
		return wait
	}
	take := func(address, what string, want time.Duration) {
		t.Helper()
		if got := waits(l, address, what); got != want {
			t.Errorf("%s %s: wait %s, not %s", address, what, got, want)
		}
	}
	take("198.51.100.7", "join", 0)
	take("198.51.100.7", "join", 0)
	take("198.51.100.7", "join", 2*time.Second)
	take("198.51.100.7", "join", 2*time.Second) // who is refused takes nothing
	take("198.51.100.7", "beat", 0)
	take("198.51.100.8", "join", 0)
	take("2001:db8:0:1::1", "join", 0)
	take("2001:db8:0:1:ffff::2", "join", 0)
	take("2001:db8:0:1:1::3", "join", 2*time.Second) // one subscriber
	take("2001:db8:0:2::1", "join", 0)
	take("", "join", 0)

	small := NewLimiter(now)
	small.max = 3
	for i := range 100 {
		waits(small, "198.51.100.7", "join") // in use all the time
		waits(small, fmt.Sprint("10.0.0.", i), "join")
	}
	if len(small.buckets) != 3 || small.recent.Len() != 3 {
		t.Errorf("%d buckets, %d in the list", len(small.buckets), small.recent.Len())
	}
	if waits(small, "198.51.100.7", "join") == 0 {
		t.Error("a bucket in use was dropped")
	}
	if waits(small, "10.0.0.1", "join") != 0 {
		t.Error("an old bucket was kept")
	}
	if NewLimiter(now).name("198.51.100.7", "join") == l.name("198.51.100.7", "join") {
		t.Error("the name of an address is the same in two processes")
	}
}
