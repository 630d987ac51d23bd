package feedback

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"jauge/feedback/figures"
	"jauge/feedback/survey"
	"jauge/internal/journal"
	"jauge/internal/redistest"
	"jauge/programme"
)

// audience answers a survey; the receipts are the caller's.
type audience struct {
	t testing.TB
	s *Store
}

func (a *audience) answer(segment string, rating int) string {
	a.t.Helper()
	receipt, err := submit(context.Background(), a.s, sending{Session: "law", Survey: asked(), Promise: Promise{MinimumGroup: k}, Submission: Submission{
		Segment: segment, Answers: survey.Answers{"rating": {fmt.Sprint(rating)}},
	}})
	if err != nil {
		a.t.Fatal(err)
	}
	return receipt
}

func (a *audience) change(receipt string, rating int) {
	a.t.Helper()
	if err := open(a.s, "law", asked(), 0).Change(context.Background(), receipt, survey.Answers{"rating": {fmt.Sprint(rating)}}, "fr"); err != nil {
		a.t.Fatal(err)
	}
}

func (a *audience) delete(receipt string) {
	a.t.Helper()
	if err := open(a.s, "law", asked(), 0).Delete(context.Background(), receipt); err != nil {
		a.t.Fatal(err)
	}
}

// shownFigures is everything that is shown but for the number of respondents, which is returned beside.
func shownFigures(t testing.TB, s *Store) (string, int) {
	t.Helper()
	r, err := open(s, "law", asked(), k, []string{"evry", "colombes"}...).Results(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	scraped, err := with(s, map[string]*survey.Survey{"asked": asked()}, k).Scrape(context.Background(), []programme.Session{{ID: "law", Survey: "asked"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r.Questions, scraped[0].Questions); diff != "" || scraped[0].Respondents != r.Respondents {
		t.Errorf("a scrape differs from the results: %s", diff)
	}
	n := r.Respondents
	r.Respondents = 0
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text), n
}

// published shows what is due, and reads the answers that are shown.
func published(ctx context.Context, s *Store) (map[string]Row, error) {
	if _, err := s.read(ctx, []*Asked{open(s, "law", asked(), k)}); err != nil {
		return nil, err
	}
	return s.published(ctx, "law")
}

func verified(t testing.TB, s *Store) {
	t.Helper()
	if drifts, err := s.Recount(context.Background(), "law", false); err != nil || drifts != nil {
		t.Errorf("recount: %v %v", drifts, err)
	}
}

// Two readings with fewer than k changes of a group between them show the same, but for the respondents; the k-th change
// shows them all.
func TestTwoReadingsTellOfNobody(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change      func(a *audience, evry []string, i int) // the i-th of k changes
		respondents int                                     // after one change
		n           float64                                 // answers shown after k changes
	}{
		"one answer": {func(a *audience, _ []string, i int) { a.answer("evry", i) }, 25, 29},
		"one edit":   {func(a *audience, evry []string, i int) { a.change(evry[i], 10) }, 24, 24},
		"one deletion": {
			func(a *audience, evry []string, i int) { a.delete(evry[i]) }, 23, 19,
		},
		"one of each, and an answer that is withdrawn before it was shown": {func(a *audience, evry []string, i int) {
			a.delete(a.answer("evry", 3))
			switch i % 3 {
			case 0:
				a.answer("evry", 4)
			case 1:
				a.change(evry[i], 10)
			case 2:
				a.delete(evry[i])
			}
		}, 25, 25},
		"one edit, again and again": {func(a *audience, evry []string, i int) {
			for rating := range 10 {
				a.change(evry[i], (rating+i)%11)
			}
		}, 24, 24},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, s *Store) {
				a := &audience{t: t, s: s}
				evry := make([]string, 12)
				for i := range evry {
					evry[i] = a.answer("evry", i%11)
					a.answer("colombes", i%11)
				}
				first, n := shownFigures(t, s)
				if n != 24 {
					t.Fatalf("%d respondents", n)
				}
				for i := range k - 1 {
					test.change(a, evry, i)
					held, n := shownFigures(t, s)
					if diff := cmp.Diff(first, held); diff != "" {
						t.Fatalf("after %d changes (-before +after):\n%s", i+1, diff)
					}
					if i == 0 && n != test.respondents {
						t.Errorf("%d respondents after one change, not %d", n, test.respondents)
					}
					verified(t, s)
				}
				a.answer("colombes", 0) // of another group: it helps nobody
				if held, _ := shownFigures(t, s); held != first {
					t.Errorf("a change of another group let these out:\n%s", cmp.Diff(first, held))
				}
				test.change(a, evry, k-1)
				after, _ := shownFigures(t, s)
				var r figures.Results
				if err := json.Unmarshal([]byte(after), &r); err != nil || after == first || float64(*r.Questions[1].N) != test.n {
					t.Errorf("after %d changes: %v, %d answers, not %v", k, err, *r.Questions[1].N, test.n)
				}
				verified(t, s)
				if left := s.rdb.HLen(t.Context(), s.keys.gone("law")).Val(); left != 0 {
					t.Errorf("%d deleted answers are still counted", left)
				}
			})
		})
	}
}

