package handlers

import (
	"bytes"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"jauge/handlers/door"
)

// unlimited is a body that never ends, and fails whoever reads more of it than the largest limit.
type unlimited struct{ t *testing.T }

func (u unlimited) Read([]byte) (int, error) {
	u.t.Error("a body that says it is too large is read")
	return 0, io.ErrUnexpectedEOF
}

// Every route of the table, those that there are not, and methods that a route does not take: a body that is too large is
// refused, unread where it says so, and so is one in parts.
func TestDoor(t *testing.T) {
	t.Parallel()
	s := one(t)
	routes := append((&server{Deps: s.deps}).routes(),
		route{method: "POST", path: "/nothing"}, route{method: "PUT", path: "/login"}, route{method: "PATCH", path: "/api/v1/sessions/:id"})
	send := func(r route, contentType string, body io.Reader, length int64) *httptest.ResponseRecorder {
		request := httptest.NewRequest(r.method, fill(r.path, "metier"), body)
		request.ContentLength = length
		request.Header.Set("Content-Type", contentType)
		request.Header.Set("Authorization", "Bearer "+organiserToken)
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, request)
		return w
	}
	for _, r := range routes {
		for _, contentType := range []string{"application/json", door.FormType, "multipart/form-data; boundary=b", "application/octet-stream", ""} {
			limit := int64(maxForm)
			switch {
			case r.path == "/beacon/:session" || strings.HasPrefix(r.path, "/here/"):
				limit = maxBeacon
			case r.who == signed || contentType == "application/json":
				limit = maxBody
			}
			w := send(r, contentType, unlimited{t}, limit+1)
			if w.Code != http.StatusRequestEntityTooLarge || w.Header().Get("Connection") != "close" {
				t.Errorf("%s %s %s: %d %v", r.method, r.path, contentType, w.Code, w.Header())
			}
			if r.method == "GET" || r.method == "HEAD" || r.method == "OPTIONS" {
				continue // what reads a body of these does not exist
			}
			w = send(r, contentType, bytes.NewReader(bytes.Repeat([]byte("a"), 2<<20)), -1) // in chunks: nobody knows how large it is
			if w.Code < 400 && (r.handle == nil || !strings.HasSuffix(r.path, "/logout") && !strings.HasSuffix(r.path, "/end")) {
				t.Errorf("%s %s %s in chunks: %d", r.method, r.path, contentType, w.Code)
			}
		}
		if w := send(r, "MULTIPART/Form-Data; boundary=b", unlimited{t}, 100); w.Code != http.StatusUnsupportedMediaType {
			t.Errorf("%s %s in parts: %d", r.method, r.path, w.Code)
		}
	}
}

// A body of unknown length is refused as soon as it is too large, with the limit of its route.
func TestDoorOfChunks(t *testing.T) {
	t.Parallel()
	s := one(t)
	for _, row := range []struct {
		path, contentType string
		limit             int
	}{
		{"/webhooks/zoom", "application/json", maxBody},
		{"/api/v1/sessions", "application/json", maxBody},
		{"/feedback/metier", "application/json", maxBody},
		{"/feedback/metier", door.FormType, maxForm},
		{"/login", door.FormType, maxForm},
		{"/sessions/metier/texts/x", door.FormType, maxForm},
		{"/beacon/metier", "text/plain", maxBeacon},
		{"/beacon/metier", "application/json", maxBeacon},
		{"/here/metier", door.FormType, maxBeacon},
	} {
		for _, over := range []int{0, 1} {
			body := &counting{r: bytes.NewReader(bytes.Repeat([]byte("a"), row.limit+over*maxBody))}
			request := httptest.NewRequest("POST", row.path, body)
			request.ContentLength = -1
			request.Header.Set("Content-Type", row.contentType)
			request.Header.Set("Authorization", "Bearer "+organiserToken)
			w := httptest.NewRecorder()
			s.handler.ServeHTTP(w, request)
			if refused := w.Code == http.StatusRequestEntityTooLarge; refused != (over > 0) || body.read > row.limit+1 {
				t.Errorf("%s %s: %d after %d bytes of %d", row.path, row.contentType, w.Code, body.read, row.limit)
			}
		}
	}
}

