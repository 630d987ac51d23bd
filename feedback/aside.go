package feedback

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Deliveries that cannot be used are kept aside without whatever could name a person: no key in clear, times to the hour,
// and of the values only those that are surely none of a person's own words: small numbers, yes and no, and words that
// some survey of the configuration offers as a choice. Of everything else the reference stays, so that the organiser sees
// what to map, and the value is gone: it counts when the platform sends it again.
const (
	AsideFor      = 7 * 24 * time.Hour
	asideCap      = 10_000 // deliveries; the oldest give way
	asideMaxRefs  = 100    // of one delivery
	asideMaxCount = 1000   // numbers beyond, either way, may be telephone numbers
)

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
	Code     Code   `json:"code"`
	Question string `json:"question,omitempty"`
}

// asideEntry is the journal's entry of a row.
type asideEntry struct {
	Key     string    `json:"key"`           // hashed
	Row     *asideRow `json:"row,omitempty"` // nil: forget
	Arrived int64     `json:"arrived"`       // Unix seconds, of a full hour
}

// The two keys of what is aside: {fb:aside} is no session's id.
func (s *Store) asideKeys() []string {
	return []string{s.prefix + "{fb:aside}:rows", s.prefix + "{fb:aside}:arrivals"}
}

//go:embed lua/aside.lua
var asideSource string

var asideScript = redis.NewScript(asideSource)

// applyAside writes an entry. What is too old by now is not kept, so that a journal may be replayed.
func (s *Store) applyAside(ctx context.Context, e asideEntry) error {
	row := ""
	if e.Row != nil {
		b, err := json.Marshal(e.Row)
		if err != nil {
			return fmt.Errorf("feedback: encode a delivery: %w", err)
		}
		row = string(b)
	}
	oldest := s.now().Add(-AsideFor).Unix()
	if err := asideScript.Run(ctx, s.rdb, s.asideKeys(), e.Key, row, e.Arrived, oldest, asideCap).Err(); err != nil {
		return fmt.Errorf("feedback: aside: %w", err)
	}
	return nil
}

func (s *Store) putAside(ctx context.Context, key string, row *asideRow) error {
	e := asideEntry{Key: key, Row: row, Arrived: s.now().Truncate(time.Hour).Unix()}
	return s.journal.Do(ctx, entryAside, e, func(ctx context.Context) error { return s.applyAside(ctx, e) })
}

// forget removes what was kept of a delivery before it could be used.
func (s *Store) forget(ctx context.Context, key string) error { return s.putAside(ctx, key, nil) }

// keepAside keeps what is lost of a delivery, or all of it if nothing could be used.
func (s *Store) keepAside(ctx context.Context, d Delivery, t Target, lost FieldErrors, reason Reason, surveys map[string]*Survey) error {
	row := &asideRow{
		Source: d.Source, Room: d.Room, Segment: d.Segment, Lang: d.Lang, At: d.At.UTC().Truncate(time.Hour),
		Foreign: d.Foreign, Reason: reason, Values: map[string]any{}, Lost: map[string]loss{},
	}
	if row.Segment != "" && !ids.MatchString(row.Segment) {
		row.Segment = Unnamed
	}
	if !langTags.MatchString(row.Lang) {
		row.Lang = ""
	}
	if reason == Partly {
		row.Recorded = t.Session
	}
	known := vocabulary(surveys)
	for _, ref := range slices.Sorted(maps.Keys(d.Values)) {
		err, isLost := lost[ref]
		if len(row.Values) == asideMaxRefs || row.Recorded != "" && !isLost {
			continue
		}
		q, id := t.question(ref)
		name, value := ref, scrub(q, d.Values[ref], known)
		if !references.MatchString(ref) {
			name, value = Unnamed, nil
		}
		row.Values[name] = value
		switch {
		case isLost:
			row.Lost[name] = loss{err.Code, id}
		case lost == nil && d.Foreign: // nothing was looked up
			row.Lost[name] = loss{Code: Unknown}
		}
	}
	for name, err := range lost { // a required question that has no value, too
		if _, ok := d.Values[name]; !ok {
			row.Lost[name] = loss{err.Code, name}
		}
	}
	return s.putAside(ctx, d.Key, row)
}

// question finds what a reference stands for: the question, if the survey has it, and its id.
func (t Target) question(ref string) (*Question, string) {
	id, mapped := t.Questions[ref]
	if !mapped {
		id = ref
	}
	if t.Survey == nil {
		return nil, ""
	}
	q, ok := t.Survey.Question(id)
	if !ok {
		return nil, ""
	}
	return &q, id
}

// vocabulary is every word that some survey offers as an answer, folded.
func vocabulary(surveys map[string]*Survey) map[string]bool {
	known := map[string]bool{}
	for _, word := range (Question{Kind: YesNo}).words() {
		known[word.folded] = true
	}
	for _, survey := range surveys {
		for _, q := range survey.All() {
			for _, word := range q.words() {
				known[word.folded] = true
			}
		}
	}
	return known
}

