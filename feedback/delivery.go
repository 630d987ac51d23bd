package feedback

import (
	"context"
	"encoding/base64"
	"errors"
	"time"

	"jauge/feedback/survey"
	"jauge/internal/journal"
	"jauge/programme"
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

// Deliver submits what a delivery answers and keeps aside what cannot be used, for Reclaim; session is the one that claims its
// room, nil if none does. The same delivery again is the same answer. An error means that nothing is safe: the platform should send
// it again.
func (s *Store) Deliver(ctx context.Context, d Delivery, session *programme.Session) (Received, error) {
	t := s.target(ctx, session)
	d.Key = s.seal.name(d)
	answers, lost, reason := d.against(t)
	r := Received{Session: t.session, Reason: reason}
	if len(answers) > 0 {
		switch err := t.asked.record(ctx, d, answers); {
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
	return r, s.keepAside(ctx, d, t, lost, reason)
}

// target is what people answer in a room.
type target struct {
	session string // empty: no session claims the room
	asked   *Asked // nil: the session asks nothing
}

func (s *Store) target(ctx context.Context, session *programme.Session) target {
	if session == nil {
		return target{}
	}
	a, err := s.Open(ctx, *session)
	if err != nil { // ErrNoSurvey
		return target{session: session.ID}
	}
	return target{session.ID, a}
}

// question finds what a reference stands for: the question, if the survey has it, and its id.
func (t target) question(ref string) (*survey.Question, string) {
	if t.asked == nil {
		return nil, ""
	}
	id, mapped := t.asked.Session.Questions[ref]
	if !mapped {
		id = ref
	}
	q, ok := t.asked.Survey.Question(id)
	if !ok {
		return nil, ""
	}
	return &q, id
}

// leavesOut says whether a reference is left out on purpose.
func (t target) leavesOut(ref string) bool {
	id, mapped := t.asked.Session.Questions[ref]
	return mapped && id == ""
}

// name is a delivery's key with its origin, hashed, because whoever could guess it could change the answer.
func (s sealer) name(d Delivery) string {
	return d.Source + ":" + base64.RawURLEncoding.EncodeToString(s.MAC("delivery", d.Source, d.Key))
}

// against holds a delivery against what people answer in its room: the answers to submit, what is lost by reference, and
// why something is.
func (d Delivery) against(t target) (answers survey.Answers, lost survey.FieldErrors, reason Reason) {
	switch {
	case t.session == "":
		return nil, nil, NoSession
	case t.asked == nil:
		return nil, nil, NoSurvey
	case !t.asked.HasSegment(d.Segment):
		return nil, nil, Invalid
	case !d.Foreign:
		if answers, lost = survey.ParseJSON(t.asked.Survey, d.Values); len(lost) > 0 {
			reason = Invalid
		}
		return answers, lost, reason
	}
	answers, lost = survey.Translate(t.asked.Survey, t.asked.Session.Questions, d.Values)
	switch {
	case len(lost) == 0:
		return answers, nil, ""
	case len(answers) == 0:
		return nil, lost, Unmapped
	}
	return answers, lost, Partly
}

// record submits answers under the delivery's key. Those of a part of a submission leave the others as they are.
func (a *Asked) record(ctx context.Context, d Delivery, answers survey.Answers) error {
	s, session, stay := a.store, a.Session.ID, ""
	if d.Stay != nil {
		err := s.journal.Try(ctx, func(ctx context.Context) (err error) {
			stay, err = d.Stay(ctx, session)
			return err
		})
		if err != nil && !errors.Is(err, journal.ErrAway) { // with the store away it is not known, and the answer counts
			return err
		}
	}
	return s.write(ctx, func() (entry, error) {
		whole := answers
		if d.Partial {
			hash, _ := s.seal.Hash(session, s.seal.CodeOf(session, d.Key))
			if old, _, err := s.tryLoad(ctx, session, hash); err == nil {
				whole = old.Answers.And(answers)
			}
		}
		sub := Submission{Segment: d.Segment, Lang: d.Lang, Answers: whole, At: d.At, Key: d.Key, Stay: stay, Unlinked: true}
		_, e, err := a.prepare(ctx, sub)
		if d.Partial && err == nil && e.Revision == 0 { // the store is away: the rest may be there
			e = e.added(sub)
		}
		return e, err
	})
}
