package programme

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// A session claims an occurrence, one opening of a room, when a mark of it lies in the session's window. Of several sessions, the one whose
// planned time is nearest to the occurrence's earliest mark has it: a meeting that overruns is still the same meeting, whatever is
// planned next. Where the platform names no occurrence, each mark goes by its own time.

// What is not of one moment in the room, such as answers, is of the session that the room serves then. The next one takes over when its doors open, an hour before its planned start, but not
// while the one before may still be closing, half an hour after its planned end, unless its own planned start has come.
const (
	doorsOpen  = time.Hour
	doorsClose = 30 * time.Minute
)

// Seen is something that happened, reduced to what decides which session it belongs to.
type Seen struct {
	Room       Room
	Alias      string    // another id of the room that sessions may name instead; empty: none
	Occurrence string    // one opening of the room, unlike every other of any room; empty: the platform names none
	At         time.Time // by the platform's clock
	Names      string    // the session that it names itself, whatever the room; empty: it names none
	Anytime    bool      // it does not say that somebody was in the room then: no window holds for it

	Session string   // the session that was decided on; empty: none yet
	From    string   // the session that the occurrence was taken from by that decision; empty: none
	Contest *Contest // what was planned at that decision; nil: it claimed nothing that another session could take
}

// Decision is which session something belongs to.
type Decision struct {
	Session Session  // without an id: none; of an earlier decision with the id alone
	Served  bool     // there is none, but the room has sessions at other times
	From    string   // the occurrence moves, with this decision, from that session
	Contest *Contest // as Seen.Contest, to be kept with the decision

	Open      bool      // the occurrence may still go to another session
	Settles   bool      // it could before, and cannot any more
	Moved     bool      // it has gone from one session to another
	Contested bool      // it could go to another session, were it not for the time
	Until     time.Time // the end of that time
}

// Find gives the session that seen belongs to by its room and time alone; claims are not looked at.
func (c *Catalogue) Find(ctx context.Context, seen Seen) (Session, bool, error) {
	s, err := c.snapshot(ctx)
	if err != nil {
		return Session{}, false, err
	}
	session, ok := s.find(seen)
	return session, ok, nil
}

// Claim decides which session each of these belongs to, in order, and claims their occurrences. An earlier decision (Seen.Session) stays,
// unless its occurrence has been taken from that session since.
func (c *Catalogue) Claim(ctx context.Context, now time.Time, seen []Seen) (_ []Decision, err error) {
	planned := &snapshot{}
	if slices.ContainsFunc(seen, func(s Seen) bool { return s.Session == "" }) {
		if planned, err = c.snapshot(ctx); err != nil {
			return nil, err
		}
	}
	if decisions, ok := c.stand(planned, seen); ok {
		return decisions, nil
	}
	wanted := map[string][]Seen{}
	for _, s := range seen {
		if s.Occurrence != "" {
			wanted[s.Occurrence] = append(wanted[s.Occurrence], s)
		}
	}
	claims, err := c.claimAll(ctx, planned, wanted, now.UnixMilli())
	if err != nil {
		return nil, err
	}
	decisions := make([]Decision, len(seen))
	for i, s := range seen {
		changed := claims[s.Occurrence]
		decisions[i] = planned.decide(s, changed.tenure)
		if d := &decisions[i]; s.Occurrence != "" {
			d.Open, d.Settles, d.Contested = changed.open(now.UnixMilli()), changed.settles, changed.contested()
			d.Moved = len(changed.Left) > 0
			if d.Contested || d.Settles {
				d.Until = time.UnixMilli(changed.Until)
			}
		}
		if s.Session == "" && (changed.from != "" || changed.made) { // said once, by the first one that is decided here
			decisions[i].From, decisions[i].Contest = changed.from, changed.contest()
			changed.from, changed.made = "", false
			claims[s.Occurrence] = changed
		}
	}
	return decisions, nil
}

