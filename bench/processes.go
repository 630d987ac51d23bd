package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/redis/go-redis/v9"
)

// process is one that the bench started, and ends.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
	log    string // the file with what it said
}

func start(dir, name string, env []string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(args[0], args[1:]...), exited: make(chan struct{}), log: filepath.Join(dir, name+".log")} //nolint:gosec // chosen here
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = dir, append(os.Environ(), env...), log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// await tries until it works, or the process has ended.
func (p *process) await(ctx context.Context, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			said, _ := os.ReadFile(p.log)
			return fmt.Errorf("%s has ended: %.500s", filepath.Base(p.cmd.Path), said)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// tick is the unit of /proc/PID/stat: user space sees 100 a second on every Linux.
const tick = 10 * time.Millisecond

// cpu is the processor time that the process has taken so far.
func (p *process) cpu() time.Duration {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	_, rest, _ := strings.Cut(string(stat), ") ") // after its name
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * tick
}

// server is a process that listens.
type server struct {
	*process
	address string
}

func (s *server) get(ctx context.Context, path string, header http.Header) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header = header
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %d %.200s", path, answer.StatusCode, body)
	}
	return body, err
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// redisServer is one of the bench's own.
type redisServer struct {
	*server
	*redis.Client
}

func (s *redisServer) url() string { return "redis://" + s.address + "/0" }

func (s *redisServer) stop() {
	_ = s.Close()
	s.process.stop()
}

// fsync are the settings of the append-only file. It is not rewritten meanwhile: the bench is no matter of the right moment for that.
func fsync(policy string) []string {
	return []string{"--appendonly", "yes", "--appendfsync", policy, "--auto-aof-rewrite-percentage", "0"}
}

func (b *bench) redis(ctx context.Context, settings ...string) (*redisServer, error) {
	dir, err := os.MkdirTemp(b.dir, "redis-")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	p, err := start(dir, "redis", nil, append([]string{"redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", dir}, settings...)...)
	if err != nil {
		return nil, err
	}
	s := &redisServer{&server{p, address}, redis.NewClient(&redis.Options{Addr: address, DisableIdentity: true, PoolTimeout: time.Minute, ReadTimeout: time.Minute})}
	if err := p.await(ctx, func() error { return s.Ping(ctx).Err() }); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// info reads a number of INFO.
func (s *redisServer) info(ctx context.Context, section, name string) (float64, error) {
	text, err := s.Info(ctx, section).Result()
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(text, "\n"+name+":")
	if !found {
		return 0, fmt.Errorf("INFO %s has no %s", section, name)
	}
	value, _, _ := strings.Cut(rest, "\r")
	return strconv.ParseFloat(value, 64)
}

// busy is the processor time that Redis has taken so far, to the microsecond, in seconds.
func (s *redisServer) busy(ctx context.Context) (float64, error) {
	user, err := s.info(ctx, "cpu", "used_cpu_user")
	if err != nil {
		return 0, err
	}
	system, err := s.info(ctx, "cpu", "used_cpu_sys")
	return user + system, err
}

// The secrets of services that live for a minute, on 127.0.0.1.
const (
	secretKey      = "bench-bench-bench-bench-bench-bench-bench-bench" //nolint:gosec // no secret of anybody
	organiserToken = "bench-organiser-token"
	relaySecret    = "whsec_YmVuY2gtcmVsYXktc2VjcmV0LTAxMjM0NTY3ODlhYmNk" //nolint:gosec // no secret of anybody
)

// configuration is that of every service here: sessions that run now, in rooms of Zoom and of a sender of one's own.
func configuration(now time.Time, rooms []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "sources:\n  - {name: zoom, platform: zoom, secrets: [%q]}\n  - {name: relay, platform: standard, secrets: [%q]}\nsessions:\n", zoomSecret, relaySecret)
	starts, ends := now.Add(-45*time.Minute).UTC().Format(time.RFC3339), now.Add(2*time.Hour).UTC().Format(time.RFC3339)
	for _, source := range []string{"zoom", "relay"} {
		for _, room := range rooms {
			fmt.Fprintf(&b, "  - {id: %s-%s, title: {en: A webinar}, starts_at: %s, ends_at: %s, rooms: [{source: %s, id: %q}]", source, room, starts, ends, source, room)
			if source == "relay" {
				b.WriteString(", survey: vocation")
			}
			b.WriteString("}\n")
		}
	}
	return b.String()
}

