package inbox

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"jauge/feedback"
	"jauge/feedback/survey"
)

// Answers is the kind of a group or item of answers; those of events have the event's kind.
const Answers = "answers"

// Group is what is aside of one kind, from one room, for one reason.
type Group struct {
	Source, Room, Alias string // Alias is another id that a session may name instead; empty: none
	Kind, Reason        string
	Count               int
	FirstAt, LastAt     time.Time
	References          []string // the form's names of questions that could not be mapped, sorted; empty: events
}

// Item is one event, or one person's answers.
type Item struct {
	Source, Room, Alias string
	Kind, Reason        string
	At, ReceivedAt      time.Time              // At of answers to the hour
	References          map[string]survey.Code // nil: not answers
}

// Groups counts what is aside by source, room, kind and reason, the largest group first. It reads no single event.
func (b *Inbox) Groups(ctx context.Context) ([]Group, error) {
	answers, err := b.Feedback.Aside(ctx)
	if err != nil {
		return nil, err
	}
	return b.groups(ctx, answers)
}

// Aside gives Groups, and the first items in the order of their arrival, at most so many.
func (b *Inbox) Aside(ctx context.Context, most int) ([]Group, []Item, error) {
	answers, err := b.Feedback.Aside(ctx)
	if err != nil {
		return nil, nil, err
	}
	groups, err := b.groups(ctx, answers)
	if err != nil {
		return nil, nil, err
	}
	events, err := b.Attendance.AsideEvents(ctx, most)
	if err != nil {
		return nil, nil, err
	}
	items := make([]Item, 0, len(events)+len(answers))
	for _, e := range events {
		items = append(items, Item{
			Source: e.Source, Room: e.Room, Alias: e.Alias, Kind: string(e.Kind), Reason: string(e.Reason), At: e.At, ReceivedAt: e.ReceivedAt,
		})
	}
	for _, a := range answers {
		items = append(items, Item{
			Source: a.Source, Room: a.Room, Kind: Answers, Reason: string(a.Reason), At: a.At, ReceivedAt: a.ReceivedAt, References: a.References,
		})
	}
	slices.SortStableFunc(items, func(a, b Item) int { return a.ReceivedAt.Compare(b.ReceivedAt) })
	return groups, items[:min(len(items), most)], nil
}

// Counts is how many events and answers are aside, by source.
func (b *Inbox) Counts(ctx context.Context) (map[string]int, error) {
	events, err := b.Attendance.AsideCounts(ctx)
	if err != nil {
		return nil, err
	}
	answers, err := b.Feedback.AsideCounts(ctx)
	all := map[string]int{}
	for _, counts := range []map[string]int{events, answers} {
		for source, n := range counts {
			all[source] += n
		}
	}
	return all, err
}

func (b *Inbox) groups(ctx context.Context, answers []feedback.AsideAnswers) ([]Group, error) {
	events, err := b.Attendance.AsideGroups(ctx)
	if err != nil {
		return nil, err
	}
	groups := groupAnswers(answers)
	for _, g := range events {
		groups = append(groups, Group{
			Source: g.Source, Room: g.Room, Alias: g.Alias, Kind: string(g.Kind), Reason: string(g.Reason), Count: g.Count,
			FirstAt: g.FirstAt, LastAt: g.LastAt, References: []string{},
		})
	}
	slices.SortFunc(groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Room, b.Room), cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Reason, b.Reason), a.FirstAt.Compare(b.FirstAt))
	})
	return groups, nil
}

// groupAnswers counts answers by source, room and reason.
func groupAnswers(answers []feedback.AsideAnswers) []Group {
	type key struct{ source, room, reason string }
	groups, references := map[key]*Group{}, map[key]map[string]bool{}
	for _, a := range answers {
		k := key{a.Source, a.Room, string(a.Reason)}
		g := groups[k]
		if g == nil {
			g = &Group{Source: a.Source, Room: a.Room, Kind: Answers, Reason: k.reason, FirstAt: a.At, LastAt: a.At}
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
	list := make([]Group, 0, len(groups))
	for k, g := range groups {
		g.References = slices.AppendSeq([]string{}, maps.Keys(references[k]))
		slices.Sort(g.References)
		list = append(list, *g)
	}
	return list
}
