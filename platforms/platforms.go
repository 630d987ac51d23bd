// Package platforms turns the signed webhooks of livestream platforms into attendance events: one file per dialect.
//
// The story in files: platforms.go (what a dialect is), verify.go (who may come in: the one place where signatures and times
// are judged), body.go (reading JSON that others wrote, without ever quoting it, by way of the package scan), answers.go (what survey tools share). Then
// a file a platform, each with its payload, its Scheme, Decode, Sign and Encode: zoom.go, livekit.go, bigbluebutton.go with
// bigbluebutton_record.go, jaas.go, jitsi.go, daily.go, livestorm.go; typeform.go, tally.go, formbricks.go; and standard.go for
// senders of one's own.
package platforms

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
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

// Request is one delivery, its body read once and whole. Now is the receiver's clock. What is read of a request may keep no part of
// Body, only copies: its bytes are those of another request afterwards.
type Request struct {
	Method string
	Header http.Header
	Path   string // what follows /webhooks/{source}/, without slashes at its ends
	Query  url.Values
	Body   []byte
	Now    time.Time
}

// Delivery is what a request proved. Each statement stands for itself: one that is no use, because something is missing or
// cannot be read, is an event with a Reason beside the good ones. Unsupported counts authentic statements that are none of
// jauge's business, or of which not even the kind can be told. Faults says for the log what was wrong, without a value.
type Delivery struct {
	Events      []attendance.Event
	Answers     []Answers
	Unsupported int
	Faults      []string `json:",omitempty"`
	Reply       *Reply   // nil: 200 {}
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

// Dialect is one platform's way of speaking. Its Scheme is how Verify knows a request from the raw bytes; Decode is called
// on verified requests only, and returns ErrBody (wrapped, without any of the body's text) for what is not the platform's format
// at all: nothing else is refused, because the platform would only repeat it, and give up on the good with the bad.
// Sign and Encode are the sender's side, for the simulator and the tests: Sign sets the headers, or the query, for r.Body
// at r.Now with the source's first secret, and the path where the platform has paths of its own; Encode writes the event
// as the platform would, with a nil body for what the platform has no word for, and in the platform's own time resolution.
// A leave's Total may tell Encode how long its connection lasted: some platforms say so in the leave.
//
// Accepts lists what a source may choose with `accept` (an older checksum, unsigned requests), each with what it risks.
// Hello, if not nil, answers a handshake that comes before any signature could be made; nil: not a handshake. Refusal is
// the status of a request that is not verified, where the platform treats another one than 401 better.
//
// Resolution is that of the moments that Encode writes, by kind of event; nil: a millisecond. Grows says that one submission
// comes several times, as it is filled in; SaysBooleans, that yes and no come as such and not in words; SaysStay, that a leave
// says when its stay began.
//
// Large is how large a body may be, in bytes, of a request whose headers alone prove that it is the platform's, for platforms that
// write whole meetings down; 0: no larger than any other. Mentions says whether what an event names as its room stands for the one
// that a session knows as configured; nil: only the same name does.
type Dialect struct {
	Capability attendance.Capability
	Accepts    map[string]string
	Hello      func(Source, Request) *Reply
	Refusal    int
	Scheme     Scheme
	Large      int64
	Mentions   func(room, configured string) bool
	Needs      func(Source) error // what else is wrong with a source, starting with the field; nil: nothing can be
	Guests     bool               // it gives some people no id that outlasts a connection
	Decode     func(Source, Request) (Delivery, error)
	Sign       func(Source, *Request)
	Encode     func(attendance.Event) (contentType string, body []byte)
	Resolution func(attendance.Kind) time.Duration

	EncodeAnswers func(Answers) (contentType string, body []byte) // the same for answers; nil: the platform has none
	Grows         bool
	SaysBooleans  bool
	SaysStay      bool
}

// set sets a header of a request that is being signed.
func (r *Request) set(name, value string) {
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set(name, value)
}

// wholeSeconds is the Resolution of a platform that knows no less.
func wholeSeconds(attendance.Kind) time.Duration { return time.Second }

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

// Verifiable says everything that keeps a source's requests from being verified, joined with errors.Join and each
// starting with the field ("secrets[0]: must be KEY:SECRET"); nil if nothing does. No message quotes a secret.
func Verifiable(s Source) error {
	dialect, ok := Dialects[s.Platform]
	if !ok {
		names := slices.Sorted(maps.Keys(Dialects))
		return fmt.Errorf("platform: unknown, must be one of %s", strings.Join(names, ", "))
	}
	var problems []error
	unsigned := slices.Contains(s.Accept, acceptUnsigned)
	if len(s.Secrets) == 0 && !unsigned {
		problems = append(problems, errors.New("secrets: missing"))
	}
	for i, secret := range s.Secrets {
		if _, err := dialect.Scheme.Key(secret); err != nil {
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

// acceptUnsigned is the word of Accept for requests that carry no signature: whoever knows the source's Path may post. Such a
// source needs no secrets.
const acceptUnsigned = "unsigned"

// minPath, in characters, keeps a Path from being guessed.
const minPath = 16
