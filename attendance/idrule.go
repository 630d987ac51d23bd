package attendance

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// In sessions that began with an earlier version, the best id of a person is the person, although the platform gives an e-mail address, and
// they end as they began: see keys.byID.

// idRule is in which sessions that is so, as this process has read it last.
type idRule struct {
	mu   sync.Mutex // held while it is read
	last atomic.Pointer[readRule]
}

type readRule struct {
	sessions map[string]bool
	at       time.Time
}

// ruleStale is how long a process may not know that another one has taken up what an earlier version left in its journal.
const ruleStale = 10 * time.Second

// isByID says whether the best id of a person, and not their e-mail address, is the person in a session.
func (b *base) isByID(ctx context.Context, session string) (bool, error) {
	r := b.rule.last.Load()
	if r == nil || time.Since(r.at) > ruleStale {
		read, err := b.readRule(ctx)
		switch {
		case err == nil:
			r = read
		case r == nil:
			return false, err
		}
	}
	return r.sessions[session], nil
}

func (b *base) readRule(ctx context.Context) (*readRule, error) {
	b.rule.mu.Lock()
	defer b.rule.mu.Unlock()
	if r := b.rule.last.Load(); r != nil && time.Since(r.at) <= ruleStale {
		return r, nil
	}
	ids, err := b.rdb.SMembers(ctx, b.keys.byID()).Result()
	if err != nil {
		return nil, fmt.Errorf("people by id: %w", err)
	}
	r := &readRule{map[string]bool{}, time.Now()}
	for _, id := range ids {
		r.sessions[id] = true
	}
	b.rule.last.Store(r)
	return r, nil
}

// keepByID lets a session go on as it began: with the best id as the person.
func (b *base) keepByID(ctx context.Context, session string) error {
	if is, err := b.isByID(ctx, session); is || err != nil {
		return err
	}
	if err := b.rdb.SAdd(ctx, b.keys.byID(), session).Err(); err != nil {
		return fmt.Errorf("people by id: %w", err)
	}
	b.rule.last.Store(nil)
	return nil
}
