package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/attendance"
	"jauge/internal/redistest"
	"jauge/internal/text"
	"jauge/platforms"
	"jauge/programme"
)

var planned = time.Date(2020, 4, 30, 16, 0, 0, 0, time.UTC)

var secrets = map[string]string{
	"zoom": "a-secret-token", "livekit": "KEY:a-secret-of-the-key", "standard": "whsec_ZXhhbXBsZS1zZWNyZXQtb2YtdGhlLXByb2dyYW1tZSE=",
	"bigbluebutton": "a-shared-secret", "jaas": "whsec_of_jaas", "jitsi": "a-bearer-token", "daily": "YS1zZWNyZXQtb2YtZGFpbHk=", "livestorm": "a-webhook-secret",
}

// on returns a session of an hour with a room on a source of the given platform.
func on(platform string) (programme.Session, platforms.Source) {
	session := programme.Session{
		ID: "on-" + platform, Title: text.Text{"fr": "Essai"}, StartsAt: planned, EndsAt: planned.Add(time.Hour),
		Rooms: []programme.Room{{Source: platform, ID: "room-1"}},
	}
	source := platforms.Source{Name: platform, Platform: platform, Secrets: []string{secrets[platform]}}
	if platform == "bigbluebutton" {
		source.CallbackURL = "https://jauge.example.test/webhooks/bigbluebutton"
	}
	return session, source
}

func performance(t *testing.T, platform string, o Options) *Performance {
	t.Helper()
	session, source := on(platform)
	p, err := New(session, []platforms.Source{source}, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// shown is what a service shows, in the words of Truth.
func shown(f attendance.Figures) Truth {
	return Truth{
		Session: f.Session.ID, Unique: f.Unique, UniqueLow: f.UniqueLow, Peak: f.Peak, PeakAt: f.PeakAt, WatchSeconds: new(f.Watch.Seconds()),
		Present: f.Present, Connections: f.Connections, Registered: f.Registered, NoShowRate: f.NoShowRate,
	}
}

// figures is the part of the truth that a service shows.
func (t Truth) figures() Truth {
	return Truth{
		Session: t.Session, Unique: t.Unique, UniqueLow: t.UniqueLow, Peak: t.Peak, PeakAt: t.PeakAt, WatchSeconds: t.WatchSeconds,
		Present: t.Present, Connections: t.Connections, Registered: t.Registered, NoShowRate: t.NoShowRate,
	}
}

// receive does with a performance what the service does; it returns how many requests were refused.
func receive(t *testing.T, p *Performance, store *attendance.Store) (refused int) {
	t.Helper()
	source := p.Sources[0]
	dialect := platforms.Dialects[source.Platform]
	for i, d := range p.Deliveries {
		r := d.Request(d.At)
		if err := dialect.Verify(source, r); err != nil {
			if !d.Forged || !errors.Is(err, platforms.ErrSignature) {
				t.Fatalf("delivery %d, forged %t: %v", i, d.Forged, err)
			}
			refused++
			continue
		}
		got, err := dialect.Decode(source, r)
		if err != nil {
			t.Fatalf("delivery %d: %v", i, err)
		}
		if _, err := store.Record(t.Context(), source.Name, got.Events); err != nil {
			t.Fatalf("delivery %d: %v", i, err)
		}
	}
	return refused
}

// Property: whatever the seed, the platform, the speed and the faults, a store that was sent a performance shows its truth.
func TestServiceShowsTheTruth(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		for platform := range secrets {
			for name, faults := range map[string]Faults{"good day": {}, "ordinary day": LightFaults(), "bad day": AllFaults()} {
				t.Run(platform+", "+name, func(t *testing.T) {
					t.Parallel()
					for seed := range uint64(4) {
						p := performance(t, platform, Options{
							Attendees: int(3 + 6*seed), Guests: int(4 * seed), Seed: seed, Faults: faults, Start: planned, Speed: []float64{1, 60, 3600, 47.3}[seed],
						})
						session, _ := on(platform)
						prefix := fmt.Sprintf("%s%s-%s-%d:", prefix, platform, strings.ReplaceAll(name, " ", "-"), seed)
						sessions := programme.New(rdb, programme.Options{Prefix: prefix})
						store := attendance.New(rdb, sessions, attendance.Options{
							Prefix: prefix, Key: make([]byte, 32),
							Capabilities: map[string]attendance.Capability{platform: platforms.Dialects[platform].Capability},
							Now:          func() time.Time { return planned.Add(2 * time.Hour) },
						})
						if err := sessions.Configure(t.Context(), []programme.Session{session}); err != nil {
							t.Fatal(err)
						}
						if refused := receive(t, p, store); refused != p.Truth.Forged {
							t.Errorf("seed %d: %d requests refused, the truth says %d forged", seed, refused, p.Truth.Forged)
						}
						all, err := store.Figures(t.Context(), session)
						if err != nil {
							t.Fatal(err)
						}
						if diff := cmp.Diff(p.Truth.figures(), shown(all[0])); diff != "" {
							t.Errorf("seed %d (-truth +shown):\n%s", seed, diff)
						}
					}
				})
			}
		}
	})
}

