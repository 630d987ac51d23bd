// Package organise has the pages of organisers, and of holders of a read-only link to a session.
//
// The story in files: organise.go (what it is built from), login.go, sessions.go (the programme, a session, a series), aside.go
// (what the programme says of what is put aside), curve.go (the drawing of attendance), stream.go (a session live), results.go,
// texts.go (what people wrote), last_views.go (pages while the store is away).
package organise

import (
	"context"
	"net/url"
	"time"

	"jauge/attendance"
	"jauge/feedback"
	"jauge/handlers/door"
	"jauge/handlers/lookup"
	"jauge/handlers/page"
	"jauge/inbox"
)

// Handlers are those of the organisers' pages.
type Handlers struct {
	Deps
	hub       *hub
	lastViews lastViews
}

// Deps is what the handlers work with. Everything is required.
type Deps struct {
	Sessions   *lookup.Sessions
	Attendance *attendance.Store
	Feedback   *feedback.Store
	Inbox      *inbox.Inbox
	Pages      *page.Pages
	Keeper     *door.Keeper

	Public   *url.URL         // of links
	Away     func(error) bool // says whether an error means that the store cannot be reached
	Now      func() time.Time // of the sessions
	Wall     func() time.Time // the clock of figures' age, where Now leaps
	Draining context.Context  // ends when the server starts to drain; open streams end with it
}

// New returns the handlers. It starts no goroutine; those of open streams end with d.Draining.
func New(d Deps) *Handlers {
	h := &Handlers{Deps: d, lastViews: lastViews{views: map[string]lastView{}}}
	h.hub = newHub(d.Draining, h.snapshot)
	return h
}
