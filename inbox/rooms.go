package inbox

import (
	"context"

	"jauge/attendance"
	"jauge/platforms"
	"jauge/programme"
)

// Recognise gives events of a room that the platform could only hint at the name under which a session knows it. Where the
// programme cannot be read they stay as they are, and are aside.
func (b *Inbox) Recognise(ctx context.Context, source platforms.Source, events []attendance.Event) {
	mentions := platforms.Dialects[source.Platform].Mentions
	if mentions == nil {
		return
	}
	var sessions []programme.Session
	names := map[string]string{} // a room as it was said → as it is known
	for i := range events {
		said := events[i].Room
		known, done := names[said]
		if !done {
			if sessions == nil {
				sessions, _ = b.Programme.Sessions(ctx)
			}
			known = roomOf(sessions, source.Name, said, mentions)
			names[said] = known
		}
		events[i].Room = known
	}
}

// roomOf is the room of a session that a source has said something of: the one of that id, else the one that it mentions, else
// what was said.
func roomOf(sessions []programme.Session, source, said string, mentions func(room, configured string) bool) string {
	known := said
	for _, session := range sessions {
		for _, room := range session.Rooms {
			switch {
			case room.Source != source:
			case room.ID == said:
				return said
			case mentions(said, room.ID):
				known = room.ID
			}
		}
	}
	return known
}
