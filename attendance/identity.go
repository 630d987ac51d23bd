package attendance

import (
	"cmp"
	"encoding/base64"
	"strings"
	"sync"

	"jauge/attendance/marks"
	"jauge/internal/mac"
	"jauge/programme"
)

// People become pseudonyms in two steps. Seal, at the door, replaces every id by a keyed hash scoped to its source: that
// form may be journaled or kept aside. When the session is known, the person's hash is hashed again with the session's
// id, so that pseudonyms of two sessions cannot be joined. So are the words of names (see names.go). The alphabet of
// hashes is base64url: scripts may use any other character as a separator.
//
// Where the platform gives an e-mail address, it is the person, whatever the source; else the best id is. An event that says both says that
// they are of one person (marks.Same), for those that say the id alone. A guest has no id that
// outlasts a connection: their pseudonym begins with a star, and that of somebody of whom only a connection is known with a tilde.

// sealed is an event whose ids are hashes and whose time is in milliseconds. Only the ids of the room stay as they are:
// sessions are found by them, and they name no person.
type sealed struct {
	Kind       Kind     `json:"k"`
	Source     string   `json:"s"`
	RoomID     string   `json:"r"`
	Alias      string   `json:"a,omitempty"`
	Room       string   `json:"-"` // hash of source and room, the same in every occurrence
	Occurrence string   `json:"o"`
	Person     string   `json:"p,omitempty"` // hash of the best id
	Email      string   `json:"q,omitempty"`
	Guest      bool     `json:"g,omitempty"` // Person is of one connection
	Name       string   `json:"h,omitempty"` // hash of the whole name
	Connection string   `json:"c,omitempty"`
	Peer       string   `json:"b,omitempty"`
	Staff      bool     `json:"f,omitempty"`
	At         int64    `json:"t"`
	Seconds    int64    `json:"n,omitempty"`
	Names      []string `json:"m,omitempty"` // hashes of the words of the person's name
	Reason     Reason   `json:"x,omitempty"` // why it is kept aside; empty: it is not, or nothing is decided yet
	Arrived    int64    `json:"w,omitempty"` // when it came, ms; set while no session has it, so that a replay does not prolong its stay aside
	Session    string   `json:"d,omitempty"` // the session that it belongs to; empty: none, with a Reason, or nothing is decided yet
	Beacons    bool     `json:"e,omitempty"` // it ends what beacons count in the session, too
	Aside      string   `json:"u,omitempty"` // the occurrence that it had while it was aside; empty: the same
	From       string   `json:"y,omitempty"` // the session that its occurrence is taken from, by the decision on this event

	Contest *programme.Contest `json:"z,omitempty"` // what was planned when it claimed its occurrence
	contest contest
	Version int `json:"v,omitempty"` // sealVersion; 0 of an event that an earlier version sealed
}

// sealVersion is how this version seals events. The one before had no e-mail beside the id, and wrote the occurrence of a platform that names none
// like any other.
const sealVersion = 2

// sealer hashes ids with the service's secret key.
type sealer struct {
	key    *mac.Key
	places *places
	byName map[string]bool // sources whose guests are known by their name
}

func newSealer(key []byte, guestsByName map[string]bool) sealer {
	return sealer{mac.New(key), &places{tokens: map[placeParts]string{}}, guestsByName}
}

// places remembers the tokens of rooms and occurrences, which come with every event and are few. No person is among them.
type places struct {
	mu     sync.RWMutex
	tokens map[placeParts]string
}

// placeParts is what a token of a room or an occurrence is made of.
type placeParts struct {
	n     int
	parts [4]string
}

// mostPlaces bounds the memory that they take; beyond, all are worked out anew.
const mostPlaces = 1000

// token gives a token, and works it out if it is not there.
func (o *places) token(of placeParts, workOut func() string) string {
	o.mu.RLock()
	token, known := o.tokens[of]
	o.mu.RUnlock()
	if known {
		return token
	}
	token = workOut()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.tokens) >= mostPlaces {
		clear(o.tokens)
	}
	o.tokens[of] = token
	return token
}

// The lengths of hashes in bytes. Names are told apart within a session only; so are people and connections: marks.IDBytes.
const (
	tokenBytes = 12 // 16 characters
	nameBytes  = 8  // 11 characters
)

