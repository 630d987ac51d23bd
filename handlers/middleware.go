package handlers

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/gzhttp"

	"jauge/handlers/api"
	"jauge/handlers/door"
)

// engine puts the routes behind the middleware. The order:
//
//  1. announce: from here on the request has an id for its log line, and a reader;
//  2. observe: outside of recoverPanic, so that a panic is logged and counted as the 500 that it becomes;
//  3. recoverPanic;
//  4. secure headers: also on errors;
//  5. the body's size and form: before a body is read or parsed;
//  6. same origin: before any handler can change something;
//  7. access: the last thing before the handler.
//
// Signed routes have 2, 3 and 5 alone: a platform shows no page, and a signature proves more than an origin. The id and the headers
// are made up for once something is wrong (fail).
func (s *server) engine() (*gin.Engine, error) {
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.RedirectTrailingSlash = false
	if err := engine.SetTrustedProxies(s.TrustedProxies); err != nil {
		return nil, fmt.Errorf("handlers: trusted proxies: %w", err)
	}
	sameOrigin, err := s.sameOrigin()
	if err != nil {
		return nil, err
	}
	pages := func(handlers ...gin.HandlerFunc) []gin.HandlerFunc {
		return append([]gin.HandlerFunc{s.announce, s.observe, s.recoverPanic, s.secureHeaders}, handlers...)
	}
	for _, r := range s.routes() {
		area := firstSegment(r.path)
		known, before := s.areas[area]
		s.areas[area] = areaOf{r.reader, r.who == signed}
		if before && known != s.areas[area] {
			return nil, fmt.Errorf("handlers: /%s is for two kinds of readers", area)
		}
		handlers := pages(s.checkBody(r), sameOrigin, s.require(r.who), s.adapt(r.handle))
		if r.who == signed {
			handlers = []gin.HandlerFunc{s.observe, s.recoverPanic, s.checkBody(r), s.adapt(r.handle)}
		}
		engine.Handle(r.method, r.path, handlers...)
		s.Metrics.Route(r.path, r.method)
	}
	engine.NoRoute(pages(s.checkBody(route{}), s.adapt(func(*gin.Context) error { return door.NotFound("There is nothing at this address.") }))...)
	engine.NoMethod(pages(s.checkBody(route{}), s.adapt(func(*gin.Context) error { return door.ErrMethod }))...)
	return engine, nil
}

func (s *server) adapt(h door.Handle) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := h(c); err != nil {
			s.fail(c, err)
		}
	}
}

// outer wraps the router: compression (not of the event stream, whose events must not wait for a block to fill; with jitter against
// BREACH, because pages carry a token beside what a visitor typed), and HEAD answered as GET without its body. Signed routes have
// neither: what platforms are answered is short, and some check by HEAD.
func (s *server) outer(h http.Handler) (http.Handler, error) {
	compress, err := gzhttp.NewWrapper(gzhttp.MinSize(1024), gzhttp.RandomJitter(32, 0, false),
		gzhttp.ExceptContentTypes([]string{"text/event-stream", "image/png", api.XLSX}))
	if err != nil {
		return nil, err
	}
	compressed := compress(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.isSigned(r.URL.Path) {
			h.ServeHTTP(w, r)
			return
		}
		if r.Method == http.MethodHead && !strings.HasSuffix(r.URL.Path, "/stream") {
			get := *r
			get.Method = http.MethodGet
			r = &get
		}
		compressed.ServeHTTP(w, r)
	}), nil
}

// announce notes the reader of an address. All addresses with one first segment have the same: so a mistyped address, or another
// method, is answered in the same way.
func (s *server) announce(c *gin.Context) {
	door.Announce(c, s.areas[firstSegment(c.Request.URL.Path)].reader)
}

// isSigned says whether a path is one of the signed routes.
func (s *server) isSigned(path string) bool { return s.areas[firstSegment(path)].signed }

func firstSegment(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return first
}

// observe logs and counts every request by its route's template, never by its path (receipts), query (tokens) or IP address. What is
// asked all the time, and counted, is logged at debug: probes, and webhooks that are accepted.
func (s *server) observe(c *gin.Context) {
	start := time.Now()
	defer func() {
		route, status := c.FullPath(), c.Writer.Status()
		s.Metrics.Request(route, c.Request.Method, status)
		level := slog.LevelInfo
		switch {
		case route == "/healthz", route == "/readyz", route == "/metrics", status < http.StatusBadRequest && s.isSigned(route):
			level = slog.LevelDebug
		case status >= http.StatusInternalServerError:
			level = slog.LevelError
		}
		if !s.Log.Enabled(c.Request.Context(), level) {
			return
		}
		s.Log.Log(c.Request.Context(), level, "request", "request", door.RequestID(c), "method", c.Request.Method, "route", route,
			"status", status, "bytes", max(c.Writer.Size(), 0), "took", time.Since(start))
	}()
	c.Next()
}

