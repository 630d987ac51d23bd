// Package platforms turns the signed webhooks of livestream platforms into attendance events: one file per dialect.
//
// The story in files: platforms.go (what a dialect is), body.go (reading JSON that others wrote, without ever quoting
// it), then one file per platform, each with its payload, Verify, Decode, Sign and Encode.
package platforms

import (
	"cmp"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"jauge/attendance"
)

// Source is one configured sender. Any of Secrets may match, so that two are valid during a rotation.
type Source struct {
	Name        string
	Platform    string
	Secrets     []string
	Tolerance   time.Duration // how old or how far ahead a signed time may be; 0: the dialect's default
	CallbackURL string        // the exact registered URL, for dialects that sign it
	Path        string        // the secret end of the address, /webhooks/{source}/{path}, for senders that cannot sign
	Accept      []string      // what the dialect takes only by choice, each a word of its Accepts
}

// Request is one delivery, its body read once and whole. Now is the receiver's clock.
type Request struct {
	Method string
	Header http.Header
	Path   string // what follows /webhooks/{source}/, without slashes at its ends
	Query  url.Values
	Body   []byte
	Now    time.Time
}

// Delivery is what a request proved. Unsupported counts authentic statements that are none of jauge's business.
type Delivery struct {
	Events      []attendance.Event
	Answers     []Answers
	Unsupported int
	Reply       *Reply // nil: 200 {}
}

// Reply is the answer that a platform's handshake needs.
type Reply struct {
	Status      int
	ContentType string
	Body        []byte
}

// Answers is one person's survey answers as a platform sent them. Several of one key are one submission, as it stood at
// several moments.
type Answers struct {
	Room     string
	Attendee string // may be empty: the answer is anonymous
	Segment  string
	Lang     string
	At       time.Time
	Key      string         // names this submission, the same on each redelivery
	Values   map[string]any // question id → value, as JSON decodes it with UseNumber
	Foreign  bool           // Values has the platform's own references and its labels of choices: the session maps them
	Partial  bool           // the person has not finished: more may come under the same key
}

// Dialect is one platform's way of speaking. Verify looks at the raw request only and returns one of the refusals
// below; Decode is called on verified requests only and returns ErrBody (wrapped, without any of the body's text).
// Sign and Encode are the sender's side, for the simulator and the tests: Sign sets the headers, or the query, for r.Body
// at r.Now with the source's first secret, and the path where the platform has paths of its own; Encode writes the event
// as the platform would, with a nil body for what the platform has no word for, and in the platform's own time resolution.
// A leave's Total may tell Encode how long its connection lasted: some platforms say so in the leave.
//
// Accepts lists what a source may choose with `accept` (an older checksum, unsigned requests), each with what it risks.
// Hello, if not nil, answers a handshake that comes before any signature could be made; nil: not a handshake. Refusal is
// the status of a request that is not verified, where the platform treats another one than 401 better.
type Dialect struct {
	Capability attendance.Capability
	Accepts    map[string]string
	Hello      func(Source, Request) *Reply
	Refusal    int
	Secret     func(secret string) error // what is wrong with a configured secret, never quoting it
	Needs      func(Source) error        // what else is wrong with a source, starting with the field; nil: nothing can be
	Verify     func(Source, Request) error
	Decode     func(Source, Request) (Delivery, error)
	Sign       func(Source, *Request)
	Encode     func(attendance.Event) (contentType string, body []byte)

	EncodeAnswers func(Answers) (contentType string, body []byte) // the same for answers; nil: the platform has none
}

// Dialects by platform name.
var Dialects = map[string]Dialect{
	"zoom":          zoom,
	"livekit":       livekit,
	"standard":      standard,
	"livestorm":     livestorm,
	"bigbluebutton": bigbluebutton,
	"jaas":          jaas,
	"jitsi":         jitsi,
	"daily":         daily,
	"typeform":      typeform,
	"tally":         tally,
	"formbricks":    formbricks,
}

