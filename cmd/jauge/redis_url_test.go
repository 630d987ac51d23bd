package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/attendance"
	"jauge/internal/redistest"
)

// settled is what a client was made with, of what a URL can say.
type settled struct {
	Addrs            []string
	TLS              string // the name that a node has to prove; "each" its own; empty: no TLS
	User, Password   string
	Read             time.Duration
	Master           string
	SentinelPassword string
}

func TestRedisURLs(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]settled{
		"redis://h:1/2":                    {Addrs: []string{"h:1"}, Read: answerWithin},
		"rediss://u:p@h:1":                 {Addrs: []string{"h:1"}, TLS: "h", User: "u", Password: "p", Read: answerWithin},
		"redis://h:1?read_timeout=3s":      {Addrs: []string{"h:1"}, Read: 3 * time.Second},
		"redis://h:1?read_timeout=200ms":   {Addrs: []string{"h:1"}, Read: answerWithin},
		"unix:///run/redis.sock":           {Addrs: []string{"/run/redis.sock"}, Read: answerWithin},
		"redis+cluster://a:1,b:2":          {Addrs: []string{"a:1", "b:2"}, Read: answerWithin},
		"rediss+cluster://u:p@a:1,b:2":     {Addrs: []string{"a:1", "b:2"}, TLS: "each", User: "u", Password: "p", Read: answerWithin},
		"redis+cluster://a:1?tls=true":     {Addrs: []string{"a:1"}, TLS: "each", Read: answerWithin},
		"redis+cluster://a:1?tls=false":    {Addrs: []string{"a:1"}, Read: answerWithin},
		"redis+cluster://u:a,b@a:1,b:2":    {Addrs: []string{"a:1", "b:2"}, User: "u", Password: "a,b", Read: answerWithin},
		"rediss+cluster://[::1]:1,[::2]:2": {Addrs: []string{"[::1]:1", "[::2]:2"}, TLS: "each", Read: answerWithin},
	} {
		made, err := parseRedisURL(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if diff := cmp.Diff(want, settings(made())); diff != "" {
			t.Errorf("%s: %s", url, diff)
		}
	}
	for url, want := range map[string]string{
		"redis+sentinel://a:1":                     "needs ?master=NAME",
		"redis+sentinel://a:1?master=m&tls=maybe":  "tls must be true or false",
		"redis+sentinel://a:1?master=m&sentinle=x": "has an unknown option: sentinle",
		"redis+cluster://a:1?db=2":                 "has an unknown option: db",
		"redis://a:1?nonsense=secret":              "has an unknown option: nonsense",
		"redis+cluster://":                         "must name hosts: redis+sentinel://host:port,host:port",
		"redis://a:1/secret":                       "is not a valid Redis URL",
		"redis+swarm://a":                          errScheme.Error(),
		"memcached://a":                            errScheme.Error(),
		"unix+cluster://a":                         errScheme.Error(),
		"nothing":                                  errScheme.Error(),
	} {
		if _, err := parseRedisURL(url); err == nil || err.Error() != want {
			t.Errorf("%s: %v, not %q", url, err, want)
		}
	}
}

func settings(rdb redis.UniversalClient) (s settled) {
	defer rdb.Close() //nolint:errcheck // it has never connected
	switch c := rdb.(type) {
	case *redis.Client:
		o := c.Options()
		s = settled{Addrs: []string{o.Addr}, User: o.Username, Password: o.Password, Read: o.ReadTimeout}
		if o.TLSConfig != nil {
			s.TLS = o.TLSConfig.ServerName
		}
	case *redis.ClusterClient:
		o := c.Options()
		s = settled{Addrs: o.Addrs, User: o.Username, Password: o.Password, Read: o.ReadTimeout}
		if o.TLSConfig != nil {
			s.TLS = "each" + o.TLSConfig.ServerName
		}
	}
	return s
}

