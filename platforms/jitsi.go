package platforms

import (
	"encoding/json"
	"strconv"
	"strings"

	"jauge/attendance"
)

// jitsi: rooms of a Jitsi Meet server of one's own, with the module event_sync in its XMPP server Prosody. It posts to four
// paths below one address and signs nothing: a header that the server's configuration holds shows the secret itself.
//
// The module names no opening of a room with its occupants: joins and leaves, and with them starts and ends, are of a room's
// occurrence without a name, which an end closes and a later join opens again. Breakout rooms are posted under the name of the main
// room, and a stay in one is a stay at the meeting.
// Source: https://github.com/jitsi-contrib/prosody-plugins/tree/main/event_sync
var jitsi = Dialect{
	Capability: attendance.Live,
	Guests:     true,
	Large:      16 << 20, // who was in a room when it closes: 5,000 stays are more than a megabyte
	Scheme:     Scheme{Key: plainKey, Read: jitsiCredentials, Untimed: true},
	Decode:     reading(jitsiRead),
	Sign:       jitsiSign,
	Encode:     jitsiEncode,
	Resolution: wholeSeconds,
	SaysStay:   true,
}

// jitsiPaths are where the module posts what, below /webhooks/{source}/.
var jitsiPaths = map[string]string{
	"muc-room-created":    "events/room/created",
	"muc-room-destroyed":  "events/room/destroyed",
	"muc-occupant-joined": "events/occupant/joined",
	"muc-occupant-left":   "events/occupant/left",
}

// jitsiBody is what is read of a body; everything else is never decoded. Times are Unix seconds.
type jitsiBody struct {
	EventName   id              `json:"event_name"`
	RoomJID     id              `json:"room_jid"`  // the main room's, in breakout rooms too
	RoomName    id              `json:"room_name"` // the main room's, in breakout rooms too
	Breakout    truth           `json:"is_breakout"`
	CreatedAt   integer         `json:"created_at"`
	DestroyedAt integer         `json:"destroyed_at"`
	Occupant    jitsiOccupant   `json:"occupant"`
	Everyone    []jitsiOccupant `json:"all_occupants"` // when the room closes: each address's last stay
}

// jitsiOccupant has an id, an e-mail and a name only where people come with a token, and the last two only if the module is told
// to send all that tokens say.
type jitsiOccupant struct {
	JID         id      `json:"occupant_jid"` // of the browser's session with the server; stays the same from room to room
	JoinedAt    integer `json:"joined_at"`
	LeftAt      integer `json:"left_at"`
	ID          id      `json:"id"`
	Email       id      `json:"email"`
	Name        name    `json:"name"`
	Moderator   truth   `json:"moderator"`
	Affiliation id      `json:"affiliation"`
}

func jitsiCredentials(_ Source, r Request) (Credentials, error) {
	shown, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return Credentials{}, nil
	}
	return Credentials{Given: []string{shown}, Expected: shownKey}, nil
}

// jitsiRead goes by the event's name, which says the same as the path.
func jitsiRead(c *check, _ Source, r Request) Delivery {
	var body jitsiBody
	c.read(r.Body, &body)
	if jitsiPaths[c.kind("event_name", body.EventName)] == "" {
		return unsupported
	}
	events := jitsiEvents(c, body)
	if len(events) == 0 { // a breakout room that opens, or closes without anybody having been in
		return unsupported
	}
	return Delivery{Events: events}
}

// jitsiEvents emits every mark that a request proves. A room that closes says who was in from when to when, whatever was
// lost before.
func jitsiEvents(c *check, b jitsiBody) []attendance.Event {
	room := c.settle(attendance.Event{Room: c.need("room_jid", b.RoomJID), Alias: c.id("room_name", b.RoomName)})
	var events []attendance.Event
	if b.EventName == "muc-occupant-joined" || b.EventName == "muc-occupant-left" {
		return jitsiStay(c, events, room, b.Occupant, b)
	}
	if !b.Breakout {
		room.Kind, room.At = attendance.Started, c.moment("created_at", b.CreatedAt.seconds(), b.DestroyedAt.seconds())
		events = append(events, c.settle(room))
	}
	if b.EventName == "muc-room-created" {
		return events
	}
	for i, occupant := range b.Everyone {
		c.prefix = element(i)
		events = jitsiStay(c, events, room, occupant, b)
	}
	c.prefix = ""
	if !b.Breakout {
		room.Kind, room.At = attendance.Ended, c.moment("destroyed_at", b.DestroyedAt.seconds())
		events = append(events, c.settle(room))
	}
	return events
}

// jitsiStay adds the join of a stay, and its leave unless this is a join. Each stay is a connection of its own: whoever
// comes back from a breakout room has the same address as before, and another time of joining.
func jitsiStay(c *check, events []attendance.Event, room attendance.Event, o jitsiOccupant, b jitsiBody) []attendance.Event {
	e := room
	e.Kind = attendance.Joined
	e.At = c.moment("joined_at", o.JoinedAt.seconds())
	e.Connection = c.need("occupant_jid", o.JID) + "/" + strconv.FormatInt(int64(o.JoinedAt), 10)
	e.Email = c.email("email", o.Email)
	e.Name = string(o.Name)
	e.Staff = bool(o.Moderator) || o.Affiliation == "owner"
	if e.Attendee = c.id("id", o.ID); e.Attendee == "" && e.Email == "" { // then the browser is the person, until its page is closed
		e.Attendee, e.Guest = c.id("occupant_jid", o.JID), true
	}
	e = c.settle(e)
	events = append(events, e)
	if b.EventName == "muc-occupant-joined" {
		return events
	}
	e.Kind = attendance.Left
	e.At = leftAfter(o.JoinedAt.seconds(), c.moment("left_at", o.LeftAt.seconds(), b.DestroyedAt.seconds()))
	return append(events, c.settle(e))
}

// jitsiSign also chooses the path.
func jitsiSign(s Source, r *Request) {
	var head struct {
		EventName string `json:"event_name"`
	}
	if err := json.Unmarshal(r.Body, &head); err == nil {
		r.Path = jitsiPaths[head.EventName]
	}
	r.set("Authorization", "Bearer "+s.Secrets[0])
}

// jitsiEncode needs to know of a leave when its stay began: Total before it.
func jitsiEncode(e attendance.Event) (string, []byte) {
	at := e.At.Unix()
	name, _, _ := strings.Cut(e.Room, "@")
	body := map[string]any{"room_jid": e.Room, "room_name": name, "is_breakout": false}
	occupant := map[string]any{"occupant_jid": e.Connection, "id": e.Attendee, "joined_at": e.At.Add(-e.Total).Unix()}
	if e.Email != "" {
		occupant["email"] = e.Email
	}
	if e.Name != "" {
		occupant["name"] = e.Name
	}
	if e.Staff {
		occupant["moderator"] = true
	}
	switch e.Kind {
	case attendance.Started:
		body["event_name"], body["created_at"] = "muc-room-created", at
	case attendance.Ended:
		body["event_name"], body["destroyed_at"], body["all_occupants"] = "muc-room-destroyed", at, []any{}
	case attendance.Joined:
		body["event_name"], body["occupant"] = "muc-occupant-joined", occupant
	case attendance.Left:
		body["event_name"], body["occupant"] = "muc-occupant-left", occupant
		occupant["left_at"] = at
	default:
		return "", nil
	}
	return "application/json", mustJSON(body)
}
