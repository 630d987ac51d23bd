package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
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
	return redis.NewUniversalClient(o)
}

// away tells that an error means Redis cannot be reached or will not serve us now (loading, read-only, full, a wrong
// password), not that the entry itself is wrong. What Redis says counts as away unless a script or a type is at fault: the
// journal keeps too much rather than too little.
func away(err error) bool {
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) || errors.Is(err, journal.ErrAway) ||
		errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrPoolExhausted) || errors.Is(err, redis.ErrClosed) {
		return true
	}
	var reply redis.Error
	if !errors.As(err, &reply) || errors.Is(err, redis.Nil) || errors.Is(err, redis.TxFailedErr) {
		return false
	}
	return !strings.Contains(reply.Error(), "script") && !redis.HasErrorPrefix(err, "WRONGTYPE")
}

// quiet keeps go-redis' own log lines, several per failed dial, out of ours: what matters is counted and logged here.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}
