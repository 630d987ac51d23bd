package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jauge/feedback/survey"
	"jauge/handlers/attend"
	"jauge/internal/text"
)

// kinds is a survey of two waves with what vocation has not: every other kind, conditions, and a text in one language.
func kinds() *survey.Survey {
	both := func(fr, en string) text.Text { return text.Text{"fr": fr, "en": en} }
	offer := func(values ...string) []survey.Choice {
		choices := make([]survey.Choice, len(values))
		for i, v := range values {
			choices[i] = survey.Choice{Value: v, Label: both("Le "+v, "The "+v)}
		}
		return choices
	}
	return &survey.Survey{
		ID: "vocation", Title: both("Tout", "All"), Notice: both("Le lycée ne lit pas vos réponses.", "Your school does not read your answers."),
		Waves: []survey.Wave{{ID: "before", Title: both("Avant la rencontre", "Before the meeting")}, {ID: "after", Title: both("Après la rencontre", "After the meeting"), Opens: "end"}},
		Sections: []survey.Section{
			{ID: "you", Questions: []survey.Question{
				{ID: "age", Kind: survey.Number, Min: 10, Max: 99, Unit: both("ans", "years old"), Label: both("Votre âge", "Your age"), Required: true, Waves: []string{"before"}},
				{ID: "views", Kind: survey.Matrix, Min: 1, Max: 4, Low: both("non", "no"), High: both("oui", "yes"), Label: both("Qu'en pensez-vous ?", "What do you think?"),
					Rows: []survey.Line{{ID: "place", Label: both("J'y ai ma place", "I have a place in it")}, {ID: "use", Label: text.Text{"fr": "C'est utile"}}}},
				{ID: "town", Kind: survey.ShortText, Label: both("Votre ville", "Your town"), MaxLength: 20, Waves: []string{"before"}},
			}},
			{ID: "meeting", Waves: []string{"after"}, Questions: []survey.Question{
				{ID: "stayed", Kind: survey.YesNo, Stay: true, Label: both("Êtes-vous resté ?", "Did you stay?")},
				{ID: "best", Kind: survey.Ranking, Label: both("Vos préférences", "What you liked"), Choices: offer("film", "quiz", "talk")},
			}},
			{ID: "left", Waves: []string{"after"}, ShowIf: &survey.Condition{Question: "stayed", Is: []string{survey.No}}, Questions: []survey.Question{
				{ID: "when", Kind: survey.Single, Label: both("Quand êtes-vous parti ?", "When did you leave?"), Choices: offer("début", "milieu")},
			}},
			{ID: "end", Questions: []survey.Question{
				{ID: "agree", Kind: survey.Consent, Required: true, Label: both("J'accepte d'être cité", "I agree to be quoted"), Help: both("Sans votre nom.", "Without your name.")},
			}},
		},
	}
}

func withKinds(d *setup) { d.Surveys = map[string]*survey.Survey{"vocation": kinds()} }

// after moves a service to the time of the second wave.
func after(s *site) *site {
	s.at(start.Add(2 * time.Hour))
	return s
}

func TestPagesOfKinds(t *testing.T) {
	t.Parallel()
	s := one(t, withKinds)
	if problems := s.surveys["vocation"].Validate(); problems != nil {
		for _, p := range problems { // the choices have letters that ids have not: they are words in French
			if !strings.Contains(p.Path, "choices") {
				t.Error(p)
			}
		}
	}
	next := func(page string, more ...string) url.Values {
		return with(url.Values{"page": {page}, "do": {"next"}, "wave": {"after"}}, more...)
	}
	for _, row := range []struct {
		name string
		call call
		code int
	}{
		{"kinds-before.html", call{path: "/feedback/metier"}, 200},
		{"kinds-before-mistakes.html", call{method: "POST", path: "/feedback/metier", form: url.Values{
			"page": {"you"}, "do": {"next"}, "wave": {"before"}, "q.age@before": {"dix"}, "q.views.use@before": {"9"}, "q.town@before": {strings.Repeat("é", 21)},
		}}, 422},
		{"kinds-after.en.html", call{path: "/feedback/metier?wave=after&lang=en"}, 200},
		{"kinds-ranking.html", call{method: "POST", path: "/feedback/metier", form: next("you", "q.best@after.quiz", "1")}, 200},
		{"kinds-ranking-tied.html", call{method: "POST", path: "/feedback/metier", form: next("meeting", "q.best@after.quiz", "1", "q.best@after.talk", "1")}, 422},
		{"kinds-consent.html", call{method: "POST", path: "/feedback/metier", form: next("end", "q.views.use@after", "3")}, 422},
	} {
		w := s.do(row.call)
		if w.Code != row.code {
			t.Errorf("%s: %d, not %d", row.name, w.Code, row.code)
		}
		golden(t, row.name, w)
	}
}

