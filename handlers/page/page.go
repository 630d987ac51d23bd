// Package page is what pages share, whatever their audience: the languages that they are written in, their templates,
// stylesheet and scripts, and the words for what a survey asks.
//
// The story in files: page.go (a page and how it is written), query.go (what the address of a page may say), lang.go (one
// language), words.go (the words of a survey), assets.go (stylesheet and scripts), qr.go.
package page

import (
	"bytes"
	"embed"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/handlers/door"
)

//go:embed templates/*.html
var templateFiles embed.FS

// Pages writes pages. It is safe for concurrent use.
type Pages struct {
	langs     *Langs
	templates map[string]*template.Template // by file name without extension
	version   string                        // of the service
	embedded  bool                          // its store lives in its process
}

// New parses the templates and the messages. Organisers' pages say the version, if there is one, and whether the store lives
// in the service's process.
func New(version string, embedded bool) (*Pages, error) {
	langs, err := NewLangs()
	if err != nil {
		return nil, err
	}
	templates, err := parseTemplates()
	if err != nil {
		return nil, err
	}
	return &Pages{langs, templates, version, embedded}, nil
}

// Lang is the language of a request's page.
func (p *Pages) Lang(c *gin.Context) *Lang { return p.langs.Of(c.Request) }

// Speaks says whether pages are written in the language with this tag.
func (p *Pages) Speaks(tag string) bool { return p.langs.ByTag(tag) != nil }

// parseTemplates parses every page together with the layout and the parts that pages share (their names begin with "_").
func parseTemplates() (map[string]*template.Template, error) {
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
	L            *Lang
	Name         string // the template's, and the class of its body
	Title        string
	Age          *Age // of its figures, the store being away; nil: they are of now
	Mistaken     bool // it reports mistakes: its title begins with that
	Organiser    bool // an organisers' page, read by an organiser
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

func (p *Pages) page(c *gin.Context, name, title string, view any) page {
	l := p.Lang(c)
	whole := page{
		L: l, Name: name, Title: title, Organiser: door.ReaderOf(c) == door.Organisers && door.IsOrganiser(c), Kiosk: onKiosk(c.Request),
		Embedded: p.embedded, Version: p.version, Assets: assetVersion, View: view, Age: AgeOf(c),
	}
	if form, ok := view.(interface{ Mistaken() bool }); ok {
		whole.Mistaken = form.Mistaken()
	}
	if p.langs.ByTag(Chosen(c.Request)) == l {
		whole.chosen = l.Tag
	}
	if c.Request.Method == http.MethodGet { // switching the language in the middle of a form would lose the answers
		for _, other := range p.langs.all {
			if other != l {
				whole.OtherTag, whole.OtherAddress = other.Tag, otherAddress(c.Request.URL.Query(), other.Tag)
			}
		}
	}
	return whole
}

// Render writes a page whose title is a message.
func (p *Pages) Render(c *gin.Context, status int, name, titleID string, view any) error {
	title, err := p.Lang(c).T(titleID)
	if err != nil {
		return err
	}
	return p.RenderTitled(c, status, name, title, view)
}

// RenderTitled writes a page. It is executed into memory first, so that a failing template is a 500 and not half a page.
func (p *Pages) RenderTitled(c *gin.Context, status int, name, title string, view any) error {
	return p.execute(c, status, "layout", p.page(c, name, title, view))
}

// RenderPart writes one block of a page, for a script that puts it in place of what stands there.
func (p *Pages) RenderPart(c *gin.Context, name, block, title string, view any) error {
	return p.execute(c, http.StatusOK, block, p.page(c, name, title, view))
}

func (p *Pages) execute(c *gin.Context, status int, block string, what page) error {
	var out bytes.Buffer
	if err := p.templates[what.Name].ExecuteTemplate(&out, block, what); err != nil {
		return err
	}
	c.Data(status, "text/html; charset=utf-8", out.Bytes())
	return nil
}

// Redirect leads to another page of ours, in the language that was chosen by hand, if one was.
func (p *Pages) Redirect(c *gin.Context, path string, query url.Values) {
	if tag := Chosen(c.Request); p.Speaks(tag) {
		query.Set("lang", tag)
	}
	c.Redirect(http.StatusSeeOther, path+"?"+query.Encode())
}

const ageKey = "age"

// Age is how old a page's figures are.
type Age time.Duration

// Minutes are whole ones.
func (a Age) Minutes() int { return int(time.Duration(a) / time.Minute) }

// SetAge notes on a request that its page's figures are not of now.
func SetAge(c *gin.Context, age time.Duration) { c.Set(ageKey, Age(age)) }

// AgeOf is the age that was noted; nil: the figures are of now.
func AgeOf(c *gin.Context) *Age {
	age, old := c.Value(ageKey).(Age)
	if !old {
		return nil
	}
	return &age
}
