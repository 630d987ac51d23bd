// Package handlers is jauge's HTTP side, and with the packages below it the only one that imports Gin. It has every route with its
// reader and its access rule, and the middleware. The handlers are below, a package an audience: attend (surveys, their answers, and
// check-ins), organise (the organisers' pages), api (programs), hooks (what platforms deliver). These do not import each other; what
// several need is in page (what pages share), lookup (reads of a session) and door (bodies, access, limits, failures). A handler
// parses, makes one call into a domain, and writes.
//
// The story in files: handlers.go (what it is built from), routes.go (the table of routes), middleware.go (what a request
// passes, in which order), errors.go (how an error becomes an answer), service.go (whether the service is well).
package handlers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/attendance"
	"jauge/feedback"
	"jauge/handlers/api"
	"jauge/handlers/attend"
	"jauge/handlers/door"
	"jauge/handlers/hooks"
	"jauge/handlers/lookup"
	"jauge/handlers/organise"
	"jauge/handlers/page"
	"jauge/inbox"
	"jauge/platforms"
	"jauge/programme"
)

// Gin's mode belongs to the process; it is set once, before any handler exists, so that nothing is printed behind the log.
func init() { gin.SetMode(gin.ReleaseMode) }

// Metrics counts what passes through the handlers. Labels are bounded: configured names and fixed words only.
type Metrics interface {
	hooks.Metrics
	// Route begins the counts of a route that fails.
	Route(route, method string)
	// Login counts one organiser token that was tried; result is ok, wrong or limited. The right token that programs send with each
	// request is not counted.
	Login(result string)
	// Request counts one answered request; route is a template, empty when none matched.
	Request(route, method string, code int)
}

// Deps is what the handlers work with. Everything is required unless it says otherwise.
type Deps struct {
	Programme  *programme.Catalogue
	Attendance *attendance.Store
	Feedback   *feedback.Store
	Series     []programme.Series          // optional
	Sources    map[string]platforms.Source // by name; who may post to /webhooks/{name}

	Voided door.Voided // who has logged out

	Metrics        Metrics
	MetricsHandler http.Handler // optional; nil: /metrics is served elsewhere

	PublicURL      *url.URL // of links and QR codes, without a trailing slash
	OrganiserToken string   // opens the organiser's side
	Key            []byte   // ≥ 32 bytes; signs cookies and read-only links
	TrustedProxies []string // optional; addresses or CIDRs whose X-Forwarded-For is believed

	Log     *slog.Logger
	Now     func() time.Time
	Wall    func() time.Time            // optional, Now by default: the clock by which logins and links expire, where Now leaps
	Ready   func(context.Context) error // nil: all can be kept and shown; else why not, in words that may be shown to anybody
	Away    func(error) bool            // says whether an error means that the store cannot be reached, or takes no writes now
	Context context.Context             // ends when the server starts to drain; open streams end with it

	Version  string // optional, shown at the foot of pages
	Embedded bool   // the store lives in this process: said on the organiser's pages
}

// validate names everything that is missing or does not fit together, at once.
func (d Deps) validate() error {
	var missing []string
	for name, absent := range map[string]bool{
		"Programme": d.Programme == nil, "Attendance": d.Attendance == nil, "Feedback": d.Feedback == nil, "Metrics": d.Metrics == nil, "Voided": d.Voided == nil,
		"PublicURL": d.PublicURL == nil, "OrganiserToken": d.OrganiserToken == "", "Key (≥ 32 bytes)": len(d.Key) < 32,
		"Log": d.Log == nil, "Now": d.Now == nil, "Ready": d.Ready == nil, "Away": d.Away == nil,
		"Context": d.Context == nil,
	} {
		if absent {
			missing = append(missing, name)
		}
	}
	for name, source := range d.Sources {
		if _, ok := platforms.Dialects[source.Platform]; !ok {
			missing = append(missing, fmt.Sprintf("a dialect for Sources[%s]", name))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return errors.New("handlers: missing " + strings.Join(missing, ", "))
}

// server holds the audiences' handlers, and what the middleware needs of the dependencies.
type server struct {
	Deps
	areas  map[string]areaOf // by the first segment of an address
	keeper *door.Keeper
	pages  *page.Pages

	surveys  *attend.Surveys
	presence *attend.Presence
	organise *organise.Handlers
	api      *api.Handlers
	hooks    *hooks.Handlers
}

// New returns the service's HTTP handler. It starts no goroutine; those of open streams end with d.Context.
func New(d Deps) (http.Handler, error) {
	if err := d.validate(); err != nil {
		return nil, err
	}
	if d.Wall == nil {
		d.Wall = d.Now
	}
	pages, err := page.New(d.Version, d.Embedded)
	if err != nil {
		return nil, err
	}
	s := &server{Deps: d, areas: map[string]areaOf{}, pages: pages}
	s.furnish()
	engine, err := s.engine()
	if err != nil {
		return nil, err
	}
	return s.outer(engine)
}

// areaOf is what all routes with one first segment have in common.
type areaOf struct {
	reader door.Reader
	signed bool
}

// furnish gives each audience what it needs.
func (s *server) furnish() {
	limiter, refusals := door.NewLimiter(s.Wall), door.NewRefusals(s.Wall)
	s.keeper = &door.Keeper{
		Token: s.OrganiserToken, Key: s.Key, Public: s.PublicURL, Voided: s.Voided, Limiter: limiter, Logins: s.Metrics,
		Refusals: refusals, Log: s.Log, Wall: s.Wall,
	}
	sessions := &lookup.Sessions{
		Programme: s.Programme, Attendance: s.Attendance, Feedback: s.Feedback, Configured: s.Series, Now: s.Now,
	}
	in := &inbox.Inbox{Programme: s.Programme, Attendance: s.Attendance, Feedback: s.Feedback}
	s.surveys = attend.NewSurveys(attend.Deps{
		Sessions: sessions, Feedback: s.Feedback, Pages: s.pages, Limiter: limiter, Counts: s.Metrics, Public: s.PublicURL, Key: s.Key,
		Log: s.Log, Now: s.Now,
	})
	s.presence = &attend.Presence{
		Sessions: sessions, Attendance: s.Attendance, Pages: s.pages, Limiter: limiter, Counts: s.Metrics, Public: s.PublicURL, Now: s.Now,
	}
	s.organise = organise.New(organise.Deps{
		Sessions: sessions, Attendance: s.Attendance, Feedback: s.Feedback, Inbox: in, Pages: s.pages, Keeper: s.keeper, Public: s.PublicURL,
		Away: s.Away, Now: s.Now, Wall: s.Wall, Draining: s.Context,
	})
	s.api = &api.Handlers{
		Sessions: sessions, Programme: s.Programme, Attendance: s.Attendance, Feedback: s.Feedback, Inbox: in, Public: s.PublicURL,
		Away: s.Away, Log: s.Log, Now: s.Now,
		HasSource: func(name string) bool { _, known := s.Sources[name]; return known },
	}
	s.hooks = &hooks.Handlers{
		Sources: s.Sources, Inbox: in, Metrics: s.Metrics, Refusals: refusals, Log: s.Log, Now: s.Now,
	}
}