// Which page comes next depends on what was said; what is not shown is carried, and not kept when the form is sent.
func TestPagesByCondition(t *testing.T) {
	t.Parallel()
	s := after(one(t, withKinds))
	said := url.Values{"wave": {"after"}, "token": {"ABCDEFGHIJKLMNOPQRSTUVWXYZ"}, "q.when@after": {"milieu"}}
	for _, row := range []struct {
		name, page, do, stayed, want string
	}{
		{"stayed: on", "meeting", "next", "yes", `name="page" value="end"`},
		{"left: on", "meeting", "next", "no", `name="page" value="left"`},
		{"left: what was said is there", "meeting", "next", "no", `value="milieu" checked`},
		{"left: back from the end", "end", "back", "no", `name="page" value="left"`},
		{"stayed: back from the end", "end", "back", "yes", `name="page" value="meeting"`},
		{"stayed: the other page is carried", "meeting", "next", "yes", `type="hidden" name="q.when@after" value="milieu"`},
		{"stayed: three pages", "meeting", "next", "yes", "Page 3 sur 3"},
		{"left: four pages", "meeting", "next", "no", "Page 3 sur 4"},
		{"stayed: a page that is not asked", "left", "back", "yes", `name="page" value="you"`},
	} {
		w := s.do(call{method: "POST", path: "/feedback/metier", form: with(said, "page", row.page, "do", row.do, "q.stayed@after", row.stayed)})
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), row.want) {
			t.Errorf("%s: %d, no %q in\n%s", row.name, w.Code, row.want, w.Body)
		}
	}
	w := s.do(call{method: "POST", path: "/feedback/metier", form: with(said, "page", "end", "do", "next", "q.stayed@after", "yes", "q.agree@after", "yes", "q.best@after.talk", "1", "q.best@after.film", "2")})
	path, _, _ := strings.Cut(w.Header().Get("Location"), "?")
	row := decode[attend.Submission](t, s.do(call{path: path, header: map[string]string{"Accept": "application/json"}}))
	want := map[string]any{"stayed@after": "yes", "agree@after": "yes", "best@after": []any{"talk", "film"}}
	if diff := cmp.Diff(want, row.Answers); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

func TestWaveOfARequest(t *testing.T) {
	t.Parallel()
	s := one(t, withKinds)
	for _, row := range []struct {
		name string
		call call
		code int
		want string
	}{
		{"before the end", call{path: "/feedback/metier"}, 200, "Avant la rencontre"},
		{"the other", call{path: "/feedback/metier?wave=after"}, 200, "Après la rencontre"},
		{"one that is none", call{path: "/feedback/metier?wave=never"}, 404, "Ce questionnaire n&#39;existe pas"},
		{"of a form", call{method: "POST", path: "/feedback/metier", form: url.Values{"wave": {"never"}}}, 404, "Ce questionnaire n&#39;existe pas"},
		{"its code", call{path: "/feedback/metier/qr.svg?wave=never"}, 404, ""},
		{"of a program", call{method: "POST", path: "/feedback/metier", json: map[string]any{"wave": "never", "answers": map[string]any{"age": 17}}}, 422, `{"error":"The answers do not fit the survey.","fields":{"wave":"this survey has no such wave"}}`},
		{"of a program, before the end", call{method: "POST", path: "/feedback/metier", json: map[string]any{"answers": map[string]any{"age": 17}}}, 422, `{"agree@before":"must be answered"}`},
		{"of a program, the other", call{method: "POST", path: "/feedback/metier", json: map[string]any{"wave": "after", "answers": map[string]any{"stayed": true, "when": "milieu", "agree": true}}}, 422, `{"when@after":"is not asked, given the other answers"}`},
		{"in a survey without waves", call{path: "/feedback/eleves?wave=x"}, 404, ""},
	} {
		if w := s.do(row.call); w.Code != row.code || !strings.Contains(w.Body.String(), row.want) {
			t.Errorf("%s: %d %s", row.name, w.Code, w.Body)
		}
	}
	if w := after(s).do(call{path: "/feedback/metier"}); !strings.Contains(w.Body.String(), "Après la rencontre") {
		t.Errorf("after the end: %s", w.Body)
	}
}

