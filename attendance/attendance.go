// Package attendance counts people. Platforms report marks (observations: someone joined, someone left, the room opened or
// closed), twice, late, out of order or never; the package below, marks, keeps the set of marks of each session and derives every figure
// from that set alone, so the order and the number of deliveries do not matter. This one is about people and plans: who somebody is, which
// session an event belongs to, what is shown.
//
// The story in files: attendance.go (the words), identity.go (how people become pseudonyms), names.go (what is known of their
// names), staff.go (who is not counted), idrule.go (sessions that began otherwise), store.go (events in), decide.go (which planned session an event belongs to), move.go (when that
// changes), aside.go and byhand.go (what belongs to none), beacon.go (people of platforms that send no joins), session_end.go (what a host does by hand). figures.go, read.go, rows.go and
// status.go (counts and people out), keys.go (the Redis keys), migrate.go (what an earlier version stored).
package attendance

import (
	"time"

	"jauge/attendance/marks"
)

// Kind says what an event reports. Every report of a platform is one of these or unsupported.
type Kind = marks.Kind

// The kinds of events.
const (
	Joined     = marks.Joined
	Left       = marks.Left
	Started    = marks.Started
	Ended      = marks.Ended
	Bound      = marks.Bound
	Registered = marks.Registered
	Attended   = marks.Attended
	Replayed   = marks.Replayed
)

// Kinds lists them all.
var Kinds = []Kind{Joined, Left, Started, Ended, Bound, Registered, Attended, Replayed}

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
