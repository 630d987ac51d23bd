package attendance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"jauge/attendance/marks"
	"jauge/programme"
)

// Staff are people, not stays: whoever was staff in one event of a session is staff in all of it, and so is whom the configuration names, for
// every session or for this one, by an e-mail address, an id of the platform, or the name that it shows.

// staffLists are the lists of the configuration as hashes, by what they were made of.
type staffLists struct {
	everywhere []string
	hashed     sync.Map // source and list → map of hashes

	mu     sync.Mutex
	marked map[string]string // session → the list that this process has marked in what was recorded before
}

// isStaff says whether the configuration names the person of an event of a session.
func (b *base) isStaff(session programme.Session, e sealed) bool {
	for _, list := range [][]string{b.staff.everywhere, session.Staff} {
		if len(list) == 0 {
			continue
		}
		named := b.staff.of(b.seal, e.Source, list)
		if named[e.Person] || named[e.Email] || named[e.Name] {
			return true
		}
	}
	return false
}

// of gives the hashes that the people of a list may have in events of a source.
func (l *staffLists) of(seal sealer, source string, list []string) map[string]bool {
	key := source + "\x00" + strings.Join(list, "\x00")
	if known, ok := l.hashed.Load(key); ok {
		return known.(map[string]bool)
	}
	named := map[string]bool{}
	for _, entry := range list {
		for _, e := range asPerson(entry) {
			of := seal.seal(source, e)
			named[of.Person], named[of.Email], named[of.Name] = true, true, true
		}
	}
	delete(named, "")
	l.hashed.Store(key, named)
	return named
}

// asPerson is an entry of a list as what it may be: an id, an e-mail address, a name.
func asPerson(entry string) []Event {
	entry = strings.TrimSpace(entry)
	return []Event{{Attendee: entry}, {Email: entry}, {Name: entry}}
}

// markStaff marks whom the lists name in what was recorded before they did: by e-mail address and id. A name is known while an event comes,
// and not later.
func (s *Store) markStaff(ctx context.Context) error {
	sessions, err := s.programme.Sessions(ctx)
	if err != nil {
		return err
	}
	for _, session := range sessions {
		list := slices.Concat(s.staff.everywhere, session.Staff)
		if key := strings.Join(list, "\x00"); len(list) > 0 && !s.staff.isMarked(session.ID, key) {
			if err := s.markStaffOf(ctx, session, list); err != nil {
				return err
			}
			s.staff.setMarked(session.ID, key)
		}
	}
	return nil
}

func (l *staffLists) isMarked(session, list string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.marked[session] == list
}

func (l *staffLists) setMarked(session, list string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.marked == nil {
		l.marked = map[string]string{}
	}
	l.marked[session] = list
}

func (s *Store) markStaffOf(ctx context.Context, session programme.Session, list []string) error {
	switch n, err := s.rdb.Exists(ctx, s.marks.Keys().Counts(session.ID)).Result(); {
	case err != nil:
		return fmt.Errorf("staff: %w", err)
	case n == 0: // nothing was recorded before
		return nil
	}
	byID, err := s.isByID(ctx, session.ID)
	if err != nil {
		return err
	}
	var people []string
	for _, room := range session.Rooms {
		for _, entry := range list {
			for _, e := range asPerson(entry) {
				if person := s.seal.personIn(session.ID, s.seal.seal(room.Source, e), byID); person != "" {
					people = append(people, person)
				}
			}
		}
	}
	slices.Sort(people)
	known, err := s.marks.Known(ctx, session.ID, slices.Compact(people))
	if err != nil {
		return err
	}
	var all []marks.Placed
	for _, person := range known {
		all = append(all, marks.Placed{Session: session.ID, Mark: marks.Mark{Kind: Registered, Staff: true, Person: person}})
	}
	_, err = s.marks.Write(ctx, all)
	return err
}
