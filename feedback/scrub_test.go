package feedback

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"jauge/feedback/survey"
	"jauge/internal/redact"
	"jauge/internal/redistest"
)

// named is a session where people with these names were seen.
func named(names ...string) func(context.Context, string, []string) (map[string]bool, error) {
	return func(_ context.Context, session string, words []string) (map[string]bool, error) {
		found := map[string]bool{}
		for _, word := range words {
			for _, name := range names {
				if session == "law" && word == name {
					found[word] = true
				}
			}
		}
		return found, nil
	}
}

// Names are asked for once each, and no more than a thousand at a time.
func TestNamesAreAskedInBounds(t *testing.T) {
	t.Parallel()
	s, asked := newStore(t, nil, ""), 0
	s.names.find = func(_ context.Context, _ string, words []string) (map[string]bool, error) {
		if asked += len(words); len(words) > wordsAtOnce {
			t.Errorf("%d words at once", len(words))
		}
		return map[string]bool{words[len(words)-1]: true}, nil
	}
	var text strings.Builder
	for i := range 2 * wordsAtOnce {
		word := string([]rune{'a' + rune(i%26), 'a' + rune(i/26%26), 'a' + rune(i/26/26), 'x'})
		text.WriteString(word + " " + strings.ToUpper(word) + ", ")
	}
	got, err := s.names.redact(t.Context(), "law", []string{text.String()})
	if err != nil || asked != 2*wordsAtOnce || strings.Count(got[0], redact.Mark) != 2 {
		t.Errorf("%d asked, %d names, %v", asked, strings.Count(got[0], redact.Mark), err)
	}
}

// Nothing of what is taken out reaches the store, on whichever way the answer comes.
func TestStoredTextsAreScrubbed(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s := newStore(t, rdb, prefix)
		s.names.find = named("li")
		const said, want = "a@b.co 612345678 Li", "[…]"
		sub := submission(survey.Answers{"rating": {"4"}, "comment": {said}})
		receipts := map[string]string{"submitted": mustSubmit(t, s, sub)}
		sub.Key = "form:1"
		receipts["submitted with a key"] = mustSubmit(t, s, sub)
		receipts["changed"] = mustSubmit(t, s, submission(survey.Answers{"rating": {"4"}}))
		if err := open(s, "law", asked(), 0).Change(t.Context(), receipts["changed"], survey.Answers{"comment": {said}}, "fr"); err != nil {
			t.Fatal(err)
		}
		d := Delivery{Source: "tally", Room: "law", Key: "1", At: evening, Values: map[string]any{"rating": 4, "comment": said}}
		if r, err := s.Deliver(t.Context(), d, asking(nil)); err != nil || !r.Recorded {
			t.Fatalf("%+v, %v", r, err)
		}
		receipts["delivered"] = s.seal.CodeOf("law", s.seal.name(d))
		for how, receipt := range receipts {
			row, err := open(s, "law", asked(), 0).Get(t.Context(), receipt)
			if err != nil || row.Answers["comment"].String() != want {
				t.Errorf("%s: %q, %v", how, row.Answers["comment"], err)
			}
		}
		if sub.Answers["comment"].String() != said {
			t.Error("the caller's answers were changed")
		}
		d.Key = "2"
		if _, err := s.Deliver(t.Context(), d, nil); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{s.keys.aside(d.Source)[0], s.keys.rows("law")} {
			kept, err := rdb.HGetAll(t.Context(), key).Result()
			if text := fmt.Sprint(kept); err != nil || len(kept) == 0 || strings.Contains(text, "b.co") || strings.Contains(text, "61234") || strings.Contains(text, "Li") {
				t.Errorf("%s: %s, %v", key, text, err)
			}
		}
	})
}

// An answer is kept when names cannot be looked up; addresses and numbers are taken out all the same.
func TestNamesAreAway(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		s.names.find = func(context.Context, string, []string) (map[string]bool, error) { return nil, errors.New("away") }
		receipt := mustSubmit(t, s, submission(survey.Answers{"comment": {"Anne, a@b.fr"}}))
		row, err := open(s, "law", asked(), 0).Get(t.Context(), receipt)
		if err != nil || row.Answers["comment"].String() != "Anne, […]" {
			t.Errorf("%q, %v", row.Answers["comment"], err)
		}
	})
}
