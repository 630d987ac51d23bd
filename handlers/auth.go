package handlers

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// access says who may use a route.
type access int

const (
	public    access = iota // anyone
	signed                  // a platform, proven by its signature (webhooks.go)
	viewer                  // the organiser, or the holder of a read-only link to this session
	organiser               // the organiser
)

const (
	organiserTime = 12 * time.Hour
	viewerTime    = 7 * 24 * time.Hour

	organiserCookie = "jauge"
	viewerCookie    = "jauge_viewer" // sent to the pages of its session only, so that those of two sessions stand side by side
	viewerParameter = "access"
)

// byToken is the grant of who sends the organiser token with each request: nothing ends it.
var byToken = grant{kind: opensAll, until: time.Unix(1<<40, 0)}

const grantKey = "grant"

// require lets a request pass if it satisfies the route's access rule. Where there is none, nobody's credentials are looked
// at: such a page is the same for everybody, and tells nobody whether a token is right.
func (s *server) require(rule access) gin.HandlerFunc {
	return func(c *gin.Context) {
		if rule == public || rule == signed {
			return
		}
		g, err := s.admit(c, rule)
		if err != nil {
			s.fail(c, err)
			c.Abort()
			return
		}
		c.Set(grantKey, g)
	}
}

var errUnauthorized = &failure{
	status: http.StatusUnauthorized, code: codeUnauthorized,
	detail: "This needs the organiser token: Authorization: Bearer <token>.",
}

// admit finds the best grant that is enough for a rule: by the token, a cookie or a read-only link.
func (s *server) admit(c *gin.Context, rule access) (grant, error) {
	if token, ok := strings.CutPrefix(c.GetHeader("Authorization"), "Bearer "); ok {
		return byToken, s.checkToken(c, token)
	}
	session := c.Param("id")
	held := slices.Concat(s.cookies(c, organiserCookie, opensAll), s.cookies(c, viewerCookie, opensSession))
	if link, ok := s.unseal(c.Query(viewerParameter)); ok && link.kind == opensSession {
		held = append(held, link)
	}
	var best grant
	for _, g := range held {
		if g.opens(rule, session) && g.better(best) {
			best = g
		}
	}
	if best.kind == "" {
		return grant{}, errUnauthorized
	}
	return best, nil
}

