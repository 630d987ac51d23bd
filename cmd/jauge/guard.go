package main

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// storeFormat is the format (schema version) of what Redis holds: names of keys, fields, and what is written in them. A change that
// an older program would misread increments it, migrates data of the format before, and keeps a fixture of that in testdata.
const storeFormat = 2

// unfit is the error of a store that answers and whose data this program must not touch: it has another format or secret key.
type unfit struct{ why, message string } // why is one of a few fixed words, as judge's

func (u *unfit) Error() string { return u.message }

// isUnfit says whether an error means that the store answers and this program must not use it.
func isUnfit(err error) bool {
	var u *unfit
	return errors.As(err, &u)
}

// errOtherKey says that the stored data was hashed with another secret key: everybody would be counted twice, and no receipt found.
var errOtherKey = &unfit{"key", "secret_key is not the one that the stored data was made with: set the same key on every replica, " +
	"or start on another store and data_dir"}

// guard lets no command through to a store before it has checked that this program may use the data there: that it knows the format,
// and that the data was made with its secret key. A store that was away is checked again before any other command.
type guard struct {
	prefix      string
	fingerprint string // of the secret key; empty: it is not checked
	readOnly    bool   // nothing is written: another process works on the store
	verdict     atomic.Pointer[verdict]
	migration   migration
}

// verdict is the result of examining a store; guard's is nil while there is none.
type verdict struct{ err error }

func newGuard(prefix string, key []byte) *guard {
	return &guard{prefix: prefix, fingerprint: fingerprint(key)}
}

// fingerprint tells one secret key from another, and does not give the key away.
func fingerprint(key []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("jauge fingerprint"))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// process sends one command.
type process func(ctx context.Context, cmd redis.Cmder) error

// examining marks the context of the guard's own commands, and so of the client's handshake for them.
type examining struct{}

// admit says whether a command may pass.
func (g *guard) admit(ctx context.Context, send process) error {
	if ctx.Value(examining{}) != nil {
		return nil
	}
	if v := g.verdict.Load(); v != nil {
		return v.err
	}
	return g.examine(ctx, send)
}

// examine checks what the store holds and remembers the result: nil, or an *unfit error. Any other error means that the store did not
// answer. Data of an earlier format is migrated first, in the background: until that is done, the store is as good as away.
func (g *guard) examine(ctx context.Context, send process) error {
	ctx = context.WithValue(ctx, examining{}, true)
	found, err := g.format(ctx, send)
	if err == nil {
		err = knownFormat(found)
	}
	if err == nil && g.fingerprint != "" { // before the migration, which hashes with the key
		var kept string
		if kept, err = g.keepFirst(ctx, send, "fingerprint", g.fingerprint); err == nil && kept != g.fingerprint {
			err = errOtherKey
		}
	}
	if today := strconv.Itoa(storeFormat); err == nil && found != today {
		if err = g.migration.wait(ctx); err == nil {
			err = send(ctx, redis.NewStatusCmd(ctx, "set", g.prefix+"schema", today))
		}
	}
	if err == nil || isUnfit(err) && !errors.Is(err, errMigrating) {
		g.verdict.Store(&verdict{err})
	}
	return err
}

// format is the format of the store. One without is of the first if there is anything, else it gets today's.
func (g *guard) format(ctx context.Context, send process) (string, error) {
	today := strconv.Itoa(storeFormat)
	filled := redis.NewIntCmd(ctx, "exists", g.prefix+"sessions")
	if err := send(ctx, filled); err != nil {
		return "", err
	}
	if filled.Val() > 0 {
		today = "1"
	}
	return g.keepFirst(ctx, send, "schema", today)
}

// migration brings the data of an earlier format to this one, once for all who ask.
type migration struct {
	run  func(context.Context) error // nil: this program cannot
	mu   sync.Mutex
	done chan struct{} // closed when a run is over; nil: none has begun
	err  error         // of that run
}

var errMigrating = &unfit{"migrating", "the data in Redis is brought to this version's format: until then, what comes is kept on this disk"}

// wait starts a run unless one goes on, and waits for its end, or for that of ctx: then it gives errMigrating. Another try after a run that
// failed starts a new one.
func (m *migration) wait(ctx context.Context) error {
	if m.run == nil {
		return &unfit{"schema", "the data in Redis has an earlier format: start jauge serve once, it brings it to this version's"}
	}
	m.mu.Lock()
	if m.done == nil {
		m.done = make(chan struct{})
		of := context.WithoutCancel(ctx) // whoever asks first may hang up while others wait
		go func(done chan struct{}) {
			err := m.run(context.WithValue(of, examining{}, true))
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.err = err; err != nil {
				m.done = nil
			}
			close(done)
		}(m.done)
	}
	done := m.done
	m.mu.Unlock()
	select {
	case <-done:
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.err
	case <-ctx.Done():
		return errMigrating
	}
}

func knownFormat(found string) error {
	if n, err := strconv.Atoi(found); err == nil && n >= 1 && n <= storeFormat {
		return nil
	}
	return &unfit{"schema", fmt.Sprintf("the data in Redis has format %q, and jauge %s knows formats up to %d: start the version that wrote it or a newer one",
		found, version, storeFormat)}
}

// keepFirst sets a name to a value unless it has one, and gives the one it has: of replicas that start together, the first decides.
func (g *guard) keepFirst(ctx context.Context, send process, name, value string) (string, error) {
	key := g.prefix + name
	kept := redis.NewStringCmd(ctx, "get", key)
	err := send(ctx, kept)
	switch {
	case !errors.Is(err, redis.Nil):
		return kept.Val(), err
	case g.readOnly:
		return value, nil
	}
	if err := send(ctx, redis.NewBoolCmd(ctx, "setnx", key, value)); err != nil {
		return "", err
	}
	kept = redis.NewStringCmd(ctx, "get", key)
	err = send(ctx, kept)
	return kept.Val(), err
}

// DialHook implements redis.Hook.
func (g *guard) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (g *guard) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := g.admit(ctx, process(next))
		if err == nil {
			err = next(ctx, cmd)
		}
		g.forgetIfAway(err)
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (g *guard) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := g.admit(ctx, func(ctx context.Context, cmd redis.Cmder) error {
			err := next(ctx, []redis.Cmder{cmd})
			return cmp.Or(err, cmd.Err())
		})
		if err != nil {
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
		} else {
			err = next(ctx, cmds)
		}
		g.forgetIfAway(err)
		return err
	}
}

// forgetIfAway drops the verdict on a store that does not answer: it may come back with other data.
func (g *guard) forgetIfAway(err error) {
	if errors.Is(err, errTransport) {
		g.verdict.Store(nil)
	}
}
