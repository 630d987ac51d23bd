package platforms

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"time"

	"jauge/internal/mac"
)

// Every request is verified here and nowhere else. A dialect says what a request shows of itself and what a sender with a
// given key would have shown; Verify decides. What a dialect leaves out of its Scheme makes it stricter.

// Scheme is how a platform's requests are known to be its own.
type Scheme struct {
	// Key reads a configured secret. Its error says what is wrong with one that could verify nothing, or anything, without
	// quoting it; such a secret is refused when configured, and opens nothing if it is there all the same.
	Key func(secret string) ([]byte, error)
	// Read finds what a request shows. An error is a refusal, for what cannot be read at all.
	Read func(Source, Request) (Credentials, error)
	// Untimed says that the platform need not sign a time: without one, nothing tells a repeated request from a new one.
	Untimed bool
	// Tolerance for a source that has none of its own; 0: defaultTolerance.
	Tolerance time.Duration
}

// Credentials are what a request shows of itself.
type Credentials struct {
	Given    []string                  // signatures, or the secret itself, of which any may match; none: the request is unsigned
	Expected func(key []byte) []string // what a sender with this key would have given; none: this key cannot have been used
	Valid    *Period                   // signed with it; nil: none can be read
}

// Period is when a signature is valid, in Unix seconds; both ends are included.
type Period struct{ From, Until int64 }

// Verify returns nil for a request that one of the source's secrets has signed, and that is neither too old nor ahead of
// its time; else a refusal. An unsigned request passes only where the dialect offers that choice, and the source made it.
// The signature comes before the time: only an authentic request can be stale.
func (d Dialect) Verify(s Source, r Request) error {
	shown, err := d.Scheme.Read(s, r)
	switch {
	case err != nil:
		return err
	case len(shown.Given) == 0 && d.takesUnsigned(s, r):
		return nil
	case len(shown.Given) == 0, shown.Valid == nil && !d.Scheme.Untimed:
		return ErrMissing
	}
	if d.Scheme.match(s, shown) == nil {
		return ErrSignature
	}
	if shown.Valid == nil {
		return nil
	}
	return shown.Valid.holds(r.Now, cmp.Or(s.Tolerance, d.Scheme.Tolerance, defaultTolerance))
}

// signedAt is when a request was signed; the zero Time: it does not say.
func (k Scheme) signedAt(s Source, r Request) time.Time {
	shown, err := k.Read(s, r)
	if err != nil || shown.Valid == nil || shown.Valid.From == 0 {
		return time.Time{}
	}
	return time.Unix(shown.Valid.From, 0)
}

// takesUnsigned says whether a source takes this request without a signature.
func (d Dialect) takesUnsigned(s Source, r Request) bool {
	_, offered := d.Accepts[acceptUnsigned]
	return offered && slices.Contains(s.Accept, acceptUnsigned) && len(s.Path) >= minPath && equal(r.Path, s.Path)
}

// match finds the key that made one of the given signatures; nil: none. It tries every key with every signature, so that the
// time that it takes tells nothing of which one was close.
func (k Scheme) match(s Source, shown Credentials) []byte {
	var matched []byte
	for _, secret := range s.Secrets {
		key, err := k.Key(secret)
		if err != nil || len(key) == 0 {
			continue
		}
		for _, want := range shown.Expected(key) {
			for _, given := range shown.Given {
				if want != "" && equal(given, want) {
					matched = key
				}
			}
		}
	}
	return matched
}

// equal compares in constant time.
func equal(given, want string) bool {
	return subtle.ConstantTimeCompare([]byte(given), []byte(want)) == 1
}

// defaultTolerance of signed times, both ways.
const defaultTolerance = 5 * time.Minute

// holds compares a period with the receiver's clock.
func (p Period) holds(now time.Time, tolerance time.Duration) error {
	seconds := int64(tolerance / time.Second)
	switch {
	case p.Until < now.Unix()-seconds:
		return ErrStale
	case p.From > now.Unix()+seconds:
		return ErrFuture
	}
	return nil
}

// signedAt reads a signed moment in Unix seconds; nil for what is none.
func signedAt(stamp string) *Period {
	at, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return nil
	}
	return &Period{at, at}
}

// signedAtUnit reads a signed Unix time whose unit is not certain: milliseconds from 12 digits on, else seconds.
func signedAtUnit(stamp string) *Period {
	p := signedAt(stamp)
	if p != nil && len(stamp) >= 12 {
		return &Period{p.From / 1000, p.Until / 1000}
	}
	return p
}

// single is the one signature of a header; none if the header is missing.
func single(header string) []string {
	if header == "" {
		return nil
	}
	return []string{header}
}

// plainKey takes a secret as it is.
func plainKey(secret string) ([]byte, error) {
	if secret == "" {
		return nil, errors.New("missing")
	}
	return []byte(secret), nil
}

// shownKey is the Expected of senders that show the secret itself.
func shownKey(key []byte) []string { return []string{string(key)} }

// signing is the Expected of senders that give one signature.
func signing(sign func(key []byte) string) func(key []byte) []string {
	return func(key []byte) []string { return []string{sign(key)} }
}

// hexMAC is the HMAC-SHA256 of a message in lower-case hex: of what comes before the body, and the body.
func hexMAC(key []byte, before string, body []byte) string {
	sum := sha256MAC(key, before, body)
	var text [2 * len(sum)]byte
	return string(hex.AppendEncode(text[:0], sum[:]))
}

// base64MAC is the same in standard base64.
func base64MAC(key []byte, before string, body []byte) string {
	sum := sha256MAC(key, before, body)
	var text [2 * len(sum)]byte
	return string(base64.StdEncoding.AppendEncode(text[:0], sum[:]))
}

// keys are the secrets of the sources.
var keys mac.Keys

func sha256MAC(key []byte, before string, body []byte) [sha256.Size]byte {
	return keys.Of(key).Sum(func(b []byte) []byte { return append(b, before...) }, body)
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