// stand decides where every occurrence is known to be with a session for good, which is what almost all events ask; false: not all are.
func (c *Catalogue) stand(planned *snapshot, seen []Seen) ([]Decision, bool) {
	decisions := make([]Decision, len(seen))
	for i, s := range seen {
		text, known := c.claims.get(s.Occurrence)
		session, planned := planned.byID[text]
		if s.Occurrence == "" || s.Session != "" || !known || !planned { // a claim that may move is no session's id
			return nil, false
		}
		decisions[i] = Decision{Session: session}
	}
	return decisions, true
}

// Known decides as Claim does, from memory alone; false: Redis has to be asked, or no session claims it yet.
func (c *Catalogue) Known(now time.Time, seen Seen) (Session, bool) {
	planned := c.last.Load()
	text, claimed := c.claims.get(seen.Occurrence)
	held, err := parseClaim(text)
	if planned == nil || err != nil || seen.Occurrence != "" && (!claimed || held.open(now.UnixMilli())) {
		return Session{}, false
	}
	session := planned.decide(seen, held).Session
	return session, session.ID != ""
}

// Holder is the session that has an occurrence now, and those that it was taken from, as the store knows it; empty: none has.
func (c *Catalogue) Holder(ctx context.Context, occurrence string) (id string, left []string, _ error) {
	text, err := c.rdb.HGet(ctx, c.keys.claims(), occurrence).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, fmt.Errorf("claim: %w", err)
	}
	held, err := parseClaim(text)
	return held.Holder, held.Left, err
}

// Claimed says which of these occurrences sessions have.
func (c *Catalogue) Claimed(ctx context.Context, occurrences []string) (map[string]bool, error) {
	claimed := map[string]bool{}
	if len(occurrences) == 0 {
		return claimed, nil
	}
	held, err := c.rdb.HMGet(ctx, c.keys.claims(), occurrences...).Result()
	if err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	for i, text := range held {
		claimed[occurrences[i]] = text != nil
	}
	return claimed, nil
}

// Give lets a session have an occurrence that none has, by an organiser's decision that can be taken back until then; ErrClaimed.
func (c *Catalogue) Give(ctx context.Context, occurrence, session string, until time.Time) error {
	given := tenure{Holder: session, Until: until.UnixMilli(), ByHand: true}
	now, err := c.change(ctx, occurrence, "", given.String())
	if err != nil {
		return err
	}
	held, err := parseClaim(now)
	if err == nil && held.Holder != session {
		return ErrClaimed
	}
	return err
}

// TakeBack undoes Give; nothing happens where an organiser has not decided.
func (c *Catalogue) TakeBack(ctx context.Context, occurrence, session string) error {
	text, err := c.rdb.HGet(ctx, c.keys.claims(), occurrence).Result()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("claim: %w", err)
	}
	held, err := parseClaim(text)
	if err != nil || !held.ByHand || held.Holder != session {
		return err
	}
	_, err = c.change(ctx, occurrence, text, "")
	return err
}

// Settle lets an occurrence stay with the session that has it, for good.
func (c *Catalogue) Settle(ctx context.Context, occurrence string) error {
	text, err := c.rdb.HGet(ctx, c.keys.claims(), occurrence).Result()
	if err != nil {
		return fmt.Errorf("claim: %w", err)
	}
	held, err := parseClaim(text)
	if err != nil {
		return err
	}
	_, err = c.change(ctx, occurrence, text, tenure{Holder: held.Holder, Left: held.Left}.String())
	return err
}

// Serves says whether any session has a room.
func (c *Catalogue) Serves(ctx context.Context, room Room, alias string) (bool, error) {
	s, err := c.snapshot(ctx)
	return err == nil && len(s.sessionsOf(Seen{Room: room, Alias: alias})) > 0, err
}

// Reaches says whether any window of a room's sessions has a moment from first to last.
func (c *Catalogue) Reaches(ctx context.Context, room Room, alias string, first, last time.Time) (bool, error) {
	s, err := c.snapshot(ctx)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(s.sessionsOf(Seen{Room: room, Alias: alias}), func(session Session) bool {
		return !last.Before(session.Opens()) && !first.After(session.Closes())
	}), nil
}

