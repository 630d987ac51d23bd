package feedback

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/feedback/figures"
	"jauge/feedback/survey"
	"jauge/internal/journal"
	"jauge/internal/redistest"
	"jauge/programme"
)

var (
	secret  = []byte("a secret of the tests, 32 bytes.")
	evening = time.Date(2020, 4, 30, 18, 42, 17, 0, time.FixedZone("CEST", 2*60*60))
)

func newStore(t testing.TB, rdb redis.UniversalClient, prefix string, change ...func(*Options)) *Store {
	t.Helper()
	o := Options{Prefix: prefix, Secret: secret, Now: func() time.Time { return evening }, Surveys: map[string]*survey.Survey{"asked": bilingual()}}
	for _, c := range change {
		c(&o)
	}
	s, err := New(rdb, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// journaled lets a store write through a journal.
func journaled(j *journal.Journal) func(*Options) { return func(o *Options) { o.Journal = j } }

// each runs a test on a store over redis-server and on one over the embedded store.
func each(t *testing.T, f func(t *testing.T, s *Store)) {
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) { f(t, newStore(t, rdb, prefix)) })
}

// sending is a submission with what it answers, and what was promised.
type sending struct {
	Session string
	Survey  *survey.Survey
	Promise Promise
	Submission
}

func (f sending) open(ctx context.Context, s *Store) *Asked {
	return s.open(ctx, programme.Session{ID: f.Session}, terms{f.Survey, f.Promise})
}

func submit(ctx context.Context, s *Store, f sending) (receipt string, err error) {
	return f.open(ctx, s).Submit(ctx, f.Submission)
}

func prepare(ctx context.Context, s *Store, f sending) (receipt string, e entry, err error) {
	return f.open(ctx, s).prepare(ctx, f.Submission)
}

// open opens what a session asks for whoever reads.
func open(s *Store, session string, survey *survey.Survey, minimumGroup int, segments ...string) *Asked {
	planned := programme.Session{ID: session}
	for _, id := range segments {
		planned.Segments = append(planned.Segments, programme.Segment{ID: id})
	}
	return s.open(context.Background(), planned, terms{survey, Promise{MinimumGroup: minimumGroup}})
}

// with is a store of another configuration.
func with(s *Store, surveys map[string]*survey.Survey, minimumGroup int) *Store {
	other := *s
	other.surveys, other.minimumGroup = surveys, minimumGroup
	return &other
}

func submission(answers survey.Answers) sending {
	return sending{Session: "law", Survey: asked(), Submission: Submission{Segment: "evry", Lang: "fr", Answers: answers}}
}

