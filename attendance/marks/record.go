package marks

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/record.lua
var recordSource string

var recordScript = redis.NewScript(recordSource)

// scriptKind is the letter of an event's kind in record.lua. Staff are not counted, but prove that the room was open.
func (e Mark) scriptKind() byte {
	if e.Staff {
		switch e.Kind {
		case Joined:
			return 'J'
		case Left:
			return 'L'
		case Bound:
			return 'B'
		case Registered, Attended, Replayed:
			return 'P'
		}
	}
	switch e.Kind {
	case Joined:
		return 'j'
	case Left:
		return 'l'
	case Bound:
		return 'b'
	case Started:
		return 's'
	case Registered:
		return 'r'
	case Replayed:
		return 'p'
	case Attended:
		return 'a'
	case Same:
		return 'i'
	}
	return 'e'
}

// extra is what an event says beside ids and time: see record.lua.
func (e Mark) extra() string {
	switch {
	case e.Kind == Bound, e.Kind == Same:
		return e.Peer
	case e.Kind == Attended:
		return strconv.FormatInt(e.Seconds*1000, 10)
	case (e.Kind == Joined || e.Kind == Left) && IsGuest(e.Person):
		return e.Name
	}
	return ""
}

// atOnce is how many events one call of the script takes.
const atOnce = 256

// recordArgs are the arguments of record.lua for events of one session, which must not change before the call is over.
func recordArgs(events []Placed) []any {
	n := len(events)
	codes := make([]byte, 0, 3*n)
	var occurrences []*Mark
	for i := range events {
		e := &events[i].Mark
		at := slices.IndexFunc(occurrences, func(o *Mark) bool { return o.Occurrence == e.Occurrence })
		if at < 0 {
			at = len(occurrences)
			occurrences = append(occurrences, e)
		}
		codes = append(codes, e.scriptKind(), hexDigits[at>>4], hexDigits[at&15])
	}
	columns := 4 + 2*len(occurrences)
	args := make([]any, columns+4*n)
	args[0], args[1], args[2], args[3] = n, codes, time.Now().UnixMicro(), len(occurrences)
	for i, o := range occurrences {
		args[4+2*i], args[5+2*i] = o.Room, o.Occurrence
	}
	for i := range events {
		e := &events[i].Mark
		args[columns+i], args[columns+n+i], args[columns+2*n+i], args[columns+3*n+i] = &e.Connection, &e.Person, &e.At, e.extra()
	}
	return args
}

const hexDigits = "0123456789abcdef"

// outcomeOf reads one character of the script's reply.
func outcomeOf(e *Mark, reply byte) Outcome {
	switch {
	case reply == 't':
		return TooMany
	case e.Staff || reply == 's':
		return OfStaff
	case reply == 'r':
		return Recorded
	}
	return Duplicate
}

// Write records marks in their sessions, in order, and adds the names; an outcome for each.
func (s *Store) Write(ctx context.Context, events []Placed) ([]Outcome, error) {
	if len(events) == 0 {
		return nil, nil
	}
	session := events[0].Session
	if len(events) <= atOnce && !slices.ContainsFunc(events, func(e Placed) bool { return e.Session != session }) {
		return s.committers.of(session).add(ctx, events)
	}
	results := make([]Outcome, len(events))
	bySession := map[string][]int{}
	for i, e := range events {
		bySession[e.Session] = append(bySession[e.Session], i)
	}
	var refused error
	for session, all := range bySession {
		for indices := range slices.Chunk(all, atOnce) {
			part := make([]Placed, len(indices))
			for k, i := range indices {
				part[k] = events[i]
			}
			got, err := s.committers.of(session).add(ctx, part)
			switch {
			case ofEntry(err): // the other sessions' events count
				refused = err
				continue
			case err != nil:
				return nil, err
			}
			for k, i := range indices {
				results[i] = got[k]
			}
		}
	}
	if refused != nil {
		return nil, refused
	}
	return results, nil
}

// callWithin is how long one call of the script may take. It is not bound to the request that sends it: others wait for it too.
const callWithin = 1200 * time.Millisecond

// call sends events of one session in one call of the script. A server that has lost the script (restart, failover) gets it again, in
// a cluster as its whole text, and the call is repeated: all of it is idempotent.
func (s *Store) call(ctx context.Context, session string, events []Placed) ([]Outcome, error) {
	keys, args := s.keys.Session(session), recordArgs(events)
	reply, err := s.send(ctx, recordScript.EvalSha, keys, args, session, events)
	if redis.HasErrorPrefix(err, "NOSCRIPT") && recordScript.Load(ctx, s.rdb).Err() == nil {
		reply, err = s.send(ctx, recordScript.EvalSha, keys, args, session, events)
	}
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		reply, err = s.send(ctx, recordScript.Eval, keys, args, session, events)
	}
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	if len(reply) != len(events) {
		return nil, errors.New("record: the script's reply does not fit")
	}
	results := make([]Outcome, len(events))
	for i := range events {
		results[i] = outcomeOf(&events[i].Mark, reply[i])
	}
	return results, nil
}

type evaluate func(ctx context.Context, c redis.Scripter, keys []string, args ...any) *redis.Cmd

func (s *Store) send(ctx context.Context, eval evaluate, keys []string, args []any, session string, events []Placed) (string, error) {
	var names []any
	for _, e := range events {
		for _, hash := range e.Names {
			names = append(names, hash)
		}
	}
	if len(names) == 0 {
		return eval(ctx, s.rdb, keys, args...).Text()
	}
	var reply *redis.Cmd
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		reply = eval(ctx, p, keys, args...)
		p.SAdd(ctx, s.keys.Names(session), names...)
		return nil
	})
	if err != nil {
		return "", err
	}
	return reply.Text()
}

// TimedOut says that a call may have reached the server, and that nobody knows what became of it.
func TimedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

// ofEntry says that the server has answered, and that it is these events that it does not take. HasErrorPrefix passes over the code ERR.
func ofEntry(err error) bool {
	return redis.HasErrorPrefix(err, "WRONGTYPE") || redis.HasErrorPrefix(err, "user_script") || redis.HasErrorPrefix(err, "Error compiling script")
}
