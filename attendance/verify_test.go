package attendance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/internal/redistest"
	"jauge/programme"
)

// eventful is a session in which every count is more than 0: two rooms, one occurrence that ended and two that go on, people in
// both rooms, a phone leg, totals, registrations and a leave without a join.
func eventful(t *testing.T, rdb redis.UniversalClient, prefix string) (*Store, *clock) {
	t.Helper()
	s, c := newStore(t, rdb, prefix, hourLong("talk", in("live", "room"), in("live", "annexe")))
	at := func(e Event, occurrence string) Event { e.Occurrence = occurrence; return e }
	elsewhere := func(e Event) Event { e.Room = "annexe"; return e }
	bind := c.event(Bound, "", "phone", 4*time.Minute)
	bind.Peer = "c1"
	total := c.event(Attended, "ann", "", time.Hour)
	total.Total = 40 * time.Minute
	absent := c.event(Attended, "ida", "", time.Hour)
	absent.Total = 20 * time.Minute
	record(t, s, "live",
		c.event(Started, "", "", -time.Minute),
		c.event(Joined, "ann", "c1", 0), c.event(Joined, "bob", "c2", 90*time.Second), c.event(Left, "", "c2", 3*time.Minute),
		c.event(Joined, "", "phone", 4*time.Minute), bind, c.event(Joined, "cid", "c3", 5*time.Minute),
		c.event(Joined, "dan", "", 5*time.Minute), c.event(Left, "dan", "", 6*time.Minute), c.event(Joined, "dan", "", 7*time.Minute),
		elsewhere(c.event(Joined, "ann", "c4", 6*time.Minute)), elsewhere(c.event(Joined, "eve", "c5", 6*time.Minute)),
		c.event(Ended, "", "", 20*time.Minute),
		at(c.event(Joined, "ann", "c6", 25*time.Minute), "two"), at(c.event(Joined, "bob", "c7", 26*time.Minute), "two"),
		at(c.event(Left, "", "nobody", 26*time.Minute), "two"),
		c.event(Joined, "fay", "late", 2*time.Minute), // late, below the curve's last second
		c.event(Registered, "ann", "", 0), c.event(Registered, "gus", "", 0), c.event(Replayed, "hal", "", 0),
		total, absent,
	)
	c.set(planned.Add(30 * time.Minute))
	return s, c
}

// drifts verifies, and joins the names of what differs.
func drifts(t *testing.T, s *Store) string {
	t.Helper()
	found, err := s.Verify(t.Context(), "talk")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range found {
		if d.Stored == d.Computed {
			t.Errorf("no drift: %s", d)
		}
		names = append(names, d.Count)
	}
	return strings.Join(names, "; ")
}

// Whatever count, second of the curve, label or node of the tree is not what the marks say, Verify names it.
func TestVerifyNamesWhateverIsWrong(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, _ := eventful(t, rdb, prefix)
		ctx := t.Context()
		if found := drifts(t, s); found != "" {
			t.Fatal(found)
		}
		wrong := func(key, field, value, name string) {
			t.Helper()
			right := rdb.HGet(ctx, key, field).Val()
			if value == "" {
				rdb.HDel(ctx, key, field)
			} else {
				rdb.HSet(ctx, key, field, value)
			}
			if found := drifts(t, s); !slices.Contains(strings.Split(found, "; "), name) {
				t.Errorf("%s %s is %q instead of %q: %q is not among %q", key, field, value, right, name, found)
			}
			rdb.HSet(ctx, key, field, right)
		}
		keys := s.keys.session("talk")
		told := map[string]string{ // where a count is no count, but what others are counted from
			"base": "watch", "tail": "tail_by", "level": "root_sum", "root": "root_sum",
		}
		counted := rdb.HGetAll(ctx, keys[0]).Val()
		for name, value := range counted {
			n, _ := strconv.Atoi(value)
			if name == "rev" {
				continue
			}
			if n == 0 {
				t.Errorf("%s is 0, where nothing can be missing", name)
			}
			for _, by := range []int{1, -1} {
				if name == "last" && by > 0 {
					continue // an event of staff, which leaves no mark
				}
				as := name
				if told[name] != "" && (name != "tail" || by > 0) {
					as = told[name]
				}
				wrong(keys[0], name, strconv.Itoa(n+by), as)
			}
		}
		if len(counted) < 28 {
			t.Errorf("only %d counts", len(counted))
		}
		for _, row := range []struct {
			key, separator string
			names          []string // of the numbers of a field, the one last that is never 0
			superfluous    string   // a field that is not there
		}{
			{keys[4], "|", []string{"persons of label %s", "moment of label %s", "watch of label %s", "last of label %s"}, "7"},
			{keys[5], " ", []string{"delta %s"}, "7:7"},
			{keys[6], " ", []string{"curve at %s"}, "7"},
			{keys[7], ",", []string{"sum of tree %s", "max of tree %s", "at of tree %s"}, "7:7"},
		} {
			all := rdb.HGetAll(ctx, row.key).Val()
			if len(all) < 3 {
				t.Errorf("%s has only %d fields", row.key, len(all))
			}
			for field, value := range all {
				for i, name := range row.names {
					numbers := strings.Split(value, row.separator)
					if row.separator == "|" && i >= 2 {
						i = 5 - i // in the store, the last change stands before the watch
					}
					n, _ := strconv.Atoi(numbers[i])
					numbers[i] = strconv.Itoa(n - 1)
					wrong(row.key, field, strings.Join(numbers, row.separator), fmt.Sprintf(name, field))
				}
				wrong(row.key, field, "", fmt.Sprintf(row.names[len(row.names)-1], field))
			}
			rdb.HSet(ctx, row.key, row.superfluous, strings.Join(slices.Repeat([]string{"7"}, len(row.names)), row.separator))
			if found := drifts(t, s); !strings.Contains(found, fmt.Sprintf(row.names[0], row.superfluous)) {
				t.Errorf("%s has a field too many, and Verify says %q", row.key, found)
			}
			rdb.HDel(ctx, row.key, row.superfluous)
		}
		if found := drifts(t, s); found != "" {
			t.Errorf("all was put back, and Verify says %s", found)
		}
	})
}

