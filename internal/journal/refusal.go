package journal

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// A refusal is an entry that the store did not take although it answers. Beside a store it is tried again with exponential backoff,
// and after maxTries only by hand or at the next start; ahead of one it is tried at each start, as every entry is.
type refusal struct {
	Kind  string    `json:"kind"`
	Why   string    `json:"why"` // one of a few fixed words: never the text of an error, which may quote the entry
	Tries int       `json:"tries"`
	Since time.Time `json:"since"`          // to the hour: nothing here tells when somebody answered
	Next  time.Time `json:"next,omitzero"`  // before that it is not tried again; zero: at once
	Given bool      `json:"given,omitzero"` // given up: tried again by hand or at the next start only
}

// An entry is tried a second time after firstRetry, and then after twice the time before: some seventeen minutes in all.
const (
	maxTries   = 10
	firstRetry = 2 * time.Second
)

// refusals is a copy in memory of the log's bucket of refused entries. Its lock is taken within transactions, never around one.
type refusals struct {
	mu sync.Mutex
	by map[string]refusal // by name
	n  Retries
}

// Retries counts what became of refused entries that were tried again by hand, since the start.
type Retries struct{ Applied, Refused int64 }

// name is an entry's key in the bucket.
func (at place) name() string { return at.bucket + "\x00" + at.key }

// id names a refused entry for people: it tells nothing of what is in it.
func (at place) id() string {
	sum := sha256.Sum256([]byte(at.name()))
	return hex.EncodeToString(sum[:6])
}

// load reads the bucket and makes every refusal due, those that were given up too.
func (r *refusals) load(b *bbolt.Bucket) error {
	r.by = map[string]refusal{}
	return b.ForEach(func(name, text []byte) error {
		var one refusal
		if err := json.Unmarshal(text, &one); err != nil {
			return err
		}
		one.Next = time.Time{}
		r.by[string(name)] = one
		return nil
	})
}

func (r *refusals) has(at place) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, is := r.by[at.name()]
	return is
}

// due says whether an entry is to be tried now.
func (r *refusals) due(at place, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	one, is := r.by[at.name()]
	return !is || one.Next.IsZero() || !one.Given && !now.Before(one.Next)
}

func (r *refusals) stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Stats{Retried: r.n}
	for _, one := range r.by {
		if one.Given {
			s.Refused++
		}
	}
	return s
}

// forget drops the refusals of entries within a transaction.
func (r *refusals) forget(tx *bbolt.Tx, places []place) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, at := range places {
		if _, is := r.by[at.name()]; !is {
			continue
		}
		delete(r.by, at.name()) // if the transaction fails, the next start reads it again
		if err := tx.Bucket(refused).Delete([]byte(at.name())); err != nil {
			return err
		}
	}
	return nil
}

// excuse lists kept entries as refused if the error is that the store cannot take them, and returns nil: they are safe. It returns
// any other error.
func (j *Journal) excuse(places []place, err error) error {
	if err == nil {
		return nil
	}
	if fault, _ := j.judge(err); fault != Entry {
		return err
	}
	for _, at := range places {
		if e := j.refuse(at, err); e != nil {
			return errors.Join(err, e)
		}
	}
	return nil
}

// refuse notes that the store did not take an entry, unless the entry was replaced meanwhile.
func (j *Journal) refuse(at place, cause error) error {
	_, why := j.judge(cause)
	err := j.db.Update(func(tx *bbolt.Tx) error {
		if !bytes.Equal(tx.Bucket([]byte(at.bucket)).Get([]byte(at.key)), at.text) {
			return nil
		}
		one := j.refusals.failedTry(at, why, j.now(), j.options.Mode == Ahead)
		text, err := json.Marshal(one)
		if err != nil {
			return err
		}
		return tx.Bucket(refused).Put([]byte(at.name()), text)
	})
	return j.written(0, err)
}

// failedTry counts one more failed try of an entry; final: it is given up at once.
func (r *refusals) failedTry(at place, why string, now time.Time, final bool) refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	one, before := r.by[at.name()]
	if !before {
		var e entry
		_ = json.Unmarshal(at.text, &e) // damaged: of no kind
		one = refusal{Kind: e.Kind, Since: now.UTC().Truncate(time.Hour)}
	}
	one.Why, one.Tries = why, one.Tries+1
	one.Given = one.Given || final || one.Tries >= maxTries
	one.Next = now.Add(firstRetry << min(one.Tries-1, maxTries))
	r.by[at.name()] = one
	return one
}