// The refusals. Reason gives their labels.
var (
	ErrSignature = errors.New("signature does not match")
	ErrStale     = errors.New("signed time is too old")
	ErrFuture    = errors.New("signed time is in the future")
	ErrMissing   = errors.New("signature or its time is missing") // or cannot be read as one
	ErrBody      = errors.New("body cannot be decoded")
)

// reasons are the words of those errors, and otherReason that of any other.
var reasons = []struct {
	err  error
	word string
}{
	{ErrSignature, "signature"}, {ErrStale, "stale"}, {ErrFuture, "future"}, {ErrMissing, "missing"}, {ErrBody, "body"},
}

const otherReason = "other"

// Reason is the label of jauge_webhook_refused_total for a refusal of Verify or Decode; "" for nil.
func Reason(err error) string {
	if err == nil {
		return ""
	}
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.word
		}
	}
	return otherReason
}

// Reasons lists every word that Reason has for an error.
func Reasons() []string {
	words := []string{otherReason}
	for _, r := range reasons {
		words = append(words, r.word)
	}
	return words
}

// Verifiable says everything that keeps a source's requests from being verified, joined with errors.Join and each
// starting with the field ("secrets[0]: must be KEY:SECRET"); nil if nothing does. No message quotes a secret.
func Verifiable(s Source) error {
	dialect, ok := Dialects[s.Platform]
	if !ok {
		names := slices.Sorted(maps.Keys(Dialects))
		return fmt.Errorf("platform: unknown, must be one of %s", strings.Join(names, ", "))
	}
	var problems []error
	unsigned := slices.Contains(s.Accept, Unsigned)
	if len(s.Secrets) == 0 && !unsigned {
		problems = append(problems, errors.New("secrets: missing"))
	}
	for i, secret := range s.Secrets {
		if err := dialect.Secret(secret); err != nil {
			problems = append(problems, fmt.Errorf("secrets[%d]: %w", i, err))
		}
	}
	if dialect.Needs != nil {
		problems = append(problems, dialect.Needs(s))
	}
	if s.Tolerance < 0 {
		problems = append(problems, errors.New("tolerance: must not be negative"))
	}
	for i, word := range s.Accept {
		if _, ok := dialect.Accepts[word]; !ok {
			words := strings.Join(slices.Sorted(maps.Keys(dialect.Accepts)), ", ")
			problems = append(problems, fmt.Errorf("accept[%d]: unknown, %s takes %s by choice", i, s.Platform, cmp.Or(words, "nothing")))
		}
	}
	if unsigned && len(s.Path) < minPath {
		problems = append(problems, fmt.Errorf("path: must have at least %d characters, as unsigned requests are taken there", minPath))
	}
	if strings.Trim(s.Path, "/") != s.Path {
		problems = append(problems, errors.New("path: must not start or end with a slash"))
	}
	return errors.Join(problems...)
}

// Unsigned is the word of Accept for requests that carry no signature: whoever knows the source's Path may post. Such a
// source needs no secrets.
const Unsigned = "unsigned"

// minPath, in characters, keeps a Path from being guessed.
const minPath = 16

// takesUnsigned says whether the source takes this request without a signature.
func (s Source) takesUnsigned(r Request) bool {
	return slices.Contains(s.Accept, Unsigned) && len(s.Path) >= minPath && subtle.ConstantTimeCompare([]byte(r.Path), []byte(s.Path)) == 1
}

// defaultTolerance of signed times, both ways.
const defaultTolerance = 5 * time.Minute

// inTime holds a signed time, in Unix seconds, against the receiver's clock. The bounds are included.
func inTime(s Source, now time.Time, signed int64) error {
	tolerance := int64(cmp.Or(s.Tolerance, defaultTolerance) / time.Second)
	switch {
	case signed < now.Unix()-tolerance:
		return ErrStale
	case signed > now.Unix()+tolerance:
		return ErrFuture
	}
	return nil
}

// signedAt reads a signed Unix time whose unit is not certain: milliseconds from 12 digits on, else seconds.
func signedAt(stamp string) (seconds int64, ok bool) {
	at, err := strconv.ParseInt(stamp, 10, 64)
	if len(stamp) >= 12 {
		at /= 1000
	}
	return at, err == nil
}
