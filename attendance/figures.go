package attendance

import (
	"time"

	"jauge/attendance/marks"
	"jauge/programme"
)

// State is where a session stands.
type State string

// The states of a session.
const (
	Scheduled State = "scheduled"
	InSession State = "live"
	Over      State = "ended"
)

// Figures are the counts of one session at one moment. A nil pointer means "not known on this platform", never 0.
type Figures struct {
	Session     programme.Session
	AsOf        time.Time // the moment of all of it
	State       State
	StartedAt   time.Time // zero: not yet
	EndedAt     time.Time // zero: not yet
	LastEventAt time.Time // latest event time; zero: none
	Capability  Capability

	Present     *int       // persons with an open visit
	Connections *int       // open connections
	Peak        *int       // the highest present, by event time
	PeakAt      *time.Time // its earliest second
	Unique      *int       // persons with a visit
	UniqueLow   *int       // how many people these are at least: those with an id that lasts, and the names of the others. Known where Unique is
	Registered  *int
	Declared    *int
	NoShowRate  *float64 // registered and never seen ÷ registered; known once somebody could have been seen

	AttendanceRate *float64 // Unique ÷ invited, else ÷ registered; above 1 where more came. Known once somebody could have been seen

	SeenLeavingOnly *int // persons of whom nothing but a leave was seen: in no other figure

	Watch      time.Duration // sum of all stays so far; open visits count until now
	Provenance Provenance    // of Unique and Watch

	// Where a platform gives totals and beacons give the live count, the same people are counted twice and cannot be matched: both
	// are shown, side by side. Nil: not known.
	Measured *Total
	Reported *Total
	Replayed *int // persons who watched the recording; not attendance
}

// Total is how many persons were counted in one way, and how long they stayed in all.
type Total struct {
	Unique int
	Watch  time.Duration
}

// Status is one session at one moment: its counts, and the summary.
type Status struct {
	Figures
	Summary *Summary // nil: not known on this platform, or not yet
}

// Summary is what needs every person's marks to be read. It costs more than Figures, so it is cached: see reader.Status.
type Summary struct {
	Attended   int           // stays of at least five minutes
	Completed  int           // of those who attended, stays of at least 85 % of the live time
	StayMean   time.Duration // of those who attended; 0 for nobody
	StayMedian time.Duration // the same: half of them stayed at least so long
	Watch      time.Duration // missing leaves closed at the occurrence's end
	WatchLow   time.Duration // missing leaves closed at the last evidence of that person
}

// InferredShare is the share of watch time that rests on inferred leaves, 0 when there is none.
func (s Summary) InferredShare() float64 {
	if s.Watch <= 0 {
		return 0
	}
	return float64(s.Watch-s.WatchLow) / float64(s.Watch)
}

// Point is the curve at one moment.
type Point struct {
	At      time.Time `json:"at"`
	Present int       `json:"present"`
}

// Row is one person's attendance, under a pseudonym.
type Row = marks.Row

// Provenance is what a figure rests on.
type Provenance = marks.Provenance

// The provenances.
const (
	FromMarks    = marks.FromMarks
	FromInferred = marks.FromInferred
	FromPlatform = marks.FromPlatform
)
