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

	"jauge/attendance/marks"
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
	guest := func(e Event) Event { e.Guest, e.Name = true, "Jo Chill"; return e }
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
		guest(c.event(Joined, "u1", "c8", 3*time.Minute)), guest(c.event(Joined, "u2", "c9", 3*time.Minute)), c.event(Left, "", "c8", 4*time.Minute),
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

// spoil replaces a value, or a field of a hash, expects Verify to name what is wrong then, and puts it back.
func spoil(t *testing.T, s *Store, key, field, value, name string) {
	t.Helper()
	ctx, right := t.Context(), ""
	put := func(v string) {
		switch {
		case field == "" && v == "":
			s.rdb.Del(ctx, key)
		case field == "":
			s.rdb.Set(ctx, key, v, 0)
		case v == "":
			s.rdb.HDel(ctx, key, field)
		default:
			s.rdb.HSet(ctx, key, field, v)
		}
	}
	if right = s.rdb.HGet(ctx, key, field).Val(); field == "" {
		right = s.rdb.Get(ctx, key).Val()
	}
	put(value)
	if found := drifts(t, s); !slices.Contains(strings.Split(found, "; "), name) {
		t.Errorf("%s %s is %q instead of %q: %q is not among %q", key, field, value, right, name, found)
	}
	put(right)
}

// without gives numbers with the one at i less by one.
func lessOne(text, separator string, i int) string {
	numbers := strings.Split(text, separator)
	n, _ := strconv.Atoi(numbers[i])
	numbers[i] = strconv.Itoa(n - 1)
	return strings.Join(numbers, separator)
}

// Whatever count, label, change or name is not what the marks say, Verify names it.
func TestVerifyNamesWhateverIsWrong(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, _ := eventful(t, rdb, prefix)
		ctx := t.Context()
		if found := drifts(t, s); found != "" {
			t.Fatal(found)
		}
		text := rdb.Get(ctx, s.marks.Keys().Counts("talk")).Val()
		if n := len(strings.Fields(text)); n != len(marks.CountNames) {
			t.Fatalf("%d counts, and %d names", n, len(marks.CountNames))
		}
		for i, name := range marks.CountNames {
			switch name {
			case "epoch", "rev":
				continue
			case "base": // what times are counted from
				spoil(t, s, s.marks.Keys().Counts("talk"), "", lessOne(text, " ", i), "watch")
				continue
			}
			if strings.Fields(text)[i] == "0" {
				t.Errorf("%s is 0, where nothing can be missing", name)
			}
			spoil(t, s, s.marks.Keys().Counts("talk"), "", lessOne(text, " ", i), name)
		}
		labels := rdb.HGetAll(ctx, s.marks.Keys().Labels("talk")).Val()
		if len(labels) < 4 {
			t.Errorf("only the labels %v", labels)
		}
		for label, value := range labels {
			for i, name := range []string{"persons", "moment", "last", "watch"} {
				spoil(t, s, s.marks.Keys().Labels("talk"), label, lessOne(value, "|", i), name+" of label "+label)
			}
			spoil(t, s, s.marks.Keys().Labels("talk"), label, "", "last of label "+label)
		}
		spoil(t, s, s.marks.Keys().Labels("talk"), "7", "7|7|7|7", "persons of label 7")
		log := rdb.Get(ctx, s.marks.Keys().Log("talk")).Val()
		n := 0
		for i := range log { // without each of the changes in turn
			if log[i] != '+' && log[i] != '-' || log[i-1] == ':' || log[i-1] == '+' || log[i-1] == '-' {
				continue
			}
			from := strings.LastIndexAny(log[:i], ":+-") + 1
			label := log[strings.LastIndex(log[:from], ";")+1 : strings.LastIndex(log[:from], ":")]
			spoil(t, s, s.marks.Keys().Log("talk"), "", log[:from]+log[i+1:], "delta "+label+":"+log[from:i])
			n++
		}
		if n < 10 {
			t.Errorf("only %d changes in %s", n, log)
		}
		spoil(t, s, s.marks.Keys().Log("talk"), "", log+"7:7+;", "delta 7:7")
		guests := rdb.HGetAll(ctx, s.marks.Keys().Guests("talk")).Val()
		for name := range guests {
			spoil(t, s, s.marks.Keys().Guests("talk"), name, "7", "guests of one name")
		}
		if len(guests) != 1 {
			t.Errorf("names of guests: %v", guests)
		}
		spoil(t, s, s.marks.Keys().Guests("talk"), "nobody", "1", "guests of one name")
		if found := drifts(t, s); found != "" {
			t.Errorf("all was put back, and Verify says %s", found)
		}
	})
}