func TestPerformanceIsSeeded(t *testing.T) {
	t.Parallel()
	for platform := range secrets {
		o := Options{Attendees: 30, Seed: 7, Faults: AllFaults(), Start: planned}
		alike := cmp.Comparer(func(a, b Delivery) bool { return reflect.DeepEqual(a, b) }) // cmp itself takes seconds
		first, again := performance(t, platform, o), performance(t, platform, o)
		if diff := cmp.Diff(first, again, alike); diff != "" {
			t.Errorf("%s: the same seed gives another performance:\n%s", platform, diff)
		}
		o.Seed = 8
		if other := performance(t, platform, o); cmp.Equal(first.Deliveries, other.Deliveries, alike) || cmp.Equal(first.Truth, other.Truth) {
			t.Errorf("%s: another seed gives the same performance", platform)
		}
	}
}

// Faults change how things are told, not who came: only lost leaves change what can be known.
func TestFaultsKeepTheAudience(t *testing.T) {
	t.Parallel()
	o := Options{Attendees: 40, Seed: 3, Start: planned}
	good := performance(t, "standard", o).Truth
	o.Faults = LightFaults()
	light := performance(t, "standard", o).Truth
	if diff := cmp.Diff(good.figures(), light.figures()); diff != "" {
		t.Errorf("light faults change the truth:\n%s", diff)
	}
	o.Faults = AllFaults()
	bad := performance(t, "standard", o).Truth
	if *bad.Unique != *good.Unique || bad.Visits != good.Visits || *bad.WatchSeconds <= *good.WatchSeconds {
		t.Errorf("lost leaves: %+v became %+v", good, bad)
	}
}

