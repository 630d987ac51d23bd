// Package door is what the handlers of every audience share that is not about pages: request bodies, access, rate limits, failures.
//
// The story in files: door.go (a handler, and whom an address is for), failure.go (why something cannot be done, and how
// answers are written), body.go (what was sent), limit.go (how often), grant.go (what cookies and links carry), keeper.go
// (who may come in), refusals.go (how often that is logged), counted.go (the fixed words under which it is counted).
package door

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/gin-gonic/gin"
)

// Handle is a handler: it writes the answer, or returns why it cannot and has written nothing.
type Handle func(*gin.Context) error

// Reader says whom an address is for, and so what a page there may show, error pages included. The table of routes alone decides it.
// A page for attendees is the same for everybody: no cookie and no token is looked at, as the device may be an organiser's, passed on
// to a pupil.
type Reader int

// The readers.
const (
	Attendees  Reader = iota // also at addresses without a route
	Organisers               // the organiser, or a holder of a read-only link
	Programs                 // they read no pages
)

const (
	requestKey = "request"
	readerKey  = "reader"
	grantKey   = "grant"
)

// Announce notes on a request whom its address is for, and gives it a random id: an id from outside could carry anything into the log.
// It opens nothing, so that a fast generator will do; it is seeded by the system, and tells nothing of earlier requests.
func Announce(c *gin.Context, r Reader) {
	id := fmt.Sprintf("%016x", rand.Uint64()) //nolint:gosec // see above
	c.Set(requestKey, id)
	c.Header("X-Request-Id", id)
	c.Set(readerKey, r)
}

// RequestID is the request's id; empty before Announce.
func RequestID(c *gin.Context) string { return c.GetString(requestKey) }

// ReaderOf is whom the request's address is for.
func ReaderOf(c *gin.Context) Reader {
	r, _ := c.Value(readerKey).(Reader)
	return r
}

// WantsPage says whether the caller is a person: not at the programs' addresses, and not speaking JSON.
func WantsPage(c *gin.Context) bool {
	if ReaderOf(c) == Programs {
		return false
	}
	accept := c.GetHeader("Accept")
	return strings.Contains(accept, "text/html") || !strings.Contains(accept, "json") && !IsJSON(c)
}
