package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/attendance"
	"jauge/internal/redistest"
	"jauge/platforms"
)

// Who the configuration names is in no figure, for all sessions or for one, by address, id or name; and it
// decides who is one person of those without an id.
func TestTheConfigurationSaysWhoIsWho(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		for _, row := range []struct {
			name, source, all, one string
			present, unique, low   float64
		}{
			{"nobody is named", "", "", "", 8, 8, 6},
			{"for all sessions", "", "Host@Example.test, the recorder, acc-9", "", 5, 5, 3},
			{"for one", "", "", "' HOST '", 7, 7, 5},
			{"for both", "", "host@example.test", "The Recorder", 6, 6, 4},
			{"guests by name", "guests: name", "", "", 6, 6, 6},
		} {
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				v, clock := inProcess(t, rdb, prefix+row.name+":", fmt.Sprintf(`
staff: [%s]
sources: [{name: zoom-main, platform: zoom, secrets: [s], %s}]
sessions:
  - {id: talk, title: {en: A talk}, starts_at: %q, ends_at: %q, rooms: [{source: zoom-main, id: "951"}], staff: [%s]}
`, row.all, row.source, webinarStart.Format(time.RFC3339), webinarStart.Add(time.Hour).Format(time.RFC3339), row.one))
				w := &webinar{t, v, clock}
				w.at(10 * time.Minute)
				source := platforms.Source{Name: "zoom-main", Platform: "zoom", Secrets: []string{"s"}}
				for i, who := range []attendance.Event{
					{Attendee: "r1", Email: "ann@example.test", Name: "Ann"},
					{Attendee: "r2", Name: "Bob"},
					{Attendee: "acc-9", Name: "A speaker"},
					{Attendee: "r3", Email: "host@example.test", Name: "Host"},
					{Guest: true, Name: "Jo Chill"},
					{Guest: true, Name: "jo  chill"},
					{Guest: true, Name: "JO CHILL"},
					{Guest: true, Name: "The Recorder"},
				} {
					who.Kind, who.Room, who.Occurrence, who.Connection, who.At = attendance.Joined, "951", "o==", fmt.Sprint(i), webinarStart.Add(time.Duration(i)*time.Second)
					contentType, body := platforms.Dialects["zoom"].Encode(who)
					signed := platforms.Request{Header: http.Header{"Content-Type": {contentType}}, Body: body, Now: time.UnixMilli(clock.Load())}
					platforms.Dialects["zoom"].Sign(source, &signed)
					r := httptest.NewRequest(http.MethodPost, "/webhooks/zoom-main", bytes.NewReader(body))
					r.Header = signed.Header
					if answer := w.serve(r); answer.Code != http.StatusOK {
						t.Fatalf("%d %s", answer.Code, answer.Body)
					}
				}
				w.hold(row.name, map[string]any{"present": row.present, "unique": row.unique, "unique_low": row.low})
			})
		}
	})
}
