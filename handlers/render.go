package handlers

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/gin-gonic/gin"
)

var (
	//go:embed templates/*.html
	templateFiles embed.FS

	//go:embed assets
	assetFiles embed.FS

	//go:embed openapi.yaml
	openapiFile []byte
)

// parsePages parses every page together with the layout and the parts that pages share (their names begin with "_").
func parsePages() (map[string]*template.Template, error) {
	shared, err := template.ParseFS(templateFiles, "templates/_*.html")
	if err != nil {
		return nil, err
	}
	files, err := fs.Glob(templateFiles, "templates/[a-z]*.html")
	if err != nil {
		return nil, err
	}
	pages := make(map[string]*template.Template, len(files))
	for _, file := range files {
		page, err := template.Must(shared.Clone()).ParseFS(templateFiles, file)
		if err != nil {
			return nil, err
		}
		pages[strings.TrimSuffix(path.Base(file), ".html")] = page
	}
	return pages, nil
}

// page is what every template sees; View is its own.
type page struct {
	L            *lang
	Name         string // the template's, and the class of its body
	Title        string
	Age          *age // of its figures, the store being away; nil: they are of now
	Mistaken     bool // it reports mistakes, which its title says first
	Organiser    bool // it is the organisers' own, and one of them reads it
	Kiosk        bool // on a device that people share
	Embedded     bool
	Version      string
	Assets       string
	OtherTag     string // the other language, for the switch; empty: no switch
	OtherAddress string
	View         any
	chosen       string
}

// Link is an address of ours that keeps the language when it was chosen by hand.
func (p page) Link(address string) string {
	if p.chosen == "" {
		return address
	}
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	return address + separator + "lang=" + p.L.Tag
}

// Dash stands for what is not known.
func (p page) Dash() string { return unknown }

// Of is the same page for a part of its view.
func (p page) Of(view any) page {
	p.View = view
	return p
}

func (s *server) page(c *gin.Context, name, title string, view any) page {
	l := s.langs.of(c.Request)
	p := page{
		L: l, Name: name, Title: title, Organiser: s.readerOf(c) == organisers && isOrganiser(c), Kiosk: onKiosk(c.Request),
		Embedded: s.Embedded, Version: s.Version, Assets: s.assetVersion, View: view, Age: ageOf(c),
	}
	if form, ok := view.(interface{ mistaken() bool }); ok {
		p.Mistaken = form.mistaken()
	}
	if s.langs.byTag(chosenLang(c.Request)) == l {
		p.chosen = l.Tag
	}
	if c.Request.Method == http.MethodGet { // a switch in the middle of a form would lose what was said
		for _, other := range s.langs.all {
			if other != l {
				p.OtherTag, p.OtherAddress = other.Tag, otherAddress(c.Request.URL.Query(), other.Tag)
			}
		}
	}
	return p
}

// otherAddress keeps what the page needs of the query and leaves the organiser's tokens behind.
func otherAddress(query url.Values, tag string) string {
	kept := url.Values{"lang": {tag}}
	for _, key := range []string{"segment", "wave", "thanks", "resume", "page", "kiosk", "sent", "stay", "code", "invite"} {
		if value := query.Get(key); value != "" {
			kept.Set(key, value)
		}
	}
	return "?" + kept.Encode()
}

// render writes a page whose title is a message.
func (s *server) render(c *gin.Context, status int, name, titleID string, view any) error {
	title, err := s.langs.of(c.Request).T(titleID)
	if err != nil {
		return err
	}
	return s.renderTitled(c, status, name, title, view)
}

// renderTitled writes a page. It is made whole before a byte leaves, so that a failing template is a 500 and not half a page.
func (s *server) renderTitled(c *gin.Context, status int, name, title string, view any) error {
	return s.execute(c, status, name, "layout", s.page(c, name, title, view))
}

func (s *server) execute(c *gin.Context, status int, name, block string, p page) error {
	var out bytes.Buffer
	if err := s.pages[name].ExecuteTemplate(&out, block, p); err != nil {
		return err
	}
	c.Data(status, "text/html; charset=utf-8", out.Bytes())
	return nil
}

// writeJSON writes v as it is: no escaping of <, > and &, which are safe behind nosniff and a JSON type.
func writeJSON(c *gin.Context, status int, contentType string, v any) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err) // our own types always encode; recover answers
	}
	c.Data(status, contentType, out.Bytes())
}

func respond(c *gin.Context, status int, v any) error {
	writeJSON(c, status, "application/json", v)
	return nil
}

// assetVersion is a hash over the assets.
func assetVersion() string {
	h := sha256.New()
	for _, name := range []string{"style.css", "live.js", "kiosk.js"} {
		content, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			panic(err) // embedded when built
		}
		h.Write(content)
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// asset handles GET /assets/{file}: the stylesheet and the scripts.
func (s *server) asset(c *gin.Context) error {
	name := c.Param("file")
	content, err := assetFiles.ReadFile("assets/" + name)
	if err != nil {
		return notFound("There is no such file.")
	}
	if c.Query("v") == s.assetVersion {
		c.Header("Cache-Control", "public, max-age=31536000, immutable")
	}
	c.Data(http.StatusOK, mime.TypeByExtension(path.Ext(name)), content)
	return nil
}

// healthz handles GET /healthz: the process serves.
func (s *server) healthz(c *gin.Context) error {
	return respond(c, http.StatusOK, gin.H{"status": "ok"})
}

// readyz handles GET /readyz: the store answers, too.
func (s *server) readyz(c *gin.Context) error {
	if err := s.Ready(c.Request.Context()); err != nil {
		return &failure{status: http.StatusServiceUnavailable, code: "unavailable", detail: sentence(err)}
	}
	return respond(c, http.StatusOK, gin.H{"status": "ready"})
}

// openapi handles GET /openapi.yaml.
func (s *server) openapi(c *gin.Context) error {
	c.Data(http.StatusOK, "application/yaml", openapiFile)
	return nil
}

// metrics handles GET /metrics.
func (s *server) metrics(c *gin.Context) error {
	s.MetricsHandler.ServeHTTP(c.Writer, c.Request)
	return nil
}
