package handlers

import (
	"crypto/rand"
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jauge/feedback/survey"
	"jauge/handlers/attend"
	"jauge/handlers/lookup"
)

// lastPage is the last page of the vocation survey as a browser sends it.
func lastPage() url.Values {
	return url.Values{
		"page": {"2"}, "do": {"next"}, "token": {rand.Text()}, "segment": {"lycee"},
		"q.before": {"2"}, "q.known": {"yes"}, "q.now": {"4"}, "q.recommend": {"9"}, "q.liked": {"talk", "questions"}, "q.words": {"Très clair"},
	}
}

func with(form url.Values, changes ...string) url.Values {
	form = maps.Clone(form)
	for i := 0; i < len(changes); i += 2 {
		form[changes[i]] = []string{changes[i+1]}
	}
	return form
}

func TestSurveyForm(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		form := lastPage()
		var paths []string
		for range 2 { // a double click
			w := s.do(call{method: "POST", path: "/feedback/metier", form: form})
			if w.Code != http.StatusSeeOther {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			paths = append(paths, w.Header().Get("Location"))
		}
		if paths[0] != paths[1] || !strings.HasSuffix(paths[0], "?thanks=1") {
			t.Errorf("sent twice: %v", paths)
		}
		s.respondents(t, 1)
		thanks := s.do(call{path: paths[0]}).Body.String()
		for _, said := range []string{"Merci, vos réponses", "Le récit", "Les questions", "Très clair", "Oui"} {
			if !strings.Contains(thanks, said) {
				t.Errorf("the thanks page lacks %q", said)
			}
		}
		answer := strings.TrimSuffix(paths[0], "?thanks=1")
		row := decode[attend.Submission](t, s.do(call{path: answer, header: map[string]string{"Accept": "application/json"}}))
		want := attend.Submission{Lang: "fr", Segment: "lycee", Answers: map[string]any{
			"before": 2.0, "known": "yes", "now": 4.0, "recommend": 9.0, "liked": []any{"talk", "questions"}, "words": "Très clair",
		}}
		if diff := cmp.Diff(want, row); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
	})
}

// respondents checks the number of respondents of the session metier.
func (s *site) respondents(t *testing.T, want int) {
	t.Helper()
	if got := decode[lookup.Object](t, s.get("/api/v1/sessions/metier")).Feedback.Respondents; *got != want {
		t.Errorf("%d respondents, not %d", *got, want)
	}
}

func TestSurveyPagesCarryAnswers(t *testing.T) {
	t.Parallel()
	s := one(t)
	first := url.Values{"page": {"1"}, "do": {"next"}, "q.before": {"2"}, "q.known": {"no"}, "token": {"T"}, "segment": {"lycee"}}
	second := with(lastPage(), "do", "back")
	for _, row := range []struct {
		name string
		form url.Values
		code int
		want []string
	}{
		{"next", first, 200, []string{`name="q.before" value="2"`, `name="page" value="2"`, `name="token" value="T"`, `name="segment" value="lycee"`, "Page 2 sur 2"}},
		{"back", second, 200, []string{`value="2" checked`, `name="q.words" value="Très clair"`, `name="q.liked" value="questions"`, "Page 1 sur 2"}},
		{"back from the first page", with(first, "do", "back"), 200, []string{"Page 1 sur 2"}},
		{"required and missing", with(first, "q.before", ""), 422, []string{`<a href="#q-before-0">`, "Choisissez une réponse.", `value="no" checked`}},
		{"out of range", with(lastPage(), "q.now", "9"), 422, []string{`<a href="#q-now-0">`, "q.now-wrong", "Très clair"}},
		{"too long", with(lastPage(), "q.words", strings.Repeat("é", 81)), 422, []string{"Écrivez 80 caractères au plus."}},
		{"no UTF-8", with(lastPage(), "q.words", "\xff"), 422, []string{"illisibles"}},
		{"too many", url.Values{"page": {"2"}, "do": {"next"}, "q.before": {"2"}, "q.now": {"4"}, "q.liked": {"talk", "questions", "format"}}, 422, []string{"Choisissez 2 réponses au plus."}},
		{"unknown question", with(lastPage(), "q.colour", "blue"), 422, []string{"n&#39;existe plus"}},
		{"an earlier page spoilt", with(lastPage(), "q.before", "7"), 422, []string{"Page 1 sur 2", `<a href="#q-before-0">`}},
		{"unknown page", with(first, "page", "x"), 200, []string{"Page 2 sur 2"}},
		{"unknown segment", with(lastPage(), "segment", "x"), 400, []string{"Cette demande"}},
		{"english", with(first, "lang", "en"), 200, []string{`<html lang="en" dir="ltr">`, `name="lang" value="en"`, "Page 2 of 2"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := s.do(call{method: "POST", path: "/feedback/metier", form: row.form})
			if w.Code != row.code {
				t.Errorf("%d", w.Code)
			}
			for _, want := range row.want {
				if !strings.Contains(w.Body.String(), want) {
					t.Errorf("no %q in\n%s", want, w.Body)
				}
			}
		})
	}
}

