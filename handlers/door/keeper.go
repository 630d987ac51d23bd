package door

import (
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// Access says who may use a route.
type Access int

// The rules of access.
const (
	Public    Access = iota // everybody
	Signed                  // a platform, proven by its signature
	Viewer                  // the organiser, or the holder of a read-only link to this session
	Organiser               // the organiser
)

// Keeper decides who may come in: the organiser by the token or the cookie that it was exchanged for, others by a read-only
// link or its cookie. Everything is required.
type Keeper struct {
	Token   string   // opens everything
	Key     []byte   // signs what the keeper hands out
	Public  *url.URL // of this service: cookies and links
	Voided  Voided   // who has logged out
	Limiter *Limiter
	Logins  interface{ Login(result string) } // counts tokens that were tried

	Refusals *Refusals
	Log      *slog.Logger
	Wall     func() time.Time // what cookies and links expire by
}

const (
	organiserTime = 12 * time.Hour
	viewerTime    = 7 * 24 * time.Hour

	organiserCookie = "jauge"
	viewerCookie    = "jauge_viewer" // sent to the pages of its session only, so that those of two sessions stand side by side
	viewerParameter = "access"
)

// byToken is the grant of a request that carries the organiser token itself: it does not expire.
var byToken = grant{kind: opensAll, until: time.Unix(1<<40, 0)}

// Admit lets a request pass if it satisfies a rule, and notes its grant. On a public route no credentials are looked at: the page is
// the same for everybody, and does not tell whether a token is right.
func (k *Keeper) Admit(c *gin.Context, rule Access) error {
	if rule == Public || rule == Signed {
		return nil
	}
	g, err := k.best(c, rule)
	if err == nil {
		c.Set(grantKey, g)
	}
	return err
}

// best finds the best grant that is enough for a rule: by the token, a cookie or a read-only link. A request with a token is judged by
// that alone.
func (k *Keeper) best(c *gin.Context, rule Access) (grant, error) {
	if token, ok := strings.CutPrefix(c.GetHeader("Authorization"), "Bearer "); ok {
		return byToken, k.checkToken(c, token)
	}
	session := c.Param("id")
	held := slices.Concat(k.cookies(c, organiserCookie, opensAll), k.cookies(c, viewerCookie, opensSession))
	if link, ok := k.unseal(c.Query(viewerParameter)); ok && link.kind == opensSession {
		held = append(held, link)
	}
	var best grant
	for _, g := range held {
		if g.opens(rule, session) && g.better(best) {
			best = g
		}
	}
	if best.kind == "" {
		return grant{}, ErrUnauthorized
	}
	return best, nil
}

// cookies lists the grants of the request's cookies of this name. There may be several: a cookie that somebody set for a part of the
// site must not hide another.
func (k *Keeper) cookies(c *gin.Context, name string, what kind) (grants []grant) {
	for _, cookie := range c.Request.CookiesNamed(name) {
		if g, ok := k.unseal(cookie.Value); ok && g.kind == what {
			grants = append(grants, g)
		}
	}
	return grants
}

// admitted is the grant under which a request passed; a zero one on a public route.
func admitted(c *gin.Context) grant {
	g, _ := c.Value(grantKey).(grant)
	return g
}

// IsOrganiser says whether a request passed as the organiser's; on a public route it is always false.
func IsOrganiser(c *gin.Context) bool { return admitted(c).kind == opensAll }

// How often a wrong organiser token may be tried: from one address, and in all. Addresses that have sent the right one before are
// exempt from the limit in all, so a stranger cannot lock the organiser out. Requests with a cookie send no token and have no limit.
var (
	loginQuota  = Quota{PerMinute: 10, Burst: 30}
	loginsQuota = Quota{PerMinute: 60, Burst: 300}
)

// The results of checking a token, as they are counted.
const (
	loginOK      = "ok"
	loginWrong   = "wrong"
	loginLimited = "limited"
)

// checkToken compares a token with the organiser's. On an empty quota even the right one is refused: else the answers would still tell
// a guesser when it is right.
func (k *Keeper) checkToken(c *gin.Context, token string) error {
	address := c.ClientIP()
	claims := []Claim{{address, "login", loginQuota}}
	if !k.Limiter.knows(address) {
		claims = append(claims, Claim{"", "logins", loginsQuota})
	}
	right := equal(token, k.Token)
	var wait time.Duration
	if right { // costs nothing, however many come at once
		wait = k.Limiter.wait(claims...)
	} else {
		_, wait = k.Limiter.Take(claims...)
	}
	switch {
	case wait > 0:
		k.refuseLogin(loginLimited)
		return TooMany(c, wait, "too_many_logins", "Too many wrong tokens were tried. Please wait.")
	case !right:
		k.refuseLogin(loginWrong)
		return ErrUnauthorized
	}
	k.Limiter.trust(address)
	return nil
}

// refuseLogin counts and logs a refused token.
func (k *Keeper) refuseLogin(result string) {
	k.Logins.Login(result)
	if suppressed, due := k.Refusals.Note("login", result); due {
		k.Log.Warn("login refused", "reason", result, "suppressed", suppressed)
	}
}

// setCookie keeps a grant in a cookie that lives as long; sealed is empty to drop it.
func (k *Keeper) setCookie(c *gin.Context, name, path, sealed string, until time.Time) {
	http.SetCookie(c.Writer, &http.Cookie{ //nolint:gosec // without TLS in front, a Secure cookie would never come back
		Name: name, Value: sealed, Path: path, MaxAge: int(until.Sub(k.Wall()).Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: k.Public.Scheme == "https",
	})
}

// ReadOnlyLink is the address under which others read a session.
func (k *Keeper) ReadOnlyLink(session string) string {
	g := newGrant(opensSession, session, k.Wall().Add(viewerTime))
	return k.Public.JoinPath("sessions", session).String() + "?" + viewerParameter + "=" + k.seal(g)
}

// Follow exchanges a read-only link for its cookie, unless the request has a better grant, and says whether the address is such a link.
// An invalid link changes nothing.
func (k *Keeper) Follow(c *gin.Context) bool {
	sealed, session := c.Query(viewerParameter), c.Param("id")
	link, ok := k.unseal(sealed)
	if !ok || link.kind != opensSession || link.session != session {
		return false
	}
	if link == admitted(c) {
		k.setCookie(c, viewerCookie, "/sessions/"+url.PathEscape(session), sealed, link.until)
	}
	return true
}

// SignIn exchanges the organiser token for a cookie; for a wrong one it returns ErrUnauthorized.
func (k *Keeper) SignIn(c *gin.Context, token string) error {
	if err := k.checkToken(c, token); err != nil {
		return err
	}
	k.Logins.Login(loginOK)
	g := newGrant(opensAll, "", k.Wall().Add(organiserTime))
	k.setCookie(c, organiserCookie, "/", k.seal(g), g.until)
	return nil
}

// SignOut voids the grant of the request's cookie, copies of the cookie included.
func (k *Keeper) SignOut(c *gin.Context) error {
	for _, g := range k.cookies(c, organiserCookie, opensAll) {
		if err := k.Voided.Add(c.Request.Context(), g.id, g.until); err != nil {
			return Unavailable(err)
		}
	}
	k.setCookie(c, organiserCookie, "/", "", time.Time{})
	return nil
}

// StillHolds says whether the grant that admitted a request has neither expired nor been voided since.
func (k *Keeper) StillHolds(c *gin.Context) bool { return k.holds(admitted(c)) }
