package hooks

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/handlers/door"
	"jauge/platforms"
)

// Webhook handles every method on /webhooks/{source} and below it. The order of the checks is also the order of what a
// caller learns: source, size, handshake, method, signature; only who has proven to be the platform hears what is wrong with the
// body, and 200 is said only when everything is kept. Nobody needs a content type: a signature says more.
func (h *Handlers) Webhook(c *gin.Context) error {
	start := time.Now()
	source, known := h.Sources[c.Param("source")]
	if !known {
		return h.refuse(unknownSource, refusedSource, door.NotFound("There is no source with this name."))
	}
	defer func() { h.Metrics.Webhook(source.Name, time.Since(start)) }()
	request := platforms.Request{
		Method: c.Request.Method, Header: c.Request.Header, Path: strings.Trim(c.Param("path"), "/"), Query: c.Request.URL.Query(), Now: h.Now(),
	}
	body, done, err := h.readBody(c, source, request)
	defer done()
	if err != nil {
		return err
	}
	request.Body = body.plain
	if reply := hello(source, request); reply != nil {
		c.Data(reply.Status, reply.ContentType, reply.Body)
		return nil
	}
	if request.Method != http.MethodPost { // nobody's delivery: whoever looks at the address is not counted as refused
		c.Header("Allow", http.MethodPost)
		return door.ErrMethod
	}
	delivery, err := h.open(source, request, body)
	if err != nil {
		return err
	}
	h.Inbox.Recognise(c.Request.Context(), source, delivery.Events)
	taken, err := h.Inbox.Take(c.Request.Context(), source.Name, delivery)
	h.count(source.Name, delivery, taken)
	if err != nil {
		return h.refuse(source.Name, refusedStore, door.Unavailable(err))
	}
	if reply := delivery.Reply; reply != nil {
		c.Data(reply.Status, reply.ContentType, reply.Body)
		return nil
	}
	accept(c)
	return nil
}

// What a delivery that is taken is answered: always the same, and so without anything that is made for it.
var (
	acceptedType = []string{"application/json"}
	accepted     = []byte("{}\n")
)

func accept(c *gin.Context) {
	c.Writer.Header()["Content-Type"] = acceptedType
	_, _ = c.Writer.Write(accepted) // the caller may have hung up
}

// hello answers a platform's handshake; nil: the request is none.
func hello(source platforms.Source, request platforms.Request) *platforms.Reply {
	answer := platforms.Dialects[source.Platform].Hello
	if answer == nil {
		return nil
	}
	return answer(source, request)
}

// open verifies and decodes a request.
func (h *Handlers) open(source platforms.Source, request platforms.Request, body body) (platforms.Delivery, error) {
	dialect := platforms.Dialects[source.Platform]
	request, err := verify(source, request, body)
	if err != nil && body.unknown {
		return platforms.Delivery{}, h.refuse(source.Name, refusedContentType, errEncoding)
	}
	if err != nil {
		return platforms.Delivery{}, h.refuse(source.Name, refusal(platforms.Reason(err)), &door.Failure{
			Status: cmp.Or(dialect.Refusal, http.StatusUnauthorized), Code: "signature", Detail: "The signature is missing, stale or wrong.",
		})
	}
	delivery, err := dialect.Decode(source, request)
	if err != nil {
		return platforms.Delivery{}, h.refuse(source.Name, refusedBody, door.BadRequest(door.Sentence(err))) // it names a field and quotes nothing
	}
	for _, fault := range delivery.Faults { // it names a field and quotes nothing
		h.notice(source.Name, fault)
	}
	return delivery, nil
}
