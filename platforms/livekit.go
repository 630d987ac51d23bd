package platforms

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"jauge/attendance"
)

// livekit: rooms of a LiveKit server, and of plugNmeet, which signs as LiveKit does, sends LiveKit's participants, and names the
// room another way. A JWT in Authorization, without "Bearer", carries the body's SHA-256 and is
// signed with the secret of the API key that its issuer names.
// Source: https://docs.livekit.io/home/server/webhooks/ and github.com/livekit/protocol (auth, webhook, livekit_webhook.proto)
var livekit = Dialect{
	Capability: attendance.Live,
	Scheme:     livekitScheme,
	Decode:     readingSigned(livekitScheme, livekitRead),
	Sign:       livekitSign,
	Encode:     livekitEncode,
	Resolution: livekitResolution,
}

var livekitScheme = Scheme{Key: livekitKey, Read: livekitCredentials, Tolerance: livekitLeeway}

// livekitLeeway is the official verifier's. It matters: after a Retry-After the server sends the same token again.
const livekitLeeway = time.Minute

// livekitBody is what is read of a body, in protobuf's JSON: senders may use either spelling of a name. Everything
// else (metadata, the room's TURN password) is never decoded.
type livekitBody struct {
	Event      id      `json:"event"`
	CreatedAt  integer `json:"createdAt"` // s
	CreatedAt2 integer `json:"created_at"`
	Room       struct {
		SID             id      `json:"sid"` // of this opening of the room
		Name            id      `json:"name"`
		RoomID          id      `json:"room_id"`      // of plugNmeet, whose name is a title
		CreationTime    integer `json:"creationTime"` // s
		CreationTime2   integer `json:"creation_time"`
		CreationTimeMs  integer `json:"creationTimeMs"`
		CreationTimeMs2 integer `json:"creation_time_ms"`
	} `json:"room"`
	Participant struct {
		SID         id      `json:"sid"` // of the connection
		Identity    id      `json:"identity"`
		Name        name    `json:"name"`
		Kind        id      `json:"kind"`  // left out: STANDARD
		State       id      `json:"state"` // left out: JOINING
		Reason      id      `json:"disconnectReason"`
		Reason2     id      `json:"disconnect_reason"`
		JoinedAt    integer `json:"joinedAt"` // s
		JoinedAt2   integer `json:"joined_at"`
		JoinedAtMs  integer `json:"joinedAtMs"`
		JoinedAtMs2 integer `json:"joined_at_ms"`
		Attributes  struct {
			CallStatus id `json:"sip.callStatus"`
		} `json:"attributes"`
		Permission struct {
			Hidden truth `json:"hidden"`
		} `json:"permission"`
	} `json:"participant"`
}

func (b livekitBody) created() time.Time { return cmp.Or(b.CreatedAt, b.CreatedAt2).seconds() }

func (b livekitBody) opened() time.Time {
	r := b.Room
	return cmp.Or(cmp.Or(r.CreationTimeMs, r.CreationTimeMs2).millis(), cmp.Or(r.CreationTime, r.CreationTime2).seconds())
}

func (b livekitBody) joined() time.Time {
	p := b.Participant
	return cmp.Or(cmp.Or(p.JoinedAtMs, p.JoinedAtMs2).millis(), cmp.Or(p.JoinedAt, p.JoinedAt2).seconds())
}

// staff: recorders, streams and agents, by name or number of ParticipantInfo.Kind or by the names that plugNmeet gives its own, and
// whoever the others cannot see. A kind that is not known yet is somebody: more ways to attend are invented than machines.
func (b livekitBody) staff() bool {
	p := b.Participant
	switch p.Kind {
	case "INGRESS", "1", "EGRESS", "2", "AGENT", "4", "BRIDGE", "8":
		return true
	}
	return bool(p.Permission.Hidden) || b.Room.RoomID != "" && plugNmeetMachine.MatchString(string(p.Identity))
}

// plugNmeetMachine is the identity of recorders, streams and agents of plugNmeet.
var plugNmeetMachine = regexp.MustCompile(`^(RECORDER_BOT|RTMP_BOT|ingres_.*|pnm_agent-.*|pnm_tts_agent-.*)$`)

