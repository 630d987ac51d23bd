package main

import (
	"cmp"
	"crypto/tls"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// dial makes the client of a redis_url: made, it connects with the first command.
type dial func() redis.UniversalClient

var errScheme = errors.New("must begin with redis://, unix://, redis+sentinel:// or redis+cluster://, or with rediss for TLS")

// parseRedisURL reads redis_url: redis://, rediss:// (TLS) and unix:// for one node, redis+sentinel://host,host/db?master=NAME and
// redis+cluster://host,host, with TLS as rediss+… or ?tls=true. What go-redis' own parsers know may stand in the query, and
// what they do not know is refused. The errors never repeat the URL, it may hold a password.
func parseRedisURL(text string) (dial, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	base, topology, _ := strings.Cut(scheme, "+")
	if !ok || base != "redis" && base != "rediss" && scheme != "unix" {
		return nil, errScheme
	}
	switch topology {
	case "":
		o, err := redis.ParseURL(text)
		if err != nil {
			return nil, unparsed(err)
		}
		impatient(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout, &o.DialerRetries, &o.MaxRetries)
		o.ContextTimeoutEnabled, o.DisableIdentity, o.MaintNotificationsConfig = true, true, noNotifications
		return func() redis.UniversalClient { return redis.NewClient(o) }, nil
	case "sentinel":
		return parseSentinelURL(base + "://" + rest)
	case "cluster":
		return parseClusterURL(base + "://" + rest)
	}
	return nil, errScheme
}

// parseSentinelURL reads a URL whose user and password are those of the Redis nodes, as with the other topologies; go-redis takes
// them for those of the Sentinels, which are sentinel_username and sentinel_password here.
func parseSentinelURL(text string) (dial, error) {
	u, err := firstHost(text)
	if err != nil {
		return nil, err
	}
	query := u.Query()
	move := func(from, to string) string {
		value := query.Get(from)
		query.Del(from)
		if to != "" && value != "" {
			query.Set(to, value)
		}
		return value
	}
	if move("master", "master_name") == "" {
		return nil, errors.New("needs ?master=NAME")
	}
	password, _ := u.User.Password()
	query.Del("username")
	query.Del("password")
	for name, value := range map[string]string{"username": u.User.Username(), "password": password} {
		if value != "" {
			query.Set(name, value)
		}
	}
	u.User = url.UserPassword(move("sentinel_username", ""), move("sentinel_password", ""))
	u.RawQuery = query.Encode()
	o, err := redis.ParseFailoverURL(u.String())
	if err != nil {
		return nil, unparsed(err)
	}
	impatient(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout, &o.DialerRetries, &o.MaxRetries)
	o.ContextTimeoutEnabled, o.DisableIdentity = true, true
	eachHost(o.TLSConfig)
	return func() redis.UniversalClient { return redis.NewFailoverClient(o) }, nil
}

func parseClusterURL(text string) (dial, error) {
	u, err := firstHost(text)
	if err != nil {
		return nil, err
	}
	o, err := redis.ParseClusterURL(u.String())
	if err != nil {
		return nil, unparsed(err)
	}
	impatient(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout, &o.DialerRetries, &o.MaxRetries)
	o.ContextTimeoutEnabled, o.DisableIdentity, o.MaintNotificationsConfig = true, true, noNotifications
	eachHost(o.TLSConfig)
	return func() redis.UniversalClient { return redis.NewClusterClient(o) }, nil
}

// firstHost rewrites host,host for go-redis: the first is the URL's host, the others are ?addr=. ?tls=true becomes the scheme rediss.
func firstHost(text string) (*url.URL, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	authority, _, _ := strings.Cut(rest, "/")
	authority, _, _ = strings.Cut(authority, "?")
	hosts := strings.Split(authority[strings.LastIndexByte(authority, '@')+1:], ",")
	u, err := url.Parse(scheme + "://" + strings.Replace(rest, strings.Join(hosts, ","), hosts[0], 1))
	if err != nil || u.Host == "" {
		return nil, errors.New("must name hosts: redis+sentinel://host:port,host:port")
	}
	query := u.Query()
	for _, host := range hosts[1:] {
		query.Add("addr", host)
	}
	switch query.Get("tls") {
	case "true":
		u.Scheme = "rediss"
	case "", "false":
	default:
		return nil, errors.New("tls must be true or false")
	}
	query.Del("tls")
	u.RawQuery = query.Encode()
	return u, nil
}

// unexpected begins go-redis' error for an unknown option, whose name is safe to show; its other errors may quote the URL.
const unexpected = "redis: unexpected option: "

func unparsed(err error) error {
	if names, ok := strings.CutPrefix(err.Error(), unexpected); ok {
		return errors.New("has an unknown option: " + names)
	}
	return errors.New("is not a valid Redis URL")
}

// eachHost has each node's certificate checked against that node's name: go-redis checks all of them against the first one's.
func eachHost(c *tls.Config) {
	if c != nil {
		c.ServerName = ""
		c.MinVersion = tls.VersionTLS12
	}
}

var noNotifications = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}

// impatient sets the time-outs and retries that the URL leaves open. A platform waits three seconds for an answer, and what Redis
// does not take in time, the journal takes. No answer is waited for less than the whole of what a call may take: go-redis sends again what was not answered
// within the read time-out, while the server may still be at it.
func impatient(dial, read, write *time.Duration, dials, retries *int) {
	*dial = cmp.Or(*dial, time.Second)
	for _, timeout := range []*time.Duration{read, write} {
		if *timeout >= 0 { // negative: never
			*timeout = max(*timeout, answerWithin)
		}
	}
	for _, tries := range []*int{dials, retries} {
		if *tries == 0 {
			*tries = 1
		}
	}
}

// answerWithin is a little more than the 1.2 s after which a request gives the store up.
const answerWithin = 1250 * time.Millisecond
