package programme

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"jauge/internal/journal"
	"jauge/internal/problem"
	"jauge/internal/redistest"
	"jauge/internal/text"
)

func TestTheFileWinsOnlyWhenItChanged(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		ctx := t.Context()
		file := hourLong("talk", Room{"live", "room"})
		c := configured(t, rdb, prefix, file)
		changed := file
		changed.Invited = 50
		if err := c.Put(ctx, changed); err != nil {
			t.Fatal(err)
		}
		if err := c.Configure(ctx, []Session{file}); err != nil { // a restart
			t.Fatal(err)
		}
		if got, _ := c.Session(ctx, "talk"); got.Invited != 50 {
			t.Error("a restart took back what the API changed")
		}
		file.Invited = 70
		if err := c.Configure(ctx, []Session{file}); err != nil {
			t.Fatal(err)
		}
		if got, _ := c.Session(ctx, "talk"); got.Invited != 70 {
			t.Error("a changed file was not taken")
		}
	})
}

// A session that the file drops is retired, and comes back with it, as the API had changed it.
func TestWhatTheFileDropsComesBackWithIt(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		ctx := t.Context()
		file, api := hourLong("talk", Room{"live", "room"}), hourLong("api")
		c := configured(t, rdb, prefix, file)
		changed := file
		changed.Invited = 50
		if err := errors.Join(c.Create(ctx, api), c.Put(ctx, changed)); err != nil {
			t.Fatal(err)
		}
		for _, row := range []struct {
			file []Session
			want []Session
		}{
			{nil, []Session{api}}, // what the API made is not of the file
			{nil, []Session{api}},
			{[]Session{file}, []Session{api, changed}},
		} {
			c = configured(t, rdb, prefix, row.file...) // a restart, which knows at once what the store has
			got, err := c.Sessions(ctx)
			if diff := cmp.Diff(row.want, got); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
		}
		c = configured(t, rdb, prefix)
		if err := c.Put(ctx, changed); err != nil { // what the file has dropped, the API may bring back
			t.Fatal(err)
		}
		got, err := c.Sessions(ctx)
		if diff := cmp.Diff([]Session{api, changed}, got); err != nil || diff != "" {
			t.Errorf("put: %v %s", err, diff)
		}
	})
}

// A Redis that came back empty is given what it lacks, and nothing that it has is changed: replicas whose files differ do not
// undo each other, not even in the moment between looking and writing.
func TestRestoreChangesNothingThatIsThere(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		ctx := t.Context()
		old, newer := hourLong("talk"), hourLong("talk")
		old.Invited, newer.Invited = 1, 2
		c, other := configured(t, rdb, prefix, old), New(rdb, Options{Prefix: prefix})
		rdb.Del(ctx, c.keys.sessions())
		c.forgetful()
		if sessions, err := c.Sessions(ctx); err != nil || len(sessions) != 0 { // c has looked, and holds it for missing
			t.Fatalf("%v (%v)", sessions, err)
		}
		if err := other.Restore(ctx, []Session{newer}); err != nil {
			t.Fatal(err)
		}
		if err := c.Restore(ctx, []Session{old, hourLong("more")}); err != nil {
			t.Fatal(err)
		}
		for id, invited := range map[string]int{"talk": 2, "more": 0} {
			for name, c := range map[string]*Catalogue{"one": c, "other": New(rdb, Options{Prefix: prefix})} {
				if got, err := c.Session(ctx, id); err != nil || got.Invited != invited {
					t.Errorf("%s, by the %s: %+v (%v)", id, name, got, err)
				}
			}
		}
	})
}

