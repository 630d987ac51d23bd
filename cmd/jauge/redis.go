package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"jauge/internal/journal"
)

// redisOptions reads redis_url: redis://, rediss:// (TLS) and unix:// for one node; redis+sentinel://host,host/db?master=NAME;
// redis+cluster://host,host. The errors never repeat the URL, it may hold a password.
func redisOptions(text string) (*redis.UniversalOptions, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return nil, errors.New("must begin with redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://")
	}
	o := &redis.UniversalOptions{}
	switch scheme {
	case "redis", "rediss", "unix":
		one, err := redis.ParseURL(text)
		if err != nil {
			return nil, errors.New("is not a valid Redis URL")
		}
		o.Addrs, o.DB, o.Username, o.Password, o.TLSConfig = []string{one.Addr}, one.DB, one.Username, one.Password, one.TLSConfig
		if scheme == "unix" {
			o.Dialer = func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "unix", one.Addr)
			}
		}
	case "redis+sentinel", "redis+cluster":
		u, err := url.Parse("redis://" + rest)
		if err != nil || u.Host == "" {
			return nil, errors.New("must name hosts: " + scheme + "://host:port,host:port")
		}
		o.Addrs, o.Username = strings.Split(u.Host, ","), u.User.Username()
		o.Password, _ = u.User.Password()
		o.IsClusterMode = scheme == "redis+cluster"
		if scheme == "redis+sentinel" {
			if o.MasterName = u.Query().Get("master"); o.MasterName == "" {
				return nil, errors.New("needs ?master=NAME")
			}
			if _, err := fmt.Sscanf(strings.Trim(u.Path, "/"), "%d", &o.DB); err != nil && strings.Trim(u.Path, "/") != "" {
				return nil, errors.New("the path must be a database number")
			}
		}
	default:
		return nil, errors.New("must begin with redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://")
	}
	return o, nil
}

// newRedis makes the client. Its patience is short: a platform waits three seconds for an answer, and what Redis cannot
// take in time the journal does.
func newRedis(o *redis.UniversalOptions) redis.UniversalClient {
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = time.Second, time.Second, time.Second
	o.DialerRetries, o.MaxRetries = 1, 1
	o.ContextTimeoutEnabled = true
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	rdb := redis.NewUniversalClient(o)
	rdb.AddHook(transport{})
	return rdb
}

// errTransport marks what came back from the client without being an answer of the server: no connection, no TLS, no answer
// in time, no master, a pool that is empty.
var errTransport = errors.New("no answer from Redis")

// transport is a hook that marks such errors where they arise: go-redis has no common type for them.
type transport struct{}

func mark(err error) error {
	var reply redis.Error
	if err == nil || errors.As(err, &reply) {
		return err
	}
	return fmt.Errorf("%w: %w", errTransport, err)
}

// DialHook implements redis.Hook.
func (transport) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := next(ctx, network, address)
		return conn, mark(err)
	}
}

// ProcessHook implements redis.Hook.
func (transport) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { return mark(next(ctx, cmd)) }
}

// ProcessPipelineHook implements redis.Hook.
func (transport) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := mark(next(ctx, cmds))
		for _, cmd := range cmds {
			if one := cmd.Err(); one != nil {
				cmd.SetErr(mark(one))
			}
		}
		return err
	}
}

// replies are the first words of a server's errors by which it says that it does not serve us now, or not on this node.
// https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors: the first word is the kind of error.
var replies = []string{
	"OOM", "READONLY", "NOREPLICAS", "MISCONF", "BUSY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK",
	"NOAUTH", "WRONGPASS", "NOPERM", "NOSCRIPT", "UNKILLABLE", "EXECABORT",
}

// judge says at whose door an error of the store lies, and why in a word of a fixed few. It is the only place that reads
// what Redis answers. Unknown answers mean that Redis is away: the journal keeps too much rather than too little.
func judge(err error) (fault journal.Fault, why string) {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return judgeTransport(err)
	}
	word, _, _ := strings.Cut(reply.Error(), " ")
	switch {
	case errors.Is(err, redis.Nil), errors.Is(err, redis.TxFailedErr):
		return journal.Caller, "invalid"
	case word == "WRONGTYPE":
		return journal.Entry, word
	case word == "ERR" && strings.Contains(reply.Error(), "user_script"): // raised in our own script, not by the server on its way to it
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

// away says whether an error means that the store cannot be reached, or takes nothing now.
func away(err error) bool {
	fault, _ := judge(err)
	return err != nil && fault == journal.Away
}

// quiet keeps go-redis' own log lines, several per failed dial, out of ours: what matters is counted and logged here.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}
