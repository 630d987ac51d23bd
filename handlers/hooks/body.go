package hooks

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/handlers/door"
	"jauge/platforms"
)

// maxBody is how large a body may be, in bytes, whoever sends it; the largest webhooks of most platforms are far below it. More is
// read only of a platform that writes whole meetings down, and only from who has shown its secret beforehand, in a header.
const maxBody = 1 << 20

// Large bodies are held in memory one by one, a few at a time; who waits longer than that is asked to come again.
const (
	largeAtOnce = 4
	largeWait   = 5 * time.Second
)

// MaxBody is how many bytes a body may have at most at the address that a request is for.
func (h *Handlers) MaxBody(c *gin.Context) int64 {
	source := h.Sources[c.Param("source")]
	return max(maxBody, platforms.Dialects[source.Platform].Large)
}

// body is what a request brought: its bytes as they came, and unpacked where they came compressed.
type body struct {
	raw, plain []byte
	unknown    bool // compressed in a way that nobody here can read
}

// buffers hold what small bodies are read into, one after the other.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxKept bounds how large a buffer, in bytes, waits for the next body.
const maxKept = 64 << 10

// readBody reads a body within its limit. done is to be called when nothing of the body is needed any more: its memory is that of
// another one then.
func (h *Handlers) readBody(c *gin.Context, source platforms.Source, r platforms.Request) (b body, done func(), _ error) {
	buffer := buffers.Get().(*bytes.Buffer)
	buffer.Reset()
	limit, done := int64(maxBody), func() {
		if buffer.Cap() <= maxKept {
			buffers.Put(buffer)
		}
	}
	if h.mayBeLarge(c, source, r) {
		limit = platforms.Dialects[source.Platform].Large
		if done = h.large.take(c.Request.Context()); done == nil {
			return body{}, func() {}, h.refuse(source.Name, refusedBusy, door.Unavailable(nil))
		}
	}
	if err := door.ReadBodyInto(buffer, c, limit); err != nil {
		return body{}, done, h.refuse(source.Name, unread(err), err)
	}
	raw, err := buffer.Bytes(), error(nil)
	b = body{raw: raw, plain: raw}
	if encoding := strings.ToLower(strings.TrimSpace(c.GetHeader("Content-Encoding"))); encoding != "" {
		if b.plain, b.unknown, err = unpack(encoding, raw, limit); err != nil {
			return body{}, done, h.refuse(source.Name, refusedSize, err)
		}
	}
	return b, done, nil
}

// mayBeLarge says whether more of a body is read than anybody may send.
func (h *Handlers) mayBeLarge(c *gin.Context, source platforms.Source, r platforms.Request) bool {
	dialect := platforms.Dialects[source.Platform]
	small := c.Request.ContentLength >= 0 && c.Request.ContentLength <= maxBody && c.GetHeader("Content-Encoding") == ""
	return !small && dialect.Large > maxBody && dialect.Verify(source, r) == nil
}

// unpack undoes a compression, up to a number of bytes. What is not compressed, whatever its header says, is as it came.
func unpack(encoding string, raw []byte, limit int64) (plain []byte, unknown bool, _ error) {
	var r io.Reader
	var err error
	switch encoding {
	case "gzip", "x-gzip":
		r, err = gzip.NewReader(bytes.NewReader(raw))
	case "deflate":
		r, err = zlib.NewReader(bytes.NewReader(raw))
	case "br", "zstd", "compress", "x-compress":
		return raw, true, nil
	default:
		return raw, false, nil
	}
	if err != nil {
		return raw, false, nil
	}
	plain, err = io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case int64(len(plain)) > limit:
		return nil, false, door.TooLarge(limit)
	case err != nil:
		return raw, false, nil
	}
	return plain, false, nil
}

// slots are what large bodies take. The zero value has all of them free.
type slots struct {
	once sync.Once
	free chan struct{}
}

// take waits for a slot and returns what gives it back; nil: none became free in time.
func (s *slots) take(ctx context.Context) (giveBack func()) {
	s.once.Do(func() { s.free = make(chan struct{}, largeAtOnce) })
	ctx, cancel := context.WithTimeout(ctx, largeWait)
	defer cancel()
	select {
	case s.free <- struct{}{}:
		return func() { <-s.free }
	case <-ctx.Done():
		return nil
	}
}

// verify holds a signature against the body as it came, and as it was before somebody compressed it on the way. It returns the
// request with the body to read.
func verify(source platforms.Source, r platforms.Request, b body) (platforms.Request, error) {
	dialect := platforms.Dialects[source.Platform]
	r.Body = b.plain
	err := dialect.Verify(source, r)
	if err != nil && !bytes.Equal(b.raw, b.plain) {
		r.Body = b.raw
		if dialect.Verify(source, r) == nil { // the sender signed what it had compressed
			err = nil
		}
		r.Body = b.plain
	}
	return r, err
}

var errEncoding = &door.Failure{
	Status: http.StatusUnsupportedMediaType, Code: "media_type", Detail: "The body is compressed in a way that is not understood; gzip and deflate are.",
}
