package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
)

var (
	errAway = errors.New("away")
	errBad  = errors.New("wrong entry")
)

// judge is what a store would say of its errors.
func judge(err error) (Fault, string) {
	switch {
	case errors.Is(err, errAway):
		return Away, "network"
	case errors.Is(err, errBad):
		return Entry, "wrongtype"
	}
	return Caller, "invalid"
}

func openJournal(t *testing.T, dir string, mode Mode) *Journal {
	t.Helper()
	j, err := Open(dir, Options{Mode: mode, Judge: judge})
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
	if err := again.Replay(t.Context(), func(done, of int) { progress = append(progress, done, of) }, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{0, 1, 2, 3, 4, 5}, *got); diff != "" {
		t.Error(diff)
	}
	if len(progress) != 12 || progress[10] != 6 || progress[11] != 6 {
		t.Errorf("progress %v", progress)
	}
}

// What is kept is applied, whatever becomes of the request that it came with: a caller who hangs up does not leave it half done.
func TestWhatIsKeptIsAppliedForACallerWhoHungUp(t *testing.T) {
	t.Parallel()
	j := openJournal(t, t.TempDir(), Ahead)
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	applied := 0
	apply := func(ctx context.Context) error {
		applied++
		return ctx.Err()
	}
	for _, err := range []error{j.Do(ctx, "n", 1, apply), j.Keep(ctx, []Mark{{Kind: "n", Key: "k", Value: 2}}, apply)} {
		if err != nil {
			t.Errorf("applied in the caller's time: %v", err)
		}
	}
	if applied != 2 {
		t.Errorf("applied %d of 2", applied)
	}
}

