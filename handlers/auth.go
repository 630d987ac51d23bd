package handlers

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strconv"
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
	cookieName      = "jauge"
	organiserScope  = "organiser"
	organiserTime   = 12 * time.Hour
	viewerTime      = 7 * 24 * time.Hour
	viewerParameter = "access"
)

// A grant is what cookies and read-only links carry: "<scope>.<unix expiry>.<mac>". The scope is "organiser", or a
// session's id for a read-only link (ids hold no dot). The organiser token is part of the key, so that a new token
// closes every session opened with the old one.
func (s *server) grant(scope string, lifetime time.Duration) string {
	payload := scope + "." + strconv.FormatInt(s.Wall().Add(lifetime).Unix(), 10)
	return payload + "." + s.grantMAC(payload)
}

func (s *server) grantMAC(payload string) string {
	mac := hmac.New(sha256.New, s.Key)
	mac.Write([]byte("jauge grant\x00" + s.OrganiserToken + "\x00" + payload))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// scopeOf returns the scope of a grant that is genuine and has not expired, or "".
func (s *server) scopeOf(grant string) string {
	dot := strings.LastIndexByte(grant, '.')
	if dot < 0 || !equal(grant[dot+1:], s.grantMAC(grant[:dot])) {
		return ""
	}
	scope, expiry, _ := strings.Cut(grant[:dot], ".")
	until, err := strconv.ParseInt(expiry, 10, 64)
	if err != nil || s.Wall().Unix() >= until {
		return ""
	}
	return scope
}

// equal compares in constant time, whatever the lengths.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// require lets a request pass if it satisfies the route's access rule.
func (s *server) require(rule access) gin.HandlerFunc {
	return func(c *gin.Context) {
		if rule == public || rule == signed || s.isOrganiser(c) || rule == viewer && s.isViewer(c) {
			return
		}
		s.fail(c, &failure{
			status: http.StatusUnauthorized, code: codeUnauthorized,
			detail: "This needs the organiser token: Authorization: Bearer <token>.",
		})
		c.Abort()
	}
}

func (s *server) isOrganiser(c *gin.Context) bool {
	if token, ok := strings.CutPrefix(c.GetHeader("Authorization"), "Bearer "); ok {
		return equal(token, s.OrganiserToken)
	}
	cookie, _ := c.Cookie(cookieName)
	return s.scopeOf(cookie) == organiserScope
}

// isViewer says whether the request carries a read-only grant of the session in its path, as a cookie or in the link.
func (s *server) isViewer(c *gin.Context) bool {
	cookie, _ := c.Cookie(cookieName)
	for _, grant := range []string{c.Query(viewerParameter), cookie} {
		if scope := s.scopeOf(grant); scope != "" && scope == c.Param("id") {
			return true
		}
	}
	return false
}

func (s *server) setCookie(c *gin.Context, value string, lifetime time.Duration) {
	http.SetCookie(c.Writer, &http.Cookie{ //nolint:gosec // without TLS in front, a Secure cookie would never come back
		Name: cookieName, Value: value, Path: "/", MaxAge: int(lifetime.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.PublicURL.Scheme == "https",
	})
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
	return s.signIn(c, strings.TrimSpace(c.PostForm("token")), localPath(c.PostForm("next")))
}

func (s *server) signIn(c *gin.Context, token, next string) error {
	if !equal(token, s.OrganiserToken) {
		return s.render(c, http.StatusUnauthorized, "login", "login.title", loginView{Next: next, Wrong: true})
	}
	s.setCookie(c, s.grant(organiserScope, organiserTime), organiserTime)
	c.Redirect(http.StatusSeeOther, next)
	return nil
}

// logout handles POST /logout.
func (s *server) logout(c *gin.Context) error {
	s.setCookie(c, "", -time.Second)
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
