package handlers

import (
	"fmt"
	"testing"
	"time"

	"jauge/attendance"
	"jauge/internal/redistest"
	"jauge/internal/text"
	"jauge/programme"
)

// BenchmarkProgramme opens the organiser's first page with many sessions, people in a tenth of them, and many events aside.
func BenchmarkProgramme(b *testing.B) {
	rdb, prefix := redistest.Redis()
	s := newSite(b, rdb, prefix)
	sessions := planned()
	for i := range 1000 {
		sessions = append(sessions, programme.Session{
			ID: fmt.Sprint("s", i), Title: text.Text{"fr": fmt.Sprint("Rencontre ", i)}, StartsAt: start, EndsAt: start.Add(time.Hour),
			Survey: "vocation", Rooms: []programme.Room{{Source: "standard", ID: fmt.Sprint("room ", i)}},
		})
	}
	if err := s.deps.Programme.Configure(b.Context(), sessions); err != nil {
		b.Fatal(err)
	}
	record := func(room string, from, to int) {
		var events []attendance.Event
		for i := from; i < to; i++ {
			events = append(events, attendance.Event{Kind: attendance.Joined, Room: room, Occurrence: "o", Attendee: fmt.Sprint("p", i), At: start.Add(time.Duration(i) * time.Millisecond)})
		}
		if _, err := s.deps.Attendance.Record(b.Context(), "standard", events); err != nil {
			b.Fatal(err)
		}
	}
	for i := range 100 {
		record(fmt.Sprint("room ", i*10), 0, 5)
	}
	for i := range 200 {
		record(fmt.Sprint("nobody's ", i%20), i*500, (i+1)*500)
	}
	b.ResetTimer()
	for b.Loop() {
		s.get("/")
	}
}
