// Package attendance counts people. Platforms report marks (observations: someone joined, someone left, the room opened or
// closed), twice, late, out of order or never; this package keeps the set of marks of each session and derives every figure
// from that set alone, so the order and the number of deliveries do not matter.
//
// The story in files: attendance.go (the words), identity.go (how people become pseudonyms), names.go (what is known of their
// names), staff.go (who is not counted), store.go (events in), decide.go (which planned session an event belongs to), move.go (when that changes), aside.go and byhand.go (what belongs
// to none), record.go with lua/record.lua (marks in, counts corrected), commit.go (many at once), beacon.go (people of platforms that
// send no joins), session_end.go (what a host does by hand). marks.go and count.go are the reference model: the set, and every figure as a
// function of it. figures.go, read.go, curve.go, rows.go and status.go (counts and people out), stored.go (the set, read back), derived.go and
// verify.go (what differs from the model, and how that is repaired), keys.go (the Redis
// keys), migrate.go (what an earlier version stored).
package attendance

import "time"

// Kind says what an event reports.
type Kind string

// The kinds of events. Every report of a platform is one of these or unsupported.
const (
	Joined     Kind = "joined"     // a connection opened
	Left       Kind = "left"       // a connection closed
	Started    Kind = "started"    // the occurrence opened, or was seen to be open
	Ended      Kind = "ended"      // the occurrence closed, and with it every connection
	Bound      Kind = "bound"      // two connections are one person (a phone leg and a screen)
	Registered Kind = "registered" // a person registered; without an occurrence
	Attended   Kind = "attended"   // the platform's own total of one person, after the end
	Replayed   Kind = "replayed"   // a person watched the recording; kept apart from attendance
)

// known is no event of a platform: it marks the id of somebody who registered and is known by their e-mail address. See marksOf.
const known = Kind("known")

// Kinds lists them all.
var Kinds = []Kind{Joined, Left, Started, Ended, Bound, Registered, Attended, Replayed}

// ofPerson says whether the kind states something of a person rather than of a stay in a room.
func (k Kind) ofPerson() bool { return k == Registered || k == Attended || k == Replayed || k == known }

// Event is one statement of a platform, decoded and reduced to what counting needs. It carries the platform's own ids:
// they are hashed before anything is stored (see identity.go). Email and Name serve to be hashed only.
type Event struct {
	Kind       Kind
	Room       string        // the platform's id of the webinar, meeting or room that sessions are configured with
	Alias      string        // another id of the room that sessions may be configured with instead (its event or series)
	Occurrence string        // one opening of the room; may be empty where the platform names none
	Attendee   string        // the best stable id of the person; may be empty
	Guest      bool          `json:",omitempty"` // the platform gives the person no id that outlasts a connection: Attendee is empty, or of the connection
	Email      string        // lower-cased by identity.go; may be empty
	Name       string        // as the platform shows the person, all of it; may be empty
	Connection string        // one device's stay, where the platform names each connect; may be empty
	Peer       string        // Bound: the other connection
	Staff      bool          // hosts, presenters, bots, recorders: never counted
	At         time.Time     // when it happened, by the platform's clock
	Total      time.Duration // Attended: how long the person stayed in all
	Reason     Reason        `json:",omitempty"` // why it can only be kept aside, as its decoder found; empty: it can count
}

// Result says what became of an event.
type Result string

// The results of recording an event; the values are labels of jauge_events_total.
const (
	Recorded  Result = "recorded"  // it added a mark
	Duplicate Result = "duplicate" // its marks were in the set
	StaffSeen Result = "staff"     // authentic, of somebody who is not counted
	Aside     Result = "aside"     // kept until a session claims its room, or because it cannot be used: see Reason
)

// Results lists them all.
var Results = []Result{Recorded, Duplicate, StaffSeen, Aside}

// Capability is what a source can tell about attendance.
type Capability string

// The capabilities, from most to least.
const (
	Live     Capability = "live"     // joins and leaves as they happen
	Joins    Capability = "joins"    // joins, no leaves
	Totals   Capability = "totals"   // per person, after the end
	Declared Capability = "declared" // a head count typed by the host
)
