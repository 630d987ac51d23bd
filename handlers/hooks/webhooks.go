// Package hooks takes what platforms deliver: webhooks that are signed.
//
// The story in files: webhooks.go (one request: what is checked, in which order), inbox.go (what becomes of its events and
// answers), counted.go (the fixed words of what is refused).
package hooks

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/attendance"
	"jauge/feedback"
	"jauge/handlers/door"
	"jauge/platforms"
)

// Metrics counts what is delivered, under bounded labels: configured names and fixed words only.
type Metrics interface {
	// Event counts one authentic event of a configured source.
	Event(source, kind, result string)
	// Refused counts one webhook request that was not accepted; reason is one of a fixed few words.
	Refused(source, reason string)
	// Webhook observes how long a webhook request of a configured source took.
	Webhook(source string, took time.Duration)
	// Submission counts one submitted survey of a known session.
	Submission(result string)
}

// Handlers take deliveries. Everything is required.
type Handlers struct {
	Sources    map[string]platforms.Source // by name
	Attendance *attendance.Store
	Feedback   *feedback.Store
	Rooms      feedback.Programme // what people answer in each: see Programme
	Metrics    Metrics
	Refusals   *door.Refusals
	Log        *slog.Logger
	Now        func() time.Time
}

// Webhook handles every method on /webhooks/{source} and below it. The order of the checks is also the order of what a
// caller learns: size, source, handshake, method, content type, signature; only who has proven to be the platform hears
// what is wrong with the body, and 200 is said only when everything is kept.
func (h *Handlers) Webhook(c *gin.Context) error {
	start := time.Now()
	body, err := door.ReadBody(c)
	if err != nil {
		return h.refuse(h.sourceName(c), unread(err), err)
	}
	source, known := h.Sources[c.Param("source")]
	if !known {
		return h.refuse(unknownSource, refusedSource, door.NotFound("There is no source with this name."))
	}
	defer func() { h.Metrics.Webhook(source.Name, time.Since(start)) }()
	request := platforms.Request{
		Method: c.Request.Method, Header: c.Request.Header, Path: strings.Trim(c.Param("path"), "/"), Query: c.Request.URL.Query(),
		Body: body, Now: h.Now(),
	}
	if reply := hello(source, request); reply != nil {
		c.Data(reply.Status, reply.ContentType, reply.Body)
		return nil
	}
	if request.Method != http.MethodPost { // nobody's delivery: whoever looks at the address is not counted as refused
		c.Header("Allow", http.MethodPost)
		return door.ErrMethod
	}
	if !door.IsJSON(c) && door.MediaType(c) != door.FormType {
		return h.refuse(source.Name, refusedContentType, door.ErrMediaType)
	}
	delivery, err := h.open(source, request)
	if err != nil {
		return err
	}
	if err := h.keep(c.Request.Context(), source.Name, delivery); err != nil {
		return err
	}
	if reply := delivery.Reply; reply != nil {
		c.Data(reply.Status, reply.ContentType, reply.Body)
		return nil
	}
	return door.Respond(c, http.StatusOK, struct{}{})
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
func (h *Handlers) sourceName(c *gin.Context) string {
	if source, known := h.Sources[c.Param("source")]; known {
		return source.Name
	}
	return unknownSource
}

// unread is why a body was not read whole: it is too large, or ended too soon.
func unread(err error) refusal {
	if tooLarge(err) {
		return refusedSize
	}
	return refusedBody
}

func tooLarge(err error) bool {
	var f *door.Failure
	return errors.As(err, &f) && f.Status == http.StatusRequestEntityTooLarge
}

// TurnAway counts and logs a request that is refused before its body is read: it is too large, or in parts.
func (h *Handlers) TurnAway(c *gin.Context, err error) error {
	reason := refusedContentType
	if tooLarge(err) {
		reason = refusedSize
	}
	return h.refuse(h.sourceName(c), reason, err)
}

// refuse counts and logs a refusal, by source and reason only, and passes its error on.
func (h *Handlers) refuse(source string, reason refusal, err error) error {
	h.Metrics.Refused(source, string(reason))
	if suppressed, due := h.Refusals.Note(source, string(reason)); due {
		h.Log.Warn("webhook refused", "source", source, "reason", string(reason), "suppressed", suppressed)
	}
	return err
}

// open verifies and decodes a request.
func (h *Handlers) open(source platforms.Source, request platforms.Request) (platforms.Delivery, error) {
	dialect := platforms.Dialects[source.Platform]
	if err := dialect.Verify(source, request); err != nil {
		return platforms.Delivery{}, h.refuse(source.Name, refusal(platforms.Reason(err)), &door.Failure{
			Status: cmp.Or(dialect.Refusal, http.StatusUnauthorized), Code: "signature", Detail: "The signature is missing, stale or wrong.",
		})
	}
	delivery, err := dialect.Decode(source, request)
	if err != nil {
		return platforms.Delivery{}, h.refuse(source.Name, refusedBody, door.BadRequest(door.Sentence(err))) // it names a field and quotes nothing
	}
	return delivery, nil
}
