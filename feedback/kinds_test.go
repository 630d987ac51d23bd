package feedback

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"jauge/feedback/figures"
	"jauge/feedback/survey"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// every returns a survey with every kind of question, conditions, and three waves.
func every() *survey.Survey {
	return &survey.Survey{
		ID: "every", Title: words("Every"), Source: "Made up for the tests",
		Waves: []survey.Wave{{ID: "before", Title: words("Before")}, {ID: "after", Title: words("After"), Opens: "end"}, {ID: "later", Title: words("Later"), Opens: "end+336h"}},
		Sections: []survey.Section{
			{ID: "wish", Questions: []survey.Question{
				{ID: "interest", Kind: survey.Scale, Min: 1, Max: 5, Label: words("Interest")},
				{ID: "views", Kind: survey.Matrix, Min: 1, Max: 5, Label: words("Views"), Rows: []survey.Line{{ID: "place", Label: words("A place for me")}, {ID: "use", Label: words("Of use")}}},
				{ID: "agree", Kind: survey.Consent, Label: words("I agree"), Required: true, Waves: []string{"before"}},
			}},
			{ID: "meeting", Waves: []string{"after"}, Questions: []survey.Question{
				{ID: "stayed", Kind: survey.YesNo, Stay: true, Label: words("Did you stay?")},
				{ID: "best", Kind: survey.Ranking, Label: words("Best"), Choices: offer("talk", "film", "quiz", "tour")},
				{ID: "pace", Kind: survey.Matrix, Label: words("Pace"), Choices: offer("slow", "fast"), Rows: []survey.Line{{ID: "talk", Label: words("The talk")}, {ID: "quiz", Label: words("The quiz")}}},
				{ID: "age", Kind: survey.Number, Min: 10, Max: 99, Unit: words("years"), Label: words("Age")},
				{ID: "topics", Kind: survey.Multiple, Label: words("Topics"), Choices: offer("law", "arts")},
			}},
			{ID: "left", Waves: []string{"after"}, ShowIf: &survey.Condition{Question: "stayed", Is: []string{survey.No}}, Questions: []survey.Question{
				{ID: "when", Kind: survey.Single, Label: words("When"), Choices: offer("early", "late"), Required: true},
			}},
			{ID: "end", Waves: []string{"after", "later"}, Questions: []survey.Question{
				{ID: "recommend", Kind: survey.NPS, Label: words("Recommend")},
				{ID: "why", Kind: survey.ShortText, Label: words("Why"), ShowIf: &survey.Condition{Question: "pace.talk", Is: []string{"fast"}}, Waves: []string{"after"}},
				{ID: "comment", Kind: survey.FreeText, Label: words("Comment")},
			}},
		},
	}
}

func itemIDs(questions []survey.Question) string {
	names := make([]string, len(questions))
	for i, q := range questions {
		names[i] = q.ID
	}
	return strings.Join(names, " ")
}

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

func TestWaves(t *testing.T) {
	t.Parallel()
	s := every()
	want := map[string]string{
		"before": "interest@before views.place@before views.use@before agree@before",
		"after": "interest@after views.place@after views.use@after stayed@after best@after pace.talk@after pace.quiz@after age@after topics@after " +
			"when@after recommend@after why@after comment@after",
		"later": "interest@later views.place@later views.use@later recommend@later comment@later",
	}
	for _, wave := range s.WaveIDs() {
		if diff := cmp.Diff(want[wave], itemIDs(s.In(wave).All())); diff != "" {
			t.Errorf("%s: %s", wave, diff)
		}
	}
	if diff := cmp.Diff(want["before"]+" "+want["after"]+" "+want["later"], itemIDs(s.All())); diff != "" {
		t.Error(diff)
	}
	pairs := map[string]string{}
	for _, q := range s.All() {
		if q.Pair != "" {
			pairs[q.ID] = q.Pair
		}
	}
	wantPairs := map[string]string{
		"interest@after": "interest@before", "views.place@after": "views.place@before", "views.use@after": "views.use@before",
		"interest@later": "interest@before", "views.place@later": "views.place@before", "views.use@later": "views.use@before",
		"recommend@later": "recommend@after",
	}
	if diff := cmp.Diff(wantPairs, pairs); diff != "" {
		t.Error(diff)
	}
	if q, ok := s.Question("views.use@after"); !ok || q.Label.In("en") != "Of use" || q.Of.In("en") != "Views" || q.Kind != survey.Scale {
		t.Errorf("a row of a matrix is %+v, %t", q, ok)
	}
	if s.In("never") != nil || s.In("") != nil || asked().In("x") != nil {
		t.Error("there are waves that there are not")
	}
	if a := asked(); a.In("") != a {
		t.Error("a survey without waves is not itself")
	}
	if diff := cmp.Diff(every(), s); diff != "" {
		t.Errorf("laying a survey out changes it: %s", diff)
	}
}

