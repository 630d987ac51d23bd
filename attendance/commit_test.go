package attendance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/internal/journal"
	"jauge/internal/redistest"
	"jauge/programme"
)

// wire is a client's way to the server, on which a test sees each call of a script for sessions, and decides on it.
type wire struct {
	prefix string
	mu     sync.Mutex
	calls  []call
	other  int // commands that are no such call and were answered
	decide func(ctx context.Context, c call) error
	hung   bool // nothing that is no such call is answered
}

// call is one call of the script.
type call struct {
	n      int // the how-manieth, from 1
	events int
	keys   []string
	within time.Duration // left of its time, 0: it has no limit
	others int           // commands that were answered before it
	args   []any
}

// callOf reads a command; ok: it is a call of the script for a session.
func (w *wire) callOf(ctx context.Context, cmd redis.Cmder) (c call, ok bool) {
	args := cmd.Args()
	if name := cmd.Name(); name != "evalsha" && name != "eval" {
		return c, false
	}
	keys := args[2].(int)
	for _, key := range args[3 : 3+keys] {
		c.keys = append(c.keys, key.(string))
	}
	for _, arg := range args {
		switch of := arg.(type) {
		case *string:
			arg = *of
		case *int64:
			arg = *of
		}
		c.args = append(c.args, arg)
	}
	if c.events, ok = args[3+keys].(int); !ok || !strings.HasPrefix(c.keys[0], w.prefix+"{") || strings.HasPrefix(c.keys[0], w.prefix+"{aside:") {
		return c, false
	}
	if deadline, ok := ctx.Deadline(); ok {
		c.within = time.Until(deadline)
	}
	return c, true
}

// pass says what becomes of a command: nil, it is sent.
func (w *wire) pass(ctx context.Context, cmd redis.Cmder) error {
	c, ok := w.callOf(ctx, cmd)
	w.mu.Lock()
	if !ok {
		defer w.mu.Unlock()
		if w.hung {
			return errHung
		}
		w.other++
		return nil
	}
	c.n, c.others = len(w.calls)+1, w.other
	w.calls = append(w.calls, c)
	decide := w.decide
	w.mu.Unlock()
	if decide == nil {
		return nil
	}
	return decide(ctx, c)
}

// errHung is what a client says of a server that does not answer in time.
var errHung = fmt.Errorf("read: %w", os.ErrDeadlineExceeded)

// DialHook implements redis.Hook.
func (*wire) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (w *wire) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := w.pass(ctx, cmd); err != nil {
			cmd.SetErr(err)
			return err
		}
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook implements redis.Hook.
func (w *wire) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			if err := w.pass(ctx, cmd); err != nil {
				for _, cmd := range cmds {
					cmd.SetErr(err)
				}
				return err
			}
		}
		return next(ctx, cmds)
	}
}

// set changes what becomes of calls, and whether anything else is answered.
func (w *wire) set(decide func(context.Context, call) error, hung bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.decide, w.hung = decide, hung
}

// sent are the calls so far.
func (w *wire) sent() []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]call(nil), w.calls...)
}

// wired is a store whose commands go over a wire of its own.
func wired(t *testing.T, shared redis.UniversalClient, j *journal.Journal, sessions ...programme.Session) (*Store, *clock, *wire) {
	t.Helper()
	w := &wire{prefix: redistest.Prefix()}
	options := *shared.(*redis.Client).Options()
	options.ContextTimeoutEnabled, options.PushNotificationProcessor = true, nil
	rdb := redis.NewClient(&options)
	t.Cleanup(func() { _ = rdb.Close() })
	rdb.AddHook(w)
	c := &clock{at: planned}
	s := opened(rdb, Options{Prefix: w.prefix, Key: []byte(strings.Repeat("k", 32)), Now: c.now, Patience: redistest.Patience, Journal: j})
	if err := s.programme.Configure(t.Context(), append(sessions, hourLong("first", in("live", "first room")))); err != nil {
		t.Fatal(err)
	}
	first := c.event(Joined, "somebody", "", 0) // the server knows the script from then on
	first.Room = "first room"
	record(t, s, "live", first)
	w.calls = nil
	return s, c, w
}

// sending is a Record that is under way.
type sending struct {
	done    chan struct{}
	results []Result
	err     error
}

// sends records in the background.
func sends(ctx context.Context, s *Store, events ...Event) *sending {
	r := &sending{done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.results, r.err = s.Record(ctx, "live", events)
	}()
	return r
}

// become waits for the end of requests and gives their errors.
func become(all ...*sending) (errs []error) {
	for _, r := range all {
		<-r.done
		errs = append(errs, r.err)
	}
	return errs
}