// cookies lists what the request's cookies of this name open. There may be several: who can set one, for a part of the site,
// must not hide another.
func (s *server) cookies(c *gin.Context, name string, k kind) (grants []grant) {
	for _, cookie := range c.Request.CookiesNamed(name) {
		if g, ok := s.unseal(cookie.Value); ok && g.kind == k {
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

func isOrganiser(c *gin.Context) bool { return admitted(c).kind == opensAll }

// equal compares in constant time, whatever the lengths.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// How often a wrong organiser token may be tried: from one address, and in all. The limit in all is not for addresses from
// which the right one came before: a stranger shuts nobody out. Open sessions need no token, so neither limit touches them.
var (
	loginQuota  = quota{perMinute: 10, burst: 30}
	loginsQuota = quota{perMinute: 60, burst: 300}
)

// What becomes of a token, as it is counted.
const (
	loginOK      = "ok"
	loginWrong   = "wrong"
	loginLimited = "limited"
)

// checkToken compares a token with the organiser's. At an empty budget even the right one is refused: else whoever guesses
// would go on, and know it by the answer.
func (s *server) checkToken(c *gin.Context, token string) error {
	address := c.ClientIP()
	claims := []claim{{address, "login", loginQuota}}
	if !s.limiter.knows(address) {
		claims = append(claims, claim{"", "logins", loginsQuota})
	}
	right := equal(token, s.OrganiserToken)
	var wait time.Duration
	if right { // costs nothing, however many come at once
		wait = s.limiter.wait(s.Wall(), claims...)
	} else {
		_, wait = s.limiter.take(s.Wall(), claims...)
	}
	switch {
	case wait > 0:
		s.refuseLogin(loginLimited)
		return tooMany(c, wait, "too_many_logins", "Too many wrong tokens were tried. Please wait.")
	case !right:
		s.refuseLogin(loginWrong)
		return errUnauthorized
	}
	s.limiter.trust(address)
	return nil
}

// refuseLogin counts and logs a token that did not open anything.
func (s *server) refuseLogin(result string) {
	s.Metrics.Login(result)
	if suppressed, due := s.refusals.note("login", result, s.Wall()); due {
		s.Log.Warn("login refused", "reason", result, "suppressed", suppressed)
	}
}

// setCookie keeps a grant in a cookie that lives as long; sealed is empty to drop it.
func (s *server) setCookie(c *gin.Context, name, path, sealed string, until time.Time) {
	http.SetCookie(c.Writer, &http.Cookie{ //nolint:gosec // without TLS in front, a Secure cookie would never come back
		Name: name, Value: sealed, Path: path, MaxAge: int(until.Sub(s.Wall()).Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.PublicURL.Scheme == "https",
	})
}

// readOnlyLink is the address under which others read a session.
func (s *server) readOnlyLink(session string) string {
	g := newGrant(opensSession, session, s.Wall().Add(viewerTime))
	return s.link("sessions", session) + "?" + viewerParameter + "=" + s.seal(g)
}

// followed exchanges a read-only link for its cookie, where nothing better or longer is there, and says whether the address is
// one. One that is no good changes nothing.
func (s *server) followed(c *gin.Context) bool {
	sealed, session := c.Query(viewerParameter), c.Param("id")
	link, ok := s.unseal(sealed)
	if !ok || link.kind != opensSession || link.session != session {
		return false
	}
	if link == admitted(c) {
		s.setCookie(c, viewerCookie, "/sessions/"+url.PathEscape(session), sealed, link.until)
	}
	return true
}

type loginView struct {
	Next  string
	Wrong bool
}

func (v loginView) mistaken() bool { return v.Wrong }

// loginForm handles GET /login. A ready link (?token=…) is exchanged for the cookie; the redirect cleans the address.
func (s *server) loginForm(c *gin.Context) error {
	token, given := c.GetQuery("token")
	if !given {
		return s.render(c, http.StatusOK, "login", "login.title", loginView{Next: "/"})
	}
	return s.signIn(c, token, "/")
}

// login handles POST /login, the form.
func (s *server) login(c *gin.Context) error {
	form, err := readForm(c)
	if err != nil {
		return err
	}
	return s.signIn(c, strings.TrimSpace(form.Get("token")), localPath(form.Get("next")))
}

func (s *server) signIn(c *gin.Context, token, next string) error {
	err := s.checkToken(c, token)
	if errors.Is(err, errUnauthorized) {
		return s.render(c, http.StatusUnauthorized, "login", "login.title", loginView{Next: next, Wrong: true})
	}
	if err != nil {
		return err
	}
	s.Metrics.Login(loginOK)
	g := newGrant(opensAll, "", s.Wall().Add(organiserTime))
	s.setCookie(c, organiserCookie, "/", s.seal(g), g.until)
	c.Redirect(http.StatusSeeOther, next)
	return nil
}

// logout handles POST /logout: what the cookie opens is void, also for who has a copy of it.
func (s *server) logout(c *gin.Context) error {
	for _, g := range s.cookies(c, organiserCookie, opensAll) {
		if err := s.Voided.Add(c.Request.Context(), g.id, g.until); err != nil {
			return unavailable(err)
		}
	}
	s.setCookie(c, organiserCookie, "/", "", time.Time{})
	c.Redirect(http.StatusSeeOther, "/login")
	return nil
}

// localPath returns path if it leads to this service's organiser pages, else "/": a login never sends elsewhere.
func localPath(path string) string {
	if strings.HasPrefix(path, "/sessions/") || strings.HasPrefix(path, "/series/") {
		return path
	}
	return "/"
}
