// Package simulator invents an audience and posts what its platform would post about it, signed as the platform signs.
// Everything is drawn from a seed: the same arguments give the same performance.
//
// The story in files: simulator.go (what is asked for, what comes out), audience.go (who comes and goes when), faults.go
// (what goes wrong on the way), totals.go (platforms that tell afterwards who came), truth.go (the figures that a service which
// counts right must show), play.go and post.go (sending it all in time), answers.go (what people say in the survey
// afterwards).
package simulator

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"jauge/attendance"
	"jauge/platforms"
)

// Options shape a performance.
type Options struct {
	Attendees int       // persons who come; at least 1
	Seed      uint64    // of everything that is drawn
	Start     time.Time // when the session begins, by the clock that events are stamped with
	Speed     float64   // how many times faster than planned it goes, stamps included; 1 by default
	Faults    Faults    // none by default
}

// Performance is everything that one session's platform posts, and what is true of it.
type Performance struct {
	Source     platforms.Source
	Deliveries []Delivery // in the order in which they are sent
	Truth      Truth
}

// Delivery is one request. It is signed when it is sent, as platforms do.
type Delivery struct {
	At     time.Time // when to send it
	Lane   int       // requests about one person share a lane; -1: about the session as a whole
	Forged bool      // by somebody who does not know the secret: it must be refused

	contentType string
	body        []byte
	signed      []byte // what the signature is made for; body, unless Forged
}

// Request signs the delivery with the source's first secret, as sent at now. A forged one bears the signature of another
// body or, on platforms whose signature does not depend on the body, a guessed secret.
func (p *Performance) Request(d Delivery, now time.Time) platforms.Request {
	dialect := platforms.Dialects[p.Source.Platform]
	r := platforms.Request{Method: http.MethodPost, Header: http.Header{}, Body: d.signed, Now: now}
	r.Header.Set("Content-Type", d.contentType)
	dialect.Sign(p.Source, &r)
	r.Body = d.body
	if d.Forged && dialect.Verify(p.Source, r) == nil {
		guess := p.Source
		guess.Secrets = []string{"a-guessed-secret"}
		dialect.Sign(guess, &r)
	}
	return r
}

// Lead is how long before its planned start a session's room opens, at a speed of 1: five minutes for an hour.
func Lead(session attendance.Session) time.Duration {
	return session.EndsAt.Sub(session.StartsAt) / 12
}

// New draws the performance of a session on one of the sources of its rooms. The error says why it cannot be played.
func New(session attendance.Session, source platforms.Source, o Options) (*Performance, error) {
	if err := platforms.Verifiable(source); err != nil {
		return nil, fmt.Errorf("source %s: %w", source.Name, err)
	}
	dialect := platforms.Dialects[source.Platform]
	room := slices.IndexFunc(session.Rooms, func(r attendance.Room) bool { return r.Source == source.Name })
	o.Speed = cmp.Or(o.Speed, 1)
	switch {
	case room < 0:
		return nil, fmt.Errorf("session %s has no room on source %s", session.ID, source.Name)
	case !Plays(source.Platform):
		return nil, fmt.Errorf("source %s: %s tells nothing about attendance", source.Name, source.Platform)
	case o.Attendees < 1:
		return nil, errors.New("there must be at least one attendee")
	case o.Speed < 0:
		return nil, errors.New("the speed must be positive")
	}
	s := stage{
		Options: o, session: session, room: session.Rooms[room].ID, dialect: dialect, platform: source.Platform,
		occurrence: fmt.Sprintf("occurrence-%d-%d", o.Seed, o.Start.UnixMilli()),
		audience:   chance(o.Seed, "audience", session.ID), faults: chance(o.Seed, "faults", session.ID),
		truth: Truth{Session: session.ID},
	}
	if dialect.Capability == attendance.Totals {
		s.room, s.alias = uuid(s.occurrence), s.room
		s.playTotals()
	} else {
		s.play()
	}
	slices.SortStableFunc(s.sent, func(a, b Delivery) int { return a.At.Compare(b.At) })
	s.truth.Requests = len(s.sent)
	return &Performance{Source: source, Deliveries: s.sent, Truth: s.truth}, nil
}

