package feedback

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"jauge/feedback/survey"
	"jauge/internal/journal"
	"jauge/internal/redistest"
)

// drafted is a survey of two pages.
func drafted() *survey.Survey {
	return &survey.Survey{ID: "asked", Sections: []survey.Section{
		{Questions: []survey.Question{{ID: "before", Kind: survey.Scale, Min: 1, Max: 5, Required: true}, {ID: "known", Kind: survey.YesNo}}},
		{Questions: []survey.Question{{ID: "now", Kind: survey.Scale, Min: 1, Max: 5}, {ID: "words", Kind: survey.FreeText}}},
	}}
}

const formToken = "AFORMSTOKENOFTWENTYSIXCHAR"

func draft(seen string, fields ...string) Draft {
	d := Draft{Form: url.Values{}, Page: seen[len(seen)-1:], Seen: strings.Split(seen, "")}
	for i := 0; i < len(fields); i += 2 {
		d.Form[survey.FieldPrefix+fields[i]] = []string{fields[i+1]}
	}
	return d
}

func mustSave(t *testing.T, s *Store, token string, d Draft) {
	t.Helper()
	if err := open(s, "law", drafted(), 0).SaveDraft(t.Context(), token, drafted(), d); err != nil {
		t.Fatal(err)
	}
}

// mustProgress reads the truth, and what is published of it once k drafts have changed, as "seen/answered".
func mustProgress(t *testing.T, s *Store, k int) (truth, shown map[string]string) {
	t.Helper()
	fields, err := s.rdb.HGetAll(t.Context(), s.keys.progress("law")[0]).Result()
	if err != nil {
		t.Fatal(err)
	}
	truth, shown = map[string]string{}, map[string]string{}
	for field := range fields {
		item, _, _ := strings.Cut(field, "|")
		truth[item] = fields[item+seen] + "/" + fields[item+answered]
	}
	items, err := open(s, "law", drafted(), k).Progress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range items {
		figure := func(n *int) string {
			if n == nil {
				return ""
			}
			return fmt.Sprint(*n)
		}
		if item.Seen != nil {
			shown[item.Question] = figure(item.Seen) + "/" + figure(item.Answered)
		}
	}
	return truth, shown
}

func TestDraft(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		if _, err := open(s, "law", asked(), 0).Draft(t.Context(), formToken); !errors.Is(err, ErrNotFound) {
			t.Errorf("before: %v", err)
		}
		first := draft("12", "before", "2", "known", "")
		mustSave(t, s, formToken, first)
		second := draft("12", "before", "3", "now", "4", "words", "Merci à Ann")
		mustSave(t, s, formToken, second)
		mustSave(t, s, formToken, second)
		got, err := open(s, "law", asked(), 0).Draft(t.Context(), formToken)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(second, got); diff != "" {
			t.Error(diff)
		}
		if _, err := open(s, "cordee", asked(), 0).Draft(t.Context(), formToken); !errors.Is(err, ErrNotFound) {
			t.Errorf("in another session: %v", err)
		}
		want := map[string]string{"before": "1/1", "known": "1/", "now": "1/1", "words": "1/1"}
		if truth, shown := mustProgress(t, s, 1); !maps.Equal(truth, want) || !maps.Equal(shown, want) {
			t.Errorf("progress %v, shown %v", truth, shown)
		}
		key := s.keys.draft("law", s.seal.draftHash("law", formToken))
		if left := s.rdb.TTL(t.Context(), key).Val(); left < DraftFor || left > DraftFor+time.Hour {
			t.Errorf("kept for %s", left)
		}

		for range 2 { // sent, and sent again
			if err := open(s, "law", drafted(), 0).FinishDraft(t.Context(), formToken, drafted(), second); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := open(s, "law", asked(), 0).Draft(t.Context(), formToken); !errors.Is(err, ErrSent) {
			t.Errorf("once sent: %v", err)
		}
		if err := open(s, "law", drafted(), 0).SaveDraft(t.Context(), formToken, drafted(), first); !errors.Is(err, ErrSent) {
			t.Errorf("saved once sent: %v", err)
		}
		if truth, _ := mustProgress(t, s, 1); !maps.Equal(truth, want) {
			t.Errorf("progress once sent: %v", truth)
		}
		fields := s.rdb.HGetAll(t.Context(), key).Val()
		if len(fields) != 1 || strings.Contains(fmt.Sprint(fields), "Ann") || s.rdb.TTL(t.Context(), key).Val() < DraftFor {
			t.Errorf("once sent there is %v", fields)
		}
	})
}

// The store holds no token, and nothing that joins a draft to an answer.
func TestDraftsAreApart(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		mustSave(t, s, formToken, draft("12", "before", "2"))
		sub := submission(survey.Answers{"rating": {"4"}})
		sub.Key = "form:" + formToken
		receipt := mustSubmit(t, s, sub)
		hash, _ := s.seal.Hash("law", receipt)
		keys, err := s.rdb.Keys(t.Context(), s.keys.prefix+"*draft*").Result()
		if err != nil || len(keys) != 1 || strings.Contains(keys[0], formToken) || strings.Contains(keys[0], hash) {
			t.Errorf("%v, %v", keys, err)
		}
	})
}

