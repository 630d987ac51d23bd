package feedback

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/feedback/survey"
	"jauge/internal/redistest"
	"jauge/programme"
)

// What holds for a session's answers is the stricter of what is configured and what was promised before; answers of minors are
// never linked, whatever is configured.
func TestOpenTightensWhatWasPromised(t *testing.T) {
	t.Parallel()
	waved := waves()
	waved.Waves = []survey.Wave{{ID: "a"}, {ID: "b"}}
	for name, test := range map[string]struct {
		before *Promise
		minors bool
		want   Promise
	}{
		"nobody has answered":        {nil, false, Promise{Linked: true, MinimumGroup: 5}},
		"minors":                     {nil, true, Promise{MinimumGroup: 5, Minors: true}},
		"as before":                  {&Promise{Linked: true, MinimumGroup: 5}, false, Promise{Linked: true, MinimumGroup: 5}},
		"more was promised":          {&Promise{MinimumGroup: 8, Minors: true}, false, Promise{MinimumGroup: 8, Minors: true}},
		"less was promised":          {&Promise{Linked: true, MinimumGroup: 2}, true, Promise{MinimumGroup: 5, Minors: true}},
		"minors were promised links": {&Promise{Linked: true, MinimumGroup: 5, Minors: true}, false, Promise{MinimumGroup: 5, Minors: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, s *Store) {
				if test.before != nil {
					mustSubmit(t, s, sending{Session: "law", Survey: asked(), Promise: *test.before, Submission: Submission{Answers: survey.Answers{"rating": {"4"}}}})
					if test.before.Minors && test.before.Linked { // of an earlier version
						s.rdb.HSet(t.Context(), s.keys.promise("law"), "level", survey.Linked)
					}
				}
				s = with(s, map[string]*survey.Survey{"waves": waved}, 5)
				a, err := s.Open(t.Context(), programme.Session{ID: "law", Survey: "waves", Minors: test.minors})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.want, a.Promise); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
	s := newStore(t, nil, "")
	if _, err := s.Open(t.Context(), programme.Session{ID: "law"}); !errors.Is(err, ErrNoSurvey) {
		t.Errorf("a session that asks nothing: %v", err)
	}
}

// Who opened a session while the store was away is shown nothing before what was promised is known.
func TestNothingIsShownBeforeThePromiseIsRead(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		for range 2*k + 1 {
			mustSubmit(t, newStore(t, rdb, prefix), sending{
				Session: "law", Survey: asked(), Promise: Promise{MinimumGroup: 2*k + 2, Minors: true},
				Submission: Submission{Answers: survey.Answers{"rating": {"4"}}},
			})
		}
		cuttable, line := redistest.Cuttable(t, rdb)
		s := newStore(t, cuttable, prefix)
		line.Cut()
		a := open(s, "law", asked(), k)
		if _, err := a.Results(t.Context()); err == nil {
			t.Error("results without the store")
		}
		line.Mend()
		r, err := a.Results(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range r.Questions {
			if q.Kind == survey.FreeText || q.N != nil {
				t.Errorf("shown: %+v", q)
			}
		}
		if _, err := a.Rows(t.Context()); !errors.Is(err, ErrMinors) {
			t.Errorf("rows: %v", err)
		}
	})
}
