package main

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"jauge/attendance"
	"jauge/internal/redistest"
	"jauge/internal/text"
	"jauge/programme"
)

// Silence is judged every ten seconds; when Redis was away, beacons get time to be heard first.
func TestSilentBeaconsAreClosed(t *testing.T) {
	t.Parallel()
	server, err := redistest.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	now := time.Date(2026, 12, 3, 18, 0, 0, 0, time.UTC)
	c := &Config{RedisURL: server.URL(), DataDir: t.TempDir(), SecretKey: key, Sessions: []programme.Session{
		{ID: "talk", Title: text.Text{"en": "A talk"}, StartsAt: now, EndsAt: now.Add(time.Hour)},
	}}
	s, err := openStores(c, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(&logged, nil))
	if err := s.prepare(t.Context(), c, log); err != nil {
		t.Fatal(err)
	}
	if err := s.attendance.Arrive(t.Context(), "talk", "a tab"); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		after   time.Duration
		present int
	}{{time.Minute, 1}, {time.Minute, 0}} {
		now = now.Add(row.after)
		if again := s.closeSilent(t.Context(), log); again != silenceEvery {
			t.Errorf("looks again after %s", again)
		}
		figures, err := s.attendance.Figures(t.Context(), c.Sessions[0])
		if err != nil || *figures[0].Present != row.present {
			t.Errorf("present %v, %v", figures, err)
		}
	}
	server.Stop()
	if again := s.closeSilent(t.Context(), log); again != hearingTime || again <= 2*attendance.BeatEvery {
		t.Errorf("after an outage: looks again after %s", again)
	}
	if logged.Len() > 0 {
		t.Errorf("logged: %s", &logged)
	}
}
