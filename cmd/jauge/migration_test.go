package main

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/attendance"
	"jauge/internal/redistest"
)

// manyThen is how many people more than those of the fixture came, so that the migration of their marks takes a while.
const manyThen = 10_000

// oldService is a service that is about to start on the data of format 1, whose sessions go on now.
type oldService struct {
	*program
	rdb   redis.UniversalClient
	begin time.Time // of the fixture's events
}

var (
	fixtureTime   = regexp.MustCompile(`2026-11-23T[0-9:.]+Z`)
	fixtureMoment = regexp.MustCompile(`\b17954[0-9]{8}\b`)
)

// ofFormat1 fills a Redis as a service of format 1 left it, since later than the fixture's: just now.
func ofFormat1(t *testing.T, since time.Duration) *oldService {
	t.Helper()
	server, err := redistest.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	rdb := server.Client()
	t.Cleanup(func() { _ = rdb.Close() })
	f := fixture("testdata/format-1")
	config, err := os.ReadFile(f.path("jauge.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	today := func(text string) string {
		text = fixtureTime.ReplaceAllStringFunc(text, func(at string) string {
			then, err := time.Parse(time.RFC3339Nano, at)
			if err != nil {
				t.Fatal(err)
			}
			return then.Add(since).Format(time.RFC3339Nano)
		})
		return fixtureMoment.ReplaceAllStringFunc(text, func(ms string) string {
			n, _ := strconv.ParseInt(ms, 10, 64)
			return strconv.FormatInt(n+since.Milliseconds(), 10)
		})
	}
	f.load(t, rdb, keyPrefix)
	ctx := t.Context()
	for _, key := range rdb.Keys(ctx, "*").Val() {
		if rdb.Type(ctx, key).Val() != "hash" {
			continue
		}
		for field, value := range rdb.HGetAll(ctx, key).Val() {
			rdb.HSet(ctx, key, field, today(value))
		}
	}
	s := &oldService{rdb: rdb, begin: leakNow.Add(since - 150*time.Minute)}
	s.fill(t)
	s.program = prepared(t, today(string(config)), "JAUGE_REDIS_URL="+server.URL(), "JAUGE_SECRET_KEY=not-a-secret-only-the-key-of-a-fixture")
	return s
}

// fill adds people who came to the talk for a minute each, and takes away who would still be there: their time would go on.
func (s *oldService) fill(t *testing.T) {
	t.Helper()
	const occurrence, zoom, beacons = "cpklvjF2d5c_bwgi", "366CL1Lcu7KKTmx7", "oQTiFdVeawbeX-P9"
	ctx, key := t.Context(), func(name string) string { return keyPrefix + "{talk}:" + name }
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.HDel(ctx, key("occurrences"), zoom, beacons)
		for _, hash := range []string{"connections", "people"} {
			for field, value := range s.rdb.HGetAll(ctx, key(hash)).Val() {
				if strings.Contains(field+value, zoom) || strings.Contains(field+value, beacons) {
					p.HDel(ctx, key(hash), field)
				}
			}
		}
		for i := range manyThen {
			person, tab := fmt.Sprintf("%012dmany", i), fmt.Sprintf("%s.%012dtabs", occurrence, i)
			at := s.begin.Add(time.Duration(i%6000) * time.Second)
			p.HSet(ctx, key("connections"), tab, fmt.Sprintf("%[1]s;%[2]d=%[1]s;%[3]d;", person, at.UnixMilli(), at.Add(time.Minute).UnixMilli()))
			p.HSet(ctx, key("people"), person, tab+";;")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// newcomers is how many people come while the data is migrated.
const newcomers = 200

// meanwhileAtTheTalk is what the platform of the talk says while the data is migrated: joins once more of people who were there, the leaves of those who are still in,
// people who come to the second opening of the room, most of whom leave again, and its end.
func (s *oldService) meanwhileAtTheTalk() (events []attendance.Event) {
	say := func(kind attendance.Kind, occurrence, person, tab string, at time.Duration) {
		events = append(events, attendance.Event{Kind: kind, Room: "hall", Occurrence: occurrence, Attendee: person, Connection: tab, At: s.begin.Add(at)})
	}
	for i := range 12 {
		person, tab := fmt.Sprint("person ", i), fmt.Sprint("hall tab ", i)
		say(attendance.Joined, "o1", person, tab, time.Duration(i*i)*11300*time.Millisecond)
		if i%4 == 0 {
			say(attendance.Left, "o1", person, tab, 100*time.Minute)
		}
	}
	say(attendance.Left, "o2", "person 2", "again", 130*time.Minute)
	for i := range newcomers {
		person, at := fmt.Sprint("newcomer ", i), 112*time.Minute+time.Duration(i)*time.Second
		say(attendance.Joined, "o2", person, person, at)
		if i%3 > 0 {
			say(attendance.Left, "o2", person, person, at+5*time.Minute)
		}
	}
	say(attendance.Ended, "o2", "", "", 140*time.Minute)
	return events
}

// shown is what the service says of the talk.
func (s *oldService) shown() map[string]any {
	s.t.Helper()
	await(s.t, "the journal to be drained", func() bool { return strings.Contains(s.everyMetric(), "\njauge_journal_pending 0\n") })
	var object map[string]any
	await(s.t, "the stays to be summed up", func() bool {
		object = s.attendance("talk")
		return object["watch_seconds"] != nil
	})
	_, curve := s.do(http.MethodGet, "/api/v1/sessions/talk/curve", http.Header{"Authorization": {"Bearer " + token}}, nil)
	object["curve"] = string(curve)
	return object
}

// holdsNothingOld fails if a key of format 1 is left, or a count does not agree with the marks.
func (s *oldService) holdsNothingOld() {
	s.t.Helper()
	for _, key := range s.rdb.Keys(s.t.Context(), keyPrefix+"{*}:*").Val() {
		_, name, _ := strings.Cut(key, "}:")
		if strings.Contains(key, "{gone}") { // the programme does not have it any more
			continue
		}
		if slices.Contains([]string{"counts", "occurrences", "connections", "people", "labels", "deltas", "curve", "tree"}, name) {
			s.t.Errorf("left behind: %s", key)
		}
	}
	if format := s.rdb.Get(s.t.Context(), keyPrefix+"schema").Val(); format != strconv.Itoa(storeFormat) {
		s.t.Errorf("format %s", format)
	}
	if code, out, err := s.command("verify"); code != exitOK || !strings.Contains(out, "talk: every count agrees with the marks") {
		s.t.Errorf("verify: %d %s %s", code, out, err)
	}
}

// A session goes on while its data is migrated, and the service is killed in the middle of that and starts again: every webhook is answered with 200 in
// time, and what is shown is the same as if the data had been migrated first.
func TestASessionGoesOnWhileItsDataIsMigrated(t *testing.T) {
	t.Parallel()
	since := time.Since(leakNow).Truncate(time.Second)
	quiet := ofFormat1(t, since)
	quiet.restart()
	caller := newCaller(t, quiet.program)
	for _, e := range quiet.meanwhileAtTheTalk() {
		caller.send(quiet.program, e)
	}
	want := quiet.shown()
	if people := want["unique"]; people != float64(12+manyThen+newcomers) {
		t.Errorf("%v people", people)
	}
	quiet.holdsNothingOld()
	for name, killed := range map[string]bool{"migrated at once": false, "killed in the middle": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := ofFormat1(t, since)
			if killed {
				s.spawn()
				await(t, "some of the marks to be migrated", func() bool { return s.rdb.HLen(t.Context(), keyPrefix+"{talk}:persons").Val() > 0 })
				s.kill()
			}
			command("CLIENT", "PAUSE", redistest.Patience.Milliseconds(), "WRITE")(t, s.rdb) // so that the migration is not over before it is wanted
			s.launch()
			c, events := newCaller(t, s.program), s.meanwhileAtTheTalk()
			say := func(events []attendance.Event) {
				for g := range hall { // each is said twice, by two of them
					c.all.Go(func() {
						for i := g / 2; i < len(events); i += hall / 2 {
							c.send(s.program, events[i])
						}
					})
				}
				c.all.Wait()
			}
			say(events[:len(events)/2])
			if format := s.rdb.Get(t.Context(), keyPrefix+"schema").Val(); format != "1" {
				t.Errorf("it was not in the middle: format %q", format)
			}
			command("CLIENT", "UNPAUSE")(t, s.rdb)
			say(events[len(events)/2:])
			c.end()
			if diff := cmp.Diff(want, s.shown()); diff != "" {
				t.Errorf("-migrated before, +meanwhile:\n%s", diff)
			}
			s.holdsNothingOld()
		})
	}
}

// With another secret key, whose hashes would not fit, nothing is migrated.
func TestNothingIsMigratedWithAnotherKey(t *testing.T) {
	t.Parallel()
	s := ofFormat1(t, time.Since(leakNow).Truncate(time.Second))
	names := func() []string { return slices.Sorted(slices.Values(s.rdb.Keys(t.Context(), "*").Val())) }
	before := names()
	s.env = append(s.env, "JAUGE_SECRET_KEY="+strings.Repeat("another ", 5))
	if code, _, text := s.command("serve"); code != exitFailed || !strings.Contains(text, errOtherKey.message) {
		t.Errorf("%d %s", code, text)
	}
	if diff := cmp.Diff(before, names()); diff != "" || s.rdb.Get(t.Context(), keyPrefix+"schema").Val() != "1" {
		t.Errorf("something was written:\n%s", diff)
	}
}
