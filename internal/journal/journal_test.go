package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var errAway = errors.New("away")

func openJournal(t *testing.T, dir string, mode Mode) *Journal {
	t.Helper()
	j, err := Open(dir, Options{Mode: mode, Away: func(err error) bool { return errors.Is(err, errAway) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// collect handles entries of kind "n" by keeping them.
func collect(j *Journal) *[]int {
	got := &[]int{}
	Handle(j, "n", func(_ context.Context, n int) error { *got = append(*got, n); return nil })
	return got
}

func TestAheadSurvivesAReopening(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := openJournal(t, dir, Ahead)
	for i := range 5 {
		if err := j.Do(t.Context(), "n", i, func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	failing := errors.New("the store burst")
	if err := j.Do(t.Context(), "n", 5, func(context.Context) error { return failing }); !errors.Is(err, failing) {
		t.Errorf("the error of apply was lost: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	again := openJournal(t, dir, Ahead)
	got := collect(again)
	var progress []int
	if err := again.Replay(t.Context(), func(done, of int) { progress = append(progress, done, of) }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{0, 1, 2, 3, 4, 5}, *got); diff != "" {
		t.Error(diff)
	}
	if len(progress) != 12 || progress[10] != 6 || progress[11] != 6 {
		t.Errorf("progress %v", progress)
	}
}

func TestBesideKeepsOnlyWhatTheStoreCouldNotTake(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := openJournal(t, dir, Beside)
	refused := errors.New("wrong entry")
	if err := j.Do(t.Context(), "n", 0, func(context.Context) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("an entry that the store refuses is not safe: %v", err)
	}
	if err := j.Do(t.Context(), "n", 1, func(context.Context) error { return errAway }); err != nil {
		t.Fatal(err)
	}
	called := false
	if err := j.Do(t.Context(), "n", 2, func(context.Context) error { called = true; return nil }); err != nil || called {
		t.Errorf("a store just found away was asked again (%v)", err)
	}
	if j.Pending() != 2 {
		t.Errorf("pending %d", j.Pending())
	}
	_ = j.Close()

	again := openJournal(t, dir, Beside)
	if again.Pending() != 2 {
		t.Errorf("pending after reopening %d", again.Pending())
	}
	gone := true
	var got []int
	Handle(again, "n", func(_ context.Context, n int) error {
		if gone {
			return errAway
		}
		if n == 1 {
			return refused
		}
		got = append(got, n)
		return nil
	})
	if err := again.Drain(t.Context(), nil); !errors.Is(err, errAway) || again.Pending() != 2 {
		t.Errorf("drained into a store that is away: %v, pending %d", err, again.Pending())
	}
	gone = false
	var told []string
	if err := again.Drain(t.Context(), func(err error) { told = append(told, err.Error()) }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{2}, got); diff != "" || again.Pending() != 0 || len(told) != 1 {
		t.Errorf("%s, pending %d, told %v", diff, again.Pending(), told)
	}
}

func TestConcurrentWritersShareFsyncs(t *testing.T) {
	t.Parallel()
	j := openJournal(t, t.TempDir(), Ahead)
	var applied atomic.Int64
	var writers sync.WaitGroup
	for w := range 32 {
		writers.Go(func() {
			for i := range 20 {
				err := j.Do(t.Context(), "n", w*100+i, func(context.Context) error { applied.Add(1); return nil })
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	got := collect(j)
	if err := j.Replay(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if len(*got) != 640 || applied.Load() != 640 {
		t.Errorf("%d entries kept, %d applied, of 640", len(*got), applied.Load())
	}
}

func TestMistakesAreNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := openJournal(t, dir, Ahead)
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("opened twice: %v", err)
	}
	if err := j.Do(t.Context(), "stranger", 1, func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := j.Replay(t.Context(), nil); err == nil || !strings.Contains(err.Error(), `"stranger"`) {
		t.Errorf("an entry that nobody handles: %v", err)
	}
	var none *Journal
	called := false
	err := none.Do(t.Context(), "n", 1, func(context.Context) error { called = true; return fmt.Errorf("passed on: %w", errAway) })
	if !called || !errors.Is(err, errAway) || none.Pending() != 0 || none.Close() != nil {
		t.Error("a nil journal applies and keeps nothing")
	}
}
