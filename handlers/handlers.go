// Package handlers is jauge's HTTP side and the only package that imports Gin: webhooks in, survey pages, organiser
// pages, the API and the live stream out. A handler parses, makes one call into attendance or feedback, and writes.
//
// The story in files: handlers.go (what it is built from), routes.go (every route with its access rule, and the order
// of the middleware), reader.go (whom an address is for), then one file per resource: webhooks.go, feedback.go, waves.go,
// answers.go, beacon.go, api.go, export.go, organiser.go, texts.go, stream.go; and what they share: door.go, auth.go, grant.go, limit.go, known.go,
// errors.go, render.go, lang.go, curve.go.
package handlers

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/attendance"
	"jauge/feedback"
	"jauge/platforms"
	"jauge/programme"
)

// Gin's mode belongs to the process; it is set once, before any handler exists, so that nothing is printed behind the log.
func init() { gin.SetMode(gin.ReleaseMode) }

// Metrics counts what passes through the handlers. Labels are bounded: configured names and fixed words only.
type Metrics interface {
	// Event counts one authentic event of a configured source.
	Event(source, kind, result string)
	// Refused counts one webhook request that was not accepted; reason is one of a fixed few words.
	Refused(source, reason string)
	// Webhook observes how long a webhook request of a configured source took.
	Webhook(source string, took time.Duration)
	// Submission counts one submitted survey of a known session.
	Submission(result string)
	// Route begins the counts of a route that fails.
	Route(route, method string)
	// Login counts one organiser token that was tried; result is ok, wrong or limited. The right one that comes with each
	// request of a program is none.
	Login(result string)
	// Request counts one answered request; route is a template, empty when none matched.
	Request(route, method string, code int)
}

// Voided remembers which grants are void, by their random ids, in every process and over restarts, until they would have
// expired by themselves.
type Voided interface {
	Add(ctx context.Context, id string, until time.Time) error
	// Has answers at once, from what was known a moment ago.
	Has(id string) bool
}

// Deps is what the handlers work with. Everything is required unless it says otherwise.
type Deps struct {
	Programme  *programme.Catalogue
	Attendance *attendance.Store
	Feedback   *feedback.Store
	Surveys    map[string]*feedback.Survey // by id
	Series     []programme.Series          // optional
	Sources    map[string]platforms.Source // by name; who may post to /webhooks/{name}

	Voided Voided // who has logged out

	Metrics        Metrics
	MetricsHandler http.Handler // optional; nil: /metrics is served elsewhere

	PublicURL      *url.URL // of links and QR codes, without a trailing slash
	OrganiserToken string   // opens the organiser's side
	Key            []byte   // ≥ 32 bytes; signs cookies and read-only links
	MinimumGroup   int      // no figure about fewer respondents than this
	TrustedProxies []string // optional; addresses or CIDRs whose X-Forwarded-For is believed

	Log     *slog.Logger
	Now     func() time.Time
	Wall    func() time.Time            // optional: what logins and links expire by, where Now leaps; Now
	Ready   func(context.Context) error // nil: all can be kept and shown; else why not, in words that may leave the house
	Away    func(error) bool            // says whether an error means that the store cannot be reached, or takes nothing now
	Context context.Context             // ends when the server starts to drain; open streams end with it

	Version  string // optional, shown at the foot of pages
	Embedded bool   // the store lives in this process: said on the organiser's pages
}

// Validate names everything that is missing or does not fit together, at once.
func (d Deps) Validate() error {
	var missing []string
	for name, absent := range map[string]bool{
		"Programme": d.Programme == nil, "Attendance": d.Attendance == nil, "Feedback": d.Feedback == nil, "Metrics": d.Metrics == nil, "Voided": d.Voided == nil,
		"PublicURL": d.PublicURL == nil, "OrganiserToken": d.OrganiserToken == "", "Key (≥ 32 bytes)": len(d.Key) < 32,
		"MinimumGroup (≥ 1)": d.MinimumGroup < 1, "Log": d.Log == nil, "Now": d.Now == nil, "Ready": d.Ready == nil, "Away": d.Away == nil,
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

// server is what the handlers share: the dependencies, and what was made of them once at the start.
type server struct {
	Deps
	langs        *langs
	pages        map[string]*template.Template // by file name without extension
	readers      map[string]reader             // by the first segment of an address
	assetVersion string                        // changes with the assets, so that browsers may keep them for ever
	hub          *hub
	known        lastViews
	limiter      *limiter
	rooms        feedback.Programme // what people answer in each
	refusals     refusals
}

// New returns the service's HTTP handler. It starts no goroutine; those of open streams end with d.Context.
func New(d Deps) (http.Handler, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	if d.Wall == nil {
		d.Wall = d.Now
	}
	langs, err := newLangs()
	if err != nil {
		return nil, err
	}
	pages, err := parsePages()
	if err != nil {
		return nil, err
	}
	s := &server{Deps: d, langs: langs, pages: pages, readers: map[string]reader{}, assetVersion: assetVersion(), limiter: newLimiter()}
	s.rooms = Programme(d.Programme, d.Surveys, d.MinimumGroup)
	s.refusals.logged = map[[2]string]logged{}
	s.known.views = map[string]knownView{}
	s.hub = newHub(d.Context, s.snapshot)
	engine, err := s.engine()
	if err != nil {
		return nil, err
	}
	return outer(engine)
}

// link returns the public address of a path of this service.
func (s *server) link(elements ...string) string { return s.PublicURL.JoinPath(elements...).String() }
