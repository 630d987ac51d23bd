package feedback

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"

	"jauge/feedback/survey"
	"jauge/internal/journal"
	"jauge/internal/redistest"
)

// waves is a question asked before and after, as a survey with waves lists its items.
func waves() *survey.Survey {
	q := func(wave, pair string) survey.Question {
		return survey.Question{ID: "wish@" + wave, Kind: survey.Scale, Min: 1, Max: 5, Label: words("Wish"), Pair: pair}
	}
	return &survey.Survey{ID: "waves", Title: words("Waves"), Sections: []survey.Section{{Questions: []survey.Question{q("before", "")}}, {Questions: []survey.Question{q("after", "wish@before")}}}}
}

func wave(name string, wish int) sending {
	return sending{Session: "law", Survey: waves(), Promise: Promise{Linked: true, MinimumGroup: k}, Submission: Submission{
		Segment: "evry", Lang: "fr", Wave: name, Answers: survey.Answers{"wish@" + name: {fmt.Sprint(wish)}},
	}}
}

func TestWavesAreLinkedByWhatThePersonKeeps(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		first := wave("before", 2)
		first.Key = "form:one"
		token := mustSubmit(t, s, first)
		if strings.Count(token, "-") != 2 || strings.ContainsAny(token, "0123456789") {
			t.Fatalf("no three words: %s", token)
		}
		first.Lang = "en"
		again := mustSubmit(t, s, first) // a double click, in another language
		if a, _ := s.seal.Hash("law", token); again == token {
			t.Errorf("%s in English", again)
		} else if b, _ := s.seal.Hash("law", again); a != b {
			t.Errorf("the form again: %s, not %s", again, token)
		}
		later := wave("after", 4)
		later.Token, later.Segment = strings.ToUpper(strings.ReplaceAll(token, "-", " ")), "elsewhere"
		mustSubmit(t, s, later)
		later.Answers = survey.Answers{"wish@after": {"5"}}
		mustSubmit(t, s, later)
		row, err := open(s, "law", asked(), 0).Get(ctx, token)
		if err != nil || row.Segment != "evry" {
			t.Fatalf("%+v %v", row, err)
		}
		if diff := cmp.Diff(survey.Answers{"wish@before": {"2"}, "wish@after": {"5"}}, row.Answers); diff != "" {
			t.Error(diff)
		}
		if err := open(s, "law", waves(), 0).Change(ctx, token, survey.Answers{"wish@before": {"1"}}, "fr"); err != nil {
			t.Fatal(err)
		}
		row, err = open(s, "law", asked(), 0).Get(ctx, token)
		if diff := cmp.Diff(survey.Answers{"wish@before": {"1"}, "wish@after": {"5"}}, row.Answers); diff != "" || err != nil {
			t.Errorf("a change of one wave: %s %v", diff, err)
		}
		counts := mustTally(t, s, "law")
		if counts["waves||||"] != 1 || counts["waves||wish@after|"+waves().Sections[1].Questions[0].PairShape()+"|up"] != 1 {
			t.Errorf("%v", counts)
		}
		nobodys := wave("after", 3)
		for _, token := range []string{"abeille-abeille-abeille", "x"} {
			nobodys.Token = token
			if _, err := submit(ctx, s, nobodys); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: %v", token, err)
			}
		}
		if err := open(s, "law", asked(), 0).Delete(ctx, token); err != nil {
			t.Fatal(err)
		}
		for _, sub := range []sending{later, first} {
			if _, err := submit(ctx, s, sub); !errors.Is(err, ErrDeleted) {
				t.Errorf("after the deletion: %v", err)
			}
		}
		verified(t, s)
	})
}

// The answer that was sent under a key is found under three words, in the language that they were shown in.
func TestSentUnderThreeWords(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		for _, lang := range []string{"fr", "en"} {
			sub := wave("before", 2)
			sub.Key, sub.Lang = "form:"+lang, lang
			p, _ := s.seal.WordsOf("law", sub.Key, 0)
			if _, err := s.apply(t.Context(), sub.open(t.Context(), s).newEntry(sub.Submission, s.seal.HashOf("law", p), 1)); err != nil { // taken by another
				t.Fatal(err)
			}
			if _, _, err := open(s, "law", asked(), 0).Sent(t.Context(), sub.Key); !errors.Is(err, ErrNotFound) {
				t.Errorf("not sent yet: %v", err)
			}
			token := mustSubmit(t, s, sub)
			receipt, row, err := open(s, "law", asked(), 0).Sent(t.Context(), sub.Key)
			if receipt != token || err != nil || row.Answers["wish@before"].String() != "2" {
				t.Errorf("%s, not %s: %v %v", receipt, token, row, err)
			}
			if err := open(s, "law", asked(), 0).Delete(t.Context(), token); err != nil {
				t.Fatal(err)
			}
			if _, _, err := open(s, "law", asked(), 0).Sent(t.Context(), sub.Key); !errors.Is(err, ErrDeleted) {
				t.Errorf("after the deletion: %v", err)
			}
		}
	})
}