// What a performance is made of: the figures of the audience are those of a webinar, and each fault happens.
func TestPerformanceIsRealistic(t *testing.T) {
	t.Parallel()
	p := performance(t, "standard", Options{Attendees: 300, Seed: 1, Start: planned, Faults: AllFaults()})
	truth := p.Truth
	if *truth.Unique != 300 || truth.Visits < 355 || truth.Visits > 400 {
		t.Errorf("%d persons with %d connections", *truth.Unique, truth.Visits)
	}
	if *truth.Peak < 200 || *truth.Peak >= 300 || truth.PeakAt.Before(planned) || truth.PeakAt.After(planned.Add(time.Hour)) {
		t.Errorf("peak of %d at %s", *truth.Peak, truth.PeakAt)
	}
	if mean := *truth.WatchSeconds / 300 / 60; mean < 35 || mean > 62 {
		t.Errorf("a person watched %.0f minutes", mean)
	}
	if truth.Duplicates < 20 || truth.Late < 20 || truth.LostLeaves < 5 || truth.Forged < 5 || truth.Requests != len(p.Deliveries) {
		t.Errorf("faults: %+v", truth)
	}
	seen := map[string]int{}
	joined := map[string]bool{}
	for _, d := range p.Deliveries {
		got, err := platforms.Dialects["standard"].Decode(p.Sources[0], d.Request(d.At))
		if err != nil {
			t.Fatal(err)
		}
		e := got.Events[0]
		switch {
		case d.Forged && e.Kind == attendance.Joined && !e.Staff && strings.HasPrefix(e.Attendee, "intruder"):
			seen["an intruder"]++
		case d.Forged:
			t.Errorf("a forged request that would change nothing: %+v", e)
		case e.Kind == attendance.Left && !joined[e.Connection]:
			seen["leave before its join"]++
		case e.Kind == attendance.Joined && e.Staff:
			seen["staff"]++
		case e.Kind == attendance.Ended:
			joined["the end"] = true
		case e.Kind == attendance.Joined && e.At.Before(planned):
			seen["early"]++
		}
		if e.Kind == attendance.Joined && !d.Forged {
			joined[e.Connection] = true
		}
		if joined["the end"] && e.Kind != attendance.Ended {
			seen["after the end"]++
		}
	}
	want := []string{"after the end", "an intruder", "early", "leave before its join", "staff"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(seen))); diff != "" {
		t.Errorf("what happens (-want +got):\n%s", diff)
	}
	if !slices.IsSortedFunc(p.Deliveries, func(a, b Delivery) int { return a.At.Compare(b.At) }) {
		t.Error("the deliveries are not in order")
	}
}

// A platform of totals tells who registered before the start, and who came, and who did not, only after the end.
func TestTotalsAreToldAfterwards(t *testing.T) {
	t.Parallel()
	p := performance(t, "livestorm", Options{Attendees: 20, Seed: 1, Start: planned})
	if truth, want := p.Truth, (Truth{
		Session: "on-livestorm", Unique: new(20), UniqueLow: new(20), WatchSeconds: p.Truth.WatchSeconds, Registered: new(30), NoShowRate: new(10.0 / 30), Requests: 66,
	}); !cmp.Equal(want, truth) || *truth.WatchSeconds < 20*30*60 || *truth.WatchSeconds > 20*68*60 {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, truth))
	}
	var told []string
	for _, d := range p.Deliveries {
		var body struct {
			Data struct {
				Meta struct{ Webhook struct{ Event string } }
			}
		}
		if err := json.Unmarshal(d.body, &body); err != nil {
			t.Fatal(err)
		}
		told = append(told, body.Data.Meta.Webhook.Event)
	}
	slices.Sort(told[34:])
	want := slices.Concat(slices.Repeat([]string{"people.registered"}, 32), []string{"session.started", "session.ended"},
		slices.Repeat([]string{"people.attended"}, 22), slices.Repeat([]string{"people.not_attended"}, 10))
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCannotBePlayed(t *testing.T) {
	t.Parallel()
	session, source := on("zoom")
	with := func(change func(*programme.Session, *platforms.Source, *Options)) error {
		session, source, o := session, source, Options{Attendees: 1, Start: planned}
		change(&session, &source, &o)
		_, err := New(session, []platforms.Source{source}, o)
		return err
	}
	for _, tt := range []struct {
		name, want string
		change     func(*programme.Session, *platforms.Source, *Options)
	}{
		{"no room on the source", "session on-zoom has no room that can be played", func(_ *programme.Session, s *platforms.Source, _ *Options) { s.Name = "other" }},
		{"a form, and nothing to ask", "session on-zoom has no room that can be played", func(_ *programme.Session, s *platforms.Source, _ *Options) { s.Platform = "typeform" }},
		{"no secret", "source zoom: secrets: missing", func(_ *programme.Session, s *platforms.Source, _ *Options) { s.Secrets = nil }},
		{"nobody", "there must be at least one attendee", func(_ *programme.Session, _ *platforms.Source, o *Options) { o.Attendees = 0 }},
		{"backwards", "the speed must be positive", func(_ *programme.Session, _ *platforms.Source, o *Options) { o.Speed = -1 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := with(tt.change)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}
