package attendance

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// The curve and its peak are made of the session's log when somebody looks, and not kept in the store: a process remembers of each session
// what it has read of the log, and reads what was appended since.

// timelines are what this process has read of sessions' logs.
type timelines struct {
	mu        sync.Mutex
	bySession map[string]*timeline
}

// timelinesKept bounds them: at that number all are forgotten, and read again when somebody looks.
const timelinesKept = 2000

func (t *timelines) of(id string) *timeline {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.bySession[id]; known != nil {
		return known
	}
	if t.bySession == nil || len(t.bySession) >= timelinesKept {
		t.bySession = map[string]*timeline{}
	}
	t.bySession[id] = &timeline{}
	return t.bySession[id]
}

// timeline is a session's log as far as it was read, with the counts of the same moment.
type timeline struct {
	mu      sync.Mutex
	counts  counts                     // with peak and peak_at
	read    int64                      // bytes of the log
	changes map[string]map[int64]int64 // label → second → change of persons under that label
	curve   map[int64]int64            // second → change of present, zeros left out; shared, never written to
}

// position is what was read of a session: where the next read goes on.
type position struct{ epoch, rev, read int64 }

func (t *timeline) position() position {
	t.mu.Lock()
	defer t.mu.Unlock()
	return position{t.counts["epoch"], t.counts["rev"], t.read}
}

// moment is what is known of a session at one moment.
type moment struct {
	counts counts          // with peak and peak_at
	curve  map[int64]int64 // second → change of present
}

// look reads the moment of each session, and its declared head count, in one round trip.
func (s *reader) look(ctx context.Context, ids ...string) ([]seenSession, error) {
	for range attempts {
		out, err := s.lookOnce(ctx, ids)
		if !errors.Is(err, errAgain) {
			return out, err
		}
	}
	return nil, ErrBusy
}

// seenSession is what look reads of one session.
type seenSession struct {
	moment
	declared *int
}

//go:embed lua/read.lua
var readSource string

var readScript = redis.NewScript(readSource)

func (s *reader) lookOnce(ctx context.Context, ids []string) ([]seenSession, error) {
	asked, replies := make([]position, len(ids)), make([]*redis.Cmd, len(ids))
	for i, id := range ids {
		asked[i] = s.timelines.of(id).position()
	}
	read := func(eval evaluate) error {
		_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, id := range ids {
				keys := []string{s.keys.counts(id), s.keys.log(id), s.keys.occurrences(id), s.keys.declared(id)}
				replies[i] = eval(ctx, p, keys, asked[i].epoch, asked[i].rev, asked[i].read)
			}
			return nil
		})
		return err
	}
	err := read(readScript.EvalSha)
	if redis.HasErrorPrefix(err, "NOSCRIPT") && readScript.Load(ctx, s.rdb).Err() == nil {
		err = read(readScript.EvalSha)
	}
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		err = read(readScript.Eval)
	}
	if err != nil {
		return nil, fmt.Errorf("read figures: %w", err)
	}
	out := make([]seenSession, len(ids))
	for i, id := range ids {
		reply, err := replies[i].Slice()
		if err != nil {
			return nil, fmt.Errorf("read figures: %w", err)
		}
		if out[i].moment, err = s.timelines.of(id).advance(reply, asked[i]); err != nil {
			return nil, fmt.Errorf("session %s: %w", id, err)
		}
		if out[i].declared, err = readDeclared(reply[1]); err != nil {
			return nil, fmt.Errorf("session %s: declared heads: %w", id, err)
		}
	}
	return out, nil
}

// errAgain says that another read has found the log to be another one, meanwhile.
var errAgain = errors.New("the log was read anew meanwhile")

// advance takes in a reply of read.lua, and gives the session's latest moment. Of two reads at once one is later.
func (t *timeline) advance(reply []any, asked position) (moment, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	text, ok := reply[0].(string)
	if !ok { // no event yet, or the store has lost them
		t.counts, t.read, t.changes, t.curve = counts{}, 0, nil, nil
		return moment{t.counts, nil}, nil
	}
	c, err := parseCounts(text)
	if err != nil {
		return moment{}, err
	}
	now := position{t.counts["epoch"], t.counts["rev"], t.read}
	if len(reply) < 5 || now.epoch == c["epoch"] && now.rev >= c["rev"] {
		return moment{t.counts, t.curve}, nil // it knows as much, or another read was faster
	}
	log, _ := reply[3].(string)
	switch from := reply[2].(int64); {
	case from == 0:
		t.read, t.changes = 0, map[string]map[int64]int64{}
	case now.epoch != asked.epoch || now.read < asked.read:
		return moment{}, errAgain
	default:
		log = log[now.read-from:]
	}
	if err := t.append(log, c["base"]); err != nil {
		return moment{}, err
	}
	ends, err := endsOf(reply[4].([]any))
	if err != nil {
		return moment{}, err
	}
	t.curve = curveOf(t.changes, ends)
	c["peak"], c["peak_at"] = peakOf(t.curve)
	t.counts = c
	return moment{t.counts, t.curve}, nil
}

