package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// volley is requests, written out beforehand one after the other, so that making them costs nothing while they are sent.
type volley struct {
	bytes []byte
	ends  []int
}

func (v *volley) add(request []byte) {
	v.bytes = append(v.bytes, request...)
	v.ends = append(v.ends, len(v.bytes))
}

func (v *volley) len() int { return len(v.ends) }

func (v *volley) at(i int) []byte {
	if i == 0 {
		return v.bytes[:v.ends[0]]
	}
	return v.bytes[v.ends[i-1]:v.ends[i]]
}

// aim is where requests go, and how.
type aim struct {
	addresses   []string      // ip:port; connections are dealt out in turn
	connections int           // kept alive, one request at a time on each
	lasting     time.Duration // at most; what is under way then is waited for
	again       bool          // begin anew when all requests are sent
}

// hits is what came of it.
type hits struct {
	answered     int
	acknowledged int // of them with 2xx or 3xx
	other        map[int]int
	took         time.Duration
	cost         time.Duration // processor time of sending
	latency      []float64     // ms, sorted
}

func (h hits) rate() float64 { return float64(h.answered) / h.took.Seconds() }

// each is the processor time of sending one request, in µs.
func (h hits) each() float64 { return micros(h.cost) / float64(h.answered) }

func (h hits) percentile(q float64) float64 {
	if len(h.latency) == 0 {
		return 0
	}
	return h.latency[min(len(h.latency)-1, int(q*float64(len(h.latency))))]
}

// unanswered is how long a server may say nothing.
const unanswered = 15 * time.Second

// gunner sends from one thread, which waits for all of its connections at once (epoll): a goroutine a connection would take as much of the
// machine as what is measured.
type gunner struct {
	aim
	volley   *volley
	epoll    int
	lines    []*line
	next     int // request
	open     int // requests under way
	deadline time.Time
	hits     hits
}

// line is one connection.
type line struct {
	fd    int
	to    syscall.Sockaddr
	sent  time.Time
	out   []byte // what is still to be written of the request
	in    [1 << 14]byte
	got   int
	skip  int // bytes of the body that are not even kept
	state answer
}

// answer is what is known of one.
type answer struct {
	status, length int // length of head and body, 0: not known yet
	chunked, last  bool
}

// fire sends requests in their order and waits for each answer.
func fire(ctx context.Context, v *volley, a aim) (h hits, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	g := &gunner{aim: a, volley: v, hits: hits{other: map[int]int{}, latency: make([]float64, 0, v.len())}}
	if g.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return h, err
	}
	defer syscall.Close(g.epoll) //nolint:errcheck // nothing to lose
	defer g.close()
	if err := g.connect(); err != nil {
		return h, err
	}
	began, before := time.Now(), threadTime()
	g.deadline = began.Add(a.lasting)
	for i := range g.lines {
		if err := g.send(g.lines[i], began); err != nil {
			return h, err
		}
	}
	if err := g.loop(ctx); err != nil {
		return h, err
	}
	g.hits.took, g.hits.cost = time.Since(began), threadTime()-before
	slices.Sort(g.hits.latency)
	return g.hits, nil
}

// threadTime is the processor time that this thread has taken so far, and processTime that of this process.
func threadTime() time.Duration  { return used(1) } // RUSAGE_THREAD
func processTime() time.Duration { return used(syscall.RUSAGE_SELF) }

func used(who int) time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(who, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (g *gunner) connect() error {
	for i := range g.connections {
		to, err := netip.ParseAddrPort(g.addresses[i%len(g.addresses)])
		if err != nil {
			return err
		}
		l := &line{fd: -1, to: &syscall.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}}
		g.lines = append(g.lines, l)
		if err := g.dial(i); err != nil {
			return err
		}
	}
	return nil
}

func (g *gunner) dial(i int) (err error) {
	l := g.lines[i]
	if l.fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	if err := syscall.SetsockoptInt(l.fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		return err
	}
	if err := syscall.Connect(l.fd, l.to); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if err := syscall.SetNonblock(l.fd, true); err != nil {
		return err
	}
	return syscall.EpollCtl(g.epoll, syscall.EPOLL_CTL_ADD, l.fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(i)})
}

