package handlers

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
)

// asideObject is what is kept aside: authentic, and of no use, or not yet.
type asideObject struct {
	Events []asideItem  `json:"events"` // the first of them
	Total  int          `json:"total"`
	Groups []asideGroup `json:"groups"`
}

// maxAsideItems is how many are listed one by one.
const maxAsideItems = 500

// asideItem is one event, or one person's answers.
type asideItem struct {
	Source     string                   `json:"source"`
	Room       string                   `json:"room"`
	Alias      *string                  `json:"alias"`
	Kind       string                   `json:"kind"`
	Reason     string                   `json:"reason"`
	At         time.Time                `json:"at"` // of answers to the hour
	ReceivedAt time.Time                `json:"received_at"`
	References map[string]feedback.Code `json:"references"` // null: not answers
}

// asideGroup is what is aside of one kind, from one room, for one reason.
type asideGroup struct {
	Source     string    `json:"source"`
	Room       string    `json:"room"`
	Alias      *string   `json:"alias"`
	Kind       string    `json:"kind"`
	Reason     string    `json:"reason"`
	Count      int       `json:"count"`
	FirstAt    time.Time `json:"first_at"`
	LastAt     time.Time `json:"last_at"`
	References []string  `json:"references"` // of the form, that could not be used
}

// asideGroups counts what is aside by source, room, kind and reason, the largest group first. Of events it reads their counts
// alone.
func (s *server) asideGroups(ctx context.Context) (groups []asideGroup, answers []feedback.AsideAnswers, _ error) {
	events, err := s.Attendance.AsideGroups(ctx)
	if err != nil {
		return nil, nil, err
	}
	if answers, err = s.Feedback.Aside(ctx); err != nil {
		return nil, nil, err
	}
	groups = groupAnswers(answers)
	for _, g := range events {
		groups = append(groups, asideGroup{
			Source: g.Source, Room: g.Room, Alias: optional(g.Alias), Kind: string(g.Kind), Reason: string(g.Reason), Count: g.Count,
			FirstAt: g.FirstAt, LastAt: g.LastAt, References: []string{},
		})
	}
	slices.SortFunc(groups, func(a, b asideGroup) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Room, b.Room), cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Reason, b.Reason), a.FirstAt.Compare(b.FirstAt))
	})
	return groups, answers, nil
}

// optional is a text as JSON writes it, null if there is none.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// groupAnswers counts answers by source, room and reason.
func groupAnswers(answers []feedback.AsideAnswers) []asideGroup {
	type key struct{ source, room, reason string }
	groups, references := map[key]*asideGroup{}, map[key]map[string]bool{}
	for _, a := range answers {
		k := key{a.Source, a.Room, string(a.Reason)}
		g := groups[k]
		if g == nil {
			g = &asideGroup{Source: a.Source, Room: a.Room, Kind: answersKind, Reason: k.reason, FirstAt: a.At, LastAt: a.At}
			groups[k], references[k] = g, map[string]bool{}
		}
		g.Count++
		if a.At.Before(g.FirstAt) {
			g.FirstAt = a.At
		}
		if a.At.After(g.LastAt) {
			g.LastAt = a.At
		}
		for ref := range a.References {
			references[k][ref] = true
		}
	}
	list := make([]asideGroup, 0, len(groups))
	for k, g := range groups {
		g.References = slices.AppendSeq([]string{}, maps.Keys(references[k]))
		slices.Sort(g.References)
		list = append(list, *g)
	}
	return list
}

// aside reads what is kept aside: all of it in groups, and one by one the first, in the order of their arrival.
func (s *server) aside(ctx context.Context) (asideObject, error) {
	groups, answers, err := s.asideGroups(ctx)
	if err != nil {
		return asideObject{}, err
	}
	events, err := s.Attendance.AsideEvents(ctx, maxAsideItems)
	if err != nil {
		return asideObject{}, err
	}
	items := make([]asideItem, 0, len(events)+len(answers))
	for _, e := range events {
		items = append(items, asideItem{
			Source: e.Source, Room: e.Room, Alias: optional(e.Alias), Kind: string(e.Kind), Reason: string(e.Reason), At: e.At, ReceivedAt: e.ReceivedAt,
		})
	}
	for _, a := range answers {
		items = append(items, asideItem{
			Source: a.Source, Room: a.Room, Kind: answersKind, Reason: string(a.Reason), At: a.At, ReceivedAt: a.ReceivedAt, References: a.References,
		})
	}
	slices.SortStableFunc(items, func(a, b asideItem) int { return a.ReceivedAt.Compare(b.ReceivedAt) })
	o := asideObject{Events: items[:min(len(items), maxAsideItems)], Groups: groups}
	for _, g := range groups {
		o.Total += g.Count
	}
	return o, nil
}

// getAside handles GET /api/v1/aside: authentic events that no session claimed, and events and answers that cannot be used.
func (s *server) getAside(c *gin.Context) error {
	object, err := s.aside(c.Request.Context())
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, object)
}

// asideView is what the programme says of a room whose events or answers are of no use, or not yet.
type asideView struct {
	Source, Room string
	Reason       string
	Events       int
	Answers      int
	References   []string
}

// Names lists the references.
func (v asideView) Names() string { return strings.Join(v.References, ", ") }

// maxAsideViews is how many rooms the programme names, and maxReferences how many of a form's questions.
const (
	maxAsideViews = 5
	maxReferences = 12
)

// asideViews puts the events of a room into one line, whatever their kinds. A room that sessions may name by another id is
// named by that one: it stays the same over several openings.
func asideViews(groups []asideGroup) []asideView {
	type key struct {
		source, room string
		reason       string
		answers      bool
	}
	var views []asideView
	lines := map[key]int{}
	for _, g := range groups {
		room := g.Room
		if g.Alias != nil {
			room = *g.Alias
		}
		k := key{g.Source, room, g.Reason, g.Kind == answersKind}
		i, ok := lines[k]
		if !ok {
			i, lines[k] = len(views), len(views)
			views = append(views, asideView{Source: g.Source, Room: room, Reason: g.Reason})
		}
		if g.Kind == answersKind {
			views[i].Answers += g.Count
			views[i].References = g.References[:min(len(g.References), maxReferences)]
		} else {
			views[i].Events += g.Count
		}
	}
	return views
}
