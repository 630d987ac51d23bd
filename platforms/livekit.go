package platforms

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"jauge/attendance"
)

// livekit: rooms of a LiveKit server. A JWT in Authorization, without "Bearer", carries the body's SHA-256 and is
// signed with the secret of the API key that its issuer names.
// Source: https://docs.livekit.io/home/server/webhooks/ and github.com/livekit/protocol (auth, webhook, livekit_webhook.proto)
var livekit = Dialect{
	Capability: attendance.Live,
	Scheme:     Scheme{Key: livekitKey, Read: livekitCredentials, Tolerance: livekitLeeway},
	Decode:     reading(livekitRead),
	Sign:       livekitSign,
	Encode:     livekitEncode,
	Resolution: livekitResolution,
}

// livekitLeeway is the official verifier's. It matters: after a Retry-After the server sends the same token again.
const livekitLeeway = time.Minute

// livekitBody is what is read of a body, in protobuf's JSON: senders may use either spelling of a name. Everything
// else (metadata, the room's TURN password) is never decoded.
type livekitBody struct {
	Event      string  `json:"event"`
	CreatedAt  integer `json:"createdAt"` // s
	CreatedAt2 integer `json:"created_at"`
	Room       struct {
		SID             id      `json:"sid"` // of this opening of the room
		Name            id      `json:"name"`
		CreationTime    integer `json:"creationTime"` // s
		CreationTime2   integer `json:"creation_time"`
		CreationTimeMs  integer `json:"creationTimeMs"`
		CreationTimeMs2 integer `json:"creation_time_ms"`
	} `json:"room"`
	Participant struct {
		SID         id      `json:"sid"` // of the connection
		Identity    id      `json:"identity"`
		Name        name    `json:"name"`
		Kind        id      `json:"kind"`     // left out: STANDARD
		JoinedAt    integer `json:"joinedAt"` // s
		JoinedAt2   integer `json:"joined_at"`
		JoinedAtMs  integer `json:"joinedAtMs"`
		JoinedAtMs2 integer `json:"joined_at_ms"`
		Permission  struct {
			Hidden bool `json:"hidden"`
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

// staff: everything but people at a browser and people on a phone (SIP); recorders, agents and the like, by name or
// number of ParticipantInfo.Kind, and whoever the others cannot see.
func (b livekitBody) staff() bool {
	switch b.Participant.Kind {
	case "", "STANDARD", "0", "SIP", "3":
		return b.Participant.Permission.Hidden
	}
	return true
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
			return []string{string(mac([]byte(value), parts[0]+"."+parts[1], nil)) + digest}
		},
		Valid: claims.valid(),
	}, nil
}

// valid is nil without an end. The end itself is not in it, as JWT has it.
func (c livekitClaims) valid() *Period {
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
	var head struct {
		Event string `json:"event"`
	}
	c.read(r.Body, &head)
	if !livekitSupports(c.need("event", id(head.Event))) {
		return unsupported
	}
	var body livekitBody
	c.read(r.Body, &body)
	return Delivery{Events: livekitEvents(c, body)}
}

// livekitSupports: not tracks, egress, ingress or agents, and not participant_connection_aborted, which is somebody who
// never got in.
func livekitSupports(event string) bool {
	switch event {
	case "room_started", "room_finished", "participant_joined", "participant_left":
		return true
	}
	return false
}

func livekitEvents(c *check, b livekitBody) []attendance.Event {
	room := attendance.Event{Room: c.need("room.name", b.Room.Name), Occurrence: c.need("room.sid", b.Room.SID)}
	var events []attendance.Event
	add := func(e attendance.Event, kind attendance.Kind, at time.Time) {
		e.Kind, e.At = kind, at
		events = append(events, e)
	}
	if opened := b.opened(); !opened.IsZero() {
		add(room, attendance.Started, c.moment("room.creationTimeMs", opened))
	}
	switch b.Event {
	case "room_started":
		if len(events) == 0 {
			add(room, attendance.Started, c.moment("createdAt", b.created()))
		}
	case "room_finished":
		add(room, attendance.Ended, c.moment("createdAt", b.created()))
	case "participant_joined":
		add(livekitPerson(c, room, b), attendance.Joined, c.moment("participant.joinedAtMs", b.joined(), b.created()))
	case "participant_left":
		person := livekitPerson(c, room, b)
		if joined := b.joined(); !joined.IsZero() {
			add(person, attendance.Joined, c.moment("participant.joinedAtMs", joined))
		}
		add(person, attendance.Left, c.moment("createdAt", b.created()))
	}
	return events
}

func livekitPerson(c *check, room attendance.Event, b livekitBody) attendance.Event {
	room.Attendee = c.need("participant.identity", b.Participant.Identity)
	room.Connection = c.need("participant.sid", b.Participant.SID)
	room.Name = string(b.Participant.Name)
	room.Staff = b.staff()
	return room
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
