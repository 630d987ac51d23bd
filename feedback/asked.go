package feedback

import (
	"context"
	"slices"

	"jauge/feedback/survey"
	"jauge/programme"
)

// Asked is what a session asks, of whom, and under which promise: opened once per request, it is what every answer to the
// session goes through, in and out.
type Asked struct {
	Session programme.Session
	Survey  *survey.Survey // of all waves, without what must not be asked under the promise
	Promise Promise        // what holds for the answers: what was promised to those who gave some, or more

	store  *Store
	terms  terms
	told   *Promise // what was promised to those who gave answers; nil: nobody has, or it is not known
	unread bool     // it is not known: the store is away
}

// terms are what the configuration says of a session's answers.
type terms struct {
	survey  *survey.Survey
	promise Promise
}

// Open finds what a session asks; ErrNoSurvey. With the store away, the configuration has to do: what was promised before is
// kept when an answer comes to the store, and nothing is shown without it.
func (s *Store) Open(ctx context.Context, session programme.Session) (*Asked, error) {
	c, asks := s.termsOf(session)
	if !asks {
		return nil, ErrNoSurvey
	}
	return s.open(ctx, session, c), nil
}

// Asks says whether a session asks anything.
func (s *Store) Asks(session programme.Session) bool { return s.surveys[session.Survey] != nil }

// Survey is what a session is to ask by the configuration, whatever was promised before; nil: nothing.
func (s *Store) Survey(session programme.Session) *survey.Survey {
	c, asks := s.termsOf(session)
	if !asks {
		return nil
	}
	return s.asked(session, c, nil).Survey
}

func (s *Store) termsOf(session programme.Session) (c terms, asks bool) {
	survey := s.surveys[session.Survey]
	if survey == nil {
		return terms{}, false
	}
	return terms{survey, Promise{Linked: survey.Linked(), MinimumGroup: s.minimumGroup, Minors: session.Minors}}, true
}

func (s *Store) open(ctx context.Context, session programme.Session, c terms) *Asked {
	var told *Promise
	err := s.journal.Try(ctx, func(ctx context.Context) (err error) {
		told, err = s.told(ctx, session.ID)
		return err
	})
	a := s.asked(session, c, told)
	a.unread = err != nil
	return a
}

// asked is the one place where what was promised before meets what is configured.
func (s *Store) asked(session programme.Session, c terms, told *Promise) *Asked {
	promise := c.promise
	if told != nil {
		promise = promise.tighten(*told)
	}
	promise.Linked = promise.Linked && !promise.Minors
	return &Asked{Session: session, Survey: s.layout(c.survey, promise.Minors), Promise: promise, store: s, terms: c, told: told}
}

// layoutOf names what a survey asks of minors, or of others.
type layoutOf struct {
	survey *survey.Survey
	minors bool
}

// layout is what a survey asks, worked out once. A survey that is configured does not change any more.
func (b *base) layout(of *survey.Survey, minors bool) *survey.Survey {
	if laid, ok := b.layouts.Load(layoutOf{of, minors}); ok {
		return laid.(*survey.Survey)
	}
	laid := of.For(minors).Laid()
	b.layouts.Store(layoutOf{of, minors}, laid)
	return laid
}

// known is what is asked under the promise that was given. Nothing is shown before that is read.
func (a *Asked) known(ctx context.Context) (*Asked, error) {
	if !a.unread {
		return a, nil
	}
	told, err := a.store.told(ctx, a.Session.ID)
	if err != nil {
		return nil, err
	}
	return a.store.asked(a.Session, a.terms, told), nil
}

// segments lists the session's audiences.
func (a *Asked) segments() []string {
	ids := make([]string, len(a.Session.Segments))
	for i, segment := range a.Session.Segments {
		ids[i] = segment.ID
	}
	return ids
}

// HasSegment says whether id is one of the session's audiences, or none at all.
func (a *Asked) HasSegment(id string) bool {
	return id == "" || slices.Contains(a.segments(), id)
}
