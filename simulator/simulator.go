// Package simulator invents an audience and posts what its platforms would post about it, signed as each platform signs.
// Everything is drawn from a seed: the same arguments give the same performance.
//
// The story in files: simulator.go (what is asked for, what comes out), audience.go (who comes and goes when), faults.go
// (what goes wrong on the way), totals.go (platforms that tell afterwards who came), answers.go (what people say in the survey
// afterwards), forms.go (how form tools say it), beacons.go (pages that report themselves), truth.go (the figures that a
// service which counts right must show), play.go and post.go (sending it all in time).
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
	"jauge/feedback/survey"
	"jauge/platforms"
	"jauge/programme"
)

// Options shape a performance.
type Options struct {
	Attendees int       // persons who come, or who answer where only a form is played; at least 1
	Seed      uint64    // of everything that is drawn
	Start     time.Time // when the session begins, by the clock that events are stamped with
	Speed     float64   // how many times faster than planned it goes, stamps included; 1 by default
	Faults    Faults    // none by default; beacons have none
	Guests    int       // how many of those who come the platform gives no id, where it has such guests: each of their connections is somebody new
	Beacons   int       // persons whose pages send beacons, beside those who come

	Survey *survey.Survey // what is asked, as For returned it; nil: nothing, and no form is played
}

// Performance is everything that is posted about one session, and what is true of it.
type Performance struct {
	Sources    []platforms.Source // as Cast chose them
	Deliveries []Delivery         // in the order in which they are sent
	Truth      Truth
}

// Delivery is one request. It is signed when it is sent, as platforms do.
type Delivery struct {
	At     time.Time         // when to send it
	Lane   int               // requests about one person share a lane; -1: about the session as a whole
	Forged bool              // by somebody who does not know the secret: it must be refused
	Source *platforms.Source // whose webhook it is; nil: a beacon, which is not signed

	session     string
	contentType string
	body        []byte
	signed      []byte // what the signature is made for; body, unless Forged
}

// Request signs the delivery with its source's first secret, as sent at now. A forged one bears the signature of another
// body or, on platforms whose signature does not depend on the body, a guessed secret.
func (d Delivery) Request(now time.Time) platforms.Request {
	r := platforms.Request{Method: http.MethodPost, Header: http.Header{}, Body: d.signed, Now: now}
	r.Header.Set("Content-Type", d.contentType)
	if d.Source == nil {
		return r
	}
	dialect := platforms.Dialects[d.Source.Platform]
	dialect.Sign(*d.Source, &r)
	r.Body = d.body
	if d.Forged && dialect.Verify(*d.Source, r) == nil {
		guess := *d.Source
		guess.Secrets = []string{"a-guessed-secret"}
		dialect.Sign(guess, &r)
	}
	return r
}

// Lead is how long before its planned start a session's room opens, at a speed of 1: five minutes for an hour.
func Lead(session programme.Session) time.Duration {
	return session.EndsAt.Sub(session.StartsAt) / 12
}

// Cast chooses the sources that post about a session: that of its first room whose platform reports attendance, then that of its
// first room that is a form, if the session has a survey. None: the session cannot be played.
func Cast(session programme.Session, sources []platforms.Source, survey *survey.Survey) []platforms.Source {
	var cast []platforms.Source
	for _, plays := range []func(platforms.Source) bool{tells, func(s platforms.Source) bool { return survey != nil && isForm(s) }} {
		for _, room := range session.Rooms {
			i := slices.IndexFunc(sources, func(s platforms.Source) bool { return s.Name == room.Source && plays(s) })
			if i >= 0 {
				cast = append(cast, sources[i])
				break
			}
		}
	}
	return cast
}

// tells says whether a source's platform reports attendance: joins and leaves as they happen, or totals afterwards.
func tells(s platforms.Source) bool {
	c := platforms.Dialects[s.Platform].Capability
	return c == attendance.Live || c == attendance.Totals
}

// isForm says whether a source is a form tool.
func isForm(s platforms.Source) bool { return platforms.Dialects[s.Platform].EncodeAnswers != nil }

// New draws the performance of a session on those sources that Cast chooses. The error says why it cannot be played.
func New(session programme.Session, sources []platforms.Source, o Options) (*Performance, error) {
	cast := Cast(session, sources, o.Survey)
	for _, source := range cast {
		if err := platforms.Verifiable(source); err != nil {
			return nil, fmt.Errorf("source %s: %w", source.Name, err)
		}
	}
	o.Speed = cmp.Or(o.Speed, 1)
	switch {
	case len(cast) == 0:
		return nil, fmt.Errorf("session %s has no room that can be played", session.ID)
	case o.Attendees < 1:
		return nil, errors.New("there must be at least one attendee")
	case o.Speed < 0:
		return nil, errors.New("the speed must be positive")
	}
	s := stage{
		Options: o, session: session, length: session.EndsAt.Sub(session.StartsAt),
		occurrence: fmt.Sprintf("occurrence-%d-%d", o.Seed, o.Start.UnixMilli()),
		audience:   chance(o.Seed, "audience", session.ID), faults: chance(o.Seed, "faults", session.ID),
		truth: Truth{Session: session.ID},
	}
	for i := range cast {
		s.enter(&cast[i])
	}
	if o.Beacons > 0 {
		s.playBeacons(platforms.Dialects[cast[0].Platform].Capability)
	}
	slices.SortStableFunc(s.sent, func(a, b Delivery) int { return a.At.Compare(b.At) })
	s.truth.Requests = len(s.sent)
	return &Performance{Sources: cast, Deliveries: s.sent, Truth: s.truth}, nil
}