// So are an end, a number of open connections, an owner or a list that stands beside the marks and is not what they say.
func TestVerifyNamesWhatIsWrongBesideTheMarks(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, _ := eventful(t, rdb, prefix)
		ctx := t.Context()
		for occurrence, value := range rdb.HGetAll(ctx, s.marks.Keys().Occurrences("talk")).Val() {
			before, opening, _ := strings.Cut(value, "||")
			number, _, _ := strings.Cut(opening, ",")
			for i, name := range map[int]string{3: "end of opening ", 4: "open connections of opening "} {
				part := strings.Split(opening, ",")
				part[i] = "7"
				spoil(t, s, s.marks.Keys().Occurrences("talk"), occurrence, before+"||"+strings.Join(part, ","), name+number)
			}
		}
		for connection, value := range rdb.HGetAll(ctx, s.marks.Keys().Connections("talk")).Val() {
			_, rest, bound := strings.Cut(value, ";")
			if bound {
				rest = ";" + rest
			}
			spoil(t, s, s.marks.Keys().Connections("talk"), connection, "stranger"+rest, "connections of another owner")
			if !bound {
				spoil(t, s, s.marks.Keys().Connections("talk"), connection, "", "connections of another owner")
			}
		}
		spoil(t, s, s.marks.Keys().Connections("talk"), "one-more", "stranger", "connections of another owner")
		bob := s.seal.pseudonym("talk", s.seal.optional("person", "live", "bob"))
		kept := rdb.HGet(ctx, s.marks.Keys().People("talk"), bob).Val()
		first, _, _ := strings.Cut(kept, ",")
		at := strings.IndexAny(first, "><")
		spoil(t, s, s.marks.Keys().People("talk"), "somebody", first[:at]+">1="+bob, "people with other connections")
		if found := drifts(t, s); found != "" {
			t.Errorf("all was put back, and Verify says %s", found)
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
		numbers := strings.Fields(rdb.Get(ctx, s.marks.Keys().Counts("talk")).Val())
		for i, name := range marks.CountNames {
			if n, _ := strconv.Atoi(numbers[i]); name != "epoch" && name != "rev" && name != "base" {
				numbers[i] = strconv.Itoa(n - 3)
			}
		}
		rdb.Set(ctx, s.marks.Keys().Counts("talk"), strings.Join(numbers, " "), 0)
		rdb.HSet(ctx, s.marks.Keys().Labels("talk"), "1", "7|7|7|7")
		rdb.Del(ctx, s.marks.Keys().Log("talk"), s.marks.Keys().Guests("talk"), s.marks.Keys().Connections("talk"))
		bound := c.event(Bound, "", "phone", 4*time.Minute) // what the index alone knows
		bound.Peer = "c1"
		if found := drifts(t, s); strings.Count(found, ";") < 30 {
			t.Errorf("only %s", found)
		}
		if err := s.Repair(ctx, "talk"); err != nil {
			t.Fatal(err)
		}
		if found := drifts(t, s); found != "" {
			t.Errorf("after the repair: %s", found)
		}
		record(t, s, "live", bound)
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
			"verify, when the people are read":     {verify, "hscan", func(prefix string) string { return marks.Keys{Prefix: prefix}.People("talk") }},
			"verify, when the log is read":         {verify, "get", func(prefix string) string { return marks.Keys{Prefix: prefix}.Log("talk") }},
			"repair, when the people are read":     {repair, "hscan", func(prefix string) string { return marks.Keys{Prefix: prefix}.People("talk") }},
			"repair, when the marks are written":   {repair, "eval", func(prefix string) string { return marks.Keys{Prefix: prefix + "shadow:"}.Counts("talk") }},
			"repair, just before all is exchanged": {repair, "copy", func(prefix string) string { return marks.Keys{Prefix: prefix}.Counts("talk") }},
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
