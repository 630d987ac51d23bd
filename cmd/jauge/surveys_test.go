package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"jauge/feedback/survey"
	"jauge/internal/text"
)

// TestBank holds every ready survey against what is promised of them: a source, and each text in both languages.
func TestBank(t *testing.T) {
	t.Parallel()
	surveys, err := bank()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, s := range surveys {
		ids = append(ids, s.ID)
		if s.Source == "" || s.Minutes == 0 {
			t.Errorf("%s: source %q, %d minutes", s.ID, s.Source, s.Minutes)
		}
		for path, words := range texts(s.ID, reflect.ValueOf(s)) {
			for _, lang := range []string{"fr", "en"} {
				if words[lang] == "" {
					t.Errorf("%s has no %s", path, lang)
				}
				if strings.Contains(words[lang], " ?") || strings.Contains(words[lang], " ;") || strings.Contains(words[lang], " :") {
					t.Errorf("%s may break before a sign that needs a no-break space: %s", path, words[lang])
				}
				if strings.Contains(words[lang], "!") {
					t.Errorf("%s exclaims: %s", path, words[lang])
				}
			}
		}
	}
	if got := strings.Join(ids, " "); got != "host satisfaction vocation vocation-waves" {
		t.Errorf("the bank holds %s", got)
	}
}

// texts finds every text of a value, by path.
func texts(path string, v reflect.Value) map[string]text.Text {
	found := map[string]text.Text{}
	add := func(more map[string]text.Text) {
		for at, words := range more {
			found[at] = words
		}
	}
	if words, ok := v.Interface().(text.Text); ok {
		if words != nil {
			found[path] = words
		}
		return found
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				add(texts(path+"."+v.Type().Field(i).Name, v.Field(i)))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			add(texts(fmt.Sprintf("%s[%d]", path, i), v.Index(i)))
		}
	}
	return found
}

func TestSurveysCommand(t *testing.T) {
	t.Parallel()
	var out, wrong bytes.Buffer
	if code := run([]string{"surveys"}, output{&out, &wrong}); code != exitOK || strings.Count(out.String(), "\n") != 4 {
		t.Errorf("exit %d: %s%s", code, &out, &wrong)
	}
	out.Reset()
	if code := run([]string{"surveys", "vocation"}, output{&out, &wrong}); code != exitOK {
		t.Fatalf("exit %d: %s", code, &wrong)
	}
	var survey survey.Survey
	if ps := decodeYAML(out.Bytes(), &survey); len(ps) > 0 || survey.ID != "vocation" {
		t.Errorf("%s %v", survey.ID, ps)
	}
	for _, id := range []string{"nothing", "../bank/vocation", "/etc/passwd"} {
		wrong.Reset()
		if code := run([]string{"surveys", id}, output{&out, &wrong}); code != exitWrong || !strings.Contains(wrong.String(), "no ready survey has this id") {
			t.Errorf("%s: exit %d: %s", id, code, &wrong)
		}
	}
}

// TestSessionsAskReadySurveys: a session may name a ready survey, and the configuration's own comes before it.
func TestSessionsAskReadySurveys(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ surveys, title string }{
		"ready":      {"", "Votre avis sur la rencontre"},
		"overridden": {"surveys: [{id: satisfaction, title: {fr: Le nôtre}, questions: [{id: a, kind: yesno, label: {fr: Alors}}]}]", "Le nôtre"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "jauge.yaml")
			session := "sessions: [{id: a, title: {fr: A}, starts_at: 2020-04-30T18:00:00+02:00, ends_at: 2020-04-30T19:00:00+02:00, survey: satisfaction}]\n"
			if err := os.WriteFile(file, []byte(session+row.surveys), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := loadConfig(file)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.asks(c.Sessions[0]).Title.In("fr"); got != row.title {
				t.Errorf("it asks %q", got)
			}
		})
	}
}
