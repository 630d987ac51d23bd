package feedback

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"jauge/feedback/survey"
	"jauge/programme"
)

// Deliveries that cannot be used are kept aside without whatever could name a person: no key in clear, times to the hour,
// and of the values only those that are surely none of a person's own words: small numbers, yes and no, and words that
// some survey of the configuration offers as a choice. Of everything else the reference stays, so that the organiser sees
// what to map, and the value is gone: it counts when the platform sends it again.
//
// Nothing leaves before it is used or AsideFor has passed: where a bound is reached, what comes new is dropped, and counted.
const (
	AsideFor       = 7 * 24 * time.Hour
	asidePerSource = 10_000 // deliveries
	asidePerRoom   = 5_000  // deliveries
	asideRooms     = 500    // of a source
	asideMaxRefs   = 100    // of one delivery
)

// asides holds the deliveries that are kept aside.
type asides struct {
	*base
	surveys map[string]*survey.Survey
	bounds  asideBounds
	dropped func(source string, n int)
}

func newAsides(b *base, surveys map[string]*survey.Survey) *asides {
	return &asides{b, surveys, asideBounds{asidePerSource, asidePerRoom, asideRooms}, func(string, int) {}}
}

// ObserveDropped names who is told of deliveries that were not even kept aside, because their source has too much there; call
// it before they can be.
func (s *Store) ObserveDropped(f func(source string, n int)) { s.dropped = f }

// asideBounds are how much of one source is kept; the zero value has none.
type asideBounds struct{ deliveries, perRoom, rooms int }