// jauge starts a service on a store of its own or one that it shares.
func (b *bench) jauge(ctx context.Context, binary, redisURL string, rooms ...string) (*server, error) {
	dir, err := os.MkdirTemp(b.dir, "jauge-")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "jauge.yaml")
	if err := os.WriteFile(file, []byte(configuration(b.now, rooms)), 0o600); err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p, err := start(dir, "jauge", []string{
		"JAUGE_LISTEN=" + address, "JAUGE_PUBLIC_URL=http://" + address, "JAUGE_SECRET_KEY=" + secretKey, "JAUGE_ORGANISER_TOKEN=" + organiserToken,
		"JAUGE_DATA_DIR=" + filepath.Join(dir, "data"), "JAUGE_REDIS_URL=" + redisURL,
	}, binary, "serve", "--config", file)
	if err != nil {
		return nil, err
	}
	return ready(ctx, &server{p, address}, "/readyz")
}

func ready(ctx context.Context, s *server, path string) (*server, error) {
	err := s.await(ctx, func() error {
		_, err := s.get(ctx, path, nil)
		return err
	})
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

var organiser = http.Header{"Authorization": {"Bearer " + organiserToken}}

// metric sums the series of a metric whose labels contain a text.
func (s *server) metric(ctx context.Context, name, labels string) (sum float64, _ error) {
	text, err := s.get(ctx, "/metrics", organiser)
	for line := range strings.Lines(string(text)) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if series == name || strings.HasPrefix(series, name+"{") && strings.Contains(series, labels) {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0, err
			}
			sum += v
		}
	}
	return sum, err
}

// emptyCommand is the argument with which the bench is the empty handler.
const emptyCommand = "serve-empty-handler"

// empty starts what jauge is measured against: Gin, and a handler that reads the body.
func (b *bench) empty(ctx context.Context) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p, err := start(b.dir, "empty", nil, self, emptyCommand, address)
	if err != nil {
		return nil, err
	}
	return ready(ctx, &server{p, address}, "/")
}

// serveEmpty is that process.
func serveEmpty(address string) error {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.POST("/webhooks/zoom", func(c *gin.Context) {
		if _, err := io.ReadAll(c.Request.Body); err != nil {
			c.Status(http.StatusBadRequest)
			return
		}
		c.Data(http.StatusOK, "application/json; charset=utf-8", []byte("{}"))
	})
	engine.GET("/", func(c *gin.Context) { c.Status(http.StatusOK) })
	return engine.Run(address)
}

// build makes the binary of a source tree, with the flags of this very program, so that what both are made of is compiled once.
func build(ctx context.Context, tree, binary string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-tags", "nomsgpack", "-ldflags", "-s -w", "-o", binary, "./cmd/jauge") //nolint:gosec // chosen here
	cmd.Dir = tree
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build in %s: %w: %.500s", tree, err, out)
	}
	return nil
}

// checkout unpacks a revision of the repository.
func checkout(ctx context.Context, repository, revision, into string) error {
	cmd := exec.CommandContext(ctx, "git", "-C", repository, "archive", "--format=tar", revision) //nolint:gosec // chosen by who runs the bench
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = unpack(tar.NewReader(out), into)
	_, _ = io.Copy(io.Discard, out)
	if ended := cmd.Wait(); ended != nil {
		return fmt.Errorf("the repository has no %s: %w", revision, ended)
	}
	return err
}

func unpack(r *tar.Reader, into string) error {
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !filepath.IsLocal(h.Name) || h.Typeflag != tar.TypeReg {
			continue
		}
		name := filepath.Join(into, h.Name) //nolint:gosec // local
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return err
		}
	}
}
