package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/feedback/survey"
	"jauge/handlers/door"
	"jauge/handlers/lookup"
)

// Aside is what is kept aside: authentic, and of no use, or not yet.
type Aside struct {
	Events []AsideItem         `json:"events"` // the first of them
	Total  int                 `json:"total"`
	Groups []lookup.AsideGroup `json:"groups"`
}

// maxAsideItems is how many are listed one by one.
const maxAsideItems = 500

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

// aside reads what is kept aside: all of it in groups, and one by one the first, in the order of their arrival.
func (h *Handlers) aside(ctx context.Context) (Aside, error) {
	groups, answers, err := h.Sessions.AsideGroups(ctx)
	if err != nil {
		return Aside{}, err
	}
	events, err := h.Attendance.AsideEvents(ctx, maxAsideItems)
	if err != nil {
		return Aside{}, err
	}
	items := make([]AsideItem, 0, len(events)+len(answers))
	for _, e := range events {
		items = append(items, AsideItem{
			Source: e.Source, Room: e.Room, Alias: lookup.Optional(e.Alias), Kind: string(e.Kind), Reason: string(e.Reason), At: e.At, ReceivedAt: e.ReceivedAt,
		})
	}
	for _, a := range answers {
		items = append(items, AsideItem{
			Source: a.Source, Room: a.Room, Kind: lookup.AnswersKind, Reason: string(a.Reason), At: a.At, ReceivedAt: a.ReceivedAt, References: a.References,
		})
	}
	slices.SortStableFunc(items, func(a, b AsideItem) int { return a.ReceivedAt.Compare(b.ReceivedAt) })
	o := Aside{Events: items[:min(len(items), maxAsideItems)], Groups: groups}
	for _, g := range groups {
		o.Total += g.Count
	}
	return o, nil
}

// GetAside handles GET /api/v1/aside: authentic events that no session claimed, and events and answers that cannot be used.
func (h *Handlers) GetAside(c *gin.Context) error {
	object, err := h.aside(c.Request.Context())
	if err != nil {
		return err
	}
	return door.Respond(c, http.StatusOK, object)
}
