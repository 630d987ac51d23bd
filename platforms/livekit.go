package platforms

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
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
	Secret:     livekitSecret,
	Verify:     livekitVerify,
	Decode:     livekitDecode,
	Sign:       livekitSign,
	Encode:     livekitEncode,
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

func livekitSecret(secret string) error {
	if key, value, _ := strings.Cut(secret, ":"); key == "" || value == "" {
		return errors.New("must be KEY:SECRET")
	}
	return nil
}

func livekitVerify(s Source, r Request) error {
	token := r.Header.Get("Authorization")
	if token == "" {
		return ErrMissing
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(cmp.Or(s.Tolerance, livekitLeeway)),
		jwt.WithTimeFunc(func() time.Time { return r.Now }),
		jwt.WithStrictDecoding(),
	)
	var claims livekitClaims
	if _, err := parser.ParseWithClaims(token, &claims, livekitKeys(s)); err != nil {
		return livekitRefusal(err)
	}
	sum := sha256.Sum256(r.Body)
	want := base64.StdEncoding.EncodeToString(sum[:])
	// A participant's access token has the same signature but no such claim.
	if subtle.ConstantTimeCompare([]byte(claims.SHA256), []byte(want)) != 1 {
		return ErrSignature
	}
	return nil
}

// livekitKeys offers every secret of the API key that issued the token.
func livekitKeys(s Source) jwt.Keyfunc {
	return func(token *jwt.Token) (any, error) {
		issuer, err := token.Claims.GetIssuer()
		if err != nil {
			return nil, err
		}
		var set jwt.VerificationKeySet
		for _, secret := range s.Secrets {
			if key, value, _ := strings.Cut(secret, ":"); livekitSecret(secret) == nil && key == issuer {
				set.Keys = append(set.Keys, []byte(value))
			}
		}
		return set, nil
	}
}

// livekitRefusal never passes on the library's message, which may quote the token.
func livekitRefusal(err error) error {
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return ErrStale
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return ErrFuture
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return ErrMissing
	}
	return ErrSignature
}

// livekitDecode emits every mark that a request proves: that its room was open, and in a leave also the join, so that a
// lost join or a lost room_started costs nothing. The opening comes first: a room that was killed without a word is
// closed by the next one's true start.
func livekitDecode(_ Source, r Request) (Delivery, error) {
	c := &check{now: r.Now}
	var head struct {
		Event string `json:"event"`
	}
	c.read(r.Body, &head)
	c.need("event", id(head.Event))
	switch {
	case c.err != nil:
		return Delivery{}, c.err
	case !livekitSupports(head.Event):
		return Delivery{Unsupported: 1}, nil
	}
	var body livekitBody
	c.read(r.Body, &body)
	events := livekitEvents(c, body)
	if c.err != nil {
		return Delivery{}, c.err
	}
	return Delivery{Events: events}, nil
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
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("Authorization", signed)
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
