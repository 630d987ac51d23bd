package attendance

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Authentic events of rooms that no session claims are kept, with hashed ids, until one does. The set is its own
// protection against redelivery: the same event is the same member.
const (
	AsideFor = 7 * 24 * time.Hour
	asideCap = 100_000 // the oldest give way
)

// AsideEvent is one authentic event that no session claims yet.
type AsideEvent struct {
	Source     string    `json:"source"`
	Room       string    `json:"room"`
	Kind       Kind      `json:"kind"`
	At         time.Time `json:"at"`
	ReceivedAt time.Time `json:"received_at"`
	Reason     string    `json:"reason"`
}

func (s *Store) putAside(ctx context.Context, events []sealed) error {
	if len(events) == 0 {
		return nil
	}
	now := s.now()
	members := make([]redis.Z, len(events))
	for i, e := range events {
		text, err := json.Marshal(e)
		if err != nil {
			return err
		}
		members[i] = redis.Z{Score: float64(now.UnixMilli()), Member: string(text)}
	}
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.ZAddNX(ctx, s.keys.aside(), members...)
		p.ZRemRangeByScore(ctx, s.keys.aside(), "-inf", strconv.FormatInt(now.Add(-AsideFor).UnixMilli(), 10))
		p.ZRemRangeByRank(ctx, s.keys.aside(), 0, -asideCap-1)
		return nil
	})
	if err != nil {
		return fmt.Errorf("put aside: %w", err)
	}
	return nil
}

// Reclaim records the events put aside whose room a session claims by now, and returns how many. Run it now and then:
// another replica may have created the session while this one still put events aside.
func (s *Store) Reclaim(ctx context.Context) (int, error) {
	raw, err := s.rdb.ZRange(ctx, s.keys.aside(), 0, -1).Result()
	if err != nil || len(raw) == 0 {
		return 0, err
	}
	c, err := s.sessions(ctx)
	if err != nil {
		return 0, err
	}
	var events []sealed
	var members []any
	for _, text := range raw {
		var e sealed
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			return 0, fmt.Errorf("event put aside: %w", err)
		}
		if _, ok := c.of(e); ok {
			events, members = append(events, e), append(members, text)
		}
	}
	if len(events) == 0 {
		return 0, nil
	}
	if _, err := s.apply(ctx, events); err != nil { // recorded first, removed after: at least once
		return 0, err
	}
	return len(events), s.rdb.ZRem(ctx, s.keys.aside(), members...).Err()
}

// AsideCount is how many events no session has claimed.
func (s *Store) AsideCount(ctx context.Context) (int64, error) {
	return s.rdb.ZCard(ctx, s.keys.aside()).Result()
}

// AsideEvents lists the events that no session has claimed, oldest first, without any id of a person.
func (s *Store) AsideEvents(ctx context.Context) ([]AsideEvent, error) {
	raw, err := s.rdb.ZRangeWithScores(ctx, s.keys.aside(), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("read events put aside: %w", err)
	}
	out := make([]AsideEvent, len(raw))
	for i, z := range raw {
		var e sealed
		if err := json.Unmarshal([]byte(z.Member.(string)), &e); err != nil {
			return nil, fmt.Errorf("event put aside: %w", err)
		}
		out[i] = AsideEvent{
			Source: e.Source, Room: e.RoomID, Kind: e.Kind, At: time.UnixMilli(e.At).UTC(),
			ReceivedAt: time.UnixMilli(int64(z.Score)).UTC(), Reason: "no session claims this room",
		}
	}
	return out, nil
}
