package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// venom is what a bad sender says: cost that grows with everything that came before, where nobody looks after it.
type venom struct {
	name  string
	n     int // events, one a request; then a post of as many as a relay sends at once
	event func(i int) map[string]any
}

const poisonPost = 500

// poison measures what a sender that gives all its people one id, or each of its events an occurrence of its own, does to everybody else.
func (b *bench) poison(ctx context.Context) ([]Row, error) {
	var rows []Row
	for _, v := range []venom{
		{"1,500 occurrences", 1500, func(i int) map[string]any {
			return map[string]any{"room": "bad", "attendee": "p" + strconv.Itoa(i), "occurrence": "o" + strconv.Itoa(i)}
		}},
		{"2,000 connections of one person", 2000, func(i int) map[string]any {
			return map[string]any{"room": "bad", "attendee": "anonymous", "connection": "c" + strconv.Itoa(i)}
		}},
	} {
		worst, drained, err := b.poisoned(ctx, v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.name, err)
		}
		b.say("%s: others' events counted within %s s, nothing pending after %s s", v.name, number(worst), number(drained))
		rows = append(rows,
			row("others' events beside "+v.name, "", " s", atMost(1), []float64{worst}, nil),
			row("pending after "+v.name, "", " s", atMost(10), []float64{drained}, nil))
	}
	return rows, nil
}

// patience is how long poison is sent, and how long a good event or the journal is waited for.
func (b *bench) patience() time.Duration {
	if b.short {
		return 12 * time.Second
	}
	return time.Minute
}

// poisoned gives how long the slowest good event took to be counted, and how long the journal to be empty after the last bad one.
func (b *bench) poisoned(ctx context.Context, v venom) (worst, drained float64, _ error) {
	redis, err := b.redis(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer redis.stop()
	jauge, err := b.jauge(ctx, b.binary, redis.url(), "bad", "good")
	if err != nil {
		return 0, 0, err
	}
	defer jauge.stop()
	began := b.now.Add(-40 * time.Minute)
	bad := func(i int) []byte { return statement(v.event(i), began.Add(time.Duration(i)*time.Second/2)) }
	requests := &volley{}
	for i := range v.n {
		requests.add(signed(fmt.Sprint("bad", i), bad(i)))
	}
	posts := make([][]byte, poisonPost)
	for i := range posts {
		posts[i] = bad(v.n + i)
	}
	batch := &volley{}
	batch.add(signed("batch", append(append([]byte("["), bytes.Join(posts, []byte(","))...), ']')))

	over, slowest := make(chan struct{}), make(chan float64)
	var failed error
	go func() { slowest <- b.beside(ctx, jauge, over, &failed) }()
	for _, v := range []*volley{requests, batch} {
		if err == nil {
			var h hits
			h, err = fire(ctx, v, aim{addresses: []string{jauge.address}, connections: 1, lasting: b.patience()})
			if err == nil && h.acknowledged != h.answered {
				err = fmt.Errorf("bad events were answered with %v", h.other)
			}
		}
	}
	last := time.Now()
	for pending := 1.0; err == nil && pending > 0 && time.Since(last) < b.patience(); time.Sleep(20 * time.Millisecond) {
		pending, err = jauge.metric(ctx, "jauge_journal_pending", "")
	}
	drained = time.Since(last).Seconds()
	close(over)
	worst = <-slowest
	if err == nil {
		err = failed
	}
	return worst, drained, err
}

// beside sends good events, one after the other is counted, until it is over, and gives the seconds that the slowest took.
func (b *bench) beside(ctx context.Context, jauge *server, over <-chan struct{}, failed *error) (worst float64) {
	for n := 1; ; n++ {
		sent := time.Now()
		one := &volley{}
		one.add(signed(fmt.Sprint("good", n), statement(map[string]any{"room": "good", "attendee": "good" + strconv.Itoa(n)}, time.Now())))
		h, err := fire(ctx, one, aim{addresses: []string{jauge.address}, connections: 1, lasting: time.Minute})
		if err == nil && h.acknowledged != 1 {
			err = fmt.Errorf("a good event was answered with %v", h.other)
		}
		for counted := 0; err == nil && counted < n && time.Since(sent) < b.patience(); time.Sleep(10 * time.Millisecond) {
			counted, err = unique(ctx, jauge, "relay-good")
		}
		if err != nil {
			*failed = err
			return worst
		}
		worst = max(worst, time.Since(sent).Seconds())
		select {
		case <-over:
			return worst
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func unique(ctx context.Context, jauge *server, session string) (int, error) {
	text, err := jauge.get(ctx, "/api/v1/sessions/"+session, organiser)
	if err != nil {
		return 0, err
	}
	var answer struct{ Attendance struct{ Unique *int } }
	if err := json.Unmarshal(text, &answer); err != nil || answer.Attendance.Unique == nil {
		return 0, err
	}
	return *answer.Attendance.Unique, nil
}

// statement is one event as senders of one's own write it.
func statement(data map[string]any, at time.Time) []byte {
	text, err := json.Marshal(map[string]any{"type": "attendee.joined", "timestamp": at.UTC().Format(time.RFC3339), "data": data})
	if err != nil {
		panic(err) // strings only
	}
	return text
}

// signed is a request with it, signed as Standard Webhooks are.
func signed(id string, body []byte) []byte {
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(relaySecret, "whsec_"))
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, stamp, body)
	return fmt.Appendf(nil, "%s /webhooks/relay HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nWebhook-Id: %s\r\nWebhook-Timestamp: %s\r\nWebhook-Signature: v1,%s\r\nContent-Length: %d\r\n\r\n%s",
		http.MethodPost, id, stamp, base64.StdEncoding.EncodeToString(mac.Sum(nil)), len(body), body)
}
