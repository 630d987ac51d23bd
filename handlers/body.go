package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"jauge/internal/problem"
)

// mediaType is the request's content type without its parameters, in lower case; "" if it has none that can be read.
func mediaType(c *gin.Context) string {
	media, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil {
		return ""
	}
	return media
}

// isJSON says whether the request's body is JSON, of whatever flavour (application/webhook+json).
func isJSON(c *gin.Context) bool {
	media := mediaType(c)
	return media == "application/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}

var errMediaType = &failure{
	status: http.StatusUnsupportedMediaType, code: "media_type", detail: "The body must be JSON, with Content-Type: application/json.",
}

// decodeJSON reads the body into v, strictly.
func decodeJSON(c *gin.Context, v any) error {
	if !isJSON(c) {
		return errMediaType
	}
	body, err := readBody(c)
	if err != nil {
		return err
	}
	return decodeStrict(body, v)
}

// decodeStrict takes one JSON value, without unknown keys, in valid UTF-8, whose numbers are numbers.
func decodeStrict(body []byte, v any) error {
	if !utf8.Valid(body) {
		return badRequest("The body is not valid UTF-8.")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	decoder.UseNumber()
	if err := decoder.Decode(v); err != nil {
		return jsonMistake(err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return badRequest("The body holds more than one JSON value.")
	}
	return nil
}

// jsonMistake tells what is wrong with a body, without quoting its values.
func jsonMistake(err error) error {
	invalid := &failure{status: http.StatusUnprocessableEntity, code: "invalid", detail: "The body has mistakes."}
	var wrongType *json.UnmarshalTypeError
	var wrongTime *time.ParseError
	switch name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); {
	case unknown:
		invalid.problems = problem.Problems{{Path: strings.Trim(name, `"`), Message: "unknown key"}}
	case errors.As(err, &wrongType):
		what, _, _ := strings.Cut(wrongType.Value, " ")
		invalid.problems = problem.Problems{{Path: wrongType.Field, Message: fmt.Sprintf("%s where %s belongs", what, noun(wrongType.Type))}}
	case errors.As(err, &wrongTime):
		invalid.problems = problem.Problems{{Message: "a time is not RFC 3339, such as 2020-04-30T18:00:00+02:00"}}
	default:
		return badRequest("The body is not JSON.")
	}
	return invalid
}

// noun names a Go type as a writer of JSON knows it.
func noun(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}
