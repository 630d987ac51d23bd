package attendance

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"jauge/attendance/marks"
	"jauge/internal/redistest"
	"jauge/programme"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

// What leaves the door names nobody, and tells people, connections and occurrences apart as far as their source does.
func TestSeal(t *testing.T) {
	t.Parallel()
	s := newSealer(make([]byte, 32), nil)
	e := Event{
		Kind: Joined, Room: "room", Alias: "series", Occurrence: "o1", Attendee: "ann@example.org", Connection: "c1", Peer: "c2", Name: "Ann Lee",
		At: planned, Total: 90 * time.Second,
	}
	sealed := s.seal("live", e)
	for name, token := range map[string]string{
		"room": sealed.Room, "occurrence": sealed.Occurrence, "person": sealed.Person, "connection": sealed.Connection, "peer": sealed.Peer,
	} {
		if len(token) != 16 || strings.ContainsAny(token, ".;|,=@~:{}") {
			t.Errorf("%s: %q", name, token)
		}
	}
	if sealed.RoomID != "room" || sealed.Alias != "series" || sealed.At != planned.UnixMilli() || sealed.Seconds != 90 || len(sealed.Names) != 2 {
		t.Errorf("%+v", sealed)
	}
	for what, row := range map[string]struct {
		source         string
		change         func(*Event)
		person, room   bool // that are the same
		connection, at bool
	}{
		"the same":           {"live", func(*Event) {}, true, true, true, true},
		"later":              {"live", func(e *Event) { e.At = e.At.Add(time.Millisecond) }, true, true, true, false},
		"of another source":  {"other", func(*Event) {}, false, false, false, true},
		"in another room":    {"live", func(e *Event) { e.Room = "x" }, true, false, true, true},
		"of somebody else":   {"live", func(e *Event) { e.Attendee = "bob" }, false, true, true, true},
		"an id over e-mail":  {"live", func(e *Event) { e.Email = "x@example.org" }, true, true, true, true},
		"by e-mail alone":    {"live", func(e *Event) { e.Attendee, e.Email = "", " Ann@Example.ORG " }, true, true, true, true},
		"ids are not folded": {"live", func(e *Event) { e.Attendee = "ANN@example.org" }, false, true, true, true},
		"another connection": {"live", func(e *Event) { e.Connection = "c3" }, true, true, false, true},
	} {
		other := e
		row.change(&other)
		got := s.seal(row.source, other)
		is := []bool{got.Person == sealed.Person, got.Room == sealed.Room, got.Connection == sealed.Connection, got.At == sealed.At}
		if diff := cmp.Diff([]bool{row.person, row.room, row.connection, row.at}, is); diff != "" {
			t.Errorf("%s: person, room, connection, time: %s", what, diff)
		}
	}
	if empty := s.seal("live", Event{Room: "room"}); empty.Person != "" || empty.Connection != "" || empty.Peer != "" || empty.Occurrence == "" {
		t.Errorf("nobody is %+v", empty)
	}
	if other := newSealer([]byte(strings.Repeat("x", 32)), nil).seal("live", e); other.Person == sealed.Person || other.Room == sealed.Room {
		t.Error("another key hashes alike")
	}
}

// Two sessions have no pseudonym in common, whoever was in both; within one, a person is the same.
func TestWithin(t *testing.T) {
	t.Parallel()
	s := newSealer(make([]byte, 32), nil)
	ann := s.seal("live", Event{Kind: Joined, Room: "room", Attendee: "ann", Connection: "c1", Name: "Ann Lee"})
	a, b := s.within("talk", ann, false), s.within("other", ann, false)
	if a.Person == b.Person || a.Person == ann.Person || a.Names[0] == b.Names[0] || a.Names[0] == ann.Names[0] || a.Name == b.Name || a.Name == ann.Name {
		t.Errorf("%+v and %+v", a, b)
	}
	if again := s.within("talk", s.seal("live", Event{Kind: Left, Room: "room", Attendee: "ann"}), false); again.Person != a.Person {
		t.Error("the same person has two pseudonyms in a session")
	}
	if a.Room != ann.Room || len(ann.Names) != 2 || len(a.Person) != 12 || len(a.Connection) != 12 {
		t.Errorf("%+v", a)
	}
	later := s.within("talk", s.seal("live", Event{Kind: Joined, Room: "room", Occurrence: "o2", Connection: "c1"}), false)
	if later.Connection == a.Connection || later.Person != "" {
		t.Errorf("the same number in another occurrence is the same connection, or somebody: %+v", later)
	}
}

