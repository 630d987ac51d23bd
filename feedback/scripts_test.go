package feedback

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/internal/redistest"
)

// TestPublishShowsNothingThatChangedMeanwhile: what the caller counted is no longer what would be shown, so nothing is.
func TestPublishShowsNothingThatChangedMeanwhile(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		ctx := t.Context()
		keys := []string{prefix + "{s}:rows", prefix + "{s}:pending", prefix + "{s}:shown", prefix + "{s}:tally", prefix + "{s}:gone"}
		publish := func(args ...any) bool {
			t.Helper()
			done, err := publishScript.Run(ctx, rdb, keys, args...).Bool()
			if err != nil {
				t.Fatal(err)
			}
			return done
		}
		state := func() (all []map[string]string) {
			for _, key := range []string{keys[2], keys[3], keys[4]} {
				all = append(all, rdb.HGetAll(ctx, key).Val())
			}
			return all
		}
		rdb.HSet(ctx, keys[0], "a", "1 A", "b", "2 B", "c", "1 C")
		rdb.ZAdd(ctx, keys[1], redis.Z{Member: "a"}, redis.Z{Member: "b"})
		rdb.HSet(ctx, keys[4], "left", "L")
		before := state()
		for name, args := range map[string][]any{
			"an answer that was changed":    {2, "a", 1, "b", 1, 0, "cell", 1},
			"one that was shown":            {2, "a", 1, "c", 1, 0, "cell", 1},
			"one that was deleted":          {2, "a", 1, "d", 1, 0, "cell", 1},
			"a deletion that was shown":     {1, "a", 1, 1, "another", "cell", 1},
			"a deletion behind a good one":  {1, "a", 1, 2, "left", "another", "cell", 1},
			"an answer of a later revision": {1, "a", 2, 0, "cell", 1},
		} {
			if publish(args...) {
				t.Errorf("%s: shown", name)
			}
			if diff := cmp.Diff(before, state()); diff != "" || rdb.ZCard(ctx, keys[1]).Val() != 2 {
				t.Errorf("%s: %s", name, diff)
			}
		}
		if !publish(2, "a", 1, "b", 2, 1, "left", "cell", 2, "other", 0) {
			t.Error("what nobody changed is not shown")
		}
		want := []map[string]string{{"a": "A", "b": "B"}, {"cell": "2"}, {}}
		if diff := cmp.Diff(want, state()); diff != "" || rdb.ZCard(ctx, keys[1]).Val() != 0 {
			t.Errorf("%s", diff)
		}
	})
}

// TestAnInvitationIsOfOneForm: another one can neither use it nor give it back.
func TestAnInvitationIsOfOneForm(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		key := prefix + "{s}:invites"
		if err := rdb.HSet(t.Context(), key, "link", "law|").Err(); err != nil {
			t.Fatal(err)
		}
		for i, step := range []struct{ link, form, what, outcome, segment string }{
			{"none", "a", "use", "unknown", ""},
			{"link", "a", "use", "fresh", "law"},
			{"link", "a", "use", "again", "law"},
			{"link", "b", "use", "used", "law"},
			{"link", "b", "release", "used", "law"},
			{"link", "b", "use", "used", "law"},
			{"link", "a", "release", "released", "law"},
			{"link", "b", "use", "fresh", "law"},
			{"link", "a", "use", "used", "law"},
		} {
			got, err := claimScript.Run(t.Context(), rdb, []string{key}, step.link, step.form, step.what).StringSlice()
			if diff := cmp.Diff([]string{step.outcome, step.segment}, got); err != nil || diff != "" {
				t.Errorf("step %d: %v %s", i, err, diff)
			}
		}
	})
}
