package attendance

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"jauge/internal/journal"
	"jauge/internal/redistest"
	"jauge/programme"
)

func TestNameWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                           nil,
		"Yasmine Delorme":            {"yasmine", "delorme"},
		"  YASMINE\tde l'Orme ":      {"yasmine", "orme"}, // "de" and "l" are everybody's
		"Jean-Pierre O'Neil (Évry)":  {"jean", "pierre", "neil", "evry"},
		"Zoë Müller-Łukasz":          {"zoe", "muller", "lukasz"},
		"Zoe\u0308":                  {"zoe"},
		"Lœtitia Bjørn Strauß Đorđe": {"loetitia", "bjorn", "strauss", "dorde"},
		"Iğdır İPEK":                 {"igdir", "ipek"},
		"Ｙａｓｍｉｎｅ 𝓓𝓮𝓵𝓸𝓻𝓶𝓮":              {"yasmine", "delorme"},
		"Yas\u00admi\u200dne":          {"yasmine"},
		"octave.marchetti99@192.0.2.4": {"octave", "marchetti"},
		"Ο Σωκράτης":                   {"σωκρατησ"},
		"Ян 山田 李":                      {"ян", "山田", "李"},
		"🎓 42 Jo":                      nil,
	} {
		if diff := cmp.Diff(want, nameWords(text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// What is stored must not change: letters of ASCII fold as Unicode folds them.
func TestASCIIFoldsAlike(t *testing.T) {
	t.Parallel()
	for r := range rune(unicode.MaxASCII + 1) {
		for _, form := range []norm.Form{norm.NFKC, norm.NFKD} {
			if got, want := folded(string(r), form), cases.Fold().String(form.String(string(r))); got != want {
				t.Errorf("%q is folded to %q, not %q", r, got, want)
			}
		}
	}
}

// called is a join of somebody of this name.
func (c *clock) called(name, id string) Event {
	e := c.event(Joined, id, id, 0)
	e.Name = name
	return e
}

// seen lists those of some words that are names in a session.
func seen(t *testing.T, s *Store, session string, words ...string) []string {
	t.Helper()
	found, err := s.NamesIn(t.Context(), session, words)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(found))
}

// kept is all that a store holds under a prefix.
func kept(t *testing.T, rdb redis.UniversalClient, prefix string) string {
	t.Helper()
	var b strings.Builder
	for keys := rdb.Scan(t.Context(), 0, prefix+"*", 1000).Iterator(); keys.Next(t.Context()); {
		k := keys.Val()
		b.WriteString(k + " ")
		switch rdb.Type(t.Context(), k).Val() {
		case "hash":
			for field, value := range rdb.HGetAll(t.Context(), k).Val() {
				b.WriteString(field + " " + value + "\n")
			}
		case "set":
			b.WriteString(strings.Join(rdb.SMembers(t.Context(), k).Val(), " ") + "\n")
		case "zset":
			b.WriteString(strings.Join(rdb.ZRange(t.Context(), k, 0, -1).Val(), " ") + "\n")
		case "string":
			b.WriteString(rdb.Get(t.Context(), k).Val() + "\n")
		}
	}
	return b.String()
}

func TestNamesOfASession(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix,
			hourLong("talk", in("live", "room"), in("zoom", "room"), in("totals", "room")), hourLong("other", in("live", "elsewhere")))
		host := c.called("Hortense Vauquelin", "host")
		host.Staff = true
		team := Event{Kind: Registered, Room: "room", Attendee: "t", Name: "Gaspard Illouz", Staff: true, At: planned}
		long := c.called("one two three four five six seven eight Nineveh", "long")
		there := c.called("Basile Kervella", "b")
		there.Room = "elsewhere"
		record(t, s, "live", c.called("Élodie d'Arc", "e"), host, long, there, c.called("", "nameless"))
		record(t, s, "zoom", c.called("ÉLODIE Jean-Pierre", "j"))
		record(t, s, "totals", team)
		words := []string{
			"elodie", "Élodie", "ELODIE!", "arc", "L'ARC", "d'", "pierre", "Pierre-Louis", "Hortense", "vauquelin", "illouz", "eight", "Nineveh",
			"Basile", "bonjour", "", "42", "elodies",
		}
		want := []string{
			"ELODIE!", "Hortense", "L'ARC", "Pierre-Louis", "arc", "eight", "elodie", "illouz", "pierre", "vauquelin", "Élodie",
		}
		if diff := cmp.Diff(want, seen(t, s, "talk", words...)); diff != "" {
			t.Errorf("talk (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"Basile"}, seen(t, s, "other", words...)); diff != "" {
			t.Errorf("other (-want +got):\n%s", diff)
		}
		if got := seen(t, s, "no-such-session", words...); len(got) > 0 {
			t.Errorf("nowhere: %q", got)
		}
		again, err := rdb.SCard(t.Context(), s.marks.Keys().Names("talk")).Result()
		record(t, s, "live", c.called("Élodie d'Arc", "e"), host)
		if n := rdb.SCard(t.Context(), s.marks.Keys().Names("talk")).Val(); n != again || n != 16 || err != nil {
			t.Errorf("%d names, then %d (%v)", again, n, err)
		}
		if drifts, err := s.Verify(t.Context(), "talk"); len(drifts) > 0 || err != nil {
			t.Errorf("%v %v", drifts, err)
		}
		text := strings.ToLower(kept(t, rdb, prefix))
		for _, word := range []string{"lodie", "pierre", "hortense", "vauquelin", "illouz", "basile"} {
			if strings.Contains(text, word) {
				t.Errorf("%q is in Redis: %s", word, text)
			}
		}
		if !strings.Contains(text, "{talk}:names") {
			t.Error("nothing was searched")
		}
		joined := map[string]bool{} // two sessions have no hash in common
		for _, session := range []string{"talk", "other"} {
			twin := c.called("Ninon", session)
			if twin.Room = "room"; session == "other" {
				twin.Room = "elsewhere"
			}
			record(t, s, "live", twin)
			for _, hash := range rdb.SMembers(t.Context(), s.marks.Keys().Names(session)).Val() {
				if joined[hash] {
					t.Errorf("%s is in both sessions", hash)
				}
				joined[hash] = true
			}
		}
	})
}

