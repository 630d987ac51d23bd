// Package journal is a local, durable log of what the service has acknowledged. It has two uses: ahead of a store that
// forgets (the embedded one), every entry is written first and replayed at start; beside a store that may be away
// (Redis), entries are written only while it is, and drained when it is back. Entries may be applied more than once: the
// domains that own them are idempotent.
//
// Marks are entries without a place in the order of things: the latest under a key replaces the one before it, and what
// stands beside a mark says nothing about it. They are for what must not be joined to its neighbours in time.
package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Mode is when entries are written.
type Mode int

// The modes of a journal.
const (
	Ahead  Mode = iota // each entry, before it is applied
	Beside             // only entries that could not be applied because the store is away
)

// Options are what a journal is opened with.
type Options struct {
	Mode Mode
	Away func(error) bool // Beside: tells that an error means the store is away, not that the entry is wrong
}

// Journal is an open log. A nil *Journal keeps nothing and applies everything at once.
type Journal struct {
	db       *bbolt.DB
	options  Options
	handlers map[string]func(context.Context, json.RawMessage) error
	pending  atomic.Int64 // entries that wait to be drained
	awayAt   atomic.Int64 // Unix ns of the last failure, so that a dead store is not waited for by every request
}

var (
	entries = []byte("entries") // sequence → entry
	marked  = []byte("marks")   // kind and key → entry, after all entries
	failed  = []byte("failed")  // entries that their owner refused when they were drained: they wait again after a restart
	meta    = []byte("meta")    // name → value, for Once
)

type entry struct {
	Kind string          `json:"kind"`
	Data json.RawMessage `json:"data"`
	Rank int             `json:"rank,omitempty"` // of a mark

	Final bool `json:"final,omitempty"`
}

// Mark is an entry that is kept under a key.
type Mark struct {
	Kind, Key string
	Value     any  // nil: what is kept there is forgotten
	Rank      int  // 0: takes the place of whatever is kept; else only of a lower rank
	Final     bool // only another final one takes its place
}

// Open opens the log in a directory, which is made if need be. A second process on the same directory gets an error, and
// so does a file that is damaged. Entries that were refused in an earlier run wait once more.
func Open(dir string, o Options) (_ *Journal, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	path := filepath.Join(dir, "journal.db")
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // bbolt reads a mapped file: one cut short faults
	defer func() {
		if recover() != nil {
			err = damaged(path)
		}
	}()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 2 * time.Second})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("journal: %s is in use by another process: stop that one first", path)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return nil, damaged(path)
	case err != nil:
		return nil, fmt.Errorf("journal: %w", err)
	}
	if short(path, db) {
		return nil, errors.Join(damaged(path), db.Close())
	}
	db.MaxBatchDelay = 2 * time.Millisecond // one fsync for all that arrives meanwhile
	j := &Journal{db: db, options: o, handlers: map[string]func(context.Context, json.RawMessage) error{}}
	if err := db.Update(j.begin); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %w", err), db.Close())
	}
	return j, nil
}

// short says whether the file ends before what it describes.
func short(path string, db *bbolt.DB) bool {
	var want int64
	err := db.View(func(tx *bbolt.Tx) error { want = tx.Size(); return nil })
	info, statErr := os.Stat(path)
	return err != nil || statErr != nil || info.Size() < want
}

func damaged(path string) error {
	return fmt.Errorf("journal: %s is damaged: restore a copy of it, or move it away to start without it", path)
}

// begin makes the buckets, reads every entry once, and lets those that were refused wait again.
func (j *Journal) begin(tx *bbolt.Tx) error {
	for _, name := range [][]byte{entries, marked, failed, meta} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	err := tx.Bucket(failed).ForEach(func(k, text []byte) error {
		return errors.Join(put(tx.Bucket(entries), bytes.Clone(text)), tx.Bucket(failed).Delete(k))
	})
	if err != nil {
		return err
	}
	n := 0
	for _, name := range [][]byte{entries, marked} {
		err = errors.Join(err, tx.Bucket(name).ForEach(func(_, text []byte) error {
			n += min(1, len(text)) // touches the page
			return nil
		}))
	}
	if j.options.Mode == Beside {
		j.pending.Store(int64(n))
	}
	return err
}

// Close closes the log.
func (j *Journal) Close() error {
	if j == nil {
		return nil
	}
	return j.db.Close()
}

// Pending is how many entries wait for the store to be back.
func (j *Journal) Pending() int64 {
	if j == nil {
		return 0
	}
	return j.pending.Load()
}

// Handle names who applies entries of a kind when they are replayed or drained. Call it before Replay, Drain and Do.
func Handle[T any](j *Journal, kind string, apply func(context.Context, T) error) {
	if j == nil {
		return
	}
	j.handlers[kind] = func(ctx context.Context, data json.RawMessage) error {
		var v T
		if err := json.Unmarshal(data, &v); err != nil {
			return err
		}
		return apply(ctx, v)
	}
}

// A platform waits about three seconds for an answer: the store gets a good part of one, and after it was found away,
// requests go straight to the journal for a while.
const (
	patience   = 1200 * time.Millisecond
	retryAfter = time.Second
)

