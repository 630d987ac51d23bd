package attendance

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/attendance/marks"
	"jauge/internal/redistest"
	"jauge/programme"
)

// histories is how many random histories the property test plays on each store: `make soak` asks for 100,000.
var histories = flag.Int("histories", 500, "random histories per store")

// plannedStart is when the generated histories begin; their sessions are planned to last a minute.
const plannedStart = int64(1_587_654_000_000)

// history invents what a platform might say of a session: one or two rooms, several occurrences, connections and
// attendees, in random order, with duplicates, lost leaves, leaves first, ends first and late events. In half of the
// histories, all times are of eight values at most, so that marks of different people, kinds and rooms meet in one millisecond.
// Rooms differ in whether they name their occurrences, and events in which ids they carry.
func history(r *rand.Rand) []marks.Mark {
	var out []marks.Mark
	at := func() int64 { return plannedStart + int64(r.IntN(40))*500 + int64(r.IntN(3)) }
	if r.IntN(2) == 0 {
		few := make([]int64, 1+r.IntN(8))
		for i := range few {
			few[i] = at()
		}
		at = func() int64 { return few[r.IntN(len(few))] }
	}
	rooms, attendees, nameless := 1+r.IntN(2), 1+r.IntN(4), r.IntN(3)
	for range 2 + r.IntN(24) {
		room := r.IntN(rooms)
		e := marks.Mark{Room: fmt.Sprintf("room%d", room), Occurrence: fmt.Sprintf("occ%d-%d", room, r.IntN(3)), At: at()}
		if room == nameless {
			e.Occurrence = fmt.Sprintf("occ%d/", room)
		}
		person := []string{"p", "p", "*p", "e"}[r.IntN(4)] + fmt.Sprint(r.IntN(attendees))
		connection := func() string { return marks.ConnectionIn(e.Occurrence, fmt.Sprintf("c%d", r.IntN(attendees+2))) }
		if marks.IsGuest(person) && r.IntN(3) > 0 {
			e.Name = fmt.Sprintf("n%d", r.IntN(3))
		}
		switch n := r.IntN(100); {
		case n < 32:
			e.Kind, e.Person, e.Connection = Joined, person, connection()
		case n < 50:
			e.Kind, e.Connection = Left, connection()
		case n < 58:
			e.Kind, e.Person, e.Connection = Left, person, connection()
		case n < 66:
			e.Kind, e.Person = Joined, person // the platform names no connection
		case n < 72:
			e.Kind, e.Person = Left, person
		case n < 74:
			e.Kind, e.Person, e.Peer = marks.Same, fmt.Sprint("e", r.IntN(3)), fmt.Sprint("p", r.IntN(attendees))
		case n < 79:
			e.Kind, e.Connection = Joined, connection() // nobody is named
		case n < 84:
			e.Kind, e.Connection, e.Peer = Bound, connection(), connection()
		case n < 88:
			e.Kind = Ended
		case n < 91:
			e.Kind = Started
		case n < 92:
			e.Kind, e.Person, e.Connection, e.Staff = []Kind{Joined, Left, Bound}[r.IntN(3)], person, connection(), true
			if e.Kind == Bound {
				e.Peer = connection()
			}
		case n < 93:
			e.Kind, e.Connection, e.Staff = Joined, connection(), true
		case n < 94:
			e.Kind, e.Person, e.Staff = Registered, person, true
		case n < 96:
			e.Kind, e.Person = Registered, person
		case n < 97:
			e.Kind, e.Person = Replayed, person
		default:
			e.Kind, e.Person, e.Seconds = Attended, person, int64(r.IntN(100))
			if out = append(out, e); r.IntN(2) == 0 { // the platform has counted once more
				e.Seconds = int64(r.IntN(100))
			}
		}
		out = append(out, e)
		if r.IntN(5) == 0 {
			out = append(out, out[r.IntN(len(out))])
		}
	}
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// visible is what the property compares: all that a store shows at one moment, and the counts behind it.
type visible struct {
	State                              State
	Started, Ended, Last               int64 // ms; 0: not yet
	Present, Connections, Unique, Peak int64
	PeakAt                             int64
	Watch                              int64 // ms
	Measured, Reported                 Total
	Known, Names, Leaving              int64
	Registered, RegisteredSeen         int64
	Replayed, Occurrences              int64
	Curve                              map[int64]int64
	Rows                               []Row
}

// talk is the session of the histories.
var talk = programme.Session{
	ID: "s", StartsAt: time.UnixMilli(plannedStart + 10_000), EndsAt: time.UnixMilli(plannedStart + 60_000),
	Rooms: []programme.Room{{Source: "any", ID: "r"}},
}

// modelShows is what the set of these events shows, by the definitions alone.
func modelShows(events []marks.Mark, now int64) visible {
	set, last := marks.NewSet(), int64(0)
	for _, e := range events {
		set.Add(e)
		if !e.Kind.OfPerson() {
			last = max(last, e.At)
		}
	}
	end := talk.EndsAt.UnixMilli()
	c := set.Count(end, now).Counts
	total := func(n, ms int64) Total { return Total{int(n), time.Duration(ms) * time.Millisecond} }
	v := visible{
		Started: c["started"], Last: last, Present: c["present"], Connections: c["connections"], Unique: c["unique"], Peak: c["peak"], PeakAt: c["peak_at"],
		Watch: c["watch"] + c["filled"], Measured: total(c["measured"], c["watch"]), Reported: total(c["reported"], c["reported_watch"]),
		Known: c["known"], Names: c["names"], Leaving: c["leaving"],
		Registered: c["registered"], RegisteredSeen: c["registered_seen"], Replayed: c["replayed"], Occurrences: c["occurrences"],
		Rows: set.Rows(talk.StartsAt.UnixMilli(), end, now),
	}
	closed := now >= max(end, last)+marks.CloseAfter.Milliseconds()
	switch {
	case c["live"] > 0:
		v.State = InSession
	case c["occurrences"] > 0 && (closed || now >= talk.StartsAt.UnixMilli()):
		v.State, v.Ended = Over, c["ended"]
	case closed:
		v.State = Over
	default:
		v.State = Scheduled
	}
	// The automatic close lies behind every event, so it leaves the log as it is.
	v.Curve = set.Count(end, last).Curve
	return v
}

// storeShows is what the store shows of the session.
func storeShows(ctx context.Context, s *Store) (visible, error) {
	all, err := s.Figures(ctx, talk)
	if err != nil {
		return visible{}, err
	}
	rows, err := s.Rows(ctx, talk.ID)
	if err != nil {
		return visible{}, err
	}
	seen, err := s.marks.Look(ctx, talk.ID)
	if err != nil {
		return visible{}, err
	}
	f, c := all[0], seen[0].Counts
	ms := func(t time.Time) int64 {
		if t.IsZero() {
			return 0
		}
		return t.UnixMilli()
	}
	v := visible{
		State: f.State, Started: ms(f.StartedAt), Ended: ms(f.EndedAt), Last: ms(f.LastEventAt),
		Present: int64(*f.Present), Connections: int64(*f.Connections), Unique: int64(*f.Unique), Peak: int64(*f.Peak), Watch: f.Watch.Milliseconds(),
		Known: c["known"], Names: c["names"], Leaving: c["leaving"], RegisteredSeen: c["registered_seen"], Occurrences: c["occurrences"],
		Curve: seen[0].Curve, Rows: rows,
	}
	if f.PeakAt != nil {
		v.PeakAt = f.PeakAt.Unix()
	}
	if f.Measured != nil {
		v.Measured = *f.Measured
	}
	if f.Reported != nil {
		v.Reported = *f.Reported
	}
	for to, n := range map[*int64]*int{&v.Registered: f.Registered, &v.Replayed: f.Replayed} {
		if n != nil {
			*to = int64(*n)
		}
	}
	return v, err
}

// play records a history on a fresh session, in calls of random sizes from two processes, which look at it now and then, are killed, or miss an
// answer, and says how the store differs from the model, "" if it does not.
func play(ctx context.Context, rdb redis.UniversalClient, sessions *programme.Catalogue, prefix string, events []marks.Mark, now int64, seed uint64) (string, error) {
	o := Options{Prefix: prefix, Key: make([]byte, 32), Now: func() time.Time { return time.UnixMilli(now) }}
	s, other := New(rdb, sessions, o), New(rdb, sessions, o)
	defer rdb.Del(ctx, s.marks.Keys().Session("s")...)
	r := rand.New(rand.NewPCG(seed, 3))
	for rest := events; len(rest) > 0; {
		batch := make([]marks.Placed, 1+r.IntN(len(rest)))
		for i := range batch {
			batch[i] = marks.Placed{Session: "s", Mark: rest[i]}
		}
		if err := writeAll(ctx, s, batch); err != nil {
			return "", err
		}
		switch r.IntN(8) {
		case 0: // the answer was lost: all of it comes again, to the other one
			if err := writeAll(ctx, other, batch); err != nil {
				return "", err
			}
		case 1, 2: // the process was killed, and another one goes on
			s = New(rdb, sessions, o)
		}
		rest, s, other = rest[len(batch):], other, s
		if r.IntN(2) == 0 {
			if _, err := s.marks.Look(ctx, "s"); err != nil {
				return "", err
			}
		}
	}
	got, err := storeShows(ctx, s)
	if err != nil {
		return "", err
	}
	if diff := cmp.Diff(modelShows(events, now), got); diff != "" {
		return "store differs from the model (-model +store):\n" + diff, nil
	}
	if trouble, err := contradiction(ctx, s, talk); err != nil || trouble != "" {
		return trouble, err
	}
	drifts, err := s.Verify(ctx, "s")
	if err != nil || len(drifts) > 0 {
		return fmt.Sprintf("verify: %v", drifts), err
	}
	return "", nil
}

// writeAll writes marks, again where a busy machine took longer than a call may: nobody knows what became of that one.
func writeAll(ctx context.Context, s *Store, batch []marks.Placed) error {
	for {
		if _, err := s.marks.Write(ctx, batch); !marks.TimedOut(err) || ctx.Err() != nil {
			return err
		}
	}
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
func shrink(events []marks.Mark, fails func([]marks.Mark) bool) []marks.Mark {
	for i := 0; i < len(events); {
		fewer := append(append([]marks.Mark(nil), events[:i]...), events[i+1:]...)
		if fails(fewer) {
			events = fewer
			continue
		}
		i++
	}
	return events
}

func TestRandomHistoriesAgreeWithTheModel(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		ctx := t.Context()
		sessions := programme.New(rdb, programme.Options{Prefix: prefix})
		if err := sessions.Configure(ctx, []programme.Session{talk}); err != nil {
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
					trouble, err := play(ctx, rdb, sessions, p, events, now, uint64(seed))
					if err == nil && trouble == "" {
						continue
					}
					first, found := err, trouble
					once.Do(func() {
						small := shrink(events, func(e []marks.Mark) bool {
							trouble, err := play(ctx, rdb, sessions, p, e, now, uint64(seed))
							return trouble != "" || err != nil
						})
						trouble, err := play(ctx, rdb, sessions, p, small, now, uint64(seed))
						var lines strings.Builder
						for _, e := range small {
							fmt.Fprintf(&lines, "%+v\n", e)
						}
						t.Errorf("history %d, now +%d ms: %v %s\nat its smallest: %v %s\n%s", seed, now-plannedStart, first, found, err, trouble, lines.String())
					})
				}
			})
		}
		workers.Wait()
		t.Logf("%d random histories, every figure equal to the model's", *histories)
	})
}

// The set is what counts: the model itself must not care for order or repetition.
func TestTheModelIgnoresOrderAndRepetition(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		events := history(r)
		want := modelShows(events, plannedStart+20_000)
		again := append(append([]marks.Mark(nil), events...), events...)
		r.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		got := modelShows(again, plannedStart+20_000)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
	}
}
