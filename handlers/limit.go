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
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
)

// quota is how often something may be done: burst at once, and perMinute from then on.
type quota struct{ perMinute, burst float64 }

// mostBuckets bounds the memory that addresses can take, at some 200 bytes each.
const mostBuckets = 10_000

// limiter limits what comes from one address, or goes to one session, without keeping the address: its token buckets go by a
// keyed hash under a key that lives and dies with the process, so that nobody can look an address up. It is safe for
// concurrent use.
type limiter struct {
	key []byte
	max int

	mu      sync.Mutex
	buckets map[[sha256.Size]byte]*linked.Element
	recent  *linked.List // of *bucket, the last one used in front
	trusted map[[sha256.Size]byte]bool
}

// bucket is how often something may still be done, as of a moment.
type bucket struct {
	name   [sha256.Size]byte
	tokens float64
	at     time.Time
}

// claim is a token of one bucket: for doing what, from an address or to a session, under a quota.
type claim struct {
	who, what string
	quota
}

func newLimiter() *limiter {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	return &limiter{
		key: key, max: mostBuckets, buckets: map[[sha256.Size]byte]*linked.Element{}, recent: linked.New(),
		trusted: map[[sha256.Size]byte]bool{},
	}
}

// take takes a token for every claim, or none and returns how long until there is one for each. What is taken before it is
// known whether it counts can be given back: so those who come at once cannot outrun their quota.
func (l *limiter) take(now time.Time, claims ...claim) (giveBack func(), wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait := l.missing(now, claims); wait > 0 {
		return nil, wait
	}
	l.add(now, -1, claims)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.add(now, 1, claims)
	}, 0
}

// wait is how long until there is a token for every claim; it takes none.
func (l *limiter) wait(now time.Time, claims ...claim) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.missing(now, claims)
}

// missing is called with mu held.
func (l *limiter) missing(now time.Time, claims []claim) (wait time.Duration) {
	for _, c := range claims {
		missing := max(0, 1-l.bucket(c, now).tokens)
		wait = max(wait, time.Duration(math.Ceil(missing*float64(time.Minute)/c.perMinute)))
	}
	return wait
}

// add is called with mu held.
func (l *limiter) add(now time.Time, tokens float64, claims []claim) {
	for _, c := range claims {
		b := l.bucket(c, now)
		b.tokens = min(c.burst, b.tokens+tokens)
	}
}

// bucket is the claim's, filled up to now; it is called with mu held. When there are too many, the one that was not used for
// the longest time is dropped.
func (l *limiter) bucket(c claim, now time.Time) *bucket {
	name := l.name(c.who, c.what)
	e, ok := l.buckets[name]
	if !ok {
		if l.recent.Len() >= l.max {
			delete(l.buckets, l.recent.Remove(l.recent.Back()).(*bucket).name)
		}
		e = l.recent.PushFront(&bucket{name, c.burst, now})
		l.buckets[name] = e
	}
	l.recent.MoveToFront(e)
	b := e.Value.(*bucket)
	if passed := now.Sub(b.at); passed > 0 {
		b.tokens, b.at = min(c.burst, b.tokens+passed.Seconds()*c.perMinute/60), now
	}
	return b
}

// trust remembers an address from which the organiser's token came; knows says whether it did.
func (l *limiter) trust(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := l.name(address, "trust")
	for known := range l.trusted { // only who has the token comes here: one or two more or less do not matter
		if len(l.trusted) < l.max || l.trusted[name] {
			break
		}
		delete(l.trusted, known)
	}
	l.trusted[name] = true
}

func (l *limiter) knows(address string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trusted[l.name(address, "trust")]
}

// name hashes an address, or whatever else has a quota. One subscriber has a whole /64 of IPv6, which counts as one address.
func (l *limiter) name(who, what string) (name [sha256.Size]byte) {
	if ip, err := netip.ParseAddr(who); err == nil && ip.Is6() && !ip.Is4In6() {
		subscriber, _ := ip.WithZone("").Prefix(64) // 64 bits fit
		who = subscriber.String()
	}
	mac := hmac.New(sha256.New, l.key)
	mac.Write([]byte(what + "\x00" + who))
	mac.Sum(name[:0])
	return name
}

// limit refuses a request whose address has used up its quota of what, and says when to come again.
func (s *server) limit(c *gin.Context, what string, q quota) error {
	if _, wait := s.limiter.take(s.Wall(), claim{c.ClientIP(), what, q}); wait > 0 {
		return tooMany(c, wait, "too_many", "Too many requests come from this address. Please wait.")
	}
	return nil
}

func tooMany(c *gin.Context, wait time.Duration, code, detail string) error {
	c.Header("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	return &failure{status: http.StatusTooManyRequests, code: code, detail: detail}
}

// How often an answer may be named by three words that are none's, from one address and in one session. A school that types
// them wrongly has room; whoever tries some of the 2^33 out, from wherever, does not get far: 600 an hour find one of 200
// answers in eight years. One address can use up less than half of what fills up of a session's, so that nobody shuts a
// session's words out alone.
var (
	guessQuota        = quota{perMinute: 4, burst: 30}
	sessionGuessQuota = quota{perMinute: 10, burst: 300}
)

// guard lets a receipt be looked up. Words cost a token, which comes back unless they were none's: with an empty budget nothing
// is looked up. Codes are too long to be tried, and what is neither opens nothing: nobody is shut out from them because
// somebody else was wrong.
func (s *server) guard(c *gin.Context, receipt string, lookUp func() error) error {
	if _, words := s.Feedback.Receipt(receipt); !words {
		return lookUp()
	}
	giveBack, wait := s.limiter.take(s.Wall(),
		claim{c.ClientIP(), "guess", guessQuota}, claim{c.Param("session"), "guesses in a session", sessionGuessQuota})
	if wait > 0 {
		return tooMany(c, wait, "too_many_codes", "Too many wrong codes were tried. Please wait.")
	}
	err := lookUp()
	if !errors.Is(err, feedback.ErrNotFound) {
		giveBack()
	}
	return err
}

// guarded guards a handler of the receipt in the path.
func (s *server) guarded(h handle) handle {
	return func(c *gin.Context) error {
		return s.guard(c, c.Param("receipt"), func() error { return h(c) })
	}
}