// presence is what a request proves of its participant: that they were there, and that they are not now. Neither: never there.
//
// A phone that is called is a participant while it rings; nobody is there before somebody answers. Who leaves was there if they had
// got in (ACTIVE): older servers also report the leave of those who never did. No state is JOINING, the first one.
func (b livekitBody) presence() (there, gone bool) {
	p := b.Participant
	phone := p.Kind == "SIP" || p.Kind == "3"
	if b.Event == "participant_joined" {
		return !phone || p.Attributes.CallStatus == "" || p.Attributes.CallStatus == "active", false
	}
	if phone && (p.Attributes.CallStatus == "dialing" || p.Attributes.CallStatus == "ringing") {
		return false, false
	}
	switch cmp.Or(p.Reason, p.Reason2) {
	case "USER_UNAVAILABLE", "11", "USER_REJECTED", "12", "JOIN_FAILURE", "7":
		return false, false
	case "SIP_TRUNK_FAILURE", "13": // before anybody answered, or later
		return false, true
	}
	switch p.State {
	case "ACTIVE", "2", "DISCONNECTED", "3":
		return true, true
	case "JOINING", "0", "JOINED", "1":
		return false, false
	}
	return false, true
}

type livekitClaims struct {
	jwt.RegisteredClaims
	SHA256 string `json:"sha256"` // standard base64
}

func livekitKey(secret string) ([]byte, error) {
	if name, value, _ := strings.Cut(secret, ":"); name == "" || value == "" {
		return nil, errors.New("must be KEY:SECRET")
	}
	return []byte(secret), nil
}

// livekitCredentials: a token vouches for a body by its digest, so that one is given with the other. A participant's access
// token has the same signature but no digest. No message of the library is passed on: it may quote the token.
func livekitCredentials(_ Source, r Request) (Credentials, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return Credentials{}, nil
	}
	var claims livekitClaims
	token, parts, err := jwt.NewParser(jwt.WithStrictDecoding()).ParseUnverified(header, &claims)
	if err != nil || token.Method != jwt.SigningMethodHS256 {
		return Credentials{}, ErrSignature
	}
	sum := sha256.Sum256(r.Body)
	digest := base64.StdEncoding.EncodeToString(sum[:])
	return Credentials{
		Given: []string{string(token.Signature) + claims.SHA256},
		Expected: func(key []byte) []string {
			name, value, _ := strings.Cut(string(key), ":")
			if name != claims.Issuer {
				return nil
			}
			sum := sha256MAC([]byte(value), parts[0]+"."+parts[1], nil)
			return []string{string(sum[:]) + digest}
		},
		Valid: tokenPeriod(claims.RegisteredClaims),
	}, nil
}

// tokenPeriod is when a token is valid; nil without an end. The end itself is not in it, as JWT has it.
func tokenPeriod(c jwt.RegisteredClaims) *Period {
	if c.ExpiresAt == nil {
		return nil
	}
	p := &Period{Until: c.ExpiresAt.Unix() - 1}
	for _, from := range []*jwt.NumericDate{c.NotBefore, c.IssuedAt} {
		if from != nil {
			p.From = max(p.From, from.Unix())
		}
	}
	return p
}

// livekitRead emits every mark that a request proves: that its room was open, and in a leave also the join, so that a
// lost join or a lost room_started costs nothing. The opening comes first: a room that was killed without a word is
// closed by the next one's true start.
func livekitRead(c *check, _ Source, r Request) Delivery {
	var body livekitBody
	c.read(r.Body, &body)
	if !livekitSupports(c.kind("event", body.Event)) {
		return unsupported
	}
	events := livekitEvents(c, body)
	if len(events) == 0 { // somebody who was never there
		return unsupported
	}
	return Delivery{Events: events}
}

// livekitSupports: not tracks, egress, ingress or agents, and not participant_connection_aborted, which is somebody who
// never got in.
func livekitSupports(event string) bool {
	switch event {
	case "room_started", "room_finished", "participant_joined", "participant_left", "session_ended": // the last is plugNmeet's own end
		return true
	}
	return false
}

