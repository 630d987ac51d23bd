package attendance

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Authentic events that do not count are kept, with hashed ids: those of rooms that no session claims until one does, and
// those that cannot be used so that the organiser sees them. The set is its own protection against redelivery: the same
// event is the same member.
const (
	AsideFor = 7 * 24 * time.Hour
	asideCap = 100_000 // the oldest give way
)

// Reason is why an event is kept aside.
type Reason string

// The reasons. Only the first may pass: what has another one is never counted, and sent again it would be no better.
const (
	NoSession  Reason = "no_session" // no session claims the room
	OutOfRange Reason = "time"       // it happened before 2000, or more than 24 hours after it arrived
	Nobody     Reason = "nobody"     // it is of a person, and names neither an attendee nor a connection
)

// AsideEvent is one authentic event that does not count, or not yet.
type AsideEvent struct {
	Source     string
	Room       string
	Alias      string // another id that a session may name instead; empty: none
	Kind       Kind
	Reason     Reason
	At         time.Time // by the platform's clock, within the years 1 to 9999
	ReceivedAt time.Time
}

// Events may be this far ahead of the receiver's clock, and no older than this moment.
const maxAhead = 24 * time.Hour

var oldest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// unusable says why an event can never count; empty: it can.
func (s *Store) unusable(e Event) Reason {
	nobody := e.Attendee == "" && e.Email == ""
	switch {
	case e.At.Before(oldest) || e.At.After(s.now().Add(maxAhead)):
		return OutOfRange
	case (e.Kind == Joined || e.Kind == Left) && nobody && e.Connection == "",
		e.Kind == Bound && (e.Connection == "" || e.Peer == ""),
		e.Kind.ofPerson() && nobody:
		return Nobody
	}
	return ""
}

// writable is t, or the nearer end of the years that JSON can write.
func writable(t time.Time) time.Time {
	first, last := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	switch {
	case t.Before(first):
		return first
	case t.After(last):
		return last
	}
	return t
}

func (s *Store) putAside(ctx context.Context, events []sealed) error {
	if len(events) == 0 {
		return nil
	}
	now := s.now().UnixMilli()
	members := make([]redis.Z, len(events))
	for i, e := range events {
		arrived := cmp.Or(e.Arrived, now)
		e.Arrived = 0
		text, err := json.Marshal(e)
		if err != nil {
			return err
		}
		members[i] = redis.Z{Score: float64(arrived), Member: string(text)}
	}
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.ZAddNX(ctx, s.keys.aside(), members...)
		p.ZRemRangeByScore(ctx, s.keys.aside(), "-inf", "("+s.asideOldest())
		p.ZRemRangeByRank(ctx, s.keys.aside(), 0, -asideCap-1)
		return nil
	})
	if err != nil {
		return fmt.Errorf("put aside: %w", err)
	}
	return nil
}

// asideOldest is the score of the oldest event that is still kept.
func (s *Store) asideOldest() string {
	return strconv.FormatInt(s.now().Add(-AsideFor).UnixMilli(), 10)
}

// Reclaim records the events put aside whose room a session claims by now, page by page, and returns how many. Run it now
// and then: another replica may have created the session while this one still put events aside.
func (s *Store) Reclaim(ctx context.Context) (int, error) {
	c, err := s.sessions(ctx)
	if err != nil {
		return 0, err
	}
	total := 0
	var cursor uint64
	for {
		page, next, err := s.rdb.ZScan(ctx, s.keys.aside(), cursor, "", batchSize).Result()
		if err != nil {
			return total, fmt.Errorf("events put aside: %w", err)
		}
		n, err := s.reclaim(ctx, c, page)
		total += n
		if err != nil || next == 0 {
			return total, err
		}
		cursor = next
	}
}

// reclaim records the claimed ones of a page of members and scores: recorded first, removed after, at least once.
func (s *Store) reclaim(ctx context.Context, c *catalogue, page []string) (int, error) {
	var events []sealed
	var members []any
	for i := 0; i < len(page); i += 2 {
		var e sealed
		if err := json.Unmarshal([]byte(page[i]), &e); err != nil {
			return 0, fmt.Errorf("event put aside: %w", err)
		}
		if _, ok := c.of(e); ok && e.Reason == "" {
			events, members = append(events, e), append(members, page[i])
		}
	}
	if len(events) == 0 {
		return 0, nil
	}
	if _, err := s.apply(ctx, events); err != nil {
		return 0, err
	}
	return len(events), s.rdb.ZRem(ctx, s.keys.aside(), members...).Err()
}

// AsideCount is how many events are kept aside, whatever the reason.
func (s *Store) AsideCount(ctx context.Context) (int64, error) {
	return s.rdb.ZCount(ctx, s.keys.aside(), s.asideOldest(), "+inf").Result()
}

// asidePage is how many events are read at once.
const asidePage = 5000

// AsideEvents lists the events that are kept aside, oldest first, without any id of a person.
func (s *Store) AsideEvents(ctx context.Context) ([]AsideEvent, error) {
	var out []AsideEvent
	for {
		page, err := s.rdb.ZRangeByScoreWithScores(ctx, s.keys.aside(), &redis.ZRangeBy{
			Min: s.asideOldest(), Max: "+inf", Offset: int64(len(out)), Count: asidePage,
		}).Result()
		if err != nil {
			return nil, fmt.Errorf("read events put aside: %w", err)
		}
		for _, z := range page {
			var e sealed
			if err := json.Unmarshal([]byte(z.Member.(string)), &e); err != nil {
				return nil, fmt.Errorf("event put aside: %w", err)
			}
			out = append(out, AsideEvent{
				Source: e.Source, Room: e.RoomID, Alias: e.Alias, Kind: e.Kind, Reason: cmp.Or(e.Reason, NoSession),
				At: time.UnixMilli(e.At).UTC(), ReceivedAt: time.UnixMilli(int64(z.Score)).UTC(),
			})
		}
		if len(page) < asidePage {
			return out, nil
		}
	}
}
