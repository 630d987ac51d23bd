package redistest

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Count is how many commands, in how many round trips, have gone to the store through one client.
type Count struct{ Commands, Trips atomic.Int64 }

// Counted returns a client of its own to a store that tests share, and what goes through it.
func Counted(t testing.TB, shared redis.UniversalClient) (redis.UniversalClient, *Count) {
	t.Helper()
	client, count := redis.NewClient(shared.(*redis.Client).Options()), &Count{}
	t.Cleanup(func() { _ = client.Close() })
	client.AddHook(count)
	return client, count
}

// DialHook implements redis.Hook.
func (*Count) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (c *Count) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() != "hello" { // of a new connection
			c.Commands.Add(1)
			c.Trips.Add(1)
		}
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook implements redis.Hook.
func (c *Count) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.Commands.Add(int64(len(cmds)))
		c.Trips.Add(1)
		return next(ctx, cmds)
	}
}