// A then/now pair within the survey stays within its wave.
func TestPairWithinAWave(t *testing.T) {
	t.Parallel()
	s := asked()
	s.Waves = every().Waves[:2]
	s.Waves[1].Opens = "start"
	if problems := s.Validate(); problems != nil {
		t.Fatal(problems)
	}
	for _, wave := range s.WaveIDs() {
		if q, _ := s.Question("now@" + wave); q.Pair != "before@"+wave {
			t.Errorf("now@%s is paired with %q", wave, q.Pair)
		}
	}
	if q, _ := s.Question("rating@after"); q.Pair != "rating@before" {
		t.Errorf("rating@after is paired with %q", q.Pair)
	}
}

func TestWaveAt(t *testing.T) {
	t.Parallel()
	start, end := evening, evening.Add(time.Hour)
	s := every()
	for _, test := range []struct {
		now  time.Time
		want string
	}{
		{start.Add(-1000 * time.Hour), "before"},
		{end.Add(-time.Second), "before"},
		{end, "after"},
		{end.Add(336*time.Hour - time.Second), "after"},
		{end.Add(336 * time.Hour), "later"},
	} {
		if got := s.WaveAt(start, end, test.now); got != test.want {
			t.Errorf("%s: %s, not %s", test.now, got, test.want)
		}
	}
	if got := s.WaveAt(start, time.Time{}, end); got != "before" {
		t.Errorf("without an end: %s", got)
	}
	if got := asked().WaveAt(start, end, end); got != "" {
		t.Errorf("without waves: %s", got)
	}
	s.Waves[1].Opens = "start-48h"
	if got := s.WaveAt(start, end, start.Add(-48*time.Hour)); got != "after" {
		t.Errorf("two days before: %s", got)
	}
}