// gathered tries something for which requests have to wait for the same call. Nothing tells from outside that they do: it lets the call before
// theirs stand for a moment, looks afterwards whether that was long enough, and else tries again with a longer one.
func gathered(t *testing.T, try func(moment time.Duration) bool) {
	t.Helper()
	for moment := time.Millisecond; moment < redistest.Patience; moment *= 2 {
		if try(moment) {
			return
		}
	}
	t.Fatal("requests do not wait for each other")
}

// holdsUp has the n-th call wait until it is let go; under is closed once it does.
func holdsUp(n int) (decide func(context.Context, call) error, under, letGo chan struct{}) {
	under, letGo = make(chan struct{}), make(chan struct{})
	return func(_ context.Context, c call) error {
		if c.n == n {
			close(under)
			<-letGo
		}
		return nil
	}, under, letGo
}

// A caller who hangs up, with a call in flight or while waiting for one, cancels nobody, not even the events of their own.
func TestACallerWhoHangsUpCancelsNobody(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, shared redis.UniversalClient, _ string) {
		gathered(t, func(moment time.Duration) bool {
			s, c, w := wired(t, shared, nil, hourLong("talk", in("live", "room")))
			decide, under, letGo := holdsUp(1)
			w.set(decide, false)
			join := func(name string) Event { return c.event(Joined, name, name, 0) }
			ctx, hangUp := context.WithCancel(t.Context())
			all := []*sending{sends(ctx, s, join("ann"))}
			<-under
			all = append(all, sends(t.Context(), s, join("bob")), sends(ctx, s, join("cid")), sends(t.Context(), s, join("dan"), join("eve")))
			time.Sleep(moment)
			hangUp()
			close(letGo)
			errs := become(all...)
			if sent := w.sent(); len(sent) != 2 || sent[1].events != 4 {
				return false
			}
			if err := errors.Join(errs...); err != nil {
				t.Error(err)
			}
			if n := *figures(t, s, "talk").Unique; n != 5 {
				t.Errorf("%d people", n)
			}
			return true
		})
	})
}

// Of requests that go out together, one that the script cannot take hurts its sender alone.
func TestWhatTheScriptCannotTakeHurtsItsSenderAlone(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, shared redis.UniversalClient, _ string) {
		gathered(t, func(moment time.Duration) bool {
			s, c, w := wired(t, shared, nil, hourLong("talk", in("live", "room")))
			join := func(name string) Event { return c.event(Joined, name, name, 0) }
			record(t, s, "live", join("broken"))
			people := w.sent()[0].keys[3]
			for person, marks := range s.rdb.HGetAll(t.Context(), people).Val() {
				s.rdb.HSet(t.Context(), people, person, strings.Replace(marks, ">", ">no number", 1))
			}
			decide, under, letGo := holdsUp(2)
			w.set(decide, false)
			all := []*sending{sends(t.Context(), s, join("ann"))}
			<-under
			all = append(all, sends(t.Context(), s, join("bob")), sends(t.Context(), s, c.event(Left, "broken", "broken", time.Minute)), sends(t.Context(), s, join("cid")))
			time.Sleep(moment)
			close(letGo)
			errs := become(all...)
			if sent := w.sent(); len(sent) != 6 || sent[2].events != 3 {
				return false
			}
			if errs[0] != nil || errs[1] != nil || errs[2] == nil || errs[3] != nil {
				t.Errorf("ann, bob, broken, cid: %v", errs)
			}
			if n := len(s.rdb.HKeys(t.Context(), people).Val()); n != 4 {
				t.Errorf("%d people", n)
			}
			return true
		})
	})
}

// A session whose data is broken hurts no other one, also not where one request speaks of both.
func TestASessionThatIsBrokenHurtsNoOther(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, shared redis.UniversalClient, _ string) {
		s, c, w := wired(t, shared, nil, hourLong("broken", in("live", "cellar")), hourLong("talk", in("live", "room")))
		inCellar := func(name string) Event {
			e := c.event(Joined, name, name, 0)
			e.Room = "cellar"
			return e
		}
		record(t, s, "live", inCellar("ann"))
		people := w.sent()[0].keys[3]
		s.rdb.Del(t.Context(), people)
		s.rdb.Set(t.Context(), people, "no hash", 0)
		const requests = 32
		var all, both []*sending
		for i := range requests {
			name := fmt.Sprint("p", i)
			all = append(all, sends(t.Context(), s, c.event(Joined, name, name, 0)))
			both = append(both, sends(t.Context(), s, inCellar(name), c.event(Joined, "both "+name, "both "+name, 0)))
		}
		if err := errors.Join(become(all...)...); err != nil {
			t.Error(err)
		}
		for _, err := range become(both...) {
			if err == nil || !strings.Contains(err.Error(), "WRONGTYPE") {
				t.Errorf("of both sessions: %v", err)
			}
		}
		if n := *figures(t, s, "talk").Unique; n != 2*requests {
			t.Errorf("%d people of %d", n, 2*requests)
		}
	})
}

