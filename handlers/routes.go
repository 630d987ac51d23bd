package handlers

import (
	"crypto/rand"
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
)

// handle is a handler: it writes the answer, or returns why it cannot and has written nothing.
type handle func(*gin.Context) error

type route struct {
	method, path string
	reader       reader
	who          access
	handle       handle
}

// routes is every route with its reader and its access rule; openapi.yaml documents the same list, and a test compares
// the two.
func (s *server) routes() []route {
	routes := []route{
		{"GET", "/feedback/:session", attendees, public, s.surveyPage},
		{"POST", "/feedback/:session", attendees, public, s.submit},
		{"GET", "/feedback/:session/qr.svg", attendees, public, s.surveyQR},
		{"GET", "/feedback/:session/notice", attendees, public, s.noticePage},
		{"GET", "/feedback/:session/answers/:receipt", attendees, public, s.guarded(s.answerPage)},
		{"POST", "/feedback/:session/answers/:receipt", attendees, public, s.guarded(s.changeAnswer)},
		{"PUT", "/feedback/:session/answers/:receipt", attendees, public, s.guarded(s.changeAnswer)},
		{"DELETE", "/feedback/:session/answers/:receipt", attendees, public, s.guarded(s.deleteAnswer)},

		{"GET", "/forget", attendees, public, s.forget},

		{"GET", "/beacon.js", programs, public, s.beaconScript},
		{"POST", beaconPath, programs, public, s.beacon},
		{"GET", "/here/:session", attendees, public, s.herePage},
		{"POST", "/here/:session", attendees, public, s.checkIn},
		{"GET", "/here/:session/qr.svg", attendees, public, s.hereQR},

		{"GET", "/", organisers, organiser, s.programmePage},
		{"GET", "/sessions/:id", organisers, viewer, s.sessionPage},
		{"GET", "/sessions/:id/live", organisers, viewer, s.liveFragment},
		{"GET", "/sessions/:id/results", organisers, viewer, s.resultsPage},
		{"GET", "/sessions/:id/stream", organisers, viewer, s.stream},
		{"GET", "/sessions/:id/texts", organisers, organiser, s.textsPage},
		{"POST", "/sessions/:id/texts/:text", organisers, organiser, s.moderateForm},
		{"GET", "/series/:id", organisers, organiser, s.seriesPage},
		{"GET", "/login", organisers, public, s.loginForm},
		{"POST", "/login", organisers, public, s.login},
		{"POST", "/logout", organisers, public, s.logout},

		{"GET", "/api/v1/sessions", programs, organiser, s.listSessions},
		{"POST", "/api/v1/sessions", programs, organiser, s.createSession},
		{"GET", "/api/v1/sessions/:id", programs, organiser, s.getSession},
		{"PUT", "/api/v1/sessions/:id", programs, organiser, s.putSession},
		{"GET", "/api/v1/sessions/:id/attendance", programs, organiser, s.getAttendance},
		{"GET", "/api/v1/sessions/:id/attendance.csv", programs, organiser, s.export(s.attendanceTable, writeCSV)},
		{"GET", "/api/v1/sessions/:id/attendance.xlsx", programs, organiser, s.export(s.attendanceTable, writeXLSX)},
		{"GET", "/api/v1/sessions/:id/curve", programs, organiser, s.getCurve},
		{"GET", "/api/v1/sessions/:id/feedback", programs, organiser, s.getFeedback},
		{"GET", "/api/v1/sessions/:id/feedback.csv", programs, organiser, s.export(s.feedbackTable, writeCSV)},
		{"GET", "/api/v1/sessions/:id/feedback.xlsx", programs, organiser, s.export(s.feedbackTable, writeXLSX)},
		{"GET", "/api/v1/sessions/:id/answers.csv", programs, organiser, s.export(s.answersTable, writeCSV)},
		{"GET", "/api/v1/sessions/:id/answers.xlsx", programs, organiser, s.export(s.answersTable, writeXLSX)},
		{"GET", "/api/v1/sessions/:id/texts", programs, organiser, s.getTexts},
		{"POST", "/api/v1/sessions/:id/texts/:text", programs, organiser, s.postText},
		{"POST", "/api/v1/sessions/:id/end", programs, organiser, s.endSession},
		{"POST", "/api/v1/sessions/:id/declare", programs, organiser, s.declareHeads},
		{"POST", "/api/v1/sessions/:id/invitations", programs, organiser, s.createInvitations},
		{"GET", "/api/v1/series/:id", programs, organiser, s.getSeries},
		{"GET", "/api/v1/aside", programs, organiser, s.getAside},

		{"GET", "/assets/:file", programs, public, s.asset},
		{"GET", "/healthz", programs, public, s.healthz},
		{"GET", "/readyz", programs, public, s.readyz},
		{"GET", "/openapi.yaml", programs, public, s.openapi},
	}
	for _, method := range []string{"POST", "GET", "HEAD", "OPTIONS"} { // POST delivers, the others are handshakes
		routes = append(routes, route{method, "/webhooks/:source", programs, signed, s.webhook}, route{method, "/webhooks/:source/*path", programs, signed, s.webhook})
	}
	if s.MetricsHandler != nil {
		routes = append(routes, route{"GET", "/metrics", programs, public, s.metrics})
	}
	return routes
}

