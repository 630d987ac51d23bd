package attendance

import (
	"encoding/base64"
	"strings"
	"sync"

	"jauge/internal/mac"
)

// People become pseudonyms in two steps. Seal, at the door, replaces every id by a keyed hash scoped to its source: that
// form may be journaled or kept aside. When the session is known, the person's hash is hashed again with the session's
// id, so that pseudonyms of two sessions cannot be joined. So are the words of names (see names.go). The alphabet of
// hashes is base64url: scripts may use any other character as a separator.

// sealed is an event whose ids are hashes and whose time is in milliseconds. Only the ids of the room stay as they are:
// sessions are found by them, and they name no person.
type sealed struct {
	Kind       Kind     `json:"k"`
	Source     string   `json:"s"`
	RoomID     string   `json:"r"`
	Alias      string   `json:"a,omitempty"`
	Room       string   `json:"-"` // hash of source and room, the same in every occurrence
	Occurrence string   `json:"o"`
	Person     string   `json:"p,omitempty"`
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
}

// sealer hashes ids with the service's secret key.
type sealer struct {
	key      *mac.Key
	openings *openings
}

func newSealer(key []byte) sealer {
	return sealer{mac.New(key), &openings{tokens: map[opening]string{}}}
}

// openings remembers the tokens of rooms and occurrences, which come with every event and are few. No person is among them.
type openings struct {
	mu     sync.RWMutex
	tokens map[opening]string
}

// opening is what a token of a room or an occurrence is made of.
type opening struct {
	n     int
	parts [4]string
}

// mostOpenings bounds the memory that they take; beyond, all are worked out anew.
const mostOpenings = 1000

// token gives a token, and works it out if it is not there.
func (o *openings) token(of opening, workOut func() string) string {
	o.mu.RLock()
	token, known := o.tokens[of]
	o.mu.RUnlock()
	if known {
		return token
	}
	token = workOut()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.tokens) >= mostOpenings {
		clear(o.tokens)
	}
	o.tokens[of] = token
	return token
}

// The lengths of hashes in bytes. Names are told apart within a session only.
const (
	tokenBytes = 12 // 16 characters
	nameBytes  = 8  // 11 characters
)

func (s sealer) token(parts ...string) string {
	if kind := parts[0]; kind != "room" && kind != "occurrence" {
		return s.hash(tokenBytes, parts...)
	}
	of := opening{n: len(parts)}
	copy(of.parts[:], parts)
	return s.openings.token(of, func() string { return s.hash(tokenBytes, parts...) })
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
	person := e.Attendee
	if person == "" {
		person = strings.ToLower(strings.TrimSpace(e.Email))
	}
	return sealed{
		Kind: e.Kind, Source: source, RoomID: e.Room, Alias: e.Alias, Room: s.token("room", source, e.Room),
		Occurrence: s.token("occurrence", source, e.Room, e.Occurrence),
		Person:     s.optional("person", source, person),
		Connection: s.optional("connection", source, e.Connection),
		Peer:       s.optional("connection", source, e.Peer),
		Staff:      e.Staff, At: e.At.UnixMilli(), Seconds: int64(e.Total.Seconds()),
		Names: s.hashNames(e.Name),
	}
}

// within scopes a sealed event's person and name to a session.
func (s sealer) within(session string, e sealed) sealed {
	e.Room = s.token("room", e.Source, e.RoomID)
	e.Person = s.optional("attendee", session, e.Person)
	names := make([]string, len(e.Names))
	for i, hash := range e.Names {
		names[i] = s.hashNameIn(session, hash)
	}
	e.Names = names
	return e
}
