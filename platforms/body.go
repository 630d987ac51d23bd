package platforms

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// What every dialect asks of a body. A message names the field, as the platform spells it, and never quotes the value:
// bodies carry names and addresses, and messages are logged.

const (
	maxID    = 512            // bytes; the longest ids in use are e-mail addresses
	maxAhead = 24 * time.Hour // of answers, against the receiver's clock
)

// earliest is the first plausible time of answers.
func earliest() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

// withoutValues says what encoding/json found, but without the text that its own messages quote.
func withoutValues(err error) string {
	var syntax *json.SyntaxError
	var mistyped *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF):
		return "empty"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "JSON ends too early"
	case errors.As(err, &syntax):
		return fmt.Sprintf("not JSON at byte %d", syntax.Offset)
	case errors.As(err, &mistyped):
		if mistyped.Field == "" {
			return wanted(mistyped.Type)
		}
		return mistyped.Field + ": " + wanted(mistyped.Type)
	}
	return "not JSON"
}

func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "must be a string"
	case reflect.Bool:
		return "must be true or false"
	case reflect.Slice:
		return "must be an array"
	case reflect.Struct, reflect.Map:
		return "must be an object"
	}
	return "must be a number"
}

// id is an identifier that a platform writes as a string on one day and as an integer on another.
type id string

func (i *id) UnmarshalJSON(b []byte) error {
	if b[0] == '"' || string(b) == "null" {
		return json.Unmarshal(b, (*string)(i))
	}
	if n, err := strconv.ParseInt(string(b), 10, 64); err == nil {
		*i = id(strconv.FormatInt(n, 10))
		return nil
	}
	return &json.UnmarshalTypeError{Type: reflect.TypeFor[id]()}
}

// name is what a person is called, read to be hashed only. Nobody is refused for what stands there.
type name string

func (n *name) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		*n = name(text)
	}
	return nil
}

// fullName joins a first and a last name, either of which may be missing.
func fullName(first, last name) string { return strings.TrimSpace(string(first + " " + last)) }

// splitName takes a full name apart as platforms do that ask for two.
func splitName(full string) (first, last string) {
	first, last, _ = strings.Cut(full, " ")
	return first, last
}

// integer is a whole number, bare or in quotes (as protobuf's JSON writes 64-bit integers).
type integer int64

func (i *integer) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	if len(b) > 2 && b[0] == '"' {
		b = b[1 : len(b)-1]
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return &json.UnmarshalTypeError{Type: reflect.TypeFor[integer]()}
	}
	*i = integer(n)
	return nil
}

// seconds and millis are the moment of a Unix time; the zero Time for 0.
func (i integer) seconds() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.Unix(int64(i), 0).UTC()
}

func (i integer) millis() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(i)).UTC()
}

// truth is a truth value, bare or in quotes.
type truth bool

func (t *truth) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "true", `"true"`:
		*t = true
	case "false", `"false"`, `""`, "null":
	default:
		return &json.UnmarshalTypeError{Type: reflect.TypeFor[truth]()}
	}
	return nil
}

// decimal is a number of seconds with a fraction: a Unix time or a duration, kept to the millisecond.
type decimal float64

func (d decimal) millis() int64 {
	return int64(math.Round(min(max(float64(d), -1e12), 1e12) * 1000)) // 1e12 s: far from any time, and from overflow
}

// seconds is the moment of a Unix time; the zero Time for 0.
func (d decimal) seconds() time.Time { return integer(d.millis()).millis() }

func (d decimal) duration() time.Duration { return time.Duration(d.millis()) * time.Millisecond }

// check keeps the first thing found wrong while a decoder walks a body, so that decoders read straight on.
type check struct {
	now    time.Time
	prefix string // "element 3: " within a batch
	err    error
}

func (c *check) fail(field, why string) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: %s%s: %s", ErrBody, c.prefix, field, why)
	}
}

// unsupported is a delivery of what is none of jauge's business.
var unsupported = Delivery{Unsupported: 1}

// reading makes a Decode of a function that reads a body: whatever is found wrong on the way refuses the request as a whole,
// so that its sender can repeat it whole.
func reading(read func(*check, Source, Request) Delivery) func(Source, Request) (Delivery, error) {
	return func(s Source, r Request) (Delivery, error) {
		c := &check{now: r.Now}
		if d := read(c, s, r); c.err == nil {
			return d, nil
		}
		return Delivery{}, c.err
	}
}

// element is the beginning of messages about one element of a batch.
func element(i int) string { return fmt.Sprintf("element %d: ", i) }

// read decodes one JSON value, and nothing after it, into v.
func (c *check) read(body []byte, v any) {
	if c.err != nil {
		return
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	wrong := ""
	if !utf8.Valid(body) {
		wrong = "not UTF-8"
	} else if err := d.Decode(v); err != nil {
		wrong = withoutValues(err)
	} else if _, err := d.Token(); !errors.Is(err, io.EOF) {
		wrong = "bytes after the JSON value"
	}
	if wrong != "" {
		c.err = fmt.Errorf("%w: %s%s", ErrBody, c.prefix, wrong)
	}
}

// id returns an identifier that may be missing.
func (c *check) id(field string, v id) string {
	if len(v) > maxID {
		c.fail(field, fmt.Sprintf("longer than %d bytes", maxID))
	}
	return string(v)
}

// need returns an identifier that must be there.
func (c *check) need(field string, v id) string {
	if v == "" {
		c.fail(field, "missing")
	}
	return c.id(field, v)
}

// rfc3339 reads a time that may be missing. Platforms write "not yet" as 0, 1970-01-01 or 0001-01-01: the zero Time.
func (c *check) rfc3339(field, v string) time.Time {
	if v == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, v)
	// Parse alone would take a comma for the point and an hour of one digit.
	if err != nil || v[len("2006-01-02T15")] != ':' || strings.Contains(v, ",") {
		c.fail(field, "not an RFC 3339 time")
	}
	if t.IsZero() || t.Unix() == 0 {
		return time.Time{}
	}
	return t
}

// moment returns the first of the times that is set, in UTC and whole milliseconds. There must be one; whether an event can
// have happened then is for attendance to say.
func (c *check) moment(field string, times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t.UTC().Truncate(time.Millisecond)
		}
	}
	c.fail(field, "missing")
	return time.Time{}
}

// answeredAt is the moment of answers, by which the session is found that they are about. For one that no clock should show,
// their arrival stands: what somebody said is not lost for it.
func (c *check) answeredAt(field string, times ...time.Time) time.Time {
	t := c.moment(field, times...)
	if t.Before(earliest()) || t.After(c.now.Add(maxAhead)) {
		return c.now.UTC().Truncate(time.Millisecond)
	}
	return t
}

// mustJSON encodes what is made of strings and numbers only, which cannot fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