// So are an end, an owner or a list that stands beside the marks and is not what they say.
func TestVerifyNamesWhatIsWrongBesideTheMarks(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, _ := eventful(t, rdb, prefix)
		ctx := t.Context()
		for _, row := range []struct {
			key, separator string
			part           int
			value          string
			name           func(part []string) string
		}{
			{s.keys.occurrences("talk"), "|", 4, "7", func(part []string) string { return "end of occurrence " + part[0] }},
			{s.keys.occurrences("talk"), "|", 4, "", func(part []string) string { return "end of occurrence " + part[0] }},
			{s.keys.occurrences("talk"), "|", 5, "7", func(part []string) string { return "open connections of occurrence " + part[0] }},
			{s.keys.connections("talk"), ";", 0, "stranger", func([]string) string { return "connections of another owner" }},
			{s.keys.people("talk"), ";", 0, "x.y", func([]string) string { return "people with other connections" }},
			{s.keys.people("talk"), ";", 0, "", func([]string) string { return "people with other connections" }},
		} {
			all := rdb.HGetAll(ctx, row.key).Val()
			spoilt := 0
			for field, right := range all {
				part := strings.Split(right, row.separator)
				name := row.name(part)
				if part[row.part] == row.value {
					continue
				}
				spoilt++
				part[row.part] = row.value
				rdb.HSet(ctx, row.key, field, strings.Join(part, row.separator))
				if found := drifts(t, s); found != name {
					t.Errorf("%s %s is not %q: %q is wrong", row.key, field, right, found)
				}
				rdb.HSet(ctx, row.key, field, right)
			}
			if spoilt == 0 {
				t.Errorf("%s: nothing was spoilt", row.key)
			}
		}
		if err := s.Repair(ctx, "talk"); err != nil || drifts(t, s) != "" {
			t.Errorf("%v, %s", err, drifts(t, s))
		}
	})
}

// A repair mends all of that at once, keeps every mark, and what is recorded afterwards counts as if nothing had been.
func TestRepairMendsWhateverIsWrong(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := eventful(t, rdb, prefix)
		ctx := t.Context()
		before, rows := figures(t, s, "talk"), rowsOf(t, s)
		keys := s.keys.session("talk")
		for name := range rdb.HGetAll(ctx, keys[0]).Val() {
			if name != "rev" && name != "base" {
				rdb.HIncrBy(ctx, keys[0], name, -3)
			}
		}
		rdb.HSet(ctx, keys[4], "1", "7|7|7|7")
		for person, value := range rdb.HGetAll(ctx, keys[3]).Val() {
			_, rest, _ := strings.Cut(value, ";")
			rdb.HSet(ctx, keys[3], person, ";"+rest)
		}
		rdb.Del(ctx, keys[5:]...)
		if found := drifts(t, s); strings.Count(found, ";") < 30 {
			t.Errorf("only %s", found)
		}
		if err := s.Repair(ctx, "talk"); err != nil {
			t.Fatal(err)
		}
		if found := drifts(t, s); found != "" {
			t.Errorf("after the repair: %s", found)
		}
		if diff := cmp.Diff(before, figures(t, s, "talk")); diff != "" {
			t.Errorf("the repair changed what is shown:\n%s", diff)
		}
		if diff := cmp.Diff(rows, rowsOf(t, s)); diff != "" {
			t.Errorf("the repair changed a person:\n%s", diff)
		}
		if got := record(t, s, "live", c.event(Joined, "", "phone", 4*time.Minute), c.event(Left, "", "c5", 28*time.Minute)); got[0] != Duplicate || got[1] != Recorded {
			t.Errorf("the repair lost a mark: %v", got)
		}
		if found := drifts(t, s); found != "" {
			t.Errorf("after a mark more: %s", found)
		}
		if left, _, err := rdb.Scan(ctx, 0, prefix+"shadow:*", 1000).Result(); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	})
}