// An edit that is taken back is no change, and one that moves no figure does not help others out.
func TestWhatIsNoChange(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		a := &audience{t: t, s: s}
		var receipts []string
		for i := range 12 {
			receipts = append(receipts, a.answer("evry", i%11))
		}
		first, _ := shownFigures(t, s)
		a.change(receipts[0], 9) // the only one who said 0 with the twelfth
		for i := 1; i < k+1; i++ {
			a.change(receipts[i], 10)
			a.change(receipts[i], i%11)
		}
		if held, _ := shownFigures(t, s); held != first {
			t.Errorf("edits that were taken back let one out:\n%s", cmp.Diff(first, held))
		}
		if n := s.rdb.ZCard(t.Context(), s.keys.pending("law")).Val(); n != 1 {
			t.Errorf("%d wait", n)
		}
		for i := 1; i < k+1; i++ {
			if err := open(s, "law", asked(), 0).Change(t.Context(), receipts[i], survey.Answers{"rating": {fmt.Sprint(i % 11)}}, "en"); err != nil {
				t.Fatal(err)
			}
		}
		if held, _ := shownFigures(t, s); held != first {
			t.Errorf("edits that move no figure let one out:\n%s", cmp.Diff(first, held))
		}
		rows, err := published(t.Context(), s)
		if err != nil || len(rows) != 12 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		english := 0
		for _, row := range rows {
			if row.Lang == "en" {
				english++
			}
		}
		if english != k {
			t.Errorf("%d of %d edits that move no figure are shown", english, k)
		}
		verified(t, s)
	})
}

// A form sent again for another segment changes both: it waits for k changes in each.
func TestAnAnswerThatMovesToAnotherSegment(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		a := &audience{t: t, s: s}
		moving := submission(survey.Answers{"rating": {"7"}})
		moving.Key = "form:moving"
		mustSubmit(t, s, moving)
		for i := range 11 {
			a.answer("evry", i)
			a.answer("colombes", i)
		}
		first, _ := shownFigures(t, s)
		moving.Segment = "colombes"
		mustSubmit(t, s, moving)
		for i := range k - 1 {
			a.answer("colombes", i)
		}
		if held, _ := shownFigures(t, s); held != first {
			t.Errorf("who left Évry is seen there:\n%s", cmp.Diff(first, held))
		}
		a.answer("colombes", 5) // k of their own there
		second, _ := shownFigures(t, s)
		for i := range k - 1 {
			a.answer("evry", i)
		}
		if held, _ := shownFigures(t, s); second == first || held != second {
			t.Errorf("the move is shown although nobody moves with it to Colombes:\n%s", cmp.Diff(second, held))
		}
		for i := range k - 1 {
			a.answer("colombes", i)
		}
		if all, _ := shownFigures(t, s); all == second {
			t.Error("the move never shows")
		}
		verified(t, s)
	})
}