// TestWhoIsThePerson tells which of the ids of events are of one person.
func TestWhoIsThePerson(t *testing.T) {
	t.Parallel()
	byName := newSealer(make([]byte, 32), map[string]bool{"live": true})
	for name, tt := range map[string]struct {
		s          sealer
		a, b       Event
		elsewhere  bool // b comes from another source
		same, byID bool // one person; and in a session that began when the id was the person
		guests     bool
	}{
		"one id":                           {a: Event{Attendee: "1"}, b: Event{Attendee: "1"}, same: true, byID: true},
		"two ids":                          {a: Event{Attendee: "1"}, b: Event{Attendee: "2"}},
		"two ids, one address":             {a: Event{Attendee: "1", Email: "Jo@x.test "}, b: Event{Attendee: "2", Email: "jo@X.test"}, same: true},
		"an id with an address, without":   {a: Event{Attendee: "1", Email: "jo@x.test"}, b: Event{Attendee: "1"}, byID: true},
		"an address alone":                 {a: Event{Email: "jo@x.test"}, b: Event{Attendee: "2", Email: "jo@x.test"}, same: true},
		"an address on two platforms":      {a: Event{Email: "jo@x.test"}, b: Event{Email: "jo@x.test"}, elsewhere: true, same: true},
		"an id on two platforms":           {a: Event{Attendee: "1"}, b: Event{Attendee: "1"}, elsewhere: true},
		"guests of one connection":         {a: Event{Attendee: "u1", Guest: true}, b: Event{Attendee: "u1", Guest: true}, same: true, byID: true, guests: true},
		"guests of no id, one connection":  {a: Event{Connection: "1", Guest: true, Name: "Jo"}, b: Event{Connection: "1", Guest: true}, same: true, byID: true, guests: true},
		"guests of no id, two connections": {a: Event{Connection: "1", Guest: true, Name: "Jo"}, b: Event{Connection: "2", Guest: true, Name: "Jo"}, guests: true},
		"guests of no id, two openings":    {a: Event{Occurrence: "a", Connection: "1", Guest: true}, b: Event{Occurrence: "b", Connection: "1", Guest: true}, guests: true},
		"guests of one name":               {a: Event{Attendee: "u1", Guest: true, Name: "Jo"}, b: Event{Attendee: "u2", Guest: true, Name: "Jo"}, guests: true},
		"guests of one name, by name":      {s: byName, a: Event{Attendee: "u1", Guest: true, Name: "Jo  Chill"}, b: Event{Attendee: "u2", Guest: true, Name: "jo chill"}, same: true, byID: true, guests: true},
		"others of one name, by name":      {s: byName, a: Event{Attendee: "1", Name: "Jo"}, b: Event{Attendee: "2", Name: "Jo"}},
		"a guest with an address":          {a: Event{Attendee: "u1", Guest: true, Email: "jo@x.test"}, b: Event{Attendee: "1", Email: "jo@x.test"}, same: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, from := tt.s, "live"
			if s.key == nil {
				s = newSealer(make([]byte, 32), nil)
			}
			if tt.elsewhere {
				from = "other"
			}
			a, b := s.seal("live", tt.a), s.seal(from, tt.b)
			if same := s.personIn("talk", a, false) == s.personIn("talk", b, false); same != tt.same {
				t.Errorf("one person: %t", same)
			}
			if same := s.personIn("talk", a, true) == s.personIn("talk", b, true); same != tt.byID {
				t.Errorf("one person, by id: %t", same)
			}
			if guest := marks.IsGuest(s.personIn("talk", a, false)); guest != tt.guests || marks.IsGuest(s.personIn("talk", a, true)) {
				t.Errorf("guest: %t", guest)
			}
		})
	}
}

