// Package journal is a local, durable log of what the service has acknowledged. It has two modes. Ahead of a volatile store (the
// embedded one) it is a write-ahead log: every entry is written first, and replayed at start. Beside a durable store that may be
// away (Redis) it is an outbox: entries are written only while it is away, and drained when it is back. Entries may be applied
// more than once: the domains that own them are idempotent.
//
// Marks are keyed entries, as in a compacted log: the latest under a key replaces the one before it, and they have no order among
// the entries. They are for what must not be linked to other entries by its place in time.
//
// The story in files: journal.go (entries in), drain.go (entries out: replayed or drained), refusal.go (entries that a store does
// not take although it answers, a dead-letter list: tried again, then listed for a person to decide).
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
	"slices"
	"strconv"
	"sync"
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

// Fault is whose fault an error of applying an entry is.
type Fault int

// The faults.
const (
	Caller Fault = iota // the domain's own answer to the caller: there is no such session, the answer was deleted
	Away                // the store cannot be reached, or takes no writes now
	Entry               // the store answers and cannot take this entry
)

// Options are what a journal is opened with.
type Options struct {
	Mode Mode
	// Judge says whose fault an error of applying an entry is, and why, as one of a few fixed words, which may be shown. Nil: Caller.
	Judge func(error) (fault Fault, why string)
	// Probe fails if the store takes no writes now. Nil: Judge alone decides.
	Probe func(context.Context) error
}

// Journal is an open log. A nil *Journal keeps nothing and applies everything at once.
type Journal struct {
	db       *bbolt.DB
	options  Options
	now      func() time.Time
	handlers map[string]func(context.Context, json.RawMessage) error
	kept     atomic.Int64 // Beside: entries in the log, all of which wait for the store
	since    atomic.Int64 // Unix ns since which something has waited; 0: nothing does
	awayAt   atomic.Int64 // Unix ns of the last failure, so that not every request waits for a dead store
	broken   atomic.Bool  // the last write failed

	draining sync.Mutex // held while entries are drained or tried again, and while refused entries are dropped
	refusals refusals
}

var (
	entries = []byte("entries") // sequence → entry
	marked  = []byte("marks")   // kind and key → entry, after all entries
	refused = []byte("refused") // bucket and key of an entry → refusal
	failed  = []byte("failed")  // refused entries of earlier versions, before "refused": they become entries again
	meta    = []byte("meta")    // name → value: the format, and for Once
)

// Format is the format (schema version) of the log and of the entries in it. A change that an older program would misread increments
// it, migrates logs of the format before, and keeps a fixture of that in the testdata of cmd/jauge.
const Format = 2

var formatName = []byte("schema") // in meta

type entry struct {
	Kind string          `json:"kind"`
	Data json.RawMessage `json:"data"`
	Rank int             `json:"rank,omitempty"` // of a mark

	Final bool `json:"final,omitempty"`
}

// Mark is an entry that is kept under a key.
type Mark struct {
	Kind, Key string
	Value     any  // nil: the mark under the key is deleted
	Rank      int  // 0: it replaces any mark; else only one of a lower rank
	Final     bool // only a final mark replaces it
}

// ErrInUse says that another process has the log open.
var ErrInUse = errors.New("is in use by another process: stop that one first")

// ErrNewer says that a newer program wrote the log.
var ErrNewer = errors.New("start the version of jauge that wrote it or a newer one")

// Open opens the log in a directory, which is made if need be. A second process on the same directory gets ErrInUse. A log of an unknown
// format gives ErrNewer and stays as it is; a damaged file gives another error. Entries refused in an earlier run are tried once more.
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
		return nil, fmt.Errorf("journal: %s %w", path, ErrInUse)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return nil, damaged(path)
	case err != nil:
		return nil, fmt.Errorf("journal: %w", err)
	}
	if short(path, db) {
		return nil, errors.Join(damaged(path), db.Close())
	}
	db.MaxBatchDelay = 2 * time.Millisecond // one fsync for all that arrives meanwhile
	j := &Journal{db: db, options: o, now: time.Now, handlers: map[string]func(context.Context, json.RawMessage) error{}}
	if err := db.View(knownFormat); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %s %w", path, err), db.Close())
	}
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

