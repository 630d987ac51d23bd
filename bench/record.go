package main

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/attendance"
	"jauge/internal/embedded"
	"jauge/internal/text"
	"jauge/programme"
)

// webinar is a store with one session that runs now, and its crowd.
type webinar struct {
	*attendance.Store
	*crowd
	sent int // people
}

// webinar opens a store under a key prefix.
func (b *bench) webinar(ctx context.Context, rdb redis.UniversalClient, prefix string) (*webinar, error) {
	const room = "90000000000"
	sessions := programme.New(rdb, programme.Options{Prefix: prefix})
	err := sessions.Configure(ctx, []programme.Session{{
		ID: "webinar", Title: text.Text{"en": "A webinar"}, StartsAt: b.now.Add(-45 * time.Minute), EndsAt: b.now.Add(2 * time.Hour),
		Rooms: []programme.Room{{Source: "zoom", ID: room}},
	}})
	return &webinar{Store: attendance.New(rdb, sessions, attendance.Options{Prefix: prefix, Key: []byte(secretKey)}), crowd: newCrowd(room, b.now)}, err
}

// next gives the events of so many people more, as the platform's dialect reads them: all come, then all go.
func (w *webinar) next(people int) ([]attendance.Event, error) {
	first := w.sent
	w.sent += people
	return w.events(func(i int) (int, bool) { return first + i%people, i >= people }, 0, 2*people)
}

// take records events at once, all of which must be new.
func (w *webinar) take(ctx context.Context, events []attendance.Event) error {
	results, err := w.Record(ctx, "zoom", events)
	if err == nil && len(results) != len(events) {
		err = fmt.Errorf("%d of %d events have a result", len(results), len(events))
	}
	for i, result := range results {
		if result != attendance.Recorded {
			return fmt.Errorf("event %d of a post is %s, not recorded", i, result)
		}
	}
	return err
}

// concurrently runs operations of many callers, and gives how many were done, and how many a second. None begins when time is over.
func concurrently(ctx context.Context, callers, n int, lasting time.Duration, do func(i int) error) (rate float64, count int, _ error) {
	var next, done atomic.Int64
	var crowd sync.WaitGroup
	failed := make(chan error, callers)
	began := time.Now()
	for range callers {
		crowd.Go(func() {
			for ctx.Err() == nil && time.Since(began) < lasting {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(i); err != nil {
					failed <- err
					return
				}
				done.Add(1)
			}
		})
	}
	crowd.Wait()
	took := time.Since(began)
	close(failed)
	if err := <-failed; err != nil {
		return 0, 0, err
	}
	return float64(done.Load()) / took.Seconds(), int(done.Load()), ctx.Err()
}

// operation is one contender of record.
type operation struct {
	name string
	n    int
	do   func(i int) error
}

// record measures the store alone: what many callers record through one client, against presence and against a script that does nothing.
func (b *bench) record(ctx context.Context) ([]Row, error) {
	redis, err := b.redis(ctx, fsync("everysec")...)
	if err != nil {
		return nil, err
	}
	defer redis.stop()
	w, err := b.webinar(ctx, redis, "record:")
	if err != nil {
		return nil, err
	}
	w.nameless = true // presence knows ids only
	p, done, err := newPresence(ctx, redis, filepath.Join(b.root, "bench"))
	if err != nil {
		return nil, err
	}
	defer done()
	var rows []Row
	for _, size := range []struct {
		callers           int
		presence, nothing *Target
	}{{64, atLeast(1.4), nil}, {512, atLeast(2.2), atLeast(0.37)}} {
		rates, absolute, err := b.contend(ctx, redis, size.callers, w, p)
		if err != nil {
			return nil, fmt.Errorf("%d callers: %w", size.callers, err)
		}
		what := fmt.Sprintf("Record, %d callers", size.callers)
		rows = append(rows,
			row(what, "centrifuge's presence with users, same client", "", size.presence, ratios(rates["jauge"], rates["presence"]), absolute),
			row(what, "the same, its own client", "", nil, ratios(rates["jauge"], rates["presence, own client"]), nil),
			row(what, "EVALSHA return 1, same client", "", size.nothing, ratios(rates["jauge"], rates["nothing"]), nil))
	}
	return rows, nil
}

