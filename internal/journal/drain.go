package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// Replay applies every entry, oldest first, then every mark, and keeps them. progress, if not nil, is told how many of how many are
// done; refused, of entries that cannot be applied any more (their session no longer exists), which are listed and passed over.
func (j *Journal) Replay(ctx context.Context, progress func(done, of int), refused func(error)) error {
	if j == nil {
		return nil
	}
	type outcome struct {
		at  place
		err error
	}
	var outcomes []outcome // written after the reading: a write within a read of one goroutine deadlocks
	err := j.db.View(func(tx *bbolt.Tx) error {
		of, done := tx.Bucket(entries).Stats().KeyN+tx.Bucket(marked).Stats().KeyN, 0
		for _, bucket := range [][]byte{entries, marked} {
			err := tx.Bucket(bucket).ForEach(func(key, text []byte) error {
				at := place{string(bucket), string(key), bytes.Clone(text)}
				err := j.apply(ctx, text)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err != nil && refused != nil {
					refused(fmt.Errorf("journal entry: %w", err))
				}
				if err != nil || j.refusals.has(at) {
					outcomes = append(outcomes, outcome{at, err})
				}
				done++
				if progress != nil {
					progress(done, of)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	for _, o := range outcomes {
		if o.err == nil {
			err = errors.Join(err, j.accept(o.at))
		} else {
			err = errors.Join(err, j.refuse(o.at, o.err))
		}
	}
	return err
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

// Drain applies and removes what waits, oldest first and marks last, until nothing is due or the store is away again. refused, if
// not nil, is told of entries that the store does not take although it answers. Those do not block the others: they are tried again
// later, a bounded number of times, and then listed.
func (j *Journal) Drain(ctx context.Context, refused func(error)) error {
	if j == nil {
		return nil
	}
	j.draining.Lock()
	defer j.draining.Unlock()
	for _, bucket := range [][]byte{entries, marked} {
		for {
			batch, err := j.due(bucket, drainBatch)
			if err != nil {
				return err
			}
			if len(batch) == 0 {
				break
			}
			if err := j.drain(ctx, batch, refused); err != nil {
				return err
			}
		}
	}
	return nil
}

// drain applies a batch; applied entries are removed, also when the store goes away in the middle.
func (j *Journal) drain(ctx context.Context, batch []place, refused func(error)) error {
	var done []place
	for _, at := range batch {
		err := j.apply(ctx, at.text)
		if err == nil {
			done = append(done, at)
			continue
		}
		if ctx.Err() != nil || j.isAway(ctx, err) {
			return errors.Join(err, j.remove(done))
		}
		if refused != nil {
			refused(err)
		}
		if err := j.refuse(at, err); err != nil {
			return errors.Join(err, j.remove(done))
		}
	}
	return j.remove(done)
}

// isAway says whether an error means that nothing can be drained now. If the store takes the probe's write, the error is about this
// one entry, and the others must not wait behind it.
func (j *Journal) isAway(ctx context.Context, err error) bool {
	fault, _ := j.judge(err)
	return fault == Away && (j.options.Probe == nil || j.options.Probe(ctx) != nil)
}

// due lists the first n entries of a bucket that are to be tried now.
func (j *Journal) due(bucket []byte, n int) (batch []place, err error) {
	now := j.now()
	err = j.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucket).Cursor()
		for key, text := c.First(); key != nil && len(batch) < n; key, text = c.Next() {
			if at := (place{string(bucket), string(key), nil}); j.refusals.due(at, now) {
				at.text = bytes.Clone(text)
				batch = append(batch, at)
			}
		}
		return nil
	})
	return batch, err
}

// remove deletes applied entries, but for marks that were replaced meanwhile.
func (j *Journal) remove(places []place) error {
	if len(places) == 0 {
		return nil
	}
	removed := 0
	err := j.db.Update(func(tx *bbolt.Tx) error {
		removed = 0
		var deleted []place
		for _, at := range places {
			b := tx.Bucket([]byte(at.bucket))
			if !bytes.Equal(b.Get([]byte(at.key)), at.text) {
				continue
			}
			removed++
			deleted = append(deleted, at)
			if err := b.Delete([]byte(at.key)); err != nil {
				return err
			}
		}
		return j.refusals.forget(tx, deleted)
	})
	return j.written(-removed, err)
}
