package attendance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/internal/journal"
	"jauge/internal/redistest"
	"jauge/programme"
)

// world is a service that a test restarts: on Redis, what it knows stays there; on the embedded store, what the journal kept.
type world struct {
	t        *testing.T
	rdb      redis.UniversalClient
	prefix   string
	embedded bool
	dir      string
	clock    *clock
	journal  *journal.Journal
	*Store
}

func newWorld(t *testing.T, c *clock, embedded bool) *world {
	t.Helper()
	w := &world{t: t, embedded: embedded, clock: c}
	if w.rdb, w.prefix = redistest.Redis(); embedded {
		w.dir = t.TempDir()
	}
	return w
}

// restart starts the service anew with the sessions of its file. An embedded store has forgotten everything.
func (w *world) restart(file []programme.Session) {
	w.t.Helper()
	w.stop()
	if w.embedded {
		w.rdb, w.prefix = redistest.Embedded()
		var err error
		if w.journal, err = journal.Open(w.dir, journal.Options{Mode: journal.Ahead}); err != nil {
			w.t.Fatal(err)
		}
	}
	w.Store = opened(w.rdb, Options{Prefix: w.prefix, Key: make([]byte, 32), Now: w.clock.now, Journal: w.journal, Capabilities: map[string]Capability{"totals": Totals}})
	if err := w.programme.Configure(w.t.Context(), file); err != nil {
		w.t.Fatal(err)
	}
	if err := w.journal.Replay(w.t.Context(), nil, func(err error) { w.t.Error(err) }); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) stop() {
	if err := w.journal.Close(); err != nil {
		w.t.Error(err)
	}
}

// shown is everything that can be seen of a store.
type shown struct {
	Sessions []programme.Session
	Figures  []Figures
	Rows     map[string][]Row
	Aside    []AsideEvent
	Groups   []AsideGroup
}

