package simulator

import (
	"context"
	"sync"
	"time"
)

// queued is how many requests of one lane may wait for the service before the performance falls behind.
const queued = 64

// Play sends everything in its time: wait returns when its moment has come, send posts one delivery. Up to `workers`
// requests are under way at once, but those about one person follow each other, and those about the session as a whole
// wait for all before them. The first error ends it, and is returned.
func (p *Performance) Play(ctx context.Context, workers int, wait func(context.Context, time.Time) error,
	send func(context.Context, Delivery) error,
) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var lanes, underWay sync.WaitGroup
	queues := make([]chan Delivery, workers)
	for i := range queues {
		queues[i] = make(chan Delivery, queued)
		lanes.Go(func() {
			for d := range queues[i] {
				if ctx.Err() == nil {
					if err := send(ctx, d); err != nil {
						cancel(err)
					}
				}
				underWay.Done()
			}
		})
	}
	for _, d := range p.Deliveries {
		if err := wait(ctx, d.At); err != nil {
			cancel(err)
			break
		}
		all := d.Lane < 0
		if all {
			underWay.Wait()
		}
		underWay.Add(1)
		queues[max(d.Lane, 0)%workers] <- d
		if all {
			underWay.Wait()
		}
	}
	for _, queue := range queues {
		close(queue)
	}
	lanes.Wait()
	return context.Cause(ctx)
}
