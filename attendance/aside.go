package attendance

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Authentic events that do not count are kept aside (quarantined), with hashed ids: those of rooms that no session claims, until
// one does, and those that cannot be used, so that the organiser sees them. The same event again is the same entry.
//
// An event stays until it is claimed or asideFor has passed; where a bound is reached, new events are dropped and counted. Bounds
// are per source, so that a flood from one costs the others nothing, and per room, so that it costs the other rooms of the source
// little. Events of one room that differ in their Alias are aside as two rooms.
const (
	asideFor       = 7 * 24 * time.Hour
	asidePerSource = 100_000 // events
	asidePerRoom   = 20_000  // events
	asideRooms     = 1_000   // of a source
)

// asideBounds are how much of one source is kept; the zero value sets no bound.
type asideBounds struct{ events, perRoom, rooms int }

// Reason is why an event is kept aside.
type Reason string

// The reasons. Only an event without a session can count later; the others never do.
const (
	NoSession  Reason = "no_session" // no session claims the room
	Outside    Reason = "outside"    // sessions have the room, but at other times
	OutOfRange Reason = "time"       // it happened before 2000, or more than 24 hours after it arrived
	Nobody     Reason = "nobody"     // it is of a person, and names neither an attendee nor a connection
	Malformed  Reason = "malformed"  // the platform left something out, or wrote it in a way that nobody can read
	TooMany    Reason = "too_many"   // the room or the person has more marks than a session of people has
	Poison     Reason = "poison"     // the store takes too long for it
)

// dropped marks, within a batch, an event that is not even kept aside.
const dropped Reason = "dropped"

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

// AsideGroup is what is aside of one kind, from one room, for one reason.
type AsideGroup struct {
	Source, Room, Alias string
	Kind                Kind
	Reason              Reason
	Count               int
	FirstAt, LastAt     time.Time // by the platform's clock
}

// openGroup is what is aside of one opening of a room.
type openGroup struct {
	AsideGroup
	opening string // see sealed.opening; empty: of several, or of none
}

// Events may be this far ahead of the receiver's clock, and no older than this moment.
const maxAhead = 24 * time.Hour

