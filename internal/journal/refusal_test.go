package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.etcd.io/bbolt"
)

// picky handles entries of kind "n" as a store that refuses some of them.
type picky struct {
	away    bool
	refuses map[int]error
	got     []int
}

func (p *picky) handle(j *Journal) {
	Handle(j, "n", func(_ context.Context, n int) error {
		if p.away {
			return errAway
		}
		if err := p.refuses[n]; err != nil {
			return err
		}
		p.got = append(p.got, n)
		return nil
	})
}

// keepAway fills a journal while its store is away.
func keepAway(t *testing.T, j *Journal, numbers ...int) {
	t.Helper()
	for _, n := range numbers {
		if err := j.Do(t.Context(), "n", n, func(context.Context) error { return errAway }); err != nil {
			t.Fatal(err)
		}
	}
}

func drain(t *testing.T, j *Journal) {
	t.Helper()
	if err := j.Drain(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}

// TestWhatIsRefusedIsTriedAgainAndThenListed: it holds nobody up, is tried later and later, is given up after a bounded
// number of tries, is shown all the while, and never dropped.
func TestWhatIsRefusedIsTriedAgainAndThenListed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		refusal error
		why     string
	}{
		"the entry's fault":           {errBad, "wrongtype"},
		"a word of the domain":        {errors.New("no such session"), "invalid"},
		"away, though writes go well": {errAway, "network"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			j := openJournal(t, dir, Beside)
			j.options.Probe = func(context.Context) error { return nil }
			now := time.Date(2020, 4, 30, 18, 24, 0, 0, time.UTC)
			j.now = func() time.Time { return now }
			p := &picky{refuses: map[int]error{2: tt.refusal}}
			p.handle(j)
			keepAway(t, j, 1, 2, 3)
			now = now.Add(time.Minute)
			drain(t, j)
			if diff := cmp.Diff([]int{1, 3}, p.got); diff != "" {
				t.Errorf("what stands behind a refused entry: %s", diff)
			}
			if s := j.Stats(); s != (Stats{Pending: 1, Waited: time.Minute}) {
				t.Errorf("after one try: %+v", s)
			}
			var waits []time.Duration
			for tried, last := 1, now; j.Stats().Refused == 0 && tried < 2*maxTries; now = now.Add(time.Second) {
				drain(t, j)
				if _, list, err := j.List(); err != nil || list[0].Tries > tried {
					waits, tried, last = append(waits, now.Sub(last)), list[0].Tries, now
				}
			}
			want := []time.Duration{2, 4, 8, 16, 32, 64, 128, 256, 512}
			for i := range want {
				want[i] *= time.Second
			}
			if diff := cmp.Diff(want, waits); diff != "" {
				t.Errorf("between the tries: %s", diff)
			}
			if s := j.Stats(); s != (Stats{Refused: 1}) {
				t.Errorf("given up: %+v", s)
			}
			waiting, list, err := j.List()
			if err != nil || len(list) != 1 || list[0].Tries != maxTries || !list[0].Next.IsZero() || list[0].Kind != "n" || list[0].Why != tt.why ||
				!list[0].Since.Equal(now.Truncate(time.Hour)) || !cmp.Equal([]Waiting{{"n", 1}}, waiting) {
				t.Errorf("listed: %v, %v, %v", list, waiting, err)
			}
			now = now.Add(24 * time.Hour)
			drain(t, j)
			if _, list, _ := j.List(); list[0].Tries != maxTries {
				t.Error("what was given up is tried by itself")
			}
			_ = j.Close()

			again := openJournal(t, dir, Beside)
			p.refuses = nil
			p.handle(again)
			drain(t, again)
			if s := again.Stats(); !slices.Contains(p.got, 2) || s != (Stats{}) {
				t.Errorf("a start tries once more: %v, %+v", p.got, s)
			}
		})
	}
}

// TestRefusedByHand: what a person sees and does of refused entries, beside a store and ahead of one.
func TestRefusedByHand(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]Mode{"beside": Beside, "ahead": Ahead} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			j := openJournal(t, dir, mode)
			p := &picky{refuses: map[int]error{1: errBad, 2: errBad, 3: errBad}}
			p.handle(j)
			for n := range 4 {
				err := j.Do(t.Context(), "n", n, func(ctx context.Context) error { return j.handlers["n"](ctx, fmt.Append(nil, n)) })
				if err != nil {
					t.Fatalf("an entry that is kept is safe for its caller: %v", err)
				}
			}
			_, list, err := j.List()
			if err != nil || len(list) != 3 {
				t.Fatalf("listed: %v, %v", list, err)
			}
			if _, _, err := j.Retry(t.Context(), "nobody"); !errors.Is(err, ErrNoEntry) {
				t.Errorf("an id of none: %v", err)
			}
			p.refuses = map[int]error{3: errBad}
			if applied, refused, err := j.Retry(t.Context()); applied != 2 || refused != 1 || err != nil {
				t.Errorf("tried again: %d applied, %d refused, %v", applied, refused, err)
			}
			if s := j.Stats(); s.Retried != (Retries{2, 1}) {
				t.Errorf("counted: %+v", s)
			}
			p.away = true
			if applied, _, err := j.Retry(t.Context()); applied != 0 || !errors.Is(err, ErrAway) {
				t.Errorf("tried while the store is away: %v", err)
			}
			p.away = false
			_, list, _ = j.List()
			if n, err := j.Drop(); n != 0 || err != nil {
				t.Errorf("dropped without being named: %d, %v", n, err)
			}
			if n, err := j.Drop(list[0].ID); n != 1 || err != nil {
				t.Errorf("dropped: %d, %v", n, err)
			}
			if _, list, _ := j.List(); len(list) != 0 || j.Pending() != 0 {
				t.Errorf("left: %v", list)
			}
			_ = j.Close()
			again := openJournal(t, dir, mode)
			p = &picky{}
			p.handle(again)
			if err := again.Replay(t.Context(), nil, nil); err != nil {
				t.Fatal(err)
			}
			want := map[Mode][]int{Beside: nil, Ahead: {0, 1, 2}}[mode]
			if diff := cmp.Diff(want, p.got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("what a restart finds: %s", diff)
			}
		})
	}
}