func TestDraftTooLarge(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		mustSave(t, s, formToken, draft("1", "before", "2"))
		err := open(s, "law", drafted(), 0).SaveDraft(t.Context(), formToken, drafted(), draft("12", "words", strings.Repeat("x", maxDraft)))
		if got, _ := open(s, "law", asked(), 0).Draft(t.Context(), formToken); !errors.Is(err, errTooLarge) || got.Page != "1" {
			t.Errorf("%v, and %v is kept", err, got)
		}
	})
}

// Progress is published k drafts at a time: no two readings differ by fewer.
func TestProgressIsPublishedInGroups(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		begin := func(from, to int, d Draft) {
			for i := from; i < to; i++ {
				mustSave(t, s, fmt.Sprint("form ", i), d)
			}
		}
		expect := func(when string, want map[string]string) {
			t.Helper()
			if _, shown := mustProgress(t, s, 5); !maps.Equal(shown, want) {
				t.Errorf("%s: %v, not %v", when, shown, want)
			}
		}
		begin(0, 4, draft("12", "before", "2"))
		expect("four", map[string]string{})
		begin(0, 4, draft("12", "before", "3", "now", "3"))
		expect("the same four again", map[string]string{})
		begin(4, 7, draft("12", "before", "2"))
		expect("seven", map[string]string{"before": "7/7", "known": "7/", "now": "7/", "words": "7/"})
		begin(7, 11, draft("1", "before", "2"))
		expect("four more", map[string]string{"before": "7/7", "known": "7/", "now": "7/", "words": "7/"})
		begin(4, 5, draft("12", "now", "1"))
		expect("and a change", map[string]string{"before": "11/10", "known": "11/", "now": "7/5", "words": "7/"})
	})
}

// Whatever the history, progress is the sum of what the drafts count as.
func TestProgressInRandomHistories(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		session := 0
		rapid.Check(t, func(r *rapid.T) {
			session++
			id := fmt.Sprint("law-", session)
			last, sent := map[int]Draft{}, map[int]bool{}
			for range rapid.IntRange(1, 12).Draw(r, "steps") {
				form := rapid.IntRange(0, 3).Draw(r, "form")
				d := draft(rapid.SampledFrom([]string{"1", "12"}).Draw(r, "seen"),
					"before", rapid.SampledFrom([]string{"", "1", "9"}).Draw(r, "before"), "now", rapid.SampledFrom([]string{"", "3"}).Draw(r, "now"))
				a := open(s, id, drafted(), 0)
				save := a.SaveDraft
				finish := rapid.Bool().Draw(r, "finish")
				if finish {
					save = a.FinishDraft
				}
				err := save(t.Context(), fmt.Sprint("form ", form), drafted(), d)
				if sent[form] && !finish {
					if !errors.Is(err, ErrSent) {
						r.Fatalf("saved once sent: %v", err)
					}
					continue
				}
				if err != nil {
					r.Fatal(err)
				}
				last[form], sent[form] = d, sent[form] || finish
			}
			want := map[string]string{}
			n := map[string]int{}
			for _, d := range last {
				for _, field := range counted(drafted(), d) {
					n[field]++
					want[field] = fmt.Sprint(n[field])
				}
			}
			got, err := s.rdb.HGetAll(context.Background(), s.keys.progress(id)[0]).Result()
			if err != nil {
				r.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				r.Fatal(diff)
			}
		})
	})
}