// knownFormat fails if this program cannot read a log. A log without a format is empty or of the first one.
func knownFormat(tx *bbolt.Tx) error {
	b := tx.Bucket(meta)
	if b == nil {
		return nil
	}
	found := b.Get(formatName)
	if n, err := strconv.Atoi(string(found)); found != nil && (err != nil || n < 1 || n > Format) {
		return fmt.Errorf("has format %q, and formats up to %d are known: %w", found, Format, ErrNewer)
	}
	return nil
}

// begin makes the buckets, writes the format, reads every entry once, and makes refused entries due again.
func (j *Journal) begin(tx *bbolt.Tx) error {
	for _, name := range [][]byte{entries, marked, refused, failed, meta} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	if err := tx.Bucket(meta).Put(formatName, strconv.AppendInt(nil, Format, 10)); err != nil {
		return err
	}
	err := tx.Bucket(failed).ForEach(func(k, text []byte) error {
		_, err := put(tx.Bucket(entries), bytes.Clone(text))
		return errors.Join(err, tx.Bucket(failed).Delete(k))
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
	if j.options.Mode == Beside && n > 0 {
		j.kept.Store(int64(n))
		j.since.Store(j.now().UnixNano())
	}
	return errors.Join(err, j.refusals.load(tx.Bucket(refused)))
}

// Close closes the log.
func (j *Journal) Close() error {
	if j == nil {
		return nil
	}
	return j.db.Close()
}

// Stats is what waits in a log.
type Stats struct {
	Pending int64         // entries that wait for the store, also those that it refused and that are tried again
	Refused int64         // entries that are tried again by hand or at the next start only: see List
	Waited  time.Duration // for how long at least one entry has been pending
	Retried Retries
}

// Stats counts what waits, and what was refused.
func (j *Journal) Stats() Stats {
	if j == nil {
		return Stats{}
	}
	s := j.refusals.stats()
	if j.options.Mode == Beside {
		s.Pending = max(0, j.kept.Load()-s.Refused)
	}
	if since := j.since.Load(); since != 0 && s.Pending > 0 {
		s.Waited = j.now().Sub(time.Unix(0, since))
	}
	return s
}

// Pending is how many entries wait for the store to be back.
func (j *Journal) Pending() int64 { return j.Stats().Pending }

// Broken gives the error of the last write to the disk, tried again; nil: it works.
func (j *Journal) Broken() error {
	if j == nil || !j.broken.Load() {
		return nil
	}
	err := j.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(meta).Put([]byte("probe"), []byte{}) })
	j.broken.Store(err != nil)
	return err
}

// Handle sets the function that applies entries of a kind when they are replayed or drained. Call it before Replay, Drain and Do.
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

// A platform waits about three seconds for an answer. The store has patience to answer; after a failure, requests go straight to the
// journal for retryAfter.
const (
	patience   = 1200 * time.Millisecond
	retryAfter = time.Second
)

// Do keeps an entry and applies it, in the order of the mode. A nil error means that the entry is safe: in the store, or on this
// disk, where it is listed as refused if the store answers and cannot take it.
func (j *Journal) Do(ctx context.Context, kind string, value any, apply func(context.Context) error) error {
	return j.do(ctx, func() ([]place, error) { return j.write(kind, value) }, apply)
}

// Keep is Do for marks: they are kept together or not at all.
func (j *Journal) Keep(ctx context.Context, marks []Mark, apply func(context.Context) error) error {
	return j.do(ctx, func() ([]place, error) { return j.mark(marks) }, apply)
}

// Note keeps marks of what is applied already, ahead of a volatile store; beside a durable one there is nothing to keep.
func (j *Journal) Note(marks []Mark) error {
	if !j.Ahead() {
		return nil
	}
	_, err := j.mark(marks)
	return err
}

