package platforms

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/attendance"
	"jauge/internal/embedded"
	"jauge/internal/redistest"
	"jauge/internal/text"
	"jauge/programme"
)

// The requests that bbb-webhooks 3.5.0 really sent: the first with the bearer token, the second with SHA-256 checksums.
var bbbCaptures = []string{"bbb-basic", "bbb-end"}

// bbbFormOf is the body that carries a JSON text of events.
func bbbFormOf(json string) string {
	return "domain=bbb.example.test&event=" + url.QueryEscape(json) + "&timestamp=1795428011580"
}

type bbbTruth struct {
	Secret   string
	Callback string `json:"callback_url"`
	Meeting  struct{ External string }
	Unique   int `json:"unique_people"`
	Peak     int `json:"peak_concurrent_people"`
	Visits   []bbbVisit
}

type bbbVisit struct {
	Person   string
	JoinedMs int64 `json:"joined_ms"`
	LeftMs   int64 `json:"left_ms"`
}

func (b bbbTruth) source() Source {
	return Source{
		Name: "bbb", Platform: "bigbluebutton", Secrets: []string{"another", b.Secret}, CallbackURL: b.Callback,
	}
}

func readBBB(t *testing.T, name string) (truth bbbTruth, requests []Request) {
	t.Helper()
	path := filepath.Join("testdata", name)
	readJSON(t, path+".truth.json", &truth)
	return truth, capture(t, path+".jsonl")
}

// The marks of each capture, as golden files.
func TestBBBCaptures(t *testing.T) {
	t.Parallel()
	for _, name := range bbbCaptures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			truth, requests := readBBB(t, name)
			var golden bytes.Buffer
			for _, r := range requests {
				d, err := receive("bigbluebutton", truth.source(), r)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range d.Events {
					golden.Write(append(mustJSON(e), '\n'))
				}
			}
			checkGolden(t, filepath.Join("testdata", name+".golden"), golden.Bytes())
		})
	}
}

// In whatever order and however often the requests arrive, both stores come to what the clients themselves wrote down.
func TestBBBCapturesInAnyOrder(t *testing.T) {
	t.Parallel()
	orders := map[string]func([]Request) []Request{
		"in order": func(r []Request) []Request { return r },
		"reversed": func(r []Request) []Request { slices.Reverse(r); return r },
		"shuffled, three times each": func(r []Request) []Request {
			r = slices.Concat(r, r, r)
			rand.New(rand.NewPCG(1, 2)).Shuffle(len(r), func(i, j int) { r[i], r[j] = r[j], r[i] })
			return r
		},
	}
	onStores(t, func(t *testing.T, rdb redis.UniversalClient) {
		for _, name := range bbbCaptures {
			for order, arrange := range orders {
				t.Run(name+", "+order, func(t *testing.T) {
					t.Parallel()
					truth, requests := readBBB(t, name)
					session, store := bbbStore(t, rdb, truth.Meeting.External)
					for _, r := range arrange(requests) {
						d, err := receive("bigbluebutton", truth.source(), r)
						if err != nil {
							t.Fatal(err)
						}
						if _, err := store.Record(t.Context(), "bbb", d.Events); err != nil {
							t.Fatal(err)
						}
					}
					checkBBBTruth(t, truth, session, store)
				})
			}
		}
	})
}

// onStores runs f on a redis-server and on the embedded store. They are started here and not for the whole package: fuzz
// targets would start them in each of their processes.
func onStores(t *testing.T, f func(*testing.T, redis.UniversalClient)) {
	t.Helper()
	server, err := redistest.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	store, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	for name, client := range map[string]redis.UniversalClient{"redis": server.Client(), "embedded": store.Client()} {
		t.Cleanup(func() { _ = client.Close() })
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, client)
		})
	}
}

// bbbStore is a store with one session in the room, a quarter of an hour after the captures.
func bbbStore(t *testing.T, rdb redis.UniversalClient, room string) (programme.Session, *attendance.Store) {
	t.Helper()
	start := time.Date(2026, 11, 23, 10, 10, 0, 0, time.UTC)
	session := programme.Session{
		ID: "classe", Title: text.Text{"fr": "Classe"}, StartsAt: start, EndsAt: start.Add(time.Hour),
		Rooms: []programme.Room{{Source: "bbb", ID: room}},
	}
	prefix := redistest.Prefix()
	sessions := programme.New(rdb, programme.Options{Prefix: prefix})
	store := attendance.New(rdb, sessions, attendance.Options{
		Prefix: prefix, Key: make([]byte, 32), Now: func() time.Time { return start.Add(20 * time.Minute) },
	})
	if err := sessions.Configure(t.Context(), []programme.Session{session}); err != nil {
		t.Fatal(err)
	}
	return session, store
}

