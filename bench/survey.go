package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// survey measures submitted answers against an earlier version: both beside each other, each on a Redis of its own.
func (b *bench) survey(ctx context.Context) ([]Row, error) {
	what, against := "survey submissions, 32 connections", "revision "+b.base
	before, err := b.before(ctx)
	if err != nil {
		return []Row{unmeasured(what, against, atLeast(1.6), err.Error())}, ctx.Err()
	}
	var services [2]*server
	for i, binary := range []string{b.binary, before} {
		redis, err := b.redis(ctx, fsync("everysec")...)
		if err != nil {
			return nil, err
		}
		defer redis.stop()
		if services[i], err = b.jauge(ctx, binary, redis.url(), "hall"); err != nil {
			return nil, err
		}
		defer services[i].stop()
	}
	var rates, tails, cost [2][]float64
	for round := range b.rounds + 1 {
		lasting := b.lasting
		if round == 0 {
			lasting /= 5
		}
		for turn := range 2 {
			i := (turn + round) % 2
			used := services[i].cpu()
			h, err := fire(ctx, answers(int(lasting.Seconds()*15_000)), aim{addresses: []string{services[i].address}, connections: 32, lasting: lasting})
			if err != nil {
				return nil, err
			}
			if h.acknowledged != h.answered {
				return nil, fmt.Errorf("answers of a survey got %v", h.other)
			}
			if round > 0 {
				rates[i], tails[i] = append(rates[i], h.rate()), append(tails[i], h.percentile(0.99))
				cost[i] = append(cost[i], micros(services[i].cpu()-used)/float64(h.answered))
			}
		}
	}
	b.say("survey: %s a second, before %s", number(median(rates[0])), number(median(rates[1])))
	return []Row{row(what, against, "", atLeast(1.6), ratios(rates[0], rates[1]), map[string]float64{
		"a second": median(rates[0]), "before a second": median(rates[1]), "p99 ms": median(tails[0]), "before p99 ms": median(tails[1]),
		"jauge µs": median(cost[0]), "before jauge µs": median(cost[1]),
	})}, nil
}

// before gives the binary of the earlier version, which is built once and kept in the user's cache.
func (b *bench) before(ctx context.Context) (binary string, _ error) {
	commit, err := exec.CommandContext(ctx, "git", "-C", b.root, "rev-parse", "--verify", "--quiet", b.base+"^{commit}").Output() //nolint:gosec // chosen by who runs the bench
	if err != nil {
		return "", fmt.Errorf("the repository has no revision %s", b.base)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	binary = filepath.Join(cache, "jauge-bench", "jauge-"+strings.TrimSpace(string(commit))+"-"+runtime.Version())
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	b.say("building revision %s", b.base)
	tree := filepath.Join(b.dir, "base")
	fresh := filepath.Join(b.dir, "jauge-base")
	if err := errors.Join(os.Mkdir(tree, 0o700), checkout(ctx, b.root, b.base, tree)); err != nil {
		return "", err
	}
	if err := errors.Join(build(ctx, tree, fresh), os.MkdirAll(filepath.Dir(binary), 0o700)); err != nil {
		return "", err
	}
	content, err := os.ReadFile(fresh)
	if err != nil {
		return "", err
	}
	half := binary + ".new"                                    // so that what is there is whole
	if err := os.WriteFile(half, content, 0o700); err != nil { //nolint:gosec // it is to run
		return "", err
	}
	return binary, os.Rename(half, binary)
}

// answers are those of so many people to a ready survey, as the JSON of one's own page: a scale for most questions, a choice, and several.
func answers(n int) *volley {
	v := &volley{}
	images := []string{"service", "negotiation", "travel"}
	for i := range n {
		scale := 1 + i%5
		body := fmt.Sprintf(`{"answers": {"interest_before": %d, "knowledge_before": %[1]d, "people_like_me_before": %[1]d, "satisfaction": %d,`+
			` "helped": ["path", "questions"], "image": %[3]q, "interest_now": %[2]d, "knowledge_now": 5}}`, scale, 5-i%3, images[i%3])
		v.add(fmt.Appendf(nil, "POST /feedback/relay-hall HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	}
	return v
}