// What joins once under a key stays, also when it comes while the store is away; a form that was sent without a token is
// the same answer when it comes with one.
func TestJoiningOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		nowhere := redis.NewClient(&redis.Options{Network: "unix", Addr: "/nowhere", MaxRetries: -1, DialerRetries: 1})
		t.Cleanup(func() { _ = nowhere.Close() })
		token := mustSubmit(t, s, wave("before", 2))
		later := wave("after", 4)
		later.Token, later.Key, later.Once = token, "api:0123456789abcdef", true
		other := later
		other.Answers = survey.Answers{"wish@after": {"1"}}
		away := newStore(t, nowhere, s.keys.prefix)
		for _, sub := range []sending{later, other, later} {
			_, e, err := prepare(t.Context(), away, sub)
			if err != nil || !e.Add {
				t.Fatal(e, err)
			}
			if _, err := s.apply(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		if receipt := mustSubmit(t, s, later); receipt != token {
			t.Errorf("again: %s, not %s", receipt, token)
		}
		if _, err := submit(t.Context(), s, other); !errors.Is(err, ErrReused) {
			t.Errorf("others: %v", err)
		}
		row, err := open(s, "law", asked(), 0).Get(t.Context(), token)
		if diff := cmp.Diff(survey.Answers{"wish@before": {"2"}, "wish@after": {"4"}}, row.Answers); diff != "" || err != nil {
			t.Errorf("%s %v", diff, err)
		}

		alone := wave("after", 3)
		alone.Key = "form:alone"
		receipt := mustSubmit(t, s, alone)
		alone.Token = token
		if again := mustSubmit(t, s, alone); again != receipt || mustTally(t, s, "law")["waves||||"] != 2 {
			t.Errorf("%s, then %s: %v", receipt, again, mustTally(t, s, "law"))
		}
		if err := open(s, "law", asked(), 0).Delete(t.Context(), receipt); err != nil {
			t.Fatal(err)
		}
		if _, err := submit(t.Context(), s, alone); !errors.Is(err, ErrDeleted) {
			t.Errorf("after the deletion: %v", err)
		}
		verified(t, s)
	})
}

// On a shared device nothing is linked, and three words, which could be tried, open nothing.
func TestUnlinked(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		token := mustSubmit(t, s, wave("before", 2))
		shared := wave("after", 4)
		shared.Unlinked, shared.Token = true, token
		if receipt := mustSubmit(t, s, shared); strings.Count(receipt, "-") != 3 {
			t.Errorf("a receipt of a shared device: %s", receipt)
		}
		if mustTally(t, s, "law")["waves||||"] != 2 {
			t.Error("it was linked")
		}
		if promise, err := s.told(t.Context(), "law"); err != nil || !promise.Linked {
			t.Error("the others are not linked any more")
		}
	})
}

// Words that somebody else has drawn are drawn again, and each form finds its own.
func TestWordsThatAreTaken(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		mine := wave("before", 2)
		mine.Key = "form:mine"
		p, _ := s.seal.WordsOf("law", mine.Key, 0)
		others := mine.open(t.Context(), s).newEntry(mine.Submission, s.seal.HashOf("law", p), 1)
		if _, err := s.apply(t.Context(), others); err != nil {
			t.Fatal(err)
		}
		token := mustSubmit(t, s, mine)
		if hash, _ := s.seal.Hash("law", token); hash == others.ReceiptHash {
			t.Fatal("another's answer was overwritten")
		}
		if again := mustSubmit(t, s, mine); again != token || mustTally(t, s, "law")["waves||||"] != 2 {
			t.Errorf("%s, then %s: %v", token, again, mustTally(t, s, "law"))
		}
	})
}

