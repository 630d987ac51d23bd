package lookup

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"jauge/feedback"
)

// AnswersKind is the kind of event that a delivery of answers counts as.
const AnswersKind = "answers"

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
	References []string  `json:"references"` // of the form, that could not be used
}

// AsideGroups counts what is aside by source, room, kind and reason, the largest group first. Of events it reads their counts
// alone.
func (s *Sessions) AsideGroups(ctx context.Context) (groups []AsideGroup, answers []feedback.AsideAnswers, _ error) {
	events, err := s.Attendance.AsideGroups(ctx)
	if err != nil {
		return nil, nil, err
	}
	if answers, err = s.Feedback.Aside(ctx); err != nil {
		return nil, nil, err
	}
	groups = groupAnswers(answers)
	for _, g := range events {
		groups = append(groups, AsideGroup{
			Source: g.Source, Room: g.Room, Alias: Optional(g.Alias), Kind: string(g.Kind), Reason: string(g.Reason), Count: g.Count,
			FirstAt: g.FirstAt, LastAt: g.LastAt, References: []string{},
		})
	}
	slices.SortFunc(groups, func(a, b AsideGroup) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Room, b.Room), cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Reason, b.Reason), a.FirstAt.Compare(b.FirstAt))
	})
	return groups, answers, nil
}

// Optional is a text as JSON writes it, null if there is none.
func Optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// groupAnswers counts answers by source, room and reason.
func groupAnswers(answers []feedback.AsideAnswers) []AsideGroup {
	type key struct{ source, room, reason string }
	groups, references := map[key]*AsideGroup{}, map[key]map[string]bool{}
	for _, a := range answers {
		k := key{a.Source, a.Room, string(a.Reason)}
		g := groups[k]
		if g == nil {
			g = &AsideGroup{Source: a.Source, Room: a.Room, Kind: AnswersKind, Reason: k.reason, FirstAt: a.At, LastAt: a.At}
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
	list := make([]AsideGroup, 0, len(groups))
	for k, g := range groups {
		g.References = slices.AppendSeq([]string{}, maps.Keys(references[k]))
		slices.Sort(g.References)
		list = append(list, *g)
	}
	return list
}
