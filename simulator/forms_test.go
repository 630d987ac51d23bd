package simulator

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jauge/feedback/survey"
	"jauge/platforms"
	"jauge/programme"
)

var formSecrets = map[string]string{
	"typeform": "a-form-secret", "tally": "a-form-secret", "formbricks": "whsec_ZXhhbXBsZS1zZWNyZXQtb2YtdGhlLXByb2dyYW1tZSE=",
}

// withForm adds a form of the tool to a session, with references of its own for two questions and none for the text.
func withForm(session programme.Session, tool string) (programme.Session, platforms.Source) {
	session.Rooms = append(slices.Clone(session.Rooms), programme.Room{Source: tool, ID: "form-1"})
	session.Questions = map[string]string{"ref-one": "one", "ref-some": "some", "text": ""}
	session.Segments = []programme.Segment{{ID: "pupils"}, {ID: "students"}}
	return session, platforms.Source{Name: tool, Platform: tool, Secrets: []string{formSecrets[tool]}}
}

// submissions does with a form's deliveries what the service does, in the survey's terms: by key, as last submitted. It
// returns how many requests were refused, and how many told of a submission half-way.
func submissions(t *testing.T, p *Performance, session programme.Session) (last map[string]survey.Answers, refused, halves int) {
	t.Helper()
	last = map[string]survey.Answers{}
	at := map[string]time.Time{}
	for i, d := range p.Deliveries {
		dialect, r := platforms.Dialects[d.Source.Platform], d.Request(d.At)
		if err := dialect.Verify(*d.Source, r); err != nil {
			if !d.Forged {
				t.Fatalf("delivery %d: %v", i, err)
			}
			refused++
			continue
		}
		got, err := dialect.Decode(*d.Source, r)
		if err != nil || d.Forged {
			t.Fatalf("delivery %d, forged %t: %v", i, d.Forged, err)
		}
		for _, a := range got.Answers {
			answers, lost := survey.Translate(questionnaire(), session.Questions, a.Values)
			if len(lost) > 0 || len(answers["text"]) > 0 || a.Room != "form-1" || a.Segment != "pupils" && a.Segment != "students" {
				t.Fatalf("%+v is not what the survey asks: %v", a, lost)
			}
			if a.Partial {
				halves++
			}
			if a.At.After(at[a.Key]) {
				last[a.Key], at[a.Key] = answers, a.At
			}
		}
	}
	return last, refused, halves
}

// Every submission can be mapped, whatever the tool; faults change neither how many there are nor what they say.
func TestFormsAreFilledIn(t *testing.T) {
	t.Parallel()
	for tool := range formSecrets {
		t.Run(tool, func(t *testing.T) {
			t.Parallel()
			session, source := withForm(programme.Session{ID: "talk", StartsAt: planned, EndsAt: planned.Add(time.Hour)}, tool)
			for _, speed := range []float64{1, 47.3, 1200} {
				o := Options{Attendees: 200, Seed: 5, Start: planned, Speed: speed, Survey: questionnaire()}
				play := func() *Performance {
					p, err := New(session, []platforms.Source{source}, o)
					if err != nil {
						t.Fatal(err)
					}
					return p
				}
				good := play()
				if want := (Truth{Session: "talk", Answers: new(200), Requests: len(good.Deliveries)}); !cmp.Equal(want, good.Truth) {
					t.Errorf("form alone (-want +got):\n%s", cmp.Diff(want, good.Truth))
				}
				said, _, halves := submissions(t, good, session)
				if len(said) != 200 || (halves > 150) != (tool == "formbricks") || len(good.Deliveries) != 200+halves {
					t.Errorf("%d submissions, %d told half-way, in %d requests", len(said), halves, len(good.Deliveries))
				}
				o.Faults = AllFaults()
				bad := play()
				again, refused, _ := submissions(t, bad, session)
				if truth := bad.Truth; *truth.Answers != 200 || truth.Forged == 0 || refused != truth.Forged || truth.Duplicates < 10 || truth.Late < 10 || truth.LostLeaves > 0 {
					t.Errorf("%d refused, faults: %+v", refused, truth)
				}
				if diff := cmp.Diff(said, again); diff != "" {
					t.Errorf("faults change what is said:\n%s", diff)
				}
			}
		})
	}
}

// Some three in five of those who came answer after the end; that they do changes nothing of who came, and how it is told.
func TestFormBesideAttendance(t *testing.T) {
	t.Parallel()
	for _, platform := range []string{"standard", "livestorm"} {
		session, source := on(platform)
		session, form := withForm(session, "tally")
		o := Options{Attendees: 300, Seed: 1, Start: planned, Faults: AllFaults()}
		alone, err := New(session, []platforms.Source{form, source}, o)
		if err != nil {
			t.Fatal(err)
		}
		o.Survey = questionnaire()
		both, err := New(session, []platforms.Source{form, source}, o)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(alone.Truth.figures(), both.Truth.figures()); diff != "" {
			t.Errorf("%s: the form changes who came:\n%s", platform, diff)
		}
		if n := both.Truth.Answers; alone.Truth.Answers != nil || *n < 150 || *n > 210 {
			t.Errorf("%s: %d answer", platform, *n)
		}
		posts := map[string]int{}
		for _, d := range both.Deliveries {
			posts[d.Source.Name]++
			if d.Source.Name == "tally" && d.At.Before(session.EndsAt) {
				t.Errorf("%s: answered at %s", platform, d.At)
			}
		}
		if diff := cmp.Diff([]string{platform, "tally"}, slices.Sorted(maps.Keys(posts))); diff != "" || posts[platform] != len(alone.Deliveries) {
			t.Errorf("%s: %v posted, %d without the form", platform, posts, len(alone.Deliveries))
		}
	}
}

// How each tool writes the kinds of answers.
func TestWords(t *testing.T) {
	t.Parallel()
	said := map[string]any{"before": 4, "one": "a", "some": []string{"b", "c"}, "yes": true, "text": "Merci.", "nps": 10}
	for tool, yes := range map[string]any{"typeform": true, "tally": "Yes", "formbricks": "Yes"} {
		session, source := withForm(programme.Session{}, tool)
		s := stage{Options: Options{Survey: questionnaire()}, session: session, source: &source, dialect: platforms.Dialects[source.Platform]}
		want := map[string]any{
			"before": json.Number("4"), "ref-one": "Law", "ref-some": []any{"History", "Autre"}, "yes": yes, "nps": json.Number("10"),
		}
		if diff := cmp.Diff(want, s.words(said, "en")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tool, diff)
		}
	}
}
