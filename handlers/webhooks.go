package handlers

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/attendance"
	"jauge/feedback"
	"jauge/platforms"
	"jauge/programme"
)

// webhook handles every method on /webhooks/{source} and below it. The order of the checks is also the order of what a
// caller learns: size, source, handshake, method, content type, signature; only who has proven to be the platform hears
// what is wrong with the body, and 200 is said only when everything is kept.
func (s *server) webhook(c *gin.Context) error {
	start := time.Now()
	body, err := readBody(c)
	if err != nil {
		return s.refuse(s.sourceName(c), unread(err), err)
	}
	source, known := s.Sources[c.Param("source")]
	if !known {
		return s.refuse(unknownSource, refusedSource, notFound("There is no source with this name."))
	}
	defer func() { s.Metrics.Webhook(source.Name, time.Since(start)) }()
	request := platforms.Request{
		Method: c.Request.Method, Header: c.Request.Header, Path: strings.Trim(c.Param("path"), "/"), Query: c.Request.URL.Query(),
		Body: body, Now: s.Now(),
	}
	if reply := hello(source, request); reply != nil {
		c.Data(reply.Status, reply.ContentType, reply.Body)
		return nil
	}
	if request.Method != http.MethodPost { // nobody's delivery: whoever looks at the address is not counted as refused
		c.Header("Allow", http.MethodPost)
		return errMethod
	}
	if !isJSON(c) && mediaType(c) != formType {
		return s.refuse(source.Name, refusedContentType, errMediaType)
	}
	delivery, err := s.open(source, request)
	if err != nil {
		return err
	}
	if err := s.keep(c.Request.Context(), source.Name, delivery); err != nil {
		return err
	}
	if reply := delivery.Reply; reply != nil {
		c.Data(reply.Status, reply.ContentType, reply.Body)
		return nil
	}
	return respond(c, http.StatusOK, struct{}{})
}

// hello answers a platform's handshake; nil: the request is none.
func hello(source platforms.Source, request platforms.Request) *platforms.Reply {
	answer := platforms.Dialects[source.Platform].Hello
	if answer == nil {
		return nil
	}
	return answer(source, request)
}

// sourceName is the configured source that the request is for.
func (s *server) sourceName(c *gin.Context) string {
	if source, known := s.Sources[c.Param("source")]; known {
		return source.Name
	}
	return unknownSource
}

// unread is why a body was not read whole: it is too large, or ended too soon.
func unread(err error) refusal {
	var f *failure
	if errors.As(err, &f) && f.status == http.StatusRequestEntityTooLarge {
		return refusedSize
	}
	return refusedBody
}

// refuse counts and logs a refusal, by source and reason only, and passes its error on.
func (s *server) refuse(source string, reason refusal, err error) error {
	s.Metrics.Refused(source, string(reason))
	if suppressed, due := s.refusals.note(source, string(reason), s.Wall()); due {
		s.Log.Warn("webhook refused", "source", source, "reason", string(reason), "suppressed", suppressed)
	}
	return err
}

// refusalEvery is how often a refusal of one source for one reason is logged: a platform that is refused comes again and
// again, and so does who tries secrets.
const refusalEvery = 10 * time.Second

// refusals remembers what was logged, by source and reason, of which there are few; wrong logins are among them.
type refusals struct {
	mu     sync.Mutex
	logged map[[2]string]logged
}

type logged struct {
	at         time.Time
	suppressed int // refusals since
}

// note says whether a refusal is to be logged, and how many were not since the last one that was.
func (r *refusals) note(source, reason string, now time.Time) (suppressed int, due bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	what := [2]string{source, reason}
	last, before := r.logged[what]
	if before && now.Sub(last.at) < refusalEvery {
		last.suppressed++
		r.logged[what] = last
		return 0, false
	}
	r.logged[what] = logged{at: now}
	return last.suppressed, true
}

// open verifies and decodes a request.
func (s *server) open(source platforms.Source, request platforms.Request) (platforms.Delivery, error) {
	dialect := platforms.Dialects[source.Platform]
	if err := dialect.Verify(source, request); err != nil {
		return platforms.Delivery{}, s.refuse(source.Name, refusal(platforms.Reason(err)), &failure{
			status: cmp.Or(dialect.Refusal, http.StatusUnauthorized), code: "signature", detail: "The signature is missing, stale or wrong.",
		})
	}
	delivery, err := dialect.Decode(source, request)
	if err != nil {
		return platforms.Delivery{}, s.refuse(source.Name, refusedBody, badRequest(sentence(err))) // it names a field and quotes nothing
	}
	return delivery, nil
}

