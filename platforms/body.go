package platforms

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"jauge/attendance"
	"jauge/platforms/scan"
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
	switch {
	case errors.Is(err, io.EOF):
		return "empty"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "JSON ends too early"
	case errors.As(err, &syntax):
		return fmt.Sprintf("not JSON at byte %d", syntax.Offset)
	}
	return "not JSON"
}

// Platforms, and what stands between them and here, write one value in several ways. The types below take the usual ones; what
// they cannot read is as if it were missing, and whoever needs it says so.

// id is an identifier that a platform writes as a string on one day and as an integer on another.
type id string

func (i *id) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		*i = id(quoted(b))
	} else if _, err := strconv.ParseInt(string(b), 10, 64); err == nil {
		*i = id(b)
	} else if f, err := strconv.ParseFloat(string(b), 64); err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 { // 170.0
		*i = id(strconv.FormatInt(int64(f), 10))
	} else {
		*i = ""
	}
	return nil
}

// quoted is a JSON string; "" for anything else.
func quoted(b []byte) string {
	if b[0] == '"' && bytes.IndexByte(b, '\\') < 0 {
		return string(b[1 : len(b)-1])
	}
	var t string
	_ = json.Unmarshal(b, &t)
	return t
}

// unquoted is a JSON value without the quotes that some senders put around numbers and truth values.
func unquoted(b []byte) string {
	return strings.TrimSpace(strings.Trim(string(b), `"`))
}

// name is what a person is called, read to be hashed only. Nobody is refused for what stands there.
type name string

func (n *name) UnmarshalJSON(b []byte) error {
	*n = name(quoted(b))
	return nil
}

// fullName joins a first and a last name, either of which may be missing.
func fullName(first, last name) string { return strings.TrimSpace(string(first + " " + last)) }

// splitName takes a full name apart as platforms do that ask for two.
func splitName(full string) (first, last string) {
	first, last, _ = strings.Cut(full, " ")
	return first, last
}

// integer is a whole number, bare or in quotes (as protobuf's JSON writes 64-bit integers). A fraction is cut off.
type integer int64

func (i *integer) UnmarshalJSON(b []byte) error {
	text := unquoted(b)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		*i = integer(n)
	} else if f, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(f) < 1<<62 {
		*i = integer(f)
	}
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

// truth is a truth value, bare, in quotes, or as a number.
type truth bool

func (t *truth) UnmarshalJSON(b []byte) error {
	said := strings.ToLower(unquoted(b))
	*t = said == "true" || said == "1" || said == "yes"
	return nil
}

// decimal is a number with a fraction, bare or in quotes: a Unix time or a duration in seconds, kept to the millisecond. It is NaN
// where something else stands, which is not the same as nothing.
type decimal float64

func (d *decimal) UnmarshalJSON(b []byte) error {
	text := unquoted(b)
	if text == "null" || text == "" {
		return nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(f, 0) {
		f = math.NaN()
	}
	*d = decimal(f)
	return nil
}

func (d decimal) millis() int64 {
	if math.IsNaN(float64(d)) {
		return 0
	}
	return int64(math.Round(min(max(float64(d), -1e12), 1e12) * 1000)) // 1e12 s: far from any time, and from overflow
}

// seconds is the moment of a Unix time; the zero Time for 0.
func (d decimal) seconds() time.Time { return integer(d.millis()).millis() }

func (d decimal) duration() time.Duration { return time.Duration(d.millis()) * time.Millisecond }

// stamp is a moment as it was written: a text, or a Unix time.
type stamp string

func (s *stamp) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		*s = stamp(quoted(b))
	} else {
		*s = stamp(b)
	}
	return nil
}

// check keeps what is found wrong while a decoder walks a body, so that decoders read straight on. Only what is not the
// platform's format refuses a request (err); all else concerns the statement that is being read, until settle.
type check struct {
	now    time.Time
	signed func() time.Time // when the request was signed; only of readingSigned
	prefix string           // "element 3: " within a batch
	err    error
	bad    bool     // something is wrong since the last settle
	faults []string // for the log
}

// maxFaults of one request are told; who reads the log needs no more.
const maxFaults = 4

// fail says that the statement cannot be used.
func (c *check) fail(field, why string) {
	c.bad = true
	c.note(field, why)
}

// note says once what is wrong with a field.
func (c *check) note(field, why string) {
	field = c.prefix + field + ": "
	known := slices.ContainsFunc(c.faults, func(fault string) bool { return strings.HasPrefix(fault, field) })
	if !known && len(c.faults) < maxFaults {
		c.faults = append(c.faults, field+why)
	}
}

// refuse is for what is not the platform's format.
func (c *check) refuse(why string) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: %s", ErrBody, why)
	}
}

// settle makes of an event that something was wrong with one that is kept aside, and begins anew. What is copied from it is
// aside, too.
func (c *check) settle(e attendance.Event) attendance.Event {
	if c.bad {
		e.Reason = attendance.Malformed
	}
	c.bad = false
	if e.Reason != "" && e.At.IsZero() {
		e.At = c.now.UTC().Truncate(time.Millisecond)
	}
	return e
}