// A repair, which records the marks again, leaves the names as they are.
func TestNamesOutliveARepair(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", in("live", "room")))
		record(t, s, "live", c.called("Yasmine", "y"))
		if err := s.Repair(t.Context(), "talk"); err != nil {
			t.Fatal(err)
		}
		if got := seen(t, s, "talk", "yasmine"); len(got) != 1 {
			t.Errorf("%q", got)
		}
	})
}

// Names wait aside with their events, as hashes, and are in none of what cannot be used.
func TestNamesAside(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix)
		spoilt := c.called("Octave", "o")
		spoilt.At = time.Unix(1, 0)
		record(t, s, "live", c.called("Yasmine Delorme", "y"), spoilt)
		if text := asideTexts(t, s); strings.Count(text, `"m":[`) != 1 || strings.Contains(strings.ToLower(text), "yasmine") {
			t.Errorf("aside is %s", text)
		}
		if err := define(t.Context(), s, hourLong("talk", in("live", "room"))); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"delorme", "yasmine"}, seen(t, s, "talk", "yasmine", "delorme", "octave")); diff != "" {
			t.Error(diff)
		}
	})
}

// What the journal holds of names are hashes, and they are found when it is drained or replayed.
func TestNamesGoThroughTheJournal(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, shared redis.UniversalClient, prefix string) {
		dir := t.TempDir()
		rdb, line := redistest.Cuttable(t, shared)
		j, err := journal.Open(dir, journal.Options{Mode: journal.Beside, Judge: judge})
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		c := &clock{at: planned}
		s := opened(rdb, Options{Prefix: prefix, Key: make([]byte, 32), Now: c.now, Journal: j})
		if err := s.programme.Configure(t.Context(), []programme.Session{hourLong("talk", in("live", "room"))}); err != nil {
			t.Fatal(err)
		}
		line.Cut()
		record(t, s, "live", c.called("Yasmine Delorme", "y"))
		text, err := os.ReadFile(filepath.Join(dir, "journal.db"))
		if err != nil || !strings.Contains(string(text), `"m":[`) || strings.Contains(strings.ToLower(string(text)), "yasmine") {
			t.Errorf("%v: the journal has a name, or no hash", err)
		}
		if _, err := s.NamesIn(t.Context(), "talk", []string{"Yasmine"}); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("with Redis away: %v", err)
		}
		line.Mend()
		if err := j.Drain(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"DELORME", "Yasmine"}, seen(t, s, "talk", "Yasmine", "DELORME", "Octave")); diff != "" {
			t.Error(diff)
		}
	})
}