func checkBBBTruth(t *testing.T, truth bbbTruth, session programme.Session, store *attendance.Store) {
	t.Helper()
	figures, err := store.Figures(t.Context(), session)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := store.Rows(t.Context(), session.ID)
	if err != nil {
		t.Fatal(err)
	}
	f := figures[0]
	if got, want := [4]int{*f.Unique, *f.Peak, *f.Present, *f.Connections}, [4]int{truth.Unique, truth.Peak, 0, 0}; got != want || f.State != attendance.Over {
		t.Errorf("unique, peak, present, connections: %v, want %v; state %s", got, want, f.State)
	}
	if len(rows) != len(truth.Visits) {
		t.Fatalf("%d people with visits, want %d", len(rows), len(truth.Visits))
	}
	slices.SortFunc(truth.Visits, func(a, b bbbVisit) int { return int(a.JoinedMs - b.JoinedMs) })
	var watched time.Duration
	for i, row := range rows {
		v := truth.Visits[i]
		stay := time.Duration(v.LeftMs-v.JoinedMs) * time.Millisecond
		watched += stay
		if row.Visits != 1 || (row.Watch-stay).Abs() > 1500*time.Millisecond || row.FirstJoinedAt.Sub(time.UnixMilli(v.JoinedMs)).Abs() > 1500*time.Millisecond {
			t.Errorf("%s: %+v, want a visit of %s", v.Person, row, stay)
		}
	}
	if (f.Watch - watched).Abs() > time.Duration(len(rows))*1500*time.Millisecond {
		t.Errorf("watched %s, want %s", f.Watch, watched)
	}
}

// Somebody to whom the integrator gives no id gets a new one from the platform at each join: coming back makes a new
// person. Somebody with an id of the integrator's is one person, however often.
func TestBBBRejoin(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, rdb redis.UniversalClient) {
		for _, row := range []struct {
			name   string
			people [2]string // the external user id at the first join and at the second; "": as the platform makes it up
			unique int
		}{
			{"anonymous", [2]string{}, 2},
			{"named", [2]string{"pupil-17", "pupil-17"}, 1},
		} {
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				session, store := bbbStore(t, rdb, "salle")
				source := subjects["bigbluebutton"].source("bigbluebutton")
				for j, person := range row.people {
					for k, kind := range []attendance.Kind{attendance.Joined, attendance.Left} {
						_, body := bbbEncode(attendance.Event{
							Kind: kind, Room: "salle", Occurrence: "o-1", Attendee: person, Connection: fmt.Sprintf("w_%d", j),
							At: session.StartsAt.Add(time.Duration(2*j+k) * time.Minute),
						})
						r := signed("bigbluebutton", source.Secrets[0], now, string(body))
						r.Now = session.StartsAt.Add(5 * time.Minute)
						d, err := receive("bigbluebutton", source, r)
						if err != nil {
							t.Fatal(err)
						}
						if _, err := store.Record(t.Context(), "bbb", d.Events); err != nil {
							t.Fatal(err)
						}
					}
				}
				figures, err := store.Figures(t.Context(), session)
				if err != nil {
					t.Fatal(err)
				}
				if *figures[0].Unique != row.unique || *figures[0].Present != 0 {
					t.Errorf("unique %d, present %d, want %d and 0", *figures[0].Unique, *figures[0].Present, row.unique)
				}
			})
		}
	})
}

