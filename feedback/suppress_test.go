package feedback

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"jauge/feedback/figures"
	"jauge/feedback/survey"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const k = 5

// asks is a survey of one question and its pair, on two pages.
func asks() *survey.Survey {
	return &survey.Survey{ID: "s", Title: words("S"), Sections: []survey.Section{
		{Questions: []survey.Question{{ID: "before", Kind: survey.YesNo, Label: words("Before")}}},
		{Questions: []survey.Question{{ID: "now", Kind: survey.YesNo, Label: words("Now"), Pair: "before"}}},
	}}
}

// room is who answered: for each segment, the answers to "now", y or n; an upper case letter said yes before; a dash
// answered "before" only.
type room map[string]string

func (r room) tally(s *survey.Survey) figures.Tally {
	t := figures.Tally{}
	for segment, people := range r {
		for _, person := range people {
			answers := survey.Answers{"now": {map[bool]string{true: survey.Yes, false: survey.No}[strings.ContainsRune("yY", person)]}}
			answers["before"] = survey.Value{map[bool]string{true: survey.Yes, false: survey.No}[strings.ContainsRune("YN", person)]}
			if person == '-' {
				delete(answers, "now")
			}
			for _, key := range figures.Cells(s, segment, "", answers) {
				t[key]++
			}
		}
	}
	return t
}

// shown says of the whole (as "") and each segment how many answered "now", the yes and the ups, "?" what is hidden.
func shown(r figures.Results) map[string]string {
	say := func(questions []figures.QuestionResult, pairs []figures.PairResult) string {
		q, p, said := questions[1], pairs[0], "?"
		if !q.Suppressed {
			said = fmt.Sprintf("%d of %d", *q.Choices[1].Count, *q.N)
		}
		if p.Suppressed {
			return said + ", ?"
		}
		return fmt.Sprintf("%s, %d up of %d", said, *p.Up, *p.Matched)
	}
	all := map[string]string{"": say(r.Questions, r.Pairs)}
	for _, s := range r.Segments {
		all[s.ID] = say(s.Questions, s.Pairs)
	}
	return all
}