// scrub gives what may be kept of a value; nil: nothing.
func scrub(q *Question, value any, known map[string]bool) any {
	if q != nil && q.isText() {
		return nil
	}
	if list, ok := value.([]any); ok {
		for _, item := range list {
			if scrub(nil, item, known) == nil {
				return nil
			}
		}
		return value
	}
	text, ok := asText(value)
	if !ok {
		return nil
	}
	if n, err := strconv.ParseFloat(strings.TrimSpace(text), 64); err == nil && math.Abs(n) <= asideMaxCount && len(text) < 16 {
		return value
	}
	if known[fold(text)] {
		return value
	}
	return nil
}

// AsideAnswers is one delivery of answers that is kept aside, as its organiser may see it.
type AsideAnswers struct {
	Source     string
	Room       string
	At         time.Time // to the hour
	ReceivedAt time.Time // to the hour
	Reason     Reason
	References map[string]Code // what could not be used, by the form's reference
}

// Aside lists the deliveries that are kept aside, oldest first.
func (s *Store) Aside(ctx context.Context) ([]AsideAnswers, error) {
	var all []AsideAnswers
	err := s.eachAside(ctx, func(_ string, row asideRow, arrived time.Time) error {
		a := AsideAnswers{Source: row.Source, Room: row.Room, At: row.At, ReceivedAt: arrived, Reason: row.Reason, References: map[string]Code{}}
		for ref, l := range row.Lost {
			a.References[ref] = l.Code
		}
		all = append(all, a)
		return nil
	})
	return all, err
}

// AsideCount is how many deliveries are kept aside.
func (s *Store) AsideCount(ctx context.Context) (int64, error) {
	return s.rdb.ZCount(ctx, s.asideKeys()[1], s.asideOldest(), "+inf").Result()
}

func (s *Store) asideOldest() string { return strconv.FormatInt(s.now().Add(-AsideFor).Unix(), 10) }

// asidePage is how many rows are read at once.
const asidePage = 500

// eachAside calls f for each row that is not too old, oldest first.
func (s *Store) eachAside(ctx context.Context, f func(key string, row asideRow, arrived time.Time) error) error {
	keys := s.asideKeys()
	arrivals, err := s.rdb.ZRangeByScoreWithScores(ctx, keys[1], &redis.ZRangeBy{Min: s.asideOldest(), Max: "+inf"}).Result()
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
			var row asideRow
			decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
			decoder.UseNumber()
			if err := decoder.Decode(&row); err != nil {
				return fmt.Errorf("feedback: decode a delivery: %w", err)
			}
			if err := f(names[i], row, time.Unix(int64(page[i].Score), 0).UTC()); err != nil {
				return err
			}
		}
	}
	return nil
}

// Reclaim submits what is aside and can be used by now, because a session claims its room or maps its references, and
// returns how many deliveries counted. Run it now and then. What is recorded already stays as it is.
func (s *Store) Reclaim(ctx context.Context, p Programme) (int, error) {
	n := 0
	err := s.eachAside(ctx, func(key string, row asideRow, _ time.Time) error {
		counted, err := s.reclaim(ctx, key, row, p)
		if counted {
			n++
		}
		return err
	})
	return n, err
}

// reclaim records first and forgets after: at least once.
func (s *Store) reclaim(ctx context.Context, key string, row asideRow, p Programme) (counted bool, _ error) {
	t, err := s.target(ctx, p, row.Source, row.Room, row.At)
	if err != nil {
		return false, err
	}
	if row.Recorded != "" && row.Recorded != t.Session {
		return false, nil
	}
	d := Delivery{
		Source: row.Source, Room: row.Room, Key: key, Segment: row.Segment, Lang: row.Lang, At: row.At,
		Foreign: row.Foreign, Partial: true, Values: row.Values,
	}
	answers, _, reason := d.against(t)
	if t.Survey == nil || reason == Invalid { // as unusable as it was, if perhaps for another reason
		if row.Reason == reason || row.Recorded != "" {
			return false, nil
		}
		row.Reason = reason
		return false, s.putAside(ctx, key, &row)
	}
	if len(answers) > 0 {
		switch err := s.record(ctx, d, t, answers); {
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
		rest.Reason, rest.Recorded = Partly, t.Session
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
func (row asideRow) without(t Target) asideRow {
	rest := row
	rest.Values, rest.Lost = map[string]any{}, map[string]loss{}
	if !row.Foreign {
		return rest
	}
	_, lost := Translate(t.Survey, t.Questions, row.Values)
	for ref, value := range row.Values {
		q, id := t.question(ref)
		before, wasLost := row.Lost[ref]
		switch err, isLost := lost[ref]; {
		case isLost:
			rest.Values[ref], rest.Lost[ref] = value, loss{err.Code, id}
		case value != nil || t.leavesOut(ref):
		case q == nil:
			rest.Values[ref], rest.Lost[ref] = nil, loss{Code: Unknown}
		case wasLost && before.Question == id:
			rest.Values[ref], rest.Lost[ref] = nil, before
		}
	}
	return rest
}

func (t Target) leavesOut(ref string) bool {
	id, mapped := t.Questions[ref]
	return mapped && id == ""
}