// inRoom finds the session that a room serves at a time: the latest that has taken it over, else the first.
func (s *snapshot) inRoom(room Room, at time.Time) (Session, bool) {
	candidates := s.byRoom[room]
	if len(candidates) == 0 {
		return Session{}, false
	}
	chosen := candidates[0]
	for i, session := range candidates[1:] {
		from := session.StartsAt.Add(-doorsOpen)
		if closed := candidates[i].EndsAt.Add(doorsClose); closed.After(from) {
			from = closed
		}
		if from.After(session.StartsAt) {
			from = session.StartsAt
		}
		if !at.Before(from) {
			chosen = session
		}
	}
	return chosen, true
}

// find gives the session that seen names, else the one of its room at its time, else the one of its room's other id.
func (s *snapshot) find(seen Seen) (Session, bool) {
	if seen.Names != "" {
		session, ok := s.byID[seen.Names]
		return session, ok
	}
	if session, ok := s.inRoom(seen.Room, seen.At); ok || seen.Alias == "" {
		return session, ok
	}
	return s.inRoom(Room{seen.Room.Source, seen.Alias}, seen.At)
}

// sessionsOf are the sessions of a room, or, where there are none, those of its other id.
func (s *snapshot) sessionsOf(seen Seen) []Session {
	if sessions := s.byRoom[seen.Room]; len(sessions) > 0 || seen.Alias == "" {
		return sessions
	}
	return s.byRoom[Room{seen.Room.Source, seen.Alias}]
}

// decide gives the session of seen, whose occurrence is claimed; a claim without a holder is none.
func (s *snapshot) decide(seen Seen, held tenure) Decision {
	switch {
	case seen.Session != "" && !slices.Contains(held.Left, seen.Session):
		return Decision{Session: Session{ID: seen.Session}}
	case held.Holder != "":
		if session, ok := s.byID[held.Holder]; ok {
			return Decision{Session: session}
		}
		return Decision{Session: Session{ID: held.Holder}} // created by another replica, and not in this snapshot yet
	case seen.Names != "" || seen.Anytime:
		session, _ := s.find(seen)
		return Decision{Session: session}
	}
	sessions := s.sessionsOf(seen)
	if seen.Occurrence == "" {
		at := seen.At.UnixMilli()
		if id := contested(sessions, []int64{at}, at).Holder; id != "" {
			return Decision{Session: s.byID[id]}
		}
	}
	return Decision{Served: len(sessions) > 0}
}

// advance is the claim of an occurrence once it is known that these happened in it; from: the session that it is taken from.
func (s *snapshot) advance(held tenure, marks []Seen, now int64) (_ tenure, from string) {
	times, undecided := make([]int64, len(marks)), false
	var sessions []Session
	for i, m := range marks {
		if times[i] = m.At.UnixMilli(); m.Session != "" {
			held = held.follow(m)
			continue
		}
		undecided = true
		of := s.sessionsOf(m)
		if m.Names != "" {
			of = nil
		}
		for _, session := range of {
			if !slices.ContainsFunc(sessions, func(o Session) bool { return o.ID == session.ID }) {
				sessions = append(sessions, session)
			}
		}
	}
	switch {
	case held.Holder == "":
		return contested(sessions, times, now), ""
	case !held.open(now) || held.ByHand: // it stands
		return held, ""
	}
	held.hit(times...)
	if !undecided {
		return held, ""
	}
	before := held.Holder
	if held.give(held.nearest()); held.Holder != before {
		from = before
	}
	return held, from
}

