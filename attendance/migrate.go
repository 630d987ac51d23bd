package attendance

import (
	"context"
	"fmt"
)

// Migrate brings what was stored of sessions in an earlier format to this version's; progress, if not nil, is told after each session. It may
// stop half-way, run twice, or go on while events come. Sessions that began before go on with the best id as the person.
func (s *Store) Migrate(ctx context.Context, progress func(done, of int)) error {
	ids, err := s.programme.IDs(ctx)
	if err != nil {
		return err
	}
	for i, id := range ids {
		if err := s.migrate(ctx, id); err != nil {
			return fmt.Errorf("session %s: %w", id, err)
		}
		if progress != nil {
			progress(i+1, len(ids))
		}
	}
	return nil
}

func (s *Store) migrate(ctx context.Context, id string) error {
	if old, err := s.marks.InFormat1(ctx, id); !old || err != nil {
		return err
	}
	if err := s.keepByID(ctx, id); err != nil {
		return err
	}
	session, err := s.programme.Session(ctx, id)
	if err != nil {
		return err
	}
	nameless := map[string]bool{s.seal.token("occurrence", BeaconSource, id, ""): true}
	for _, room := range session.Rooms {
		nameless[s.seal.token("occurrence", room.Source, room.ID, "")] = true
	}
	return s.marks.Migrate(ctx, id, nameless)
}
