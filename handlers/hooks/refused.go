package hooks

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"jauge/handlers/door"
	"jauge/platforms"
)

// refusal is why a webhook request was not accepted: the label reason of jauge_webhook_refused_total. All its words are in
// this file: metrics begins each at 0, because increase() does not see the first of a series that appears with it.
type refusal string

// The refusals, beside those of platforms.Reasons.
const (
	refusedSize        refusal = "size"
	refusedSource      refusal = "source"
	refusedContentType refusal = "content_type"
	refusedBody        refusal = "body"
	refusedBusy        refusal = "busy"  // authentic and large, while others were
	refusedStore       refusal = "store" // authentic, but neither the store nor the journal could take it
)

// unknownSource stands for names that are not configured: what a caller typed is neither logged nor a label.
const unknownSource = "unknown"

// Refusals lists, by source, every reason that a webhook request is refused for; among them the one source that stands for
// what is not configured.
func Refusals(sources []string) map[string][]string {
	reasons := platforms.Reasons()
	for _, r := range []refusal{refusedSize, refusedSource, refusedContentType, refusedBody, refusedBusy, refusedStore} {
		reasons = append(reasons, string(r))
	}
	bySource := map[string][]string{unknownSource: reasons}
	for _, source := range sources {
		bySource[source] = reasons
	}
	return bySource
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

// notice logs what cannot be read of an authentic delivery, as often as a refusal would be.
func (h *Handlers) notice(source, fault string) {
	if suppressed, due := h.Refusals.Note(source, "fault"); due {
		h.Log.Warn("webhook partly unreadable", "source", source, "fault", fault, "suppressed", suppressed)
	}
}