// unsupported is a delivery of what is none of jauge's business.
var unsupported = Delivery{Unsupported: 1}

// reading makes a Decode of a function that reads a body, and refuses the request only if it is not the platform's format.
func reading(read func(*check, Source, Request) Delivery) func(Source, Request) (Delivery, error) {
	return readingSigned(Scheme{}, read)
}

// readingSigned is reading for a platform whose requests say when they were signed.
func readingSigned(scheme Scheme, read func(*check, Source, Request) Delivery) func(Source, Request) (Delivery, error) {
	return func(s Source, r Request) (Delivery, error) {
		c := &check{now: r.Now, signed: func() time.Time { return scheme.signedAt(s, r) }}
		d := read(c, s, r)
		if c.err != nil {
			return Delivery{}, c.err
		}
		d.Faults = c.faults
		return d, nil
	}
}

// element is the beginning of messages about one element of a batch.
func element(i int) string { return fmt.Sprintf("element %d: ", i) }

// byteOrderMark begins what some editors and gateways write.
var byteOrderMark = []byte("\ufeff")

// read decodes one JSON value, and nothing after it, into v, which is zero. A value of another type than its field's is left out.
func (c *check) read(body []byte, v any) {
	if c.err != nil {
		return
	}
	body = bytes.TrimPrefix(body, byteOrderMark)
	if !utf8.Valid(body) {
		c.refuse(c.prefix + "not UTF-8")
	} else if !scan.Read(body, v) {
		c.readUnusual(body, v)
	}
}

// readUnusual reads what is beyond scan, and says what is wrong with it.
func (c *check) readUnusual(body []byte, v any) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var mistyped *json.UnmarshalTypeError
	if err := d.Decode(v); err != nil && !errors.As(err, &mistyped) {
		c.refuse(c.prefix + withoutValues(err))
	} else if _, err := d.Token(); !errors.Is(err, io.EOF) {
		c.refuse(c.prefix + "bytes after the JSON value")
	}
}

// kind returns what a request says of itself. Without that it is not the platform's.
func (c *check) kind(field string, v id) string {
	if v == "" || len(v) > maxID {
		c.refuse(field + ": missing")
	}
	return string(v)
}

// id returns an identifier that may be missing.
func (c *check) id(field string, v id) string {
	if len(v) > maxID {
		c.fail(field, fmt.Sprintf("longer than %d bytes", maxID))
		return ""
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

// email returns an address, in the one form under which it is hashed.
func (c *check) email(field string, v id) string {
	return c.id(field, id(strings.ToLower(strings.TrimSpace(string(v)))))
}

// spellings of times, after the letters are upper case, a space in the middle is a T and a comma is a point. A time without a
// zone is UTC.
var spellings = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999Z07", "2006-01-02T15:04:05.999999999", "2006-01-02T15:04Z07:00", "20060102T150405Z0700"}

// time reads a moment that may be missing, as RFC 3339 or in another usual spelling, or a Unix time in seconds or smaller
// units. Platforms write "not yet" as 0, 1970-01-01 or 0001-01-01: the zero Time.
func (c *check) time(field string, v stamp) time.Time {
	text := strings.ToUpper(strings.TrimSpace(string(v)))
	if text == "" || text == "NULL" {
		return time.Time{}
	}
	if len(text) > 10 && text[10] == 'T' { // no number
		if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
			return saidTime(t)
		}
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		return unixTime(f)
	}
	if len(text) > 10 && text[10] == ' ' {
		text = text[:10] + "T" + text[11:]
	}
	text = strings.TrimSuffix(strings.ReplaceAll(strings.ReplaceAll(text, ",", "."), " ", ""), "UTC")
	for _, spelling := range spellings {
		if t, err := time.Parse(spelling, text); err == nil {
			return saidTime(t)
		}
	}
	c.note(field, "not a time") // another field may say it
	return time.Time{}
}

// saidTime is a moment as it was said, unless that means "not yet".
func saidTime(t time.Time) time.Time {
	if t.IsZero() || t.Unix() == 0 {
		return time.Time{}
	}
	return t
}

// unixTime is the moment of a Unix time of whatever unit: nobody means a year after 5000.
func unixTime(f float64) time.Time {
	for math.Abs(f) >= 1e11 && !math.IsInf(f, 0) {
		f /= 1000
	}
	return decimal(f).seconds()
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

// happened is moment, for platforms that sign the time of their requests: where nothing in the body says when, it was just then.
func (c *check) happened(field string, times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return c.moment(field, t)
		}
	}
	return c.moment(field, c.signed())
}

// leftAfter is the moment of a leave of a stay that began at joined: whoever was in stayed for at least a millisecond, also
// where leaves are said to the second and joins to the millisecond. joined may be the zero Time.
func leftAfter(joined, left time.Time) time.Time {
	if first := joined.Add(time.Millisecond); !joined.IsZero() && !left.IsZero() && left.Before(first) {
		return first
	}
	return left
}

// answeredAt is the moment of answers, by which the session is found that they are about. For one that no clock should show,
// their arrival stands, as for one that nobody said: what somebody said is not lost for it.
func (c *check) answeredAt(times ...time.Time) time.Time {
	t := c.moment("", append(times, c.now)...)
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
