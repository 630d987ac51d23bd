package marks

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"jauge/internal/redistest"
)

const long = "0123456789abcdefghijkl" // a person, as format 1 cut its hashes

// inFormat1 stores a session of two rooms, one of which does not name its occurrences.
func inFormat1(t *testing.T, s *Store, spoilt map[string][2]string) {
	t.Helper()
	keys := s.keys.before("talk")
	for name, fields := range map[string][]string{
		"counts":      {"last", "9500", "rev", "12"},
		"occurrences": {"one", "1|room|1000|9000|9000|0", "any", "2|hall|2000|2400|2400|0"},
		"connections": {
			"one.c1", "p1;1000=p1,3000=p2;2000;one.c2", "one.c2", "p1;1500;;one.c1", "one.@p2", "p2;1100=p2;1200;", "any.c1", long + ";2500=" + long + ";;",
		},
		"people": {"p1", "one.c1,one.c2;r;one=5000", "p2", "one.@p2;p;", "p3", ";rp;one=7000,any=3000", long, "any.c1;;"},
		"labels": {"1", "1|2|3|4"}, "deltas": {"1:1", "1"}, "curve": {"1", "1"}, "tree": {"1", "1|1"},
	} {
		if err := s.rdb.HSet(t.Context(), keys[name], fields).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for name, field := range spoilt {
		s.rdb.HSet(t.Context(), keys[name], field[0], field[1])
	}
}

// What format 1 kept of a session is the same set of marks, under this version's keys; nothing of it is left behind, and twice is once.
func TestMigrate(t *testing.T) {
	t.Parallel()
	one := func(kind Kind, connection, person string, at int64) Mark {
		m := Mark{Kind: kind, Room: "room", Occurrence: "one", Person: person, At: at}
		m.Connection = ConnectionIn("one", connection)
		return m
	}
	hall := func(kind Kind, at int64) Mark { return Mark{Kind: kind, Room: "hall", Occurrence: "any/", At: at} }
	total := func(person, occurrence string, seconds int64) Mark {
		return Mark{Kind: Attended, Person: person, Occurrence: occurrence, Seconds: seconds}
	}
	bound := one(Bound, "c1", "", 1000)
	bound.Peer = ConnectionIn("one", "c2")
	staff := one(Left, "", "", 9500)
	staff.Staff = true
	all := []Mark{
		one(Started, "", "", 1000), one(Ended, "", "", 9000), staff, hall(Started, 2000), hall(Ended, 2400),
		one(Joined, "c1", "p1", 1000), one(Joined, "c1", "p2", 3000), one(Left, "c1", "", 2000), bound, one(Joined, "c2", "", 1500),
		one(Joined, "", "p2", 1100), one(Left, "", "p2", 1200), hall(Joined, 2500).by(long[:12], ConnectionIn("any", "c1")),
		{Kind: Registered, Person: "p1"}, {Kind: Replayed, Person: "p2"}, {Kind: Registered, Person: "p3"}, {Kind: Replayed, Person: "p3"},
		total("p1", "one", 5), total("p3", "one", 7), total("p3", "any/", 3),
	}
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s := New(rdb, prefix)
		for range 2 {
			inFormat1(t, s, nil)
			if old, err := s.InFormat1(t.Context(), "talk"); err != nil || !old {
				t.Errorf("it is not said to be in format 1 (%v)", err)
			}
			if err := s.Migrate(t.Context(), "talk", map[string]bool{"any": true}); err != nil {
				t.Fatal(err)
			}
			agrees(t, s, "talk", all...)
			if c := readCounts(t, s); c["registered"] != 2 || c["replayed"] != 2 || c["reported_watch"] != 15_000 || c["last"] != 9500 || c["present"] != 1 {
				t.Errorf("%v", c)
			}
			if old, err := s.InFormat1(t.Context(), "talk"); err != nil || old {
				t.Errorf("it is still in format 1 (%v)", err)
			}
			for name, key := range s.keys.before("talk") {
				if n := rdb.Exists(t.Context(), key).Val(); n != 0 {
					t.Errorf("%s is left behind", name)
				}
			}
			if seen, err := s.Known(t.Context(), "talk", []string{long, long[:12]}); err != nil || fmt.Sprint(seen) != fmt.Sprint([]string{long[:12]}) {
				t.Errorf("known as %v (%v)", seen, err)
			}
		}
	})
}

func readCounts(t *testing.T, s *Store) Counts {
	t.Helper()
	c, err := s.readCounts(t.Context(), "talk")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What cannot be read is an error, and stays where it is.
func TestMigrateStopsAtWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for name, spoilt := range map[string]map[string][2]string{
		"an occurrence with a part less":   {"occurrences": {"one", "1|room|1000|9000|9000"}},
		"an occurrence with a word":        {"occurrences": {"one", "1|room|word|9000|9000|0"}},
		"a connection with a part less":    {"connections": {"one.c1", "p1;1000=p1;"}},
		"a connection of no occurrence":    {"connections": {"two.c1", "p1;1000=p1;;"}},
		"a join at a word":                 {"connections": {"one.c1", "p1;word=p1;;"}},
		"a leave at a word":                {"connections": {"one.c1", "p1;1000=p1;word;"}},
		"a person with a part less":        {"people": {"p1", "one.c1;r"}},
		"a person with a total of letters": {"people": {"p1", "one.c1;r;one=word"}},
		"a last event at a word":           {"counts": {"last", "word"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rdb, prefix := redistest.Embedded()
			s := New(rdb, prefix)
			inFormat1(t, s, spoilt)
			if err := s.Migrate(t.Context(), "talk", nil); err == nil {
				t.Error("no error")
			}
			for name, key := range s.keys.before("talk") {
				if n := rdb.Exists(t.Context(), key).Val(); n != 1 {
					t.Errorf("%s is gone", name)
				}
			}
		})
	}
}
