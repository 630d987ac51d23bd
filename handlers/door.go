package handlers

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"
)

// How large a request's body may be, in bytes.
const (
	maxBody   = 1 << 20   // a platform's, or JSON; Zoom's largest webhooks are far below it
	maxForm   = 256 << 10 // anything else: a form with a dozen of the longest texts, in any script, fits
	maxBeacon = 1 << 10   // a beacon, or a check-in
)

// limit is how large the body of a request to this route may be.
func (r route) limit(c *gin.Context) int64 {
	switch {
	case r.path == beaconPath, strings.HasPrefix(r.path, "/here/"):
		return maxBeacon
	case r.who == signed, isJSON(c):
		return maxBody
	}
	return maxForm
}

// door is the first thing on every route, and where there is none: whatever comes after it reads what it leaves, never more
// than the limit. A body that says it is larger is not read at all; parts, which Go would parse into temporary files, are
// nothing that any route takes.
func (s *server) door(r route) gin.HandlerFunc {
	return func(c *gin.Context) {
		limit := r.limit(c)
		switch {
		case c.Request.ContentLength > limit:
			c.Header("Connection", "close") // the rest of the body is on its way
			s.turnAway(c, r, refusedSize, tooLarge(limit))
		case strings.HasPrefix(strings.ToLower(c.GetHeader("Content-Type")), "multipart/"):
			s.turnAway(c, r, refusedContentType, errMediaType)
		default:
			c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, limit)
		}
	}
}

// turnAway refuses a request at the door; a delivery is counted like any other that is refused.
func (s *server) turnAway(c *gin.Context, r route, reason refusal, err error) {
	if r.who == signed {
		err = s.refuse(s.sourceName(c), reason, err)
	}
	s.fail(c, err)
	c.Abort()
}

func tooLarge(limit int64) *failure {
	unit, n := "KiB", limit>>10
	if n >= 1<<10 {
		unit, n = "MiB", n>>10
	}
	return &failure{
		status: http.StatusRequestEntityTooLarge, code: "too_large", detail: fmt.Sprintf("The body is larger than %d %s.", n, unit),
	}
}

// readBody reads what the door left of a body, once and whole: 413 above the limit, never a part of it.
func readBody(c *gin.Context) ([]byte, error) {
	body, err := io.ReadAll(c.Request.Body)
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return nil, tooLarge(over.Limit)
	}
	if err != nil {
		return nil, badRequest("The body ended before it was complete.")
	}
	return body, nil
}

// readForm reads the fields of a form.
func readForm(c *gin.Context) (url.Values, error) {
	if mediaType(c) != formType {
		return nil, &failure{status: http.StatusUnsupportedMediaType, code: "media_type", detail: "The body must be a form or JSON."}
	}
	body, err := readBody(c)
	if err != nil {
		return nil, err
	}
	fields, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, badRequest("The form cannot be read.")
	}
	c.Request.PostForm = fields // for the language that was chosen on it
	return fields, nil
}

const formType = "application/x-www-form-urlencoded"
