package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"jauge/attendance"
	"jauge/platforms"
)

// announce prints where to look: the organiser's link, a survey, and a webhook to try.
func (v service) announce(w io.Writer, c *Config) {
	fmt.Fprintf(w, "jauge %s listens on http://%s\n", version, c.Listen)
	if v.stores.embedded != nil {
		fmt.Fprintf(w, "  store       embedded, kept in %s: for trials and small audiences; set redis_url for more\n", c.DataDir)
	}
	if c.OrganiserToken == "" {
		fmt.Fprintf(w, "  organiser   %s/login?token=%s\n", c.PublicURL, url.QueryEscape(v.token))
	} else {
		fmt.Fprintf(w, "  organiser   %s/login\n", c.PublicURL)
	}
	for _, session := range c.Sessions {
		if session.Survey != "" {
			fmt.Fprintf(w, "  survey      %s/feedback/%s\n", c.PublicURL, session.ID)
			break
		}
	}
	if c.origin == "" {
		fmt.Fprintf(w, "  programme   the built-in example, begun now; its webhook secrets are public, use a configuration of your own to go live\n")
		fmt.Fprintf(w, "  try a webhook (signed now, good for five minutes):\n\n%s\n\n", tryWebhook(c, time.Now()))
	}
}

// tryWebhook is a curl command that lets one person join a session that is on and whose source speaks the standard dialect.
func tryWebhook(c *Config, now time.Time) string {
	for _, session := range c.Sessions {
		if now.Before(session.Opens()) || now.After(session.Closes()) { // it would be put aside
			continue
		}
		for _, room := range session.Rooms {
			for _, source := range c.Sources {
				if source.Name == room.Source && source.Platform == "standard" {
					return curl(c, source, attendance.Event{
						Kind: attendance.Joined, Room: room.ID, Attendee: "visitor-1", Connection: "tab-1", At: now,
					}, now)
				}
			}
		}
	}
	return ""
}

func curl(c *Config, source Source, e attendance.Event, now time.Time) string {
	dialect := platforms.Dialects[source.Platform]
	r := platforms.Request{Method: http.MethodPost, Header: http.Header{}, Now: now}
	contentType, body := dialect.Encode(e)
	r.Body = body
	r.Header.Set("Content-Type", contentType)
	dialect.Sign(source.source(), &r)
	var b strings.Builder
	fmt.Fprintf(&b, "curl -X POST %s/webhooks/%s \\\n", c.PublicURL, source.Name)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		fmt.Fprintf(&b, "  -H '%s: %s' \\\n", name, r.Header.Get(name))
	}
	fmt.Fprintf(&b, "  -d '%s'", body)
	return b.String()
}
