package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// setting is one way of posting webhooks.
type setting struct {
	name        string
	connections int
	in          order
	target      *Target
	webinars    int // that run at once; 0 is 1
	addressed   bool
	crowds      []*crowd
	sent        int // events
	pairs
}

// pairs is what came of the rounds: the service and the empty handler, one right after the other.
type pairs struct {
	ratio, tail                        []float64
	service, empty                     []hits
	cpuService, cpuRedis, cpuEmpty     float64 // µs
	answered, answeredEmpty, unhappily int
}

// webhooks measures signed webhooks of Zoom, each recorded in Redis before it is answered, against the empty handler.
func (b *bench) webhooks(ctx context.Context) ([]Row, error) {
	everysec := []*setting{
		{name: "webhooks, 64 connections, live order", connections: 64, in: live, target: atLeast(0.45)},
		{name: "webhooks, 64 connections, leaves overtake joins", connections: 64, in: overtaking, target: atLeast(0.45)},
		{name: "webhooks, 256 connections", connections: 256, in: live, target: atLeast(0.50)},
		{name: "webhooks, 64 connections, 16 webinars at once", connections: 64, in: live, webinars: 16},
		{name: "webhooks, one connection", connections: 1, in: live},
		{name: "webhooks, 64 connections, with e-mail addresses", connections: 64, in: live, addressed: true},
	}
	always := []*setting{{name: "webhooks, 64 connections, appendfsync always", connections: 64, in: live, target: atLeast(0.30)}}
	embedded := []*setting{{name: "webhooks, 64 connections, embedded store", connections: 64, in: live}}
	lost := 0.0
	for _, on := range []struct {
		settings []*setting
		store    []string
	}{{everysec, fsync("everysec")}, {always, fsync("always")}, {embedded, nil}} {
		more, err := b.posted(ctx, on.settings, on.store)
		if err != nil {
			return nil, err
		}
		lost += more
	}
	var rows []Row
	unhappily := 0
	for _, s := range slices.Concat(everysec, always, embedded) {
		rows = append(rows, row(s.name, "empty Gin handler", "", s.target, s.ratio, s.absolute()))
		unhappily += s.unhappily
	}
	for _, s := range everysec[:2] {
		rows = append(rows, row("p99 of "+s.name, "empty Gin handler", "", atMost(3), s.tail, nil))
	}
	rows = append(rows,
		row("webhooks answered with something else than 2xx", "", "", atMost(0), []float64{float64(unhappily)}, nil),
		row("webhooks acknowledged and not recorded as new", "", "", atMost(0), []float64{lost}, nil),
		processorTime(everysec[:2]))
	return rows, nil
}

// processorTime is what a webhook costs, with Redis, against what a request costs anyhow.
func processorTime(settings []*setting) Row {
	var sum pairs
	for _, s := range settings {
		sum.cpuService += s.cpuService
		sum.cpuRedis += s.cpuRedis
		sum.cpuEmpty += s.cpuEmpty
		sum.answered += s.answered
		sum.answeredEmpty += s.answeredEmpty
	}
	service, redis, empty := sum.cpuService/float64(sum.answered), sum.cpuRedis/float64(sum.answered), sum.cpuEmpty/float64(sum.answeredEmpty)
	return row("CPU of a webhook, jauge and Redis", "empty Gin handler", "", atMost(45./16), []float64{(service + redis) / empty},
		map[string]float64{"jauge µs": service, "redis µs": redis, "empty µs": empty})
}

// posted measures settings beside each other on one service, and gives how many acknowledged events were not recorded. Without settings
// of Redis, it works on the embedded store.
func (b *bench) posted(ctx context.Context, settings []*setting, store []string) (lost float64, _ error) {
	url, cpu := "", func() time.Duration { return 0 }
	if store != nil {
		redis, err := b.redis(ctx, store...)
		if err != nil {
			return 0, err
		}
		defer redis.stop()
		url, cpu = redis.url(), redis.cpu
	}
	var rooms []string
	for _, s := range settings {
		for range max(1, s.webinars) {
			room := fmt.Sprintf("9%010d", len(rooms))
			rooms = append(rooms, room)
			s.crowds = append(s.crowds, newCrowd(room, b.now))
			s.crowds[len(s.crowds)-1].addressed = s.addressed
		}
	}
	jauge, err := b.jauge(ctx, b.binary, url, rooms...)
	if err != nil {
		return 0, err
	}
	defer jauge.stop()
	empty, err := b.empty(ctx)
	if err != nil {
		return 0, err
	}
	defer empty.stop()
	acknowledged := 0
	for round := range b.rounds + 1 { // the first one warms up
		for _, s := range settings {
			n, err := b.pair(ctx, s, round, jauge, empty, cpu)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", s.name, err)
			}
			acknowledged += n
		}
	}
	recorded, err := jauge.metric(ctx, "jauge_events_total", `result="recorded"`)
	return float64(acknowledged) - recorded, err
}