// sentence writes an error as one.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// keep records a delivery: its events first, then its answers; what cannot be used of either is put aside. All of it is idempotent, so that a delivery which failed half-way may simply come again.
func (s *server) keep(ctx context.Context, source string, d platforms.Delivery) error {
	results, err := s.Attendance.Record(ctx, source, d.Events)
	if err != nil {
		return s.refuse(source, refusedStore, unavailable(err))
	}
	for i, result := range results {
		s.Metrics.Event(source, string(d.Events[i].Kind), string(result))
	}
	for range d.Unsupported {
		s.Metrics.Event(source, "unsupported", "unsupported")
	}
	for _, a := range d.Answers {
		received, err := s.Feedback.Deliver(ctx, s.delivered(source, a), s.rooms)
		if err != nil {
			return s.refuse(source, refusedStore, unavailable(err))
		}
		s.countAnswers(source, received)
	}
	return nil
}

// answersKind is the kind of event that a delivery of answers counts as.
const answersKind = "answers"

// delivered is a platform's answers as feedback takes them: without the attendee, of whom only goes along whether they
// stayed.
func (s *server) delivered(source string, a platforms.Answers) feedback.Delivery {
	d := feedback.Delivery{
		Source: source, Room: a.Room, Key: a.Key, Segment: a.Segment, Lang: a.Lang, At: a.At, Values: a.Values,
		Foreign: a.Foreign, Partial: a.Partial,
	}
	if a.Attendee == "" {
		return d
	}
	d.Stay = func(ctx context.Context, session string) (string, error) {
		completed, known, err := s.Attendance.Stayed(ctx, session, source, a.Attendee)
		switch {
		case err != nil || !known:
			return "", err
		case completed:
			return feedback.Stayed, nil
		}
		return feedback.Left, nil
	}
	return d
}

// countAnswers counts what became of delivered answers; a part of them may be recorded and another put aside.
func (s *server) countAnswers(source string, r feedback.Received) {
	if r.Reason != "" {
		s.Metrics.Event(source, answersKind, string(attendance.Aside))
	}
	if r.Recorded {
		s.Metrics.Event(source, answersKind, string(attendance.Recorded))
	}
	if r.Session == "" {
		return
	}
	switch {
	case r.Recorded:
		s.submitted(submissionRecorded)
	case r.Reason != "":
		s.submitted(submissionAside)
	default:
		s.submitted(submissionEmpty)
	}
}

// Programme tells feedback what people answer in a room, and what they are promised, by the sessions of a catalogue, the surveys
// and the minimum group of the configuration.
func Programme(sessions *programme.Catalogue, surveys map[string]*feedback.Survey, minimumGroup int) feedback.Programme {
	claim := func(ctx context.Context, source, room string, at time.Time) (feedback.Target, error) {
		session, ok, err := sessions.Find(ctx, programme.Seen{Room: programme.Room{Source: source, ID: room}, At: at})
		if err != nil || !ok {
			return feedback.Target{}, err
		}
		target := feedback.Target{Session: session.ID, Questions: session.Questions}
		if survey := surveys[session.Survey]; survey != nil {
			target.Survey = survey.For(session.Minors)
			target.Promise = feedback.Promise{Linked: survey.Linked(), MinimumGroup: minimumGroup, Minors: session.Minors}
		}
		for _, segment := range session.Segments {
			target.Segments = append(target.Segments, segment.ID)
		}
		return target, nil
	}
	return feedback.Programme{Surveys: surveys, Claim: claim}
}

// send submits answers, guarded where they name one that is there, and counts what became of them.
func (s *server) send(c *gin.Context, submission feedback.Submission) (receipt string, err error) {
	err = s.guard(c, submission.Token, func() (err error) {
		receipt, err = s.Feedback.Submit(c.Request.Context(), submission)
		s.submitted(outcomeOf(err))
		return err
	})
	return receipt, err
}

// survey returns what a session may ask, or nil if it asks nothing.
func (s *server) survey(session programme.Session) *feedback.Survey {
	survey := s.Surveys[session.Survey]
	if survey == nil {
		return nil
	}
	return survey.For(session.Minors)
}

// hasSegment says whether id is one of the session's audiences, or none at all.
func hasSegment(session programme.Session, id string) bool {
	return id == "" || slices.ContainsFunc(session.Segments, func(s programme.Segment) bool { return s.ID == id })
}
