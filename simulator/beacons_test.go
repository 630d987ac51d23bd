package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/attendance"
	"jauge/internal/redistest"
	"jauge/platforms"
	"jauge/programme"
)

// Property: at whatever speed and beside whatever platform, no page falls silent before it leaves, and each counts as one.
func TestBeaconsAreHeard(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		for _, platform := range []string{"standard", "livestorm", "tally"} {
			for _, speed := range []float64{1, 7, 600} {
				t.Run(fmt.Sprint(platform, " at ", speed), func(t *testing.T) {
					t.Parallel()
					session, source := on("livestorm")
					switch platform {
					case "standard":
						session, source = on(platform)
					case "tally":
						session.Rooms = nil
						session, source = withForm(session, platform)
					}
					p, err := New(session, []platforms.Source{source}, Options{
						Attendees: 10, Seed: 1, Start: planned, Speed: speed, Beacons: 5, Faults: LightFaults(), Survey: questionnaire(),
					})
					if err != nil {
						t.Fatal(err)
					}
					now := planned
					prefix := fmt.Sprintf("%s%s-%g:", prefix, platform, speed)
					sessions := programme.New(rdb, programme.Options{Prefix: prefix})
					store := attendance.New(rdb, sessions, attendance.Options{
						Prefix: prefix, Key: make([]byte, 32), Now: func() time.Time { return now },
						Capabilities: map[string]attendance.Capability{source.Name: platforms.Dialects[platform].Capability},
					})
					if err := sessions.Configure(t.Context(), []programme.Session{session}); err != nil {
						t.Fatal(err)
					}
					kinds := map[string]int{}
					for _, d := range p.Deliveries {
						now = d.At
						if n, err := store.CloseSilentBeacons(t.Context()); n > 0 || err != nil {
							t.Fatalf("%d silent at %s: %v", n, now, err)
						}
						kinds[hear(t, store, d)]++
					}
					if beats := kinds["beat"]; kinds["join"] != 5 || kinds["leave"] != 5 || beats > 5*120 || (beats > 0) != (speed < 600) {
						t.Errorf("sent %v", kinds)
					}
					figures, err := store.Figures(t.Context(), session)
					if err != nil {
						t.Fatal(err)
					}
					f, truth := figures[0], p.Truth
					want := map[string]int{"standard": 15, "livestorm": 10, "tally": 5}[platform]
					if truth.Beacons != 5 || *truth.Unique != want || *f.Unique != want || *f.Present != *truth.Present || *f.Connections != *truth.Connections || truth.Peak != nil {
						t.Errorf("truth %+v, shown %+v", truth, f)
					}
				})
			}
		}
	})
}

// hear does with a delivery what the service does, and says what a beacon's was.
func hear(t *testing.T, store *attendance.Store, d Delivery) (kind string) {
	t.Helper()
	if d.Source != nil {
		got, err := platforms.Dialects[d.Source.Platform].Decode(*d.Source, d.Request(d.At))
		if err == nil {
			_, err = store.Record(t.Context(), d.Source.Name, got.Events)
		}
		if err != nil {
			t.Fatal(err)
		}
		return ""
	}
	var said struct{ ID, Kind string }
	if err := json.Unmarshal(d.body, &said); err != nil {
		t.Fatal(err)
	}
	open, err := true, error(nil)
	switch said.Kind {
	case "join":
		err = store.Arrive(t.Context(), d.session, said.ID)
	case "beat":
		open, err = store.Beat(t.Context(), d.session, said.ID)
	case "leave":
		err = store.Depart(t.Context(), d.session, said.ID)
	}
	if !open || err != nil {
		t.Fatalf("%s of %s at %s: open %t, %v", said.Kind, said.ID, d.At, open, err)
	}
	return said.Kind
}

// A beacon goes to its session, signed by nobody, as a browser sends it; what the service makes of it is said in words.
func TestPostBeacon(t *testing.T) {
	t.Parallel()
	session, source := on("standard")
	p, err := New(session, []platforms.Source{source}, Options{Attendees: 1, Start: planned, Beacons: 1})
	if err != nil {
		t.Fatal(err)
	}
	beacon := p.Deliveries[slices.IndexFunc(p.Deliveries, func(d Delivery) bool { return d.Source == nil })]
	for code, want := range map[int]string{
		204: "",
		400: "the service does not take a beacon of session on-standard: 400 Bad Request",
		404: "the service has no session on-standard (404): it runs on another configuration",
		409: "the service takes no beacon of session on-standard (409): to it the session is over",
		410: "the service has closed a beacon of session on-standard (410): it did not hear it in time",
	} {
		poster, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost || r.URL.Path != "/beacon/on-standard" || r.Header.Get("Content-Type") != "text/plain;charset=UTF-8" {
				t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
			}
			w.WriteHeader(code)
		})
		got := ""
		if err := poster.Post(t.Context(), beacon); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%d: got %q, want %q", code, got, want)
		}
	}
}