// engine puts the routes behind the middleware. The order:
//
//  1. identify: everything after it can name the request in its log line;
//  2. observe: outside of recover, so that a panic is logged and counted as the 500 that it becomes;
//  3. recover;
//  4. secure headers: also on errors;
//  5. the door: before a body is read or parsed;
//  6. same origin: before any handler can change something; what is signed is not looked at, a signature says more;
//  7. access: the last thing before the handler.
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
	engine.Use(identify, s.observe, s.recover, s.secureHeaders)
	for _, r := range s.routes() {
		first := firstSegment(r.path)
		if to, known := s.readers[first]; known && to != r.reader {
			return nil, fmt.Errorf("handlers: /%s is for two kinds of readers", first)
		}
		s.readers[first] = r.reader
		chain := gin.HandlersChain{s.door(r)}
		if r.who != signed {
			chain = append(chain, sameOrigin)
		}
		engine.Handle(r.method, r.path, append(chain, s.require(r.who), s.adapt(r.handle))...)
		s.Metrics.Route(r.path, r.method)
	}
	engine.NoRoute(s.door(route{}), s.adapt(func(*gin.Context) error { return notFound("There is nothing at this address.") }))
	engine.NoMethod(s.door(route{}), s.adapt(func(*gin.Context) error { return errMethod }))
	return engine, nil
}

func (s *server) adapt(h handle) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := h(c); err != nil {
			s.fail(c, err)
		}
	}
}

// outer is what wraps the router: compression (never of the event stream, whose events must not wait for a block to
// fill; with jitter, because pages carry a token beside what a visitor typed), and HEAD answered as GET without its body,
// but for webhooks, whose platforms may mean something by it.
func outer(h http.Handler) (http.Handler, error) {
	compress, err := gzhttp.NewWrapper(gzhttp.MinSize(1024), gzhttp.RandomJitter(32, 0, false),
		gzhttp.ExceptContentTypes([]string{"text/event-stream", "image/png", xlsxType}))
	if err != nil {
		return nil, err
	}
	compressed := compress(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead && !strings.HasSuffix(r.URL.Path, "/stream") && !strings.HasPrefix(r.URL.Path, "/webhooks/") {
			get := *r
			get.Method = http.MethodGet
			r = &get
		}
		compressed.ServeHTTP(w, r)
	}), nil
}

const requestKey = "request"

// identify gives the request an id of our own: one from outside could carry anything into the log.
func identify(c *gin.Context) {
	id := strings.ToLower(rand.Text()[:16])
	c.Set(requestKey, id)
	c.Header("X-Request-Id", id)
}

func requestID(c *gin.Context) string { return c.GetString(requestKey) }

// observe logs and counts every request by its route's template: never its path (receipts), query (tokens) or address.
func (s *server) observe(c *gin.Context) {
	start := time.Now()
	defer func() {
		route, status := c.FullPath(), c.Writer.Status()
		s.Metrics.Request(route, c.Request.Method, status)
		level := slog.LevelInfo
		switch {
		case route == "/healthz", route == "/readyz", route == "/metrics": // asked all the time, and counted
			level = slog.LevelDebug
		case status >= http.StatusInternalServerError:
			level = slog.LevelError
		}
		s.Log.Log(c.Request.Context(), level, "request", "request", requestID(c), "method", c.Request.Method, "route", route,
			"status", status, "bytes", max(c.Writer.Size(), 0), "took", time.Since(start))
	}()
	c.Next()
}

// recover turns a panic into a 500. Its text may quote what was sent, so only those of the runtime are logged.
func (s *server) recover(c *gin.Context) {
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
		s.Log.ErrorContext(c.Request.Context(), "panic", "request", requestID(c), "route", c.FullPath(), "what", what, "stack", string(debug.Stack()))
		c.Abort()
		if !c.Writer.Written() {
			s.fail(c, &failure{status: http.StatusInternalServerError, code: "internal", detail: "Something went wrong on our side."})
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

// sameOrigin refuses what another site's page makes a browser send. Programs send neither of the headers it looks at, and
// pass. Beacons are let through: they are meant to come from the page that embeds the room, wherever it
// is, and what they say counts the same with and without a cookie.
func (s *server) sameOrigin() (gin.HandlerFunc, error) {
	protection := http.NewCrossOriginProtection()
	if err := protection.AddTrustedOrigin(s.PublicURL.Scheme + "://" + s.PublicURL.Host); err != nil {
		return nil, fmt.Errorf("handlers: public URL: %w", err)
	}
	protection.AddInsecureBypassPattern("POST /beacon/{session}")
	return func(c *gin.Context) {
		if err := protection.Check(c.Request); err != nil {
			s.fail(c, &failure{status: http.StatusForbidden, code: "forbidden", detail: "This request comes from another site."})
			c.Abort()
		}
	}, nil
}
