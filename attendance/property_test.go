package attendance

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/internal/redistest"
	"jauge/programme"
)

// histories is how many random histories the property test plays on each store: `make soak` asks for 100,000.
var histories = flag.Int("histories", 500, "random histories per store")

// plannedStart is when the generated histories begin; their sessions are planned to last a minute.
const plannedStart = int64(1_587_654_000_000)

// history invents what a platform might say of a session: one or two rooms, several occurrences, connections and
// attendees, in random order, with duplicates, lost leaves, leaves first, ends first and late events. Times are drawn
// from few values, so that ties are common.
func history(r *rand.Rand) []sealed {
	var out []sealed
	at := func() int64 { return plannedStart + int64(r.IntN(40))*500 + int64(r.IntN(3)) }
	rooms, attendees := 1+r.IntN(2), 1+r.IntN(4)
	for range 2 + r.IntN(24) {
		room := r.IntN(rooms)
		e := sealed{Room: fmt.Sprintf("room%d", room), Occurrence: fmt.Sprintf("occ%d-%d", room, r.IntN(3)), At: at()}
		person := fmt.Sprintf("p%d", r.IntN(attendees))
		connection := fmt.Sprintf("c%d", r.IntN(attendees+2))
		switch n := r.IntN(100); {
		case n < 38:
			e.Kind, e.Person, e.Connection = Joined, person, connection
		case n < 70:
			e.Kind, e.Connection = Left, connection
		case n < 76:
			e.Kind, e.Person = Joined, person // the platform names no connection
		case n < 82:
			e.Kind, e.Person = Left, person
		case n < 85:
			e.Kind, e.Connection = Joined, connection // nobody is named
		case n < 88:
			e.Kind, e.Connection, e.Peer = Bound, connection, fmt.Sprintf("c%d", r.IntN(attendees+2))
		case n < 92:
			e.Kind = Ended
		case n < 94:
			e.Kind = Started
		case n < 95:
			e.Kind, e.Person, e.Connection, e.Staff = Joined, person, connection, true
		case n < 97:
			e.Kind, e.Person = Registered, person
		case n < 98:
			e.Kind, e.Person = Replayed, person
		default:
			e.Kind, e.Person, e.Seconds = Attended, person, int64(r.IntN(100))
		}
		out = append(out, e)
		if r.IntN(5) == 0 {
			out = append(out, out[r.IntN(len(out))])
		}
	}
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// visible is what the property compares: all that a store shows at one moment.
type visible struct {
	Present, Connections, Unique, Peak int
	PeakAt                             int64
	Watch                              int64
	Registered                         int
	Curve                              map[int64]int64
}

func oracleShows(events []sealed, now int64) visible {
	m := newMarks()
	for _, e := range events {
		m.add(e)
	}
	t := m.count(plannedStart+60_000, now)
	// The automatic close lies behind every event, so it leaves the stored curve as it is.
	curve := m.count(plannedStart+60_000, m.last).deltas
	return visible{t.present, t.connections, t.unique, t.peak, t.peakAt, t.watch + t.filled, t.registered, curve}
}

func storeShows(ctx context.Context, s *Store, session programme.Session) (visible, error) {
	all, err := s.Figures(ctx, session)
	if err != nil {
		return visible{}, err
	}
	raw, err := s.rdb.HGetAll(ctx, s.keys.curve(session.ID)).Result()
	if err != nil {
		return visible{}, err
	}
	curve, err := parseCurve(raw)
	f := all[0]
	v := visible{Present: *f.Present, Connections: *f.Connections, Unique: *f.Unique, Peak: *f.Peak, Watch: f.Watch.Milliseconds(), Curve: curve}
	if f.PeakAt != nil {
		v.PeakAt = f.PeakAt.Unix()
	}
	if f.Registered != nil {
		v.Registered = *f.Registered
	}
	return v, err
}

// play records a history on a fresh session and says how the store differs from the oracle, "" if it does not.
func play(ctx context.Context, rdb redis.UniversalClient, sessions *programme.Catalogue, prefix string, events []sealed, now int64) (string, error) {
	s := New(rdb, sessions, Options{Prefix: prefix, Key: make([]byte, 32), Now: func() time.Time { return time.UnixMilli(now) }})
	session, err := sessions.Session(ctx, "s")
	if err != nil {
		return "", err
	}
	defer rdb.Del(ctx, s.keys.session("s")...)
	batch := make([]placed, len(events))
	for i, e := range events {
		batch[i] = placed{"s", e}
	}
	if _, err := s.write(ctx, batch); err != nil {
		return "", err
	}
	got, err := storeShows(ctx, s, session)
	if err != nil {
		return "", err
	}
	if diff := cmp.Diff(oracleShows(events, now), got); diff != "" {
		return "store differs from oracle (-oracle +store):\n" + diff, nil
	}
	if trouble, err := contradiction(ctx, s, session); err != nil || trouble != "" {
		return trouble, err
	}
	drifts, err := s.Verify(ctx, "s")
	if err != nil || len(drifts) > 0 {
		return fmt.Sprintf("verify: %v", drifts), err
	}
	return "", nil
}

// contradiction says how a session's status differs from its counts, or from itself.
func contradiction(ctx context.Context, s *Store, session programme.Session) (string, error) {
	all, err := s.Figures(ctx, session)
	if err != nil {
		return "", err
	}
	full, err := s.Status(ctx, session)
	if err != nil {
		return "", err
	}
	if diff := cmp.Diff(all[0], full[0].Figures); diff != "" {
		return "the status differs from the counts (-counts +status):\n" + diff, nil
	}
	if sum := full[0].Summary; sum != nil && (sum.Completed > sum.Attended || sum.Attended > *all[0].Unique || sum.WatchLow > sum.Watch || sum.Watch != all[0].Watch) {
		return fmt.Sprintf("a part is larger than the whole: %+v of %d, who stayed %s", *sum, *all[0].Unique, all[0].Watch), nil
	}
	return "", nil
}

// shrink drops events one at a time while the history still fails.
func shrink(events []sealed, fails func([]sealed) bool) []sealed {
	for i := 0; i < len(events); {
		fewer := append(append([]sealed(nil), events[:i]...), events[i+1:]...)
		if fails(fewer) {
			events = fewer
			continue
		}
		i++
	}
	return events
}

func TestRandomHistoriesAgreeWithTheOracle(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		ctx := t.Context()
		sessions := programme.New(rdb, programme.Options{Prefix: prefix})
		session := programme.Session{ID: "s", EndsAt: time.UnixMilli(plannedStart + 60_000), Rooms: []programme.Room{{Source: "any", ID: "r"}}}
		if err := sessions.Configure(ctx, []programme.Session{session}); err != nil {
			t.Fatal(err)
		}
		var next atomic.Int64
		var once sync.Once
		var workers sync.WaitGroup
		for range 2 {
			workers.Go(func() {
				for seed := next.Add(1); seed <= int64(*histories) && !t.Failed(); seed = next.Add(1) {
					r := rand.New(rand.NewPCG(uint64(seed), 1))
					events := history(r)
					now := plannedStart + []int64{0, 15_000, 60_000, 40 * 60_000}[r.IntN(4)]
					p := fmt.Sprintf("%s%d:", prefix, seed)
					trouble, err := play(ctx, rdb, sessions, p, events, now)
					if err == nil && trouble == "" {
						continue
					}
					once.Do(func() {
						small := shrink(events, func(e []sealed) bool {
							trouble, err := play(ctx, rdb, sessions, p, e, now)
							return trouble != "" || err != nil
						})
						trouble, err := play(ctx, rdb, sessions, p, small, now)
						var lines strings.Builder
						for _, e := range small {
							fmt.Fprintf(&lines, "%+v\n", e)
						}
						t.Errorf("history %d, now +%d ms: %v %s\n%s", seed, now-plannedStart, err, trouble, lines.String())
					})
				}
			})
		}
		workers.Wait()
		t.Logf("%d random histories, every figure equal to the oracle's", *histories)
	})
}

// The set is what counts: the oracle itself must not care for order or repetition.
func TestOracleIgnoresOrderAndRepetition(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		events := history(r)
		want := oracleShows(events, plannedStart+20_000)
		again := append(append([]sealed(nil), events...), events...)
		r.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		got := oracleShows(again, plannedStart+20_000)
		if !maps.Equal(got.Curve, want.Curve) || cmp.Diff(want, got) != "" {
			t.Fatalf("seed %d: %s", seed, cmp.Diff(want, got))
		}
	}
}
