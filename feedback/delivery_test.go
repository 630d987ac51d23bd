package feedback

import (
	"encoding/json"
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
	"jauge/programme"
)

// rooms is a programme that a test changes as it goes: the session that claims each room.
type rooms map[string]*programme.Session

func (r rooms) open(questions map[string]string) { r["forms/f1"] = asking(questions, "evry") }

// asking is a session that asks what bilingual does.
func asking(questions map[string]string, segments ...string) *programme.Session {
	session := &programme.Session{ID: "law", Survey: "asked", Questions: questions}
	for _, id := range segments {
		session.Segments = append(session.Segments, programme.Segment{ID: id})
	}
	return session
}

// filled is one person's form, with much that is nobody's business.
func filled(key string) Delivery {
	return Delivery{
		Source: "forms", Room: "f1", Key: key, Segment: "evry", Lang: "fr", At: evening, Foreign: true,
		Values: map[string]any{
			"r1": json.Number("8"), "r2": "Le droit", "r3": []any{"x", "Jane Doe"}, "r4": "Jane Doe", "r5": json.Number("33612345678"),
			"r6": "jane@example.test", "jane@example.test": "x", "r7": "oui", "r8": map[string]any{"Jane": "Doe"},
		},
	}
}

func deliver(t *testing.T, s *Store, d Delivery, r rooms) Received {
	t.Helper()
	got, err := s.Deliver(t.Context(), d, r[d.Source+"/"+d.Room])
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func reclaim(t *testing.T, s *Store, r rooms) int {
	t.Helper()
	n := 0
	err := s.EachAside(t.Context(), func(kept Kept) error {
		counted, err := s.Reclaim(t.Context(), kept, r[kept.Source+"/"+kept.Room])
		if counted {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// aside lists what is kept aside: "reason ref:code ref:code".
func aside(t *testing.T, s *Store) []string {
	t.Helper()
	all, err := s.Aside(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, a := range all {
		refs := strings.NewReplacer("map[", "", "]", "").Replace(fmt.Sprint(a.References)) // sorted
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s", a.Reason, refs)))
	}
	if counts, err := s.AsideCounts(t.Context()); err != nil || counts["forms"] != len(all) {
		t.Errorf("%v are counted, %d listed (%v)", counts, len(all), err)
	}
	return lines
}

// said is what a delivery's answer holds by now.
func said(t *testing.T, s *Store, session, key string) survey.Answers {
	t.Helper()
	d := Delivery{Source: "forms", Key: key}
	sub := sending{Session: session, Survey: bilingual(), Submission: Submission{Answers: survey.Answers{"rating": {"1"}}, Key: s.seal.name(d)}}
	receipt, _, err := prepare(t.Context(), s, sub)
	if err != nil {
		t.Fatal(err)
	}
	row, err := open(s, session, asked(), 0).Get(t.Context(), receipt)
	if err != nil {
		t.Fatal(err)
	}
	return row.Answers
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	all := map[string]string{"r1": "rating", "r2": "one", "r3": "many", "r4": "comment", "r5": "", "r6": "", "jane@example.test": "", "r7": "agree", "r8": ""}
	for _, row := range []struct {
		name  string
		room  *programme.Session
		spoil func(*Delivery)
		want  Received
		aside []string
		said  survey.Answers
	}{
		{"nobody's room", nil, nil, Received{Reason: NoSession},
			[]string{"no_session ?:unknown r1:unknown r2:unknown r3:unknown r4:unknown r5:unknown r6:unknown r7:unknown r8:unknown"}, nil},
		{"a session that asks nothing", &programme.Session{ID: "law"}, nil, Received{Session: "law", Reason: NoSurvey},
			[]string{"no_survey ?:unknown r1:unknown r2:unknown r3:unknown r4:unknown r5:unknown r6:unknown r7:unknown r8:unknown"}, nil},
		{"nothing is mapped", asking(nil, "evry"), nil, Received{Session: "law", Reason: Unmapped},
			[]string{"unmapped ?:unknown r1:unknown r2:unknown r3:unknown r4:unknown r5:unknown r6:unknown r7:unknown r8:unknown"}, nil},
		{"some is mapped", asking(map[string]string{"r1": "rating", "r3": "many", "r5": "now", "r6": "", "r8": "", "jane@example.test": ""}, "evry"),
			nil, Received{Session: "law", Recorded: true, Reason: Partly}, []string{"partly r2:unknown r3:choice r4:unknown r5:range r7:unknown"},
			survey.Answers{"rating": {"8"}, "many": {"x"}}},
		{"all is mapped or left out", asking(all, "evry"),
			func(d *Delivery) { d.Values["r3"] = []any{"x", "y"} }, Received{Session: "law", Recorded: true}, nil,
			survey.Answers{"rating": {"8"}, "one": {"law"}, "many": {"x", "y"}, "comment": {"Jane Doe"}, "agree": {"yes"}}},
		{"an audience that the session does not have", asking(all), nil,
			Received{Session: "law", Reason: Invalid}, []string{"invalid ?:unknown r1:unknown r2:unknown r3:unknown r4:unknown r5:unknown r6:unknown r7:unknown r8:unknown"}, nil},
		{"our own words, strictly", asking(nil),
			func(d *Delivery) {
				*d = Delivery{Source: "forms", Room: "f1", Key: "k", At: evening, Values: map[string]any{"rating": "8", "before": json.Number("2")}}
			},
			Received{Session: "law", Reason: Invalid}, []string{"invalid rating:type"}, nil},
		{"our own words without what is required", asking(nil),
			func(d *Delivery) {
				*d = Delivery{Source: "forms", Room: "f1", Key: "k", At: evening, Values: map[string]any{"before": json.Number("2")}}
			},
			Received{Session: "law", Reason: Invalid}, []string{"invalid rating:required"}, nil},
		{"our own words", asking(nil),
			func(d *Delivery) {
				*d = Delivery{Source: "forms", Room: "f1", Key: "k", At: evening, Values: map[string]any{"rating": json.Number("8")}}
			},
			Received{Session: "law", Recorded: true}, nil, survey.Answers{"rating": {"8"}}},
		{"nothing said", asking(nil, "evry"), func(d *Delivery) { d.Values = map[string]any{"rating": ""} },
			Received{Session: "law"}, nil, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, s *Store) {
				d, r := filled("k"), rooms{"forms/f1": row.room}
				if row.spoil != nil {
					row.spoil(&d)
				}
				for range 2 { // a redelivery changes nothing
					if diff := cmp.Diff(row.want, deliver(t, s, d, r)); diff != "" {
						t.Errorf("received (-want +got):\n%s", diff)
					}
				}
				if diff := cmp.Diff(row.aside, aside(t, s)); diff != "" {
					t.Errorf("aside (-want +got):\n%s", diff)
				}
				if row.said != nil {
					if diff := cmp.Diff(row.said, said(t, s, "law", "k")); diff != "" {
						t.Errorf("answer (-want +got):\n%s", diff)
					}
				}
				if n := reclaim(t, s, r); n != 0 {
					t.Errorf("%d were reclaimed although nothing changed", n)
				}
				if diff := cmp.Diff(row.aside, aside(t, s)); diff != "" {
					t.Errorf("aside after reclaiming (-want +got):\n%s", diff)
				}
				noPersonalText(t, s, row.said == nil || row.said["comment"] == nil)
			})
		})
	}
}

// noPersonalText reads everything that the store holds.
func noPersonalText(t *testing.T, s *Store, names bool) {
	t.Helper()
	secrets := []string{"example.test", "33612345678"}
	if names {
		secrets = append(secrets, "Jane", "Doe")
	}
	everything, err := s.rdb.HGetAll(t.Context(), s.keys.aside("forms")[0]).Result()
	if err != nil {
		t.Fatal(err)
	}
	for key, row := range everything {
		for _, secret := range secrets {
			if strings.Contains(key+row, secret) {
				t.Errorf("%q is kept: %s %s", secret, key, row)
			}
		}
	}
}

// What was put aside counts as soon as it can be used, step by step, and never twice.
func TestReclaim(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		r := rooms{}
		for i := range 3 {
			deliver(t, s, filled(fmt.Sprint(i)), r)
		}
		if n := reclaim(t, s, r); n != 0 {
			t.Errorf("%d of nobody's room counted", n)
		}
		r.open(nil)
		if n := reclaim(t, s, r); n != 0 || !strings.HasPrefix(aside(t, s)[0], "unmapped ") {
			t.Errorf("%d counted, aside %q", n, aside(t, s))
		}
		r.open(map[string]string{"r1": "rating", "r7": "agree", "r4": "comment", "?": "", "r5": "", "r6": "", "r8": ""})
		if n := reclaim(t, s, r); n != 3 {
			t.Errorf("%d counted", n)
		}
		if diff := cmp.Diff([]string{"partly r2:unknown r3:unknown", "partly r2:unknown r3:unknown", "partly r2:unknown r3:unknown"}, aside(t, s)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(survey.Answers{"rating": {"8"}, "agree": {"yes"}}, said(t, s, "law", "0")); diff != "" {
			t.Error(diff)
		}
		r.open(map[string]string{"r1": "rating", "r2": "one", "r3": "", "r7": "agree"})
		if n := reclaim(t, s, r); n != 3 || len(aside(t, s)) != 0 {
			t.Errorf("%d counted, aside %q", n, aside(t, s))
		}
		if diff := cmp.Diff(survey.Answers{"rating": {"8"}, "agree": {"yes"}, "one": {"law"}}, said(t, s, "law", "0")); diff != "" {
			t.Error(diff)
		}
		results, err := open(s, "law", bilingual(), 1).Results(t.Context())
		if err != nil || results.Respondents != 3 {
			t.Errorf("%d respondents (%v)", results.Respondents, err)
		}
		if drifts, err := s.Recount(t.Context(), "law", false); err != nil || len(drifts) > 0 {
			t.Errorf("%v %v", drifts, err)
		}
	})
}

// What a delivery brings later wins over what was put aside of it before.
func TestReclaimLeavesWhatIsRecorded(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		r := rooms{}
		r.open(map[string]string{"r1": "rating"})
		first, second := filled("k"), filled("k")
		first.Values = map[string]any{"r1": json.Number("3"), "r2": "Le droit"}
		second.Values = map[string]any{"r1": json.Number("9")}
		deliver(t, s, first, r)
		deliver(t, s, second, r)
		r.open(map[string]string{"r1": "rating", "r2": "one"})
		if n := reclaim(t, s, r); n != 0 || len(aside(t, s)) != 0 {
			t.Errorf("%d reclaimed, aside %q", n, aside(t, s))
		}
		if diff := cmp.Diff(survey.Answers{"rating": {"9"}}, said(t, s, "law", "k")); diff != "" {
			t.Error(diff)
		}
		r.open(map[string]string{"r1": "rating"})
		r["forms/f1"].ID = "other"
		third := filled("k3")
		third.Values = first.Values
		deliver(t, s, third, r)
		r.open(map[string]string{"r2": "one"}) // another session takes the room over: the person has answered in the first
		if n := reclaim(t, s, r); n != 0 || len(aside(t, s)) != 1 {
			t.Errorf("%d reclaimed, aside %q", n, aside(t, s))
		}
	})
}