// The checksums were made outside of this code.
func TestBBBVerify(t *testing.T) {
	t.Parallel()
	const callback, secret = "http://127.0.0.1:3008/callback", "sharedsecret"
	const body = "domain=bbb.example.org&event=%5B%7B%22data%22%3A%7B%22type%22%3A%22event%22%2C%22id%22%3A%22user-joined%22%7D%7D%5D&timestamp=1708381133689"
	const of2, of3, current = "e488992095125535f47cda8b2106df4208de9987", "63369634755d88aa6dc44e36ec073ef44d5e9540", "09ca2ec70a126a594187f8fb9d1a40e55bf41350"
	source := func(accept ...string) Source {
		return Source{Secrets: []string{"rotated", secret}, CallbackURL: callback, Accept: accept}
	}
	bearing := func(token string) Request {
		return Request{Header: http.Header{"Authorization": {"Bearer " + token}}, Body: []byte(body)}
	}
	summed := func(checksum string) Request {
		return Request{Query: url.Values{"checksum": {checksum}}, Body: []byte(body)}
	}
	other := summed(of3)
	other.Body = []byte("domain=bbb.example.org&event=%5B%5D&timestamp=1")
	both := bearing(secret)
	both.Query = url.Values{"checksum": {of3}}
	rows := []struct {
		name   string
		source Source
		r      Request
		err    error
	}{
		{"current, SHA-1", source(), summed(current), nil},
		{"current, SHA-256", source(), summed(bbbChecksum(bbbHash(64), callback+body+secret)), nil},
		{"current, SHA-384", source(), summed(bbbChecksum(bbbHash(96), callback+body+secret)), nil},
		{"current, SHA-512", source(), summed(bbbChecksum(bbbHash(128), callback+body+secret)), nil},
		{"of 2.x, not chosen", source(), summed(of2), ErrSignature},
		{"of 2.x", source("checksum-2"), summed(of2), nil},
		{"of 3.0, not chosen", source("checksum-2"), summed(of3), ErrSignature},
		{"of 3.0", source("checksum-3"), summed(of3), nil},
		{"of 3.0 covers no body", source("checksum-3"), other, nil},
		{"current while older ones are chosen", source("checksum-2", "checksum-3", "bearer"), summed(current), nil},
		{"bearer, with a URL to sign", source(), bearing(secret), nil},
		{"bearer", source("bearer"), bearing(secret), nil},
		{"bearer, no URL", Source{Secrets: []string{secret}, Accept: []string{"bearer"}}, bearing(secret), nil},
		{"bearer, wrong", source("bearer"), bearing("sharedsecret2"), ErrSignature},
		{"bearer, empty secret", Source{Secrets: []string{""}, Accept: []string{"bearer"}}, bearing(""), ErrSignature},
		{"a wrong checksum is not saved by a bearer", source("bearer"), both, ErrSignature},
		{"no algorithm", source(), summed("abc"), ErrMissing},
		{"another URL", Source{Secrets: []string{secret}, CallbackURL: callback + "/"}, summed(current), ErrSignature},
		{"no URL", Source{Secrets: []string{secret}, Accept: []string{"bearer"}}, summed(bbbChecksum(bbbHash(40), body+secret)), ErrSignature},
		{"nothing", source("bearer", "checksum-3"), Request{Body: []byte(body)}, ErrMissing},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if err := bigbluebutton.Verify(row.source, row.r); !errors.Is(err, row.err) {
				t.Errorf("%v, want %v", err, row.err)
			}
		})
	}
}

