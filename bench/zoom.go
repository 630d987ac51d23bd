package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"strconv"
	"time"

	"jauge/attendance"
	"jauge/platforms"
)

// zoomSecret signs the requests of the one source of Zoom.
const zoomSecret = "bench-zoom-secret-token" //nolint:gosec // no secret of anybody

// wave is how many people come before the first of them goes.
const wave = 2000

// order says which person the event of a number is of, and whether it is the leave.
type order func(i int) (person int, left bool)

// live is the order in which things happen: people come, and later go.
func live(i int) (person int, left bool) {
	return i/(2*wave)*wave + i%wave, i/wave%2 == 1
}

// overtaking has each person's two events next to each other, so that they are under way at once; every second leave is before its join.
func overtaking(i int) (person int, left bool) {
	return i / 2, (i%2 == 1) != (i/2%2 == 1)
}

// crowd is the attendees of one webinar, counted from 0; no two events of it are alike.
type crowd struct {
	room, occurrence string
	began            time.Time // the first join
	nameless         bool      // people without a name
	addressed        bool      // people of whom Zoom says the e-mail address, too: most often it says the id of the registration alone
}

func newCrowd(room string, now time.Time) *crowd {
	id := sha256.Sum256([]byte(room))
	return &crowd{room: room, occurrence: base64.StdEncoding.EncodeToString(id[:16]), began: now.Add(-41 * time.Minute).Truncate(time.Second).UTC()}
}

// at says when somebody came, or went 20 minutes later: hardly two in the same millisecond.
func (c *crowd) at(person int, left bool) time.Time {
	const came = 20 * 60 * 1000 // in so many milliseconds
	at := c.began.Add(time.Duration(person*7919%came) * time.Millisecond)
	if left {
		at = at.Add(20*time.Minute + time.Duration(person*31%1000)*time.Millisecond)
	}
	return at
}

// body is what Zoom posts of a registered attendee of a webinar.
// Source: https://developers.zoom.us/docs/api/webhooks/
func (c *crowd) body(b []byte, person int, left bool) []byte {
	number := strconv.Itoa(person)
	id := sha256.Sum256([]byte(number))
	kind, verb, at := "joined", "join_time", c.at(person, left)
	if left {
		kind, verb = "left", "leave_time"
	}
	b = append(b, `{"event":"webinar.participant_`...)
	b = append(b, kind...)
	b = append(b, `","payload":{"account_id":"AAAAAABBBB","object":{"uuid":"`...)
	b = append(b, c.occurrence...)
	b = append(b, `","participant":{"user_id":"`...)
	b = strconv.AppendInt(b, 16778240+1024*int64(person), 10)
	b = append(b, `","user_name":"`...)
	if !c.nameless {
		b = append(b, "first"...)
		b = strconv.AppendInt(b, int64(person%300), 10)
		b = append(b, " last"...)
		b = strconv.AppendInt(b, int64(person%5000), 10)
	}
	b = append(b, `","participant_user_id":"","id":"","registrant_id":"`...)
	b = base64.RawURLEncoding.AppendEncode(b, id[:16])
	b = append(b, `","participant_uuid":"`...)
	b = base64.StdEncoding.AppendEncode(b, id[16:])
	b = append(b, `","email":"`...)
	if c.addressed {
		b = append(b, "attendee"...)
		b = append(b, number...)
		b = append(b, "@example.org"...)
	}
	b = append(b, `","`...)
	b = append(b, verb...)
	b = append(b, `":"`...)
	b = at.AppendFormat(b, time.RFC3339)
	if left {
		b = append(b, `","leave_reason":"left the webinar.<br>Reason: Participant disconnected from the webinar.`...)
	}
	b = append(b, `"},"id":"`...)
	b = append(b, c.room...)
	b = append(b, `","type":5,"topic":"Webinar","host_id":"x1yCzABCDEfg23HiJKl4mN","duration":60,"start_time":"`...)
	b = c.began.AppendFormat(b, time.RFC3339)
	b = append(b, `","timezone":"Europe/Paris"}},"event_ts":`...)
	b = strconv.AppendInt(b, at.UnixMilli(), 10)
	return append(b, '}')
}

// event is the same as attendance counts it, read by the dialect; to the millisecond, as most platforms say it.
func (c *crowd) event(person int, left bool) (attendance.Event, error) {
	delivery, err := platforms.Dialects["zoom"].Decode(
		platforms.Source{Name: "zoom", Platform: "zoom", Secrets: []string{zoomSecret}},
		platforms.Request{Method: http.MethodPost, Body: c.body(nil, person, left), Now: time.Now()},
	)
	if err != nil {
		return attendance.Event{}, err
	}
	e := delivery.Events[0]
	e.At = c.at(person, left)
	return e, nil
}

// events are those from one number up to another, in an order.
func (c *crowd) events(in order, from, to int) ([]attendance.Event, error) {
	events := make([]attendance.Event, 0, to-from)
	for i := from; i < to; i++ {
		e, err := c.event(in(i))
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

// signer writes signed requests.
type signer struct {
	mac   hash.Hash
	stamp string
	body  []byte
	sum   []byte
}

func newSigner(now time.Time) *signer {
	return &signer{mac: hmac.New(sha256.New, []byte(zoomSecret)), stamp: strconv.FormatInt(now.Unix(), 10)}
}

// volley writes the requests from one number up to another, in an order; of several webinars that run at once, one of each in turn.
func (s *signer) volley(crowds []*crowd, in order, from, to int) *volley {
	v := &volley{bytes: make([]byte, 0, (to-from)*1100), ends: make([]int, 0, to-from)}
	for i := from; i < to; i++ {
		person, left := in(i / len(crowds))
		s.body = crowds[i%len(crowds)].body(s.body[:0], person, left)
		s.mac.Reset()
		s.mac.Write([]byte("v0:" + s.stamp + ":"))
		s.mac.Write(s.body)
		s.sum = s.mac.Sum(s.sum[:0])
		b := append(v.bytes, "POST /webhooks/zoom HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Zoom Marketplace/1.0a\r\nContent-Type: application/json; charset=utf-8\r\nX-Zm-Request-Timestamp: "...)
		b = append(b, s.stamp...)
		b = append(b, "\r\nX-Zm-Signature: v0="...)
		b = hex.AppendEncode(b, s.sum)
		b = append(b, "\r\nContent-Length: "...)
		b = strconv.AppendInt(b, int64(len(s.body)), 10)
		b = append(b, "\r\n\r\n"...)
		v.bytes = append(b, s.body...)
		v.ends = append(v.ends, len(v.bytes))
	}
	return v
}