func (s sealer) token(parts ...string) string {
	if kind := parts[0]; kind != "room" && kind != "occurrence" {
		return s.hash(tokenBytes, parts...)
	}
	of := placeParts{n: len(parts)}
	copy(of.parts[:], parts)
	return s.places.token(of, func() string { return s.hash(tokenBytes, parts...) })
}

// hash is the keyed hash of its parts, cut to n bytes, in base64url.
func (s sealer) hash(n int, parts ...string) string {
	sum := s.key.Sum(func(b []byte) []byte {
		for _, p := range parts {
			b = append(append(b, p...), 0)
		}
		return b
	}, nil)
	var text [2 * len(sum)]byte
	return string(base64.RawURLEncoding.AppendEncode(text[:0], sum[:n]))
}

func (s sealer) optional(kind, source, id string) string {
	if id == "" {
		return ""
	}
	return s.token(kind, source, id)
}

// seal hashes the ids of an event of the given source.
func (s sealer) seal(source string, e Event) sealed {
	email, name := strings.ToLower(strings.TrimSpace(e.Email)), wholeName(e.Name)
	person := s.optional("person", source, cmp.Or(e.Attendee, email))
	switch {
	case !e.Guest:
	case name != "" && s.byName[source]:
		person = s.token("guest", source, name)
	case person == "" && e.Connection != "": // then the connection is the person, and has the name
		person = s.token("guest of", source, e.Room, e.Occurrence, e.Connection)
	}
	return sealed{
		Kind: e.Kind, Source: source, RoomID: e.Room, Alias: e.Alias, Room: s.token("room", source, e.Room),
		Occurrence: s.occurrence(source, e.Room, e.Occurrence), Person: person, Email: s.optional("e-mail", "", email), Guest: e.Guest,
		Connection: s.optional("connection", source, e.Connection),
		Peer:       s.optional("connection", source, e.Peer),
		Staff:      e.Staff, At: e.At.UnixMilli(), Seconds: int64(e.Total.Seconds()),
		Name: s.hashWholeName(name), Names: s.hashNames(e.Name), Version: sealVersion,
	}
}

// occurrence hashes an occurrence. Where the platform names none, there is one for all openings of the room, with a slash at the end: see
// record.lua.
func (s sealer) occurrence(source, room, id string) string {
	token := s.token("occurrence", source, room, id)
	if id == "" {
		return token + "/"
	}
	return token
}

// upgraded is an event as this version would have sealed it, as far as an earlier version's hashes tell.
func (s sealer) upgraded(e sealed) sealed {
	if e.Version == 0 && e.Occurrence == s.token("occurrence", e.Source, e.RoomID, "") {
		e.Occurrence += "/"
	}
	return e
}

// within is the mark of a sealed event in a session. byID: the session is one of those in which the best id is the person, not the e-mail
// address.
func (s sealer) within(session string, e sealed, byID bool) marks.Placed {
	p := marks.Placed{Session: session, Mark: marks.Mark{
		Kind: e.Kind, Staff: e.Staff, Room: s.token("room", e.Source, e.RoomID), Occurrence: e.Occurrence, Person: s.personIn(session, e, byID),
		Connection: marks.ConnectionIn(e.Occurrence, e.Connection), Peer: marks.ConnectionIn(e.Occurrence, e.Peer), At: e.At, Seconds: e.Seconds,
	}}
	if e.Name != "" {
		p.Name = s.hashNameIn(session, e.Name)
	}
	for _, hash := range e.Names {
		p.Names = append(p.Names, s.hashNameIn(session, hash))
	}
	return p
}

// personIn is a sealed event's person within a session; empty: it names none.
func (s sealer) personIn(session string, e sealed, byID bool) string {
	switch {
	case byID:
		return s.pseudonym(session, e.Person)
	case e.Email != "":
		return s.pseudonym(session, e.Email)
	case e.Guest && e.Person != "":
		return "*" + s.pseudonym(session, e.Person)
	}
	return s.pseudonym(session, e.Person)
}

// pseudonymsOf are those that somebody whom a source knows by an id or an e-mail address may have in a session.
func (s sealer) pseudonymsOf(session, source, id string) []string {
	byID := s.token("person", source, id)
	address := s.token("e-mail", "", strings.ToLower(strings.TrimSpace(id)))
	return []string{s.pseudonym(session, byID), s.pseudonym(session, address), "*" + s.pseudonym(session, byID)}
}

func (s sealer) pseudonym(session, person string) string {
	if person == "" {
		return ""
	}
	return s.hash(marks.IDBytes, "attendee", session, person)
}
