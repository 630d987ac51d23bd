package handlers

import (
	linked "container/list"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/time/rate"

	"jauge/feedback"
)

// quota is how often one address may do something: burst at once, and rate a second from then on.
type quota struct {
	rate  rate.Limit
	burst int
}

// mostBuckets bounds the memory that addresses can take, at some 200 bytes each.
const mostBuckets = 10_000

// limiter limits what comes from one address without keeping the address: its token buckets go by a keyed hash under a
// key that lives and dies with the process, so that nobody can look an address up. It is safe for concurrent use.
type limiter struct {
	key []byte
	max int

	mu      sync.Mutex
	buckets map[[sha256.Size]byte]*linked.Element
	recent  *linked.List // of bucket, the last one used in front
}

type bucket struct {
	name [sha256.Size]byte
	*rate.Limiter
}

func newLimiter() *limiter {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	return &limiter{key: key, max: mostBuckets, buckets: map[[sha256.Size]byte]*linked.Element{}, recent: linked.New()}
}

// wait takes one token for doing what from address, and returns 0; or takes none, and returns how long until there is one.
func (l *limiter) wait(address, what string, q quota, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.bucket(l.name(address, what), q).ReserveN(now, 1)
	delay := taken.DelayFrom(now)
	if delay > 0 {
		taken.CancelAt(now)
	}
	return delay
}

// left is how long until there is a token for doing what from address; it takes none.
func (l *limiter) left(address, what string, q quota, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	missing := 1 - l.bucket(l.name(address, what), q).TokensAt(now)
	return time.Duration(max(0, missing) / float64(q.rate) * float64(time.Second))
}

// bucket is called with mu held. When there are too many, the one that was not used for the longest time is dropped.
func (l *limiter) bucket(name [sha256.Size]byte, q quota) *rate.Limiter {
	if e, ok := l.buckets[name]; ok {
		l.recent.MoveToFront(e)
		return e.Value.(bucket).Limiter
	}
	if l.recent.Len() >= l.max {
		delete(l.buckets, l.recent.Remove(l.recent.Back()).(bucket).name)
	}
	b := bucket{name, rate.NewLimiter(q.rate, q.burst)}
	l.buckets[name] = l.recent.PushFront(b)
	return b.Limiter
}

// name hashes an address. One subscriber has a whole /64 of IPv6, which counts as one address.
func (l *limiter) name(address, what string) (name [sha256.Size]byte) {
	if ip, err := netip.ParseAddr(address); err == nil && ip.Is6() && !ip.Is4In6() {
		subscriber, _ := ip.WithZone("").Prefix(64) // 64 bits fit
		address = subscriber.String()
	}
	mac := hmac.New(sha256.New, l.key)
	mac.Write([]byte(what + "\x00" + address))
	mac.Sum(name[:0])
	return name
}

// limit refuses a request whose address has used up its quota of what, and says when to come again.
func (s *server) limit(c *gin.Context, what string, q quota) error {
	wait := s.limiter.wait(c.ClientIP(), what, q, s.Wall())
	if wait == 0 {
		return nil
	}
	return tooMany(c, wait, "too_many", "Too many requests come from this address. Please wait.")
}

func tooMany(c *gin.Context, wait time.Duration, code, detail string) error {
	c.Header("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	return &failure{status: http.StatusTooManyRequests, code: code, detail: detail}
}

// missQuota is how often one address may name an answer by words that are none's: a school that types them wrongly has
// room, and whoever tries some of the 2^33 out does not get far. Codes and tokens are too long to be tried: nobody is shut
// out from them because somebody else behind the same address was wrong.
var missQuota = quota{rate: 30.0 / 60, burst: 30}

const miss = "miss"

// missed notes that the request named what is not there.
func (s *server) missed(c *gin.Context) { s.limiter.wait(c.ClientIP(), miss, missQuota, s.Wall()) }

// guarded refuses an address that was wrong too often, before anything is looked up for it.
func (s *server) guarded(h handle) handle {
	return func(c *gin.Context) error {
		if wait := s.limiter.left(c.ClientIP(), miss, missQuota, s.Wall()); wait > 0 {
			return tooMany(c, wait, "too_many_codes", "Too many wrong codes come from this address. Please wait.")
		}
		err := h(c)
		if errors.Is(err, feedback.ErrNotFound) {
			s.missed(c)
		}
		return err
	}
}

// guardedWords guards a handler of a receipt in words.
func (s *server) guardedWords(h handle) handle {
	guarded := s.guarded(h)
	return func(c *gin.Context) error {
		if strings.ContainsAny(c.Param("receipt"), "0123456789") { // as good as every code has one, and no word
			return h(c)
		}
		return guarded(c)
	}
}
