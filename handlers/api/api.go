// Package api is what programs read and write: JSON, and the same as CSV and XLSX downloads.
//
// The story in files: api.go (what it is built from), sessions.go (definitions, and what is done to a session), figures.go
// (attendance, the curve and answers), texts.go, invitations.go, aside.go, export.go (the same as downloads, written by csv.go and
// xlsx.go).
package api

import (
	"log/slog"
	"net/url"
	"time"

	"jauge/attendance"
	"jauge/feedback"
	"jauge/handlers/lookup"
	"jauge/inbox"
	"jauge/programme"
)

// Handlers are those of /api/v1. Everything is required.
type Handlers struct {
	Sessions   *lookup.Sessions
	Programme  *programme.Catalogue
	Attendance *attendance.Store
	Feedback   *feedback.Store
	Inbox      *inbox.Inbox
	HasSource  func(name string) bool // says whether a source is configured

	Public *url.URL // of links
	Away   func(error) bool
	Log    *slog.Logger
	Now    func() time.Time
}

// list is v as JSON writes lists: an empty one is [] and not null.
func list[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}