// ahead is a store before which everything is journaled, as the embedded one, at a moment that the caller moves.
func ahead(t *testing.T, dir string, now *time.Time) (*Store, *journal.Journal) {
	t.Helper()
	rdb, prefix := redistest.Embedded()
	j, err := journal.Open(dir, journal.Options{Mode: journal.Ahead})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	s := newStore(t, rdb, prefix, journaled(j), func(o *Options) { o.Now = func() time.Time { return *now } })
	if err := j.Replay(t.Context(), nil, func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	return s, j
}

// A store that forgets has the drafts and the progress back after a restart, and what is over or sent leaves the disk.
func TestDraftsSurviveARestart(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), evening
	s, j := ahead(t, dir, &now)
	for i := range 5 {
		mustSave(t, s, fmt.Sprint("form ", i), draft("12", "before", "2", "words", "Merci à Ann"))
	}
	if err := open(s, "law", drafted(), 0).FinishDraft(t.Context(), "form 0", drafted(), draft("12", "before", "2", "words", "Merci à Ann")); err != nil {
		t.Fatal(err)
	}
	wantTruth, wantShown := mustProgress(t, s, 5)
	mustSave(t, s, "form 5", draft("12", "before", "2"))
	_ = j.Close()

	s, j = ahead(t, dir, &now)
	if _, err := open(s, "law", asked(), 0).Draft(t.Context(), "form 0"); !errors.Is(err, ErrSent) {
		t.Errorf("the one that was sent: %v", err)
	}
	if d, err := open(s, "law", asked(), 0).Draft(t.Context(), "form 1"); err != nil || d.Form.Get("q.words") != "Merci à Ann" {
		t.Errorf("the one that was not: %v, %v", d, err)
	}
	for i := range 4 { // they wait for a fifth, whatever was waiting before the restart
		if _, shown := mustProgress(t, s, 5); !maps.Equal(shown, wantShown) {
			t.Errorf("a restart shows %v, not %v", shown, wantShown)
		}
		mustSave(t, s, fmt.Sprint("new ", i), draft("1"))
	}
	_ = j.Close()

	now = now.Add(DraftFor + 2*time.Hour)
	s, j = ahead(t, dir, &now)
	if err := s.ExpireDrafts(); err != nil {
		t.Fatal(err)
	}
	if _, err := open(s, "law", asked(), 0).Draft(t.Context(), "form 1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("what is over: %v", err)
	}
	truth, _ := mustProgress(t, s, 5)
	if truth["words"] != "6/5" || wantTruth["words"] != "5/5" || truth["before"] != "10/6" {
		t.Errorf("progress %v, before %v", truth, wantTruth)
	}
	_ = j.Close()
	if err := journal.Compact(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "journal.db"))
	if err != nil || strings.Contains(string(text), "Ann") || !strings.Contains(string(text), "words|answered") {
		t.Errorf("the journal still holds what is over: %v", err)
	}
}

// Beside a Redis that is away drafts are not kept, because the pages are; that one was sent waits to be said.
func TestDraftsBesideAnAbsentRedis(t *testing.T) {
	t.Parallel()
	server, err := redistest.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	rdb, line := server.Line()
	t.Cleanup(func() { _ = rdb.Close() })
	j, err := journal.Open(t.TempDir(), journal.Options{Mode: journal.Beside, Judge: func(error) (journal.Fault, string) { return journal.Away, "network" }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	s := newStore(t, rdb, "away:", journaled(j))
	d := draft("12", "before", "2", "words", "Merci à Ann")
	mustSave(t, s, formToken, d)
	line.Cut()
	if err := open(s, "law", drafted(), 0).SaveDraft(t.Context(), formToken, drafted(), d); !errors.Is(err, journal.ErrAway) {
		t.Errorf("kept: %v", err)
	}
	if err := open(s, "law", drafted(), 0).FinishDraft(t.Context(), formToken, drafted(), d); err != nil || j.Pending() != 1 {
		t.Errorf("sent: %v, %d entries wait", err, j.Pending())
	}
	if _, err := open(s, "law", asked(), 0).Draft(t.Context(), formToken); !errors.Is(err, journal.ErrAway) {
		t.Errorf("read: %v", err)
	}
	line.Mend()
	if err := j.Drain(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	fields, err := rdb.HGetAll(t.Context(), s.keys.draft("law", s.seal.draftHash("law", formToken))).Result()
	if err != nil || len(fields) != 1 {
		t.Errorf("afterwards there is %v, %v", fields, err)
	}
}

// What is submitted once stays, whatever is drained after it.
func TestOnceBesideAnAbsentRedis(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		first := submission(survey.Answers{"rating": {"4"}})
		first.Key, first.Once = "api:0123456789abcdef", true
		nowhere := redis.NewClient(&redis.Options{Network: "unix", Addr: "/nowhere", MaxRetries: -1, DialerRetries: 1})
		t.Cleanup(func() { _ = nowhere.Close() })
		away, err := New(nowhere, Options{Prefix: s.keys.prefix, Secret: secret, Now: s.now})
		if err != nil {
			t.Fatal(err)
		}
		other := first
		other.Answers = survey.Answers{"rating": {"9"}}
		receipt, made, err := prepare(t.Context(), away, first)
		if err != nil {
			t.Fatal(err)
		}
		_, otherEntry, err := prepare(t.Context(), away, other)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range []entry{made, otherEntry, made} {
			if _, err := s.apply(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		if row, err := open(s, "law", asked(), 0).Get(t.Context(), receipt); err != nil || row.Answers["rating"].String() != "4" {
			t.Errorf("%v, %v", row, err)
		}
		if again, err := submit(t.Context(), s, first); err != nil || again != receipt {
			t.Errorf("again: %q, %v", again, err)
		}
		if _, err := submit(t.Context(), s, other); !errors.Is(err, ErrReused) {
			t.Errorf("others: %v", err)
		}
		text, _ := json.Marshal(made)
		if strings.Contains(string(text), "0123456789abcdef") {
			t.Errorf("the key is there in clear: %s", text)
		}
	})
}
