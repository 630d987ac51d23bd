package attendance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// An occurrence that is claimed for one session may go to another: an earlier mark of it arrives, or an organiser takes back what was
// counted by hand. Pseudonyms are of one session and cannot be turned back, so the sealed events of such an occurrence are kept as long as
// it may move, and no longer. They are recorded in the other session first, and the occurrence is dropped from the first one after: at
// least once.

// mostLogged bounds how many events of one occurrence are kept. One that has more stays where it is.
const mostLogged = asidePerRoom

// loggedAfter is how long the events of an occurrence that is replayed are kept at least: a move may follow in the journal.
const loggedAfter = time.Hour

// mover moves occurrences between sessions. Store embeds it.
type mover struct {
	store *Store

	mu      sync.Mutex
	through map[string]bool      // occurrences that have left the sessions they were in before, by name and holder
	waiting map[string]*movement // moves to be tried again, by name and sessions
}

// movement is an occurrence that goes from one session to another.
type movement struct {
	name       string // of the occurrence, among those of all rooms
	occurrence string // as marks name it
	from, to   string
}

func (m movement) key() string { return m.name + " " + m.from + " " + m.to }

// log keeps the events of an occurrence that may move. For long is how long it may from now on.
func (m *mover) log(ctx context.Context, name string, events []*sealed, long time.Duration) error {
	fields := make([]any, 0, 2*len(events))
	for _, e := range events {
		id, err := m.store.asideID(*e)
		if err != nil {
			return err
		}
		text, err := e.asideText()
		if err != nil {
			return err
		}
		fields = append(fields, id, text)
	}
	key := m.store.keys.moving(name)
	var size *redis.IntCmd
	_, err := m.store.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.HSet(ctx, key, fields...)
		p.PExpire(ctx, key, long)
		size = p.HLen(ctx, key)
		return nil
	})
	if err != nil {
		return fmt.Errorf("events of an occurrence that may move: %w", err)
	}
	if size.Val() <= mostLogged {
		return nil
	}
	if err := m.store.programme.Settle(ctx, name); err != nil {
		return err
	}
	return m.unlog(ctx, name)
}

// logged reads what log has kept.
func (m *mover) logged(ctx context.Context, name string) ([]sealed, error) {
	texts, err := m.store.rdb.HGetAll(ctx, m.store.keys.moving(name)).Result()
	if err != nil {
		return nil, fmt.Errorf("events of an occurrence that may move: %w", err)
	}
	events := make([]sealed, 0, len(texts))
	for _, text := range texts {
		var e sealed
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			return nil, fmt.Errorf("events of an occurrence that may move: %w", err)
		}
		events = append(events, e)
	}
	return events, nil
}

// unlog forgets what log has kept.
func (m *mover) unlog(ctx context.Context, name string) error {
	if err := m.store.rdb.Del(ctx, m.store.keys.moving(name)).Err(); err != nil {
		return fmt.Errorf("events of an occurrence that may move: %w", err)
	}
	return nil
}

// follow sees moves through after events were recorded: those that they have brought about, those that somebody has left half done, and
// those that another replica has begun meanwhile, so that these events are in a session that has the occurrence no longer.
func (m *mover) follow(ctx context.Context, batch []sealed) error {
	events := map[string][]*sealed{}
	for i := range batch {
		if e := &batch[i]; e.Session != "" && (e.contest != settled || e.From != "") {
			name := m.store.occurrenceOf(*e)
			events[name] = append(events[name], e)
		}
	}
	for name, events := range events {
		holder, left, err := m.store.programme.Holder(ctx, name)
		if err != nil {
			return err
		}
		if holder == "" {
			continue
		}
		over := false
		from := map[string]bool{}
		var late []sealed // in a session that has the occurrence no longer
		if !m.isThrough(name, holder) {
			for _, id := range left {
				from[id] = true
			}
		}
		for _, e := range events {
			if from[e.Session], from[e.From] = true, true; e.Session != holder {
				late = append(late, *e)
			}
			over = over || e.contest == settling
		}
		delete(from, holder)
		delete(from, "")
		for id := range from {
			if err := m.move(ctx, movement{name, events[0].Occurrence, id, holder}, late...); err != nil {
				return err
			}
		}
		m.noteThrough(name, holder)
		if over {
			if err := m.unlog(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// move records an occurrence in the session that it goes to, with what has just come late, and drops it from the other one. What cannot be done now is tried again.
func (m *mover) move(ctx context.Context, v movement, late ...sealed) error {
	events, err := m.logged(ctx, v.name)
	if err != nil {
		return err
	}
	events = append(events, late...)
	for i := range events {
		e := &events[i]
		e.Session, e.From, e.Contest, e.contest = v.to, "", nil, settled
		session, err := m.store.programme.Session(ctx, v.to)
		if err == nil {
			m.store.assign(e, session)
		}
	}
	if len(events) > 0 {
		if _, err := m.store.record(ctx, events); err != nil {
			return err
		}
	}
	switch err := m.forget(ctx, v.from, v.occurrence); {
	case errors.Is(err, ErrBusy):
		m.note(v, false)
	case err != nil:
		return err
	default:
		m.note(v, true)
	}
	return nil
}

// note keeps a move that has to be tried again, or that was seen through.
func (m *mover) note(v movement, done bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.waiting == nil {
		m.waiting = map[string]*movement{}
	}
	if delete(m.waiting, v.key()); !done {
		m.waiting[v.key()] = &v
	}
}

// mostThrough bounds the memory of moves that were seen through.
const mostThrough = 1000

func (m *mover) noteThrough(name, holder string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.through == nil || len(m.through) >= mostThrough {
		m.through = map[string]bool{}
	}
	m.through[name+" "+holder] = true
}

// isThrough says whether this process knows that an occurrence is nowhere but with the session that has it. What could not be done yet waits
// in this process.
func (m *mover) isThrough(name, holder string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.through[name+" "+holder]
}

// again tries those moves that could not be seen through.
func (m *mover) again(ctx context.Context) error {
	m.mu.Lock()
	waiting := maps.Clone(m.waiting)
	m.mu.Unlock()
	for _, v := range waiting {
		if err := m.move(ctx, *v); err != nil {
			return err
		}
	}
	return nil
}

// One process at a time takes an occurrence out of a session: it holds the session's key of moves for as long as that may take.
const (
	forgetWithin = 30 * time.Second
	forgetTries  = 20
	forgetPause  = 50 * time.Millisecond
)

// forget drops an occurrence from a session's marks; ErrBusy if the session is written to all the time.
func (m *mover) forget(ctx context.Context, session, occurrence string) error {
	key := m.store.keys.forgetting(session)
	for range forgetTries {
		free, err := m.store.rdb.SetNX(ctx, key, "", forgetWithin).Result()
		if err != nil {
			return fmt.Errorf("forget an occurrence: %w", err)
		}
		if !free {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(forgetPause):
			}
			continue
		}
		defer m.store.rdb.Del(context.WithoutCancel(ctx), key)
		return m.store.marks.Drop(ctx, session, occurrence)
	}
	return ErrBusy
}
