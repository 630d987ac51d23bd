package organise

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain looks for goroutines left behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestHub: one reader for all clients, the latest wins, what is no news is not sent, and the reader ends with the
// last client (TestMain looks for goroutines left behind).
func TestHub(t *testing.T) {
	t.Parallel()
	type reading struct {
		text string
		err  error
	}
	readings := make(chan reading)
	h := newHub(t.Context(), func(ctx context.Context, _ string) (snapshot, error) {
		select {
		case r := <-readings:
			return snapshot{[]byte(r.text), r.text}, r.err
		case <-ctx.Done():
			return snapshot{}, ctx.Err()
		}
	})
	h.every = time.Millisecond
	fast, leaveFast := h.join("x")
	slow, leaveSlow := h.join("x")
	for _, text := range []string{"0", "1", "2", "3"} { // the slow one does not take any meanwhile
		readings <- reading{text: text}
		if got := string(<-fast); got != text {
			t.Errorf("%s, not %s", got, text)
		}
	}
	readings <- reading{err: errors.New("away")} // begins when what was read before is published
	if got := string(<-slow); got != "3" {
		t.Errorf("the slow one gets %s, not the latest", got)
	}
	readings <- reading{text: "3"}
	readings <- reading{err: errors.New("away")}
	select {
	case got := <-fast:
		t.Errorf("%s was sent again", got)
	default:
	}
	late, leaveLate := h.join("x")
	if got := string(<-late); got != "3" {
		t.Errorf("who comes later gets %s first", got)
	}
	leaveFast()
	leaveLate()
	if len(h.broadcasts) != 1 {
		t.Error("the broadcast ended with a client left")
	}
	leaveSlow()
	if len(h.broadcasts) != 0 {
		t.Error("the broadcast outlives its last client")
	}
}
