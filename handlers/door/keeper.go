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
	Public    Access = iota // anyone
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

// byToken is the grant of who sends the organiser token with each request: nothing ends it.
var byToken = grant{kind: opensAll, until: time.Unix(1<<40, 0)}

// Admit lets a request pass if it satisfies a rule, and notes what it may be shown. Where there is no rule, nobody's
// credentials are looked at: such a page is the same for everybody, and tells nobody whether a token is right.
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

// best finds the best grant that is enough for a rule: by the token, a cookie or a read-only link. Who sends a token is
// judged by it alone.
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

// cookies lists what the request's cookies of this name open. There may be several: who can set one, for a part of the site,
// must not hide another.
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

// IsOrganiser says whether a request passed as the organiser's; on a public route, nobody's does.
func IsOrganiser(c *gin.Context) bool { return admitted(c).kind == opensAll }

// How often a wrong organiser token may be tried: from one address, and in all. The limit in all is not for addresses from
// which the right one came before: a stranger shuts nobody out. Open sessions need no token, so neither limit touches them.
var (
	loginQuota  = Quota{PerMinute: 10, Burst: 30}
	loginsQuota = Quota{PerMinute: 60, Burst: 300}
)

// What becomes of a token, as it is counted.
const (
	loginOK      = "ok"
	loginWrong   = "wrong"
	loginLimited = "limited"
)

// checkToken compares a token with the organiser's. At an empty budget even the right one is refused: else whoever guesses
// would go on, and know it by the answer.
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

// refuseLogin counts and logs a token that did not open anything.
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

// Follow exchanges a read-only link for its cookie, where nothing better or longer is there, and says whether the address is
// one. One that is no good changes nothing.
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

// SignOut voids what the request's cookie opens, also for who has a copy of it.
func (k *Keeper) SignOut(c *gin.Context) error {
	for _, g := range k.cookies(c, organiserCookie, opensAll) {
		if err := k.Voided.Add(c.Request.Context(), g.id, g.until); err != nil {
			return Unavailable(err)
		}
	}
	k.setCookie(c, organiserCookie, "/", "", time.Time{})
	return nil
}

// StillHolds says whether what a request passed by has neither expired nor been voided since.
func (k *Keeper) StillHolds(c *gin.Context) bool { return k.holds(admitted(c)) }