// A form that reports as it is filled: parts come in any order, and the whole replaces them.
func TestPartialDeliveries(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		r := rooms{}
		r.open(nil)
		part := func(partial bool, values map[string]any) Delivery {
			return Delivery{Source: "forms", Room: "f1", Key: "k", At: evening, Foreign: true, Partial: partial, Values: values}
		}
		deliver(t, s, part(true, map[string]any{"rating": json.Number("3")}), r)
		deliver(t, s, part(true, map[string]any{"rating": json.Number("3"), "agree": true}), r)
		if diff := cmp.Diff(survey.Answers{"rating": {"3"}, "agree": {"yes"}}, said(t, s, "law", "k")); diff != "" {
			t.Error(diff)
		}
		deliver(t, s, part(false, map[string]any{"rating": json.Number("4"), "one": "law"}), r)
		deliver(t, s, part(true, map[string]any{"rating": json.Number("3")}), r) // late
		if diff := cmp.Diff(survey.Answers{"rating": {"4"}, "one": {"law"}}, said(t, s, "law", "k")); diff != "" {
			t.Error(diff)
		}
	})
}

func TestDeletedDeliveryStaysDeleted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		r := rooms{}
		r.open(map[string]string{"r1": "rating"})
		d := filled("k")
		deliver(t, s, d, r)
		if err := open(s, "law", asked(), 0).Delete(t.Context(), s.seal.CodeOf("law", s.seal.name(d))); err != nil {
			t.Fatal(err)
		}
		r.open(map[string]string{"r1": "rating", "r2": "one"})
		if n := reclaim(t, s, r); n != 0 || len(aside(t, s)) != 0 {
			t.Errorf("%d reclaimed, aside %q", n, aside(t, s))
		}
		if got := deliver(t, s, d, r); got.Recorded || len(aside(t, s)) != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestAsideIsKeptForAWeek(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		now := evening
		s := newStore(t, rdb, prefix, func(o *Options) { o.Now = func() time.Time { return now } })
		deliver(t, s, filled("old"), rooms{})
		now = evening.Add(AsideFor - 2*time.Hour)
		deliver(t, s, filled("old"), rooms{}) // again: as old as it was
		deliver(t, s, filled("new"), rooms{})
		if n := len(aside(t, s)); n != 2 {
			t.Errorf("%d before a week", n)
		}
		now = evening.Add(AsideFor + time.Hour)
		if n, err := s.ExpireAside(t.Context()); n != 1 || err != nil {
			t.Errorf("%d expired (%v)", n, err)
		}
		if n := len(aside(t, s)); n != 1 {
			t.Errorf("%d after a week", n)
		}
		now = now.Add(AsideFor)
		if n, err := s.ExpireAside(t.Context()); n != 1 || err != nil {
			t.Errorf("%d expired (%v)", n, err)
		}
		left, _, err := rdb.Scan(t.Context(), 0, prefix+"*", 10_000).Result()
		if diff := cmp.Diff([]string{s.keys.asideSources()}, left); err != nil || diff != "" {
			t.Errorf("left behind (%v): %s", err, diff)
		}
	})
}

