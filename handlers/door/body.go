package door

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"jauge/internal/problem"
)

// FormType is the media type of a form.
const FormType = "application/x-www-form-urlencoded"

// MediaType is the request's content type without its parameters, in lower case; "" if it has none that can be read.
func MediaType(c *gin.Context) string {
	media, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil {
		return ""
	}
	return media
}

// IsJSON says whether the request's body is JSON, of whatever flavour (application/webhook+json).
func IsJSON(c *gin.Context) bool {
	media := MediaType(c)
	return media == "application/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}

// DecodeJSON reads the body into v, strictly.
func DecodeJSON(c *gin.Context, v any) error {
	if !IsJSON(c) {
		return ErrMediaType
	}
	body, err := ReadBody(c)
	if err != nil {
		return err
	}
	return DecodeStrict(body, v)
}

// DecodeStrict takes one JSON value, in valid UTF-8, without unknown keys; numbers decode as json.Number.
func DecodeStrict(body []byte, v any) error {
	if !utf8.Valid(body) {
		return BadRequest("The body is not valid UTF-8.")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	decoder.UseNumber()
	if err := decoder.Decode(v); err != nil {
		return jsonMistake(err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return BadRequest("The body holds more than one JSON value.")
	}
	return nil
}

// jsonMistake says what is wrong with a body, without quoting its values.
func jsonMistake(err error) error {
	invalid := &Failure{Status: http.StatusUnprocessableEntity, Code: "invalid", Detail: "The body has mistakes."}
	var wrongType *json.UnmarshalTypeError
	var wrongTime *time.ParseError
	switch name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); {
	case unknown:
		invalid.Problems = problem.Problems{{Path: strings.Trim(name, `"`), Message: "unknown key"}}
	case errors.As(err, &wrongType):
		what, _, _ := strings.Cut(wrongType.Value, " ")
		invalid.Problems = problem.Problems{{Path: wrongType.Field, Message: fmt.Sprintf("%s where %s belongs", what, noun(wrongType.Type))}}
	case errors.As(err, &wrongTime):
		invalid.Problems = problem.Problems{{Message: "a time is not RFC 3339, such as 2020-04-30T18:00:00+02:00"}}
	default:
		return BadRequest("The body is not JSON.")
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

// ReadBody reads a body, once and whole; above the limit it is a 413, and no part of it is returned.
func ReadBody(c *gin.Context) ([]byte, error) {
	var b bytes.Buffer
	if err := readAll(&b, c.Request.Body); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func readAll(b *bytes.Buffer, r io.Reader) error {
	_, err := b.ReadFrom(r)
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return TooLarge(over.Limit)
	case err != nil:
		return BadRequest("The body ended before it was complete.")
	}
	return nil
}

// ReadBodyInto is ReadBody into memory of the caller's, with a limit in bytes that may be below that of the door.
func ReadBodyInto(b *bytes.Buffer, c *gin.Context, limit int64) error {
	if c.Request.ContentLength <= limit {
		err := readAll(b, io.LimitReader(c.Request.Body, limit+1))
		if err != nil || int64(b.Len()) <= limit {
			return err
		}
	}
	c.Header("Connection", "close") // the rest of the body is on its way
	return TooLarge(limit)
}

// ReadForm reads the fields of a form.
func ReadForm(c *gin.Context) (url.Values, error) {
	if MediaType(c) != FormType {
		return nil, &Failure{Status: http.StatusUnsupportedMediaType, Code: "media_type", Detail: "The body must be a form or JSON."}
	}
	body, err := ReadBody(c)
	if err != nil {
		return nil, err
	}
	fields, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, BadRequest("The form cannot be read.")
	}
	c.Request.PostForm = fields // for the language that was chosen on it
	return fields, nil
}
