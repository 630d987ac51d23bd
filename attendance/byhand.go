package attendance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/programme"
)

// What no window claims can be counted by hand, an opening of the room at a time, in the session that the organiser names. As long as its events
// could have stayed aside, that can be undone: they are kept (see move.go), and go back aside.

// ErrNothingAside says that nothing that could be counted is aside there, or that nothing was counted by hand there.
var ErrNothingAside = errors.New("nothing is aside there")

// Opening is one opening of a room that is aside as a whole, or was counted by hand.
type Opening struct {
	Source, Room, Alias string
	ID                  string // names it; made of hashes
	Reason              Reason // NoSession or Outside
	Events, People      int    // distinct people of the audience
	FirstAt, LastAt     time.Time
	Session             string    // counted in this session; empty: it is aside
	Until               time.Time // until then that can be undone
}

// counting is an opening that was counted by hand, as the store and the journal have it.
type counting struct {
	Opening
	Occurrence string   // as marks name it
	Name       string   // of the occurrence, among those of all rooms
	Sealed     []sealed `json:",omitempty"` // the events; in the journal alone
}

// byHand counts openings by hand. Store embeds it.
type byHand struct{ store *Store }

// Openings lists the openings of rooms that are aside, by room and time. unplanned: those of rooms without any session, too.
func (b *byHand) Openings(ctx context.Context, unplanned bool) ([]Opening, error) {
	groups, err := b.store.asideGroups(ctx)
	if err != nil {
		return nil, err
	}
	rooms := map[asideRoom]Reason{}
	for _, g := range groups {
		room := asideRoom{g.Source, g.Room, g.Alias}
		if _, known := rooms[room]; known || g.Reason != NoSession || g.opening == "" {
			continue
		}
		reason, err := b.store.reasonNow(ctx, NoSession, room)
		if err != nil {
			return nil, err
		}
		if unplanned || reason == Outside {
			rooms[room] = reason
		}
	}
	var openings []Opening
	for room, reason := range rooms {
		events, err := b.store.asideIn(ctx, room)
		if err != nil {
			return nil, err
		}
		for id, events := range byOpening(events) {
			o := openingOf(room, id, events)
			o.Reason = reason
			openings = append(openings, o)
		}
	}
	sortOpenings(openings)
	return openings, nil
}

func sortOpenings(openings []Opening) {
	slices.SortFunc(openings, func(a, b Opening) int {
		return strings.Compare(a.Source+"\x00"+a.Room+"\x00"+a.FirstAt.Format(time.RFC3339Nano)+a.ID, b.Source+"\x00"+b.Room+"\x00"+b.FirstAt.Format(time.RFC3339Nano)+b.ID)
	})
}

func byOpening(events []sealed) map[string][]sealed {
	openings := map[string][]sealed{}
	for _, e := range events {
		if id := e.opening(); id != "" {
			openings[id] = append(openings[id], e)
		}
	}
	return openings
}

func openingOf(room asideRoom, id string, events []sealed) Opening {
	o := Opening{Source: room.Source, Room: room.Room, Alias: room.Alias, ID: id, Events: len(events), People: distinct(events)}
	first, last := events[0].At, events[0].At
	for _, e := range events {
		first, last = min(first, e.At), max(last, e.At)
	}
	o.FirstAt, o.LastAt = time.UnixMilli(first).UTC(), time.UnixMilli(last).UTC()
	return o
}

// distinct is how many people of the audience events are of. Some name the connection alone.
func distinct(events []sealed) int {
	owner, people, staff := map[string]string{}, map[string]bool{}, map[string]bool{}
	person := func(e sealed) string {
		if e.Email != "" {
			return e.Email
		}
		return e.Person
	}
	for _, e := range events {
		if p := person(e); p != "" && e.Connection != "" {
			owner[e.Connection] = p
		}
	}
	for _, e := range events {
		p := person(e)
		if p == "" && e.Connection != "" {
			if p = owner[e.Connection]; p == "" {
				p = e.Connection
			}
		}
		if p != "" {
			people[p] = true
			staff[p] = staff[p] || e.Staff
		}
	}
	maps.DeleteFunc(people, func(p string, _ bool) bool { return staff[p] })
	return len(people)
}

