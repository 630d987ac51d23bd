package attendance

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/internal/redistest"
	"jauge/programme"
)

// Whether a person stayed is what their row says, read without anybody else's marks.
func TestStayed(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		s, c := newStore(t, rdb, prefix, hourLong("talk", programme.Room{Source: "src", ID: "room"}))
		minutes := func(n int) time.Duration { return time.Duration(n) * time.Minute }
		bound := c.event(Bound, "", "phone", minutes(1))
		bound.Peer = "sip"
		total := c.event(Attended, "reported", "", 0)
		total.Total = minutes(55)
		record(t, s, "src",
			c.event(Joined, "to the end", "1", 0),
			c.event(Joined, "early", "2", 0), c.event(Left, "early", "2", minutes(50)),
			c.event(Joined, "twice", "3", 0), c.event(Left, "twice", "3", minutes(30)), c.event(Joined, "twice", "4", minutes(31)),
			c.event(Joined, "by telephone", "phone", 0), bound, c.event(Joined, "", "sip", minutes(30)), c.event(Left, "", "phone", minutes(30)),
			c.event(Registered, "registered", "", 0), total)
		says := func(at time.Duration) map[string]string {
			c.set(planned.Add(at))
			got := map[string]string{}
			for _, person := range []string{"to the end", "early", "twice", "by telephone", "reported", "registered", "nobody"} {
				completed, known, err := s.Stayed(t.Context(), "talk", "src", person)
				if err != nil {
					t.Fatal(err)
				}
				got[person] = fmt.Sprintf("%t, known %t", completed, known)
			}
			return got
		}
		want := map[string]string{
			"to the end": "true, known true", "early": "true, known true", "twice": "true, known true", "by telephone": "true, known true",
			"reported": "true, known true", "registered": "false, known false", "nobody": "false, known false",
		}
		if diff := cmp.Diff(want, says(minutes(55))); diff != "" {
			t.Errorf("after 55 minutes: %s", diff)
		}
		want["early"] = "false, known true"
		if diff := cmp.Diff(want, says(minutes(60))); diff != "" {
			t.Errorf("after an hour: %s", diff)
		}
		rows, err := s.Rows(t.Context(), "talk")
		if err != nil {
			t.Fatal(err)
		}
		completed := 0
		for _, r := range rows {
			if r.Completed {
				completed++
			}
		}
		if len(rows) != 5 || completed != 4 {
			t.Errorf("%d of %d rows are completed", completed, len(rows))
		}
		if _, known, err := s.Stayed(t.Context(), "talk", "another", "early"); known || err != nil {
			t.Errorf("another source's person of that name: %t %v", known, err)
		}
	})
}