// Plays says whether a platform tells what can be played: joins and leaves as they happen, or afterwards who came.
func Plays(platform string) bool {
	c := platforms.Dialects[platform].Capability
	return c == attendance.Live || c == attendance.Totals
}

// chance is a source of chance of its own for each purpose, so that faults do not change who comes when.
func chance(seed uint64, purpose, session string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(purpose + "\x00" + session))
	return rand.New(rand.NewPCG(seed, h.Sum64())) //nolint:gosec // invented people need no secrecy
}

// stage is where a performance is put together.
type stage struct {
	Options
	session     attendance.Session
	room, alias string // alias: the configured id, where the platform names each opening by an id of its own
	occurrence  string
	platform    string
	dialect     platforms.Dialect
	audience    *rand.Rand
	faults      *rand.Rand
	truth       Truth

	visits []visit
	sent   []Delivery
}

// play writes down everything that happens: the room opens, people come and go, the room closes.
func (s *stage) play() {
	length := s.session.EndsAt.Sub(s.session.StartsAt)
	s.say(attendance.Event{Kind: attendance.Started}, -Lead(s.session), -1)
	for i, p := range draw(s.audience, s.Attendees, length) {
		for j, stay := range p.stays {
			s.attend(i, p.staff, fmt.Sprintf("%s-%d-%d", s.occurrence, i, j), stay)
		}
	}
	closes := closing(length)
	s.say(attendance.Event{Kind: attendance.Ended}, closes, -1)
	s.truth.count(s.visits, s.stamp(attendance.Ended, closes))
}

// closing is when the room closes, after the planned start, at a speed of 1.
func closing(length time.Duration) time.Duration { return length + length/25 }

// attend lets one connection join and leave.
func (s *stage) attend(person int, staff bool, connection string, t stay) {
	e := attendance.Event{
		Kind: attendance.Joined, Attendee: fmt.Sprintf("attendee-%d-%d", s.Seed, person), Connection: connection, Staff: staff,
	}
	s.say(e, t.from, person)
	v := visit{person: person, from: s.stamp(attendance.Joined, t.from), to: s.stamp(attendance.Left, t.to)}
	if !staff && s.happens(s.Faults.LoseLeave) {
		v.to = time.Time{}
		s.truth.LostLeaves++
	} else {
		e.Kind, e.Total = attendance.Left, v.to.Sub(v.from)
		s.say(e, t.to, person)
	}
	if !staff {
		s.visits = append(s.visits, v)
	}
}

// moment is when something happens, that long after the planned start at a speed of 1.
func (s *stage) moment(after time.Duration) time.Time {
	return s.Start.Add(s.scaled(after)).Truncate(time.Millisecond)
}

func (s *stage) scaled(d time.Duration) time.Duration { return time.Duration(float64(d) / s.Speed) }

// stamp is what the platform writes as the moment of an event: Jitsi and Livestorm know whole seconds, so does Zoom but for
// the start, and LiveKit does of leaves and ends.
func (s *stage) stamp(kind attendance.Kind, after time.Duration) time.Time {
	at := s.moment(after)
	switch {
	case s.platform == "jitsi", s.platform == "livestorm",
		s.platform == "zoom" && kind != attendance.Started,
		s.platform == "livekit" && (kind == attendance.Left || kind == attendance.Ended):
		return at.Truncate(time.Second)
	}
	return at
}

// say encodes an event and sends it, with whatever goes wrong on the way.
func (s *stage) say(e attendance.Event, after time.Duration, lane int) {
	d, e := s.encode(e, after, lane)
	if d.body != nil { // nil: the platform has no word for it
		s.send(d, e)
	}
}

// encode writes an event down as the platform does, and completes it with where and when.
func (s *stage) encode(e attendance.Event, after time.Duration, lane int) (Delivery, attendance.Event) {
	e.Room, e.Alias, e.Occurrence, e.At = s.room, s.alias, s.occurrence, s.stamp(e.Kind, after)
	d := Delivery{At: s.moment(after), Lane: lane}
	d.contentType, d.body = s.dialect.Encode(e)
	d.signed = d.body
	return d, e
}
