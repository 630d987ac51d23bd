package attendance

import (
	"time"

	"jauge/internal/text"
)

// Session is one planned meeting with one audience.
type Session struct {
	ID       string    `yaml:"id" json:"id"`
	Series   string    `yaml:"series,omitempty" json:"series,omitempty"`
	Title    text.Text `yaml:"title" json:"title"`
	StartsAt time.Time `yaml:"starts_at" json:"starts_at"`
	EndsAt   time.Time `yaml:"ends_at" json:"ends_at"`
	Rooms    []Room    `yaml:"rooms,omitempty" json:"rooms,omitempty"`
	Survey   string    `yaml:"survey,omitempty" json:"survey,omitempty"`
	Minors   bool      `yaml:"minors,omitempty" json:"minors,omitempty"`
	Segments []Segment `yaml:"segments,omitempty" json:"segments,omitempty"`
	Invited  int       `yaml:"invited,omitempty" json:"invited,omitempty"`

	Notice *Notice `yaml:"notice,omitempty" json:"notice,omitempty"` // nil: the pages say what holds everywhere

	// Questions maps what form tools call their questions to those of the survey; empty: left out on purpose.
	Questions map[string]string `yaml:"questions,omitempty" json:"questions,omitempty"`
}

// Room is where a session takes place: a source's name and the platform's id of the webinar, meeting or room.
type Room struct {
	Source string `yaml:"source" json:"source"`
	ID     string `yaml:"id" json:"id"`
}

// Segment is one audience of a session, with its own survey link.
type Segment struct {
	ID    string    `yaml:"id" json:"id"`
	Title text.Text `yaml:"title" json:"title"`
}

// Notice is what the session's privacy notice says of who asks, and why.
type Notice struct {
	Controller string    `yaml:"controller,omitempty" json:"controller,omitempty"`   // who is responsible
	Purpose    text.Text `yaml:"purpose,omitempty" json:"purpose,omitempty"`         // what the answers are for
	LegalBasis text.Text `yaml:"legal_basis,omitempty" json:"legal_basis,omitempty"` // as GDPR, article 6, lists them
	Contact    string    `yaml:"contact,omitempty" json:"contact,omitempty"`         // an e-mail address, or where to write
}

// Series groups sessions that are compared with each other.
type Series struct {
	ID    string    `yaml:"id" json:"id"`
	Title text.Text `yaml:"title" json:"title"`
}

// State is where a session stands.
type State string

// The states of a session.
const (
	Scheduled State = "scheduled"
	InSession State = "live"
	Over      State = "ended"
)