// follow is the claim as a decision has made it.
func (c tenure) follow(m Seen) tenure {
	switch {
	case c.Holder == "":
		c = tenure{Holder: m.Session, First: m.At.UnixMilli()}
		if m.From != "" {
			c.Left = []string{m.From}
		}
		if m.Contest != nil {
			c.Until, c.Plans = m.Contest.Until, m.Contest.Plans
		}
	case m.From != "" && m.From == c.Holder:
		c.give(m.Session)
	case m.Contest != nil && m.Session == c.Holder && c.Until == 0: // it comes after those that it was decided before
		c.Until, c.Plans = m.Contest.Until, m.Contest.Plans
	}
	return c
}

// changed is a claim, and what has just been done to it here.
type changed struct {
	tenure
	from    string // it was taken from that session
	made    bool
	settles bool
}

// contest is what is to be kept with the decision that has made or moved a claim.
func (c changed) contest() *Contest {
	if len(c.Plans) == 0 {
		return nil
	}
	return &Contest{c.Until, c.Plans}
}

// mostTries bounds how often a claim is tried anew because another replica has changed it meanwhile.
const mostTries = 100

// claimAll advances the claims of occurrences by what happened in each, and gives them.
func (c *Catalogue) claimAll(ctx context.Context, planned *snapshot, wanted map[string][]Seen, now int64) (map[string]changed, error) {
	done := map[string]changed{}
	read := map[string]string{} // occurrence → its claim, as far as is known here
	decides := func(m Seen) bool { return m.From != "" || m.Contest != nil }
	for occurrence, marks := range wanted {
		text, known := c.claims.get(occurrence)
		held, err := parseClaim(text)
		if err != nil {
			return nil, err
		}
		if known && !held.open(now) && !slices.ContainsFunc(marks, decides) {
			done[occurrence] = changed{tenure: held}
			continue
		}
		read[occurrence] = text
	}
	for range mostTries {
		if len(read) == 0 {
			return done, nil
		}
		var args []any
		next, order := map[string]changed{}, slices.Sorted(maps.Keys(read))
		for _, occurrence := range order {
			before, err := parseClaim(read[occurrence])
			if err != nil {
				return nil, err
			}
			after, from := planned.advance(before, wanted[occurrence], now)
			next[occurrence] = changed{after, from, before.Holder == "", before.open(now) && !after.open(now)}
			args = append(args, occurrence, read[occurrence], after.String())
		}
		texts, err := claimScript.Run(ctx, c.rdb, []string{c.keys.claims()}, args...).StringSlice()
		if err != nil {
			return nil, fmt.Errorf("claim: %w", err)
		}
		for i, text := range texts {
			occurrence := order[i]
			if text != "" {
				c.claims.put(occurrence, text)
			}
			if read[occurrence] = text; text == next[occurrence].String() {
				done[occurrence] = next[occurrence]
				delete(read, occurrence)
			}
		}
	}
	return nil, errors.New("claim: others change it all the time")
}

// change changes one claim if it is still what was read, and gives the claim that holds now.
func (c *Catalogue) change(ctx context.Context, occurrence, read, next string) (string, error) {
	texts, err := claimScript.Run(ctx, c.rdb, []string{c.keys.claims()}, occurrence, read, next).StringSlice()
	if err != nil || len(texts) != 1 {
		return "", fmt.Errorf("claim: %w", err)
	}
	c.claims.put(occurrence, texts[0])
	return texts[0], nil
}

//go:embed lua/claim.lua
var claimSource string

var claimScript = redis.NewScript(claimSource)

// claims caches the claim of each occurrence, as the store keeps it. One that is not open does not change, so Redis is asked once; the
// cache also answers while Redis is away.
type claims struct {
	mu    sync.Mutex
	texts map[string]string
}

// claimsKept bounds the cache: at that size it is emptied, and each occurrence that lasts is asked for once more.
const claimsKept = 10_000

func (c *claims) get(occurrence string) (text string, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text, known = c.texts[occurrence]
	return text, known
}

// put keeps a claim; an empty one is none.
func (c *claims) put(occurrence, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.texts == nil || len(c.texts) >= claimsKept {
		c.texts = map[string]string{}
	}
	if c.texts[occurrence] = text; text == "" {
		delete(c.texts, occurrence)
	}
}
