// Package programme holds what is planned: which sessions take place when, in which rooms and for which audiences, and so which
// session an event in a room belongs to. It knows nothing of people or answers.
//
// The story in files: programme.go (the words, and what is a valid definition), catalogue.go (every session, as this process
// knows it), define.go (where definitions come from: the configuration file and the API), window.go (how near a session is to a moment),
// claims.go (which session an opening of a room belongs to), contest.go (as long as another session could still take it), keys.go (the Redis keys).
package programme

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"jauge/internal/problem"
	"jauge/internal/text"
)

// Errors of the catalogue. Any other comes from the store (Redis is away).
var (
	ErrNotFound = errors.New("no such session")
	ErrExists   = errors.New("a session with this id exists")
	ErrClaimed  = errors.New("another session has this occurrence")
)

// Session is one planned meeting with one audience.
type Session struct {
	ID       string    `yaml:"id" json:"id"`
	Series   string    `yaml:"series,omitempty" json:"series,omitempty"`
	Title    text.Text `yaml:"title" json:"title"`
	StartsAt time.Time `yaml:"starts_at" json:"starts_at"`
	EndsAt   time.Time `yaml:"ends_at" json:"ends_at"`
	Rooms    []Room    `yaml:"rooms,omitempty" json:"rooms,omitempty"`
	Window   *Window   `yaml:"window,omitempty" json:"window,omitempty"` // nil: an hour before and after
	Survey   string    `yaml:"survey,omitempty" json:"survey,omitempty"`
	Minors   bool      `yaml:"minors,omitempty" json:"minors,omitempty"`
	Segments []Segment `yaml:"segments,omitempty" json:"segments,omitempty"`
	Invited  int       `yaml:"invited,omitempty" json:"invited,omitempty"`
	Staff    []string  `yaml:"staff,omitempty" json:"staff,omitempty"` // e-mails, platforms' ids and names of people who are not counted

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

// Notice is the session's part of the privacy notice.
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

var idShape = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

// Validate lists every mistake of a session's definition.
func (s Session) Validate() problem.Problems {
	var ps problem.Problems
	add := func(path, message string) { ps = append(ps, problem.Problem{Path: path, Message: message}) }
	if !idShape.MatchString(s.ID) {
		add("id", "must be 1 to 64 of a-z, 0-9 and -")
	}
	if s.Series != "" && !idShape.MatchString(s.Series) {
		add("series", "must be 1 to 64 of a-z, 0-9 and -")
	}
	if s.Title.In("fr") == "" {
		add("title", "missing")
	}
	for name, at := range map[string]time.Time{"starts_at": s.StartsAt, "ends_at": s.EndsAt} {
		if at.IsZero() {
			add(name, "missing")
		}
	}
	if !s.StartsAt.IsZero() && !s.EndsAt.IsZero() && !s.EndsAt.After(s.StartsAt) {
		add("ends_at", "must be after starts_at")
	}
	for i, room := range s.Rooms {
		if room.Source == "" || room.ID == "" {
			add(fmt.Sprintf("rooms[%d]", i), "needs a source and an id")
		}
		if slices.Contains(s.Rooms[:i], room) {
			add(fmt.Sprintf("rooms[%d]", i), "duplicate")
		}
	}
	ps = append(ps, s.Window.validate()...)
	seen := map[string]bool{}
	for i, segment := range s.Segments {
		if !idShape.MatchString(segment.ID) {
			add(fmt.Sprintf("segments[%d].id", i), "must be 1 to 64 of a-z, 0-9 and -")
		}
		if seen[segment.ID] {
			add(fmt.Sprintf("segments[%d].id", i), "duplicate")
		}
		seen[segment.ID] = true
	}
	if s.Invited < 0 {
		add("invited", "must not be negative")
	}
	ps = append(ps, ValidateStaff(s.Staff)...)
	slices.SortStableFunc(ps, func(a, b problem.Problem) int { return cmp.Compare(a.Path, b.Path) })
	return ps
}

// ValidateStaff lists every mistake of a list of people who are not counted.
func ValidateStaff(staff []string) (ps problem.Problems) {
	for i, who := range staff {
		if strings.TrimSpace(who) == "" {
			ps = append(ps, problem.Problem{Path: fmt.Sprintf("staff[%d]", i), Message: "must be an e-mail address, a platform's id or a name"})
		}
	}
	return ps
}