type counting struct {
	r    io.Reader
	read int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.read += n
	return n, err
}

// What a platform sends is judged by its signature, whatever a browser would mean by its headers; and whatever is refused of it is
// counted.
func TestSignedRoutes(t *testing.T) {
	t.Parallel()
	good := zoomBody(joined("951", start))
	for name, header := range map[string]map[string]string{
		"an origin":            {"Origin": "https://platform.example"},
		"an opaque origin":     {"Origin": "null"},
		"another site":         {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
		"a token of its own":   {"Authorization": "Bearer of-the-platform"},
		"a cookie":             {"Cookie": organiserCookie + "=x"},
		"a referrer and a tab": {"Referer": "https://platform.example/", "Sec-Fetch-Dest": "document", "Accept": "text/html"},
	} {
		s := one(t)
		for signed, want := range map[bool]struct {
			code    int
			counted string
		}{true: {200, "event zoom joined recorded"}, false: {401, "refused zoom missing"}} {
			w := s.postWith("zoom", good, header, signed)
			if w.Code != want.code || s.metrics.get(want.counted) != 1 {
				t.Errorf("%s, signed %v: %d %s, counted %v", name, signed, w.Code, w.Body, s.metrics.counts)
			}
		}
	}
	s := one(t)
	for i, row := range []struct {
		name, source, contentType string
		body                      io.Reader
		length                    int64
		code                      int
		counted                   string
	}{
		{"too large", "zoom", "application/json", unlimited{t}, 2 << 20, 413, "refused zoom size"},
		{"too large, in chunks", "zoom", "application/json", bytes.NewReader(make([]byte, 2<<20)), -1, 413, "refused zoom size"},
		{"too large, to nobody", "nobody", "application/json", unlimited{t}, 2 << 20, 413, "refused unknown size"},
		{"in parts", "standard", "multipart/form-data; boundary=x", strings.NewReader("--x--"), 5, 415, "refused standard content_type"},
		{"cut off", "standard", "application/json", io.MultiReader(strings.NewReader("{"), cutOff{}), 100, 400, "refused standard body"},
	} {
		before := s.metrics.get(row.counted)
		request := httptest.NewRequest("POST", "/webhooks/"+row.source, row.body)
		request.ContentLength = row.length
		request.Header.Set("Content-Type", row.contentType)
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, request)
		if w.Code != row.code || s.metrics.get(row.counted) != before+1 || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%d %s: %d %s, counted %v", i, row.name, w.Code, w.Body, s.metrics.counts)
		}
	}
}

type cutOff struct{}

func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// postWith delivers a zoom body with more headers, signed or not.
func (s *site) postWith(source string, body []byte, more map[string]string, sign bool) *httptest.ResponseRecorder {
	header := map[string]string{"Content-Type": "application/json"}
	if sign {
		signature := http.Header{}
		resign(signature, body, 0)
		for name := range signature {
			header[name] = signature.Get(name)
		}
	}
	maps.Copy(header, more)
	return s.do(call{method: "POST", path: "/webhooks/" + source, body: string(body), header: header})
}

// No handler parses a form in any other way: Go's own parser would take parts, and put them into files.
func TestFormsAreReadAtOnePlace(t *testing.T) {
	t.Parallel()
	var files []string
	err := filepath.WalkDir(".", func(name string, _ fs.DirEntry, err error) error {
		if filepath.Ext(name) == ".go" {
			files = append(files, name)
		}
		return err
	})
	if err != nil || len(files) < 60 {
		t.Fatal(files, err)
	}
	parser := regexp.MustCompile(`\.(PostForm|FormFile|MultipartForm|MultipartReader|FormValue|PostFormValue|ParseMultipartForm|ParseForm)\(\)?|MaxBytesReader\(`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range parser.FindAllString(string(text), -1) {
			if !strings.HasSuffix(file, "_test.go") && file != "middleware.go" && found != ".ParseForm(" { // feedback's
				t.Errorf("%s has %s", file, found)
			}
		}
	}
}
