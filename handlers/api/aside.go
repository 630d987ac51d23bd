package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/feedback/survey"
	"jauge/handlers/door"
	"jauge/inbox"
)

// Aside is what is kept aside (quarantined): authentic events and answers that do not count, or not yet.
type Aside struct {
	Events []AsideItem  `json:"events"` // the first of them
	Total  int          `json:"total"`
	Groups []AsideGroup `json:"groups"`
}

// maxAsideItems is how many are listed one by one.
const maxAsideItems = 500

// AsideGroup is what is aside of one kind, from one room, for one reason.
type AsideGroup struct {
	Source     string    `json:"source"`
	Room       string    `json:"room"`
	Alias      *string   `json:"alias"`
	Kind       string    `json:"kind"`
	Reason     string    `json:"reason"`
	Count      int       `json:"count"`
	FirstAt    time.Time `json:"first_at"`
	LastAt     time.Time `json:"last_at"`
	References []string  `json:"references"` // the form's names of questions that could not be mapped
}

// AsideItem is one event, or one person's answers.
type AsideItem struct {
	Source     string                 `json:"source"`
	Room       string                 `json:"room"`
	Alias      *string                `json:"alias"`
	Kind       string                 `json:"kind"`
	Reason     string                 `json:"reason"`
	At         time.Time              `json:"at"` // of answers to the hour
	ReceivedAt time.Time              `json:"received_at"`
	References map[string]survey.Code `json:"references"` // null: not answers
}

// optional is a text as JSON writes it, null if there is none.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// asideObject gives what is aside as the API writes it: all of it in groups, and the first items in the order of their arrival.
func asideObject(groups []inbox.Group, items []inbox.Item) Aside {
	o := Aside{Events: make([]AsideItem, len(items)), Groups: make([]AsideGroup, len(groups))}
	for i, item := range items {
		o.Events[i] = AsideItem{
			item.Source, item.Room, optional(item.Alias), item.Kind, item.Reason, item.At, item.ReceivedAt, item.References,
		}
	}
	for i, g := range groups {
		o.Total += g.Count
		o.Groups[i] = AsideGroup{g.Source, g.Room, optional(g.Alias), g.Kind, g.Reason, g.Count, g.FirstAt, g.LastAt, g.References}
	}
	return o
}

// GetAside handles GET /api/v1/aside: authentic events that no session claimed, and events and answers that cannot be used.
func (h *Handlers) GetAside(c *gin.Context) error {
	groups, items, err := h.Inbox.Aside(c.Request.Context(), maxAsideItems)
	if err != nil {
		return err
	}
	return door.Respond(c, http.StatusOK, asideObject(groups, items))
}
