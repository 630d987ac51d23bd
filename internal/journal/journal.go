// Package journal is a local, durable log of what the service has acknowledged. It has two uses: ahead of a store that
// forgets (the embedded one), every entry is written first and replayed at start; beside a store that may be away
// (Redis), entries are written only while it is, and drained when it is back. Entries may be applied more than once: the
// domains that own them are idempotent.
package journal

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	failed  = []byte("failed")  // entries that their owner refused when they were drained: kept to be looked at
)

type entry struct {
	Kind string          `json:"kind"`
	Data json.RawMessage `json:"data"`
}

// Open opens the log in a directory, which is made if need be. A second process on the same directory gets an error.
func Open(dir string, o Options) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	path := filepath.Join(dir, "journal.db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 2 * time.Second})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, fmt.Errorf("journal: %s is in use by another process", path)
	}
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	db.MaxBatchDelay = 2 * time.Millisecond // one fsync for all that arrives meanwhile
	j := &Journal{db: db, options: o, handlers: map[string]func(context.Context, json.RawMessage) error{}}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{entries, failed} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		if o.Mode == Beside {
			j.pending.Store(int64(tx.Bucket(entries).Stats().KeyN))
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %w", err), db.Close())
	}
	return j, nil
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
	if j == nil {
		return apply(ctx)
	}
	if j.options.Mode == Ahead {
		if err := j.write(kind, value); err != nil {
			return err
		}
		return apply(ctx)
	}
	if time.Since(time.Unix(0, j.awayAt.Load())) > retryAfter {
		limited, cancel := context.WithTimeout(ctx, patience)
		err := apply(limited)
		cancel()
		if err == nil || !j.options.Away(err) {
			return err
		}
		j.awayAt.Store(time.Now().UnixNano())
	}
	if err := j.write(kind, value); err != nil {
		return err
	}
	j.pending.Add(1)
	return nil
}

func (j *Journal) write(kind string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	text, err := json.Marshal(entry{kind, data})
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	err = j.db.Batch(func(tx *bbolt.Tx) error { return put(tx.Bucket(entries), text) })
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

func put(b *bbolt.Bucket, text []byte) error {
	n, err := b.NextSequence()
	if err != nil {
		return err
	}
	return b.Put(binary.BigEndian.AppendUint64(nil, n), text)
}

// Replay applies every entry, oldest first, and keeps them. progress, if not nil, is told how many of how many are done.
func (j *Journal) Replay(ctx context.Context, progress func(done, of int)) error {
	if j == nil {
		return nil
	}
	return j.db.View(func(tx *bbolt.Tx) error {
		of, done := tx.Bucket(entries).Stats().KeyN, 0
		return tx.Bucket(entries).ForEach(func(k, text []byte) error {
			if err := j.apply(ctx, text); err != nil {
				return fmt.Errorf("journal entry %d: %w", binary.BigEndian.Uint64(k), err)
			}
			done++
			if progress != nil {
				progress(done, of)
			}
			return ctx.Err()
		})
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

// Drain applies and removes what waits, oldest first, until nothing waits or the store is away again; refused, if not
// nil, is told of entries that the store is there for and still cannot take: they are set aside in the log.
func (j *Journal) Drain(ctx context.Context, refused func(error)) error {
	for j.Pending() > 0 {
		keys, texts, err := j.head(drainBatch)
		if err != nil {
			return err
		}
		for i, text := range texts {
			err := j.apply(ctx, text)
			if err != nil && (ctx.Err() != nil || j.options.Away(err)) {
				return errors.Join(err, j.remove(keys[:i], nil))
			}
			if err != nil {
				if refused != nil {
					refused(err)
				}
				if err := j.remove(keys[i:i+1], text); err != nil {
					return err
				}
			}
		}
		if err := j.remove(keys, nil); err != nil {
			return err
		}
	}
	return nil
}

func (j *Journal) head(n int) (keys, texts [][]byte, err error) {
	err = j.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(entries).Cursor()
		for k, v := c.First(); k != nil && len(keys) < n; k, v = c.Next() {
			keys, texts = append(keys, append([]byte(nil), k...)), append(texts, append([]byte(nil), v...))
		}
		return nil
	})
	return keys, texts, err
}

// remove deletes entries that are done; keep, if not nil, is put among the failed ones.
func (j *Journal) remove(keys [][]byte, keep []byte) error {
	removed := int64(0)
	err := j.db.Update(func(tx *bbolt.Tx) error {
		removed = 0
		b := tx.Bucket(entries)
		for _, k := range keys {
			if b.Get(k) == nil {
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