// TestWhoRegisteredIsSeen: a registration says an address, and a join of the same person an id, an address, or both, whichever comes first.
func TestWhoRegisteredIsSeen(t *testing.T) {
	t.Parallel()
	const address = "jo@example.test"
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		for name, tt := range map[string]struct {
			staff  []string
			came   []Event
			noShow float64 // -1: nobody registered
		}{
			"nobody came":                             {noShow: 1},
			"somebody else":                           {came: []Event{{Attendee: "2"}}, noShow: 1},
			"by id":                                   {came: []Event{{Attendee: "1"}}},
			"by address":                              {came: []Event{{Email: address}}},
			"by both":                                 {came: []Event{{Attendee: "1", Email: address}}},
			"by another id and the address":           {came: []Event{{Attendee: "2", Email: address}}},
			"by id, and by both":                      {came: []Event{{Attendee: "1"}, {Attendee: "1", Email: address}}},
			"staff by address, comes by id":           {staff: []string{address}, came: []Event{{Attendee: "1"}}, noShow: -1},
			"staff by id, comes by address":           {staff: []string{"1"}, came: []Event{{Email: address}}, noShow: -1},
			"by id, then by another with the address": {came: []Event{{Attendee: "1"}, {Attendee: "2", Email: address}, {Attendee: "2"}}},
			"the address of staff, not come":          {staff: []string{address}, noShow: -1},
		} {
			for _, late := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, registered late %t", name, late), func(t *testing.T) {
					t.Parallel()
					s := opened(rdb, Options{
						Prefix: fmt.Sprint(prefix, name, late, ":"), Key: make([]byte, 32), Staff: tt.staff, Now: func() time.Time { return planned.Add(time.Minute) },
					})
					if err := s.programme.Configure(t.Context(), []programme.Session{hourLong("talk", in("live", "room"))}); err != nil {
						t.Fatal(err)
					}
					registered := Event{Kind: Registered, Room: "room", Attendee: "1", Email: address, At: planned}
					if !late {
						record(t, s, "live", registered)
					}
					record(t, s, "live", Event{Kind: Started, Room: "room", Occurrence: "one", At: planned})
					for i, e := range tt.came {
						e.Kind, e.Room, e.Occurrence, e.Connection, e.At = Joined, "room", "one", fmt.Sprint("c", i), planned
						record(t, s, "live", e)
					}
					if late {
						record(t, s, "live", registered)
					}
					f := figures(t, s, "talk")
					if got := f.NoShowRate; tt.noShow < 0 && (got != nil || *f.Unique != 0) || tt.noShow >= 0 && (got == nil || *got != tt.noShow || *f.Registered != 1) {
						t.Errorf("%v of %v did not come, %d did", got, f.Registered, *f.Unique)
					}
					if drifts, err := s.Verify(t.Context(), "talk"); err != nil || len(drifts) > 0 {
						t.Errorf("%v (%v)", drifts, err)
					}
				})
			}
		}
	})
}

// TestAnAddressInSomeEvents: a platform names everybody by one id in every event, and says an address in some.
func TestAnAddressInSomeEvents(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, _ := newStore(t, rdb, prefix, hourLong("talk", in("totals", "room")))
		record(t, s, "totals",
			Event{Kind: Registered, Room: "room", Attendee: "1", At: planned},
			Event{Kind: Registered, Room: "room", Attendee: "1", Email: "jo@example.test", At: planned},
			Event{Kind: Registered, Room: "room", Attendee: "2", Email: "al@example.test", At: planned},
			Event{Kind: Attended, Room: "room", Attendee: "1", Email: "jo@example.test", At: planned, Total: time.Hour},
		)
		if f := figures(t, s, "talk"); *f.Registered != 2 || *f.Unique != 1 || *f.NoShowRate != 0.5 {
			t.Errorf("%d registered, %d came, %f did not", *f.Registered, *f.Unique, *f.NoShowRate)
		}
	})
}

// Parts that are hashed together cannot be shifted against each other.
func TestHashesKeepPartsApart(t *testing.T) {
	t.Parallel()
	s := newSealer(make([]byte, 32), nil)
	seen := map[string]bool{}
	for _, parts := range [][]string{{"ab", "c"}, {"a", "bc"}, {"abc"}, {"abc", ""}, {"", "abc"}} {
		if token := s.token(parts...); seen[token] {
			t.Errorf("%q is another one's", parts)
		} else {
			seen[token] = true
		}
	}
}

// Tokens are stored: the same parts have the same token for ever, also while tokens of rooms are remembered, and when they are too many
// to be.
func TestTokens(t *testing.T) {
	t.Parallel()
	s := newSealer([]byte(strings.Repeat("k", 32)), nil)
	reference := func(n int, parts ...string) string {
		h := hmac.New(sha256.New, []byte(strings.Repeat("k", 32)))
		for _, p := range parts {
			h.Write([]byte(p + "\x00"))
		}
		return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:n])
	}
	for i := range 3 * mostPlaces {
		for _, parts := range [][]string{
			{"room", "live", fmt.Sprint(i / 2)}, {"occurrence", "live", "r", fmt.Sprint(i / 2)}, {"occurrence", "live", fmt.Sprint(i)},
			{"occurrence", "live", fmt.Sprint(i), ""}, {"person", "live", fmt.Sprint(i)},
		} {
			if got, want := s.token(parts...), reference(tokenBytes, parts...); got != want {
				t.Fatalf("%q: %s, want %s", parts, got, want)
			}
		}
	}
	if n := len(s.places.tokens); n > mostPlaces {
		t.Errorf("%d tokens are remembered", n)
	}
	if got, want := s.hashName("ann"), reference(nameBytes, "name", "ann"); got != want {
		t.Errorf("a name: %s, want %s", got, want)
	}
}

func BenchmarkSeal(b *testing.B) {
	s := newSealer(make([]byte, 32), nil)
	e := Event{
		Kind: Joined, Room: "95123456789", Occurrence: "4444AAAiAAAAAiAiAiiAii==", Attendee: "ann@example.org", Connection: "16778240", Name: "Ann Lee", At: planned,
	}
	b.ReportAllocs()
	for b.Loop() {
		s.within("talk", s.seal("live", e), false)
	}
}
