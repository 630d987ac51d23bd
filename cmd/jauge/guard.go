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
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// storeFormat is the format of what Redis holds: names of keys, fields, and what is written in them. Whoever changes it in a way that
// an older program would misread counts it up, migrates what is of the format before, and keeps a fixture of that in testdata.
const storeFormat = 1

// unfit is a store that this program must not work on: what it holds is not for it.
type unfit struct{ why, message string } // why is a word of a fixed few, as judge's

func (u *unfit) Error() string { return u.message }

// isUnfit says whether an error means that the store is there and not for this program.
func isUnfit(err error) bool {
	var u *unfit
	return errors.As(err, &u)
}

// errOtherKey is a start with another secret key than what is stored was hashed with: everybody would be counted twice, and
// no receipt found.
var errOtherKey = &unfit{"key", "secret_key is not the one that the stored data was made with: set the same key on every replica, " +
	"or start on another store and data_dir"}

// guard lets no command through to a store before it is known that what the store holds is for this program: of a format that it knows, and
// made with its secret key. A store that was away is looked at again, before anything else is read or written there.
type guard struct {
	prefix      string
	fingerprint string // of the secret key; empty: any will do
	watching    bool   // nothing is written: another program works on the store
	verdict     atomic.Pointer[verdict]
}

// verdict is what is known of a store; nil: nothing.
type verdict struct{ err error }

func newGuard(prefix string, key []byte) *guard {
	return &guard{prefix: prefix, fingerprint: fingerprint(key)}
}

// fingerprint tells a secret key from others and nothing of the key.
func fingerprint(key []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("jauge fingerprint"))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// process sends one command.
type process func(ctx context.Context, cmd redis.Cmder) error

// examining marks the guard's own commands, and those by which the client greets a server for their sake.
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

// examine looks at what the store holds and remembers what it finds: an *unfit error if it is not for this program, another if the store does not answer. A store without a format is of the first, or empty: it gets this one.
func (g *guard) examine(ctx context.Context, send process) error {
	ctx = context.WithValue(ctx, examining{}, true)
	found, err := g.once(ctx, send, "schema", strconv.Itoa(storeFormat))
	if err == nil {
		err = knownFormat(found)
	}
	if err == nil && g.fingerprint != "" {
		if found, err = g.once(ctx, send, "fingerprint", g.fingerprint); err == nil && found != g.fingerprint {
			err = errOtherKey
		}
	}
	if err == nil || isUnfit(err) {
		g.verdict.Store(&verdict{err})
	}
	return err
}

func knownFormat(found string) error {
	if n, err := strconv.Atoi(found); err == nil && n >= 1 && n <= storeFormat {
		return nil
	}
	return &unfit{"schema", fmt.Sprintf("the data in Redis has format %q, and jauge %s knows formats up to %d: start the version that wrote it or a newer one",
		found, version, storeFormat)}
}

// once keeps a value under a name unless there is one, and gives what is kept: of replicas that start together, the first decides.
func (g *guard) once(ctx context.Context, send process, name, value string) (string, error) {
	key := g.prefix + name
	kept := redis.NewStringCmd(ctx, "get", key)
	err := send(ctx, kept)
	switch {
	case !errors.Is(err, redis.Nil):
		return kept.Val(), err
	case g.watching:
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
		g.note(err)
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
		g.note(err)
		return err
	}
}

// note forgets what is known of a store that does not answer: it may come back with other data.
func (g *guard) note(err error) {
	if errors.Is(err, errTransport) {
		g.verdict.Store(nil)
	}
}
