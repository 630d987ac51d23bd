package handlers

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"jauge/attendance"
	"jauge/platforms"
	"jauge/programme"
)

const (
	jitsiSecret = "jitsi-secret"
	bbbSecret   = "bbb-secret"
	bbbCallback = "https://jauge.example/webhooks/salle"
)

// recording is a service that platforms which write whole meetings down send to.
func recording(t *testing.T) *site {
	t.Helper()
	s := one(t, func(d *setup) {
		d.Sources["jitsi"] = platforms.Source{Name: "jitsi", Platform: "jitsi", Secrets: []string{jitsiSecret}}
		d.Sources["bbb"] = platforms.Source{Name: "bbb", Platform: "bigbluebutton", Secrets: []string{bbbSecret}, CallbackURL: bbbCallback}
	})
	if err := s.deps.Programme.Create(t.Context(), programme.Session{
		ID: "classe", Title: planned()[0].Title, StartsAt: start, EndsAt: start.Add(time.Hour),
		Rooms: []programme.Room{{Source: "jitsi", ID: "r@m"}, {Source: "bbb", ID: "salle"}},
	}); err != nil {
		t.Fatal(err)
	}
	return s
}

// deliver posts a body with headers.
func (s *site) deliver(address string, body io.Reader, length int64, header map[string]string) int {
	request := httptest.NewRequest(http.MethodPost, address, body)
	request.ContentLength = length
	for name, value := range header {
		request.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, request)
	return w.Code
}

// roomRecord is what a room of Jitsi says of n stays when it closes, with names of that many letters.
func roomRecord(n, letters int) []byte {
	var everyone []map[string]any
	for i := range n {
		everyone = append(everyone, map[string]any{
			"occupant_jid": fmt.Sprintf("%d@meet.example.test/OWhl8jSh", i), "id": fmt.Sprintf("person-%d", i%30),
			"name": strings.Repeat("x", letters), "joined_at": start.Unix() + int64(i), "left_at": start.Unix() + int64(i) + 60,
		})
	}
	body, _ := json.Marshal(map[string]any{
		"event_name": "muc-room-destroyed", "room_name": "r", "room_jid": "r@m", "created_at": start.Unix(), "destroyed_at": start.Add(time.Hour).Unix(),
		"all_occupants": everyone,
	})
	return body
}

// What a room says when it closes is recorded whole: of more than a megabyte only if the secret was shown before.
func TestRecordsAreLarge(t *testing.T) {
	t.Parallel()
	s := recording(t)
	bearer := func(secret string) map[string]string {
		return map[string]string{"Authorization": "Bearer " + secret, "Content-Type": "application/json"}
	}
	large := roomRecord(60, 20_000)
	if len(large) <= maxBody {
		t.Fatalf("%d bytes are not large", len(large))
	}
	for _, row := range []struct {
		name, source string
		body         []byte
		length       int64
		header       map[string]string
		code         int
		counted      string
	}{
		{"from nobody", "jitsi", large, int64(len(large)), nil, 413, "refused jitsi size"},
		{"with another secret", "jitsi", large, int64(len(large)), bearer("another"), 413, "refused jitsi size"},
		{"with another secret, in chunks", "jitsi", large, -1, bearer("another"), 413, "refused jitsi size"},
		{"larger than that", "jitsi", make([]byte, 17<<20), -1, bearer(jitsiSecret), 413, "refused jitsi size"},
		{"whole", "jitsi", large, int64(len(large)), bearer(jitsiSecret), 200, "event jitsi ended recorded"},
		{"in chunks", "jitsi", large, -1, bearer(jitsiSecret), 200, "event jitsi ended duplicate"},
		{"small, in chunks", "jitsi", roomRecord(1, 20), -1, bearer(jitsiSecret), 200, "event jitsi ended duplicate"},
		{"of a platform that writes none", "zoom", large, int64(len(large)), nil, 413, "refused zoom size"},
	} {
		before := s.metrics.get(row.counted)
		if code := s.deliver("/webhooks/"+row.source, bytes.NewReader(row.body), row.length, row.header); code != row.code || s.metrics.get(row.counted) != before+1 {
			t.Errorf("%s: %d, counted %v", row.name, code, s.metrics.counts)
		}
	}
	session, err := s.deps.Programme.Session(t.Context(), "classe")
	if err != nil {
		t.Fatal(err)
	}
	figures, err := s.deps.Attendance.Figures(t.Context(), session)
	if err != nil || *figures[0].Unique != 30 {
		t.Errorf("unique %v, %v", figures[0].Unique, err)
	}
}

// Large records are held a few at a time: who cannot wait for the others is asked to come again.
func TestRecordsWait(t *testing.T) {
	t.Parallel()
	s := recording(t)
	header := map[string]string{"Authorization": "Bearer " + jitsiSecret}
	codes := make(chan int)
	var slow []*io.PipeWriter
	for range 4 {
		r, w := io.Pipe()
		slow = append(slow, w)
		go func() { codes <- s.deliver("/webhooks/jitsi", r, -1, header) }()
		if _, err := w.Write([]byte("{")); err != nil { // returns once it is being read
			t.Fatal(err)
		}
	}
	hurried, cancel := context.WithCancel(t.Context())
	cancel()
	next := call{method: http.MethodPost, path: "/webhooks/jitsi", body: string(roomRecord(60, 20_000)), header: header, context: hurried}
	if w := s.do(next); w.Code < 400 || s.metrics.get("refused jitsi busy") != 1 {
		t.Errorf("%d, counted %v", w.Code, s.metrics.counts)
	}
	if code := s.deliver("/webhooks/jitsi", bytes.NewReader(roomRecord(1, 20)), int64(len(roomRecord(1, 20))), header); code != http.StatusOK {
		t.Errorf("a small one had to wait: %d", code)
	}
	for _, w := range slow {
		w.Close()
		if code := <-codes; code != http.StatusBadRequest {
			t.Errorf("%d", code)
		}
	}
	next.context = nil
	if w := s.do(next); w.Code != http.StatusOK {
		t.Errorf("then: %d %s", w.Code, w.Body)
	}
}