// A session that was accepted while the store was away, or taken to be, is there at once, and not overtaken by what is older.
func TestASessionAcceptedInAHiccupIsKnown(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		over bool // the store is back before the call; the journal does not try it yet
	}{{"while the store is away", false}, {"just after", true}} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			c, other, line := beside(t, hourLong("known"))
			line.Cut()
			if err := c.Put(ctx, hourLong("noticed")); err != nil {
				t.Fatal(err)
			}
			if row.over {
				line.Mend()
			}
			room := Room{"live", "room"}
			if err := c.Create(ctx, hourLong("talk", room)); err != nil {
				t.Fatal(err)
			}
			for _, id := range []string{"talk", "known"} {
				if err := c.Create(ctx, hourLong(id)); !errors.Is(err, ErrExists) {
					t.Errorf("%s is created again: %v", id, err)
				}
			}
			changed := hourLong("talk", room)
			changed.Invited = 7
			if err := c.Put(ctx, changed); err != nil {
				t.Fatal(err)
			}
			c.forgetful() // what waits in the journal is known nevertheless
			if got, err := c.Session(ctx, "talk"); err != nil || got.Invited != 7 {
				t.Fatalf("%+v (%v)", got, err)
			}
			if got, ok := c.Known(planned, Seen{Room: room, At: planned}); !ok || got.ID != "talk" {
				t.Errorf("its room is %q's", got.ID)
			}
			line.Mend()
			c.drain(t)
			for _, c := range []*Catalogue{c, other} {
				if got, err := c.Session(ctx, "talk"); err != nil || got.Invited != 7 {
					t.Errorf("%+v (%v)", got, err)
				}
			}
			if len(c.accepted) != 0 {
				t.Errorf("%v waits for ever", c.accepted)
			}
			changed.Invited = 9 // by the other replica
			if err := other.Put(ctx, changed); err != nil {
				t.Fatal(err)
			}
			c.forgetful()
			if got, err := c.Session(ctx, "talk"); err != nil || got.Invited != 9 {
				t.Errorf("%+v (%v)", got, err)
			}
		})
	}
}

// While the journal is drained, the latest of several changes is known at every moment.
func TestTheLatestChangeIsKnownWhileTheJournalIsDrained(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, _, line := beside(t)
	line.Cut()
	first, second := hourLong("talk"), hourLong("talk")
	first.Invited, second.Invited = 1, 2
	if err := errors.Join(c.Create(ctx, first), c.Put(ctx, second)); err != nil {
		t.Fatal(err)
	}
	line.Mend()
	for changes, session := range []Session{first, second} {
		if err := c.applyEntry(ctx, definition{Session: session, Changes: changes + 1}); err != nil { // as the journal does, one by one
			t.Fatal(err)
		}
		if got, err := c.Session(ctx, "talk"); err != nil || got.Invited != 2 {
			t.Errorf("after %d: %+v (%v)", changes+1, got, err)
		}
	}
}

// What another replica has changed meanwhile is known once all that waited here is overtaken, and not before.
func TestWhatWaitsIsForgottenInItsOrder(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, other, line := beside(t)
	line.Cut()
	mine, theirs := hourLong("talk"), hourLong("talk")
	mine.Invited, theirs.Invited = 2, 3
	if err := errors.Join(c.Create(ctx, hourLong("talk")), c.Put(ctx, mine)); err != nil {
		t.Fatal(err)
	}
	line.Mend()
	for range 3 {
		if err := other.Put(ctx, theirs); err != nil {
			t.Fatal(err)
		}
	}
	for i, invited := range []int{2, 3} {
		if err := c.applyEntry(ctx, definition{Session: hourLong("talk"), Changes: i + 1}); err != nil { // as the journal does, one by one
			t.Fatal(err)
		}
		c.forgetful()
		if got, err := c.Session(ctx, "talk"); err != nil || got.Invited != invited {
			t.Errorf("after %d: %d invited, not %d (%v)", i+1, got.Invited, invited, err)
		}
	}
}

// What waits in the journal is overtaken by a later change and by a newer file.
func TestALateDefinitionIsOvertaken(t *testing.T) {
	t.Parallel()
	newer := hourLong("talk")
	newer.Invited = 3
	for name, overtake := range map[string]func(t *testing.T, other *Catalogue) error{
		"by a newer file": func(t *testing.T, other *Catalogue) error { return other.Configure(t.Context(), []Session{newer}) },
		"by later changes": func(t *testing.T, other *Catalogue) error {
			return errors.Join(other.Put(t.Context(), hourLong("talk")), other.Put(t.Context(), newer))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, other, line := beside(t, hourLong("talk"))
			line.Cut()
			late := hourLong("talk")
			late.Invited = 1
			if err := c.Put(t.Context(), late); err != nil {
				t.Fatal(err)
			}
			if err := overtake(t, other); err != nil {
				t.Fatal(err)
			}
			line.Mend()
			c.drain(t)
			c.forgetful()
			if got, err := c.Session(t.Context(), "talk"); err != nil || got.Invited != 3 {
				t.Errorf("%+v (%v)", got, err)
			}
			if len(c.accepted) != 0 {
				t.Errorf("%v waits for ever", c.accepted)
			}
		})
	}
}

