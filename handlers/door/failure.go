package door

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/internal/problem"
)

// Failure is what a handler returns when it cannot do what was asked: a stable code, a sentence for the caller, and a cause for the
// log.
type Failure struct {
	Status   int
	Code     string // of the page's texts, and of the problem's "code"
	Detail   string // for programs, in English; never made from an inner error
	Problems problem.Problems
	Cause    error // for the log only
}

func (f *Failure) Error() string { return f.Code }

func (f *Failure) Unwrap() error { return f.Cause }

// NotFound is the failure of a request for what does not exist.
func NotFound(detail string) *Failure {
	return &Failure{Status: http.StatusNotFound, Code: "not_found", Detail: detail}
}

// BadRequest is the failure of a request that cannot be read.
func BadRequest(detail string) *Failure {
	return &Failure{Status: http.StatusBadRequest, Code: "bad_request", Detail: detail}
}

// Unavailable is the failure of a request that the store cannot serve now.
func Unavailable(cause error) *Failure {
	return &Failure{
		Status: http.StatusServiceUnavailable, Code: "unavailable", Cause: cause,
		Detail: "The store cannot be reached. Nothing was changed; please repeat the request.",
	}
}

// CodeUnauthorized is the code of ErrUnauthorized; a wrong webhook signature is another failure.
const CodeUnauthorized = "unauthorized"

// The failures that are the same everywhere.
var (
	ErrMethod = &Failure{
		Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Detail: "This address does not take this method.",
	}
	ErrMediaType = &Failure{
		Status: http.StatusUnsupportedMediaType, Code: "media_type", Detail: "The body must be JSON, with Content-Type: application/json.",
	}
	// ErrUnauthorized is the failure of a request that is not signed in.
	ErrUnauthorized = &Failure{
		Status: http.StatusUnauthorized, Code: CodeUnauthorized,
		Detail: "This needs the organiser token: Authorization: Bearer <token>.",
	}
)

// TooLarge is the failure of a body above a limit in bytes.
func TooLarge(limit int64) *Failure {
	unit, n := "KiB", limit>>10
	if n >= 1<<10 {
		unit, n = "MiB", n>>10
	}
	return &Failure{
		Status: http.StatusRequestEntityTooLarge, Code: "too_large", Detail: fmt.Sprintf("The body is larger than %d %s.", n, unit),
	}
}

// TooMany is the failure of a request above a rate limit, with a Retry-After header.
func TooMany(c *gin.Context, wait time.Duration, code, detail string) error {
	c.Header("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	return &Failure{Status: http.StatusTooManyRequests, Code: code, Detail: detail}
}

// Sentence writes an error as one.
func Sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// WriteJSON writes v as it is: no escaping of <, > and &, which are safe behind nosniff and a JSON type.
func WriteJSON(c *gin.Context, status int, contentType string, v any) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err) // our own types always encode; the middleware answers
	}
	c.Data(status, contentType, out.Bytes())
}

// Respond answers a request with v as JSON.
func Respond(c *gin.Context, status int, v any) error {
	WriteJSON(c, status, "application/json", v)
	return nil
}