func TestLinked(t *testing.T) {
	t.Parallel()
	once, secret := asked(), every()
	secret.Anonymity = "anonymous"
	for name, test := range map[string]struct {
		survey *survey.Survey
		want   bool
	}{"waves": {every(), true}, "no waves": {once, false}, "anonymous": {secret, false}} {
		if got := test.survey.Linked(); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestShown(t *testing.T) {
	t.Parallel()
	s := every().In("after")
	const always = "wish: interest views | meeting: stayed best pace age topics"
	for name, test := range map[string]struct {
		answers survey.Answers
		want    string
	}{
		"nothing said":      {nil, always + " | end: recommend comment"},
		"stayed":            {survey.Answers{"stayed@after": {survey.Yes}}, always + " | end: recommend comment"},
		"left":              {survey.Answers{"stayed@after": {survey.No}}, always + " | left: when | end: recommend comment"},
		"too fast":          {survey.Answers{"pace.talk@after": {"fast"}}, always + " | end: recommend why comment"},
		"of another wave":   {survey.Answers{"stayed": {survey.No}, "stayed@before": {survey.No}}, always + " | end: recommend comment"},
		"both, and hearsay": {survey.Answers{"stayed@after": {survey.No}, "pace.talk@after": {"fast"}, "when@after": {"late"}}, always + " | left: when | end: recommend why comment"},
	} {
		var got []string
		for _, page := range s.Shown(test.answers) {
			got = append(got, page.ID+": "+strings.ReplaceAll(itemIDsOf(page), "@after", ""))
		}
		if diff := cmp.Diff(test.want, strings.Join(got, " | ")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func itemIDsOf(p survey.Section) string { return itemIDs(p.Questions) }

// What hangs on a question that is not shown itself is not shown, whatever was said to it before.
func TestShownByWhatIsShown(t *testing.T) {
	t.Parallel()
	yes := func(id string) *survey.Condition { return &survey.Condition{Question: id, Is: []string{survey.Yes}} }
	s := &survey.Survey{ID: "s", Title: words("S"), Sections: []survey.Section{
		{ID: "a", Questions: []survey.Question{{ID: "a", Kind: survey.YesNo, Label: words("A")}}},
		{ID: "b", Questions: []survey.Question{{ID: "b", Kind: survey.YesNo, Label: words("B"), ShowIf: yes("a")}}},
		{ID: "c", ShowIf: yes("b"), Questions: []survey.Question{{ID: "c", Kind: survey.YesNo, Label: words("C"), Required: true}}},
	}}
	if problems := s.Validate(); problems != nil {
		t.Fatal(problems)
	}
	answers, errs := survey.ParseForm(s, url.Values{"q.a": {survey.No}, "q.b": {survey.Yes}})
	if diff := cmp.Diff(survey.Answers{"a": {survey.No}}, answers); diff != "" || errs != nil {
		t.Error(diff, errs)
	}
	if _, errs = survey.ParseForm(s, url.Values{"q.a": {survey.Yes}, "q.b": {survey.Yes}}); errs["c"].Code != survey.Required {
		t.Errorf("shown and required: %v", errs)
	}
	if _, errs = survey.ParseForm(s, url.Values{"q.a": {survey.Yes}, "q.b": {survey.Yes}}, "b"); errs != nil {
		t.Errorf("a page before: %v", errs)
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

func TestCellsOfKinds(t *testing.T) {
	t.Parallel()
	s := every()
	version := "every|||version:" + s.Version() + "|"
	best, pace := (survey.Question{Kind: survey.Ranking, Choices: offer("talk", "film", "quiz", "tour")}).Shape(), (survey.Question{Kind: survey.Single, Choices: offer("slow", "fast")}).Shape()
	for name, test := range map[string]struct {
		answers survey.Answers
		want    []string // without the survey
	}{
		"number":  {survey.Answers{"age@after": {"17"}}, []string{"|age@after|number10-99|", "|age@after|number10-99|17"}},
		"consent": {survey.Answers{"agree@before": {survey.Yes}}, []string{"|agree@before|consent|", "|agree@before|consent|yes"}},
		"texts":   {survey.Answers{"why@after": {"x"}, "comment@later": {"y"}}, []string{"|why@after|short|", "|comment@later|text|"}},
		"matrix":  {survey.Answers{"pace.quiz@after": {"slow"}}, []string{"|pace.quiz@after|" + pace + "|", "|pace.quiz@after|" + pace + "|slow"}},
		"ranking": {
			survey.Answers{"best@after": {"quiz", "talk"}},
			[]string{"|best@after|" + best + "|", "|best@after|" + best + "|talk:2", "|best@after|" + best + "|film:3.5", "|best@after|" + best + "|quiz:1", "|best@after|" + best + "|tour:3.5"},
		},
		"waves": {
			survey.Answers{"interest@before": {"2"}, "interest@later": {"5"}},
			[]string{
				"|interest@before|scale1-5|", "|interest@before|scale1-5|2", "|interest@later|scale1-5|", "|interest@later|scale1-5|5",
				"|interest@later|pair:interest@before:scale1-5|up",
			},
		},
	} {
		want := []string{"every||||"}
		for _, cell := range test.want {
			want = append(want, "every|"+cell)
		}
		for _, wave := range s.WaveIDs() {
			if slices.ContainsFunc(test.want, func(cell string) bool { return strings.Contains(cell, "@"+wave+"|") }) {
				want = append(want, "every||@"+wave+"|wave|")
			}
		}
		if diff := cmp.Diff(append(want, version), figures.Cells(s, "", "", test.answers)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// The survey's own question tells who stayed, and each group is counted apart.
func TestStay(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{survey.Yes: survey.Stayed, survey.No: survey.Left, "": ""} {
		answers := survey.Answers{"interest@after": {"3"}}
		if answer != "" {
			answers["stayed@after"] = survey.Value{answer}
		}
		row := newRow(every(), answers, "evry", "", "fr", evening)
		if row.Stay != want {
			t.Errorf("%q: %q, not %q", answer, row.Stay, want)
		}
		var stays []string
		for _, key := range row.Cells {
			if strings.Contains(key, "|interest@after|scale1-5|3") {
				stays = append(stays, strings.Split(key, "|")[1])
			}
		}
		groups := []string{"", "evry"}
		if want != "" {
			groups = append(groups, ":"+want)
		}
		if diff := cmp.Diff(groups, stays); diff != "" {
			t.Errorf("%q: %s", answer, diff)
		}
	}
}

func tallied(s *survey.Survey, people []survey.Answers) figures.Tally {
	t := figures.Tally{}
	for _, answers := range people {
		for _, key := range figures.Cells(s, "", "", answers) {
			t[key]++
		}
	}
	return t
}

func resultOf(r figures.Results, id string) figures.QuestionResult {
	return r.Questions[slices.IndexFunc(r.Questions, func(q figures.QuestionResult) bool { return q.ID == id })]
}

func TestResultsOfKinds(t *testing.T) {
	t.Parallel()
	s := every()
	var people []survey.Answers
	for i := range 12 { // ages 10, 17, 24 … 87; four rank two choices, eight all of them; nine of twelve agree
		a := survey.Answers{"interest@before": {"3"}, "age@after": {fmt.Sprint(10 + 7*i)}, "best@after": {"talk", "film", "quiz", "tour"}}
		if i < 4 {
			a["best@after"] = survey.Value{"quiz", "talk"}
		}
		if i < 9 {
			a["agree@before"] = survey.Value{survey.Yes}
		}
		people = append(people, a)
	}
	r := tallied(s, people).Results("law", s, nil, k)
	age := resultOf(r, "age@after")
	if diff := cmp.Diff([]string{"10-18 2", "19-27 1", "28-36 1", "37-45 2", "46-54 1", "55-63 1", "64-72 1", "73-81 2", "82-90 1", "91-99 0"}, counts(age)); diff != "" {
		t.Error(diff)
	}
	if age.Mean == nil || *age.Mean != 48.5 || *age.Median != 48.5 || *age.N != 12 {
		t.Errorf("age: %+v", age)
	}
	best := resultOf(r, "best@after")
	var ranks []string
	for _, c := range best.Choices {
		ranks = append(ranks, fmt.Sprintf("%s %d %.3f", c.Value, *c.Count, *c.MeanRank))
	}
	// talk: 8 first, 4 second; film: 8 second, 4 at 3.5; quiz: 4 first, 8 third; tour: 8 fourth, 4 at 3.5
	if diff := cmp.Diff([]string{"talk 8 1.333", "film 0 2.500", "quiz 4 2.333", "tour 0 3.833"}, ranks); diff != "" {
		t.Error(diff)
	}
	if agree := resultOf(r, "agree@before"); *agree.N != 12 || *agree.Choices[0].Count != 9 || agree.Choices[0].Share.Value != 0.75 {
		t.Errorf("agree: %+v", agree)
	}
}

func counts(r figures.QuestionResult) []string {
	said := make([]string, len(r.Choices))
	for i, c := range r.Choices {
		if said[i] = c.Value + " ?"; c.Count != nil {
			said[i] = fmt.Sprintf("%s %d", c.Value, *c.Count)
		}
	}
	return said
}

// A group of seven in which some range, first place or agreement is everybody's or nobody's shows none of it.
func TestSuppressionOfKinds(t *testing.T) {
	t.Parallel()
	s := &survey.Survey{ID: "s", Title: words("S"), Questions: []survey.Question{
		{ID: "age", Kind: survey.Number, Min: 0, Max: 1, Label: words("Age")},
		{ID: "best", Kind: survey.Ranking, Choices: offer("a", "b"), Label: words("Best")},
		{ID: "agree", Kind: survey.Consent, Label: words("Agree")},
	}}
	person := func(age, first, agree string) survey.Answers {
		a := survey.Answers{"age": {age}, "best": {first}}
		if agree != "" {
			a["agree"] = survey.Value{agree}
		}
		return a
	}
	same := slices.Repeat([]survey.Answers{person("1", "a", survey.Yes)}, 6)
	for name, test := range map[string]struct {
		people []survey.Answers
		shown  bool
	}{
		"all the same":       {append(same, person("1", "a", survey.Yes)), false},
		"one is different":   {append(same, person("0", "b", "")), true},
		"ten, all the same":  {slices.Repeat(same[:1], 10), true},
		"four, all the same": {same[:4], false},
	} {
		r := tallied(s, test.people).Results("law", s, nil, k)
		for _, q := range r.Questions {
			if q.Suppressed == test.shown || (q.N != nil) != test.shown || (q.Mean != nil || q.Median != nil) != (test.shown && q.Kind == survey.Number) ||
				(q.Choices[0].MeanRank != nil) != (test.shown && q.Kind == survey.Ranking) {
				t.Errorf("%s: %+v", name, q)
			}
		}
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

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		counts []int
		want   float64
	}{{[]int{1}, 5}, {[]int{1, 1}, 5.5}, {[]int{1, 0, 2}, 7}, {[]int{2, 0, 0, 2}, 6.5}, {[]int{0, 3, 1, 1}, 6}} {
		if got := figures.Median(5, test.counts); *got != test.want {
			t.Errorf("%v: %g", test.counts, *got)
		}
	}
}

// A question that was reworded is counted together with what it was, and it is said that there were two versions; one
// that is answered by fewer than the minimum group is hidden, with the smallest other beside it.
func TestVersions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		first, second := asked(), asked()
		second.Sections[0].Questions[1].Label = words("Rating, on the whole")
		send := func(survey *survey.Survey, n int) {
			for i := range n {
				mustSubmit(t, s, sending{Session: "law", Survey: survey, Submission: Submission{Answers: person(i)}})
			}
		}
		versions := func() string {
			r, err := open(s, "law", second, k).Results(context.Background())
			if err != nil || r.Respondents != *resultOf(r, "rating").N {
				t.Fatalf("%+v, %v", r, err)
			}
			said := ""
			for _, v := range r.Versions {
				n := "?"
				if v.Respondents != nil {
					n = fmt.Sprint(*v.Respondents)
				}
				said += map[string]string{first.Version(): "first ", second.Version(): "second "}[v.Version] + n + " "
			}
			return said
		}
		send(first, 12)
		send(second, 4)
		if got := versions(); got != "second ? first ? " {
			t.Error(got)
		}
		send(second, 8)
		if got := versions(); got != "second 12 first 12 " {
			t.Error(got)
		}
		for _, want := range []*survey.Survey{first, second} {
			got, err := open(s, "law", asked(), 0).Definition(t.Context(), want.Version())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		}
		if _, err := open(s, "law", asked(), 0).Definition(t.Context(), "00000000"); !errors.Is(err, ErrNotFound) {
			t.Errorf("a version that never was: %v", err)
		}
	})
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
