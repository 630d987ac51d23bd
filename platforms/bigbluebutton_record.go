package platforms

import (
	"crypto/hmac"
	"crypto/sha512"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"jauge/attendance"
)

// The record of a whole meeting, which a BigBlueButton server posts once, minutes after its end: who joined and left when, as the
// server wrote it down itself. It needs no bbb-webhooks, and repairs what that lost: the marks of both are of the same people.
// Source: record-and-playback/core/scripts/post_events/post_events_analytics_callback.rb in github.com/bigbluebutton/bigbluebutton

// bbbRecord is what is read of it; everything else (chats, polls, files, what people typed) is never decoded.
type bbbRecord struct {
	External id `json:"meeting_id"`
	Internal id `json:"internal_meeting_id"`
	Data     struct {
		Metadata struct {
			Breakout truth `json:"is_breakout"`
		} `json:"metadata"`
		Start     stamp         `json:"start"`
		Finish    stamp         `json:"finish"`
		Attendees []bbbAttendee `json:"attendees"`
	} `json:"data"`
}

type bbbAttendee struct {
	External  id      `json:"ext_user_id"` // the internal one of the connection where the integrator sets none
	Name      name    `json:"name"`
	Moderator truth   `json:"moderator"`
	Joins     []stamp `json:"joins"`
	Leaves    []stamp `json:"leaves"`
}

// bbbBearing is what a bearer token shows: the shared secret itself (auth2_0), or with a record a JWT that the secret has signed,
// which says until when it is valid and nothing of the body.
func bbbBearing(token string) Credentials {
	var claims jwt.RegisteredClaims
	parsed, parts, err := jwt.NewParser(jwt.WithStrictDecoding()).ParseUnverified(token, &claims)
	switch {
	case err != nil || parsed.Method != jwt.SigningMethodHS512: // who shows the secret could as well have signed with it
		return Credentials{Given: []string{token}, Expected: shownKey}
	case claims.ExpiresAt == nil:
		return Credentials{}
	}
	return Credentials{
		Given: []string{string(parsed.Signature)},
		Expected: signing(func(key []byte) string {
			h := hmac.New(sha512.New, key)
			h.Write([]byte(parts[0] + "." + parts[1]))
			return string(h.Sum(nil))
		}),
		Valid: tokenPeriod(claims),
	}
}

func bbbReadRecord(c *check, body []byte, moderatorsAreStaff bool) Delivery {
	var r bbbRecord
	c.read(body, &r)
	if r.External == "" && r.Internal == "" {
		c.refuse("meeting_id: missing")
	}
	if r.Data.Metadata.Breakout {
		return unsupported
	}
	meeting := c.settle(attendance.Event{
		Room: bbbRoom(c, "meeting_id", r.External, r.Internal), Occurrence: c.need("internal_meeting_id", r.Internal),
	})
	var events []attendance.Event
	mark := func(kind attendance.Kind, field string, said stamp) {
		if at := c.time(field, said); !at.IsZero() { // the record need not say when the meeting began and ended
			meeting.Kind, meeting.At = kind, c.moment(field, at)
			events = append(events, meeting)
		}
	}
	mark(attendance.Started, "data.start", r.Data.Start)
	for i, attendee := range r.Data.Attendees {
		c.prefix = fmt.Sprintf("attendee %d: ", i)
		events = append(events, attendee.events(c, meeting, moderatorsAreStaff)...)
	}
	c.prefix = ""
	mark(attendance.Ended, "data.finish", r.Data.Finish)
	if len(events) == 0 {
		return unsupported
	}
	return Delivery{Events: events}
}

// bbbConnection is how BigBlueButton names connections itself.
var bbbConnection = regexp.MustCompile(`^[wv]_[a-z0-9]{12}$`)

// events are the stays of one person. A record names no connections, so that each stay is one of its own, known by its beginning;
// but who has no id of the integrator's is named by their connection, under which bbb-webhooks knows them.
func (a bbbAttendee) events(c *check, meeting attendance.Event, moderatorsAreStaff bool) []attendance.Event {
	person := meeting
	person.Attendee = c.need("ext_user_id", a.External)
	person.Name = string(a.Name)
	person.Staff = moderatorsAreStaff && bool(a.Moderator)
	connection := func(at time.Time) string { return fmt.Sprintf("record/%s/%d", person.Attendee, at.UnixMilli()) }
	if bbbConnection.MatchString(person.Attendee) {
		own := person.Attendee
		connection, person.Attendee, person.Guest = func(time.Time) string { return own }, "", true
	}
	joins, leaves := c.times("joins", a.Joins), c.times("leaves", a.Leaves)
	person.Kind = attendance.Joined
	if person = c.settle(person); person.Reason != "" && len(joins)+len(leaves) == 0 {
		return []attendance.Event{person}
	}
	var events []attendance.Event
	for _, s := range pairUp(joins, leaves) {
		e := person
		if e.At = s.joined; !s.joined.IsZero() {
			e.Connection = connection(s.joined)
			events = append(events, e)
		}
		if !s.left.IsZero() {
			e.Kind, e.At = attendance.Left, leftAfter(s.joined, s.left)
			if s.joined.IsZero() {
				e.Connection = connection(s.left)
			}
			events = append(events, e)
		}
	}
	return events
}

// times reads moments, and leaves out those that are none.
func (c *check) times(field string, said []stamp) []time.Time {
	var times []time.Time
	for _, s := range said {
		if at := c.time(field, s); !at.IsZero() {
			times = append(times, c.moment(field, at))
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}

// stay is from a join to a leave, either of which may be missing: the zero Time.
type stay struct{ joined, left time.Time }

// pairUp makes stays of joins and leaves in order: each leave ends the earliest stay that is open. Which of several devices of a
// person was closed makes no difference to when the person was there.
func pairUp(joins, leaves []time.Time) []stay {
	var stays []stay
	for _, joined := range joins {
		stays = append(stays, stay{joined: joined})
	}
	open := 0
	for _, left := range leaves {
		if open < len(joins) && !left.Before(joins[open]) {
			stays[open].left = left
			open++
			continue
		}
		stays = append(stays, stay{left: left})
	}
	return stays
}