// Where a bound is reached, what comes new is dropped and counted; no other source's or room's deliveries are.
func TestAsideIsBounded(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		bounds asideBounds
		rooms  int
		kept   int
	}{
		{"of a source", asideBounds{10, 100, 100}, 3, 10},
		{"of a room", asideBounds{100, 5, 100}, 2, 10},
		{"of the rooms", asideBounds{100, 100, 4}, 8, 12},
		{"none is reached", asideBounds{24, 8, 3}, 3, 24},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, s *Store) {
				s.bounds = row.bounds
				lost := map[string]int{}
				s.ObserveDropped(func(source string, n int) { lost[source] += n })
				quiet := filled("quiet")
				quiet.Source = "quiet"
				deliver(t, s, quiet, rooms{})
				for range 2 { // what is kept is no new delivery
					for i := range 24 {
						d := filled(fmt.Sprint(i))
						d.Room = fmt.Sprint("f", 1+i%row.rooms)
						if got := deliver(t, s, d, rooms{}); got.Reason != NoSession {
							t.Fatalf("%+v", got)
						}
					}
				}
				if diff := cmp.Diff(map[string]int{"forms": 2 * (24 - row.kept)}, lost, cmpopts.EquateEmpty()); row.kept < 24 && diff != "" {
					t.Errorf("dropped: %s", diff)
				}
				counts, err := s.AsideCounts(t.Context())
				if diff := cmp.Diff(map[string]int{"forms": row.kept, "quiet": 1}, counts); err != nil || diff != "" {
					t.Errorf("%v %s", err, diff)
				}
				r := rooms{}
				r.open(map[string]string{"r1": "rating", "r2": "", "r3": "", "r4": "", "r5": "", "r6": "", "r7": "", "r8": "", "?": ""})
				if n := reclaim(t, s, r); n == 0 {
					t.Error("what was kept does not count")
				}
				late := filled("late") // there is place again
				late.Room = "f9"
				if deliver(t, s, late, rooms{}); lost["forms"] != 2*(24-row.kept) {
					t.Error("dropped although there is place")
				}
			})
		})
	}
}