func TestSuppression(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		room room
		want map[string]string
	}{
		"a group of four": {
			room{"a": "yynn"},
			map[string]string{"": "?, ?", "a": "?, ?", "b": "?, ?"},
		},
		"a group of five, both answers given": {
			room{"": "yynnN"},
			map[string]string{"": "2 of 5, 2 up of 5", "a": "?, ?", "b": "?, ?"},
		},
		"a group of seven, none says no": {
			room{"": "yyyyyyy"},
			map[string]string{"": "?, ?", "a": "?, ?", "b": "?, ?"},
		},
		"a group of ten, none says no": {
			room{"": "yyyyyyyyyy"},
			map[string]string{"": "10 of 10, 10 up of 10", "a": "?, ?", "b": "?, ?"},
		},
		"a single hidden segment takes the smallest with it": {
			room{"a": "yyyyyynnnnN", "b": "ynnn"},
			map[string]string{"": "7 of 15, 7 up of 15", "a": "?, ?", "b": "?, ?"},
		},
		"answers without a segment are hidden behind a shown one": {
			room{"a": "yyyyyynnnnN", "": "ynn"},
			map[string]string{"": "7 of 14, 7 up of 14", "a": "?, ?", "b": "?, ?"},
		},
		"a segment hidden for its head count shows nothing": {
			room{"a": "yyyyyynnnnN", "b": "---"},
			map[string]string{"": "6 of 11, 6 up of 11", "a": "?, ?", "b": "?, ?"},
		},
		"everybody in segments that are large enough": {
			room{"a": "yyyyyynnnnN", "b": "yyyyyyyyynnN"},
			map[string]string{"": "15 of 23, 15 up of 23", "a": "6 of 11, 6 up of 11", "b": "9 of 12, 9 up of 12"},
		},
		"a segment of seven that all say yes stays hidden, and so does the other": {
			room{"a": "yyyyyynnnnN", "b": "yyyyyyy"},
			map[string]string{"": "13 of 18, 13 up of 18", "a": "?, ?", "b": "?, ?"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := shown(test.room.tally(asks()).Results("law", asks(), []string{"a", "b"}, k))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A segment too small for its head count is hidden with all it holds, in every figure of the JSON.
func TestSuppressedIsNull(t *testing.T) {
	t.Parallel()
	r := room{"a": "yynn"}.tally(asks()).Results("law", asks(), []string{"a"}, k)
	got, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	question := func(id string) string {
		return `{"id":"` + id + `","kind":"yesno","n":null,"suppressed":true,"choices":[{"value":"no","count":null,"share":null},{"value":"yes","count":null,"share":null}],"mean":null,"median":null,"top_two":null,"nps":null,"texts":null}`
	}
	rest := `"questions":[` + question("before") + `,` + question("now") + `],"pairs":[{"before":"before","now":"now","matched":null,"match_rate":null,"up":null,"same":null,"down":null,"gain":null,"margin":null,"p":null,"suppressed":true}]`
	want := `{"session":"law","survey":"s","version":"` + asks().Version() + `","versions":[{"version":"` + asks().Version() + `","respondents":null}],"waves":[],"respondents":4,"response_rate":null,` + rest +
		`,"segments":[{"id":"a","respondents":null,"suppressed":true,` + rest + `}],"stay":[{"id":"stayed","respondents":null,"suppressed":true,` + rest +
		`},{"id":"left","respondents":null,"suppressed":true,` + rest + `}],"compared":[],"non_response":null}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

// The attacker of this property knows the rules and subtracts: whatever is shown, what is left of the whole after taking
// the shown segments away is nobody, or a group that could have been shown.
func TestNothingBySubtraction(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := room{}
		segments := []string{"a", "b", "c"}
		for _, segment := range append(segments, "") {
			r[segment] = rapid.StringOfN(rapid.RuneFrom([]rune("ynYN")), 0, 14, -1).Draw(t, "people of "+segment)
		}
		results := r.tally(asks()).Results("law", asks(), segments, k)
		for i := range results.Questions {
			whole := results.Questions[i]
			parts := make([]figures.QuestionResult, len(segments))
			for j, s := range results.Segments {
				parts[j] = s.Questions[i]
			}
			attack(t, whole, parts)
		}
		left := results.Respondents
		for _, s := range results.Segments {
			if s.Respondents != nil {
				left -= *s.Respondents
			}
		}
		if left > 0 && left < k && left != results.Respondents {
			t.Fatalf("%d respondents are worked out", left)
		}
	})
}

// The same of the kinds whose figures are made of more than is shown: ranges of numbers, first ranks, ticks among all.
func TestNothingBySubtractionOfKinds(t *testing.T) {
	t.Parallel()
	asks := &survey.Survey{ID: "s", Title: words("S"), Questions: []survey.Question{
		{ID: "age", Kind: survey.Number, Min: 0, Max: 29, Label: words("Age")},
		{ID: "best", Kind: survey.Ranking, Choices: offer("a", "b"), Label: words("Best")},
		{ID: "agree", Kind: survey.Consent, Label: words("Agree")},
	}}
	rapid.Check(t, func(t *rapid.T) {
		counted, segments := figures.Tally{}, []string{"a", "b", "c"}
		for _, segment := range append(segments, "") {
			for range rapid.IntRange(0, 14).Draw(t, "people of "+segment) {
				answers := survey.Answers{"age": {fmt.Sprint(rapid.IntRange(0, 29).Draw(t, "age"))}}
				for id, values := range map[string][]survey.Value{"best": {nil, {"a"}, {"b", "a"}}, "agree": {nil, {survey.Yes}}} {
					if v := rapid.SampledFrom(values).Draw(t, id); v != nil {
						answers[id] = v
					}
				}
				for _, key := range figures.Cells(asks, segment, "", answers) {
					counted[key]++
				}
			}
		}
		results := counted.Results("law", asks, segments, k)
		for i := range results.Questions {
			parts := make([]figures.QuestionResult, len(segments))
			for j, s := range results.Segments {
				parts[j] = s.Questions[i]
			}
			attack(t, results.Questions[i], parts)
		}
	})
}

// attack subtracts the shown parts from the shown whole.
func attack(t *rapid.T, whole figures.QuestionResult, parts []figures.QuestionResult) {
	for _, part := range append(parts, whole) {
		if !part.Suppressed {
			safe(t, countsOf(part))
		}
	}
	if whole.Suppressed {
		for _, part := range parts {
			if !part.Suppressed {
				t.Fatal("a part is shown of a hidden whole")
			}
		}
		return
	}
	rest := countsOf(whole)
	for _, part := range parts {
		if !part.Suppressed {
			rest = rest.Minus(countsOf(part))
		}
	}
	if rest.N > 0 {
		safe(t, rest)
	}
}

func countsOf(r figures.QuestionResult) figures.Group {
	g := figures.Group{N: *r.N}
	for _, c := range r.Choices {
		g.Picks = append(g.Picks, *c.Count)
	}
	return g
}

func safe(t *rapid.T, g figures.Group) {
	for _, picked := range g.Picks {
		if g.N < k || g.N < 2*k && (picked == 0 || picked == g.N) {
			t.Fatalf("%d of %d people are known to have said one thing", picked, g.N)
		}
	}
}