// introduce makes up for what a signed route left out, before something is said of a request or to its sender.
func (s *server) introduce(c *gin.Context) {
	if door.RequestID(c) == "" {
		s.announce(c)
		s.secureHeaders(c)
	}
}

// recoverPanic turns a panic into a 500. Its text may quote what was sent, so only those of the runtime are logged.
func (s *server) recoverPanic(c *gin.Context) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		err, _ := v.(error)
		if errors.Is(err, http.ErrAbortHandler) {
			panic(v)
		}
		what := fmt.Sprintf("%T", v)
		var ours runtime.Error
		if errors.As(err, &ours) {
			what = ours.Error()
		}
		s.introduce(c)
		s.Log.ErrorContext(c.Request.Context(), "panic", "request", door.RequestID(c), "route", c.FullPath(), "what", what, "stack", string(debug.Stack()))
		c.Abort()
		if !c.Writer.Written() {
			s.fail(c, &door.Failure{Status: http.StatusInternalServerError, Code: "internal", Detail: "Something went wrong on our side."})
		}
	}()
	c.Next()
}

// contentPolicy lets a page load what this binary serves and nothing else.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// secureHeaders also keeps receipts out of other sites' logs. The referrer policy is same-origin and not no-referrer:
// under the latter browsers send "Origin: null" with our own forms, which cannot be told from a foreign one over plain HTTP.
func (s *server) secureHeaders(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if c.FullPath() == beaconPath { // for a script on another site to read the answer, a 410 above all; no cookie opens it
		h.Set("Access-Control-Allow-Origin", "*")
	}
	if s.PublicURL.Scheme == "https" {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// sameOrigin refuses what another site's page makes a browser send (CSRF). Programs send neither of the headers it looks at, and pass.
// Beacons are exempt: they come from the page that embeds the room, on any site, and count the same with and without a cookie.
func (s *server) sameOrigin() (gin.HandlerFunc, error) {
	protection := http.NewCrossOriginProtection()
	if err := protection.AddTrustedOrigin(s.PublicURL.Scheme + "://" + s.PublicURL.Host); err != nil {
		return nil, fmt.Errorf("handlers: public URL: %w", err)
	}
	protection.AddInsecureBypassPattern("POST /beacon/{session}")
	return func(c *gin.Context) {
		if err := protection.Check(c.Request); err != nil {
			s.fail(c, &door.Failure{Status: http.StatusForbidden, Code: "forbidden", Detail: "This request comes from another site."})
			c.Abort()
		}
	}, nil
}

// How large a request's body may be, in bytes.
const (
	maxBody   = 1 << 20   // JSON
	maxForm   = 256 << 10 // anything else: a form with a dozen of the longest texts, in any script, fits
	maxBeacon = 1 << 10   // a beacon, or a check-in
)

// limit is how large the body of a request to this route may be.
func (s *server) limit(r route, c *gin.Context) int64 {
	switch {
	case r.who == signed:
		return s.hooks.MaxBody(c)
	case r.path == beaconPath, strings.HasPrefix(r.path, "/here/"):
		return maxBeacon
	case door.IsJSON(c):
		return maxBody
	}
	return maxForm
}

// checkBody comes first on every route, and where there is none: everything after it reads at most the limit. A body that is larger by
// its Content-Length is not read at all. Multipart bodies, which Go would parse into temporary files, are refused: no route takes them.
func (s *server) checkBody(r route) gin.HandlerFunc {
	return func(c *gin.Context) {
		limit := s.limit(r, c)
		switch {
		case c.Request.ContentLength > limit:
			c.Header("Connection", "close") // the rest of the body is on its way
			s.turnAway(c, r, door.TooLarge(limit))
		case strings.HasPrefix(strings.ToLower(c.GetHeader("Content-Type")), "multipart/"):
			s.turnAway(c, r, door.ErrMediaType)
		default:
			c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, limit)
		}
	}
}

// turnAway refuses a request before its handler; a webhook is counted like any other that is refused.
func (s *server) turnAway(c *gin.Context, r route, err error) {
	if r.who == signed {
		err = s.hooks.TurnAway(c, err)
	}
	s.fail(c, err)
	c.Abort()
}

// require lets a request pass if it satisfies the route's access rule.
func (s *server) require(rule door.Access) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := s.keeper.Admit(c, rule); err != nil {
			s.fail(c, err)
			c.Abort()
		}
	}
}
