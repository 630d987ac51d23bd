package platforms

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The names in the fixtures and captures of every platform, of the audience and of the staff; who was in a lobby, or only
// in a breakout room, was not there. Nobody has one in the standard dialect, and those who answer a form have none.
func TestNames(t *testing.T) {
	t.Parallel()
	bodies := map[string][]string{}
	var vectors []struct{ Body string }
	readJSON(t, "testdata/zoom.json", &vectors)
	for _, v := range vectors {
		bodies["zoom"] = append(bodies["zoom"], v.Body)
	}
	bodies["zoom"] = append(bodies["zoom"], `{"event":"webinar.registration_created","event_ts":1795428011572,"payload":{"object":{"id":951,
		"registrant":{"id":"r","first_name":"Maëlle","last_name":"Le Goff"}}}}`)
	for _, r := range capture(t, filepath.Join("testdata", captures[0]+".jsonl")) {
		bodies["livekit"] = append(bodies["livekit"], string(r.Body))
	}
	for _, f := range fixtures(t, "bigbluebutton") {
		bodies["bigbluebutton"] = append(bodies["bigbluebutton"], string(f.Body))
	}
	for _, platform := range fixtureFolders(t) {
		for _, f := range fixturesOf(t, platform) {
			bodies[platform] = append(bodies[platform], f.body)
		}
	}
	bodies["standard"] = []string{subjects["standard"].good}
	for _, platform := range []string{"typeform", "tally", "formbricks"} {
		bodies[platform] = []string{subjects[platform].good}
	}
	got := map[string][]string{}
	for platform := range Dialects {
		got[platform] = []string{}
		s := subjects[platform]
		for _, body := range bodies[platform] {
			d, err := receive(platform, s.source(platform), signed(platform, s.secrets[0], now, s.body(body)))
			if err != nil {
				t.Fatalf("%s: %v", platform, err)
			}
			for _, e := range d.Events {
				if e.Name != "" && !slices.Contains(got[platform], e.Name) {
					got[platform] = append(got[platform], e.Name)
				}
			}
		}
		slices.Sort(got[platform])
	}
	want := map[string][]string{
		"bigbluebutton": {"Jack Chill", "Jill Chill", "Jo Chill"},
		"daily":         {"Hortense Vauquelin", "Octave Marchetti 192.0.2.44", "Yasmine Delorme"},
		"jaas":          {"Hortense Vauquelin", "Octave Marchetti", "Yasmine Delorme"},
		"jitsi":         {"Hortense Vauquelin", "Yasmine Delorme"},
		"livekit":       {"Attendee p001", "Attendee p002", "Attendee p003"},
		"livestorm":     {"Basile Kervella", "Gaspard Illouz", "Hortense Vauquelin", "Ninon Abadie", "Octave Marchetti", "Yasmine Delorme"},
		"zoom":          {"Jill Chill", "Maëlle Le Goff", "Zoë 山田 🎓"},
		"standard":      {}, "typeform": {}, "tally": {}, "formbricks": {},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A name may be anything: nobody is refused for it.
func TestNamesRefuseNobody(t *testing.T) {
	t.Parallel()
	for platform, s := range subjects {
		if len(s.events) == 0 || s.events[len(s.events)-1].Name == "" && s.events[0].Name == "" {
			continue
		}
		for _, strange := range []string{`null`, `7.5`, `["Jill"]`, `{"first":"Jill"}`, `true`, `""`, `"` + strings.Repeat("Jill ", 1000) + `"`} {
			body := s.good
			for _, field := range []string{`"user_name":`, `"name":`, `"first_name":`, `"last_name":`} {
				for _, text := range []string{`"Jill Chill"`, `"Jill"`, `"Chill"`, `"` + dailyName + `"`} {
					body = strings.ReplaceAll(body, field+text, field+strange)
				}
			}
			if body == s.good {
				t.Fatalf("%s: no name was replaced", platform)
			}
			d, err := receive(platform, s.source(platform), signed(platform, s.secrets[0], now, s.body(body)))
			if err != nil || len(d.Events) != len(s.events) {
				t.Errorf("%s, %.20s: %v", platform, strange, err)
			}
			if text := fmt.Sprint(d.Events); strings.Contains(strange, "[") && strings.Contains(text, "Jill") {
				t.Errorf("%s: %s", platform, text)
			}
		}
	}
}
