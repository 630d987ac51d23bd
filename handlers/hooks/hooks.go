// Package hooks takes what platforms deliver: webhooks that are signed.
//
// The story in files: hooks.go (what it is built from), webhooks.go (one request: what is checked, in which order), body.go (how
// much of a body is read, and from whom), counts.go (what became of it), refused.go (what is refused, and the fixed words for why).
package hooks

import (
	"log/slog"
	"time"

	"jauge/handlers/door"
	"jauge/inbox"
	"jauge/platforms"
)

// Metrics counts what is delivered, under bounded labels: configured names and fixed words only.
type Metrics interface {
	// Event counts one authentic event of a configured source.
	Event(source, kind, result string)
	// Refused counts one webhook request that was not accepted; reason is one of a fixed few words.
	Refused(source, reason string)
	// Webhook observes how long a webhook request of a configured source took.
	Webhook(source string, took time.Duration)
	// Submission counts one submitted survey of a known session.
	Submission(result string)
}

// Handlers take deliveries. Everything is required.
type Handlers struct {
	Sources  map[string]platforms.Source // by name
	Inbox    *inbox.Inbox
	Metrics  Metrics
	Refusals *door.Refusals
	Log      *slog.Logger
	Now      func() time.Time

	large slots
}