func mustSubmit(t *testing.T, s *Store, sub sending) string {
	t.Helper()
	receipt, err := submit(t.Context(), s, sub)
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

func mustTally(t testing.TB, s *Store, session string) figures.Tally {
	t.Helper()
	got, err := readTally(s.rdb.HGetAll(context.Background(), s.keys.tally(session)))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestNewRefusesShortSecret(t *testing.T) {
	t.Parallel()
	if _, err := New(nil, Options{Secret: secret[:31]}); err == nil {
		t.Error("31 bytes are taken")
	}
}

func TestSubmitAndGet(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		answers := survey.Answers{"rating": {"4"}, "before": {"2"}, "now": {"4"}, "many": {"x", "z"}, "comment": {"Merci"}}
		receipt := mustSubmit(t, s, submission(answers))
		if !regexp.MustCompile(`^([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$`).MatchString(receipt) {
			t.Errorf("receipt %q", receipt)
		}
		got, err := open(s, "law", asked(), 0).Get(t.Context(), receipt)
		if err != nil {
			t.Fatal(err)
		}
		want := Row{
			Survey: "asked", Version: asked().Version(), Segment: "evry", Lang: "fr", At: time.Date(2020, 4, 30, 16, 0, 0, 0, time.UTC), Answers: answers,
			Cells: []string{
				"asked||||", "asked|evry|||",
				"asked||before|scale1-5|", "asked|evry|before|scale1-5|", "asked||before|scale1-5|2", "asked|evry|before|scale1-5|2",
				"asked||rating|scale0-10|", "asked|evry|rating|scale0-10|", "asked||rating|scale0-10|4", "asked|evry|rating|scale0-10|4",
				"asked||many|choices:05609603|", "asked|evry|many|choices:05609603|", "asked||many|choices:05609603|x", "asked|evry|many|choices:05609603|x", "asked||many|choices:05609603|z", "asked|evry|many|choices:05609603|z",
				"asked||now|scale1-5|", "asked|evry|now|scale1-5|", "asked||now|scale1-5|4", "asked|evry|now|scale1-5|4",
				"asked||now|pair:before:scale1-5|up", "asked|evry|now|pair:before:scale1-5|up",
				"asked||comment|text|", "asked|evry|comment|text|",
				"asked|||version:" + asked().Version() + "|",
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if _, err := open(s, "law", asked(), 0).Get(t.Context(), strings.ToLower(strings.ReplaceAll(receipt, "-", ""))); err != nil {
			t.Errorf("the receipt without dashes: %v", err)
		}
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		ctx, ok := t.Context(), survey.Answers{"rating": {"4"}}
		receipt := mustSubmit(t, s, submission(ok))
		_, empty := submit(ctx, s, submission(survey.Answers{}))
		bad := submission(ok)
		bad.Segment = "a|b"
		_, segment := submit(ctx, s, bad)
		_, otherSession := open(s, "cordee", asked(), 0).Get(ctx, receipt)
		_, garbage := open(s, "law", asked(), 0).Get(ctx, "nobody's")
		_, never := open(s, "law", asked(), 0).Get(ctx, "0000-0000-0000-0000")
		tests := map[string]struct{ got, want error }{
			"nothing answered":      {empty, ErrEmpty},
			"change to nothing":     {open(s, "law", asked(), 0).Change(ctx, receipt, nil, "fr"), ErrEmpty},
			"segment":               {segment, ErrSegment},
			"receipt elsewhere":     {otherSession, ErrNotFound},
			"no receipt":            {garbage, ErrNotFound},
			"receipt never given":   {never, ErrNotFound},
			"change of no receipt":  {open(s, "law", asked(), 0).Change(ctx, "", ok, "fr"), ErrNotFound},
			"delete of no receipt":  {open(s, "law", asked(), 0).Delete(ctx, "0000-0000-0000-0000"), ErrNotFound},
			"delete":                {open(s, "law", asked(), 0).Delete(ctx, receipt), nil},
			"delete again":          {open(s, "law", asked(), 0).Delete(ctx, receipt), ErrDeleted},
			"change of the deleted": {open(s, "law", asked(), 0).Change(ctx, receipt, ok, "fr"), ErrDeleted},
		}
		for name, test := range tests {
			if !errors.Is(test.got, test.want) {
				t.Errorf("%s: %v, not %v", name, test.got, test.want)
			}
		}
		if _, err := open(s, "law", asked(), 0).Get(ctx, receipt); !errors.Is(err, ErrDeleted) {
			t.Errorf("get of the deleted: %v", err)
		}
	})
}

// The store holds no receipt and no exact time, in no key, field or value.
func TestNothingInClear(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		sub := submission(survey.Answers{"rating": {"4"}})
		sub.Key = "form:8f2c61"
		receipt := mustSubmit(t, s, sub)
		_, e, err := prepare(t.Context(), s, sub)
		if err != nil {
			t.Fatal(err)
		}
		entry, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		dump := string(entry)
		for _, key := range []string{s.keys.rows("law"), s.keys.tally("law")} {
			fields, err := s.rdb.HGetAll(t.Context(), key).Result()
			if err != nil || len(fields) == 0 {
				t.Fatalf("%s: %v, %v", key, fields, err)
			}
			dump += fmt.Sprint(key, fields)
		}
		for _, clear := range []string{receipt, strings.ReplaceAll(receipt, "-", ""), "8f2c61", "42:17", fmt.Sprint(evening.Unix())} {
			if strings.Contains(dump, clear) {
				t.Errorf("%q is there in clear", clear)
			}
		}
	})
}

func TestChangeMovesTallies(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		receipt := mustSubmit(t, s, submission(survey.Answers{"rating": {"4"}, "before": {"2"}, "now": {"4"}}))
		before := mustTally(t, s, "law")
		if err := open(s, "law", asked(), 0).Change(t.Context(), receipt, survey.Answers{"rating": {"5"}, "before": {"4"}, "now": {"2"}}, "en"); err != nil {
			t.Fatal(err)
		}
		after := mustTally(t, s, "law")
		for _, cell := range []string{"asked||rating|scale0-10|4", "asked|evry|now|pair:before:scale1-5|up"} {
			if _, ok := after[cell]; before[cell] != 1 || ok {
				t.Errorf("%s: %d, then %d", cell, before[cell], after[cell])
			}
		}
		for cell, want := range map[string]int{"asked||||": 1, "asked||rating|scale0-10|5": 1, "asked|evry|now|pair:before:scale1-5|down": 1} {
			if after[cell] != want {
				t.Errorf("%s: %d, not %d", cell, after[cell], want)
			}
		}
		if err := open(s, "law", asked(), 0).Delete(t.Context(), receipt); err != nil {
			t.Fatal(err)
		}
		if left := mustTally(t, s, "law"); len(left) != 0 {
			t.Errorf("deleted, yet counted: %v", left)
		}
	})
}