// What the API changed survives the restart of a store that forgets, unless the file itself has changed meanwhile.
func TestChangesAreReplayed(t *testing.T) {
	t.Parallel()
	file, changed := hourLong("talk", Room{"live", "room"}), hourLong("talk", Room{"live", "room"})
	changed.Invited = 50
	newer := file
	newer.Invited = 70
	for name, row := range map[string]struct {
		file []Session
		want []Session
	}{
		"the same file":              {[]Session{file}, []Session{hourLong("api"), changed}},
		"another file":               {[]Session{newer}, []Session{hourLong("api"), newer}},
		"the file has it no longer":  {nil, []Session{hourLong("api")}},
		"the file takes over a name": {[]Session{file, hourLong("api", Room{"live", "x"})}, []Session{hourLong("api", Room{"live", "x"}), changed}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			start := func(file []Session) *Catalogue {
				t.Helper()
				rdb, prefix := redistest.Embedded()
				j, err := journal.Open(dir, journal.Options{Mode: journal.Ahead})
				if err != nil {
					t.Fatal(err)
				}
				c := New(rdb, Options{Prefix: prefix, Journal: j})
				if err := errors.Join(c.Configure(t.Context(), file), j.Replay(t.Context(), nil, func(err error) { t.Error(err) })); err != nil {
					t.Fatal(err)
				}
				return c
			}
			c := start([]Session{file})
			if err := errors.Join(c.Create(t.Context(), hourLong("api")), c.Put(t.Context(), file), c.Put(t.Context(), changed), c.journal.Close()); err != nil {
				t.Fatal(err)
			}
			c = start(row.file)
			got, err := c.Sessions(t.Context())
			if diff := cmp.Diff(row.want, got); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
			if err := c.journal.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCreateAndPutRefuseMistakes(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb redis.UniversalClient, prefix string) {
		c := configured(t, rdb, prefix)
		var ps problem.Problems
		if err := c.Put(t.Context(), Session{ID: "Bad Id"}); !errors.As(err, &ps) || len(ps) != 4 {
			t.Errorf("put: %v", err)
		}
		if err := c.Create(t.Context(), Session{}); !errors.As(err, &ps) || len(ps) != 4 {
			t.Errorf("create: %v", err)
		}
		if err := c.Create(t.Context(), hourLong("talk")); err != nil {
			t.Fatal(err)
		}
		if err := c.Create(t.Context(), hourLong("talk")); !errors.Is(err, ErrExists) {
			t.Errorf("created twice: %v", err)
		}
	})
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*Session)
		want   []string // paths
	}{
		{"good", func(*Session) {}, nil},
		{"the longest id", func(s *Session) { s.ID = "0123456789abcdefghijklmnopqrstuvwxyz-0123456789abcdefghijklmnopq" }, nil},
		{"an id too long", func(s *Session) { s.ID = "0123456789abcdefghijklmnopqrstuvwxyz-0123456789abcdefghijklmnopqr" }, []string{"id"}},
		{"no id", func(s *Session) { s.ID = "" }, []string{"id"}},
		{"a brace", func(s *Session) { s.ID = "{talk}" }, []string{"id"}},
		{"a bad series", func(s *Session) { s.Series = "A" }, []string{"series"}},
		{"no French title", func(s *Session) { s.Title = text.Text{} }, []string{"title"}},
		{"no times", func(s *Session) { s.StartsAt, s.EndsAt = time.Time{}, time.Time{} }, []string{"ends_at", "starts_at"}},
		{"an end at the start", func(s *Session) { s.EndsAt = s.StartsAt }, []string{"ends_at"}},
		{"half a room", func(s *Session) { s.Rooms = []Room{{"live", "a"}, {"live", ""}, {"", "a"}} }, []string{"rooms[1]", "rooms[2]"}},
		{"a room twice", func(s *Session) { s.Rooms = []Room{{"live", "a"}, {"other", "a"}, {"live", "a"}} }, []string{"rooms[2]"}},
		{"bad segments", func(s *Session) { s.Segments = []Segment{{ID: "a"}, {ID: "A"}, {ID: "a"}} }, []string{"segments[1].id", "segments[2].id"}},
		{"staff", func(s *Session) { s.Staff = []string{"jo@x.test", "", "Jo Chill", "\t"} }, []string{"staff[1]", "staff[3]"}},
		{"no window at all", func(s *Session) { *s = within(*s, 0, 0) }, nil},
		{"the longest window", func(s *Session) { *s = within(*s, 720*time.Hour, 720*time.Hour) }, nil},
		{"bad windows", func(s *Session) { *s = within(*s, -1, 720*time.Hour+1) }, []string{"window.after", "window.before"}},
		{"invited", func(s *Session) { s.Invited = -1 }, []string{"invited"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := hourLong("talk")
			row.change(&s)
			var got []string
			for _, p := range s.Validate() {
				got = append(got, p.Path)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