// What is held stays held over a restart, whatever was held: the journal says what was shown.
func TestShownFiguresSurviveARestart(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		j, err := journal.Open(t.TempDir(), journal.Options{Mode: journal.Ahead})
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		s := newStore(t, rdb, prefix, journaled(j))
		a := &audience{t: t, s: s}
		var receipts []string
		restart := func(when string) {
			t.Helper()
			before, n := shownFigures(t, s)
			if keys, err := rdb.Keys(t.Context(), prefix+"*").Result(); err != nil || rdb.Del(t.Context(), keys...).Err() != nil {
				t.Fatal(err)
			}
			if err := j.Replay(t.Context(), nil, func(err error) { t.Error(err) }); err != nil {
				t.Fatal(err)
			}
			after, m := shownFigures(t, s)
			if diff := cmp.Diff(before, after); diff != "" || n != m {
				t.Errorf("%s, %d respondents before, %d after the restart:\n%s", when, n, m, diff)
			}
			verified(t, s)
		}
		for i := range 12 {
			receipts = append(receipts, a.answer("evry", i%11))
		}
		restart("before anything was held")
		a.answer("evry", 3)
		restart("an answer held")
		a.change(receipts[0], 9)
		restart("and an edit")
		a.delete(receipts[1])
		restart("and a deletion")
		a.delete(a.answer("evry", 8))
		restart("and one that was never shown")
		shown, _ := shownFigures(t, s)
		a.delete(receipts[2])
		a.delete(receipts[3])
		restart("five changes")
		if all, _ := shownFigures(t, s); all == shown {
			t.Error("five changes are not shown")
		}
		if n := rdb.HLen(t.Context(), s.keys.gone("law")).Val(); n != 0 {
			t.Errorf("%d deleted answers are still counted", n)
		}
		a.delete(receipts[4])
		restart("one more deletion")
	})
}

// Recount finds what differs in what is shown, and repairs it; answers of before there was a publication wait then.
func TestRecountOfWhatIsShown(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		a := &audience{t: t, s: s}
		var receipts []string
		for i := range 12 {
			receipts = append(receipts, a.answer("evry", i%11))
		}
		first, _ := shownFigures(t, s)
		a.delete(receipts[0])
		a.change(receipts[1], 9)
		hash, _ := s.seal.Hash("law", receipts[1])
		s.rdb.HIncrBy(ctx, s.keys.shownTally("law"), "asked||rating|scale0-10|2", 3)
		s.rdb.Del(ctx, s.keys.pending("law"))
		want := []Drift{{"shown asked||rating|scale0-10|2", 4, 1}, {"waiting " + hash, 0, 1}}
		for range 2 {
			got, err := s.Recount(ctx, "law", true)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			want = nil
		}
		if held, _ := shownFigures(t, s); held != first {
			t.Errorf("the repair let something out:\n%s", cmp.Diff(first, held))
		}
	})
}

// After any history of answers, edits, deletions and readings, two readings in a row differ by nobody or by at least k
// people of each segment, and all books are right.
func TestReadingsDifferByManyOrNobody(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, _ string) {
		rapid.Check(t, func(t *rapid.T) {
			s, err := New(rdb, Options{Prefix: redistest.Prefix(), Secret: secret, Now: func() time.Time { return evening }})
			if err != nil {
				t.Fatal(err)
			}
			h := history{s: s, standing: map[string]*Row{}}
			seen := spectator{history: &h}
			t.Repeat(map[string]func(*rapid.T){
				"submit": h.submit, "change": h.change, "delete": h.delete, "read": seen.read,
				"many submit": func(t *rapid.T) {
					for range k {
						h.submit(t)
					}
				},
			})
			h.check(t)
		})
	})
}

// spectator compares each reading with the one before.
type spectator struct {
	*history
	rows  map[string]Row
	tally figures.Tally
}

func (s *spectator) read(t *rapid.T) {
	ctx := context.Background()
	before, _ := s.s.rdb.HGetAll(ctx, s.s.keys.gone("law")).Result()
	rows, err := published(ctx, s.s)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := readTally(s.s.rdb.HGetAll(ctx, s.s.keys.shownTally("law")))
	if err != nil {
		t.Fatal(err)
	}
	after, _ := s.s.rdb.HGetAll(ctx, s.s.keys.gone("law")).Result()
	changed := map[string]int{}
	for hash, row := range rows {
		old, ok := s.rows[hash]
		switch {
		case !ok:
			changed[row.Segment]++
		case old.Segment != row.Segment:
			changed[old.Segment]++
			changed[row.Segment]++
		case !slices.Equal(old.Cells, row.Cells):
			changed[row.Segment]++
		}
	}
	for id, text := range before {
		if _, still := after[id]; !still {
			g, err := parseGone(text)
			if err != nil {
				t.Fatal(err)
			}
			changed[g.Segment]++
		}
	}
	for segment, n := range changed {
		if n < k {
			t.Fatalf("%d people of %q are seen between two readings", n, segment)
		}
	}
	if len(changed) == 0 && !maps.Equal(shown, s.tally) && s.tally != nil {
		t.Fatalf("nobody is seen, yet the figures differ: %s", cmp.Diff(s.tally, shown))
	}
	s.rows, s.tally = rows, shown
}