// Count counts an opening that is aside, or, without an id, all of a room, in a session, and gives what is counted: programme.ErrNotFound,
// ErrNothingAside, or programme.ErrClaimed if another session has it meanwhile.
func (b *byHand) Count(ctx context.Context, source, room, id, session string) ([]Opening, error) {
	if _, err := b.store.programme.Session(ctx, session); err != nil {
		return nil, err
	}
	groups, err := b.store.asideGroups(ctx)
	if err != nil {
		return nil, err
	}
	rooms := map[asideRoom]bool{}
	for _, g := range groups {
		if g.Source == source && g.Room == room && g.Reason == NoSession {
			rooms[asideRoom{g.Source, g.Room, g.Alias}] = true
		}
	}
	var counted []Opening
	for room := range rooms {
		events, err := b.store.asideIn(ctx, room)
		if err != nil {
			return nil, err
		}
		for opening, events := range byOpening(events) {
			if id != "" && opening != id {
				continue
			}
			c := b.counting(room, opening, session, events)
			if err := b.store.programme.Give(ctx, c.Name, session, c.Until); err != nil {
				return nil, err
			}
			if err := b.store.journal.Do(ctx, entryCounted, c, func(ctx context.Context) error { return b.apply(ctx, c) }); err != nil {
				return nil, err
			}
			counted = append(counted, c.Opening)
		}
	}
	if len(counted) == 0 {
		return nil, ErrNothingAside
	}
	sortOpenings(counted)
	return counted, nil
}

// counting prepares events to be counted. Where the platform names no occurrence they are one of their own, so that they can be told from what
// the session has already.
func (b *byHand) counting(room asideRoom, id, session string, events []sealed) counting {
	c := counting{Opening: openingOf(room, id, events), Sealed: events}
	c.Session, c.Reason = session, Outside
	until := events[0].Arrived
	for i := range events {
		e := &events[i]
		until = min(until, e.Arrived)
		if e.Session = session; strings.HasSuffix(e.Occurrence, "/") {
			e.Aside, e.Occurrence = e.Occurrence, b.store.seal.token("counted by hand", room.Source, room.Room, id)
		}
	}
	c.Until = time.UnixMilli(until).Add(asideFor).UTC()
	c.Occurrence, c.Name = events[0].Occurrence, b.store.occurrenceOf(events[0])
	return c
}

func (b *byHand) apply(ctx context.Context, c counting) error {
	if err := b.store.programme.Give(ctx, c.Name, c.Session, c.Until); err != nil && !errors.Is(err, programme.ErrClaimed) {
		return err
	}
	events := slices.Clone(c.Sealed)
	if err := b.store.applyClaimed(ctx, events, true); err != nil {
		return err
	}
	c.Sealed = nil
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return b.store.rdb.HSet(ctx, b.store.keys.counted(), c.Source+" "+c.Room+" "+c.ID, text).Err()
}

// Counted lists the openings that were counted by hand, as long as that can be undone.
func (b *byHand) Counted(ctx context.Context) ([]Opening, error) {
	all, err := b.store.rdb.HGetAll(ctx, b.store.keys.counted()).Result()
	if err != nil {
		return nil, fmt.Errorf("what was counted by hand: %w", err)
	}
	var openings []Opening
	for field, text := range all {
		var c counting
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			return nil, fmt.Errorf("what was counted by hand: %w", err)
		}
		if b.store.now().Before(c.Until) {
			openings = append(openings, c.Opening)
		} else if err := b.store.rdb.HDel(ctx, b.store.keys.counted(), field).Err(); err != nil {
			return nil, fmt.Errorf("what was counted by hand: %w", err)
		}
	}
	sortOpenings(openings)
	return openings, nil
}

// Uncount puts an opening that was counted by hand back aside; ErrNothingAside, or ErrBusy while the session is written to all the time.
func (b *byHand) Uncount(ctx context.Context, source, room, id string) error {
	text, err := b.store.rdb.HGet(ctx, b.store.keys.counted(), source+" "+room+" "+id).Result()
	if errors.Is(err, redis.Nil) {
		return ErrNothingAside
	}
	if err != nil {
		return fmt.Errorf("what was counted by hand: %w", err)
	}
	var c counting
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return fmt.Errorf("what was counted by hand: %w", err)
	}
	if !b.store.now().Before(c.Until) {
		return ErrNothingAside
	}
	return b.store.journal.Do(ctx, entryUncounted, c, func(ctx context.Context) error { return b.undo(ctx, c) })
}

func (b *byHand) undo(ctx context.Context, c counting) error {
	events, err := b.store.logged(ctx, c.Name)
	if err != nil {
		return err
	}
	if err := b.store.programme.TakeBack(ctx, c.Name, c.Session); err != nil {
		return err
	}
	back := make([]*sealed, len(events))
	for i := range events {
		back[i] = &events[i]
	}
	if err := b.store.putAside(ctx, back, asideBounds{}); err != nil {
		return err
	}
	if err := b.store.forget(ctx, c.Session, c.Occurrence); err != nil {
		return err
	}
	if err := b.store.unlog(ctx, c.Name); err != nil {
		return err
	}
	return b.store.rdb.HDel(ctx, b.store.keys.counted(), c.Source+" "+c.Room+" "+c.ID).Err()
}
