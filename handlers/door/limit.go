package door

import (
	linked "container/list"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

// Quota is how often something may be done: Burst at once, and PerMinute from then on.
type Quota struct{ PerMinute, Burst float64 }

// mostBuckets bounds the memory that addresses can take, at some 200 bytes each.
const mostBuckets = 10_000

// Limiter limits the rate of what comes from one address, or goes to one session, without keeping the address: its token buckets are
// found by a keyed hash, under a random key of this process, so that no address can be looked up. It is safe for concurrent use.
type Limiter struct {
	now func() time.Time
	key []byte
	max int

	mu      sync.Mutex
	buckets map[[sha256.Size]byte]*linked.Element
	recent  *linked.List // of *bucket, the last one used in front
	trusted map[[sha256.Size]byte]bool
}

// bucket has the tokens that are left, as of a moment.
type bucket struct {
	name   [sha256.Size]byte
	tokens float64
	at     time.Time
}

// Claim is a token of one bucket: for doing What, from an address or to a session, under a quota.
type Claim struct {
	Who, What string
	Quota
}

// NewLimiter returns a limiter by a clock that does not leap.
func NewLimiter(now func() time.Time) *Limiter {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	return &Limiter{
		now: now, key: key, max: mostBuckets, buckets: map[[sha256.Size]byte]*linked.Element{}, recent: linked.New(),
		trusted: map[[sha256.Size]byte]bool{},
	}
}

// Take takes a token for every claim, or none, and returns how long until there is one for each. Tokens can be given back: they are
// taken before it is known whether the request counts, so that parallel requests cannot exceed the quota.
func (l *Limiter) Take(claims ...Claim) (giveBack func(), wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
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
func (l *Limiter) wait(claims ...Claim) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.missing(l.now(), claims)
}

// missing is called with mu held.
func (l *Limiter) missing(now time.Time, claims []Claim) (wait time.Duration) {
	for _, c := range claims {
		missing := max(0, 1-l.bucket(c, now).tokens)
		wait = max(wait, time.Duration(math.Ceil(missing*float64(time.Minute)/c.PerMinute)))
	}
	return wait
}

// add is called with mu held.
func (l *Limiter) add(now time.Time, tokens float64, claims []Claim) {
	for _, c := range claims {
		b := l.bucket(c, now)
		b.tokens = min(c.Burst, b.tokens+tokens)
	}
}

// bucket gives the claim's bucket, filled up to now; it is called with mu held. Above mostBuckets, the least recently used is dropped.
func (l *Limiter) bucket(c Claim, now time.Time) *bucket {
	name := l.name(c.Who, c.What)
	e, ok := l.buckets[name]
	if !ok {
		if l.recent.Len() >= l.max {
			delete(l.buckets, l.recent.Remove(l.recent.Back()).(*bucket).name)
		}
		e = l.recent.PushFront(&bucket{name, c.Burst, now})
		l.buckets[name] = e
	}
	l.recent.MoveToFront(e)
	b := e.Value.(*bucket)
	if passed := now.Sub(b.at); passed > 0 {
		b.tokens, b.at = min(c.Burst, b.tokens+passed.Seconds()*c.PerMinute/60), now
	}
	return b
}

// trust remembers an address from which the organiser's token came; knows says whether it did.
func (l *Limiter) trust(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := l.name(address, "trust")
	for known := range l.trusted { // any one: only addresses with the right token are here
		if len(l.trusted) < l.max || l.trusted[name] {
			break
		}
		delete(l.trusted, known)
	}
	l.trusted[name] = true
}

func (l *Limiter) knows(address string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trusted[l.name(address, "trust")]
}

// name hashes an address, or a session's id. One subscriber has a whole /64 of IPv6, which counts as one address.
func (l *Limiter) name(who, what string) (name [sha256.Size]byte) {
	if ip, err := netip.ParseAddr(who); err == nil && ip.Is6() && !ip.Is4In6() {
		subscriber, _ := ip.WithZone("").Prefix(64) // 64 bits fit
		who = subscriber.String()
	}
	mac := hmac.New(sha256.New, l.key)
	mac.Write([]byte(what + "\x00" + who))
	mac.Sum(name[:0])
	return name
}

// Limit refuses a request whose address has used up its quota of what, and says when to come again.
func (l *Limiter) Limit(c *gin.Context, what string, q Quota) error {
	if _, wait := l.Take(Claim{c.ClientIP(), what, q}); wait > 0 {
		return TooMany(c, wait, "too_many", "Too many requests come from this address. Please wait.")
	}
	return nil
}
