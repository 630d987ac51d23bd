package handlers

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/attendance"
	"jauge/feedback"
	"jauge/platforms"
)

// webhook handles POST /webhooks/{source}. The order of the checks is also the order of what a caller learns: size,
// source, content type, signature; only who has proven to be the platform hears what is wrong with the body, and 200 is
// said only when everything is kept.
func (s *server) webhook(c *gin.Context) error {
	start := time.Now()
	body, err := readBody(c)
	if err != nil {
		return s.refuse(unknownSource, "size", err)
	}
	source, known := s.Sources[c.Param("source")]
	if !known {
		return s.refuse(unknownSource, "source", notFound("There is no source with this name."))
	}
	defer func() { s.Metrics.Webhook(source.Name, time.Since(start)) }()
	if !isJSON(c) && mediaType(c) != "application/x-www-form-urlencoded" {
		return s.refuse(source.Name, "content_type", errMediaType)
	}
	delivery, err := s.open(source, platforms.Request{
		Method: c.Request.Method, Header: c.Request.Header, Query: c.Request.URL.Query(), Body: body, Now: s.Now(),
	})
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

// unknownSource stands for names that are not configured: what a caller typed is neither logged nor a label.
const unknownSource = "unknown"

// refuse counts and logs a refusal, by source and reason only, and passes its error on.
func (s *server) refuse(source, reason string, err error) error {
	s.Metrics.Refused(source, reason)
	s.Log.Warn("webhook refused", "source", source, "reason", reason)
	return err
}

// open verifies and decodes a request.
func (s *server) open(source platforms.Source, request platforms.Request) (platforms.Delivery, error) {
	dialect := platforms.Dialects[source.Platform]
	if err := dialect.Verify(source, request); err != nil {
		return platforms.Delivery{}, s.refuse(source.Name, platforms.Reason(err), &failure{
			status: http.StatusUnauthorized, code: "signature", detail: "The signature is missing, stale or wrong.",
		})
	}
	delivery, err := dialect.Decode(source, request)
	if err != nil {
		return platforms.Delivery{}, s.refuse(source.Name, "body", badRequest(sentence(err))) // it names a field and quotes nothing
	}
	return delivery, nil
}

// sentence writes an error as one.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// keep records a delivery. Answers are checked before anything is written, so that a delivery is refused whole; writing
// is idempotent, so that a delivery which failed half-way may simply come again.
func (s *server) keep(ctx context.Context, source string, d platforms.Delivery) error {
	submissions := make([]feedback.Submission, len(d.Answers))
	for i, a := range d.Answers {
		submission, err := s.submission(ctx, source, a)
		if err != nil {
			return err
		}
		submissions[i] = submission
	}
	results, err := s.Attendance.Record(ctx, source, d.Events)
	if errors.Is(err, attendance.ErrTime) {
		return s.refuse(source, "time", badRequest("An event's time is before 2000 or more than 24 hours ahead."))
	}
	if errors.Is(err, attendance.ErrNobody) {
		return s.refuse(source, "body", badRequest("An event names neither an attendee nor a connection."))
	}
	if err != nil {
		return s.refuse(source, "store", unavailable(err))
	}
	for i, result := range results {
		s.Metrics.Event(source, string(d.Events[i].Kind), string(result))
	}
	for range d.Unsupported {
		s.Metrics.Event(source, "unsupported", "unsupported")
	}
	for _, submission := range submissions {
		if _, err := s.send(ctx, submission); err != nil && !errors.Is(err, feedback.ErrDeleted) {
			return s.refuse(source, "store", unavailable(err))
		}
	}
	return nil
}

// submission turns a platform's answers into a submission to the survey of the session that claims their room. The key
// names it across redeliveries; it is hashed with ours because whoever can guess a key can change the answer.
func (s *server) submission(ctx context.Context, source string, a platforms.Answers) (feedback.Submission, error) {
	session, claimed, err := s.Attendance.Claim(ctx, source, a.Room)
	if err != nil {
		return feedback.Submission{}, s.refuse(source, "store", unavailable(err))
	}
	survey := s.survey(session)
	if !claimed || survey == nil {
		return feedback.Submission{}, s.refuse(source, "answers", badRequest("No session with a survey claims this room."))
	}
	answers, mistakes := feedback.ParseJSON(survey, a.Values)
	if len(mistakes) > 0 || !hasSegment(session, a.Segment) {
		s.Metrics.Submission(session.ID, "invalid")
		return feedback.Submission{}, s.refuse(source, "answers", badRequest("The answers do not fit the survey."))
	}
	mac := hmac.New(sha256.New, s.Key)
	mac.Write([]byte("jauge answers\x00" + source + "\x00" + a.Key))
	return feedback.Submission{
		Session: session.ID, Survey: survey, Segment: a.Segment, Lang: a.Lang, Answers: answers, At: a.At,
		Key: source + ":" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)),
	}, nil
}

// send submits answers and counts what became of them.
func (s *server) send(ctx context.Context, submission feedback.Submission) (receipt string, err error) {
	receipt, err = s.Feedback.Submit(ctx, submission)
	s.Metrics.Submission(submission.Session, outcome(err))
	return receipt, err
}

// outcome is the result label of a submission.
func outcome(err error) string {
	switch {
	case err == nil:
		return "recorded"
	case errors.Is(err, feedback.ErrEmpty):
		return "empty"
	case errors.Is(err, feedback.ErrDeleted), errors.Is(err, feedback.ErrNotFound), errors.Is(err, feedback.ErrSegment):
		return "invalid"
	}
	return "failed"
}

// survey returns what a session may ask, or nil if it asks nothing.
func (s *server) survey(session attendance.Session) *feedback.Survey {
	survey := s.Surveys[session.Survey]
	if survey == nil {
		return nil
	}
	return survey.For(session.Minors)
}

// hasSegment says whether id is one of the session's audiences, or none at all.
func hasSegment(session attendance.Session, id string) bool {
	return id == "" || slices.ContainsFunc(session.Segments, func(s attendance.Segment) bool { return s.ID == id })
}