func (g *gunner) close() {
	for _, l := range g.lines {
		if l.fd >= 0 {
			_ = syscall.Close(l.fd)
		}
	}
}

// send writes the next request, if there is one and time for it.
func (g *gunner) send(l *line, now time.Time) error {
	if g.next == g.volley.len() && g.again {
		g.next = 0
	}
	if g.next == g.volley.len() || now.After(g.deadline) {
		return nil
	}
	l.out, l.sent = g.volley.at(g.next), now
	g.next++
	g.open++
	for len(l.out) > 0 { // a request is smaller than a socket's buffer, which is empty
		n, err := syscall.Write(l.fd, l.out)
		switch err {
		case nil:
			l.out = l.out[n:]
		case syscall.EAGAIN, syscall.EINTR:
			runtime.Gosched()
		default:
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}

func (g *gunner) loop(ctx context.Context) error {
	events := make([]syscall.EpollEvent, g.connections)
	for heard := time.Now(); g.open > 0; {
		n, err := syscall.EpollWait(g.epoll, events, 100)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if n > 0 {
			heard = time.Now()
		} else if time.Since(heard) > unanswered {
			return fmt.Errorf("%d requests had no answer for %s", g.open, unanswered)
		}
		for _, e := range events[:max(n, 0)] {
			if err := g.hear(int(e.Fd)); err != nil {
				return err
			}
		}
	}
	return nil
}

// hear reads what came on a connection, and sends on it when the answer is whole.
func (g *gunner) hear(i int) error {
	l := g.lines[i]
	n, err := syscall.Read(l.fd, l.in[l.got:])
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		return nil
	case err != nil:
		return fmt.Errorf("read: %w", err)
	case n == 0:
		return errors.New("the server closed a connection before it had answered")
	}
	l.got += n
	whole, err := l.whole()
	if err != nil || !whole {
		return err
	}
	now := time.Now()
	g.open--
	g.hits.answered++
	g.hits.latency = append(g.hits.latency, float64(now.Sub(l.sent))/1e6)
	if l.state.status/100 == 2 || l.state.status/100 == 3 {
		g.hits.acknowledged++
	} else {
		g.hits.other[l.state.status]++
	}
	last := l.state.last
	l.got, l.skip, l.state = 0, 0, answer{}
	if last {
		_ = syscall.Close(l.fd)
		if err := g.dial(i); err != nil {
			return err
		}
	}
	return g.send(l, now)
}

// whole says whether the answer has come to its end.
func (l *line) whole() (bool, error) {
	if l.state.status == 0 {
		end := bytes.Index(l.in[:l.got], []byte("\r\n\r\n"))
		if end < 0 {
			return false, nil
		}
		head := l.in[:end+2]
		if !bytes.HasPrefix(head, []byte("HTTP/1.1 ")) {
			return false, fmt.Errorf("no answer in HTTP/1.1: %.40q", head)
		}
		l.state.status, _ = strconv.Atoi(string(head[9:12]))
		l.state.length = end + 4
		if length, ok := field(head, "Content-Length: "); ok {
			n, err := strconv.Atoi(string(length))
			if err != nil {
				return false, err
			}
			l.state.length += n
		}
		_, l.state.chunked = field(head, "Transfer-Encoding: ")
		connection, _ := field(head, "Connection: ")
		l.state.last = string(connection) == "close"
	}
	if l.state.chunked {
		done := bytes.HasSuffix(l.in[:l.got], []byte("\r\n0\r\n\r\n"))
		if !done && l.got > len(l.in)/2 { // keep the end only
			l.got = copy(l.in[:], l.in[l.got-16:l.got])
		}
		return done, nil
	}
	if l.skip+l.got < l.state.length && l.got > len(l.in)/2 {
		l.skip, l.got = l.skip+l.got, 0
	}
	return l.skip+l.got >= l.state.length, nil
}

// field finds a header field as net/http writes it.
func field(head []byte, name string) ([]byte, bool) {
	_, rest, found := bytes.Cut(head, []byte("\r\n"+name))
	value, _, _ := bytes.Cut(rest, []byte("\r\n"))
	return value, found
}
