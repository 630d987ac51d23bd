package programme

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

// Definitions come from the configuration file, at each start, and from the API, at any time. What the API changed stands
// until the file itself changes.

// Configure writes the configuration file's sessions into the store, but not where the store has the same version of the file's
// definition, which the API may have changed since. Sessions that came from a file and are no longer in it are retired. With Redis
// away it fails, and this process goes by the file's sessions until it works.
func (c *Catalogue) Configure(ctx context.Context, sessions []Session) error {
	file := make(map[string]definition, len(sessions))
	for _, session := range sessions {
		d, err := ofFile(session)
		if err != nil {
			return err
		}
		file[session.ID] = d
	}
	c.last.CompareAndSwap(nil, newSnapshot(file))
	stored, err := c.readAll(ctx)
	if err != nil {
		return err
	}
	var changed []definition
	for id, d := range file {
		if before, ok := stored[id]; ok && before.File == d.File {
			if d = before; !before.Retired {
				continue
			}
			d.Retired = false
		}
		changed = append(changed, d)
	}
	for id, d := range stored {
		if _, ok := file[id]; ok || d.File == "" || d.Retired {
			continue
		}
		d.Retired = true
		changed = append(changed, d)
	}
	if err := c.store(ctx, changed...); err != nil {
		return err
	}
	c.remember(true) // makes the snapshot stale: so far it is the file, without the sessions of the API
	_, err = c.snapshot(ctx)
	return err
}

// ofFile is the definition of a session as the file has it.
func ofFile(session Session) (definition, error) {
	text, err := json.Marshal(session)
	sum := sha256.Sum256(text)
	return definition{Session: session, File: hex.EncodeToString(sum[:8])}, err
}

// Restore writes those of the file's sessions that the store lacks: Redis may come back empty. Unlike Configure it overwrites none,
// so replicas with different files do not undo each other.
func (c *Catalogue) Restore(ctx context.Context, sessions []Session) error {
	known, err := c.snapshot(ctx)
	if err != nil {
		return err
	}
	sessions = slices.DeleteFunc(slices.Clone(sessions), func(s Session) bool { _, ok := known.definitions[s.ID]; return ok })
	if len(sessions) == 0 {
		return nil
	}
	_, err = c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, session := range sessions {
			d, err := ofFile(session)
			if err != nil {
				return err
			}
			text, err := json.Marshal(d)
			if err != nil {
				return err
			}
			p.HSetNX(ctx, c.keys.sessions(), session.ID, text)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store sessions: %w", err)
	}
	c.remember(true)
	return nil
}

// Create adds a session at run time; ErrExists, or problem.Problems if the definition is wrong.
func (c *Catalogue) Create(ctx context.Context, session Session) error {
	if err := session.Validate().Err(); err != nil {
		return err
	}
	switch _, err := c.lastKnown(ctx, session.ID); {
	case err == nil:
		return ErrExists
	case !errors.Is(err, ErrNotFound):
		return err
	}
	return c.Put(ctx, session)
}

// Put creates or changes a session at run time; problem.Problems if the definition is wrong. This process sees it at once, even
// while it waits in the journal. The caller reclaims what is aside of its rooms.
func (c *Catalogue) Put(ctx context.Context, session Session) error {
	if err := session.Validate().Err(); err != nil {
		return err
	}
	d, err := c.lastKnown(ctx, session.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	d.Session, d.Retired, d.Changes = session, false, d.Changes+1
	stored := false
	err = c.journal.Do(ctx, entrySession, d, func(ctx context.Context) error {
		err := c.store(ctx, d)
		stored = err == nil
		return err
	})
	if err != nil {
		return err
	}
	if !stored {
		c.remember(false, d)
	}
	return nil
}

// applyEntry stores a definition of the journal, unless the store has a later one, or one of another version of the file.
func (c *Catalogue) applyEntry(ctx context.Context, d definition) error {
	now, err := c.read(ctx, d.Session.ID)
	absent := errors.Is(err, ErrNotFound)
	switch {
	case absent || err == nil && now.Retired:
		d.Retired = d.File != "" && c.journal.Ahead() // the store knows the file by now, and the file no longer has it
	case err != nil:
		return err
	}
	if !absent && (now.File != d.File || now.Changes > d.Changes) {
		c.forget(d)
		return nil
	}
	return c.store(ctx, d)
}