func (w *world) shows() shown {
	w.t.Helper()
	ctx := w.t.Context()
	s := shown{Rows: map[string][]Row{}}
	var err error
	if s.Sessions, err = w.programme.Sessions(ctx); err != nil {
		w.t.Fatal(err)
	}
	if s.Figures, err = w.Figures(ctx, s.Sessions...); err != nil {
		w.t.Fatal(err)
	}
	for _, session := range s.Sessions {
		if s.Rows[session.ID], err = w.Rows(ctx, session.ID); err != nil {
			w.t.Fatal(err)
		}
	}
	if s.Aside, err = w.AsideEvents(ctx, 1000); err != nil {
		w.t.Fatal(err)
	}
	if s.Groups, err = w.AsideGroups(ctx); err != nil {
		w.t.Fatal(err)
	}
	slices.SortFunc(s.Aside, func(a, b AsideEvent) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	slices.SortFunc(s.Groups, func(a, b AsideGroup) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return s
}

// torn names a session that has a part of an occurrence of which another one has the rest; empty: there is none.
func (w *world) torn() string {
	w.t.Helper()
	ids, err := w.rdb.HKeys(w.t.Context(), w.prefix+"sessions").Result() // the retired ones, too
	if err != nil {
		w.t.Fatal(err)
	}
	whole := map[string]string{}
	for _, source := range []string{"live", "totals"} {
		for _, room := range []string{"a", "b", "c"} {
			whole[w.seal.occurrence(source, room, "")] = "" // the platform named none
		}
	}
	for _, id := range ids {
		occurrences, err := w.rdb.HKeys(w.t.Context(), w.marks.Keys().Occurrences(id)).Result()
		if err != nil {
			w.t.Fatal(err)
		}
		for _, o := range occurrences {
			if other, ok := whole[o]; ok && other != "" {
				return id + " and " + other
			} else if !ok {
				whole[o] = id
			}
		}
	}
	return ""
}

// step is one thing that happens to a service, told in words.
type step struct {
	what string
	do   func(*world) error
}

// plan invents what happens to a service whose few rooms serve many sessions, back to back: minutes, an hour or a day apart.
type plan struct {
	*rand.Rand
	clock   *clock
	file    []programme.Session
	version int
}

var gaps = []time.Duration{0, time.Minute, 10 * time.Minute, 29 * time.Minute, 31 * time.Minute, time.Hour, 2 * time.Hour, 24 * time.Hour}

// moment is near the beginning or the end of some session.
func (p *plan) moment() time.Time {
	at := planned.Add(time.Duration(p.IntN(4)) * time.Hour)
	gap := gaps[p.IntN(len(gaps))]
	if p.IntN(2) == 0 {
		gap = -gap
	}
	return at.Add(gap).Add(time.Duration(p.IntN(3)) * time.Second)
}

func (p *plan) session(id string) programme.Session {
	begin := planned.Add(time.Duration(p.IntN(3)) * time.Hour).Add(gaps[p.IntN(4)])
	session := hourLong(id)
	session.StartsAt, session.EndsAt = begin, begin.Add([]time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour}[p.IntN(3)])
	for _, room := range []programme.Room{in("live", "a"), in("live", "b"), in("live", "series"), in("totals", "a")} {
		if p.IntN(2) == 0 {
			session.Rooms = append(session.Rooms, room)
		}
	}
	p.version++ // no definition is like another one
	session.Invited = p.version
	return session
}

func (p *plan) event() (source string, e Event) {
	who := fmt.Sprint("p", p.IntN(5))
	room := []string{"a", "b", "c"}[p.IntN(3)]
	e = Event{Kind: Joined, Room: room, Attendee: who, Connection: "c" + who, At: p.moment()}
	if p.IntN(4) > 0 {
		e.Occurrence = fmt.Sprint("o", p.IntN(4))
	}
	if room == "c" {
		e.Alias = "series"
	}
	switch n := p.IntN(12); {
	case n < 3:
		e.Kind = Left
	case n == 3:
		e.Kind, e.Attendee, e.Connection = Ended, "", ""
	case n == 4:
		e.Kind, e.Connection = Registered, ""
	case n == 5:
		e.Kind, e.Total = Attended, time.Duration(p.IntN(90))*time.Minute
	case n == 6:
		e.Attendee, e.Connection = "", "" // of nobody
	}
	return []string{"live", "live", "totals"}[p.IntN(3)], e
}

// next invents a step.
func (p *plan) next() step {
	switch n := p.IntN(20); {
	case n < 9:
		source, e := p.event()
		return step{fmt.Sprintf("%s says %+v", source, e), func(w *world) error {
			_, err := w.Record(w.t.Context(), source, []Event{e})
			return err
		}}
	case n < 13: // created, or changed: its rooms, its times
		id := fmt.Sprint("api", p.IntN(4))
		if len(p.file) > 0 && p.IntN(3) == 0 {
			id = p.file[p.IntN(len(p.file))].ID
		}
		session := p.session(id)
		return step{fmt.Sprintf("put %+v", session), func(w *world) error { return define(w.t.Context(), w.Store, session) }}
	case n < 14:
		return step{"reclaim", func(w *world) error { _, err := w.Reclaim(w.t.Context()); return err }}
	case n < 15:
		id := fmt.Sprint("api", p.IntN(4))
		return step{"end " + id, func(w *world) error {
			if err := w.End(w.t.Context(), id); !errors.Is(err, programme.ErrNotFound) {
				return err
			}
			return nil
		}}
	case n < 16:
		at := p.moment()
		return step{fmt.Sprint("it is ", at), func(*world) error { p.clock.set(at); return nil }}
	case n < 18:
		return step{"restart", func(w *world) error { w.restart(p.file); return nil }}
	}
	file := p.session(fmt.Sprint("file", p.IntN(2)))
	p.file = slices.DeleteFunc(slices.Clone(p.file), func(s programme.Session) bool { return s.ID == file.ID || p.IntN(4) == 0 })
	p.file = append(p.file, file)
	changed := p.file
	return step{fmt.Sprintf("restart with %+v", changed), func(w *world) error { w.restart(changed); return nil }}
}

// Whatever is created, said, changed and restarted, in whatever order: both stores show the same people in the same sessions
// after each step, and a restart changes nothing.
func TestHistoriesOfSessionsAreTheSameOnBothStores(t *testing.T) {
	t.Parallel()
	n := max(10, *histories/20)
	var workers sync.WaitGroup
	for worker := range 2 {
		workers.Go(func() {
			for seed := worker; seed < n && !t.Failed(); seed += 2 {
				playPlan(t, uint64(seed))
			}
		})
	}
	workers.Wait()
}

func playPlan(t *testing.T, seed uint64) {
	c := &clock{at: planned}
	p := &plan{Rand: rand.New(rand.NewPCG(seed, 3)), clock: c}
	worlds := []*world{newWorld(t, c, false), newWorld(t, c, true)}
	var story []string
	for _, w := range worlds {
		w.restart(nil)
		defer w.stop()
	}
	for range 30 {
		next := p.next()
		story = append(story, next.what)
		restart := next.what == "restart"
		var before shown
		if restart {
			before = worlds[1].shows()
		}
		for _, w := range worlds {
			if err := next.do(w); err != nil {
				t.Errorf("seed %d: %v\n%s", seed, err, strings.Join(story, "\n"))
				return
			}
		}
		onRedis, embedded := worlds[0].shows(), worlds[1].shows()
		diff := cmp.Diff(onRedis, embedded)
		if restart {
			diff += cmp.Diff(before, embedded)
		}
		if torn := worlds[0].torn(); torn != "" {
			diff += "an occurrence is torn between " + torn
		}
		if diff != "" {
			t.Errorf("seed %d: the stores differ, or a restart changed something (-redis or before +embedded):\n%s\n%s", seed, diff, strings.Join(story, "\n"))
			return
		}
	}
}

// A room that serves two sessions passes from one to the next by the clock, half-way between them; an occurrence does not.
func TestARoomPassesFromOneSessionToTheNext(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		next time.Duration // after the first one's start, which lasts an hour
		last time.Duration // that the room is the first one's
		from time.Duration // that the room is the next one's
	}{
		{"hours later, when its window opens", 5 * time.Hour, 2 * time.Hour, 4 * time.Hour},
		{"soon after", 105 * time.Minute, 82*time.Minute + 30*time.Second - time.Millisecond, 82*time.Minute + 30*time.Second},
		{"minutes after", 65 * time.Minute, 62*time.Minute + 30*time.Second - time.Millisecond, 62*time.Minute + 30*time.Second},
		{"at once", time.Hour, time.Hour - time.Millisecond, time.Hour},
		{"while the first one lasts", 50 * time.Minute, 50*time.Minute - time.Millisecond, 50 * time.Minute},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
				rooms := []programme.Room{in("live", "room"), in("live", "annexe")}
				next := hourLong("next", rooms...)
				next.StartsAt, next.EndsAt = planned.Add(row.next), planned.Add(row.next+time.Hour)
				s, c := newStore(t, rdb, prefix, hourLong("first", rooms...), next)
				for _, unnamed := range []time.Duration{row.last, row.from} {
					e := c.event(Joined, fmt.Sprint(unnamed), "", unnamed)
					e.Room, e.Occurrence = "annexe", ""
					record(t, s, "live", e)
				}
				if first, next := *figures(t, s, "first").Unique, *figures(t, s, "next").Unique; first != 1 || next != 1 {
					t.Errorf("first %d, next %d", first, next)
				}
				overrun := row.from + 20*time.Minute
				record(t, s, "live", c.event(Joined, "ann", "c1", 0), c.event(Joined, "bob", "c2", row.from+time.Minute), c.event(Left, "", "c1", overrun))
				c.set(planned.Add(overrun))
				if first := figures(t, s, "first"); *first.Unique != 3 || *figures(t, s, "next").Unique != 1 {
					t.Errorf("first %d, next %d", *first.Unique, *figures(t, s, "next").Unique)
				}
				rows, err := s.Rows(t.Context(), "first")
				if err != nil || !slices.ContainsFunc(rows, func(r Row) bool { return r.Watch == overrun }) {
					t.Errorf("nobody stayed %s: %+v (%v)", overrun, rows, err)
				}
			})
		})
	}
}

