package attendance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/internal/journal"
	"jauge/internal/redistest"
)

// The names of the keys are what stored data is found by: they do not change, and those of a session lie on one shard.
func TestKeys(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		ctx := t.Context()
		s, c := eventful(t, rdb, prefix)
		named := c.event(Joined, "named", "named", 0)
		named.Name = "Yasmine Delorme"
		elsewhere := c.event(Joined, "ann", "c1", 0)
		elsewhere.Room = "elsewhere"
		record(t, s, "live", named, elsewhere)
		if err := s.Declare(ctx, "talk", 3); err != nil {
			t.Fatal(err)
		}
		if err := s.Arrive(ctx, "talk", "tab"); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"sessions": "hash", "claims": "hash", "aside:sources": "set", "{aside:live}:rooms": "hash", "{aside:live}:groups": "hash", "{aside:live}:arrivals": "zset",
			"{aside:live}:room:" + s.asideToken(asideRoom{"live", "elsewhere", ""}): "hash",
			"{talk}:figures": "string", "{talk}:openings": "hash", "{talk}:devices": "hash", "{talk}:persons": "hash", "{talk}:inside": "hash",
			"{talk}:log": "string", "{talk}:guests": "hash", "{talk}:names": "set", "{talk}:declared": "string", "{talk}:beacons": "zset",
		}
		keys, _, err := rdb.Scan(ctx, 0, prefix+"*", 10_000).Result()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, key := range keys {
			got[strings.TrimPrefix(key, prefix)] = rdb.Type(ctx, key).Val()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		for _, key := range append(s.marks.Keys().Session("talk"), s.marks.Keys().Names("talk"), s.keys.beacons("talk"), s.marks.Keys().Declared("talk")) {
			if !strings.HasPrefix(key, prefix+"{talk}:") {
				t.Errorf("%s may lie elsewhere", key)
			}
		}
	})
}

// Entries of the journal are read by later versions: their kinds and fields do not change.
func TestJournalEntries(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir := t.TempDir()
	rdb, prefix := redistest.Embedded()
	j, err := journal.Open(dir, journal.Options{Mode: journal.Ahead})
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{at: planned}
	s := opened(rdb, Options{Prefix: prefix, Key: make([]byte, 32), Now: c.now, Journal: j})
	if err := define(ctx, s, hourLong("talk", in("live", "room"))); err != nil {
		t.Fatal(err)
	}
	total := Event{Kind: Attended, Room: "room", Alias: "series", Attendee: "ann", At: planned, Total: time.Minute}
	record(t, s, "live", Event{Kind: Joined, Room: "room", Occurrence: "o", Attendee: "ann", Connection: "c1", At: planned, Name: "Ann", Email: "ann@x.test", Guest: true}, total)
	record(t, s, "live", Event{Kind: Bound, Room: "elsewhere", Occurrence: "o", Connection: "c1", Peer: "c2", Staff: true, At: planned})
	for _, do := range []error{s.Declare(ctx, "talk", 3), s.Arrive(ctx, "talk", "tab"), s.End(ctx, "talk"), define(ctx, s, hourLong("other", in("live", "elsewhere"))), j.Close()} {
		if do != nil {
			t.Fatal(do)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string][]string{}
	for _, part := range strings.Split(string(text), `{"kind":"attendance.`)[1:] {
		var e struct {
			Kind string          `json:"kind"`
			Data json.RawMessage `json:"data"`
		}
		if err := json.NewDecoder(strings.NewReader(`{"kind":"attendance.` + part)).Decode(&e); err != nil {
			continue // a page that is free again
		}
		var one map[string]any
		var many []map[string]any
		if json.Unmarshal(e.Data, &one) == nil {
			many = append(many, one)
		} else if err := json.Unmarshal(e.Data, &many); err != nil {
			t.Fatal(err)
		}
		for _, entry := range many {
			for name := range entry {
				fields[e.Kind] = append(fields[e.Kind], name)
			}
		}
		slices.Sort(fields[e.Kind])
		fields[e.Kind] = slices.Compact(fields[e.Kind])
	}
	want := map[string][]string{
		"attendance.session": {"changes", "session"},
		"attendance.events":  {"a", "b", "c", "d", "f", "g", "h", "k", "m", "n", "o", "p", "q", "r", "s", "t", "v", "w", "x"},
		"attendance.claimed": {"b", "c", "d", "f", "k", "o", "r", "s", "t", "v", "w"},
		"attendance.heads":   {"heads", "session"},
		"attendance.beat":    {"at", "connection", "session"},
		"attendance.end":     {"at", "occurrences", "session"},
	}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Error(diff)
	}
}
