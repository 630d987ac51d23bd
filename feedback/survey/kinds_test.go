package survey_test

import (
	"encoding/json"
	"maps"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"jauge/feedback/figures"
	"jauge/feedback/survey"

	"github.com/google/go-cmp/cmp"
)

func TestEveryIsRight(t *testing.T) {
	t.Parallel()
	if problems := every().Validate(); problems != nil {
		t.Error(problems)
	}
	asked := map[survey.Kind]bool{}
	for _, page := range every().Pages() {
		for _, q := range page.Questions {
			asked[q.Kind] = true
		}
	}
	for _, kind := range survey.Kinds() {
		if !asked[kind] {
			t.Errorf("no question of kind %s", kind)
		}
	}
}

func TestParseJSONOfWaves(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		wave, body string // of no wave: the whole survey
		want       survey.Answers
		errs       string
	}{
		"short names": {
			wave: "after", body: `{"interest": 4, "views": {"place": 2, "use@after": null}}`,
			errs: "? is not a question of this survey",
		},
		"a wave": {
			wave: "after", body: `{"interest": 4, "views": {"place": 2}, "best": ["quiz", "talk"], "pace": {"talk": "slow"}, "pace.quiz": "fast", "age": 17, "stayed": true}`,
			want: survey.Answers{
				"interest@after": {"4"}, "views.place@after": {"2"}, "best@after": {"quiz", "talk"}, "pace.talk@after": {"slow"}, "pace.quiz@after": {"fast"},
				"age@after": {"17"}, "stayed@after": {survey.Yes},
			},
		},
		"full names": {wave: "later", body: `{"interest@later": 4, "views@later": {"use": 1}}`, want: survey.Answers{"interest@later": {"4"}, "views.use@later": {"1"}}},
		"the whole":  {body: `{"interest@later": 4, "age": 30}`, want: survey.Answers{"interest@later": {"4"}, "age@after": {"30"}}},
		"the whole, a wave that requires": {
			body: `{"interest@before": 4}`, errs: "agree@before must be answered",
		},
		"the whole, of some wave": {body: `{"interest": 4}`, errs: "interest is not a question of this survey"},
		"another wave's":          {wave: "later", body: `{"interest@after": 4}`, errs: "interest@after is not a question of this survey"},
		"twice":                   {wave: "later", body: `{"interest": 4, "interest@later": 5}`, errs: "interest@later is answered twice"},
		"no consent":              {wave: "before", body: `{"agree": false}`, errs: "agree@before must be answered"},
		"consent":                 {wave: "before", body: `{"agree": true}`, want: survey.Answers{"agree@before": {survey.Yes}}},
		"consent in words":        {wave: "before", body: `{"agree": "yes"}`, want: survey.Answers{"agree@before": {survey.Yes}}},
		"consent in other words":  {wave: "before", body: `{"agree": "no"}`, errs: `agree@before must be true, "yes" or false`},
		"matrix flat out":         {wave: "later", body: `{"views": 4}`, errs: "views@later must be an object with an answer to each row"},
		"a row that is none":      {wave: "later", body: `{"views": {"cost": 4}}`, errs: "views.cost@later is not a question of this survey"},
		"a row out of range":      {wave: "later", body: `{"views": {"use": 6}}`, errs: "views.use@later must be a whole number from 1 to 5"},
		"number out of range":     {wave: "after", body: `{"age": 100}`, errs: "age@after must be a whole number from 10 to 99"},
		"number as a string":      {wave: "after", body: `{"age": "17"}`, errs: "age@after must be a number, not a string"},
		"ranked twice":            {wave: "after", body: `{"best": ["talk", "talk"]}`, errs: "best@after is answered twice"},
		"ranked what is not":      {wave: "after", body: `{"best": ["lunch"]}`, errs: "best@after is not one of the choices"},
		"two lines":               {wave: "after", body: `{"pace": {"talk": "fast"}, "why": "a\nb"}`, errs: "why@after has more than one line"},
		"a long line": {
			wave: "after", body: `{"pace": {"talk": "fast"}, "why": "` + strings.Repeat("é", 121) + `"}`, errs: "why@after is longer than 120 characters",
		},
		"not asked":                {wave: "after", body: `{"stayed": true, "when": "late", "why": "x"}`, errs: "when@after is not asked, given the other answers; why@after is not asked, given the other answers"},
		"perhaps asked":            {wave: "after", body: `{"stayed": "perhaps", "when": "late"}`, errs: "stayed@after is not one of the choices"},
		"asked and required":       {wave: "after", body: `{"stayed": false}`, errs: "when@after must be answered"},
		"asked, a row's condition": {wave: "after", body: `{"pace": {"talk": "fast"}, "why": " x "}`, want: survey.Answers{"pace.talk@after": {"fast"}, "why@after": {"x"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := every()
			if test.wave != "" {
				s = s.In(test.wave)
			}
			got, errs := survey.ParseJSON(s, decode(t, test.body))
			if diff := cmp.Diff(test.errs, errs.Error()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseFormOfKinds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		form string
		want survey.Answers
		errs survey.FieldErrors
	}{
		"ranking":             {"q.best@after.quiz=1&q.best@after.talk=2&q.best@after.film=", survey.Answers{"best@after": {"quiz", "talk"}}, nil},
		"ranking, tied":       {"q.best@after.quiz=1&q.best@after.talk=1", survey.Answers{}, survey.FieldErrors{"best@after": {Code: survey.Tied}}},
		"ranking with a gap":  {"q.best@after.quiz=1&q.best@after.talk=3", survey.Answers{}, survey.FieldErrors{"best@after": {Code: survey.Gap}}},
		"ranking from 2":      {"q.best@after.quiz=2", survey.Answers{}, survey.FieldErrors{"best@after": {Code: survey.Gap}}},
		"ranking beyond":      {"q.best@after.quiz=5", survey.Answers{}, survey.FieldErrors{"best@after": {Code: survey.Range, Min: 1, Max: 4}}},
		"ranking in words":    {"q.best@after.quiz=first", survey.Answers{}, survey.FieldErrors{"best@after": {Code: survey.Range, Min: 1, Max: 4}}},
		"one choice twice":    {"q.best@after.quiz=1&q.best@after.quiz=2", survey.Answers{}, survey.FieldErrors{"best@after": {Code: survey.Repeated}}},
		"ranking what is not": {"q.best@after.lunch=1", survey.Answers{}, survey.FieldErrors{survey.Unnamed: {Code: survey.Unknown}}},
		"matrix":              {"q.views.use@after=3&q.pace.quiz@after=slow", survey.Answers{"views.use@after": {"3"}, "pace.quiz@after": {"slow"}}, nil},
		"number as typed":     {"q.age@after=%20017%20", survey.Answers{"age@after": {"17"}}, nil},
		"no number":           {"q.age@after=%20", survey.Answers{}, nil},
		"number in words":     {"q.age@after=dix-sept", survey.Answers{}, survey.FieldErrors{"age@after": {Code: survey.Range, Min: 10, Max: 99}}},
		"number with a sign":  {"q.age@after=%2B17", survey.Answers{}, survey.FieldErrors{"age@after": {Code: survey.Range, Min: 10, Max: 99}}},
		"a line":              {"q.pace.talk@after=fast&q.why@after=%20Trop%20vite%20", survey.Answers{"pace.talk@after": {"fast"}, "why@after": {"Trop vite"}}, nil},
		"went back":           {"q.stayed@after=yes&q.when@after=late&q.why@after=x", survey.Answers{"stayed@after": {survey.Yes}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			form, err := url.ParseQuery(test.form)
			if err != nil {
				t.Fatal(err)
			}
			s := every().In("after")
			got, errs := survey.ParseForm(s, form)
			if diff := cmp.Diff(test.errs, errs); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if again, errs := survey.ParseForm(s, s.Form(got)); errs != nil || cmp.Diff(got, again) != "" {
				t.Errorf("through a form again: %v, %v", again, errs)
			}
		})
	}
	if _, errs := survey.ParseForm(every().In("before"), url.Values{"q.agree@before": {survey.Yes}}); errs != nil {
		t.Error(errs)
	}
}

// What the survey does not take any more is left out when an answer is to be changed.
func TestFormOfAnOldAnswer(t *testing.T) {
	t.Parallel()
	got := every().In("after").Form(survey.Answers{
		"interest@after": {"7"}, "views.use@after": {"3"}, "best@after": {"quiz", "talk"}, "gone@after": {"x"}, "interest@before": {"2"},
	})
	want := url.Values{"q.views.use@after": {"3"}, "q.best@after.quiz": {"1"}, "q.best@after.talk": {"2"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestBins(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		low, high int
		want      string
	}{
		{0, 9, "0 1 2 3 4 5 6 7 8 9"},
		{0, 10, "0-1 2-3 4-5 6-7 8-9 10"},
		{1, 3, "1 2 3"},
		{0, 1000, "0-100 101-201 202-302 303-403 404-504 505-605 606-706 707-807 808-908 909-1000"},
		{1990, 2020, "1990-1993 1994-1997 1998-2001 2002-2005 2006-2009 2010-2013 2014-2017 2018-2020"},
	} {
		bins, _ := survey.Question{Kind: survey.Number, Min: test.low, Max: test.high}.Bins()
		if got := strings.Join(bins, " "); got != test.want {
			t.Errorf("%d to %d: %s", test.low, test.high, got)
		}
	}
}

func TestValidateKindsAndWaves(t *testing.T) {
	t.Parallel()
	question := func(section, number int, change func(*survey.Question)) func(*survey.Survey) {
		return func(s *survey.Survey) { change(&s.Sections[section].Questions[number]) }
	}
	for name, test := range map[string]struct {
		change func(*survey.Survey)
		want   string // a line each
	}{
		"source":           {func(s *survey.Survey) { s.Source = "A book\nanother" }, "source: more than one line"},
		"notice":           {func(s *survey.Survey) { s.Notice = map[string]string{"de": "Gut"} }, `notice: language "de" is none of ["fr" "en"]`},
		"anonymity":        {func(s *survey.Survey) { s.Anonymity = "secret" }, `anonymity: "secret" is none of ["anonymous" "linked"]`},
		"nothing to link":  {func(s *survey.Survey) { *s = *asked(); s.Anonymity = "linked" }, "anonymity: there are no waves to link"},
		"first wave opens": {func(s *survey.Survey) { s.Waves[0].Opens = "start" }, "waves[0].opens: not for the first wave, which is open from the beginning"},
		"wave never opens": {func(s *survey.Survey) { s.Waves[1].Opens = "" }, "waves[1].opens: missing"},
		"two weeks":        {func(s *survey.Survey) { s.Waves[2].Opens = "end+14d" }, `waves[2].opens: "end+14d" is not like "start", "end", "start-48h" or "end+336h"`},
		"no sign":          {func(s *survey.Survey) { s.Waves[2].Opens = "end336h" }, `waves[2].opens: "end336h" is not like "start", "end", "start-48h" or "end+336h"`},
		"tomorrow":         {func(s *survey.Survey) { s.Waves[2].Opens = "tomorrow" }, `waves[2].opens: "tomorrow" is not like "start", "end", "start-48h" or "end+336h"`},
		"wave without a title": {
			func(s *survey.Survey) { s.Waves[1].Title = nil }, "waves[1].title: missing (fr, en or both)",
		},
		"wave twice": {func(s *survey.Survey) { s.Waves = append(s.Waves, s.Waves[2]) }, "waves[3].id: duplicate"},
		"one wave":   {func(s *survey.Survey) { *s = *asked(); s.Waves = every().Waves[:1] }, "waves: 1 of them, not 2 to 10"},
		"silent wave": {func(s *survey.Survey) {
			s.Waves = append(s.Waves, survey.Wave{ID: "never", Title: words("Never"), Opens: "end"})
			s.Sections[0].Waves = []string{"before"}
		}, "waves[3]: asks nothing"},
		"no such wave": {func(s *survey.Survey) { s.Sections[1].Waves = []string{"after", "soon"} }, `sections[1].waves[1]: no wave "soon"`},
		"named twice":  {question(0, 0, func(q *survey.Question) { q.Waves = []string{"before", "before"} }), "sections[0].questions[0].waves[1]: duplicate"},
		"in no wave":   {question(1, 0, func(q *survey.Question) { q.Waves, q.Stay = []string{"before"}, false }), `sections[1].questions[0].waves: none of them is one of the section's` + "\n" + `sections[2].show_if.question: "stayed" is not asked in wave "after"`},
		"waves of a survey without": {
			func(s *survey.Survey) { *s = *asked(); s.Sections[0].Waves = []string{"before"} }, `sections[0].waves[0]: no wave "before"`,
		},
		"pair of another wave": {
			func(s *survey.Survey) {
				*s = *asked()
				s.Waves = every().Waves
				s.Sections[0].Questions[0].Waves = []string{"before"}
			}, `sections[2].questions[0].pair: "before" is not asked in wave "after"` + "\n" + `sections[2].questions[0].pair: "before" is not asked in wave "later"`,
		},
		"condition on nothing":     {func(s *survey.Survey) { s.Sections[2].ShowIf.Question = "" }, "sections[2].show_if.question: missing"},
		"condition on none":        {func(s *survey.Survey) { s.Sections[2].ShowIf.Question = "x" }, `sections[2].show_if.question: no question "x"`},
		"condition without values": {func(s *survey.Survey) { s.Sections[2].ShowIf.Is = nil }, "sections[2].show_if.is: missing"},
		"condition on no value":    {func(s *survey.Survey) { s.Sections[2].ShowIf.Is = []string{"no", "perhaps"} }, `sections[2].show_if.is[1]: "perhaps" is no value of "stayed"`},
		"condition on a matrix":    {question(3, 1, func(q *survey.Question) { q.ShowIf.Question = "pace" }), `sections[3].questions[1].show_if.question: "pace" is of kind matrix, which has no value to compare`},
		"condition on a ranking":   {question(3, 1, func(q *survey.Question) { q.ShowIf.Question = "best" }), `sections[3].questions[1].show_if.question: "best" is of kind ranking, which has no value to compare`},
		"condition on a text": {func(s *survey.Survey) {
			s.Sections = append(s.Sections, survey.Section{Waves: []string{"after"}, ShowIf: &survey.Condition{Question: "comment", Is: []string{"x"}}, Questions: []survey.Question{{ID: "q", Kind: survey.YesNo, Label: words("Q")}}})
		}, `sections[4].show_if.question: "comment" is of kind text, which has no value to compare`},
		"condition on the same page": {question(3, 1, func(q *survey.Question) { q.ShowIf = &survey.Condition{Question: "recommend", Is: []string{"0"}} }), `sections[3].questions[1].show_if.question: "recommend" is not in an earlier section`},
		"condition on a later page": {func(s *survey.Survey) {
			s.Sections[1].ShowIf = &survey.Condition{Question: "recommend", Is: []string{"0"}}
		}, `sections[1].show_if.question: "recommend" is not in an earlier section`},
		"condition of another wave": {question(3, 2, func(q *survey.Question) { q.ShowIf = &survey.Condition{Question: "stayed", Is: []string{survey.No}} }), `sections[3].questions[2].show_if.question: "stayed" is not asked in wave "later"`},
		"section's, of another wave": {func(s *survey.Survey) {
			s.Sections[3].ShowIf = &survey.Condition{Question: "stayed", Is: []string{survey.No}}
		}, `sections[3].show_if.question: "stayed" is not asked in wave "later"`},
		"condition in plain questions": {func(s *survey.Survey) {
			*s = survey.Survey{ID: "s", Title: words("S"), Questions: []survey.Question{{ID: "a", Kind: survey.YesNo, Label: words("A")}, {ID: "b", Kind: survey.YesNo, Label: words("B"), ShowIf: &survey.Condition{Question: "a", Is: []string{survey.Yes}}}}}
		}, `questions[1].show_if.question: "a" is not in an earlier section`},
		"no rows": {question(0, 1, func(q *survey.Question) { q.Rows = nil }), "sections[0].questions[1].rows: 0 of them, not 1 to 20"},
		"rows": {question(0, 1, func(q *survey.Question) {
			q.Rows = []survey.Line{{ID: "a", Label: nil}, {ID: "a", Label: words("A")}, {ID: "B", Label: words("B")}}
		}),
			"sections[0].questions[1].rows[0].label: missing (fr, en or both)\nsections[0].questions[1].rows[1].id: duplicate\n" + `sections[0].questions[1].rows[2].id: "B" is not 1 to 64 of a-z, 0-9, _ and -`},
		"columns twice":      {question(0, 1, func(q *survey.Question) { q.Choices = offer("a", "b") }), "sections[0].questions[1].choices: not together with min, max, low and high"},
		"no columns":         {question(0, 1, func(q *survey.Question) { q.Min, q.Max = 0, 0 }), "sections[0].questions[1]: neither choices nor min and max"},
		"columns of a scale": {question(0, 1, func(q *survey.Question) { q.Max = 11 }), "sections[0].questions[1].max: 11 is above 10"},
		"one column":         {question(1, 2, func(q *survey.Question) { q.Choices = q.Choices[:1] }), "sections[1].questions[2].choices: 1 of them, not 2 to 20\n" + `sections[3].questions[1].show_if.is[0]: "fast" is no value of "pace.talk"`},
		"one to rank":        {question(1, 1, func(q *survey.Question) { q.Choices = q.Choices[:1] }), "sections[1].questions[1].choices: 1 of them, not 2 to 20"},
		"ranking at most":    {question(1, 1, func(q *survey.Question) { q.MaxChoices = 2 }), "sections[1].questions[1].max_choices: not for kind ranking"},
		"number without max": {question(1, 3, func(q *survey.Question) { q.Max = 0 }), "sections[1].questions[3].max: missing"},
		"number below 0":     {question(1, 3, func(q *survey.Question) { q.Min = -5 }), "sections[1].questions[3].min: -5 is below 0"},
		"number upside down": {question(1, 3, func(q *survey.Question) { q.Max = 10 }), "sections[1].questions[3].max: 10 is not above min 10"},
		"number too wide":    {question(1, 3, func(q *survey.Question) { q.Max = 1011 }), "sections[1].questions[3].max: 1011 is more than 1000 above min 10"},
		"unit of a scale":    {question(0, 0, func(q *survey.Question) { q.Unit = words("years") }), "sections[0].questions[0].unit: not for kind scale"},
		"a very long line":   {question(3, 1, func(q *survey.Question) { q.MaxLength = 2001 }), "sections[3].questions[1].max_length: 2001 is not between 1 and 2000"},
		"stay in numbers":    {question(3, 0, func(q *survey.Question) { q.Stay = true }), "sections[3].questions[0].stay: not for kind nps\nsections[3].questions[0].stay: another question tells it already"},
		"rows of a scale":    {question(0, 0, func(q *survey.Question) { q.Rows = []survey.Line{{ID: "a", Label: words("A")}} }), "sections[0].questions[0].rows: not for kind scale"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := every()
			test.change(s)
			if diff := cmp.Diff(test.want, s.Validate().Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzParseJSONOfKinds: whatever is sent to a survey of every kind, in a wave or in all of them, what is accepted is asked
// of that person, fits the survey, is counted, and survives a form and a program.
func FuzzParseJSONOfKinds(f *testing.F) {
	f.Add(`{"interest": 4, "views": {"place": 2}, "best": ["quiz", "talk"], "pace": {"talk": "fast"}, "age": 17, "stayed": false, "when": "late", "why": "x"}`, 2)
	f.Add(`{"interest@before": 4, "agree": true, "interest@later": 1, "topics": ["law", "arts"]}`, 0)
	f.Add(`{"views": 3, "views@after": {"use": null, "x": {}}, "agree@before": "yes", "pace.talk": ["fast"]}`, 1)
	f.Add(`{"recommend": 1e1, "comment": "a\u0000", "age": -0, "best": [1]}`, 3)
	f.Fuzz(func(t *testing.T, body string, wave int) {
		s := every()
		if wave := wave & 3; wave > 0 {
			s = s.In(s.Waves[wave-1].ID)
		}
		var values map[string]any
		if json.Unmarshal([]byte(body), &values) != nil {
			return
		}
		answers, errs := survey.ParseJSON(s, values)
		for name := range errs {
			if name != survey.Unnamed && !survey.Items.MatchString(name) {
				t.Fatalf("the error names %q", name)
			}
		}
		if errs == nil {
			checkKinds(t, answers)
		}
	})
}

// FuzzParseFormOfKinds: the same for a form.
func FuzzParseFormOfKinds(f *testing.F) {
	f.Add("q.best@after.quiz=1&q.best@after.talk=2&q.stayed@after=no&q.when@after=late&q.age@after=+017", 1)
	f.Add("q.best@after.quiz=2&q.pace.talk@after=fast&q.why@after=a%0Ab&q.views.use@after=5", 1)
	f.Add("q.agree@before=yes&q.views.place@before=3&q.views.place@before=4&q.x.y@z=1", 0)
	f.Add("q.recommend@later=10&q.comment@later=%C3%28&q.interest@later=+1", 2)
	f.Fuzz(func(t *testing.T, body string, wave int) {
		s := every()
		s = s.In(s.Waves[(wave&3)%3].ID)
		form, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		answers, errs := survey.ParseForm(s, form)
		for name := range errs {
			if name != survey.Unnamed && !survey.Items.MatchString(name) {
				t.Fatalf("the error names %q", name)
			}
			if errs[name].Code == survey.NotAsked {
				t.Fatalf("a form is told of %q", name)
			}
		}
		if errs == nil {
			checkKinds(t, answers)
		}
	})
}

// checkKinds holds accepted answers against the survey that they are answers to.
func checkKinds(t *testing.T, answers survey.Answers) {
	t.Helper()
	s := every()
	shown := map[string]bool{}
	again := survey.Answers{}
	for _, wave := range s.WaveIDs() {
		asked := s.In(wave)
		for _, page := range asked.Shown(answers) {
			for _, q := range page.Items() {
				shown[q.ID] = true
			}
		}
		some, _ := survey.ParseForm(asked, asked.Form(answers)) // a wave that is not answered lacks what it requires
		maps.Copy(again, some)
	}
	for id, v := range answers {
		if !shown[id] {
			t.Fatalf("%s is not asked: %v", id, answers)
		}
		if q, _ := s.Question(id); q.IsText() && !utf8.ValidString(v.String()) {
			t.Fatalf("%s is no text: %q", id, v)
		}
	}
	if diff := cmp.Diff(answers, again); diff != "" {
		t.Fatal(diff)
	}
	for _, key := range figures.Cells(s, "evry", survey.Stayed, answers) {
		if parts := strings.Split(key, "|"); len(parts) != 5 {
			t.Fatalf("cell %q", key)
		}
	}
}