// chance is a random generator for one purpose, so that faults do not change who comes when.
func chance(seed uint64, purpose, session string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(purpose + "\x00" + session))
	return rand.New(rand.NewPCG(seed, h.Sum64())) //nolint:gosec // invented people need no secrecy
}

// stage is where a performance is put together.
type stage struct {
	Options
	session    programme.Session
	length     time.Duration // as planned
	occurrence string
	audience   *rand.Rand
	faults     *rand.Rand

	source      *platforms.Source // whose requests are being written
	dialect     platforms.Dialect
	room, alias string // alias: the configured id, where the platform names each opening by an id of its own

	truth  Truth
	visits []visit
	sent   []Delivery
}

// enter adds everything that one source posts. Attendance comes before the form.
func (s *stage) enter(source *platforms.Source) {
	room := slices.IndexFunc(s.session.Rooms, func(r programme.Room) bool { return r.Source == source.Name })
	s.source, s.dialect, s.room = source, platforms.Dialects[source.Platform], s.session.Rooms[room].ID
	switch {
	case isForm(*source):
		s.playForm()
	case s.dialect.Capability == attendance.Totals:
		s.room, s.alias = uuid(s.occurrence), s.room
		s.playTotals()
	default:
		s.play()
	}
}

// play adds the events of a platform of joins and leaves: the room opens, people come and go, the room closes.
func (s *stage) play() {
	s.say(attendance.Event{Kind: attendance.Started}, -Lead(s.session), -1)
	guests := s.Guests
	if !s.dialect.Guests {
		guests = 0
	}
	came := 0
	for i, p := range draw(s.audience, s.Attendees, s.length) {
		if !p.staff {
			came++
		}
		for j, stay := range p.stays {
			s.attend(i, p.staff, !p.staff && i < guests, fmt.Sprintf("%s-%d-%d", s.occurrence, i, j), stay)
		}
	}
	closes := closing(s.length)
	s.say(attendance.Event{Kind: attendance.Ended}, closes, -1)
	s.truth.count(s.visits, s.stamp(attendance.Ended, closes))
	s.truth.UniqueLow = &came // guests keep their names
}

// closing is when the room closes, after the planned start, at a speed of 1.
func closing(length time.Duration) time.Duration { return length + length/25 }

// attend lets one connection join and leave. Nobody can tell that two connections are the same guest's.
func (s *stage) attend(person int, staff, guest bool, connection string, t stay) {
	t = s.lasting(t)
	e := attendance.Event{
		Kind: attendance.Joined, Attendee: fmt.Sprintf("attendee-%d-%d", s.Seed, person), Connection: connection, Staff: staff,
	}
	who := person
	if guest {
		who = -1 - len(s.visits)
		e.Attendee, e.Guest, e.Name = "", true, fmt.Sprintf("Guest %d", person)
	}
	s.say(e, t.from, person)
	v := visit{person: who, from: s.stamp(attendance.Joined, t.from), to: s.stamp(attendance.Left, t.to)}
	if !staff && s.happens(s.Faults.LoseLeave) {
		v.to = time.Time{}
		s.truth.LostLeaves++
	} else {
		e.Kind, e.Total = attendance.Left, v.to.Sub(v.from)
		s.say(e, t.to, person)
	}
	if s.dialect.SaysStay && !v.to.IsZero() && !v.to.After(v.from) { // whoever was in was in for a moment
		v.to = v.from.Add(time.Millisecond)
	}
	if !staff {
		s.visits = append(s.visits, v)
	}
}

// lasting is a stay that begins before the room closes and whose leave comes after its join, also as the platform writes them down: at a
// high speed an hour passes in a few seconds.
func (s *stage) lasting(t stay) stay {
	ends, bit := s.stamp(attendance.Ended, closing(s.length)), s.length/1000
	for !s.stamp(attendance.Joined, t.from).Before(ends) {
		t.from -= bit
	}
	for from := s.stamp(attendance.Joined, t.from); !s.dialect.SaysStay && !s.stamp(attendance.Left, t.to).After(from); {
		t.to += bit
	}
	return t
}

// moment turns a time since the planned start, at a speed of 1, into a moment of the performance.
func (s *stage) moment(after time.Duration) time.Time {
	return s.Start.Add(s.scaled(after)).Truncate(time.Millisecond)
}

func (s *stage) scaled(d time.Duration) time.Duration { return time.Duration(float64(d) / s.Speed) }

// stamp is what the platform writes as the moment of an event.
func (s *stage) stamp(kind attendance.Kind, after time.Duration) time.Time {
	at := s.moment(after)
	if s.dialect.Resolution == nil {
		return at
	}
	return at.Truncate(s.dialect.Resolution(kind))
}

// say encodes an event and sends it, with its faults.
func (s *stage) say(e attendance.Event, after time.Duration, lane int) {
	d, e := s.encode(e, after, lane)
	if d.body != nil { // nil: the platform does not report it
		s.send(d, s.intruder(e))
	}
}

// encode completes an event with its room and time, and writes it as the platform does.
func (s *stage) encode(e attendance.Event, after time.Duration, lane int) (Delivery, attendance.Event) {
	e.Room, e.Alias, e.Occurrence, e.At = s.room, s.alias, s.occurrence, s.stamp(e.Kind, after)
	contentType, body := s.dialect.Encode(e)
	return s.delivery(after, lane, contentType, body), e
}

// delivery is a request of the source.
func (s *stage) delivery(after time.Duration, lane int, contentType string, body []byte) Delivery {
	return Delivery{
		At: s.moment(after), Lane: lane, Source: s.source, session: s.session.ID, contentType: contentType, body: body, signed: body,
	}
}