func TestApplyIsIdempotentAndOrderFree(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		receipt, first, err := prepare(ctx, s, submission(survey.Answers{"rating": {"1"}}))
		if err != nil {
			t.Fatal(err)
		}
		second, rival, third := first, first, first
		rival.Revision, rival.Row = 2, newRow(asked(), survey.Answers{"rating": {"9"}}, "evry", "", "fr", evening)
		second.Revision, second.Row = 2, newRow(asked(), survey.Answers{"rating": {"2"}}, "evry", "", "fr", evening)
		third.Revision, third.Row = 3, nil
		steps := []struct {
			entry  entry
			want   outcome
			rating string
		}{
			{second, recorded, "2"},
			{first, superseded, "2"},
			{second, duplicate, "2"},
			{rival, superseded, "2"},
			{third, recorded, ""},
			{third, duplicate, ""},
			{second, deleted, ""},
			{first, deleted, ""},
		}
		for i, step := range steps {
			got, err := s.apply(ctx, step.entry)
			if err != nil || got != step.want {
				t.Fatalf("step %d: %s, %v, not %s", i, got, err, step.want)
			}
			want := figures.Tally{}
			if step.rating != "" {
				for _, key := range figures.Cells(asked(), "evry", "", survey.Answers{"rating": {step.rating}}) {
					want[key]++
				}
			}
			if diff := cmp.Diff(want, mustTally(t, s, "law")); diff != "" {
				t.Errorf("step %d: %s", i, diff)
			}
		}
		if _, err := open(s, "law", asked(), 0).Get(ctx, receipt); !errors.Is(err, ErrDeleted) {
			t.Error(err)
		}
	})
}

func TestKeyMakesARepetitionAnEdit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		sub := submission(survey.Answers{"rating": {"1"}})
		sub.Key = "typeform-main:r-1"
		receipt := mustSubmit(t, s, sub)
		if again := mustSubmit(t, s, sub); again != receipt {
			t.Errorf("receipts %s and %s", receipt, again)
		}
		sub.At = evening.Add(24 * time.Hour)
		sub.Answers = survey.Answers{"rating": {"2"}}
		if again := mustSubmit(t, s, sub); again != receipt {
			t.Errorf("receipts %s and %s", receipt, again)
		}
		row, err := open(s, "law", asked(), 0).Get(t.Context(), receipt)
		if err != nil || row.Answers["rating"].String() != "2" || !row.At.Equal(evening.Truncate(time.Hour)) {
			t.Errorf("%+v, %v", row, err)
		}
		if n := mustTally(t, s, "law")["asked||||"]; n != 1 {
			t.Errorf("%d respondents", n)
		}
		sub.Session = "cordee"
		if elsewhere := mustSubmit(t, s, sub); elsewhere == receipt {
			t.Error("the same receipt in another session")
		}
		sub.Session = "law"
		if err := open(s, "law", asked(), 0).Delete(t.Context(), receipt); err != nil {
			t.Fatal(err)
		}
		if _, err := submit(t.Context(), s, sub); !errors.Is(err, ErrDeleted) {
			t.Errorf("a redelivery after the deletion: %v", err)
		}
	})
}

