package feedback

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/feedback/survey"
	"jauge/internal/journal"
	"jauge/internal/redistest"
)

// comments lets n people write "mot 0", "mot 1" … and returns their receipts.
func comments(t *testing.T, s *Store, n int) []string {
	t.Helper()
	receipts := make([]string, n)
	for i := range n {
		receipts[i] = mustSubmit(t, s, submission(survey.Answers{"rating": {"4"}, "comment": {fmt.Sprintf("mot %d", i)}}))
	}
	return receipts
}

func mustTexts(t *testing.T, s *Store) map[string]Text {
	t.Helper()
	texts, err := open(s, "law", asked(), k).Texts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byText := map[string]Text{}
	for _, text := range texts {
		byText[text.Text] = text
	}
	return byText
}

func mustModerate(t *testing.T, s *Store, id string, decision Decision) Text {
	t.Helper()
	text, err := open(s, "law", asked(), k).Moderate(t.Context(), id, decision)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// shownTexts are what results show of the comments.
func shownTexts(t *testing.T, s *Store) []string {
	t.Helper()
	r, err := open(s, "law", asked(), k, []string{"evry"}...).Results(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range slices.Concat(r.Questions, r.Segments[0].Questions) {
		if q.Texts != nil && q.Kind != survey.FreeText {
			t.Errorf("%s has texts", q.ID)
		}
	}
	if last := len(asked().All()) - 1; r.Segments[0].Questions[last].Texts != nil {
		t.Error("a segment has texts")
	}
	texts := r.Questions[len(r.Questions)-1].Texts
	slices.Sort(texts)
	return texts
}

func TestTextsWaitForTheirDecision(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		comments(t, s, k-1)
		if texts := mustTexts(t, s); len(texts) > 0 || shownTexts(t, s) != nil {
			t.Errorf("fewer than the minimum group: %v, %v", texts, shownTexts(t, s))
		}
		mustSubmit(t, s, submission(survey.Answers{"comment": {"le dernier"}}))
		texts := mustTexts(t, s)
		if got := shownTexts(t, s); len(texts) != k || got == nil || len(got) > 0 {
			t.Errorf("%v, of which %v are shown", texts, got)
		}
		for _, step := range []struct {
			text     string
			decision Decision
			state    TextState
			shown    []string
		}{
			{"mot 1", Approve, Approved, []string{"mot 1"}},
			{"mot 2", Approve, Approved, []string{"mot 1", "mot 2"}},
			{"mot 3", Hide, Hidden, []string{"mot 1", "mot 2"}},
			{"mot 1", Hide, Hidden, []string{"mot 2"}},
			{"mot 1", Approve, Approved, []string{"mot 1", "mot 2"}},
			{"mot 1", Approve, Approved, []string{"mot 1", "mot 2"}},
		} {
			got := mustModerate(t, s, texts[step.text].ID, step.decision)
			if want := (Text{ID: texts[step.text].ID, Question: "comment", Text: step.text, State: step.state, row: got.row}); got != want || mustTexts(t, s)[step.text] != want {
				t.Errorf("%+v: %+v, and listed %+v", step, got, mustTexts(t, s)[step.text])
			}
			if diff := cmp.Diff(step.shown, shownTexts(t, s)); diff != "" {
				t.Errorf("%+v:\n%s", step, diff)
			}
		}
	})
}

// TestAnEditedTextWaitsAgain: what somebody takes back is shown to nobody from that moment on, and what takes its place
// comes with enough others, undecided.
func TestAnEditedTextWaitsAgain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		receipts := comments(t, s, 2*k)
		mustModerate(t, s, mustTexts(t, s)["mot 0"].ID, Approve)
		if got := shownTexts(t, s); !slices.Equal(got, []string{"mot 0"}) {
			t.Fatalf("approved, and shown: %v", got)
		}
		change := func(i int, to string) {
			t.Helper()
			if err := open(s, "law", asked(), 0).Change(t.Context(), receipts[i], survey.Answers{"rating": {"5"}, "comment": {to}}, "fr"); err != nil {
				t.Fatal(err)
			}
		}
		change(0, "autre chose")
		if texts := mustTexts(t, s); len(texts) != 2*k-1 || texts["mot 0"] != (Text{}) || texts["autre chose"] != (Text{}) || len(shownTexts(t, s)) > 0 {
			t.Errorf("taken back: %v, %v", texts, shownTexts(t, s))
		}
		for i := 1; i < k; i++ {
			change(i, fmt.Sprintf("mot %d bis", i))
		}
		if got := mustTexts(t, s)["autre chose"]; got.State != Pending || len(shownTexts(t, s)) > 0 {
			t.Errorf("%+v is shown: %v", got, shownTexts(t, s))
		}
		change(0, "mot 9") // as somebody else wrote: words alone move no figure, and need not wait for others
		mustModerate(t, s, mustTexts(t, s)["mot 9"].ID, Approve)
		if got := shownTexts(t, s); !slices.Equal(got, []string{"mot 9"}) {
			t.Errorf("a decision about one of two equal texts shows %v", got)
		}
		for _, receipt := range receipts[:k+1] {
			if err := open(s, "law", asked(), 0).Delete(t.Context(), receipt); err != nil {
				t.Fatal(err)
			}
		}
		if got := shownTexts(t, s); len(got) > 0 || len(mustTexts(t, s)) > 0 {
			t.Errorf("deleted below the minimum group: %v", got)
		}
	})
}