// Do keeps an entry and applies it, in the order that the mode asks for. A nil error means that the entry is safe: in
// the store, or on this disk.
func (j *Journal) Do(ctx context.Context, kind string, value any, apply func(context.Context) error) error {
	return j.do(ctx, func() error { return j.write(kind, value) }, apply)
}

// Keep is Do for marks: they are kept together or not at all.
func (j *Journal) Keep(ctx context.Context, marks []Mark, apply func(context.Context) error) error {
	return j.do(ctx, func() error { return j.mark(marks) }, apply)
}

// Note keeps marks of what is applied already, where the store forgets; beside a store there is nothing to keep.
func (j *Journal) Note(marks []Mark) error {
	if !j.Ahead() {
		return nil
	}
	return j.mark(marks)
}

func (j *Journal) do(ctx context.Context, write func() error, apply func(context.Context) error) error {
	if j == nil {
		return apply(ctx)
	}
	if j.options.Mode == Ahead {
		if err := write(); err != nil {
			return err
		}
		return apply(context.WithoutCancel(ctx)) // it is kept: a caller who hangs up does not leave it half done
	}
	err := j.Try(ctx, apply)
	if err == nil || !errors.Is(err, ErrAway) {
		return err
	}
	return write()
}

// Ahead says whether the journal is what survives a restart: the store forgets.
func (j *Journal) Ahead() bool { return j != nil && j.options.Mode == Ahead }

// ErrAway says that the store was not reached.
var ErrAway = errors.New("the store is away")

// Try calls f within the patience of a request, or not at all while the store is known to be away; then, and when f finds
// it away, the error is ErrAway.
func (j *Journal) Try(ctx context.Context, f func(context.Context) error) error {
	if j == nil || j.options.Mode == Ahead {
		return f(ctx)
	}
	if time.Since(time.Unix(0, j.awayAt.Load())) < retryAfter {
		return ErrAway
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := f(limited)
	if err == nil || ctx.Err() != nil || !j.options.Away(err) {
		return err
	}
	j.awayAt.Store(time.Now().UnixNano())
	return fmt.Errorf("%w: %w", ErrAway, err)
}

// Once keeps a value under a name the first time, and gives what is kept there.
func (j *Journal) Once(name, value string) (kept string, err error) {
	if j == nil {
		return value, nil
	}
	err = j.db.Update(func(tx *bbolt.Tx) error {
		if old := tx.Bucket(meta).Get([]byte(name)); old != nil {
			kept = string(old)
			return nil
		}
		kept = value
		return tx.Bucket(meta).Put([]byte(name), []byte(value))
	})
	if err != nil {
		return "", fmt.Errorf("journal: %w", err)
	}
	return kept, nil
}

// Compact rewrites the log of a directory without the pages that forgotten marks have left. Call it before Open, which
// says what is wrong with a file that cannot be read.
func Compact(dir string) error {
	path := filepath.Join(dir, "journal.db")
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { _ = recover() }()
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	from, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, ReadOnly: true})
	if err != nil {
		return nil //nolint:nilerr // left to Open
	}
	to, err := bbolt.Open(path+".new", 0o600, &bbolt.Options{Timeout: time.Second})
	if err == nil {
		err = errors.Join(bbolt.Compact(to, from, 1<<20), to.Close())
	}
	if err = errors.Join(err, from.Close()); err != nil {
		return fmt.Errorf("journal: compact: %w", errors.Join(err, os.Remove(path+".new")))
	}
	return os.Rename(path+".new", path)
}

func (j *Journal) write(kind string, value any) error {
	text, err := encode(kind, value, 0, false)
	if err != nil {
		return err
	}
	err = j.db.Batch(func(tx *bbolt.Tx) error { return put(tx.Bucket(entries), text) })
	return j.written(1, err)
}