// Where anonymity was promised to somebody, nothing is linked any more.
func TestAnonymousBeatsLinked(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		token := mustSubmit(t, s, wave("before", 2))
		anonymous := wave("before", 3)
		anonymous.Promise = Promise{MinimumGroup: 7, Minors: true}
		if receipt := mustSubmit(t, s, anonymous); strings.Count(receipt, "-") != 3 {
			t.Errorf("an anonymous receipt: %s", receipt)
		}
		loose := wave("after", 5)
		loose.Token, loose.Promise = token, Promise{Linked: true, MinimumGroup: 1}
		if receipt := mustSubmit(t, s, loose); strings.Count(receipt, "-") != 3 {
			t.Errorf("a receipt of the second wave: %s", receipt)
		}
		if row, err := open(s, "law", asked(), 0).Get(t.Context(), token); err != nil || len(row.Answers) != 1 {
			t.Errorf("linked all the same: %v %v", row.Answers, err)
		}
		got, err := s.told(t.Context(), "law")
		if diff := cmp.Diff(&Promise{MinimumGroup: 7, Minors: true}, got); diff != "" || err != nil {
			t.Errorf("%s %v", diff, err)
		}
		if promise, err := s.told(t.Context(), "cordee"); promise != nil || err != nil {
			t.Error("something was promised to nobody")
		}
	})
}

// While the store is away, a first wave has a code, a second one is added when the store is back, and so is a part of a
// form tool's answers; each version's definition comes along.
func TestWavesWithTheStoreAway(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		j, err := journal.Open(t.TempDir(), journal.Options{Mode: journal.Beside, Judge: func(error) (journal.Fault, string) { return journal.Away, "network" }})
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		gone := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1, DialTimeout: time.Second})
		defer gone.Close()
		s, away := newStore(t, rdb, prefix), newStore(t, gone, prefix, journaled(j))
		token := mustSubmit(t, s, wave("before", 2))
		r := rooms{}
		r.open(map[string]string{"r1": "rating", "r7": "agree"})
		part := filled("k")
		part.Partial, part.Values = true, map[string]any{"r1": "8"}
		deliver(t, s, part, r)

		later := wave("after", 4)
		later.Token = token
		mustSubmit(t, away, later)
		part.Values = map[string]any{"r7": "oui", "r1": "1"}
		deliver(t, away, part, r)
		first := wave("before", 1)
		first.Key = "form:away"
		code := mustSubmit(t, away, first)
		if strings.Count(code, "-") != 3 {
			t.Errorf("a receipt while the store is away: %s", code)
		}
		s = newStore(t, rdb, prefix, journaled(j))
		if err := j.Drain(t.Context(), func(err error) { t.Error(err) }); err != nil {
			t.Fatal(err)
		}
		if again := mustSubmit(t, s, first); again != code {
			t.Errorf("the form again, with the store back: %s, not %s", again, code)
		}
		row, err := open(s, "law", asked(), 0).Get(t.Context(), token)
		if diff := cmp.Diff(survey.Answers{"wish@before": {"2"}, "wish@after": {"4"}}, row.Answers); diff != "" || err != nil {
			t.Errorf("%s %v", diff, err)
		}
		if diff := cmp.Diff(survey.Answers{"rating": {"8"}, "agree": {survey.Yes}}, said(t, s, "law", "k")); diff != "" {
			t.Error(diff)
		}
		verified(t, s)
	})
}

// The definition of each version that was answered is kept, through the journal too.
func TestDefinitions(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		j, err := journal.Open(t.TempDir(), journal.Options{Mode: journal.Ahead})
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		s := newStore(t, rdb, prefix, journaled(j))
		longer := asked()
		longer.Sections[0].Questions[1].Max = 7
		receipt := mustSubmit(t, s, submission(survey.Answers{"rating": {"4"}}))
		if err := open(s, "law", longer, 0).Change(t.Context(), receipt, survey.Answers{"rating": {"5"}}, "fr"); err != nil {
			t.Fatal(err)
		}
		for _, when := range []string{"at once", "after a restart"} {
			for _, want := range []*survey.Survey{asked(), longer} {
				got, err := open(s, "law", asked(), 0).Definition(t.Context(), want.Version())
				if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(survey.Survey{})); diff != "" || err != nil {
					t.Errorf("%s: %v %s", when, err, diff)
				}
			}
			if _, err := open(s, "law", asked(), 0).Definition(t.Context(), "00000000"); !errors.Is(err, ErrNotFound) {
				t.Error(err)
			}
			if err := rdb.Del(t.Context(), s.keys.versions("law"), s.keys.rows("law"), s.keys.tally("law")).Err(); err != nil {
				t.Fatal(err)
			}
			if err := j.Replay(t.Context(), nil, func(err error) { t.Error(err) }); err != nil {
				t.Fatal(err)
			}
		}
	})
}
