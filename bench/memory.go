package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// fill has people come and go, or come only, in posts of a size.
func (w *webinar) fill(ctx context.Context, from, to, post int, left bool) error {
	for at := from; at < to; at += post {
		events, err := w.events(func(i int) (int, bool) { return i, left }, at, min(at+post, to))
		if err != nil {
			return err
		}
		if err := w.take(ctx, events); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// memory measures what a person is in Redis: one visit, times in milliseconds, the platform's ids, no name; and with an address, which the id
// points to.
func (b *bench) memory(ctx context.Context) ([]Row, error) {
	alone, byKey, err := b.person(ctx, false)
	if err != nil {
		return nil, err
	}
	addressed, byKeyAddressed, err := b.person(ctx, true)
	return []Row{
		row("memory of an attendee, 100,000, one visit", "", " B", atMost(190), []float64{alone}, byKey),
		row("memory of an attendee with an e-mail address, too", "", " B", nil, []float64{addressed}, byKeyAddressed),
	}, err
}

// person is how many bytes one attendee of 100,000 takes, in all and by key.
func (b *bench) person(ctx context.Context, addressed bool) (each float64, byKey map[string]float64, _ error) {
	const people = 100_000
	redis, err := b.redis(ctx)
	if err != nil {
		return 0, nil, err
	}
	defer redis.stop()
	w, err := b.webinar(ctx, redis, "memory:")
	if err != nil {
		return 0, nil, err
	}
	w.nameless, w.addressed = true, addressed
	before, err := redis.info(ctx, "memory", "used_memory")
	if err != nil {
		return 0, nil, err
	}
	if err := errors.Join(w.fill(ctx, 0, people, 500, false), w.fill(ctx, 0, people, 500, true)); err != nil {
		return 0, nil, err
	}
	after, err := redis.info(ctx, "memory", "used_memory")
	if err != nil {
		return 0, nil, err
	}
	each = (after - before) / people
	b.say("memory: %s bytes an attendee", number(each))
	byKey, err = redis.sizes(ctx, people)
	return each, byKey, err
}

// sizes gives the bytes of each key by its last part, for each of so many people; what is less than a tenth of a byte is left out.
func (s *redisServer) sizes(ctx context.Context, people float64) (map[string]float64, error) {
	keys, err := s.Keys(ctx, "*").Result()
	if err != nil {
		return nil, err
	}
	sizes := map[string]float64{}
	for _, key := range keys {
		size, err := s.MemoryUsage(ctx, key, 0).Result() // 0: of all that is in it
		if err != nil {
			return nil, err
		}
		if each := float64(size) / people; each > 0.1 {
			sizes[key[strings.LastIndex(key, ":")+1:]+" B"] += each
		}
	}
	return sizes, nil
}

// growth measures whether an event costs Redis more where more people are: events in a session of a million, and in one of a hundred thousand.
func (b *bench) growth(ctx context.Context) ([]Row, error) {
	const what, against = "Redis CPU of an event at 1,000,000 people", "at 100,000"
	if b.short {
		return []Row{unmeasured(what, against, atMost(1.15), "in the full run only")}, nil
	}
	redis, err := b.redis(ctx)
	if err != nil {
		return nil, err
	}
	defer redis.stop()
	var sizes [2]*webinar
	for i, people := range []int{1_000_000, 100_000} {
		if sizes[i], err = b.webinar(ctx, redis, fmt.Sprintf("growth%d:", i)); err != nil {
			return nil, err
		}
		b.say("%s people come", number(float64(people)))
		if err := sizes[i].fill(ctx, 0, people, 500, false); err != nil {
			return nil, err
		}
		sizes[i].sent = people
	}
	const some, post = 9600, 32
	var cost [2][]float64
	for round := range b.rounds + 1 {
		for i, w := range sizes {
			before, err := redis.busy(ctx)
			if err != nil {
				return nil, err
			}
			if err := w.fill(ctx, w.sent, w.sent+some, post, false); err != nil {
				return nil, err
			}
			after, err := redis.busy(ctx)
			if err != nil {
				return nil, err
			}
			w.sent += some
			if round > 0 {
				cost[i] = append(cost[i], 1e6*(after-before)/some)
			}
		}
	}
	return []Row{row(what, against, "", atMost(1.15), ratios(cost[0], cost[1]), map[string]float64{
		"µs at 1,000,000": median(cost[0]), "µs at 100,000": median(cost[1]),
	})}, nil
}
