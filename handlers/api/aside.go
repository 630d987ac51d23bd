package api

import (
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/attendance"
	"jauge/feedback/survey"
	"jauge/handlers/door"
	"jauge/inbox"
	"jauge/internal/problem"
)

// Aside is what is kept aside (quarantined): authentic events and answers that do not count, or not yet.
type Aside struct {
	Events []AsideItem  `json:"events"` // the first of them
	Total  int          `json:"total"`
	Groups []AsideGroup `json:"groups"`

	Openings []Opening `json:"openings"` // what of it could be counted by hand
	Counted  []Opening `json:"counted"`  // what was, as long as that can be undone
}

// Opening is one opening of a room: a meeting that no session claims.
type Opening struct {
	Source     string     `json:"source"`
	Room       string     `json:"room"`
	Alias      *string    `json:"alias"`
	Occurrence string     `json:"occurrence"` // made up by jauge; names it
	Reason     string     `json:"reason"`
	Events     int        `json:"events"`
	People     int        `json:"people"`
	FirstAt    time.Time  `json:"first_at"`
	LastAt     time.Time  `json:"last_at"`
	Session    *string    `json:"session"` // counted there
	Until      *time.Time `json:"until"`   // that can be undone until then
}

func openingObjects(openings []attendance.Opening) []Opening {
	objects := make([]Opening, len(openings))
	for i, o := range openings {
		objects[i] = Opening{
			Source: o.Source, Room: o.Room, Alias: optional(o.Alias), Occurrence: o.ID, Reason: string(o.Reason), Events: o.Events, People: o.People,
			FirstAt: o.FirstAt, LastAt: o.LastAt, Session: optional(o.Session),
		}
		if o.Session != "" {
			objects[i].Until = &o.Until
		}
	}
	return objects
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
	openings, err := h.Attendance.Openings(c.Request.Context(), true)
	if err != nil {
		return err
	}
	counted, err := h.Attendance.Counted(c.Request.Context())
	if err != nil {
		return err
	}
	o := asideObject(groups, items)
	o.Openings, o.Counted = openingObjects(openings), openingObjects(counted)
	return door.Respond(c, http.StatusOK, o)
}

// openingRef names what is to be counted, or to be put back aside.
type openingRef struct {
	Source     string `json:"source"`
	Room       string `json:"room"`
	Occurrence string `json:"occurrence"` // empty: all of the room
	Session    string `json:"session"`
}

// readOpening reads a reference whose named fields have to be there.
func readOpening(c *gin.Context, required ...string) (r openingRef, _ error) {
	if err := door.DecodeJSON(c, &r); err != nil {
		return r, err
	}
	var problems problem.Problems
	for name, value := range map[string]string{"source": r.Source, "room": r.Room, "occurrence": r.Occurrence, "session": r.Session} {
		if value == "" && slices.Contains(required, name) {
			problems = append(problems, problem.Problem{Path: name, Message: "missing"})
		}
	}
	return r, problems.Err()
}

// ClaimAside handles POST /api/v1/aside/claim: it counts what no session claims.
func (h *Handlers) ClaimAside(c *gin.Context) error {
	r, err := readOpening(c, "source", "room", "session")
	if err != nil {
		return err
	}
	counted, err := h.Attendance.Count(c.Request.Context(), r.Source, r.Room, r.Occurrence, r.Session)
	if err != nil {
		return err
	}
	return door.Respond(c, http.StatusOK, map[string][]Opening{"counted": openingObjects(counted)})
}

// UnclaimAside handles POST /api/v1/aside/unclaim: what was counted by hand is put back aside.
func (h *Handlers) UnclaimAside(c *gin.Context) error {
	r, err := readOpening(c, "source", "room", "occurrence")
	if err != nil {
		return err
	}
	if err := h.Attendance.Uncount(c.Request.Context(), r.Source, r.Room, r.Occurrence); err != nil {
		return err
	}
	return h.GetAside(c)
}
