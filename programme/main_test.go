package programme

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"jauge/internal/journal"
	"jauge/internal/redistest"
	"jauge/internal/text"
)

func TestMain(m *testing.M) {
	os.Exit(redistest.Main(m, func() error { return goleak.Find() }))
}

var planned = time.Date(2020, 4, 23, 15, 0, 0, 0, time.UTC)

func hourLong(id string, rooms ...Room) Session {
	return Session{ID: id, Title: text.Text{"fr": id}, StartsAt: planned, EndsAt: planned.Add(time.Hour), Rooms: rooms}
}

// configured is a catalogue with the sessions of a file.
func configured(t testing.TB, rdb redis.UniversalClient, prefix string, file ...Session) *Catalogue {
	t.Helper()
	c := New(rdb, Options{Prefix: prefix})
	if err := c.Configure(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	return c
}

// beside is a catalogue on the real redis-server with a journal beside it, another replica that nothing keeps from that
// server, and the line that keeps the first one from it.
func beside(t *testing.T, file ...Session) (c, other *Catalogue, line *redistest.Line) {
	t.Helper()
	shared, prefix := redistest.Redis()
	rdb, line := redistest.Cuttable(t, shared)
	judge := func(err error) (journal.Fault, string) {
		if failed := new(net.OpError); errors.As(err, &failed) {
			return journal.Away, "network"
		}
		return journal.Caller, "invalid"
	}
	j, err := journal.Open(t.TempDir(), journal.Options{Mode: journal.Beside, Judge: judge})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	c = New(rdb, Options{Prefix: prefix, Journal: j})
	if err := c.Configure(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	return c, New(shared, Options{Prefix: prefix}), line
}

func (c *Catalogue) drain(t *testing.T) {
	t.Helper()
	if err := c.journal.Drain(t.Context(), func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
}

// forgetful lets the sessions be read anew at the next question about them, as a second later.
func (c *Catalogue) forgetful() { c.remember(true) }