// A log of a newer format is neither read nor changed, nor rewritten; one of before there was a format is of the first.
func TestTheFormatIsLookedAtFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "journal.db")
	j := openJournal(t, dir, Ahead)
	if err := j.Do(t.Context(), "n", 7, func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"", "0", "3", "x", "1", "2"} {
		err := j.db.Update(func(tx *bbolt.Tx) error {
			if format == "" {
				return tx.Bucket(meta).Delete(formatName)
			}
			return tx.Bucket(meta).Put(formatName, []byte(format))
		})
		if err = errors.Join(err, j.Close()); err != nil {
			t.Fatal(err)
		}
		known := format == "" || format == "1" || format == "2"
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := Compact(dir); err != nil {
			t.Fatal(err)
		}
		opened, err := Open(dir, Options{Mode: Ahead})
		if known != (err == nil) || !known && !errors.Is(err, ErrNewer) {
			t.Errorf("format %q: %v", format, err)
		}
		if after, err := os.ReadFile(path); err != nil || !known && !bytes.Equal(before, after) {
			t.Errorf("format %q: the file was changed (%v)", format, err)
		}
		if j = opened; opened != nil {
			got := collect(j)
			if err := j.Replay(t.Context(), nil, nil); err != nil || !slices.Equal(*got, []int{7}) {
				t.Errorf("format %q: %v, %v", format, *got, err)
			}
			if kept, err := j.Once(string(formatName), "nothing"); kept != "2" || err != nil {
				t.Errorf("format %q is kept as %q (%v)", format, kept, err)
			}
			continue
		}
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		j = &Journal{db: db}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestBesideKeepsOnlyWhatTheStoreCouldNotTake(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := openJournal(t, dir, Beside)
	gone := errors.New("no such session")
	if err := j.Do(t.Context(), "n", 0, func(context.Context) error { return gone }); !errors.Is(err, gone) {
		t.Errorf("the domain's answer was lost: %v", err)
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
	away := true
	var got []int
	Handle(again, "n", func(_ context.Context, n int) error {
		if away {
			return errAway
		}
		got = append(got, n)
		return nil
	})
	if err := again.Drain(t.Context(), nil); !errors.Is(err, errAway) || again.Pending() != 2 {
		t.Errorf("drained into a store that is away: %v, pending %d", err, again.Pending())
	}
	away = false
	if err := again.Drain(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{1, 2}, got); diff != "" || again.Pending() != 0 {
		t.Errorf("%s, pending %d", diff, again.Pending())
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
	commits := 0
	if err := j.db.View(func(tx *bbolt.Tx) error { commits = tx.ID(); return nil }); err != nil || commits > 320 || j.db.NoSync {
		t.Errorf("%d commits of 640 entries, without a sync: %t (%v)", commits, j.db.NoSync, err)
	}
	got := collect(j)
	if err := j.Replay(t.Context(), nil, nil); err != nil {
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
	if _, err := Open(dir, Options{}); err == nil || !errors.Is(err, ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	if err := j.Do(t.Context(), "stranger", 1, func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	var refused []string
	if err := j.Replay(t.Context(), nil, func(err error) { refused = append(refused, err.Error()) }); err != nil {
		t.Error(err)
	}
	if len(refused) != 1 || !strings.Contains(refused[0], `"stranger"`) {
		t.Errorf("an entry that nobody handles: %v", refused)
	}
	var none *Journal
	called := false
	err := none.Do(t.Context(), "n", 1, func(context.Context) error { called = true; return fmt.Errorf("passed on: %w", errAway) })
	if !called || !errors.Is(err, errAway) || none.Pending() != 0 || none.Close() != nil {
		t.Error("a nil journal applies and keeps nothing")
	}
}

func TestDamageIsSaidInOneLine(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func([]byte) []byte{
		"cut short": func(b []byte) []byte { return b[:len(b)/2] },
		"garbage":   func(b []byte) []byte { return bytes.Repeat([]byte("x"), len(b)) },
		"flipped":   func(b []byte) []byte { copy(b[len(b)/2:], bytes.Repeat([]byte{0xff}, len(b)/2)); return b },
	} {
		dir := t.TempDir()
		j := openJournal(t, dir, Ahead)
		var writers sync.WaitGroup
		for range 300 {
			writers.Go(func() {
				if _, err := j.write("s", strings.Repeat("x", 500)); err != nil {
					t.Error(err)
				}
			})
		}
		writers.Wait()
		_ = j.Close()
		path := filepath.Join(dir, "journal.db")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, harm(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "is damaged") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A tail that is cut off would be read as zeros.
func TestALogThatIsCutByALittleIsDamaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := openJournal(t, dir, Ahead)
	if _, err := j.write("s", strings.Repeat("x", 50_000)); err != nil {
		t.Fatal(err)
	}
	var size int64
	err := errors.Join(j.db.View(func(tx *bbolt.Tx) error { size = tx.Size(); return nil }), j.Close(), os.Truncate(filepath.Join(dir, "journal.db"), size-100))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("%v", err)
	}
}

func TestForgottenMarksLeaveNoTraceAfterCompaction(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := openJournal(t, dir, Ahead)
	for _, marks := range [][]Mark{
		{{Kind: "s", Key: "a", Value: "keep this"}, {Kind: "s", Key: "b", Value: "TRACE OF A DELETED ANSWER"}},
		{{Kind: "s", Key: "b"}, {Kind: "s", Key: "never kept"}},
	} {
		if err := j.Keep(t.Context(), marks, func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	_ = j.Close()
	if err := Compact(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "journal.db"))
	if err != nil || bytes.Contains(text, []byte("TRACE")) || !bytes.Contains(text, []byte("keep this")) {
		t.Errorf("after compaction: %v", err)
	}
	openJournal(t, dir, Ahead)
}

// Of the marks under one key, the last one stays, unless it is said to be older.
func TestMarksReplaceOneAnother(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := openJournal(t, dir, Ahead)
	for _, m := range []Mark{
		{Kind: "n", Key: "b", Value: 1, Rank: 1}, {Kind: "n", Key: "b", Value: 3, Rank: 3}, {Kind: "n", Key: "b", Value: 2, Rank: 2},
		{Kind: "n", Key: "d", Value: 4, Rank: 2}, {Kind: "n", Key: "d", Value: 5, Rank: 2}, // of equals, the first
		{Kind: "n", Key: "a", Value: 7, Rank: 9}, {Kind: "n", Key: "a", Value: 8}, {Kind: "n", Key: "c", Value: 9, Rank: 1}, {Kind: "n", Key: "c"},
	} {
		if err := j.Keep(t.Context(), []Mark{m}, func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Do(t.Context(), "n", 0, func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	_ = j.Close()
	again := openJournal(t, dir, Ahead)
	got, of := collect(again), 0
	if err := again.Replay(t.Context(), func(_, n int) { of = n }, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{0, 8, 3, 4}, *got); diff != "" || of != 4 || again.Pending() != 0 {
		t.Errorf("entries first, then marks by key: %s, of %d, pending %d", diff, of, again.Pending())
	}
}

// Beside, marks wait like entries; one that is replaced while it is drained waits on.
func TestMarksAreDrained(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := openJournal(t, dir, Beside)
	away := func(context.Context) error { return errAway }
	for key, n := range map[string]int{"a": 1, "b": 2, "c": 3} {
		if err := j.Keep(t.Context(), []Mark{{Kind: "n", Key: key, Value: n}, {Kind: "n", Key: "gone " + key}}, away); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Keep(t.Context(), []Mark{{Kind: "n", Key: "c"}}, away); err != nil || j.Pending() != 2 {
		t.Errorf("%v, pending %d", err, j.Pending())
	}
	_ = j.Close()
	again := openJournal(t, dir, Beside)
	var got []int
	Handle(again, "n", func(_ context.Context, n int) error {
		if got = append(got, n); n == 2 {
			_, err := again.mark([]Mark{{Kind: "n", Key: "b", Value: 5}})
			return err
		}
		return nil
	})
	if err := again.Drain(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{1, 2, 5}, got); diff != "" || again.Pending() != 0 {
		t.Errorf("%s, pending %d", diff, again.Pending())
	}
}

// What waits is drained in its order, marks last; what was taken before the store went away again is not offered twice.
func TestADrainingThatIsInterruptedGoesOn(t *testing.T) {
	t.Parallel()
	j := openJournal(t, t.TempDir(), Beside)
	away := true
	var got []int
	Handle(j, "n", func(_ context.Context, n int) error {
		if n == 2 && away {
			return errAway
		}
		got = append(got, n)
		return nil
	})
	if err := j.Keep(t.Context(), []Mark{{Kind: "n", Key: "k", Value: 3}}, func(context.Context) error { return errAway }); err != nil {
		t.Fatal(err)
	}
	keepAway(t, j, 1, 2)
	if err := j.Drain(t.Context(), nil); !errors.Is(err, errAway) || j.Pending() != 2 {
		t.Errorf("interrupted: %v, %d wait", err, j.Pending())
	}
	away = false
	drain(t, j)
	if !slices.Equal(got, []int{1, 2, 3}) || j.Pending() != 0 {
		t.Errorf("drained %v, %d wait", got, j.Pending())
	}
}

func TestOnceKeepsTheFirstValue(t *testing.T) {
	t.Parallel()
	j := openJournal(t, t.TempDir(), Ahead)
	for _, value := range []string{"first", "second"} {
		if kept, err := j.Once("key", value); kept != "first" || err != nil {
			t.Errorf("%q %v", kept, err)
		}
	}
}

// TestFinalMarksStay: what is over is replaced by nothing but another end.
func TestFinalMarksStay(t *testing.T) {
	t.Parallel()
	j := openJournal(t, t.TempDir(), Ahead)
	keep := func(key, value string, final bool) {
		t.Helper()
		err := j.Keep(t.Context(), []Mark{{Kind: "state", Key: key, Value: value, Final: final}}, func(context.Context) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	Handle(j, "state", func(_ context.Context, v string) error { got = append(got, v); return nil })
	replayed := func(want ...string) {
		t.Helper()
		got = nil
		if err := j.Replay(t.Context(), nil, func(err error) { t.Error(err) }); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v, not %v", got, want)
		}
	}
	keep("b", "old", false)
	keep("b", "new", false)
	keep("a", "final", true)
	keep("a", "late", false)
	keep("c", "first", false)
	keep("c", "last", true)
	keep("c", "very last", true)
	replayed("final", "new", "very last")
	err := j.Revise("state", func(data json.RawMessage) any {
		if string(data) == `"new"` {
			return "revised"
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	keep("b", "after its end", false)
	replayed("final", "revised", "very last")
}
