// Package redistest starts the stores that tests run on: a real redis-server and the embedded one.
//
// The story in files: redistest.go (the stores), count.go (the commands that a request costs).
package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/internal/embedded"
)

// Patience is how long a condition may take: no test may fail because the machine has more to do than this suite.
const Patience = 5 * time.Minute

// Stores are started once per test package by Main and shared by its tests, each under its own key prefix.
var (
	redisClient    redis.UniversalClient
	embeddedClient redis.UniversalClient
	prefixes       atomic.Int64
)

// Main runs a package's tests with both stores up and stops them afterwards; check, if not nil, runs last (goleak).
//
//	func TestMain(m *testing.M) { os.Exit(redistest.Main(m, nil)) }
func Main(m *testing.M, check func() error) int {
	stop, err := start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "redistest:", err)
		return 1
	}
	code := m.Run()
	stop()
	if check != nil && code == 0 {
		if err := check(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

func start() (stop func(), err error) {
	server, err := StartServer()
	if err != nil {
		return nil, err
	}
	store, err := embedded.Start()
	if err != nil {
		server.Stop()
		return nil, err
	}
	redisClient, embeddedClient = server.Client(), store.Client()
	return func() {
		_ = redisClient.Close()
		_ = embeddedClient.Close()
		store.Close()
		server.Stop()
	}, nil
}

// Each runs f as one subtest on redis-server and one on the embedded store, in parallel, with a key prefix of its own.
func Each(t *testing.T, f func(t *testing.T, rdb redis.UniversalClient, prefix string)) {
	t.Helper()
	for name, rdb := range map[string]redis.UniversalClient{"redis": redisClient, "embedded": embeddedClient} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, rdb, Prefix())
		})
	}
}

// Redis returns the client of the real redis-server and a fresh key prefix.
func Redis() (redis.UniversalClient, string) { return redisClient, Prefix() }

// Embedded returns the client of the embedded store and a fresh key prefix.
func Embedded() (redis.UniversalClient, string) { return embeddedClient, Prefix() }

// Prefix returns a key prefix that no other test of this process uses.
func Prefix() string { return fmt.Sprintf("t%d:", prefixes.Add(1)) }

// Server is a redis-server of its own on a unix socket, in a temporary directory, with nothing written to disk.
type Server struct {
	dir    string
	run    []string
	cmd    *exec.Cmd
	exited chan struct{}
}

// StartServer starts a redis-server and waits until it answers.
func StartServer(args ...string) (*Server, error) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errors.New("redis-server is not on this machine: install the Debian package redis-server, or run make deps")
	}
	dir, err := os.MkdirTemp("", "jauge-redis-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir}
	s.run = append([]string{binary, "--port", "0", "--unixsocket", s.socket(), "--save", "", "--appendonly", "no", "--dir", dir}, args...)
	if err := s.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

// Start starts the server again after Kill, on what it has left on disk, and waits until it answers.
func (s *Server) Start() error {
	s.cmd, s.exited = exec.Command(s.run[0], s.run[1:]...), make(chan struct{}) //nolint:gosec // redis-server
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func(cmd *exec.Cmd, exited chan struct{}) {
		_ = cmd.Wait()
		close(exited)
	}(s.cmd, s.exited)
	if err := s.answers(); err != nil {
		s.Kill()
		return err
	}
	return nil
}

// answers waits until the server does.
func (s *Server) answers() error {
	client := s.Client()
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	for client.Ping(ctx).Err() != nil {
		select {
		case <-s.exited:
			return errors.New("redis-server ended at once")
		case <-ctx.Done():
			return fmt.Errorf("redis-server did not answer within %s", Patience)
		case <-time.After(2 * time.Millisecond): // awaited: the ping above
		}
	}
	return nil
}

func (s *Server) socket() string { return filepath.Join(s.dir, "s") }

// URL is the server's address as jauge's redis_url takes it.
func (s *Server) URL() string { return "unix://" + s.socket() }

// PatientURL is the same for a service that waits as long as the tests do: its own second, a loaded machine may take.
func (s *Server) PatientURL() string {
	return fmt.Sprintf("%s?dial_timeout=%[2]s&read_timeout=%[2]s&write_timeout=%[2]s&pool_timeout=%[2]s", s.URL(), Patience)
}

// Client returns a new client, as patient as the tests are; the caller closes it.
func (s *Server) Client() redis.UniversalClient {
	return redis.NewClient(&redis.Options{
		Network: "unix", Addr: s.socket(), DisableIdentity: true, DialTimeout: Patience, ReadTimeout: Patience, PoolTimeout: Patience,
	})
}

// Line is a client's way to the server, which a test cuts and mends: the store is away at once, not when a time-out has run
// that a loaded machine would run into as well.
type Line struct{ cut atomic.Bool }

// Line returns a new client, which the caller closes, and its line.
func (s *Server) Line() (redis.UniversalClient, *Line) {
	client, line := s.Client(), &Line{}
	client.AddHook(line)
	return client, line
}

// Cuttable returns a client of its own to a store that tests share, and its line.
func Cuttable(t testing.TB, shared redis.UniversalClient) (redis.UniversalClient, *Line) {
	t.Helper()
	client, line := redis.NewClient(shared.(*redis.Client).Options()), &Line{}
	t.Cleanup(func() { _ = client.Close() })
	client.AddHook(line)
	return client, line
}

// Cut lets every command fail from now on, as beside a Redis that is away.
func (l *Line) Cut() { l.cut.Store(true) }

// Mend ends that.
func (l *Line) Mend() { l.cut.Store(false) }

func (l *Line) away() error {
	if l.cut.Load() {
		return &net.OpError{Op: "read", Net: "unix", Err: os.ErrDeadlineExceeded}
	}
	return nil
}

// DialHook implements redis.Hook.
func (*Line) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (l *Line) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := l.away(); err != nil {
			cmd.SetErr(err)
			return err
		}
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook implements redis.Hook.
func (l *Line) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if err := l.away(); err != nil {
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
			return err
		}
		return next(ctx, cmds)
	}
}

// Stop kills the server and removes its directory.
func (s *Server) Stop() {
	s.Kill()
	_ = os.RemoveAll(s.dir)
}

// Kill kills the server, as the system does that is short of memory.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.exited
}

// Pause stops the server's process, so that it takes connections and answers nothing, as behind a broken network.
func (s *Server) Pause() { _ = s.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *Server) Resume() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }
