// Package marks keeps the set of marks of each session in Redis, and every count that derives from it. Adding a mark twice, or two marks in
// either order, gives the same set, so nothing here depends on the order or the number of deliveries. It knows no platform, no plan and no
// name: people, connections and occurrences are hashes.
//
// The story in files: marks.go (the words), set.go, count.go and rows.go (the reference model, pure: the set, and every figure as a
// function of it), record.go with lua/record.lua (marks in, counts corrected), commit.go (many at once), curve.go with lua/read.lua (counts and the
// curve, read), stored.go (the set, read back), derived.go and verify.go (what differs from the model, and how that is repaired), keys.go
// (the Redis keys), migrate.go (what an earlier version stored).
package marks

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Kind says what a mark states.
type Kind string

// The kinds.
const (
	Joined     Kind = "joined"     // a connection opened
	Left       Kind = "left"       // a connection closed
	Started    Kind = "started"    // the occurrence opened, or was seen to be open
	Ended      Kind = "ended"      // the occurrence closed, and with it every connection
	Bound      Kind = "bound"      // two connections are one person
	Registered Kind = "registered" // a person registered; without an occurrence
	Attended   Kind = "attended"   // the platform's own total of one person, after the end
	Replayed   Kind = "replayed"   // a person watched the recording; kept apart from attendance
)

// Same says that a person who is known by an address has an id, too. No platform reports it alone.
const Same = Kind("same")

// OfPerson says whether the kind states something of a person rather than of a stay in a room.
func (k Kind) OfPerson() bool { return k == Registered || k == Attended || k == Replayed || k == Same }

// Mark is one statement. Its ids are hashes, in base64url, so that any other character separates; At is in milliseconds.
type Mark struct {
	Kind       Kind
	Staff      bool   // it is of somebody who is in no figure
	Room       string // the same in every occurrence
	Occurrence string // with a slash at the end where the platform names none
	Connection string // unlike those of other occurrences; may be empty
	Person     string // may be empty; a guest's begins with a star
	Peer       string // Bound: the other connection; Same: the id
	At         int64
	Seconds    int64  // Attended
	Name       string // of a guest
}

// IDBytes is how long the hashes of people and connections are: twelve characters tell those of one session apart.
const IDBytes = 9

// ConnectionIn names a connection within a session: platforms number theirs anew in each occurrence.
func ConnectionIn(occurrence, connection string) string {
	if connection == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(strings.TrimSuffix(occurrence, "/") + "." + connection))
	return base64.RawURLEncoding.EncodeToString(sum[:IDBytes])
}

// Placed is a mark with its session.
type Placed struct {
	Session string
	Mark
	Names []string // hashes to remember beside the marks; no count depends on them
}

// Outcome says what became of a mark.
type Outcome byte

// The outcomes.
const (
	Recorded  Outcome = iota + 1 // it is in the set
	Duplicate                    // it was already
	OfStaff                      // it is of somebody who is not counted
	TooMany                      // it is one too many: see the limits in lua/record.lua. It is not in the set
)

// Store keeps the sets of all sessions. It is safe for concurrent use, and several processes may work on the same Redis.
type Store struct {
	rdb        redis.UniversalClient
	keys       Keys
	committers committers
	timelines  timelines
}

// New returns a Store on rdb, which the caller closes after the last call. prefix is of every key.
func New(rdb redis.UniversalClient, prefix string) *Store {
	s := &Store{rdb: rdb, keys: Keys{prefix}}
	s.committers.store = s
	return s
}

// Keys gives the keys of sessions.
func (s *Store) Keys() Keys { return s.keys }