// A program's answers to two waves, read and written back; a change in the form leaves the other wave alone.
func TestAnswersOfWaves(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, plain *site) {
		s := plain
		s.surveys["vocation"] = kinds()
		path := "/feedback/metier/answers/" + s.answer("metier", map[string]any{"age": 17, "views": map[string]any{"use": 2}, "agree": true})
		change := after(s).do(call{method: "POST", path: path, form: url.Values{
			"wave": {"after"}, "page": {"end"}, "do": {"next"}, "q.views.use@after": {"4"}, "q.best@after.quiz": {"1"}, "q.agree@after": {"yes"},
		}})
		if change.Code != http.StatusSeeOther {
			t.Fatalf("%d %s", change.Code, change.Body)
		}
		page := s.do(call{path: path}).Body.String()
		for _, said := range []string{"<h3>Avant la rencontre</h3>", "<dd>17\u00a0ans</dd>", "Qu&#39;en pensez-vous ? · C&#39;est utile", "<dd>2</dd>", "<h3>Après la rencontre</h3>", "<dd>1. Le quiz</dd>", "<dd>Oui</dd>"} {
			if !strings.Contains(page, said) {
				t.Errorf("the receipt's page lacks %q: %s", said, page)
			}
		}
		read := decode[attend.Submission](t, s.do(call{path: path, header: map[string]string{"Accept": "application/json"}}))
		want := map[string]any{
			"age@before": 17.0, "views.use@before": 2.0, "agree@before": "yes", "views.use@after": 4.0, "best@after": []any{"quiz"}, "agree@after": "yes",
		}
		if diff := cmp.Diff(want, read.Answers); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
		read.Answers["age@before"] = 18
		if w := s.do(call{method: "PUT", path: path, json: map[string]any{"answers": read.Answers}}); w.Code != http.StatusOK {
			t.Errorf("written back: %d %s", w.Code, w.Body)
		}
		if page := s.do(call{path: path}).Body.String(); !strings.Contains(page, "<dd>18\u00a0ans</dd>") {
			t.Errorf("after it was written back: %s", page)
		}
	})
}

// An old answer stands beside the words that it was given to, and a change of it asks what is asked now.
func TestAnswerOfAnOldVersion(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		path := "/feedback/metier/answers/" + s.answer("metier", map[string]any{"before": 2, "now": 4, "liked": []string{"format"}})
		now := vocation()
		now.Sections[0].Questions[0].Label = text.Text{"fr": "Avant, y pensiez-vous ?"}
		now.Sections[1].Questions[2].Choices = now.Sections[1].Questions[2].Choices[:2]
		s.surveys["vocation"] = now
		page := s.do(call{path: path}).Body.String()
		if !strings.Contains(page, "Avant, cela vous tentait ?") || !strings.Contains(page, "Le format") || strings.Contains(page, "y pensiez-vous") {
			t.Errorf("the old answer: %s", page)
		}
		begun := s.do(call{method: "POST", path: path, form: url.Values{"do": {"change"}}}).Body.String()
		if !strings.Contains(begun, "Avant, y pensiez-vous ?") || strings.Contains(begun, `value="format"`) {
			t.Errorf("the change: %s", begun)
		}
		s.do(call{method: "POST", path: path, form: with(lastPage(), "q.before", "1")})
		if page := s.do(call{path: path}).Body.String(); !strings.Contains(page, "Avant, y pensiez-vous ?") {
			t.Errorf("the changed answer: %s", page)
		}
	})
}

// What is written in one language only is marked as such on a page in another.
func TestFallbackIsMarked(t *testing.T) {
	t.Parallel()
	s := one(t, withKinds)
	marked := `<span lang="fr" dir="ltr">C&#39;est utile</span>`
	for path, want := range map[string]bool{"/feedback/metier?lang=en": true, "/feedback/metier?lang=fr": false} {
		page := s.do(call{path: path}).Body.String()
		if strings.Contains(page, marked) != want || !strings.Contains(page, "C&#39;est utile") {
			t.Errorf("%s: %s", path, page)
		}
	}
}