// pair sends the same requests to both, in turn the one and the other first.
func (b *bench) pair(ctx context.Context, s *setting, round int, jauge, empty *server, redis func() time.Duration) (acknowledged int, _ error) {
	lasting := b.lasting
	if round == 0 {
		lasting /= 5
	}
	n := int(lasting.Seconds() * 60_000)
	if s.connections == 1 {
		n /= 5
	}
	all := 2 * wave * len(s.crowds) // whole waves, so that nobody is sent twice
	n = max(all, n-n%all)
	requests := newSigner(time.Now()).volley(s.crowds, s.in, s.sent, s.sent+n)
	s.sent += n
	runtime.GC() // now, and not while others are measured
	var service, nothing hits
	var cpuService, cpuRedis, cpuEmpty time.Duration
	var err error
	for turn := range 2 {
		if (turn == 0) == (round%2 == 0) {
			before := empty.cpu()
			nothing, err = fire(ctx, requests, aim{addresses: []string{empty.address}, connections: s.connections, lasting: lasting, again: true})
			cpuEmpty = empty.cpu() - before
		} else {
			before, beforeRedis := jauge.cpu(), redis()
			service, err = fire(ctx, requests, aim{addresses: []string{jauge.address}, connections: s.connections, lasting: lasting})
			cpuService, cpuRedis = jauge.cpu()-before, redis()-beforeRedis
		}
		if err != nil {
			return 0, err
		}
	}
	s.unhappily += service.answered - service.acknowledged
	if round > 0 {
		b.noise(s.name, nothing.rate())
		s.take(service, nothing, micros(cpuService), micros(cpuRedis), micros(cpuEmpty))
		b.say("%s: %s a second, the empty handler %s", s.name, number(service.rate()), number(nothing.rate()))
	}
	return service.acknowledged, nil
}

func micros(d time.Duration) float64 { return float64(d) / 1e3 }

func (p *pairs) take(service, empty hits, cpuService, cpuRedis, cpuEmpty float64) {
	p.ratio = append(p.ratio, service.rate()/empty.rate())
	p.tail = append(p.tail, service.percentile(0.99)/empty.percentile(0.99))
	p.service, p.empty = append(p.service, service), append(p.empty, empty)
	p.cpuService += cpuService
	p.cpuRedis += cpuRedis
	p.cpuEmpty += cpuEmpty
	p.answered += service.answered
	p.answeredEmpty += empty.answered
}

// absolute has beside the rates what they would be to each other if nothing else took of the processor: calm also where the rates are not.
func (p *pairs) absolute() map[string]float64 {
	service, empty, sending := (p.cpuService+p.cpuRedis)/float64(p.answered), p.cpuEmpty/float64(p.answeredEmpty), over(p.empty, hits.each)
	return map[string]float64{
		"ratio by processor time": (empty + sending) / (service + sending),
		"a second":                over(p.service, hits.rate), "empty a second": over(p.empty, hits.rate),
		"p50 ms": over(p.service, half), "p99 ms": over(p.service, tail), "empty p50 ms": over(p.empty, half), "empty p99 ms": over(p.empty, tail),
		"jauge µs": p.cpuService / float64(p.answered), "redis µs": p.cpuRedis / float64(p.answered), "empty µs": empty, "sending µs": sending,
	}
}

func half(h hits) float64 { return h.percentile(0.5) }
func tail(h hits) float64 { return h.percentile(0.99) }

// over is the median of a figure of rounds.
func over(rounds []hits, figure func(hits) float64) float64 {
	values := make([]float64, len(rounds))
	for i, h := range rounds {
		values[i] = figure(h)
	}
	return median(values)
}

// replicas measures two services on one Redis against one.
func (b *bench) replicas(ctx context.Context) ([]Row, error) {
	redis, err := b.redis(ctx, fsync("everysec")...)
	if err != nil {
		return nil, err
	}
	defer redis.stop()
	const room = "90000000000"
	c, sent := newCrowd(room, b.now), 0
	var both []*server
	for range 2 {
		jauge, err := b.jauge(ctx, b.binary, redis.url(), room)
		if err != nil {
			return nil, err
		}
		defer jauge.stop()
		both = append(both, jauge)
	}
	addresses := []string{both[0].address, both[1].address}
	var rates, cost [3][]float64
	var ratio []float64
	for round := range b.rounds + 1 {
		for _, n := range []int{1, 2} {
			count := max(2*wave, int(b.lasting.Seconds()*60_000))
			requests := newSigner(time.Now()).volley([]*crowd{c}, live, sent, sent+count)
			sent += count
			before := both[0].cpu() + both[1].cpu() + redis.cpu()
			h, err := fire(ctx, requests, aim{addresses: addresses[:n], connections: 64, lasting: b.lasting})
			if err != nil {
				return nil, err
			}
			if h.acknowledged != h.answered {
				return nil, fmt.Errorf("two replicas answered %v", h.other)
			}
			if round > 0 {
				rates[n] = append(rates[n], h.rate())
				cost[n] = append(cost[n], micros(both[0].cpu()+both[1].cpu()+redis.cpu()-before)/float64(h.answered))
			}
		}
		if round > 0 {
			ratio = append(ratio, rates[2][round-1]/rates[1][round-1])
			b.say("two replicas: %s a second, one: %s", number(rates[2][round-1]), number(rates[1][round-1]))
		}
	}
	return []Row{row("webhooks, two replicas on one Redis, 64 connections", "one replica", "", nil, ratio, map[string]float64{
		"one a second": median(rates[1]), "two a second": median(rates[2]), "one µs": median(cost[1]), "two µs": median(cost[2]),
	})}, nil
}
