package feedback

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/feedback/survey"
	"jauge/internal/journal"
	"jauge/internal/redistest"
)

func mustInvite(t *testing.T, s *Store, segment string, n int) []string {
	t.Helper()
	tokens, err := open(s, "law", asked(), 0).Invite(t.Context(), segment, n)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// invited says of an invitation "segment", "segment used" or why it is none.
func invited(t *testing.T, s *Store, token string) string {
	t.Helper()
	segment, used, err := open(s, "law", asked(), 0).Invitation(t.Context(), token)
	switch {
	case err != nil:
		return err.Error()
	case used:
		return segment + " used"
	}
	return segment
}

func invitedSubmission(token, key string) sending {
	sub := submission(survey.Answers{"rating": {"4"}})
	sub.Invitation, sub.Key, sub.Segment = token, key, "elsewhere"
	return sub
}

func TestInvitations(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		tokens := mustInvite(t, s, "evry", 3)
		if _, err := open(s, "law", asked(), 0).Invite(ctx, "a|b", 1); !errors.Is(err, ErrSegment) {
			t.Errorf("a segment that is no id: %v", err)
		}
		for _, n := range []int{0, MaxInvitations + 1} {
			if _, err := open(s, "law", asked(), 0).Invite(ctx, "", n); err == nil {
				t.Errorf("%d invitations", n)
			}
		}
		form, other := invitedSubmission(tokens[0], "form:one"), invitedSubmission(tokens[0], "form:two")
		receipt := mustSubmit(t, s, form)
		row, err := open(s, "law", asked(), 0).Get(ctx, receipt)
		if err != nil || row.Segment != "evry" {
			t.Errorf("%+v %v: not the invitation's segment", row, err)
		}
		form.Answers = survey.Answers{"rating": {"9"}}
		if again := mustSubmit(t, s, form); again != receipt {
			t.Errorf("the same form again: %s, not %s", again, receipt)
		}
		empty := invitedSubmission(tokens[1], "form:three")
		empty.Answers = nil
		unkeyed := invitedSubmission(tokens[2], "")
		mustSubmit(t, s, unkeyed)
		for name, test := range map[string]struct {
			sub  sending
			want error
		}{
			"another form":             {other, ErrUsed},
			"a program, twice":         {unkeyed, ErrUsed},
			"nothing answered":         {empty, ErrEmpty},
			"no invitation":            {invitedSubmission(strings.Repeat("A", 26), "form:x"), ErrUninvited},
			"nothing like one":         {invitedSubmission("x", "form:x"), ErrUninvited},
			"of another session":       {sending{Session: "cordee", Survey: asked(), Submission: Submission{Answers: form.Answers, Invitation: tokens[1]}}, ErrUninvited},
			"a change by a used form":  {form, nil},
			"by another after failure": {other, ErrUsed},
		} {
			if _, err := submit(ctx, s, test.sub); !errors.Is(err, test.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		want := []string{"evry used", "evry", "evry used", ErrUninvited.Error(), ErrUninvited.Error()}
		var got []string
		for _, token := range append(tokens, strings.Repeat("A", 26), "x") {
			got = append(got, invited(t, s, token))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("one whose submission failed is free again: %s", diff)
		}
		if n := mustTally(t, s, "law")["asked||||"]; n != 2 {
			t.Errorf("%d respondents", n)
		}
	})
}

// Of many forms that come at once with one invitation, one is taken.
func TestOneInvitationOneForm(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Store) {
		token := mustInvite(t, s, "", 1)[0]
		var taken atomic.Int32
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				_, err := submit(t.Context(), s, invitedSubmission(token, fmt.Sprint("form:", i)))
				if err == nil {
					taken.Add(1)
				} else if !errors.Is(err, ErrUsed) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if taken.Load() != 1 || mustTally(t, s, "law")["asked||||"] != 1 {
			t.Errorf("%d forms were taken", taken.Load())
		}
	})
}

// Invitations and their use survive a restart of a store that forgets, and are kept while one is away.
func TestInvitationsGoThroughTheJournal(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		open := func(rdb redis.UniversalClient, mode journal.Mode) (*Store, *journal.Journal) {
			j, err := journal.Open(t.TempDir(), journal.Options{Mode: mode, Judge: func(error) (journal.Fault, string) { return journal.Away, "network" }})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = j.Close() })
			return newStore(t, rdb, prefix, journaled(j)), j
		}
		s, j := open(rdb, journal.Ahead)
		tokens := mustInvite(t, s, "evry", 4)
		receipt := mustSubmit(t, s, invitedSubmission(tokens[0], "form:one"))
		empty := invitedSubmission(tokens[1], "form:two")
		empty.Answers = nil
		if _, err := submit(t.Context(), s, empty); !errors.Is(err, ErrEmpty) {
			t.Fatal(err)
		}
		if err := rdb.Del(t.Context(), s.keys.invites("law"), s.keys.rows("law"), s.keys.tally("law")).Err(); err != nil {
			t.Fatal(err)
		}
		if err := j.Replay(t.Context(), nil, func(err error) { t.Error(err) }); err != nil {
			t.Fatal(err)
		}
		if got := invited(t, s, tokens[0]) + ", " + invited(t, s, tokens[1]); got != "evry used, evry" {
			t.Errorf("after a restart: %s", got)
		}
		if again := mustSubmit(t, s, invitedSubmission(tokens[0], "form:one")); again != receipt {
			t.Error("the form is not known again after a restart")
		}

		gone := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1, DialTimeout: time.Second})
		defer gone.Close()
		away, waiting := open(gone, journal.Beside)
		mustSubmit(t, away, invitedSubmission(tokens[2], "form:three"))
		late := mustInvite(t, away, "", 1)[0]
		if waiting.Pending() != 4 { // the claim, the answer and the definition that it answers, the late invitation
			t.Errorf("%d wait", waiting.Pending())
		}
		s = newStore(t, rdb, prefix, journaled(waiting))
		if err := waiting.Drain(t.Context(), func(err error) { t.Error(err) }); err != nil {
			t.Fatal(err)
		}
		if got := invited(t, s, tokens[2]) + ", " + invited(t, s, late); got != "evry used, " {
			t.Errorf("after the store was away: %s", got)
		}
		if n := mustTally(t, s, "law")["asked||||"]; n != 2 {
			t.Errorf("%d respondents", n)
		}
	})
}
