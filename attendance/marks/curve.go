package marks

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
	counts  Counts                     // with peak and peak_at
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

// Moment is what a session shows at one moment.
type Moment struct {
	Counts Counts          // with peak and peak_at
	Curve  map[int64]int64 // second → change of present, zeros left out; shared, never to be written to
}

// Look reads the moment of each session, and its declared head count, in one round trip.
func (s *Store) Look(ctx context.Context, ids ...string) ([]Seen, error) {
	for range attempts {
		out, err := s.lookOnce(ctx, ids)
		if !errors.Is(err, errAgain) {
			return out, err
		}
	}
	return nil, ErrBusy
}

// Seen is what Look reads of one session.
type Seen struct {
	Moment
	Declared *int // the head count that a host typed; nil: none
}

//go:embed lua/read.lua
var readSource string

var readScript = redis.NewScript(readSource)

func (s *Store) lookOnce(ctx context.Context, ids []string) ([]Seen, error) {
	asked, replies := make([]position, len(ids)), make([]*redis.Cmd, len(ids))
	for i, id := range ids {
		asked[i] = s.timelines.of(id).position()
	}
	read := func(eval evaluate) error {
		_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, id := range ids {
				keys := []string{s.keys.Counts(id), s.keys.Log(id), s.keys.Occurrences(id), s.keys.Declared(id)}
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
	out := make([]Seen, len(ids))
	for i, id := range ids {
		reply, err := replies[i].Slice()
		if err != nil {
			return nil, fmt.Errorf("read figures: %w", err)
		}
		if out[i].Moment, err = s.timelines.of(id).advance(reply, asked[i]); err != nil {
			return nil, fmt.Errorf("session %s: %w", id, err)
		}
		if out[i].Declared, err = readDeclared(reply[1]); err != nil {
			return nil, fmt.Errorf("session %s: declared heads: %w", id, err)
		}
	}
	return out, nil
}

// errAgain says that another read has found the log to be another one, meanwhile.
var errAgain = errors.New("the log was read anew meanwhile")

// advance takes in a reply of read.lua, and gives the session's latest moment. Of two reads at once one is later.
func (t *timeline) advance(reply []any, asked position) (Moment, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	text, ok := reply[0].(string)
	if !ok { // no event yet, or the store has lost them
		t.counts, t.read, t.changes, t.curve = Counts{}, 0, nil, nil
		return Moment{t.counts, nil}, nil
	}
	c, err := parseCounts(text)
	if err != nil {
		return Moment{}, err
	}
	now := position{t.counts["epoch"], t.counts["rev"], t.read}
	if len(reply) < 5 || now.epoch == c["epoch"] && now.rev >= c["rev"] {
		return Moment{t.counts, t.curve}, nil // it knows as much, or another read was faster
	}
	log, _ := reply[3].(string)
	switch from := reply[2].(int64); {
	case from == 0:
		t.read, t.changes = 0, map[string]map[int64]int64{}
	case now.epoch != asked.epoch || now.read < asked.read:
		return Moment{}, errAgain
	default:
		log = log[now.read-from:]
	}
	if err := t.append(log, c["base"]); err != nil {
		return Moment{}, err
	}
	ends, err := endsOf(reply[4].([]any))
	if err != nil {
		return Moment{}, err
	}
	t.curve = curveOf(t.changes, ends)
	c["peak"], c["peak_at"] = peakOf(t.curve)
	t.counts = c
	return Moment{t.counts, t.curve}, nil
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

// Counts are the numbers that record.lua keeps, by name; 0 for what is not there.
type Counts map[string]int64

// CountNames are their names, in the order in which record.lua writes them. epoch is another one where the log is another one, rev moves with
// every recorded mark, and moments are counted from base.
var CountNames = []string{
	"epoch", "rev", "base", "last", "occurrences", "live", "started", "ended", "present", "connections", "open_moment", "watch", "filled",
	"unique", "known", "names", "leaving", "measured", "registered", "registered_seen", "replayed", "reported", "reported_watch",
}

func parseCounts(text string) (Counts, error) {
	c := make(Counts, len(CountNames)+2)
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return c, nil
	}
	if len(fields) != len(CountNames) {
		return nil, errors.New("counts in the store: wrong shape")
	}
	for i, name := range CountNames {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("count %s: %w", name, err)
		}
		c[name] = n
	}
	return c, nil
}

// readDeclared reads a declared head count; nil: nobody has declared one.
func readDeclared(value any) (*int, error) {
	text, ok := value.(string)
	if !ok {
		return nil, nil
	}
	n, err := strconv.Atoi(text)
	return &n, err
}

// Declare keeps the head count that a host typed.
func (s *Store) Declare(ctx context.Context, id string, n int) error {
	if err := s.rdb.Set(ctx, s.keys.Declared(id), strconv.Itoa(n), 0).Err(); err != nil {
		return fmt.Errorf("declare: %w", err)
	}
	return nil
}