// contend lets all do the same in turn, and gives their rates by round, and what the table does not say.
func (b *bench) contend(ctx context.Context, redis *redisServer, callers int, w *webinar, p *presence) (rates map[string][]float64, absolute map[string]float64, _ error) {
	sha, err := redis.ScriptLoad(ctx, "return 1").Result()
	if err != nil {
		return nil, nil, err
	}
	rates, cost, own := map[string][]float64{}, map[string][]float64{}, map[string][]float64{}
	for round := range b.rounds + 1 {
		events, err := w.next(int(b.lasting.Seconds() * 30_000))
		if err != nil {
			return nil, nil, err
		}
		p.next(events)
		n := len(events)
		runtime.GC() // now, and not while one of them is measured
		contenders := []operation{
			{"jauge", n, func(i int) error { return w.take(ctx, events[i:i+1]) }},
			{"presence", n, func(i int) error { return p.same(ctx, i) }},
			{"presence, own client", n, p.own},
			{"nothing", 4 * n, func(int) error { return p.client.EvalSha(ctx, sha, nil).Err() }},
		}
		for i := range contenders {
			c := contenders[(i+round)%len(contenders)]
			before := processTime()
			rate, each, count, err := redis.measure(ctx, func() (float64, int, error) { return concurrently(ctx, callers, c.n, 2*b.lasting, c.do) })
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", c.name, err)
			}
			if round > 0 {
				rates[c.name], cost[c.name] = append(rates[c.name], rate), append(cost[c.name], each)
				own[c.name] = append(own[c.name], micros(processTime()-before)/count)
			}
		}
	}
	absolute = map[string]float64{}
	for name := range rates {
		absolute[name+" a second"], absolute[name+" redis µs"], absolute[name+" caller µs"] = median(rates[name]), median(cost[name]), median(own[name])
	}
	b.say("%d callers: %s", callers, absolutes(absolute))
	return rates, absolute, nil
}

// measure gives beside a rate what one operation took of Redis' processor time, in µs, and how many there were.
func (s *redisServer) measure(ctx context.Context, do func() (rate float64, n int, _ error)) (rate, each, count float64, _ error) {
	before, err := s.busy(ctx)
	if err != nil {
		return 0, 0, 0, err
	}
	rate, n, err := do()
	if err != nil {
		return 0, 0, 0, err
	}
	after, err := s.busy(ctx)
	return rate, 1e6 * (after - before) / float64(n), float64(n), err
}

func ratios(of, against []float64) []float64 {
	r := make([]float64, len(of))
	for i := range of {
		r[i] = of[i] / against[i]
	}
	return r
}

// postSize is how many events the embedded store gets at once, as a relay that was away sends them.
const postSize = 1000

// embedded measures the store within the process against redis-server, with the same posts: a join and a leave of each of 500 people.
func (b *bench) embedded(ctx context.Context) ([]Row, error) {
	server, err := b.redis(ctx)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	inside, err := embedded.Start()
	if err != nil {
		return nil, err
	}
	defer inside.Close()
	client := inside.Client()
	defer client.Close()
	var rates [2][]float64
	for round := range b.rounds + 1 {
		for i, rdb := range []redis.UniversalClient{client, server.Client} {
			rate, err := b.posts(ctx, rdb, fmt.Sprintf("posts%d-", round))
			if err != nil {
				return nil, err
			}
			if round > 0 {
				rates[i] = append(rates[i], rate)
			}
		}
	}
	b.say("embedded store: %s events a second, redis-server %s", number(median(rates[0])), number(median(rates[1])))
	return []Row{row("embedded store, events", "redis-server, the same posts", "", atLeast(0.8), ratios(rates[0], rates[1]),
		map[string]float64{"embedded a second": median(rates[0]), "redis a second": median(rates[1])})}, nil
}

// posts gives how many events of posts are recorded a second, each post in a session of its own; what they need is made beforehand.
func (b *bench) posts(ctx context.Context, rdb redis.UniversalClient, prefix string) (rate float64, _ error) {
	const sessions = 20
	var webinars []*webinar
	for i := range sessions {
		w, err := b.webinar(ctx, rdb, fmt.Sprintf("%s%d:", prefix, i))
		if err != nil {
			return 0, err
		}
		webinars = append(webinars, w)
	}
	post, err := webinars[0].events(func(i int) (int, bool) { return i % (postSize / 2), i >= postSize/2 }, 0, postSize)
	if err != nil {
		return 0, err
	}
	rate, _, err = concurrently(ctx, 1, sessions, b.lasting, func(i int) error { return webinars[i].take(ctx, post) })
	return rate * postSize, err
}