// With the store away, a submission is prepared for the journal all the same, and lands once the store is back.
func TestPrepareWithTheStoreAway(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		gone := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1, DialTimeout: time.Second})
		defer gone.Close()
		away := newStore(t, gone, s.keys.prefix)
		sub := submission(survey.Answers{"rating": {"2"}})
		plain, e1, err1 := prepare(t.Context(), away, sub)
		sub.Key = "form:8f2c61"
		mustSubmit(t, s, sub)
		sub.Answers = survey.Answers{"rating": {"3"}}
		keyed, e2, err2 := prepare(t.Context(), away, sub)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if _, err := away.apply(t.Context(), e1); err == nil {
			t.Error("applied to a store that is away")
		}
		for _, e := range []entry{e1, e2, e2, e1} {
			var back entry
			b, err := json.Marshal(e)
			if err == nil {
				err = json.Unmarshal(b, &back)
			}
			if err == nil {
				_, err = s.apply(t.Context(), back)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for receipt, want := range map[string]string{plain: "2", keyed: "3"} {
			if row, err := open(s, "law", asked(), 0).Get(t.Context(), receipt); err != nil || row.Answers["rating"].String() != want {
				t.Errorf("%v, %v, not %s", row.Answers, err, want)
			}
		}
		if n := mustTally(t, s, "law")["asked||||"]; n != 2 {
			t.Errorf("%d respondents", n)
		}
		if _, err := open(away, "law", asked(), 0).Get(t.Context(), plain); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("a store that is away says %v", err)
		}
	})
}

func TestRecountFindsAndRepairs(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		if drifts, err := s.Recount(ctx, "nothing", true); err != nil || drifts != nil {
			t.Errorf("an empty session: %v, %v", drifts, err)
		}
		mustSubmit(t, s, submission(survey.Answers{"rating": {"4"}}))
		s.rdb.HIncrBy(ctx, s.keys.tally("law"), "asked||rating|scale0-10|4", 2)
		s.rdb.HSet(ctx, s.keys.tally("law"), "asked||rating|scale0-10|9", 1)
		s.rdb.HDel(ctx, s.keys.tally("law"), "asked|evry|||")
		want := []Drift{{"asked|evry|||", 0, 1}, {"asked||rating|scale0-10|4", 3, 1}, {"asked||rating|scale0-10|9", 1, 0}}
		for _, repair := range []bool{false, true} {
			got, err := s.Recount(ctx, "law", repair)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("repair %t: %s", repair, diff)
			}
		}
		if drifts, err := s.Recount(ctx, "law", false); err != nil || drifts != nil {
			t.Errorf("after the repair: %v, %v", drifts, err)
		}
	})
}

// Many people at once, some of them on the same answer: nothing is lost, nothing counted twice.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		shared := submission(survey.Answers{"rating": {"0"}})
		shared.Key = "form:shared"
		receipt := mustSubmit(t, s, shared)
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				rating := survey.Answers{"rating": {fmt.Sprint(i % 11)}, "before": {"3"}, "now": {fmt.Sprint(1 + i%5)}}
				mine, err := submit(ctx, s, submission(rating))
				if err != nil {
					t.Error(err)
					return
				}
				if err := open(s, "law", asked(), 0).Change(ctx, mine, survey.Answers{"rating": {"7"}}, "fr"); err != nil {
					t.Error(err)
				}
				if err := open(s, "law", asked(), 0).Change(ctx, receipt, rating, "fr"); err != nil && !errors.Is(err, ErrConflict) {
					t.Error(err)
				}
				if i%2 == 0 {
					if err := open(s, "law", asked(), 0).Delete(ctx, mine); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		drifts, err := s.Recount(ctx, "law", false)
		if err != nil || drifts != nil {
			t.Errorf("%v, %v", drifts, err)
		}
		got := mustTally(t, s, "law")
		if got["asked||||"] != 9 || got["asked||rating|scale0-10|7"] < 8 {
			t.Errorf("counted %v", got)
		}
	})
}

// TestWhatIsPromisedIsOnlyTightened by the store itself: of two replicas with other configurations, which both opened the session
// before anybody had answered, none knows of the other's promise.
func TestWhatIsPromisedIsOnlyTightened(t *testing.T) {
	t.Parallel()
	strict := Promise{MinimumGroup: 8, Minors: true}
	loose := Promise{MinimumGroup: 5, Linked: true}
	for name, order := range map[string][2]Promise{"the strict one is first": {strict, loose}, "the loose one is first": {loose, strict}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, s *Store) {
				var opened [2]*Asked
				sub := submission(survey.Answers{"rating": {"4"}})
				for i, promise := range order {
					sub.Promise = promise
					opened[i] = sub.open(t.Context(), s)
				}
				for _, a := range opened {
					if _, err := a.Submit(t.Context(), sub.Submission); err != nil {
						t.Fatal(err)
					}
				}
				got, err := s.told(t.Context(), "law")
				if err != nil || *got != strict {
					t.Errorf("promised %+v (%v), not %+v", got, err, strict)
				}
			})
		})
	}
}
