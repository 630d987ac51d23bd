package organise

import (
	"cmp"
	"strings"

	"jauge/inbox"
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

// maxAsideViews is how many rooms the programme names, and maxReferences how many of a form's questions.
const (
	maxAsideViews = 5
	maxReferences = 12
)

// asideViews puts the events of a room into one line, whatever their kinds. A room with an Alias is named by that: it stays the same
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
