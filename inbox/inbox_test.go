package inbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"jauge/attendance"
	"jauge/feedback"
	"jauge/feedback/survey"
	"jauge/internal/redistest"
	"jauge/internal/text"
	"jauge/platforms"
	"jauge/programme"
)

func TestMain(m *testing.M) {
	os.Exit(redistest.Main(m, func() error { return goleak.Find() }))
}

// start is when the session of the tests begins.
var start = time.Date(2020, 4, 30, 18, 0, 0, 0, time.UTC)

// law is a session with a survey of one yes-no question, in the rooms that are given.
func law(questions map[string]string, rooms ...string) programme.Session {
	s := programme.Session{
		ID: "law", Title: text.Text{"fr": "Droit"}, StartsAt: start, EndsAt: start.Add(time.Hour), Survey: "wish", Questions: questions,
	}
	for _, id := range rooms {
		s.Rooms = append(s.Rooms, programme.Room{Source: "forms", ID: id})
	}
	return s
}

// clock is the time of a test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *clock) set(now time.Time) { c.mu.Lock(); defer c.mu.Unlock(); c.now = now }

func newInbox(t *testing.T, rdb redis.UniversalClient, prefix string, sessions ...programme.Session) (*Inbox, *clock) {
	t.Helper()
	c, key := &clock{now: start.Add(30 * time.Minute)}, []byte(strings.Repeat("k", 32))
	catalogue := programme.New(rdb, programme.Options{Prefix: prefix})
	answers, err := feedback.New(rdb, feedback.Options{
		Prefix: prefix, Secret: key, Now: c.Now, MinimumGroup: 5, Surveys: map[string]*survey.Survey{"wish": {
			ID: "wish", Questions: []survey.Question{{ID: "wish", Kind: survey.YesNo, Label: text.Text{"fr": "Envie ?"}}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &Inbox{
		Programme: catalogue, Feedback: answers,
		Attendance: attendance.New(rdb, catalogue, attendance.Options{Prefix: prefix, Key: key, Now: c.Now, Patience: redistest.Patience}),
	}
	if err := catalogue.Configure(t.Context(), sessions); err != nil {
		t.Fatal(err)
	}
	return b, c
}

// delivery is a join and one person's answers, of a room.
func delivery(room, person string, values map[string]any) platforms.Delivery {
	at := start.Add(10 * time.Minute)
	return platforms.Delivery{
		Events:  []attendance.Event{{Kind: attendance.Joined, Room: room, Attendee: person, Connection: person, At: at}},
		Answers: []platforms.Answers{{Room: room, Key: person, At: at, Foreign: true, Values: values}},
	}
}

func yes(n int) map[string]any { return map[string]any{fmt.Sprint("r", n): "oui"} }

func take(t *testing.T, b *Inbox, d platforms.Delivery) Taken {
	t.Helper()
	taken, err := b.Take(t.Context(), "forms", d)
	if err != nil {
		t.Fatal(err)
	}
	return taken
}

// counted is how many people were in the session, and how many answered.
func counted(t *testing.T, b *Inbox) [2]int {
	t.Helper()
	session, err := b.Programme.Session(t.Context(), "law")
	if err != nil {
		t.Fatal(err)
	}
	figures, err := b.Attendance.Figures(t.Context(), session)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := b.Feedback.Open(t.Context(), session)
	if err != nil {
		t.Fatal(err)
	}
	results, err := asked.Results(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return [2]int{*figures[0].Unique, results.Respondents}
}

// TestTake tells what becomes of a delivery, by what the programme says of its room.
func TestTake(t *testing.T) {
	t.Parallel()
	mapped := map[string]string{"r1": "wish", "r9": ""}
	for name, tt := range map[string]struct {
		session programme.Session
		values  map[string]any
		want    Taken
		counts  [2]int
		aside   string // kind reason count references, a line each
	}{
		"it counts": {law(mapped, "f1"), yes(1), Taken{[]attendance.Result{attendance.Recorded}, []feedback.Received{{Session: "law", Recorded: true}}}, [2]int{1, 1}, ""},
		"a part of it cannot be mapped": {
			law(mapped, "f1"), map[string]any{"r1": "oui", "r2": "non"},
			Taken{[]attendance.Result{attendance.Recorded}, []feedback.Received{{Session: "law", Recorded: true, Reason: feedback.Partly}}},
			[2]int{1, 1}, "answers partly 1 [r2]",
		},
		"nobody's room": {
			law(mapped, "f2"), yes(1), Taken{[]attendance.Result{attendance.Aside}, []feedback.Received{{Reason: feedback.NoSession}}},
			[2]int{0, 0}, "answers no_session 1 [r1]\njoined no_session 1 []",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
				b, _ := newInbox(t, rdb, prefix, tt.session)
				for range 2 { // a delivery that comes again is the same one
					got := take(t, b, delivery("f1", "ann", tt.values))
					if len(got.Events) == 1 && got.Events[0] == attendance.Duplicate {
						got.Events[0] = attendance.Recorded
					}
					if diff := cmp.Diff(tt.want, got); diff != "" {
						t.Errorf("taken (-want +got):\n%s", diff)
					}
				}
				if got := counted(t, b); got != tt.counts {
					t.Errorf("%v came and answered, not %v", got, tt.counts)
				}
				if diff := cmp.Diff(tt.aside, groupLines(t, b)); diff != "" {
					t.Errorf("aside (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func groupLines(t *testing.T, b *Inbox) string {
	t.Helper()
	groups, err := b.Groups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, g := range groups {
		lines = append(lines, fmt.Sprintf("%s %s %d %s", g.Kind, g.Reason, g.Count, g.References))
	}
	return strings.Join(lines, "\n")
}

// TestAsideIsReclaimed when a session claims its room, and once only.
func TestAsideIsReclaimed(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		b, _ := newInbox(t, rdb, prefix)
		for i := range 6 {
			take(t, b, delivery("f1", fmt.Sprint("p", i), yes(1)))
		}
		groups, items, err := b.Aside(t.Context(), 5)
		if err != nil || len(groups) != 2 || groups[0].Count != 6 || len(items) != 5 {
			t.Fatalf("%d groups, %d items (%v)", len(groups), len(items), err)
		}
		if n := counts(t, b); n != 12 {
			t.Errorf("%d aside", n)
		}
		reclaimed := func() [2]int {
			events, err := b.ReclaimEvents(t.Context())
			answers, err2 := b.ReclaimAnswers(t.Context())
			if err = errors.Join(err, err2); err != nil {
				t.Fatal(err)
			}
			return [2]int{events, answers}
		}
		if got := reclaimed(); got != [2]int{} {
			t.Errorf("reclaimed %v for no session", got)
		}
		if err := b.Programme.Put(t.Context(), law(map[string]string{"r1": "wish"}, "f1")); err != nil {
			t.Fatal(err)
		}
		if got := reclaimed(); got != [2]int{6, 6} {
			t.Errorf("reclaimed %v", got)
		}
		if got := reclaimed(); got != [2]int{} {
			t.Errorf("reclaimed %v a second time", got)
		}
		if got := counted(t, b); got != [2]int{6, 6} {
			t.Errorf("%v came and answered", got)
		}
		if n := counts(t, b); n != 0 {
			t.Errorf("%d aside", n)
		}
	})
}

func counts(t *testing.T, b *Inbox) int {
	t.Helper()
	bySource, err := b.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return bySource["forms"]
}

// TestAsideIsOver after its time, of both kinds.
func TestAsideIsOver(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		b, c := newInbox(t, rdb, prefix)
		take(t, b, delivery("f1", "ann", yes(1)))
		c.set(start.Add(feedback.AsideFor))
		if err := b.Expire(t.Context()); err != nil || counts(t, b) != 2 {
			t.Errorf("before the end: %d aside (%v)", counts(t, b), err)
		}
		c.set(start.Add(feedback.AsideFor + 2*time.Hour))
		if err := b.Expire(t.Context()); err != nil || counts(t, b) != 0 {
			t.Errorf("at the end: %d aside (%v)", counts(t, b), err)
		}
	})
}

// TestStayGoesAlong: of who answers, feedback hears only whether they stayed.
func TestStayGoesAlong(t *testing.T) {
	t.Parallel()
	rdb, prefix := redistest.Redis()
	b, c := newInbox(t, rdb, prefix, law(map[string]string{"r1": "wish"}, "f1"))
	long := delivery("f1", "ann", nil)
	long.Events = append(long.Events,
		attendance.Event{Kind: attendance.Started, Room: "f1", At: start},
		attendance.Event{Kind: attendance.Joined, Room: "f1", Attendee: "ann", Connection: "ann", At: start},
		attendance.Event{Kind: attendance.Joined, Room: "f1", Attendee: "bob", Connection: "bob", At: start},
		attendance.Event{Kind: attendance.Left, Room: "f1", Attendee: "bob", Connection: "bob", At: start.Add(6 * time.Minute)},
		attendance.Event{Kind: attendance.Ended, Room: "f1", At: start.Add(time.Hour)})
	long.Answers = nil
	take(t, b, long)
	c.set(start.Add(2 * time.Hour))
	for attendee, want := range map[string]string{"ann": survey.Stayed, "bob": survey.Left, "carl": ""} {
		stay, err := b.delivery("forms", platforms.Answers{Attendee: attendee}).Stay(t.Context(), "law")
		if err != nil || stay != want {
			t.Errorf("%s: %q (%v), not %q", attendee, stay, err, want)
		}
	}
	if b.delivery("forms", platforms.Answers{}).Stay != nil {
		t.Error("nobody has stayed or left")
	}
}

// TestADeliveryThatFailedComesAgain: nothing is said of it before all of it is kept.
func TestADeliveryThatFailedComesAgain(t *testing.T) {
	t.Parallel()
	server, err := redistest.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	rdb, line := server.Line()
	t.Cleanup(func() { _ = rdb.Close() })
	b, _ := newInbox(t, rdb, "t:", law(map[string]string{"r1": "wish"}, "f1"))
	d := delivery("f1", "ann", yes(1))
	events := d
	events.Answers = nil
	take(t, b, events)
	line.Cut()
	taken, err := b.Take(context.WithoutCancel(t.Context()), "forms", d)
	if err == nil || taken.Answers != nil {
		t.Errorf("with Redis away: %+v, %v", taken, err)
	}
	line.Mend()
	if taken = take(t, b, d); taken.Events[0] != attendance.Duplicate || !taken.Answers[0].Recorded {
		t.Errorf("once it is back: %+v", taken)
	}
}

// A platform that writes a whole meeting down in one request is recorded in parts, of which each has its results.
func TestManyEvents(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		in, _ := newInbox(t, rdb, prefix, law(nil, "hall"))
		var d platforms.Delivery
		for i := range 2*atOnce + 1 {
			d.Events = append(d.Events, attendance.Event{
				Kind: attendance.Joined, Room: "hall", Attendee: fmt.Sprint(i), Connection: fmt.Sprint(i), At: start.Add(time.Duration(i) * time.Millisecond),
			})
		}
		d.Events[atOnce].Attendee, d.Events[atOnce].Connection = "", ""
		taken, err := in.Take(t.Context(), "forms", d)
		if err != nil || len(taken.Events) != len(d.Events) {
			t.Fatalf("%d results of %d events, %v", len(taken.Events), len(d.Events), err)
		}
		for i, result := range taken.Events {
			want := attendance.Recorded
			if i == atOnce {
				want = attendance.Aside
			}
			if result != want {
				t.Fatalf("event %d: %s", i, result)
			}
		}
	})
}
