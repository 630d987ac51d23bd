package main

import (
	"context"
	"fmt"
	"time"
)

// sessions measures what a programme of 1,000 sessions costs who asks for all figures: Prometheus. Half of them have had 20 people.
func (b *bench) sessions(ctx context.Context) ([]Row, error) {
	const webinars, people, busy = 500, 20, 100
	redis, err := b.redis(ctx, fsync("everysec")...)
	if err != nil {
		return nil, err
	}
	defer redis.stop()
	var rooms []string
	var crowds []*crowd
	for i := range webinars {
		rooms = append(rooms, fmt.Sprintf("9%010d", i))
		crowds = append(crowds, newCrowd(rooms[i], b.now))
	}
	jauge, err := b.jauge(ctx, b.binary, redis.url(), rooms...)
	if err != nil {
		return nil, err
	}
	defer jauge.stop()
	joins := func(i int) (int, bool) { return i, false }
	post := func(crowds []*crowd, first, people int) error {
		h, err := fire(ctx, newSigner(time.Now()).volley(crowds, joins, first*len(crowds), (first+people)*len(crowds)),
			aim{addresses: []string{jauge.address}, connections: 64, lasting: time.Minute})
		if err == nil && h.acknowledged != people*len(crowds) {
			err = fmt.Errorf("%d of %d webhooks were acknowledged", h.acknowledged, people*len(crowds))
		}
		return err
	}
	if err := post(crowds, 0, people); err != nil {
		return nil, err
	}
	var quiet, changed []float64
	for round := range b.rounds + 1 {
		if err := post(crowds[:busy], people+round, 1); err != nil {
			return nil, err
		}
		for _, took := range []*[]float64{&changed, &quiet} {
			began := time.Now()
			if _, err := jauge.get(ctx, "/metrics", organiser); err != nil {
				return nil, err
			}
			if round > 0 {
				*took = append(*took, float64(time.Since(began))/1e6)
			}
		}
	}
	return []Row{
		row("/metrics of 1,000 sessions, nothing new", "", " ms", nil, quiet, nil),
		row("/metrics of 1,000 sessions, 100 of them changed", "", " ms", nil, changed, nil),
	}, nil
}
