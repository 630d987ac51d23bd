package feedback

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"jauge/feedback/figures"
	"jauge/feedback/survey"
	"jauge/internal/redistest"
)

// After any sequence of submissions, edits, changes and deletions, with journal entries replayed among them in any order,
// the tallies are those of the answers that stand, and recounting them agrees.
func TestTalliesAreThoseOfTheAnswers(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, _ string) {
		rapid.Check(t, func(t *rapid.T) {
			s, err := New(rdb, Options{Prefix: redistest.Prefix(), Secret: secret, Now: func() time.Time { return evening }})
			if err != nil {
				t.Fatal(err)
			}
			h := history{s: s, standing: map[string]*Row{}}
			t.Repeat(map[string]func(*rapid.T){
				"submit": h.submit, "change": h.change, "delete": h.delete, "replay": h.replay, "": h.check,
			})
		})
	})
}

// history is the reference: the answers that stand, by receipt hash.
type history struct {
	s        *Store
	receipts []string
	entries  []entry
	standing map[string]*Row
}

// apply writes an entry made just now, which therefore wins.
func (h *history) apply(t *rapid.T, e entry) {
	if _, err := h.s.apply(context.Background(), e); err != nil {
		t.Fatal(err)
	}
	h.entries = append(h.entries, e)
	h.standing[e.ReceiptHash] = e.Row
}

func (h *history) submit(t *rapid.T) {
	sub := sending{Session: "law", Survey: every(), Promise: Promise{Linked: true}, Submission: Submission{
		Answers: drawAnswers(t), Segment: rapid.SampledFrom([]string{"", "evry", "colombes"}).Draw(t, "segment"),
		Key: rapid.SampledFrom([]string{"", "", "form:1", "form:2"}).Draw(t, "key"), Unlinked: true, // under codes, and a change may add a wave
	}}
	receipt, e, err := prepare(context.Background(), h.s, sub)
	if row, known := h.standing[h.keyed(sub.Key)]; known && row == nil {
		if !errors.Is(err, ErrDeleted) {
			t.Fatalf("a key whose answer was deleted: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	h.apply(t, e)
	if !slices.Contains(h.receipts, receipt) {
		h.receipts = append(h.receipts, receipt)
	}
}

func (h *history) keyed(key string) string {
	hash, _ := h.s.seal.Hash("law", h.s.seal.CodeOf("law", key))
	return hash
}

func (h *history) change(t *rapid.T) {
	receipt, ok := h.someone(t)
	if !ok {
		return
	}
	answers := drawAnswers(t)
	e, err := open(h.s, "law", every(), 0).prepareChange(context.Background(), receipt, answers, "en")
	hash, _ := h.s.seal.Hash("law", receipt)
	if old := h.standing[hash]; err == nil && old != nil {
		if diff := cmp.Diff(answeredAgain(old.Answers, answers), e.Row.Answers); diff != "" {
			t.Fatal(diff)
		}
	}
	h.applyUnlessDeleted(t, receipt, e, err)
}

// answeredAgain is the reference for a change: a wave that is answered again has the new answers, the others the old ones.
func answeredAgain(old, again survey.Answers) survey.Answers {
	both := survey.Answers{}
	for _, wave := range every().WaveIDs() {
		from := old
		items := every().In(wave).All()
		if slices.ContainsFunc(items, func(q survey.Question) bool { return again[q.ID] != nil }) {
			from = again
		}
		for _, q := range items {
			if v, ok := from[q.ID]; ok {
				both[q.ID] = v
			}
		}
	}
	return both
}

func (h *history) delete(t *rapid.T) {
	receipt, ok := h.someone(t)
	if !ok {
		return
	}
	e, err := open(h.s, "law", asked(), 0).prepareDelete(context.Background(), receipt)
	h.applyUnlessDeleted(t, receipt, e, err)
}

// someone draws a receipt; false while nobody has answered.
func (h *history) someone(t *rapid.T) (string, bool) {
	if len(h.receipts) == 0 {
		return "", false
	}
	return rapid.SampledFrom(h.receipts).Draw(t, "receipt"), true
}

func (h *history) applyUnlessDeleted(t *rapid.T, receipt string, e entry, err error) {
	hash, _ := h.s.seal.Hash("law", receipt)
	if h.standing[hash] == nil {
		if !errors.Is(err, ErrDeleted) {
			t.Fatalf("a deleted answer: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	h.apply(t, e)
}

// replay applies an old entry again, which must change nothing.
func (h *history) replay(t *rapid.T) {
	if len(h.entries) == 0 {
		return
	}
	outcome, err := h.s.apply(context.Background(), rapid.SampledFrom(h.entries).Draw(t, "entry"))
	if err != nil || outcome == recorded {
		t.Fatal(outcome, err)
	}
}

func (h *history) check(t *rapid.T) {
	want := figures.Tally{}
	for _, row := range h.standing {
		if row != nil {
			for _, key := range figures.Cells(every(), row.Segment, row.Stay, row.Answers) {
				want[key]++
			}
		}
	}
	got, err := readTally(h.s.rdb.HGetAll(context.Background(), h.s.keys.tally("law")))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	if drifts, err := h.s.Recount(context.Background(), "law", false); err != nil || drifts != nil {
		t.Fatal(drifts, err)
	}
}

// drawAnswers draws what one person says, in one wave or in several, to questions of every kind.
func drawAnswers(t *rapid.T) survey.Answers {
	s := every()
	waves := rapid.SliceOfNDistinct(rapid.SampledFrom(s.WaveIDs()), 1, 3, rapid.ID).Draw(t, "waves")
	all := survey.Answers{}
	for _, wave := range waves {
		asked := s.In(wave)
		form := survey.Answers{}
		for _, q := range asked.All() {
			if v := drawValue(t, q); len(v) > 0 {
				form[q.ID] = v
			}
		}
		answers, errs := survey.ParseForm(asked, asked.Form(form)) // without what is not shown
		if errs != nil {
			t.Fatal(errs)
		}
		maps.Copy(all, answers)
	}
	return all
}

// drawValue draws an answer to an item; a question that everybody is asked, and a required one, always have one.
func drawValue(t *rapid.T, q survey.Question) survey.Value {
	picks := 1
	switch {
	case !q.Required && !strings.HasPrefix(q.ID, "interest") && rapid.Bool().Draw(t, "skip "+q.ID):
		return nil
	case q.IsText():
		return survey.Value{"Merci"}
	case q.Kind == survey.Multiple || q.Kind == survey.Ranking:
		picks = len(q.Values())
	}
	v := survey.Value(rapid.SliceOfNDistinct(rapid.SampledFrom(q.Values()), 1, picks, rapid.ID).Draw(t, q.ID))
	v, err := q.Read(v)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