// What an earlier version kept aside under one key is taken over, whole and as old as it was.
func TestAsideOfBeforeIsTakenOver(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		deliver(t, s, filled("k"), rooms{})
		key := s.seal.name(filled("k"))
		row := s.rdb.HGet(t.Context(), s.keys.aside("forms")[0], key).Val()
		if err := s.forget(t.Context(), key); err != nil || len(aside(t, s)) != 0 {
			t.Fatal(err)
		}
		s.bounds = asideBounds{1, 1, 1}
		for i := range asidePage + 2 {
			key := fmt.Sprint("forms:", i)
			s.rdb.HSet(t.Context(), s.keys.asideBefore()[0], key, row)
			s.rdb.ZAdd(t.Context(), s.keys.asideBefore()[1], redis.Z{Score: float64(s.now().Add(-time.Hour).Unix()), Member: key})
		}
		reclaim(t, s, rooms{})
		all, err := s.Aside(t.Context())
		if err != nil || len(all) != asidePage+2 || !all[0].ReceivedAt.Equal(s.now().Add(-time.Hour)) {
			t.Errorf("%d taken over (%v)", len(all), err)
		}
		if n := s.rdb.Exists(t.Context(), s.keys.asideBefore()...).Val(); n != 0 {
			t.Errorf("%d keys are left", n)
		}
	})
}

// With the store away, a delivery waits in the journal, and nobody's room does no harm there either.
func TestDeliveriesGoThroughTheJournal(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		dir := t.TempDir()
		j, err := journal.Open(dir, journal.Options{Mode: journal.Ahead})
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		s = newStore(t, s.rdb, s.keys.prefix, journaled(j))
		s.bounds = asideBounds{2, 2, 2}
		r := rooms{}
		deliver(t, s, filled("k"), r)
		r.open(map[string]string{"r1": "rating"})
		deliver(t, s, filled("k2"), r)
		delete(r, "forms/f1")
		deliver(t, s, filled("dropped"), r)
		before := aside(t, s)
		if err := s.rdb.Del(t.Context(), append(s.keys.aside("forms"), s.keys.rows("law"), s.keys.tally("law"))...).Err(); err != nil {
			t.Fatal(err)
		}
		if err := j.Replay(t.Context(), nil, nil); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, aside(t, s)); diff != "" || len(before) != 2 {
			t.Errorf("%q: %s", before, diff)
		}
		if diff := cmp.Diff(survey.Answers{"rating": {"8"}}, said(t, s, "law", "k2")); diff != "" {
			t.Error(diff)
		}
	})
}