func rowsOf(t *testing.T, s *Store) []Row {
	t.Helper()
	rows, err := s.Rows(t.Context(), "talk")
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// meanwhile does something just before certain commands are sent.
type meanwhile struct {
	when func(redis.Cmder) bool
	do   func()
}

func (m meanwhile) DialHook(next redis.DialHook) redis.DialHook { return next }

func (m meanwhile) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if m.when(cmd) {
			m.do()
		}
		return next(ctx, cmd)
	}
}

func (m meanwhile) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if slices.ContainsFunc(cmds, m.when) {
			m.do()
		}
		return next(ctx, cmds)
	}
}

// disturbed gives a store on which someone joins, through another one, just before the first commands that name a key, as often
// as is asked for.
func disturbed(t *testing.T, shared redis.UniversalClient, prefix, command, key string, often int) *Store {
	t.Helper()
	quiet, c := eventful(t, shared, prefix)
	rdb := redis.NewClient(shared.(*redis.Client).Options())
	t.Cleanup(func() { _ = rdb.Close() })
	n := 0
	rdb.AddHook(meanwhile{
		func(cmd redis.Cmder) bool {
			return n < often && strings.HasPrefix(cmd.Name(), command) && slices.Contains(cmd.Args(), any(key))
		},
		func() {
			n++
			e := c.event(Joined, fmt.Sprint("meanwhile ", n), fmt.Sprint("m", n), 29*time.Minute)
			e.Occurrence = "two"
			record(t, quiet, "live", e)
		},
	})
	return opened(rdb, Options{Prefix: prefix, Key: []byte(strings.Repeat("k", 32)), Now: c.now})
}

// What is recorded while a session is verified or repaired is no drift, and is not lost; one that never rests is not judged.
func TestVerifyAndRepairOfASessionThatGoesOn(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, shared redis.UniversalClient, _ string) {
		verify := func(s *Store) error { _, err := s.Verify(t.Context(), "talk"); return err }
		repair := func(s *Store) error { return s.Repair(t.Context(), "talk") }
		for name, row := range map[string]struct {
			do      func(*Store) error
			command string
			key     func(prefix string) string
		}{
			"verify, when the people are read":     {verify, "hscan", func(prefix string) string { return keys{prefix}.people("talk") }},
			"verify, when the curve is read":       {verify, "hscan", func(prefix string) string { return keys{prefix}.curve("talk") }},
			"repair, when the people are read":     {repair, "hscan", func(prefix string) string { return keys{prefix}.people("talk") }},
			"repair, when the marks are written":   {repair, "eval", func(prefix string) string { return keys{prefix + "shadow:"}.counts("talk") }},
			"repair, just before all is exchanged": {repair, "copy", func(prefix string) string { return keys{prefix}.counts("talk") }},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				prefix := redistest.Prefix()
				s := disturbed(t, shared, prefix, row.command, row.key(prefix), 1)
				was := *figures(t, s, "talk").Unique
				if err := row.do(s); err != nil {
					t.Fatal(err)
				}
				if found := drifts(t, s); found != "" || *figures(t, s, "talk").Unique != was+1 {
					t.Errorf("%d people, then %d; %s", was, *figures(t, s, "talk").Unique, found)
				}
				prefix = redistest.Prefix()
				if err := row.do(disturbed(t, shared, prefix, row.command, row.key(prefix), 1000)); !errors.Is(err, ErrBusy) {
					t.Errorf("one that never rests: %v", err)
				}
			})
		}
		s, _ := eventful(t, shared, redistest.Prefix())
		if _, err := s.Verify(t.Context(), "nobody"); !errors.Is(err, programme.ErrNotFound) {
			t.Errorf("no such session: %v", err)
		}
	})
}
