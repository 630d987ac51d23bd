package handlers

import (
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

// lastViews keeps what private pages have shown last, so that they go on while the store is away, and say how old it is. It holds
// views, in the memory of this process alone: figures and the programme, never what a person wrote.
type lastViews struct {
	mu    sync.Mutex
	views map[string]knownView
}

type knownView struct {
	view any
	at   time.Time // by the process's clock
}

// mostKnown bounds the memory of it: a view of each page in each language, of some hundred sessions.
const mostKnown = 1000

func (k *lastViews) put(key string, view any, at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, there := k.views[key]; !there && len(k.views) >= mostKnown {
		for other := range k.views { // any one: it is read again when its page is opened
			delete(k.views, other)
			break
		}
	}
	k.views[key] = knownView{view, at}
}

func (k *lastViews) get(key string) (knownView, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	v, ok := k.views[key]
	return v, ok
}

// orKnown reads a page's view; with the store away it gives the last one of that page, and notes on the request how old it is.
func orKnown[T any](s *server, c *gin.Context, page string, read func() (T, error)) (T, error) {
	key := page + " " + c.Request.URL.Path + " " + s.langs.of(c.Request).Tag
	view, err := read()
	if err == nil {
		kept := view
		if v, ok := any(view).(interface{ withoutTexts() T }); ok {
			kept = v.withoutTexts()
		}
		s.known.put(key, kept, s.Wall())
		return view, nil
	}
	if last, ok := s.known.get(key); ok && s.Away(err) {
		c.Set(ageKey, s.Wall().Sub(last.at))
		return last.view.(T), nil
	}
	return view, err
}

const ageKey = "age"

// age is how old a page's figures are.
type age time.Duration

// Minutes are whole ones.
func (a age) Minutes() int { return int(time.Duration(a) / time.Minute) }

// ageOf is the age that orKnown has noted; nil: the figures are of now.
func ageOf(c *gin.Context) *age {
	d, old := c.Get(ageKey)
	if !old {
		return nil
	}
	a := age(d.(time.Duration))
	return &a
}