// mark keeps or forgets marks in one transaction.
func (j *Journal) mark(marks []Mark) error {
	texts := make([][]byte, len(marks))
	for i, m := range marks {
		var err error
		if texts[i], err = encode(m.Kind, m.Value, m.Rank, m.Final); err != nil {
			return err
		}
	}
	more := 0
	err := j.db.Batch(func(tx *bbolt.Tx) error {
		more = 0 // a batch may be tried twice
		b := tx.Bucket(marked)
		for i, m := range marks {
			key := []byte(m.Kind + "\x00" + m.Key)
			old := b.Get(key)
			switch {
			case m.Value == nil && old == nil, old != nil && !m.replaces(old):
				continue
			case m.Value == nil:
				more--
				if err := b.Delete(key); err != nil {
					return err
				}
				continue
			case old == nil:
				more++
			}
			if err := b.Put(key, texts[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return j.written(more, err)
}

// Revise replaces the marks of a kind by what revise makes of them, final from then on; nil leaves one as it is.
func (j *Journal) Revise(kind string, revise func(data json.RawMessage) any) error {
	if j == nil {
		return nil
	}
	err := j.db.Update(func(tx *bbolt.Tx) error {
		revised := map[string][]byte{}
		prefix := []byte(kind + "\x00")
		c := tx.Bucket(marked).Cursor()
		for k, text := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, text = c.Next() {
			var e entry
			if err := json.Unmarshal(text, &e); err != nil {
				return err
			}
			if value := revise(e.Data); value != nil {
				text, err := encode(kind, value, e.Rank, true)
				if err != nil {
					return err
				}
				revised[string(k)] = text
			}
		}
		var err error
		for k, text := range revised { // not while the cursor walks
			err = errors.Join(err, tx.Bucket(marked).Put([]byte(k), text))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// replaces says whether the mark takes the place of what is kept under its key.
func (m Mark) replaces(kept []byte) bool {
	var e entry
	if json.Unmarshal(kept, &e) != nil {
		return true
	}
	return (m.Final || !e.Final) && (m.Rank == 0 || e.Rank < m.Rank)
}

// written notes how many more entries wait for the store, if that is what they do.
func (j *Journal) written(more int, err error) error {
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if j.options.Mode == Beside {
		j.pending.Add(int64(more))
	}
	return nil
}

func encode(kind string, value any, rank int, final bool) ([]byte, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	text, err := json.Marshal(entry{kind, data, rank, final})
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return text, nil
}

func put(b *bbolt.Bucket, text []byte) error {
	n, err := b.NextSequence()
	if err != nil {
		return err
	}
	return b.Put(binary.BigEndian.AppendUint64(nil, n), text)
}

// Replay applies every entry, oldest first, then every mark, and keeps them. progress, if not nil, is told how many of
// how many are done, refused of entries that their owner cannot take any more (their session is gone): they are passed over.
func (j *Journal) Replay(ctx context.Context, progress func(done, of int), refused func(error)) error {
	if j == nil {
		return nil
	}
	return j.db.View(func(tx *bbolt.Tx) error {
		of, done := tx.Bucket(entries).Stats().KeyN+tx.Bucket(marked).Stats().KeyN, 0
		replay := func(_, text []byte) error {
			if err := j.apply(ctx, text); err != nil && ctx.Err() == nil && refused != nil {
				refused(fmt.Errorf("journal entry: %w", err))
			}
			done++
			if progress != nil {
				progress(done, of)
			}
			return ctx.Err()
		}
		if err := tx.Bucket(entries).ForEach(replay); err != nil {
			return err
		}
		return tx.Bucket(marked).ForEach(replay)
	})
}

func (j *Journal) apply(ctx context.Context, text []byte) error {
	var e entry
	if err := json.Unmarshal(text, &e); err != nil {
		return err
	}
	handle := j.handlers[e.Kind]
	if handle == nil {
		return fmt.Errorf("nobody handles entries of kind %q", e.Kind)
	}
	return handle(ctx, e.Data)
}

// drainBatch is how many entries are drained between two deletions.
const drainBatch = 200

// Drain applies and removes what waits, oldest first and marks last, until nothing waits or the store is away again;
// refused, if not nil, is told of entries that the store is there for and still cannot take: they are set aside in the log.
func (j *Journal) Drain(ctx context.Context, refused func(error)) error {
	for _, bucket := range [][]byte{entries, marked} {
		for j.Pending() > 0 {
			keys, texts, err := j.head(bucket, drainBatch)
			if err != nil {
				return err
			}
			if len(keys) == 0 {
				break
			}
			if err := j.drain(ctx, bucket, keys, texts, refused); err != nil {
				return err
			}
		}
	}
	return nil
}

func (j *Journal) drain(ctx context.Context, bucket []byte, keys, texts [][]byte, refused func(error)) error {
	for i, text := range texts {
		err := j.apply(ctx, text)
		if err != nil && (ctx.Err() != nil || j.options.Away(err)) {
			return errors.Join(err, j.remove(bucket, keys[:i], texts[:i], nil))
		}
		if err != nil {
			if refused != nil {
				refused(err)
			}
			if err := j.remove(bucket, keys[i:i+1], texts[i:i+1], text); err != nil {
				return err
			}
		}
	}
	return j.remove(bucket, keys, texts, nil)
}

func (j *Journal) head(bucket []byte, n int) (keys, texts [][]byte, err error) {
	err = j.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucket).Cursor()
		for k, v := c.First(); k != nil && len(keys) < n; k, v = c.Next() {
			keys, texts = append(keys, bytes.Clone(k)), append(texts, bytes.Clone(v))
		}
		return nil
	})
	return keys, texts, err
}

// remove deletes entries that are done, but for marks that were replaced meanwhile; keep, if not nil, is put among the
// failed ones.
func (j *Journal) remove(bucket []byte, keys, texts [][]byte, keep []byte) error {
	removed := int64(0)
	err := j.db.Update(func(tx *bbolt.Tx) error {
		removed = 0
		b := tx.Bucket(bucket)
		for i, k := range keys {
			if !bytes.Equal(b.Get(k), texts[i]) {
				continue
			}
			removed++
			if err := b.Delete(k); err != nil {
				return err
			}
		}
		if keep != nil {
			return put(tx.Bucket(failed), keep)
		}
		return nil
	})
	j.pending.Add(-removed)
	return err
}
