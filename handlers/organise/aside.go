package organise

import (
	"cmp"
	"context"
	"strings"

	"github.com/gin-gonic/gin"

	"jauge/attendance"
	"jauge/handlers/door"
	"jauge/handlers/page"
	"jauge/inbox"
	"jauge/programme"
)

// asideView is a room on the programme's page of which events or answers are aside.
type asideView struct {
	Source, Room string
	Reason       string
	Events       int
	Answers      int
	References   []string
}

// Names lists the references.
func (v asideView) Names() string { return strings.Join(v.References, ", ") }

// maxAsideViews is how many rooms the programme names, maxOpenings how many of their openings, and maxReferences how many of a form's
// questions.
const (
	maxOpenings   = 10
	maxAsideViews = 5
	maxReferences = 12
)

// asideViews puts the events of a room, but for those outside the times of its sessions, into one line, whatever their kinds. A room with an Alias is named by that: it stays the same
// over several openings.
func asideViews(groups []inbox.Group) []asideView {
	type key struct {
		source, room string
		reason       string
		answers      bool
	}
	var views []asideView
	lines := map[key]int{}
	for _, g := range groups {
		if g.Reason == string(attendance.Outside) { // told as openings
			continue
		}
		room := cmp.Or(g.Alias, g.Room)
		k := key{g.Source, room, g.Reason, g.Kind == inbox.Answers}
		i, ok := lines[k]
		if !ok {
			i, lines[k] = len(views), len(views)
			views = append(views, asideView{Source: g.Source, Room: room, Reason: g.Reason})
		}
		if g.Kind == inbox.Answers {
			views[i].Answers += g.Count
			views[i].References = g.References[:min(len(g.References), maxReferences)]
		} else {
			views[i].Events += g.Count
		}
	}
	return views
}

// openingView is an opening of a room that no session claims, or that was counted by hand.
type openingView struct {
	Source, Room, ID string
	Name             string // the room, as it is shown
	When             string
	People           int
	Session, Title   string        // that it is counted in
	Choices          []programmeIn // that it can be counted in
}

// programmeIn is a session that has the room.
type programmeIn struct{ ID, Title string }

// openingViews gives what the programme says of openings that no session claims, and of those that were counted by hand.
func (h *Handlers) openingViews(ctx context.Context, l *page.Lang, sessions []programme.Session) (aside, counted []openingView, err error) {
	outside, err := h.Attendance.Openings(ctx, false)
	if err != nil {
		return nil, nil, err
	}
	done, err := h.Attendance.Counted(ctx)
	if err != nil {
		return nil, nil, err
	}
	view := func(o attendance.Opening) (v openingView, err error) {
		v = openingView{Source: o.Source, Room: o.Room, ID: o.ID, Name: cmp.Or(o.Alias, o.Room), People: o.People, Session: o.Session}
		zone := h.Now().Location()
		for _, session := range sessions {
			for _, room := range session.Rooms {
				if room.Source == o.Source && (room.ID == o.Room || room.ID == o.Alias && o.Alias != "") {
					zone = session.StartsAt.Location()
					v.Choices = append(v.Choices, programmeIn{session.ID, session.Title.In(l.Tag)})
				}
			}
			if session.ID == o.Session {
				v.Title = session.Title.In(l.Tag)
			}
		}
		v.When, err = l.T("aside.when", "Date", l.Date(o.FirstAt.In(zone)), "From", l.Clock(o.FirstAt.In(zone)), "To", l.Clock(o.LastAt.In(zone)))
		return v, err
	}
	for _, o := range outside {
		v, err := view(o)
		if err != nil {
			return nil, nil, err
		}
		aside = append(aside, v)
	}
	for _, o := range done {
		v, err := view(o)
		if err != nil {
			return nil, nil, err
		}
		counted = append(counted, v)
	}
	return aside, counted, nil
}

// ClaimForm handles POST /aside/claim, a button of the programme.
func (h *Handlers) ClaimForm(c *gin.Context) error {
	form, err := door.ReadForm(c)
	if err != nil {
		return err
	}
	if _, err := h.Attendance.Count(c.Request.Context(), form.Get("source"), form.Get("room"), form.Get("occurrence"), form.Get("session")); err != nil {
		return err
	}
	h.Pages.Redirect(c, "/", nil)
	return nil
}

// UnclaimForm handles POST /aside/unclaim, a button of the programme.
func (h *Handlers) UnclaimForm(c *gin.Context) error {
	form, err := door.ReadForm(c)
	if err != nil {
		return err
	}
	if err := h.Attendance.Uncount(c.Request.Context(), form.Get("source"), form.Get("room"), form.Get("occurrence")); err != nil {
		return err
	}
	h.Pages.Redirect(c, "/", nil)
	return nil
}
