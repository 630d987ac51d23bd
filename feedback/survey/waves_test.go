package survey_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"jauge/feedback/survey"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func itemIDs(questions []survey.Question) string {
	names := make([]string, len(questions))
	for i, q := range questions {
		names[i] = q.ID
	}
	return strings.Join(names, " ")
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
	if diff := cmp.Diff(every(), s, cmpopts.IgnoreUnexported(survey.Survey{})); diff != "" {
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
	start := time.Date(2026, 11, 24, 18, 0, 0, 0, time.UTC)
	end := start.Add(time.Hour)
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
