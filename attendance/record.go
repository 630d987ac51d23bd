package attendance

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/record.lua
var recordSource string

var recordScript = redis.NewScript(recordSource)

// scriptKind is the name of an event's kind in record.lua. Staff are not counted, but prove that the room was open.
func (e sealed) scriptKind() string {
	if e.Staff && e.Kind != Ended {
		return "seen"
	}
	return string(e.Kind)
}

func (e sealed) args() []any {
	return []any{
		e.scriptKind(), e.Room, e.Occurrence, e.Connection, e.Person,
		strconv.FormatInt(e.At, 10), e.Peer, strconv.FormatInt(e.Seconds, 10),
	}
}

// placed is a sealed event with the session that it belongs to.
type placed struct {
	session string
	event   sealed
}

// batchSize is how many script calls go out in one round trip.
const batchSize = 500

// write runs the script once per event, pipelined, and adds the names. A server that has lost the script (restart, failover) gets
// it again, in a cluster as its whole text, and the batch is repeated: all of it is idempotent.
func (s *Store) write(ctx context.Context, events []placed) ([]Result, error) {
	results := make([]Result, 0, len(events))
	for batch := range slices.Chunk(events, batchSize) {
		cmds, err := s.pipeline(ctx, batch, recordScript.EvalSha)
		if redis.HasErrorPrefix(err, "NOSCRIPT") && recordScript.Load(ctx, s.rdb).Err() == nil {
			cmds, err = s.pipeline(ctx, batch, recordScript.EvalSha)
		}
		if redis.HasErrorPrefix(err, "NOSCRIPT") {
			cmds, err = s.pipeline(ctx, batch, recordScript.Eval)
		}
		if err != nil {
			return nil, fmt.Errorf("record: %w", err)
		}
		for i, cmd := range cmds[:len(batch)] {
			text, err := cmd.(*redis.Cmd).Text()
			if err != nil {
				return nil, fmt.Errorf("record: %w", err)
			}
			if batch[i].event.Staff {
				text = string(StaffSeen)
			}
			results = append(results, Result(text))
		}
	}
	return results, nil
}

type evaluate func(ctx context.Context, c redis.Scripter, keys []string, args ...any) *redis.Cmd

func (s *Store) pipeline(ctx context.Context, batch []placed, eval evaluate) ([]redis.Cmder, error) {
	return s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, b := range batch {
			eval(ctx, p, s.keys.session(b.session), b.event.args()...)
		}
		s.addNames(ctx, p, batch)
		return nil
	})
}
