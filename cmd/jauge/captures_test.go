package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/attendance"
	"jauge/internal/redistest"
)

// captured is one request as a real LiveKit server sent it.
type captured struct {
	AtMS    int64             `json:"at_ms"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// truth is who was in when, by the clients' own clock on the machine that made the capture.
type truth struct {
	Key, Secret string
	Rooms       []struct {
		Room   string
		Unique int `json:"unique_attendees"`
		Peak   int `json:"peak_concurrent_people"`
	}
	Visits []struct {
		Identity string
		JoinedMS int64 `json:"joined_ms"`
		LeftMS   int64 `json:"left_ms"`
		How      string
	}
}

func readCapture(t *testing.T, name string) (requests []captured, tr truth) {
	t.Helper()
	base := filepath.Join("..", "..", "platforms", "testdata", "livekit-"+name)
	file, err := os.Open(base + ".jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // read only
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var c captured
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		requests = append(requests, c)
	}
	text, err := os.ReadFile(base + ".truth.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &tr); err != nil {
		t.Fatal(err)
	}
	return requests, tr
}

// stated is the stay that the platform's own statements give for a visit: a killed client is reported when the platform
// noticed, up to 20 s late, and its server's whole seconds are what there is.
func (tr truth) stated(t *testing.T, requests []captured, i int) time.Duration {
	t.Helper()
	v := tr.Visits[i]
	left := v.LeftMS
	if v.How == "SIGKILL" {
		for _, r := range requests {
			var b struct {
				Event       string
				CreatedAt   string
				Participant struct{ Identity string }
			}
			if err := json.Unmarshal([]byte(r.Body), &b); err != nil {
				t.Fatal(err)
			}
			if b.Event == "participant_left" && b.Participant.Identity == v.Identity && r.AtMS >= v.LeftMS {
				left = r.AtMS
				break
			}
		}
	}
	return time.Duration(left-v.JoinedMS) * time.Millisecond
}

// inProcess builds the service on a store with a clock that the test sets, in Unix ms.
func inProcess(t *testing.T, rdb redis.UniversalClient, prefix, config string) (service, *atomic.Int64) {
	t.Helper()
	c, err := loadConfig(writeConfig(t, config))
	if err != nil {
		t.Fatal(err)
	}
	clock := &atomic.Int64{}
	now := func() time.Time { return time.UnixMilli(clock.Load()) }
	c.OrganiserToken, c.SecretKey = token, key
	s := &stores{rdb: rdb, guard: newGuard(prefix, []byte(key)), key: []byte(key)}
	if err := s.build(c, prefix, now); err != nil {
		t.Fatal(err)
	}
	if err := s.prepare(t.Context(), c, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	v, err := newService(t.Context(), c, s, slog.New(slog.DiscardHandler), now)
	if err != nil {
		t.Fatal(err)
	}
	return v, clock
}

func orders(requests []captured, seed uint64) map[string][]captured {
	reversed := slices.Clone(requests)
	slices.Reverse(reversed)
	tripled := slices.Concat(requests, requests, requests)
	rand.New(rand.NewPCG(seed, 3)).Shuffle(len(tripled), func(i, j int) { tripled[i], tripled[j] = tripled[j], tripled[i] })
	return map[string][]captured{"as sent": requests, "reversed": reversed, "shuffled, each three times": tripled}
}

// Requests that a real LiveKit server sent give the truth, in whatever order they come and however often.
func TestLiveKitCapturesGiveTheTruth(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"basic", "dup", "kill", "restart-kill"} {
		requests, tr := readCapture(t, name)
		for order, sequence := range orders(requests, uint64(len(name))) {
			t.Run(name+"/"+order, func(t *testing.T) {
				t.Parallel()
				redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
					playCapture(t, rdb, prefix, sequence, requests, tr, name == "restart-kill")
				})
			})
		}
	}
}

func playCapture(t *testing.T, rdb redis.UniversalClient, prefix string, sequence, requests []captured, tr truth, killed bool) {
	t.Helper()
	first, last := requests[0].AtMS, requests[len(requests)-1].AtMS
	v, clock := inProcess(t, rdb, prefix, fmt.Sprintf(`
sources: [{name: livekit, platform: livekit, secrets: ["%s:%s"]}]
sessions:
  - {id: talk, title: {en: Talk}, starts_at: %s, ends_at: %s, rooms: [{source: livekit, id: %s}]}`,
		tr.Key, tr.Secret, time.UnixMilli(first).UTC().Format(time.RFC3339), time.UnixMilli(last+1000).UTC().Format(time.RFC3339), tr.Rooms[0].Room))
	for _, c := range sequence {
		clock.Store(c.AtMS) // their tokens are good for five minutes
		r := httptest.NewRequest(http.MethodPost, "/webhooks/livekit", strings.NewReader(c.Body))
		for k, value := range c.Headers {
			r.Header.Set(k, value)
		}
		w := httptest.NewRecorder()
		v.handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	clock.Store(last)
	a := v.stores.attendance
	session, err := v.stores.programme.Session(t.Context(), "talk")
	if err != nil {
		t.Fatal(err)
	}
	figures, err := a.Figures(t.Context(), session)
	if err != nil {
		t.Fatal(err)
	}
	f := figures[0]
	if *f.Unique != tr.Rooms[0].Unique || *f.Present != 0 || *f.Connections != 0 || *f.Peak != tr.Rooms[0].Peak {
		t.Errorf("unique %d, present %d, connections %d, peak %d; the truth is %+v", *f.Unique, *f.Present, *f.Connections, *f.Peak, tr.Rooms[0])
	}
	rows, err := a.Rows(t.Context(), "talk")
	if err != nil {
		t.Fatal(err)
	}
	checkRows(t, rows, requests, tr, killed)
	if drifts, err := a.Verify(t.Context(), "talk"); err != nil || len(drifts) > 0 {
		t.Errorf("verify: %v %v", drifts, err)
	}
}

// checkRows holds the persons' rows against the clients' own clock: 1.5 s a visit, and where the server was killed the
// seconds in which nobody could be in, too; there the old stays are inferred.
func checkRows(t *testing.T, rows []attendance.Row, requests []captured, tr truth, killed bool) {
	t.Helper()
	want, visits := map[string]time.Duration{}, map[string]int{}
	for i, v := range tr.Visits {
		want[v.Identity] += tr.stated(t, requests, i)
		visits[v.Identity]++
	}
	if len(rows) != len(want) {
		t.Fatalf("%d persons, not %d", len(rows), len(want))
	}
	var got, expected []time.Duration
	slack, total := 1500*time.Millisecond, 0
	for identity, d := range want {
		expected = append(expected, d)
		total = max(total, visits[identity])
	}
	for _, r := range rows {
		got = append(got, r.Watch)
		if inferred := r.Provenance == "inferred"; inferred != killed {
			t.Errorf("a stay of %s is %s", r.Watch, r.Provenance)
		}
	}
	if killed {
		slack += 4 * time.Second
	}
	slices.Sort(got)
	slices.Sort(expected)
	for i := range got {
		if off := (got[i] - expected[i]).Abs(); off > slack*time.Duration(total) {
			t.Errorf("watch %s, the clients say %s", got[i], expected[i])
		}
	}
}