// append takes in what was appended to the log: "label:" and, of each person, the ms from base on with + or -, and then ";".
func (t *timeline) append(log string, base int64) error {
	t.read += int64(len(log))
	return eachChange(log, func(label string, ms, by int64) {
		seconds := t.changes[label]
		if seconds == nil {
			seconds = map[int64]int64{}
			t.changes[strings.Clone(label)] = seconds
		}
		seconds[floorSecond(base+ms)] += by
	})
}

func eachChange(log string, f func(label string, ms, by int64)) error {
	for log != "" {
		entry, rest, whole := strings.Cut(log, ";")
		label, changes, ok := strings.Cut(entry, ":")
		if !whole || !ok {
			return errShape
		}
		for changes != "" {
			i := strings.IndexAny(changes[1:], "+-") + 1
			if i < 1 {
				return errShape
			}
			ms, err := strconv.ParseInt(changes[:i], 10, 64)
			if err != nil {
				return fmt.Errorf("%w: %w", errShape, err)
			}
			by := int64(1)
			if changes[i] == '-' {
				by = -1
			}
			f(label, ms, by)
			changes = changes[i+1:]
		}
		log = rest
	}
	return nil
}

// endsOf reads from occurrences when each opening ended, by its number: never, while it is open.
func endsOf(fields []any) (map[string]int64, error) {
	ends := map[string]int64{}
	for i := 0; i+1 < len(fields); i += 2 {
		o, err := parseOccurrence(fields[i].(string), fields[i+1].(string))
		if err != nil {
			return nil, err
		}
		for _, p := range o.kept {
			if ends[strconv.Itoa(p.number)] = p.close; p.close == 0 {
				ends[strconv.Itoa(p.number)] = never
			}
		}
	}
	return ends, nil
}

// endOf is a label's end: the latest of its openings'.
func endOf(label string, ends map[string]int64) int64 {
	latest := int64(0)
	for n := range strings.SplitSeq(label, ",") {
		latest = max(latest, ends[n])
	}
	return latest
}

// curveOf adds the labels up, each until its end, when those who are still under it leave.
func curveOf(changes map[string]map[int64]int64, ends map[string]int64) map[int64]int64 {
	curve := map[int64]int64{}
	for label, seconds := range changes {
		end, inside := endOf(label, ends), int64(0)
		last := never
		if end != never {
			last = floorSecond(end)
		}
		for second, by := range seconds {
			if second < last {
				curve[second] += by
				inside += by
			}
		}
		if last != never {
			curve[last] -= inside
		}
	}
	maps.DeleteFunc(curve, func(_, by int64) bool { return by == 0 })
	return curve
}

// peakOf is a curve's maximum and its earliest second.
func peakOf(curve map[int64]int64) (peak, at int64) {
	present := int64(0)
	for _, second := range slices.Sorted(maps.Keys(curve)) {
		present += curve[second]
		if present > peak {
			peak, at = present, second
		}
	}
	return peak, at
}

// Curve returns present at each step, by event time, from the first event to the end or the moment of the figures; empty before
// the first event. A step is at least a second.
func (s *reader) Curve(ctx context.Context, f Figures, step time.Duration) ([]Point, error) {
	seen, err := s.look(ctx, f.Session.ID)
	if err != nil || len(seen[0].curve) == 0 {
		return nil, err
	}
	return points(seen[0].curve, max(int64(step/time.Second), 1), curveEnd(f)), nil
}

// curveEnd is the last moment of a session's curve: its end, or that of the figures.
func curveEnd(f Figures) time.Time {
	if f.State == Over && !f.EndedAt.IsZero() {
		return f.EndedAt
	}
	if f.LastEventAt.After(f.AsOf) {
		return f.LastEventAt
	}
	return f.AsOf
}

// points samples the curve at every step from its first second until end, the last change included.
func points(deltas map[int64]int64, step int64, end time.Time) []Point {
	seconds := slices.Sorted(maps.Keys(deltas))
	present, i := int64(0), 0
	var out []Point
	for at := seconds[0]; ; at += step {
		last := at >= end.Unix()
		if last {
			at = max(end.Unix(), seconds[0])
		}
		for i < len(seconds) && seconds[i] <= at {
			present += deltas[seconds[i]]
			i++
		}
		out = append(out, Point{At: time.Unix(at, 0).UTC(), Present: int(present)})
		if last {
			return out
		}
	}
}
