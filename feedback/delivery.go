package feedback

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"jauge/feedback/survey"
	"jauge/internal/journal"
)

// Delivery is one person's answers as a platform's webhook brought them, before it is known what they answer.
type Delivery struct {
	Source  string
	Room    string // what the platform calls the room, or the form
	Key     string // names the submission, the same on each redelivery; it is hashed before it is kept
	Segment string
	Lang    string
	At      time.Time
	Foreign bool           // Values has the platform's own references and words: see Translate
	Partial bool           // more may come: it adds to what is there, and a delivery that is not partial replaces it
	Values  map[string]any // by question id, or by reference, as JSON decodes it with UseNumber

	// Stay says whether the person stayed in the session: Stayed, Left, or "" if that is not known. Optional; who the person
	// is stays with the caller.
	Stay func(ctx context.Context, session string) (string, error)
}

// Target is what people answer in a room.
type Target struct {
	Session   string            // empty: no session claims the room
	Survey    *survey.Survey    // as For returned it; nil: the session has none
	Questions map[string]string // reference → question id; an empty id leaves the reference out
	Segments  []string
	Promise   Promise
}

// Programme is what this package has to know of the sessions.
type Programme struct {
	Surveys map[string]*survey.Survey // by id
	Claim   func(ctx context.Context, source, room string, at time.Time) (Target, error)
}

// Reason is why a delivery, or a part of it, is kept aside.
type Reason string

// The reasons.
const (
	NoSession Reason = "no_session" // no session claims the room
	NoSurvey  Reason = "no_survey"  // the session that claims it has no survey
	Unmapped  Reason = "unmapped"   // nothing of it can be mapped to the survey
	Partly    Reason = "partly"     // some of it cannot be mapped; the rest is recorded
	Invalid   Reason = "invalid"    // the answers do not fit the survey, or the segment is not one of the session's
)

// Received says what became of a delivery.
type Received struct {
	Session  string // that claims its room; empty: none
	Recorded bool   // answers were submitted
	Reason   Reason // why it, or a part of it, is aside; empty: nothing of it is
}

// Deliver submits what a delivery answers and keeps aside what cannot be used, for Reclaim. The same delivery again is
// the same answer. An error means that nothing is safe: the platform should send it again.
func (s *Store) Deliver(ctx context.Context, d Delivery, p Programme) (Received, error) {
	target, err := s.target(ctx, p, d.Source, d.Room, d.At)
	if err != nil {
		return Received{}, err
	}
	d.Key = s.name(d)
	answers, lost, reason := d.against(target)
	r := Received{Session: target.Session, Reason: reason}
	if len(answers) > 0 {
		switch err := s.record(ctx, d, target, answers); {
		case errors.Is(err, ErrDeleted):
			return r, s.forget(ctx, d.Key)
		case err != nil:
			return Received{}, err
		}
		r.Recorded = true
	}
	if reason == "" {
		return r, s.forget(ctx, d.Key)
	}
	return r, s.keepAside(ctx, d, target, lost, reason, p.Surveys)
}

// target finds what people answer in a room, as it was promised to those who answered before. With the store away the
// configuration has to do: what was promised is kept when the answer comes to the store.
func (s *Store) target(ctx context.Context, p Programme, source, room string, at time.Time) (Target, error) {
	t, err := p.Claim(ctx, source, room, at)
	if err != nil || t.Survey == nil {
		return t, err
	}
	if before, given, err := s.Promise(ctx, t.Session); err == nil && given {
		t.Promise = t.Promise.Tighten(before)
		t.Survey = t.Survey.For(t.Promise.Minors)
	}
	return t, nil
}

// name is a delivery's key with its origin, hashed, because whoever could guess it could change the answer.
func (s *Store) name(d Delivery) string {
	return d.Source + ":" + base64.RawURLEncoding.EncodeToString(s.mac("delivery", d.Source, d.Key))
}

// against holds a delivery against what people answer in its room: the answers to submit, what is lost by reference, and
// why something is.
func (d Delivery) against(t Target) (answers survey.Answers, lost survey.FieldErrors, reason Reason) {
	switch {
	case t.Session == "":
		return nil, nil, NoSession
	case t.Survey == nil:
		return nil, nil, NoSurvey
	case d.Segment != "" && !slices.Contains(t.Segments, d.Segment):
		return nil, nil, Invalid
	case !d.Foreign:
		if answers, lost = survey.ParseJSON(t.Survey, d.Values); len(lost) > 0 {
			reason = Invalid
		}
		return answers, lost, reason
	}
	answers, lost = survey.Translate(t.Survey, t.Questions, d.Values)
	switch {
	case len(lost) == 0:
		return answers, nil, ""
	case len(answers) == 0:
		return nil, lost, Unmapped
	}
	return answers, lost, Partly
}

// record submits answers under the delivery's key. Those of a part of a submission leave the others as they are.
func (s *Store) record(ctx context.Context, d Delivery, t Target, answers survey.Answers) error {
	stay := ""
	if d.Stay != nil {
		err := s.journal.Try(ctx, func(ctx context.Context) (err error) {
			stay, err = d.Stay(ctx, t.Session)
			return err
		})
		if err != nil && !errors.Is(err, journal.ErrAway) { // with the store away it is not known, and the answer counts
			return err
		}
	}
	return s.write(ctx, func() (Entry, error) {
		whole := answers
		if d.Partial {
			hash, _ := s.receiptHash(t.Session, s.receiptOf(t.Session, d.Key))
			if old, _, err := s.tryLoad(ctx, t.Session, hash); err == nil {
				whole = old.Answers.And(answers)
			}
		}
		sub := Submission{
			Session: t.Session, Survey: t.Survey, Segment: d.Segment, Lang: d.Lang, Answers: whole, At: d.At, Key: d.Key,
			Stay: stay, Promise: t.Promise, Unlinked: true,
		}
		_, e, err := s.Prepare(ctx, sub)
		if d.Partial && err == nil && e.Revision == 0 { // the store is away: the rest may be there
			e = e.added(sub)
		}
		return e, err
	})
}
