package attendance

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// A beacon counts the people of a platform that sends no live joins and leaves: a script on the page that embeds the room, or a
// check-in page, sends a heartbeat every BeatEvery, under a random id of the tab. Its marks are those of any other source, but for
// one thing: a connection whose heartbeats stop is closed at the last of them.
const (
	BeatEvery    = 30 * time.Second
	beatPatience = 75 * time.Second // two heartbeats may be lost
)

// BeaconSource is the source of every beacon's events; their room is the session itself.
const BeaconSource = "beacon"

// beat is the journal entry of a heartbeat, or of a beacon's join.
type beat struct {
	Session    string `json:"session"`
	Connection string `json:"connection"` // sealed
	At         int64  `json:"at"`
}

// ErrOver says that the session has taken place and takes no arrivals.
var ErrOver = errors.New("the session is over")

// Arrive opens the connection of a beacon in a session, now; programme.ErrNotFound, or ErrOver once the session has taken place: a
// beacon does not prove that its person is in the room, so the end of the session has to be its limit.
func (s *Store) Arrive(ctx context.Context, session, connection string) error {
	planned, err := s.programme.Session(ctx, session)
	if err != nil {
		return err
	}
	if f, err := s.Figures(ctx, planned); err == nil && f[0].State == Over && !f[0].StartedAt.IsZero() {
		return ErrOver
	}
	if err := s.beacon(ctx, session, connection, Joined); err != nil {
		return err
	}
	return s.keepBeat(ctx, session, connection)
}

// Beat keeps a beacon's connection open; programme.ErrNotFound. It gives false when the connection is not open: the beacon has to
// arrive again, under a new id.
func (s *Store) Beat(ctx context.Context, session, connection string) (bool, error) {
	if _, err := s.programme.Session(ctx, session); err != nil {
		return false, err
	}
	switch err := s.rdb.ZScore(ctx, s.keys.beacons(session), s.seal.optional("connection", BeaconSource, connection)).Err(); {
	case errors.Is(err, redis.Nil):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("beacon: %w", err)
	}
	return true, s.keepBeat(ctx, session, connection)
}

// Depart closes a beacon's connection, now; programme.ErrNotFound.
func (s *Store) Depart(ctx context.Context, session, connection string) error {
	if err := s.beacon(ctx, session, connection, Left); err != nil {
		return err
	}
	return s.rdb.ZRem(ctx, s.keys.beacons(session), s.seal.optional("connection", BeaconSource, connection)).Err()
}

func (s *Store) beacon(ctx context.Context, session, connection string, kind Kind) error {
	if _, err := s.programme.Session(ctx, session); err != nil {
		return err
	}
	at := s.now()
	if kind == Left {
		at = at.Add(time.Millisecond) // after the join, which may have come in the same one
	}
	_, err := s.Record(ctx, BeaconSource, []Event{{Kind: kind, Room: session, Connection: connection, At: at}})
	return err
}

func (s *Store) keepBeat(ctx context.Context, session, connection string) error {
	b := beat{session, s.seal.optional("connection", BeaconSource, connection), s.now().UnixMilli()}
	return s.journal.Do(ctx, entryBeat, b, func(ctx context.Context) error { return s.storeBeat(ctx, b) })
}

// storeBeat keeps the latest heartbeat of a beacon: entries of the journal may come late, and twice.
func (s *Store) storeBeat(ctx context.Context, b beat) error {
	err := s.rdb.ZAddArgs(ctx, s.keys.beacons(b.Session), redis.ZAddArgs{
		GT: true, Members: []redis.Z{{Score: float64(b.At), Member: b.Connection}},
	}).Err()
	if err != nil {
		return fmt.Errorf("beacon: %w", err)
	}
	return nil
}

// CloseSilentBeacons closes the beacons whose heartbeats have stopped, each at its last one, and returns how many. Call it
// periodically.
func (s *Store) CloseSilentBeacons(ctx context.Context) (int, error) {
	sessions, err := s.programme.Sessions(ctx)
	if err != nil {
		return 0, err
	}
	closed := 0
	before := strconv.FormatInt(s.now().Add(-beatPatience).UnixMilli(), 10)
	for _, session := range sessions {
		silent, err := s.rdb.ZRangeByScoreWithScores(ctx, s.keys.beacons(session.ID), &redis.ZRangeBy{Min: "-inf", Max: before}).Result()
		if err != nil {
			return closed, fmt.Errorf("beacons: %w", err)
		}
		for _, z := range silent {
			if err := s.closeSilent(ctx, session.ID, z.Member.(string), int64(z.Score)); err != nil {
				return closed, err
			}
			closed++
		}
	}
	return closed, nil
}

// closeSilent records the leave first and forgets the beacon after: at least once. The leave comes after what it was heard with, which may have been
// its join.
func (s *Store) closeSilent(ctx context.Context, session, connection string, at int64) error {
	leave := []sealed{{
		Kind: Left, Source: BeaconSource, RoomID: session, At: at + 1, Connection: connection, Session: session, Version: sealVersion,
		Occurrence: s.seal.occurrence(BeaconSource, session, ""),
	}}
	if _, err := s.keep(ctx, leave); err != nil {
		return err
	}
	return s.rdb.ZRem(ctx, s.keys.beacons(session), connection).Err()
}