// packed compresses a body.
func packed(t *testing.T, pack func(io.Writer) io.WriteCloser, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := pack(&out)
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// What compresses a body on the way may have done so before or after it was signed.
func TestCompressedWebhooks(t *testing.T) {
	t.Parallel()
	good := zoomBody(joined("951", start))
	zipped := packed(t, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }, good)
	deflated := packed(t, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }, good)
	bomb := packed(t, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }, make([]byte, 2<<20))
	for _, row := range []struct {
		name, encoding string
		signed, sent   []byte
		code           int
		counted        string
	}{
		{"gzip, signed before", "gzip", good, zipped, 200, "event zoom joined recorded"},
		{"gzip, signed after", "GZIP", zipped, zipped, 200, "event zoom joined recorded"},
		{"deflate", "deflate", good, deflated, 200, "event zoom joined recorded"},
		{"gzip, and another signature", "gzip", []byte("{}"), zipped, 401, "refused zoom signature"},
		{"unpacked by somebody who left the header", "gzip", good, good, 200, "event zoom joined recorded"},
		{"a header that means nothing", "utf-8", good, good, 200, "event zoom joined recorded"},
		{"in a way that nobody here knows", "br", good, zipped, 415, "refused zoom content_type"},
		{"in no such way, whatever the header says", "br", good, good, 200, "event zoom joined recorded"},
		{"a bomb", "gzip", bomb, bomb, 413, "refused zoom size"},
		{"cut short", "gzip", good, zipped[:len(zipped)-9], 401, "refused zoom signature"},
	} {
		s := one(t)
		header := http.Header{}
		resign(header, row.signed, 0)
		all := map[string]string{"Content-Encoding": row.encoding}
		for name := range header {
			all[name] = header.Get(name)
		}
		if code := s.deliver("/webhooks/zoom", bytes.NewReader(row.sent), int64(len(row.sent)), all); code != row.code || s.metrics.get(row.counted) != 1 {
			t.Errorf("%s: %d, counted %v", row.name, code, s.metrics.counts)
		}
	}
}

// A meeting that BigBlueButton names by its digest alone is that of the session; another one is kept aside.
func TestRoomsAreRecognised(t *testing.T) {
	t.Parallel()
	s := recording(t)
	post := func(meeting, person string) int {
		body := "domain=b&event=" + url.QueryEscape(fmt.Sprintf(
			`[{"data":{"id":"user-joined","attributes":{"meeting":{"internal-meeting-id":"%s-1"},"user":{"internal-user-id":"w_%s","external-user-id":"%s"}},"event":{"ts":%d}}}]`,
			meeting, person, person, start.UnixMilli())) + "&timestamp=1"
		source := s.deps.Sources["bbb"]
		request := platforms.Request{Method: http.MethodPost, Header: http.Header{}, Body: []byte(body), Now: s.deps.Now()}
		platforms.Dialects["bigbluebutton"].Sign(source, &request)
		return s.deliver("/webhooks/bbb?"+request.Query.Encode(), strings.NewReader(body), int64(len(body)), nil)
	}
	sum := sha1.Sum([]byte("salle"))
	for meeting, person := range map[string]string{hex.EncodeToString(sum[:]): "a", "salle": "b", "0f2c1a9d4be36b1b9c7a2f6c0d1e2f3a4b5c6d7e": "c"} {
		if code := post(meeting, person); code != http.StatusOK {
			t.Fatalf("%s: %d", meeting, code)
		}
	}
	session, err := s.deps.Programme.Session(t.Context(), "classe")
	if err != nil {
		t.Fatal(err)
	}
	figures, err := s.deps.Attendance.Figures(t.Context(), session)
	if err != nil || *figures[0].Unique != 2 || s.metrics.get("event bbb joined aside") != 1 {
		t.Errorf("unique %d, %v, counted %v", *figures[0].Unique, err, s.metrics.counts)
	}
}

// What cannot be used of an authentic delivery is put aside with its reason, the rest counts, and the log names the field.
func TestGoodBesideBad(t *testing.T) {
	t.Parallel()
	s := one(t)
	at := start.Format(time.RFC3339)
	body := `[{"type":"attendee.joined","timestamp":"` + at + `","data":{"room":"hall","attendee":"a1"}},
		{"type":"attendee.joined","timestamp":"ten o'clock","data":{"room":"hall","attendee":"Jane Doe"}},
		{"type":"attendee.joined","timestamp":"` + at + `","data":{"room":"hall","attendee":"a2"}}]`
	if w := s.post("standard", "application/json", []byte(body)); w.Code != http.StatusOK || strings.TrimSpace(w.Body.String()) != "{}" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if s.metrics.get("event standard joined recorded") != 2 || s.metrics.get("event standard joined aside") != 1 {
		t.Errorf("counted %v", s.metrics.counts)
	}
	groups, err := s.deps.Attendance.AsideGroups(t.Context())
	if err != nil || len(groups) != 1 || groups[0].Reason != attendance.Malformed || groups[0].Room != "hall" {
		t.Errorf("%+v, %v", groups, err)
	}
	if log := s.log.String(); !strings.Contains(log, `"fault":"element 1: timestamp: not a time"`) || strings.Contains(log, "Jane") || strings.Contains(log, "clock") {
		t.Errorf("%s", log)
	}
}