// accept notes that the store took an entry that it had refused. Beside a store, the entry is removed with its refusal.
func (j *Journal) accept(at place) error {
	if j.options.Mode == Beside {
		return j.remove([]place{at})
	}
	return j.written(0, j.db.Update(func(tx *bbolt.Tx) error { return j.refusals.forget(tx, []place{at}) }))
}

// Refused describes one entry that the store did not take although it answers, without anything that is in it.
type Refused struct {
	ID    string    `json:"id"`
	Kind  string    `json:"kind"`
	Why   string    `json:"why"`
	Tries int       `json:"tries"`
	Since time.Time `json:"since"`         // to the hour
	Next  time.Time `json:"next,omitzero"` // zero: by hand, or at the next start
}

// Waiting is how many entries of a kind wait, those that were refused included.
type Waiting struct {
	Kind    string `json:"kind"`
	Entries int    `json:"entries"`
}

// List gives what waits for the store, by kind, and what it refused. Ahead of a store nothing waits: every entry is applied at once.
func (j *Journal) List() (waiting []Waiting, list []Refused, err error) {
	byKind := map[string]int{}
	if j.options.Mode == Beside {
		err = j.db.View(func(tx *bbolt.Tx) error {
			for _, bucket := range [][]byte{entries, marked} {
				err := tx.Bucket(bucket).ForEach(func(_, text []byte) error {
					var e entry
					_ = json.Unmarshal(text, &e) // damaged: of no kind
					byKind[e.Kind]++
					return nil
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	for kind, n := range byKind {
		waiting = append(waiting, Waiting{kind, n})
	}
	slices.SortFunc(waiting, func(a, b Waiting) int { return cmp.Compare(a.Kind, b.Kind) })
	j.refusals.mu.Lock()
	defer j.refusals.mu.Unlock()
	for name, one := range j.refusals.by {
		r := Refused{ID: placeOf(name).id(), Kind: one.Kind, Why: one.Why, Tries: one.Tries, Since: one.Since}
		if !one.Given {
			r.Next = one.Next
		}
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b Refused) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID)) })
	return waiting, list, err
}

func placeOf(name string) place {
	i := bytes.IndexByte([]byte(name), 0)
	return place{bucket: name[:i], key: name[i+1:]}
}

// ErrNoEntry says that no refused entry has an id.
var ErrNoEntry = errors.New("no refused entry has this id")

// named finds refused entries by their ids, all of them without any, and reads them. ErrNoEntry names an id that none has.
func (j *Journal) named(ids []string) (places []place, err error) {
	found := map[string]bool{}
	j.refusals.mu.Lock()
	for name := range j.refusals.by {
		at := placeOf(name)
		if len(ids) == 0 || slices.Contains(ids, at.id()) {
			places, found[at.id()] = append(places, at), true
		}
	}
	j.refusals.mu.Unlock()
	for _, id := range ids {
		if !found[id] {
			return nil, fmt.Errorf("%w: %s", ErrNoEntry, id)
		}
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.name(), b.name()) }) // entries in their order, then marks
	return places, j.db.View(func(tx *bbolt.Tx) error {
		for i, at := range places {
			places[i].text = bytes.Clone(tx.Bucket([]byte(at.bucket)).Get([]byte(at.key)))
		}
		return nil
	})
}

// Retry applies refused entries now, all of them without ids, and returns how many the store took and refused again. ErrAway: the
// store went away, and the rest was not tried.
func (j *Journal) Retry(ctx context.Context, ids ...string) (applied, refused int, err error) {
	j.draining.Lock()
	defer j.draining.Unlock()
	places, err := j.named(ids)
	for _, at := range places {
		cause := j.apply(ctx, at.text)
		switch {
		case cause == nil:
			applied++
			err = j.accept(at)
		case ctx.Err() != nil, j.isAway(ctx, cause):
			err = errors.Join(ErrAway, cause)
		default:
			refused++
			err = j.refuse(at, cause)
		}
		if err != nil {
			break
		}
	}
	j.refusals.mu.Lock()
	j.refusals.n.Applied += int64(applied)
	j.refusals.n.Refused += int64(refused)
	j.refusals.mu.Unlock()
	return applied, refused, err
}

// Again counts the refused entries with these ids, all of them without any: the next start tries them, whether it is asked to or not.
func (j *Journal) Again(ids ...string) (int, error) {
	places, err := j.named(ids)
	return len(places), err
}

// Drop deletes refused entries for good, and returns how many. Without ids it drops none, so that a forgotten argument deletes nothing.
func (j *Journal) Drop(ids ...string) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	j.draining.Lock()
	defer j.draining.Unlock()
	places, err := j.named(ids)
	if err != nil {
		return 0, err
	}
	return len(places), j.remove(places)
}