func (j *Journal) do(ctx context.Context, write func() ([]place, error), apply func(context.Context) error) error {
	if j == nil {
		return apply(ctx)
	}
	if j.options.Mode == Ahead {
		places, err := write()
		if err != nil {
			return err
		}
		err = apply(context.WithoutCancel(ctx)) // the entry is written: a caller who hangs up does not leave it half applied
		return j.excuse(places, err)
	}
	err := j.Try(ctx, apply)
	if err == nil {
		return nil
	}
	if fault, _ := j.judge(err); fault == Caller {
		return err
	}
	places, writeErr := write()
	if writeErr != nil || errors.Is(err, ErrAway) {
		return writeErr
	}
	return j.excuse(places, err)
}

// judge says whose fault an error is.
func (j *Journal) judge(err error) (fault Fault, why string) {
	switch {
	case errors.Is(err, ErrAway):
		return Away, "away"
	case j.options.Judge == nil:
		return Caller, "invalid"
	}
	return j.options.Judge(err)
}

// Ahead says whether the journal is the write-ahead log of a volatile store: it alone survives a restart.
func (j *Journal) Ahead() bool { return j != nil && j.options.Mode == Ahead }

// ErrAway says that the store was not reached.
var ErrAway = errors.New("the store is away")

// Try calls f within the patience of a request. It returns ErrAway when f finds the store away, and for retryAfter from then on
// without calling f.
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
	if err == nil || ctx.Err() != nil {
		return err
	}
	if fault, _ := j.judge(err); fault != Away {
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

// Compact rewrites the log of a directory without the free pages that deleted marks have left. Call it before Open, which reports a
// file that cannot be read.
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
	if from.View(knownFormat) != nil {
		return from.Close() // left to Open
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

// place is where an entry is kept.
type place struct {
	bucket, key string
	text        []byte // what is kept there
}

func (j *Journal) write(kind string, value any) ([]place, error) {
	text, err := encode(kind, value, 0, false)
	if err != nil {
		return nil, err
	}
	var key []byte
	err = j.db.Batch(func(tx *bbolt.Tx) (err error) {
		key, err = put(tx.Bucket(entries), text)
		return err
	})
	return []place{{string(entries), string(key), text}}, j.written(1, err)
}

// mark writes or deletes marks in one transaction, and returns the places of those that it wrote.
func (j *Journal) mark(marks []Mark) ([]place, error) {
	texts := make([][]byte, len(marks))
	for i, m := range marks {
		var err error
		if texts[i], err = encode(m.Kind, m.Value, m.Rank, m.Final); err != nil {
			return nil, err
		}
	}
	more := 0
	var places, deleted []place
	err := j.db.Batch(func(tx *bbolt.Tx) error {
		more, places, deleted = 0, nil, nil // a batch may be tried twice
		b := tx.Bucket(marked)
		for i, m := range marks {
			key := []byte(m.Kind + "\x00" + m.Key)
			old := b.Get(key)
			if m.Value == nil && old == nil || old != nil && !m.replaces(old) {
				continue
			}
			at := place{string(marked), string(key), texts[i]}
			var err error
			switch {
			case m.Value == nil:
				more--
				deleted = append(deleted, at)
				err = b.Delete(key)
			case old == nil:
				more++
				fallthrough
			default:
				places = append(places, at)
				err = b.Put(key, texts[i])
			}
			if err != nil {
				return err
			}
		}
		return j.refusals.forget(tx, slices.Concat(places, deleted)) // the refused marks there are replaced
	})
	return places, j.written(more, err)
}

// Revise replaces each mark of a kind by a final one with the value that revise returns; nil leaves the mark as it is.
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

// written notes the outcome of a write: whether it worked, and, beside a store, how many more entries wait.
func (j *Journal) written(more int, err error) error {
	j.broken.Store(err != nil)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if j.options.Mode != Beside {
		return nil
	}
	j.kept.Add(int64(more))
	if j.Pending() > 0 {
		j.since.CompareAndSwap(0, j.now().UnixNano())
	} else {
		j.since.Store(0)
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

func put(b *bbolt.Bucket, text []byte) (key []byte, err error) {
	n, err := b.NextSequence()
	if err != nil {
		return nil, err
	}
	key = binary.BigEndian.AppendUint64(nil, n)
	return key, b.Put(key, text)
}
