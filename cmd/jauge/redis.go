package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"

	"jauge/internal/journal"
)

// errTransport marks errors of the client that are no reply of the server: no connection, no TLS, no answer in time, no master, an
// exhausted pool.
var errTransport = errors.New("no answer from Redis")

// transport is a hook that marks such errors where they arise: go-redis has no common type for them.
type transport struct{}

// hooked lets a client send what its guard admits, and mark errors so that judge can read them.
func hooked(rdb redis.UniversalClient, g *guard) redis.UniversalClient {
	rdb.AddHook(g) // the outer hook: what it refuses is not marked as a transport error
	rdb.AddHook(transport{})
	return rdb
}

func asTransport(err error) error {
	var reply redis.Error
	if err == nil || errors.As(err, &reply) || errors.Is(err, errTransport) {
		return err
	}
	return fmt.Errorf("%w: %w", errTransport, err)
}

// DialHook implements redis.Hook.
func (transport) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := next(ctx, network, address)
		return conn, asTransport(err)
	}
}

// ProcessHook implements redis.Hook.
func (transport) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { return asTransport(next(ctx, cmd)) }
}

// ProcessPipelineHook implements redis.Hook.
func (transport) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := asTransport(next(ctx, cmds))
		for _, cmd := range cmds {
			if one := cmd.Err(); one != nil {
				cmd.SetErr(asTransport(one))
			}
		}
		return err
	}
}

// replies are the first words of errors by which a server says that it does not serve us now, or not on this node.
// https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors: the first word is the kind of error.
var replies = []string{
	"OOM", "READONLY", "NOREPLICAS", "MISCONF", "BUSY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK",
	"NOAUTH", "WRONGPASS", "NOPERM", "NOSCRIPT", "UNKILLABLE", "EXECABORT",
}

// judge says whose fault an error of the store is, and gives the cause as one of a few fixed words. No other function interprets the
// errors of Redis. Unknown ones count as Redis being away: the journal keeps too much rather than too little.
func judge(err error) (fault journal.Fault, why string) {
	var reply redis.Error
	var u *unfit
	if errors.As(err, &u) {
		return journal.Away, u.why
	}
	if !errors.As(err, &reply) {
		return judgeTransport(err)
	}
	word, _, _ := strings.Cut(reply.Error(), " ")
	switch {
	case errors.Is(err, redis.Nil), errors.Is(err, redis.TxFailedErr):
		return journal.Caller, "invalid"
	case word == "WRONGTYPE":
		return journal.Entry, word
	case word == "ERR" && (strings.Contains(reply.Error(), "user_script") || strings.Contains(reply.Error(), "Error compiling script")): // raised while our script ran: redis-server, embedded
		return journal.Entry, "script"
	case slices.Contains(replies, word):
		return journal.Away, word
	}
	return journal.Away, "other"
}

func judgeTransport(err error) (journal.Fault, string) {
	var network net.Error
	isNetwork := errors.As(err, &network)
	if !isNetwork && !errors.Is(err, errTransport) && !errors.Is(err, journal.ErrAway) && !errors.Is(err, context.DeadlineExceeded) {
		return journal.Caller, "invalid"
	}
	var verification *tls.CertificateVerificationError
	var alert tls.AlertError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &verification), errors.As(err, &alert), errors.As(err, &record):
		return journal.Away, "tls"
	case errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted):
		return journal.Away, "pool"
	case errors.Is(err, context.DeadlineExceeded), isNetwork && network.Timeout():
		return journal.Away, "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return journal.Away, "refused"
	}
	return journal.Away, "network"
}

// away says whether an error means that the store cannot be reached, or takes no writes now.
func away(err error) bool {
	fault, _ := judge(err)
	return err != nil && fault == journal.Away
}

// quiet drops go-redis' own log lines, several per failed dial: jauge counts and logs such errors itself.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}