// TestTLSWithSentinelsAndInACluster: both are spoken to in TLS alone, with passwords, and a wrong certificate is refused.
func TestTLSWithSentinelsAndInACluster(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good, other := certificate(t, dir, "good"), certificate(t, dir, "other")
	secured := func(port string, more ...string) []string {
		return append([]string{
			"--port", "0", "--tls-port", port, "--tls-cert-file", good + ".pem", "--tls-key-file", good + ".key", "--tls-ca-cert-file", good + ".pem",
			"--tls-auth-clients", "no", "--tls-replication", "yes",
		}, more...)
	}
	master, sentinel, cluster := freePort(t), freePort(t), freePort(t)
	runRedis(t, append(secured(master), "--requirepass", "of-the-node", "--save", "", "--dir", dir)...)
	monitor := filepath.Join(dir, "sentinel.conf")
	text := fmt.Sprintf("sentinel monitor m 127.0.0.1 %s 1\nsentinel auth-pass m of-the-node\nrequirepass of-the-sentinel\n", master)
	if err := os.WriteFile(monitor, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	runRedis(t, append([]string{monitor, "--sentinel"}, secured(sentinel)...)...)
	node := startRedis(t, secured(cluster, "--cluster-enabled", "yes", "--tls-cluster", "yes", "--cluster-announce-ip", "127.0.0.1")...)
	rdb := node.Client()
	defer rdb.Close() //nolint:errcheck // nothing is pending
	if err := rdb.Do(t.Context(), "CLUSTER", "ADDSLOTSRANGE", "0", "16383").Err(); err != nil {
		t.Fatal(err)
	}
	await(t, "the cluster to be up", func() bool {
		return strings.Contains(fmt.Sprint(rdb.Do(t.Context(), "CLUSTER", "INFO").Val()), "cluster_state:ok")
	})
	for name, url := range map[string]string{
		"sentinel": "redis+sentinel://:of-the-node@127.0.0.1:" + sentinel + "/0?master=m&tls=true&sentinel_password=of-the-sentinel",
		"cluster":  "rediss+cluster://127.0.0.1:" + cluster,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, todaysTalk(), "JAUGE_REDIS_URL="+url, "SSL_CERT_FILE="+good+".pem")
			p.send(attendance.Joined, "ann", time.Now())
			p.answer(4)
			if got := p.attendance("talk")["unique"]; got != 1.0 {
				t.Errorf("%v came", got)
			}
			if line := p.everyMetric(); !strings.Contains(line, "\njauge_journal_pending 0\n") || !strings.Contains(line, "\njauge_redis_up 1\n") {
				t.Error("Redis was away")
			}
			p.stop()
			p.env = append(p.env, "SSL_CERT_FILE="+other+".pem")
			p.launch()
			await(t, "a stranger's certificate to be refused", func() bool { return strings.Contains(p.troubles(), `why="tls"`) })
		})
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	_, port, _ := net.SplitHostPort(freeAddress(t))
	return port
}

func startRedis(t *testing.T, args ...string) *redistest.Server {
	t.Helper()
	server, err := redistest.StartServer(args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	return server
}

// runRedis starts what redistest does not know, such as a Sentinel, until the test ends.
func runRedis(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command("redis-server", args...) //nolint:gosec // our own arguments
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// A call to which a server that hangs does not answer reaches it once: what is in doubt is not sent again behind it.
func TestWhatIsNotAnsweredIsNotSentAgain(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]string{"by default": "", "with a hasty time-out": "?read_timeout=100ms"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := ownRedis(t)
			dial, err := parseRedisURL(server.URL() + options)
			if err != nil {
				t.Fatal(err)
			}
			rdb, other := dial(), server.Client()
			t.Cleanup(func() { _ = errors.Join(rdb.Close(), other.Close()) })
			first, second := rdb.(*redis.Client).Conn(), rdb.(*redis.Client).Conn() // the second is there for another try
			if err := errors.Join(first.Ping(t.Context()).Err(), second.Ping(t.Context()).Err(), first.Close(), second.Close()); err != nil {
				t.Fatal(err)
			}
			server.Pause()
			within, cancel := context.WithTimeout(t.Context(), 1200*time.Millisecond)
			defer cancel()
			if err := rdb.Incr(within, "sent").Err(); !away(err) {
				t.Errorf("a server that hangs: %v", err)
			}
			_ = rdb.Close()
			server.Resume()
			await(t, "the server to have read all that was sent", func() bool {
				return strings.Count(other.ClientList(t.Context()).Val(), " addr=") == 1
			})
			if n := other.Get(t.Context(), "sent").Val(); n != "1" {
				t.Errorf("it was sent %s times", n)
			}
		})
	}
}