func livekitEvents(c *check, b livekitBody) []attendance.Event {
	room := c.settle(attendance.Event{
		Room: c.need("room.name", cmp.Or(b.Room.RoomID, b.Room.Name)), Occurrence: c.need("room.sid", b.Room.SID),
	})
	var events []attendance.Event
	add := func(e attendance.Event, kind attendance.Kind, at time.Time) {
		e.Kind, e.At = kind, at
		events = append(events, c.settle(e))
	}
	if opened := b.opened(); !opened.IsZero() {
		add(room, attendance.Started, c.moment("room.creationTimeMs", opened))
	}
	switch b.Event {
	case "room_started":
		if len(events) == 0 {
			add(room, attendance.Started, c.happened("createdAt", b.created()))
		}
	case "room_finished", "session_ended":
		add(room, attendance.Ended, c.happened("createdAt", b.created()))
	default:
		events = append(events, livekitStay(c, room, b)...)
	}
	return events
}

// livekitStay: leaves have seconds only, and joins milliseconds.
func livekitStay(c *check, room attendance.Event, b livekitBody) []attendance.Event {
	there, gone := b.presence()
	if !there && !gone {
		return nil
	}
	joined := room
	joined.Kind = attendance.Joined
	joined.Attendee = c.need("participant.identity", b.Participant.Identity)
	joined.Connection = c.need("participant.sid", b.Participant.SID)
	joined.Name = string(b.Participant.Name)
	joined.Staff = b.staff()
	joined = c.settle(joined)
	if !gone {
		joined.At = c.happened("participant.joinedAtMs", b.joined(), b.created())
		return []attendance.Event{c.settle(joined)}
	}
	left := joined
	left.Kind = attendance.Left
	left.At = leftAfter(b.joined(), c.happened("createdAt", b.created()))
	left = c.settle(left)
	if b.joined().IsZero() || !there {
		return []attendance.Event{left}
	}
	joined.At = c.moment("participant.joinedAtMs", b.joined())
	return []attendance.Event{joined, left}
}

func livekitSign(s Source, r *Request) {
	key, secret, _ := strings.Cut(s.Secrets[0], ":")
	sum := sha256.Sum256(r.Body)
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, livekitClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    key,
			IssuedAt:  jwt.NewNumericDate(r.Now),
			NotBefore: jwt.NewNumericDate(r.Now),
			ExpiresAt: jwt.NewNumericDate(r.Now.Add(5 * time.Minute)),
		},
		SHA256: base64.StdEncoding.EncodeToString(sum[:]),
	})
	signed, err := token.SignedString([]byte(secret))
	if err != nil {
		panic(err) // HMAC takes any key
	}
	r.set("Authorization", signed)
}

// livekitResolution: createdAt, the only moment of a leave and an end, has seconds.
func livekitResolution(kind attendance.Kind) time.Duration {
	switch kind {
	case attendance.Left, attendance.Ended:
		return time.Second
	}
	return time.Millisecond
}

// livekitEncode knows the room's start in room_started only, and no join in a leave: both are optional when decoding.
func livekitEncode(e attendance.Event) (string, []byte) {
	seconds, millis := strconv.FormatInt(e.At.Unix(), 10), strconv.FormatInt(e.At.UnixMilli(), 10)
	room := map[string]any{"sid": e.Occurrence, "name": e.Room, "emptyTimeout": 300, "departureTimeout": 20}
	body := map[string]any{"room": room, "createdAt": seconds}
	person := map[string]any{"sid": e.Connection, "identity": e.Attendee, "name": e.Name}
	if e.Staff {
		person["kind"] = "AGENT"
	}
	switch e.Kind {
	case attendance.Started:
		body["event"], room["creationTime"], room["creationTimeMs"] = "room_started", seconds, millis
	case attendance.Ended:
		body["event"] = "room_finished"
	case attendance.Joined:
		body["event"], body["participant"] = "participant_joined", person
		person["state"], person["joinedAt"], person["joinedAtMs"] = "ACTIVE", seconds, millis
	case attendance.Left:
		body["event"], body["participant"] = "participant_left", person
		person["state"], person["disconnectReason"] = "DISCONNECTED", "CLIENT_INITIATED"
	default:
		return "", nil
	}
	sum := sha256.Sum256(mustJSON(body)) // the same event keeps its id when it is sent again
	body["id"] = "EV_" + hex.EncodeToString(sum[:6])
	return "application/webhook+json", mustJSON(body)
}