// TestAReplayTellsWhatIsRefused: ahead of a store each start tries every entry, and lists those that cannot be applied now.
func TestAReplayTellsWhatIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := openJournal(t, dir, Ahead)
	for n := range 3 {
		if err := j.Do(t.Context(), "n", n, func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	_ = j.Close()
	for _, want := range []int64{1, 1, 0} {
		again := openJournal(t, dir, Ahead)
		p := &picky{refuses: map[int]error{1: errBad}}
		if want == 0 {
			p.refuses = nil
		}
		p.handle(again)
		if err := again.Replay(t.Context(), nil, func(error) {}); err != nil || again.Stats().Refused != want {
			t.Errorf("refused %d, want %d (%v)", again.Stats().Refused, want, err)
		}
		_ = again.Close()
	}
}

// TestRefusedEntriesOfALogOfBefore: they stood in a bucket of their own, and are entries again.
func TestRefusedEntriesOfALogOfBefore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := openJournal(t, dir, Beside)
	text, err := encode("n", 7, 0, false)
	if err == nil {
		err = j.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(failed).Put([]byte("1"), text) })
	}
	if err = errors.Join(err, j.Close()); err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]int{{7}, nil} { // once
		again := openJournal(t, dir, Beside)
		p := &picky{}
		p.handle(again)
		drain(t, again)
		if !slices.Equal(p.got, want) {
			t.Errorf("%v, not %v", p.got, want)
		}
		_ = again.Close()
	}
}

// TestAReplacedMarkIsNoLongerRefused: the new one waits its turn like any other.
func TestAReplacedMarkIsNoLongerRefused(t *testing.T) {
	t.Parallel()
	j := openJournal(t, t.TempDir(), Beside)
	p := &picky{refuses: map[int]error{1: errBad}}
	p.handle(j)
	away := func(context.Context) error { return errAway }
	for _, n := range []any{1, 2} {
		if err := j.Keep(t.Context(), []Mark{{Kind: "n", Key: "k", Value: n}}, away); err != nil {
			t.Fatal(err)
		}
		drain(t, j)
	}
	if diff := cmp.Diff([]int{2}, p.got); diff != "" || j.Pending() != 0 {
		t.Errorf("%s, pending %d", diff, j.Pending())
	}
}

// TestRefusedWhileOthersWrite: the locks of the log and of its refusals are taken in one order.
func TestRefusedWhileOthersWrite(t *testing.T) {
	t.Parallel()
	j := openJournal(t, t.TempDir(), Beside)
	var mu sync.Mutex
	tried := map[int]int{}
	Handle(j, "n", func(_ context.Context, n int) error {
		mu.Lock()
		defer mu.Unlock()
		if tried[n]++; n%2 == 1 {
			return errBad
		}
		return nil
	})
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for i := range 20 {
				err := j.Keep(t.Context(), []Mark{{Kind: "n", Key: fmt.Sprint(w, i%5), Value: i}}, func(context.Context) error { return errAway })
				if err != nil {
					t.Error(err)
				}
				if err := j.Drain(t.Context(), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	_, list, err := j.List()
	if err != nil || int64(len(list)) != j.Pending() || len(list) != 8*3 {
		t.Errorf("%d refused, %d pending (%v)", len(list), j.Pending(), err)
	}
}

// TestAJournalThatCannotWriteSaysSo until it can again: nobody is told that something is kept which is not.
func TestAJournalThatCannotWriteSaysSo(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]Mode{"beside": Beside, "ahead": Ahead} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := openJournal(t, t.TempDir(), mode)
			if err := j.Broken(); err != nil {
				t.Errorf("a fresh one: %v", err)
			}
			_ = j.Close()
			if err := j.Do(t.Context(), "n", 1, func(context.Context) error { return errAway }); err == nil || j.Broken() == nil {
				t.Errorf("closed: %v, %v", err, j.Broken())
			}
			if err := j.Do(t.Context(), "n", 1, func(context.Context) error { return nil }); err == nil {
				t.Error("known to be closed: no error")
			}
		})
	}
}