// Whatever becomes of a session's room, times or place in the file: what was decided holds, for the rest of a meeting, too,
// and after a restart.
func TestWhatWasDecidedHolds(t *testing.T) {
	t.Parallel()
	room := in("live", "room")
	for _, row := range []struct {
		name   string
		change func(*world)
	}{
		{"its room is taken from the session", func(w *world) { w.restart([]programme.Session{hourLong("talk")}) }},
		{"its room is given to another one", func(w *world) { w.restart([]programme.Session{hourLong("other", room), hourLong("talk")}) }},
		{"another one begins earlier", func(w *world) {
			early := hourLong("early", room)
			early.StartsAt, early.EndsAt = planned.Add(-time.Minute), planned.Add(time.Minute)
			if err := define(w.t.Context(), w.Store, early); err != nil {
				w.t.Fatal(err)
			}
		}},
		{"it is to begin in a month", func(w *world) {
			moved := hourLong("talk", room)
			moved.StartsAt, moved.EndsAt = planned.AddDate(0, 1, 0), planned.AddDate(0, 1, 1)
			w.restart([]programme.Session{moved, hourLong("other", room)})
		}},
		{"it is to end before it was ended by hand", func(w *world) {
			shorter := hourLong("talk", room)
			shorter.EndsAt = planned.Add(time.Minute)
			w.restart([]programme.Session{shorter})
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := &clock{at: planned}
			for name, embedded := range map[string]bool{"redis": false, "embedded": true} {
				t.Run(name, func(t *testing.T) {
					w := newWorld(t, c, embedded)
					w.restart([]programme.Session{hourLong("talk", room)})
					defer func() { w.stop() }()
					c.set(planned.Add(50 * time.Minute))
					record(t, w.Store, "live", c.event(Joined, "ann", "c1", 0), c.event(Joined, "bob", "c2", time.Minute))
					last := c.event(Joined, "cid", "c3", 2*time.Minute)
					last.Occurrence = "two"
					record(t, w.Store, "live", last)
					if err := w.End(t.Context(), "talk"); err != nil {
						t.Fatal(err)
					}
					row.change(w)
					record(t, w.Store, "live", c.event(Left, "", "c1", 10*time.Minute))
					for range 2 {
						rows, err := w.Rows(t.Context(), "talk")
						var watch time.Duration
						for _, r := range rows {
							watch += r.Watch
						}
						// The second occurrence ended the first one; the hand ended the second.
						if want := (2 + 1 + 48) * time.Minute; err != nil || len(rows) != 3 || watch != want {
							t.Errorf("%d people for %s, not 3 for %s (%v)", len(rows), watch, want, err)
						}
						if n := asideCount(t, w.Store); n != 0 {
							t.Errorf("%d aside", n)
						}
						sessions, err := w.programme.Sessions(t.Context())
						if err != nil {
							t.Fatal(err)
						}
						w.restart(sessions)
					}
				})
			}
		})
	}
}

