package door

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// kind is what a grant opens.
type kind string

const (
	opensAll     kind = "organiser" // everything
	opensSession kind = "session"   // one session, to be read
)

// grant is what cookies and read-only links carry: the right to what it opens, until it expires or is voided.
type grant struct {
	kind    kind
	session string    // of opensSession: its id
	id      string    // random: by which the grant is voided
	until   time.Time // in whole seconds
}

func newGrant(k kind, session string, until time.Time) grant {
	return grant{k, session, rand.Text(), until.Truncate(time.Second)}
}

// payload writes a grant in dotted fields: kind, id, Unix expiry and, of a session, its id in base 64. No field has a dot, and
// the kind says how many there are, so a grant is read in one way only.
func (g grant) payload() string {
	fields := []string{string(g.kind), g.id, strconv.FormatInt(g.until.Unix(), 10)}
	if g.kind == opensSession {
		fields = append(fields, base64.RawURLEncoding.EncodeToString([]byte(g.session)))
	}
	return strings.Join(fields, ".")
}

// readGrant is the reverse of payload, and refuses what payload does not write.
func readGrant(payload string) (g grant, ok bool) {
	fields := strings.Split(payload, ".")
	switch {
	case len(fields) == 3 && kind(fields[0]) == opensAll:
		g.kind = opensAll
	case len(fields) == 4 && kind(fields[0]) == opensSession:
		session, err := base64.RawURLEncoding.DecodeString(fields[3])
		if err != nil {
			return grant{}, false
		}
		g.kind, g.session = opensSession, string(session)
	default:
		return grant{}, false
	}
	until, err := strconv.ParseInt(fields[2], 10, 64)
	g.id, g.until = fields[1], time.Unix(until, 0)
	if err != nil || g.id == "" || g.payload() != payload {
		return grant{}, false
	}
	return g, true
}

// opens says whether the grant is enough for a route with this rule, about this session.
func (g grant) opens(rule Access, session string) bool {
	switch g.kind {
	case opensAll:
		return rule == Organiser || rule == Viewer
	case opensSession:
		return rule == Viewer && g.session == session
	}
	return false
}

// better says whether the grant opens more, or as much for longer.
func (g grant) better(than grant) bool {
	if g.kind == than.kind {
		return g.until.After(than.until)
	}
	return than.kind == "" || g.kind == opensAll
}

// Voided is a revocation list: which grants are void, by their random ids, in every process and over restarts, until they would have
// expired.
type Voided interface {
	Add(ctx context.Context, id string, until time.Time) error
	// Has answers from memory, which may lag behind the other processes by a second.
	Has(id string) bool
}

// seal signs a grant. The organiser token is part of what is signed, so that a new token closes whatever the old one opened.
func (k *Keeper) seal(g grant) string { return g.payload() + "." + k.grantMAC(g.payload()) }

func (k *Keeper) grantMAC(payload string) string {
	token := sha256.Sum256([]byte(k.Token)) // of fixed length, so that token and payload cannot run into each other
	mac := hmac.New(sha256.New, k.Key)
	mac.Write([]byte("jauge grant\x00"))
	mac.Write(token[:])
	mac.Write([]byte(payload))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// unseal reads a grant whose signature is genuine and that is valid (see holds).
func (k *Keeper) unseal(sealed string) (grant, bool) {
	dot := strings.LastIndexByte(sealed, '.')
	if dot < 0 || !equal(sealed[dot+1:], k.grantMAC(sealed[:dot])) {
		return grant{}, false
	}
	g, ok := readGrant(sealed[:dot])
	return g, ok && k.holds(g)
}

// holds says whether a genuine grant has neither expired nor been voided.
func (k *Keeper) holds(g grant) bool { return k.Wall().Before(g.until) && !k.Voided.Has(g.id) }

// equal compares in constant time, whatever the lengths.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
