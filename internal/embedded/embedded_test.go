package embedded

import (
	"testing"

	"github.com/redis/go-redis/v9"
)

// A store in this very process is slow at times, and never away: only its caller's patience ends.
func TestClientIsAsPatientAsItsCaller(t *testing.T) {
	t.Parallel()
	s, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	client := s.Client()
	defer client.Close() //nolint:errcheck // nothing is pending
	if o := client.(*redis.Client).Options(); o.ReadTimeout != 0 || o.WriteTimeout != 0 || !o.ContextTimeoutEnabled {
		t.Errorf("reads within %s, writes within %s, by the context: %t", o.ReadTimeout, o.WriteTimeout, o.ContextTimeoutEnabled)
	}
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}