var oldest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// unusable says why an event can never count; empty: it can.
func (s *Store) unusable(e Event) Reason {
	nobody := e.Attendee == "" && e.Email == ""
	switch {
	case e.Reason != "":
		return e.Reason
	case e.At.Before(oldest) || e.At.After(s.now().Add(maxAhead)):
		return OutOfRange
	case (e.Kind == Joined || e.Kind == Left) && nobody && e.Connection == "",
		e.Kind == Bound && (e.Connection == "" || e.Peer == ""),
		e.Kind.OfPerson() && nobody:
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

//go:embed lua/aside.lua
var asideSource string

//go:embed lua/unaside.lua
var unasideSource string

var asideScript, unasideScript = redis.NewScript(asideSource), redis.NewScript(unasideSource)

// asides keeps what is aside. Store embeds it.
type asides struct {
	*base
	bounds  asideBounds
	dropped func(source string, n int)
}

// asideChunk is how many events one call of a script takes.
const asideChunk = 200

// asideRoom is a room that events are aside of.
type asideRoom struct {
	Source string `json:"-"`
	Room   string `json:"r"`
	Alias  string `json:"a,omitempty"`
}

func (s *asides) asideToken(r asideRoom) string {
	return s.seal.token("aside", r.Source, r.Room, r.Alias)
}

func (e sealed) asideRoom() asideRoom { return asideRoom{e.Source, e.RoomID, e.Alias} }

// asideID is the id of an event within its room. An event that comes again has the same id.
func (s *asides) asideID(e sealed) (string, error) {
	e.Arrived = 0
	text, err := e.asideText()
	return s.seal.token("aside event", text), err
}

// asideText is the event in JSON, as it is kept. An event that a session may claim has no reason there.
func (e sealed) asideText() (string, error) {
	e.Session, e.Beacons, e.From, e.Contest = "", false, "", nil
	e.Occurrence, e.Aside = cmp.Or(e.Aside, e.Occurrence), ""
	if e.Reason == NoSession || e.Reason == Outside {
		e.Reason = ""
	}
	text, err := json.Marshal(e)
	return string(text), err
}

// putAside keeps events aside within the bounds, and sets the reason of the others to dropped.
func (s *asides) putAside(ctx context.Context, events []*sealed, bounds asideBounds) error {
	bySource := map[string][]*sealed{}
	tooOld := s.now().Add(-asideFor).UnixMilli()
	for _, e := range events {
		if e.Arrived = cmp.Or(e.Arrived, s.now().UnixMilli()); e.Arrived >= tooOld {
			bySource[e.Source] = append(bySource[e.Source], e)
		}
	}
	for source, events := range bySource {
		if err := s.rdb.SAdd(ctx, s.keys.asideSources(), source).Err(); err != nil {
			return fmt.Errorf("put aside: %w", err)
		}
		lost := 0
		for chunk := range slices.Chunk(events, asideChunk) {
			n, err := s.putAsideOf(ctx, source, chunk, bounds)
			if err != nil {
				return fmt.Errorf("put aside: %w", err)
			}
			lost += n
		}
		if lost > 0 {
			s.dropped(source, lost)
		}
	}
	return nil
}

func (s *asides) putAsideOf(ctx context.Context, source string, events []*sealed, bounds asideBounds) (lost int, err error) {
	keys := s.keys.asideOf(source)
	orUnbounded := func(n int) int { return cmp.Or(n, 1<<50) }
	args := []any{orUnbounded(bounds.events), orUnbounded(bounds.perRoom), orUnbounded(bounds.rooms)}
	for _, e := range events {
		room := e.asideRoom()
		token := s.asideToken(room)
		name, err := json.Marshal(room)
		if err != nil {
			return 0, err
		}
		id, err := s.asideID(*e)
		if err != nil {
			return 0, err
		}
		text, err := e.asideText()
		if err != nil {
			return 0, err
		}
		reason := cmp.Or(e.Reason, NoSession)
		if reason == Outside { // which of the two it is depends on what is planned when it is shown
			reason = NoSession
		}
		group := token + "." + string(e.Kind) + "." + string(reason) + "." + e.opening()
		keys = append(keys, s.keys.asideRoom(source, token))
		args = append(args, token, name, id, group, e.At, e.Arrived, text)
	}
	kept, err := asideScript.Run(ctx, s.rdb, keys, args...).Int64Slice()
	if err != nil {
		return 0, err
	}
	for i, is := range kept {
		if is == 0 {
			events[i].Reason = dropped
			lost++
		}
	}
	return lost, nil
}

// takeAside removes events of one room; last: it is the last call for this room now (see lua/unaside.lua).
func (s *asides) takeAside(ctx context.Context, source, token string, last bool, ids ...string) error {
	for chunk := range slices.Chunk(ids, asideChunk) {
		ids = ids[len(chunk):]
		args := []any{token, last && len(ids) == 0}
		for _, id := range chunk {
			args = append(args, id)
		}
		keys := append(s.keys.asideOf(source), s.keys.asideRoom(source, token))
		if err := unasideScript.Run(ctx, s.rdb, keys, args...).Err(); err != nil {
			return fmt.Errorf("take from what is aside: %w", err)
		}
	}
	return nil
}

// Reclaim records the events put aside whose room a session claims by now and returns how many. Call it periodically: another
// replica may have created the session while this one still put events aside.
func (s *Store) Reclaim(ctx context.Context) (int, error) {
	if err := s.markStaff(ctx); err != nil {
		return 0, err
	}
	if err := s.moveAside(ctx); err != nil {
		return 0, err
	}
	if err := s.again(ctx); err != nil {
		return 0, err
	}
	rooms, err := s.reclaimable(ctx)
	if err != nil {
		return 0, err
	}
	slices.SortFunc(rooms, func(a, b asideRoom) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Room, b.Room), cmp.Compare(a.Alias, b.Alias))
	})
	total := 0
	for _, room := range slices.Compact(rooms) {
		n, err := s.reclaim(ctx, room)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// reclaimable are the rooms of which events are aside that a session may have claimed by now: their occurrence, or their time.
func (s *asides) reclaimable(ctx context.Context) ([]asideRoom, error) {
	groups, err := s.asideGroups(ctx)
	if err != nil {
		return nil, err
	}
	groups = slices.DeleteFunc(groups, func(g openGroup) bool { return g.Reason != NoSession })
	var names []string
	for _, g := range groups {
		names = append(names, s.openingName(g))
	}
	claimed, err := s.programme.Claimed(ctx, names)
	if err != nil {
		return nil, err
	}
	var rooms []asideRoom
	for i, g := range groups {
		room := asideRoom{g.Source, g.Room, g.Alias}
		is := claimed[names[i]]
		switch {
		case is:
		case g.opening == "" || g.Source == BeaconSource: // of several, or of no opening: a registration
			_, is, err = s.programme.Find(ctx, room.seen())
		default:
			is, err = s.programme.Reaches(ctx, room.seen().Room, g.Alias, g.FirstAt, g.LastAt)
		}
		if err != nil {
			return nil, err
		}
		if is {
			rooms = append(rooms, room)
		}
	}
	return rooms, nil
}

// openingName names the occurrence of a group among those of all rooms; one that no event has where the platform names none.
func (s *asides) openingName(g openGroup) string {
	return s.seal.token("room", g.Source, g.Room) + "." + g.opening
}

// opening names the opening of the room that an event put aside is of: its occurrence, or, where the platform names none, the day (UTC).
// Empty: it is of none.
func (e sealed) opening() string {
	switch {
	case e.Kind == Registered || e.Reason != "" && e.Reason != NoSession && e.Reason != Outside:
		return ""
	case strings.HasSuffix(e.Occurrence, "/"):
		return e.Occurrence + time.UnixMilli(e.At).UTC().Format(time.DateOnly)
	}
	return e.Occurrence
}

// reclaim records those events of a room that sessions claim.
func (s *Store) reclaim(ctx context.Context, room asideRoom) (int, error) {
	events, err := s.asideIn(ctx, room)
	if err != nil {
		return 0, err
	}
	if err := s.decide(ctx, events); err != nil {
		return 0, err
	}
	claimed := slices.DeleteFunc(events, func(e sealed) bool { return e.Session == "" })
	done := 0
	for chunk := range slices.Chunk(claimed, batchSize) {
		last := done+len(chunk) == len(claimed)
		apply := func(ctx context.Context) error { return s.applyClaimed(ctx, chunk, last) }
		if s.journal.Ahead() {
			err = s.journal.Do(ctx, entryClaimed, chunk, apply)
		} else { // beside a durable store: what fails stays aside, and its claim holds
			err = apply(ctx)
		}
		if err != nil {
			return done, err
		}
		done += len(chunk)
	}
	return done, nil
}

// applyClaimed records events that were aside, then removes them there: at least once.
func (s *Store) applyClaimed(ctx context.Context, events []sealed, last bool) error {
	if err := s.settle(ctx, events, asideBounds{}); err != nil {
		return err
	}
	if _, err := s.record(ctx, events); err != nil {
		return err
	}
	ids := map[asideRoom][]string{}
	for _, e := range events {
		id, err := s.asideID(e)
		if err != nil {
			return err
		}
		ids[e.asideRoom()] = append(ids[e.asideRoom()], id)
	}
	for room, ids := range ids {
		if err := s.takeAside(ctx, room.Source, s.asideToken(room), last, ids...); err != nil {
			return err
		}
	}
	return nil
}

// asideIn reads a room's events that a session may claim, in the order of their arrival. It waits until all that it may read is in
// the journal: see Store.deciding.
func (s *Store) asideIn(ctx context.Context, room asideRoom) ([]sealed, error) {
	s.deciding.Lock()
	raw, err := s.rdb.HGetAll(ctx, s.keys.asideRoom(room.Source, s.asideToken(room))).Result()
	s.deciding.Unlock()
	if err != nil {
		return nil, fmt.Errorf("events put aside: %w", err)
	}
	var events []sealed
	tooOld := s.now().Add(-asideFor).UnixMilli()
	for _, id := range slices.Sorted(maps.Keys(raw)) {
		e, err := parseAside(raw[id])
		if err != nil {
			return nil, err
		}
		if e.Reason == "" && e.Arrived >= tooOld {
			events = append(events, e)
		}
	}
	slices.SortStableFunc(events, func(a, b sealed) int { return cmp.Or(cmp.Compare(a.Arrived, b.Arrived), cmp.Compare(a.At, b.At)) })
	return events, nil
}

func parseAside(value string) (e sealed, err error) {
	_, rest, _ := strings.Cut(value, "|")
	_, text, _ := strings.Cut(rest, "|")
	if err = json.Unmarshal([]byte(text), &e); err != nil {
		return e, fmt.Errorf("event put aside: %w", err)
	}
	return e, nil
}

// ExpireAside drops what has been aside for seven days, also of rooms without new events, and returns how many events that was.
// Call it periodically.
func (s *asides) ExpireAside(ctx context.Context) (int, error) {
	sources, err := s.asideSources(ctx)
	if err != nil {
		return 0, err
	}
	total := 0
	before := "(" + strconv.FormatInt(s.now().Add(-asideFor).UnixMilli(), 10)
	for _, source := range sources {
		for {
			old, err := s.rdb.ZRangeByScore(ctx, s.keys.asideArrivals(source), &redis.ZRangeBy{Min: "-inf", Max: before, Count: 10 * asideChunk}).Result()
			if err != nil {
				return total, fmt.Errorf("events put aside: %w", err)
			}
			if len(old) == 0 {
				break
			}
			for token, ids := range byToken(old) {
				if err := s.takeAside(ctx, source, token, true, ids...); err != nil {
					return total, err
				}
			}
			total += len(old)
		}
	}
	return total, nil
}

// byToken groups members of asideArrivals ("token.id") by their room.
func byToken(members []string) map[string][]string {
	ids := map[string][]string{}
	for _, member := range members {
		token, id, _ := strings.Cut(member, ".")
		ids[token] = append(ids[token], id)
	}
	return ids
}

func (s *asides) asideSources(ctx context.Context) ([]string, error) {
	sources, err := s.rdb.SMembers(ctx, s.keys.asideSources()).Result()
	if err != nil {
		return nil, fmt.Errorf("events put aside: %w", err)
	}
	slices.Sort(sources)
	return sources, nil
}

// AsideCounts is how many events are kept aside, by source, whatever the reason.
func (s *asides) AsideCounts(ctx context.Context) (map[string]int, error) {
	sources, err := s.asideSources(ctx)
	if err != nil || len(sources) == 0 {
		return nil, err
	}
	replies := make([]*redis.IntCmd, len(sources))
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, source := range sources {
			replies[i] = p.ZCard(ctx, s.keys.asideArrivals(source))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("events put aside: %w", err)
	}
	counts := make(map[string]int, len(sources))
	for i, source := range sources {
		counts[source] = int(replies[i].Val())
	}
	return counts, nil
}

// AsideGroups counts the events that are kept aside, by source, room, kind and reason. It reads no event.
func (s *asides) AsideGroups(ctx context.Context) ([]AsideGroup, error) {
	all, err := s.asideGroups(ctx)
	if err != nil {
		return nil, err
	}
	var groups []AsideGroup
	index := map[AsideGroup]int{}
	for _, g := range all {
		if g.Reason, err = s.reasonNow(ctx, g.Reason, asideRoom{g.Source, g.Room, g.Alias}); err != nil {
			return nil, err
		}
		k := AsideGroup{Source: g.Source, Room: g.Room, Alias: g.Alias, Kind: g.Kind, Reason: g.Reason}
		i, ok := index[k]
		if !ok {
			index[k], i = len(groups), len(groups)
			k.FirstAt, k.LastAt = g.FirstAt, g.LastAt
			groups = append(groups, k)
		}
		groups[i].Count += g.Count
		if g.FirstAt.Before(groups[i].FirstAt) {
			groups[i].FirstAt = g.FirstAt
		}
		if g.LastAt.After(groups[i].LastAt) {
			groups[i].LastAt = g.LastAt
		}
	}
	return groups, nil
}

// reasonNow is a reason as it is shown: of what no session has claimed, whether there are sessions in that room.
func (s *asides) reasonNow(ctx context.Context, reason Reason, room asideRoom) (Reason, error) {
	if reason != NoSession {
		return reason, nil
	}
	serves, err := s.programme.Serves(ctx, room.seen().Room, room.Alias)
	if err == nil && serves {
		return Outside, nil
	}
	return NoSession, err
}

// asideGroups counts the events that are kept aside by opening of the room, too.
func (s *asides) asideGroups(ctx context.Context) ([]openGroup, error) {
	sources, err := s.asideSources(ctx)
	if err != nil || len(sources) == 0 {
		return nil, err
	}
	type reply struct{ groups, rooms *redis.MapStringStringCmd }
	replies := make([]reply, len(sources))
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, source := range sources {
			replies[i] = reply{groups: p.HGetAll(ctx, s.keys.asideGroups(source)), rooms: p.HGetAll(ctx, s.keys.asideRooms(source))}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("events put aside: %w", err)
	}
	var groups []openGroup
	for i, source := range sources {
		rooms := replies[i].rooms.Val()
		for name, value := range replies[i].groups.Val() {
			g, token, err := parseGroup(name, value)
			if err != nil {
				return nil, err
			}
			if rooms[token] == "" { // emptied since the groups were read
				continue
			}
			var room asideRoom
			if err := json.Unmarshal([]byte(rooms[token]), &room); err != nil {
				return nil, fmt.Errorf("room of events put aside: %w", err)
			}
			g.Source, g.Room, g.Alias = source, room.Room, room.Alias
			groups = append(groups, g)
		}
	}
	return groups, nil
}

func parseGroup(group, value string) (g openGroup, token string, _ error) {
	names, numbers := strings.Split(group, "."), strings.Split(value, "|")
	if len(names) == 3 { // an earlier version did not tell openings apart
		names = append(names, "")
	}
	if len(names) != 4 || len(numbers) != 3 {
		return g, "", errors.New("group of events put aside: not of its parts")
	}
	var parsed [3]int64
	for i, text := range numbers {
		var err error
		if parsed[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			return g, "", fmt.Errorf("group of events put aside: %w", err)
		}
	}
	g.opening, g.AsideGroup = names[3], AsideGroup{
		Kind: Kind(names[1]), Reason: Reason(names[2]), Count: int(parsed[0]),
		FirstAt: time.UnixMilli(parsed[1]).UTC(), LastAt: time.UnixMilli(parsed[2]).UTC(),
	}
	return g, names[0], nil
}

// AsideEvents lists the events that have been aside longest, oldest first, without any id of a person.
func (s *asides) AsideEvents(ctx context.Context, limit int) ([]AsideEvent, error) {
	sources, err := s.asideSources(ctx)
	if err != nil {
		return nil, err
	}
	var out []AsideEvent
	for _, source := range sources {
		events, err := s.asideFirst(ctx, source, limit)
		if err != nil {
			return nil, err
		}
		out = append(out, events...)
	}
	slices.SortStableFunc(out, func(a, b AsideEvent) int { return a.ReceivedAt.Compare(b.ReceivedAt) })
	return out[:min(len(out), limit)], nil
}

// asideFirst lists the first events of a source.
func (s *asides) asideFirst(ctx context.Context, source string, limit int) ([]AsideEvent, error) {
	members, err := s.rdb.ZRangeByScore(ctx, s.keys.asideArrivals(source), &redis.ZRangeBy{
		Min: strconv.FormatInt(s.now().Add(-asideFor).UnixMilli(), 10), Max: "+inf", Count: int64(limit),
	}).Result()
	if err != nil || len(members) == 0 {
		return nil, err
	}
	replies := make([]*redis.StringCmd, len(members))
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, member := range members {
			token, id, _ := strings.Cut(member, ".")
			replies[i] = p.HGet(ctx, s.keys.asideRoom(source, token), id)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("events put aside: %w", err)
	}
	events := make([]AsideEvent, 0, len(members))
	for _, reply := range replies {
		if errors.Is(reply.Err(), redis.Nil) { // claimed meanwhile
			continue
		}
		e, err := parseAside(reply.Val())
		if err != nil {
			return nil, err
		}
		reason, err := s.reasonNow(ctx, cmp.Or(e.Reason, NoSession), e.asideRoom())
		if err != nil {
			return nil, err
		}
		events = append(events, AsideEvent{
			Source: e.Source, Room: e.RoomID, Alias: e.Alias, Kind: e.Kind, Reason: reason,
			At: time.UnixMilli(e.At).UTC(), ReceivedAt: time.UnixMilli(e.Arrived).UTC(),
		})
	}
	return events, nil
}

// moveAside takes over what an earlier version kept under one key for all sources. Nothing of it is dropped.
func (s *asides) moveAside(ctx context.Context) error {
	for {
		page, err := s.rdb.ZRangeWithScores(ctx, s.keys.asideBefore(), 0, batchSize-1).Result()
		if err != nil || len(page) == 0 {
			return err
		}
		events, members := make([]*sealed, len(page)), make([]any, len(page))
		for i, z := range page {
			members[i], events[i] = z.Member, &sealed{}
			if err := json.Unmarshal([]byte(z.Member.(string)), events[i]); err != nil {
				return fmt.Errorf("event put aside: %w", err)
			}
			events[i].Arrived = int64(z.Score)
		}
		if err := s.putAside(ctx, events, asideBounds{}); err != nil {
			return err
		}
		if err := s.rdb.ZRem(ctx, s.keys.asideBefore(), members...).Err(); err != nil {
			return fmt.Errorf("events put aside: %w", err)
		}
	}
}