func TestModerationRefuses(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		comments(t, s, k)
		id := mustTexts(t, s)["mot 0"].ID
		for name, test := range map[string]struct {
			id       string
			survey   *survey.Survey
			k        int
			decision Decision
			want     error
		}{
			"no such text":       {strings.Repeat("0", 32), asked(), k, Approve, ErrNoText},
			"a text not listed":  {id, asked(), k + 1, Approve, ErrNoText},
			"a text of minors":   {id, asked().For(true), k, Approve, ErrNoText},
			"no such decision":   {id, asked(), k, "delete", ErrDecision},
			"an empty decision":  {id, asked(), k, "", ErrDecision},
			"as it should be":    {id, asked(), k, Approve, nil},
			"another way, later": {id, asked(), k, Hide, nil},
		} {
			if _, err := open(s, "law", test.survey, test.k).Moderate(t.Context(), test.id, test.decision); err != test.want { //nolint:errorlint // as it is
				t.Errorf("%s: %v, not %v", name, err, test.want)
			}
		}
	})
}

// Answers to a question that was no text then, or to another survey, are no texts.
func TestTextsOfAnotherSurvey(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		for range k {
			mustSubmit(t, s, submission(survey.Answers{"one": {"a"}}))
		}
		comments(t, s, k)
		changed, other := asked(), asked()
		changed.Sections[1].Questions[0].Kind = survey.FreeText
		other.ID = "other"
		texts, err := open(s, "law", changed, k).Texts(t.Context())
		if err != nil || len(texts) != k || slices.ContainsFunc(texts, func(t Text) bool { return t.Question == "one" }) {
			t.Errorf("%v, %v", texts, err)
		}
		if texts, err := open(s, "law", other, k).Texts(t.Context()); err != nil || len(texts) > 0 {
			t.Errorf("%v, %v", texts, err)
		}
	})
}

// A name that is seen only later leaves the texts that are there, and their decisions stay.
func TestNamesSeenLater(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		comments(t, s, k)
		mustSubmit(t, s, submission(survey.Answers{"comment": {"Merci Anne"}}))
		mustModerate(t, s, mustTexts(t, s)["Merci Anne"].ID, Approve)
		s.names.find = named("anne")
		if got := shownTexts(t, s); !slices.Equal(got, []string{"Merci […]"}) {
			t.Errorf("%q", got)
		}
		if got := mustTexts(t, s)["Merci […]"]; got.State != Approved {
			t.Errorf("%+v", got)
		}
	})
}

// Decisions applied in any order end alike: the last one made stands, and of two at once the one that hides.
func TestDecisionsInAnyOrder(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		for i, made := range [][]moderationEntry{
			{{"law", "t", 1, Approve, "r"}, {"law", "t", 2, Hide, "r"}, {"law", "t", 2, Approve, "r"}},
			{{"law", "t", 1, Hide, "r"}, {"law", "t", 1, Approve, "r"}, {"law", "t", 2, Approve, "r"}},
		} {
			for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0, 1, 0, 2}} {
				for _, at := range order {
					if err := s.applyModeration(t.Context(), made[at]); err != nil {
						t.Fatal(err)
					}
				}
				want := []TextState{Hidden, Approved}[i]
				field, err := s.rdb.HGet(t.Context(), s.keys.moderated("law"), "t").Result()
				if got := parseDecision(field); err != nil || got.state() != want || got.row != "r" {
					t.Errorf("%v in order %v: %+v, not %s, %v", made, order, got, want, err)
				}
				s.rdb.Del(t.Context(), s.keys.moderated("law"))
			}
		}
	})
}

// The journal brings decisions back, and holds no text but that of the answers.
func TestDecisionsAreJournaled(t *testing.T) {
	t.Parallel()
	rdb, prefix := redistest.Embedded()
	dir := t.TempDir()
	open := func() (*Store, *journal.Journal) {
		j, err := journal.Open(dir, journal.Options{Mode: journal.Ahead})
		if err != nil {
			t.Fatal(err)
		}
		return newStore(t, rdb, prefix, journaled(j)), j
	}
	s, j := open()
	comments(t, s, k)
	texts := mustTexts(t, s)
	mustModerate(t, s, texts["mot 0"].ID, Approve)
	mustModerate(t, s, texts["mot 1"].ID, Approve)
	mustModerate(t, s, texts["mot 1"].ID, Hide)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	forget(t, rdb, prefix)
	s, j = open()
	defer func() { _ = j.Close() }()
	if err := j.Replay(t.Context(), nil, func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	if got := shownTexts(t, s); !slices.Equal(got, []string{"mot 0"}) || mustTexts(t, s)["mot 1"].State != Hidden {
		t.Errorf("after a restart: %v", got)
	}
}

// forget empties a store.
func forget(t *testing.T, rdb redis.UniversalClient, prefix string) {
	t.Helper()
	keys, err := rdb.Keys(context.Background(), prefix+"*").Result()
	if err != nil {
		t.Fatal(err)
	}
	if err := rdb.Del(context.Background(), keys...).Err(); err != nil {
		t.Fatal(err)
	}
}