var (
	// references are what form tools call their questions. Other names are kept as Unnamed.
	references = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,64}$`)
	langTags   = regexp.MustCompile(`^[A-Za-z-]{0,16}$`)
)

// asideRow is one delivery as it is kept.
type asideRow struct {
	Source   string          `json:"source"`
	Room     string          `json:"room"`
	Segment  string          `json:"segment,omitempty"`
	Lang     string          `json:"lang,omitempty"`
	At       time.Time       `json:"at"` // UTC, truncated to the hour
	Foreign  bool            `json:"foreign,omitempty"`
	Values   map[string]any  `json:"values"` // null: not kept
	Reason   Reason          `json:"reason"`
	Lost     map[string]loss `json:"lost"`
	Recorded string          `json:"recorded,omitempty"` // the session in which the rest is recorded
}

// loss is why a reference could not be used, and the question that it stood for then.
type loss struct {
	Code     survey.Code `json:"code"`
	Question string      `json:"question,omitempty"`
}

// asideEntry is the journal's entry of a row.
type asideEntry struct {
	Key     string    `json:"key"`           // hashed
	Row     *asideRow `json:"row,omitempty"` // nil: forget
	Arrived int64     `json:"arrived"`       // Unix seconds, of a full hour
}

//go:embed lua/aside.lua
var asideSource string

//go:embed lua/unaside.lua
var unasideSource string

var asideScript, unasideScript = redis.NewScript(asideSource), redis.NewScript(unasideSource)

// restoreAside writes an entry of the journal. Ahead of the store it has only what was within the bounds.
func (s *asides) restoreAside(ctx context.Context, e asideEntry) error {
	bounds := s.bounds
	if s.journal.Ahead() {
		bounds = asideBounds{}
	}
	_, err := s.applyAside(ctx, e, bounds)
	return err
}

// applyAside writes an entry, and says whether it was within the bounds. What is too old by now is not kept, so that a
// journal may be replayed.
func (s *asides) applyAside(ctx context.Context, e asideEntry, bounds asideBounds) (kept bool, _ error) {
	if e.Row == nil || e.Arrived < s.now().Add(-AsideFor).Unix() {
		return true, s.forgetAside(ctx, sourceOf(e.Key), e.Key)
	}
	row, err := json.Marshal(e.Row)
	if err != nil {
		return false, fmt.Errorf("feedback: encode a delivery: %w", err)
	}
	if err := s.rdb.SAdd(ctx, s.keys.asideSources(), e.Row.Source).Err(); err != nil {
		return false, fmt.Errorf("feedback: aside: %w", err)
	}
	unbound := func(n int) int { return cmp.Or(n, 1<<50) }
	n, err := asideScript.Run(ctx, s.rdb, s.keys.aside(e.Row.Source), e.Key, row, e.Arrived, e.Row.Room,
		unbound(bounds.deliveries), unbound(bounds.perRoom), unbound(bounds.rooms)).Int()
	if err != nil {
		return false, fmt.Errorf("feedback: aside: %w", err)
	}
	if n == 0 {
		s.dropped(e.Row.Source, 1)
	}
	return n == 1, nil
}

// sourceOf is the source of a delivery, see name.
func sourceOf(key string) string { return key[:max(0, strings.LastIndexByte(key, ':'))] }

func (s *asides) forgetAside(ctx context.Context, source string, deliveries ...string) error {
	args := make([]any, len(deliveries))
	for i, delivery := range deliveries {
		args[i] = delivery
	}
	if err := unasideScript.Run(ctx, s.rdb, s.keys.aside(source), args...).Err(); err != nil {
		return fmt.Errorf("feedback: aside: %w", err)
	}
	return nil
}

// putAside keeps a row, through the journal. Ahead of a volatile store, what is dropped is not in the journal either.
func (s *asides) putAside(ctx context.Context, key string, row *asideRow) error {
	e := asideEntry{Key: key, Row: row, Arrived: s.now().Truncate(time.Hour).Unix()}
	apply := func(ctx context.Context) error {
		_, err := s.applyAside(ctx, e, s.bounds)
		return err
	}
	if s.journal.Ahead() {
		if kept, err := s.applyAside(ctx, e, s.bounds); err != nil || !kept {
			return err
		}
		apply = func(context.Context) error { return nil }
	}
	return s.journal.Do(ctx, entryAside, e, apply)
}

// forget removes what was kept of a delivery before it could be used.
func (s *asides) forget(ctx context.Context, key string) error { return s.putAside(ctx, key, nil) }

// keepAside keeps what is lost of a delivery, or all of it if nothing could be used.
func (s *asides) keepAside(ctx context.Context, d Delivery, t target, lost survey.FieldErrors, reason Reason) error {
	row := &asideRow{
		Source: d.Source, Room: d.Room, Segment: d.Segment, Lang: d.Lang, At: d.At.UTC().Truncate(time.Hour),
		Foreign: d.Foreign, Reason: reason, Values: map[string]any{}, Lost: map[string]loss{},
	}
	if row.Segment != "" && !survey.Ids.MatchString(row.Segment) {
		row.Segment = survey.Unnamed
	}
	if !langTags.MatchString(row.Lang) {
		row.Lang = ""
	}
	if reason == Partly {
		row.Recorded = t.session
	}
	known := survey.VocabularyOf(s.surveys)
	for _, ref := range slices.Sorted(maps.Keys(d.Values)) {
		err, isLost := lost[ref]
		if len(row.Values) == asideMaxRefs || row.Recorded != "" && !isLost {
			continue
		}
		q, id := t.question(ref)
		name, value := ref, known.Impersonal(q, d.Values[ref])
		if !references.MatchString(ref) {
			name, value = survey.Unnamed, nil
		}
		row.Values[name] = value
		switch {
		case isLost:
			row.Lost[name] = loss{err.Code, id}
		case lost == nil && d.Foreign: // nothing was looked up
			row.Lost[name] = loss{Code: survey.Unknown}
		}
	}
	for name, err := range lost { // a required question that has no value, too
		if _, ok := d.Values[name]; !ok {
			row.Lost[name] = loss{err.Code, name}
		}
	}
	return s.putAside(ctx, d.Key, row)
}

// AsideAnswers is one delivery of answers that is kept aside, as its organiser may see it.
type AsideAnswers struct {
	Source     string
	Room       string
	At         time.Time // to the hour
	ReceivedAt time.Time // to the hour
	Reason     Reason
	References map[string]survey.Code // what could not be used, by the form's reference
}

// asideHead is what is listed of a row. Its values are most of it.
type asideHead struct {
	Source string          `json:"source"`
	Room   string          `json:"room"`
	At     time.Time       `json:"at"`
	Reason Reason          `json:"reason"`
	Lost   map[string]loss `json:"lost"`
}

// Aside lists the deliveries that are kept aside, oldest first in each source.
func (s *asides) Aside(ctx context.Context) ([]AsideAnswers, error) {
	var all []AsideAnswers
	err := s.eachAside(ctx, func(_, text string, arrived time.Time) error {
		var row asideHead
		if err := json.Unmarshal([]byte(text), &row); err != nil {
			return fmt.Errorf("feedback: decode a delivery: %w", err)
		}
		a := AsideAnswers{Source: row.Source, Room: row.Room, At: row.At, ReceivedAt: arrived, Reason: row.Reason, References: map[string]survey.Code{}}
		for ref, l := range row.Lost {
			a.References[ref] = l.Code
		}
		all = append(all, a)
		return nil
	})
	return all, err
}

// AsideCounts is how many deliveries are kept aside, by source.
func (s *asides) AsideCounts(ctx context.Context) (map[string]int, error) {
	sources, err := s.asideSources(ctx)
	if err != nil || len(sources) == 0 {
		return nil, err
	}
	replies := make([]*redis.IntCmd, len(sources))
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, source := range sources {
			replies[i] = p.HLen(ctx, s.keys.aside(source)[0])
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("feedback: count what is aside: %w", err)
	}
	counts := make(map[string]int, len(sources))
	for i, source := range sources {
		counts[source] = int(replies[i].Val())
	}
	return counts, nil
}

func (s *asides) asideSources(ctx context.Context) ([]string, error) {
	sources, err := s.rdb.SMembers(ctx, s.keys.asideSources()).Result()
	if err != nil {
		return nil, fmt.Errorf("feedback: read what is aside: %w", err)
	}
	slices.Sort(sources)
	return sources, nil
}

// asidePage is how many rows are read, or forgotten, at once.
const asidePage = 500

// ExpireAside drops what has been aside for AsideFor, and returns how many deliveries that was. Run it now and then.
func (s *asides) ExpireAside(ctx context.Context) (int, error) {
	sources, err := s.asideSources(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	before := "(" + strconv.FormatInt(s.now().Add(-AsideFor).Unix(), 10)
	for _, source := range sources {
		for {
			old, err := s.rdb.ZRangeByScore(ctx, s.keys.aside(source)[1], &redis.ZRangeBy{Min: "-inf", Max: before, Count: asidePage}).Result()
			if err != nil {
				return n, fmt.Errorf("feedback: read what is aside: %w", err)
			}
			if len(old) == 0 {
				break
			}
			if err := s.forgetAside(ctx, source, old...); err != nil {
				return n, err
			}
			n += len(old)
		}
	}
	return n, nil
}

// eachAside calls f for each row that is not too old, oldest first in each source.
func (s *asides) eachAside(ctx context.Context, f func(key, row string, arrived time.Time) error) error {
	sources, err := s.asideSources(ctx)
	if err != nil {
		return err
	}
	for _, source := range sources {
		if err := s.eachAsideOf(ctx, source, f); err != nil {
			return err
		}
	}
	return nil
}

func (s *asides) eachAsideOf(ctx context.Context, source string, f func(key, row string, arrived time.Time) error) error {
	keys := s.keys.aside(source)
	oldest := strconv.FormatInt(s.now().Add(-AsideFor).Unix(), 10)
	arrivals, err := s.rdb.ZRangeByScoreWithScores(ctx, keys[1], &redis.ZRangeBy{Min: oldest, Max: "+inf"}).Result()
	if err != nil {
		return fmt.Errorf("feedback: read what is aside: %w", err)
	}
	for page := range slices.Chunk(arrivals, asidePage) {
		names := make([]string, len(page))
		for i, z := range page {
			names[i] = z.Member.(string)
		}
		rows, err := s.rdb.HMGet(ctx, keys[0], names...).Result()
		if err != nil {
			return fmt.Errorf("feedback: read what is aside: %w", err)
		}
		for i, text := range rows {
			text, ok := text.(string)
			if !ok { // forgotten meanwhile
				continue
			}
			if err := f(names[i], text, time.Unix(int64(page[i].Score), 0).UTC()); err != nil {
				return err
			}
		}
	}
	return nil
}

func parseAside(text string) (row asideRow, _ error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&row); err != nil {
		return row, fmt.Errorf("feedback: decode a delivery: %w", err)
	}
	return row, nil
}

// moveAside takes over what an earlier version kept under one key for all sources. Nothing of it is dropped.
func (s *asides) moveAside(ctx context.Context) error {
	before := s.keys.asideBefore()
	for {
		page, err := s.rdb.ZRangeWithScores(ctx, before[1], 0, asidePage-1).Result()
		if err != nil || len(page) == 0 {
			return err
		}
		for _, z := range page {
			key := z.Member.(string)
			text, err := s.rdb.HGet(ctx, before[0], key).Result()
			if err != nil && !errors.Is(err, redis.Nil) {
				return fmt.Errorf("feedback: read what is aside: %w", err)
			}
			if err == nil {
				row, err := parseAside(text)
				if err != nil {
					return err
				}
				if _, err := s.applyAside(ctx, asideEntry{key, &row, int64(z.Score)}, asideBounds{}); err != nil {
					return err
				}
			}
			_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
				p.HDel(ctx, before[0], key)
				p.ZRem(ctx, before[1], key)
				return nil
			})
			if err != nil {
				return fmt.Errorf("feedback: aside: %w", err)
			}
		}
	}
}

// Kept is one delivery that is aside.
type Kept struct {
	Source string
	Room   string
	At     time.Time // to the hour

	key string
	row asideRow
}

// EachAside calls f for each delivery that is aside and not too old, oldest first in each source, until it fails.
func (s *Store) EachAside(ctx context.Context, f func(Kept) error) error {
	if err := s.moveAside(ctx); err != nil {
		return err
	}
	return s.eachAside(ctx, func(key, text string, _ time.Time) error {
		row, err := parseAside(text)
		if err != nil {
			return err
		}
		return f(Kept{row.Source, row.Room, row.At, key, row})
	})
}

// Reclaim submits what of a delivery can be used by now, because a session claims its room or maps its references, and says
// whether that counted; session is as Deliver takes it. What is recorded already stays as it is.
func (s *Store) Reclaim(ctx context.Context, kept Kept, session *programme.Session) (counted bool, _ error) {
	t, row, key := s.target(ctx, session), kept.row, kept.key
	if row.Recorded != "" && row.Recorded != t.session {
		return false, nil
	}
	d := Delivery{
		Source: row.Source, Room: row.Room, Key: key, Segment: row.Segment, Lang: row.Lang, At: row.At,
		Foreign: row.Foreign, Partial: true, Values: row.Values,
	}
	answers, _, reason := d.against(t)
	if t.asked == nil || reason == Invalid { // as unusable as it was, if perhaps for another reason
		if row.Reason == reason || row.Recorded != "" {
			return false, nil
		}
		row.Reason = reason
		return false, s.putAside(ctx, key, &row)
	}
	if len(answers) > 0 { // recorded first and forgotten after: at least once
		switch err := t.asked.record(ctx, d, answers); {
		case errors.Is(err, ErrDeleted):
			return false, s.forget(ctx, key)
		case err != nil:
			return false, err
		}
	}
	rest := row.without(t)
	if len(rest.Values) == 0 {
		return len(answers) > 0, s.forget(ctx, key)
	}
	if len(answers) > 0 {
		rest.Reason, rest.Recorded = Partly, t.session
	} else if row.Recorded == "" {
		rest.Reason = Unmapped
	}
	if rest.Reason == row.Reason && maps.Equal(rest.Lost, row.Lost) {
		return false, nil
	}
	return len(answers) > 0, s.putAside(ctx, key, &rest)
}

// without returns the row without what is settled: references that are answered now, that are left out on purpose, or
// whose value is gone although they stand for a question now.
func (row asideRow) without(t target) asideRow {
	rest := row
	rest.Values, rest.Lost = map[string]any{}, map[string]loss{}
	if !row.Foreign {
		return rest
	}
	_, lost := survey.Translate(t.asked.Survey, t.asked.Session.Questions, row.Values)
	for ref, value := range row.Values {
		q, id := t.question(ref)
		before, wasLost := row.Lost[ref]
		switch err, isLost := lost[ref]; {
		case isLost:
			rest.Values[ref], rest.Lost[ref] = value, loss{err.Code, id}
		case value != nil || t.leavesOut(ref):
		case q == nil:
			rest.Values[ref], rest.Lost[ref] = nil, loss{Code: survey.Unknown}
		case wasLost && before.Question == id:
			rest.Values[ref], rest.Lost[ref] = nil, before
		}
	}
	return rest
}