// With Redis away, what can be decided is, and what was decided holds when the journal is drained.
func TestDecisionsOfAnOutageHold(t *testing.T) {
	t.Parallel()
	room := in("live", "room")
	early := hourLong("early", room)
	early.StartsAt, early.EndsAt = planned.Add(-time.Minute), planned.Add(time.Minute)
	for _, row := range []struct {
		name       string
		occurrence string // of the event of the outage; "one" was seen before
		want       string
	}{
		{"of an occurrence that is known", "one", "talk"},
		{"of none", "", "talk"},
		{"of an occurrence that another replica may have seen", "two", "early"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s, other, line, c := beside(t, hourLong("talk", room))
			record(t, s, "live", c.event(Joined, "ann", "c1", 0))
			line.Cut()
			e := c.event(Joined, "bob", "c2", -30*time.Second)
			e.Occurrence = row.occurrence
			for _, e := range []Event{c.event(Started, "", "", 0), e} { // the first one notices
				if results, err := s.Record(t.Context(), "live", []Event{e}); err != nil || results != nil {
					t.Fatalf("%v %v", results, err)
				}
			}
			line.Mend()
			if err := other.programme.Put(t.Context(), early); err != nil {
				t.Fatal(err)
			}
			for known := false; !known; time.Sleep(time.Millisecond) { // awaited: the replica's news
				sessions, err := s.programme.Sessions(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				known = len(sessions) == 2
			}
			if err := s.journal.Drain(t.Context(), func(err error) { t.Error(err) }); err != nil {
				t.Fatal(err)
			}
			want := map[string]int{"talk": 1, "early": 0}
			want[row.want]++
			for id, n := range want {
				if got := *figures(t, s, id).Unique; got != n {
					t.Errorf("%s: %d people, not %d", id, got, n)
				}
			}
		})
	}
}

// A journal of an earlier version holds no decisions: they are made as it is read, and kept from then on.
func TestJournalWithoutDecisions(t *testing.T) {
	t.Parallel()
	c := &clock{at: planned}
	w := newWorld(t, c, true)
	file := []programme.Session{hourLong("talk", in("live", "room"))}
	w.restart(file)
	defer func() { w.stop() }()
	old := func(e Event) sealed { return w.seal.seal("live", e) }
	elsewhere := c.event(Joined, "bob", "c2", 0)
	elsewhere.Room = "elsewhere"
	spoilt := old(c.event(Joined, "", "", 0))
	spoilt.Reason, spoilt.Arrived = Nobody, planned.UnixMilli()
	batch := []sealed{old(c.event(Joined, "ann", "c1", 0)), old(elsewhere), spoilt}
	nothing := func(context.Context) error { return nil }
	if err := w.journal.Do(t.Context(), entryEvents, batch, nothing); err != nil {
		t.Fatal(err)
	}
	if err := w.journal.Do(t.Context(), entryEnd, map[string]any{"session": "talk", "at": planned.UnixMilli() + 1000}, nothing); err != nil {
		t.Fatal(err)
	}
	w.restart(file)
	if err := define(t.Context(), w.Store, hourLong("annexe", in("live", "elsewhere"))); err != nil {
		t.Fatal(err)
	}
	first := hourLong("first", in("live", "elsewhere"))
	first.StartsAt = planned.Add(-time.Second)
	if err := define(t.Context(), w.Store, first); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if talk := figures(t, w.Store, "talk"); *talk.Unique != 1 || *talk.Present != 0 || *figures(t, w.Store, "annexe").Unique != 1 {
			t.Errorf("talk %d of %d, annexe %d", *talk.Present, *talk.Unique, *figures(t, w.Store, "annexe").Unique)
		}
		if diff := cmp.Diff(map[Reason]int{Nobody: 1}, reasons(t, w.Store)); diff != "" {
			t.Error(diff)
		}
		w.restart(file)
	}
}