func TestSurveyEmpty(t *testing.T) {
	t.Parallel()
	optional := &survey.Survey{ID: "vocation", Title: vocation().Title, Questions: vocation().Sections[1].Questions[1:]}
	s := one(t, func(d *setup) { d.Surveys = map[string]*survey.Survey{"vocation": optional} })
	w := s.do(call{method: "POST", path: "/feedback/metier", form: url.Values{"page": {"1"}, "do": {"next"}}})
	if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "Aucune réponse n&#39;a été donnée") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w = s.do(call{method: "POST", path: "/feedback/metier", json: map[string]any{"answers": map[string]any{}}})
	if got := decode[attend.Invalid](t, w); w.Code != http.StatusUnprocessableEntity || got.Error != "Nothing was answered." {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestSubmitJSON(t *testing.T) {
	t.Parallel()
	s := one(t)
	for _, row := range []struct {
		name, path, body string
		code             int
		fields           map[string]string
	}{
		{"good", "metier", `{"answers":{"before":2,"now":4,"known":false},"lang":"en","segment":"lycee"}`, 201, nil},
		{"number as string", "metier", `{"answers":{"before":"2","now":4}}`, 422, map[string]string{"before": "must be a number, not a string"}},
		{"several", "metier", `{"answers":{"before":9,"colour":"x"}}`, 422, map[string]string{
			"before": "must be a whole number from 1 to 5", "colour": "is not a question of this survey", "now": "must be answered",
		}},
		{"segment", "metier", `{"answers":{"before":2,"now":4},"segment":"x"}`, 422, map[string]string{"segment": "this session has no such segment"}},
		{"lang", "metier", `{"answers":{"before":2,"now":4},"lang":"xx"}`, 422, map[string]string{"lang": "not a language of this service"}},
		{"unknown key", "metier", `{"answer":{}}`, 422, map[string]string{"answer": "unknown key"}},
		{"minors are asked no texts", "eleves", `{"answers":{"before":2,"now":4,"words":"x"}}`, 422, map[string]string{"words": "is not a question of this survey"}},
		{"no JSON", "metier", `{`, 400, nil},
		{"no UTF-8", "metier", "{\"answers\":{\"words\":\"\xff\"}}", 400, nil},
		{"no session", "none", `{}`, 404, nil},
		{"no survey", "salle", `{}`, 404, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := s.do(call{method: "POST", path: "/feedback/" + row.path, body: row.body, header: map[string]string{"Content-Type": "application/json"}})
			if w.Code != row.code {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if diff := cmp.Diff(row.fields, decode[attend.Invalid](t, w).Fields); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		path := "/feedback/metier/answers/" + s.answer("metier", map[string]any{"before": 2, "now": 4, "liked": []string{"talk"}})

		begun := s.do(call{method: "POST", path: path, form: url.Values{"do": {"change"}}}).Body.String()
		if !strings.Contains(begun, `value="2" checked`) || !strings.Contains(begun, `name="q.liked" value="talk"`) || !strings.Contains(begun, `action="`+path+`"`) {
			t.Errorf("the change does not begin with what was said: %s", begun)
		}
		w := s.do(call{method: "POST", path: path, form: with(lastPage(), "q.before", "1")})
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != path+"?changed=1" {
			t.Errorf("changed by form: %d %s", w.Code, w.Body)
		}
		w = s.do(call{method: "PUT", path: path, json: map[string]any{"answers": map[string]any{"before": 5, "now": 5}}})
		if w.Code != http.StatusOK {
			t.Errorf("changed by a program: %d %s", w.Code, w.Body)
		}
		page := s.do(call{path: path + "?changed=1"}).Body.String()
		if !strings.Contains(page, "<dd>5</dd>") || strings.Contains(page, "Le récit") || !strings.Contains(page, "Vos changements") {
			t.Errorf("after the change: %s", page)
		}
		s.respondents(t, 1)

		wrong := path[:len(path)-1] + map[bool]string{true: "1", false: "0"}[strings.HasSuffix(path, "0")]
		if w := s.do(call{method: "DELETE", path: wrong}); w.Code != http.StatusNotFound {
			t.Errorf("a wrong receipt: %d", w.Code)
		}
		if w := s.do(call{method: "DELETE", path: path}); w.Code != http.StatusNoContent {
			t.Errorf("deleted: %d %s", w.Code, w.Body)
		}
		for _, c := range []call{
			{path: path}, {method: "DELETE", path: path}, {method: "PUT", path: path, json: map[string]any{"answers": map[string]any{"before": 5, "now": 5}}},
			{method: "POST", path: path, form: lastPage()}, {method: "POST", path: path, form: url.Values{"do": {"change"}}},
		} {
			if w := s.do(c); w.Code != http.StatusGone {
				t.Errorf("%s after the deletion: %d %s", c.method, w.Code, w.Body)
			}
		}
		s.respondents(t, 0)
	})
}

func TestSurveyQR(t *testing.T) {
	t.Parallel()
	s := one(t)
	w := s.do(call{path: "/feedback/metier/qr.svg?segment=lycee"})
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "image/svg+xml" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	var drawing struct {
		ViewBox string `xml:"viewBox,attr"`
	}
	if err := xml.Unmarshal(w.Body.Bytes(), &drawing); err != nil || !strings.HasPrefix(drawing.ViewBox, "0 0 ") {
		t.Errorf("%v %s", err, w.Body)
	}
	for _, path := range []string{"/feedback/metier/qr.svg?segment=x", "/feedback/salle/qr.svg", "/feedback/none/qr.svg"} {
		if w := s.do(call{path: path}); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
