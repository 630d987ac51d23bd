package handlers

import (
	linked "container/list"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/time/rate"
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

// receiptQuota bounds how fast one address may try words: two thousand of each three leave a chance to who tries millions.
var receiptQuota = quota{rate: 10, burst: 300}

// notGuessed limits a handler of a receipt in words; codes are too long to be guessed.
func (s *server) notGuessed(h handle) handle {
	return func(c *gin.Context) error {
		if !strings.ContainsAny(c.Param("receipt"), "0123456789") {
			if err := s.limit(c, "receipt", receiptQuota); err != nil {
				return err
			}
		}
		return h(c)
	}
}

// limit refuses a request whose address has used up its quota of what, and says when to come again.
func (s *server) limit(c *gin.Context, what string, q quota) error {
	wait := s.limiter.wait(c.ClientIP(), what, q, s.Wall())
	if wait == 0 {
		return nil
	}
	c.Header("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	return &failure{status: http.StatusTooManyRequests, code: "too_many", detail: "Too many requests come from this address. Please wait."}
}