// The right column is what node prints for JSON.stringify of the text.
func TestBBBQuote(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`[{"a":"é<&>"}]`:            `"[{\"a\":\"é<&>\"}]"`,
		"\\\b\f\n\r\t\x01\x1f\x7f/": `"\\\b\f\n\r\t\u0001\u001f` + "\x7f" + `/"`,
		"\u2028\u2029\U0001f600":    "\"\u2028\u2029\U0001f600\"",
		"":                          `""`,
	} {
		if got := bbbQuote(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestBBBDecode(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1795428011572).UTC()
	mapped := func(what, meeting, user string) string {
		return `[{"data":{"type":"event","id":"` + what + `","attributes":{"meeting":{"internal-meeting-id":"sha-1","external-meeting-id":"room"` + meeting +
			`},"user":{` + user + `}},"event":{"ts":1795428011572}}}]`
	}
	event := func(e attendance.Event) Delivery {
		e.Room, e.Occurrence = "room", "sha-1"
		if e.At.IsZero() {
			e.At = at
		}
		return Delivery{Events: []attendance.Event{e}}
	}
	staff := []string{bbbModerator}
	rows := []struct {
		name   string
		accept []string
		events string
		want   Delivery
		err    string
	}{
		{"created", nil, mapped("meeting-created", `,"create-time":1795427000123`, ""), event(attendance.Event{Kind: attendance.Started, At: time.UnixMilli(1795427000123).UTC()}), ""},
		{"created, no create-time", nil, mapped("meeting-created", "", ""), event(attendance.Event{Kind: attendance.Started}), ""},
		{"created, a breakout", nil, mapped("meeting-created", `,"is-breakout":true`, ""), Delivery{Unsupported: 1}, ""},
		{"ended", nil, mapped("meeting-ended", "", ""), event(attendance.Event{Kind: attendance.Ended}), ""},
		{
			"a moderator is counted", nil, mapped("user-joined", "", `"internal-user-id":"w","external-user-id":"x","role":"MODERATOR"`),
			event(attendance.Event{Kind: attendance.Joined, Attendee: "x", Connection: "w"}), "",
		},
		{
			"unless by choice", staff, mapped("user-joined", "", `"internal-user-id":"w","external-user-id":"x","role":"MODERATOR"`),
			event(attendance.Event{Kind: attendance.Joined, Attendee: "x", Connection: "w", Staff: true}), "",
		},
		{
			"a viewer is", staff, mapped("user-joined", "", `"internal-user-id":"w","external-user-id":"x","role":"VIEWER"`),
			event(attendance.Event{Kind: attendance.Joined, Attendee: "x", Connection: "w"}), "",
		},
		{"anonymous", nil, mapped("user-joined", "", `"internal-user-id":"w","external-user-id":"w"`), event(attendance.Event{Kind: attendance.Joined, Guest: true, Connection: "w"}), ""},
		{"anonymous, without saying so", nil, mapped("user-joined", "", `"internal-user-id":"w"`), event(attendance.Event{Kind: attendance.Joined, Guest: true, Connection: "w"}), ""},
		{"anonymous, left", nil, mapped("user-left", "", `"internal-user-id":"w","external-user-id":"w"`), event(attendance.Event{Kind: attendance.Left, Guest: true, Connection: "w"}), ""},
		{"left, nobody named", nil, mapped("user-left", "", `"internal-user-id":"w"`), event(attendance.Event{Kind: attendance.Left, Connection: "w"}), ""},
		{"no connection", nil, mapped("user-left", "", `"external-user-id":"x"`), Delivery{}, "element 0: data.attributes.user.internal-user-id: missing"},
		{
			"a meeting that was not seen created", nil, strings.ReplaceAll(mapped("user-joined", "", `"internal-user-id":"w","external-user-id":"x"`), `,"external-meeting-id":"room"`, ""),
			Delivery{Events: []attendance.Event{{Kind: attendance.Joined, Room: "sha", Occurrence: "sha-1", Attendee: "x", Connection: "w", At: at}}}, "",
		},
		{"no meeting", nil, `[{"data":{"id":"meeting-ended","event":{"ts":1795428011572}}}]`, Delivery{}, "element 0: data.attributes.meeting.external-meeting-id: missing; element 0: data.attributes.meeting.internal-meeting-id: missing"},
		{
			"no time but the form's", nil, strings.Replace(mapped("meeting-ended", "", ""), `"ts":1795428011572`, "", 1),
			event(attendance.Event{Kind: attendance.Ended, At: time.UnixMilli(1795428011580).UTC()}), "",
		},
		{
			"the second is bad", nil, `[{"data":{"id":"poll-started"}},{"data":{"id":"user-left","attributes":"Jill"}},` + mapped("meeting-ended", "", "")[1:],
			Delivery{Unsupported: 1, Events: []attendance.Event{
				{Kind: attendance.Left, At: time.UnixMilli(1795428011580).UTC(), Reason: attendance.Malformed}, {Kind: attendance.Ended, Room: "room", Occurrence: "sha-1", At: at},
			}}, "element 1: data.attributes.meeting.external-meeting-id: missing; element 1: data.attributes.meeting.internal-meeting-id: missing; element 1: data.attributes.user.internal-user-id: missing",
		},
		{"one that is nothing", nil, `["Jill",{"data":{"id":"poll-started"}}]`, Delivery{Unsupported: 2}, ""},
		{"nothing but those", nil, `["Jill"]`, Delivery{}, "refused: event: missing"},
		{"no events", nil, `[]`, Delivery{}, "refused: event: missing"},
		{"raw, no meeting", nil, `[{"envelope":{"name":"UserLeftMeetingEvtMsg","timestamp":1795428011572}}]`, Delivery{}, "element 0: envelope.routing.meetingId: missing; element 0: core.body.intId: missing"},
		{"raw, no user", nil, `[{"envelope":{"name":"UserLeftMeetingEvtMsg","routing":{"meetingId":"sha-1"},"timestamp":1795428011572}}]`, Delivery{}, "element 0: core.body.intId: missing"},
		{
			"raw, a moderator by choice", staff,
			`[{"envelope":{"name":"UserJoinedMeetingEvtMsg","timestamp":1795428011572},"core":{"header":{"meetingId":"room-1","userId":"w"},"body":{"extId":"x","role":"MODERATOR"}}}]`,
			Delivery{Events: []attendance.Event{{Kind: attendance.Joined, Room: "room", Occurrence: "room-1", Attendee: "x", Connection: "w", Staff: true, At: at}}}, "",
		},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := bigbluebutton.Decode(Source{Accept: row.accept}, Request{Body: []byte(bbbFormOf(row.events)), Now: now})
			checkDecoded(t, row.want, row.err, got, err)
		})
	}
	for body, wrong := range map[string]string{"": "refused: empty", "domain=x&timestamp=1": "refused: empty", "event=%zz": "refused: form: cannot be read"} {
		got, err := bigbluebutton.Decode(Source{}, Request{Body: []byte(body), Now: now})
		checkDecoded(t, Delivery{}, wrong, got, err)
	}
}

// Without a URL to sign, requests carry the bearer token.
func TestBBBSignBearer(t *testing.T) {
	t.Parallel()
	r := Request{Body: []byte(bbbFormOf("[]"))}
	bbbSign(Source{Secrets: []string{"s"}, Accept: []string{bbbBearer}}, &r)
	if diff := cmp.Diff(http.Header{"Authorization": {"Bearer s"}}, r.Header); diff != "" || r.Query != nil {
		t.Errorf("query %v, header (-want +got):\n%s", r.Query, diff)
	}
}