// While the store hangs, all who wait are told at the end of one call, which has a limit, and nobody waits for a second one.
func TestAllWhoWaitAreToldByOneCall(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, shared redis.UniversalClient, _ string) {
		s, c, w := wired(t, shared, nil, hourLong("talk", in("live", "room")))
		record(t, s, "live", c.event(Joined, "ann", "ann", 0))
		under := make(chan struct{})
		w.set(func(ctx context.Context, c call) error {
			if c.n == 2 {
				close(under)
			}
			<-ctx.Done()
			w.set(func(context.Context, call) error { return errHung }, true)
			return ctx.Err()
		}, false)
		all := []*sending{sends(t.Context(), s, c.event(Joined, "bob", "bob", 0))}
		<-under
		for i := range 16 {
			name := fmt.Sprint("p", i)
			all = append(all, sends(t.Context(), s, c.event(Joined, name, name, 0)))
		}
		for i, err := range become(all...) {
			if err == nil {
				t.Errorf("request %d was recorded", i)
			}
		}
		if sent := w.sent(); len(sent) != 2 || sent[1].within <= 0 || sent[1].within > 1200*time.Millisecond {
			t.Errorf("calls: %+v", sent)
		}
	})
}

// A call of which nobody knows what became is not followed by another one before the store has answered something.
func TestWhatIsInDoubtIsNotSentAgainIntoSilence(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, shared redis.UniversalClient, _ string) {
		s, c, w := wired(t, shared, nil, hourLong("talk", in("live", "room")))
		record(t, s, "live", c.event(Joined, "ann", "ann", 0))
		leave := c.event(Left, "ann", "ann", time.Minute)
		w.set(func(context.Context, call) error {
			w.set(nil, true)
			return errHung
		}, false)
		for range 3 {
			if _, err := s.Record(t.Context(), "live", []Event{leave}); err == nil {
				t.Error("it is said to be recorded")
			}
		}
		if n := len(w.sent()); n != 2 {
			t.Errorf("%d calls into silence", n-1)
		}
		w.set(nil, false)
		if got := record(t, s, "live", leave); got[0] != Recorded {
			t.Error(got)
		}
		if sent := w.sent(); len(sent) != 3 || sent[2].others <= sent[1].others {
			t.Errorf("nothing was answered before: %+v", sent)
		}
	})
}

// An event that always takes too long, though the store answers, is found among those of its entry and put aside; the others count, and
// so does what waits behind them.
func TestPoisonIsFoundAndPutAside(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, shared redis.UniversalClient, _ string) {
		j, err := journal.Open(t.TempDir(), journal.Options{Mode: journal.Beside, Judge: judge})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = j.Close() })
		s, c, w := wired(t, shared, j, hourLong("talk", in("live", "room")), hourLong("next", in("live", "annexe")))
		const poison, events = 42, 64
		batch := make([]Event, events)
		for i := range batch {
			batch[i] = c.event(Joined, fmt.Sprint("p", i), fmt.Sprint("p", i), time.Duration(i)*time.Second)
		}
		behind := c.event(Joined, "ann", "ann", 0)
		behind.Room = "annexe"
		hang := func(context.Context, call) error { return errHung }
		w.set(hang, true)
		for _, request := range [][]Event{batch, {behind}} {
			if got := record(t, s, "live", request...); got != nil {
				t.Errorf("recorded beside the journal: %v", got)
			}
		}
		w.set(func(_ context.Context, c call) error {
			if slices.Contains(c.args, any(batch[poison].At.UnixMilli())) {
				return errHung
			}
			return nil
		}, false)
		before := len(w.sent())
		if err := j.Drain(t.Context(), func(err error) { t.Error(err) }); err != nil || j.Pending() > 0 {
			t.Errorf("%d entries wait (%v)", j.Pending(), err)
		}
		if n := *figures(t, s, "talk").Unique; n != events-1 {
			t.Errorf("%d people of %d", n, events-1)
		}
		if n := *figures(t, s, "next").Unique; n != 1 {
			t.Errorf("%d people behind it", n)
		}
		if aside := asideEvents(t, s); len(aside) != 1 || aside[0].Reason != Poison || !aside[0].At.Equal(batch[poison].At) {
			t.Errorf("aside: %+v", aside)
		}
		// A call for all, two for each halving of 64, one for what was behind.
		if n := len(w.sent()) - before; n != 1+2*6+1 {
			t.Errorf("%d calls", n)
		}
		if found := drifts(t, s); found != "" {
			t.Error(found)
		}
	})
}
