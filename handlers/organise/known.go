package organise

import (
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/handlers/page"
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

// orKnown reads the view of the page with this name; with the store away it gives the last one of that page, and notes on the request how old it is.
func orKnown[T any](h *Handlers, c *gin.Context, name string, read func() (T, error)) (T, error) {
	key := name + " " + c.Request.URL.Path + " " + h.Pages.Lang(c).Tag
	view, err := read()
	if err == nil {
		kept := view
		if v, ok := any(view).(interface{ withoutTexts() T }); ok {
			kept = v.withoutTexts()
		}
		h.known.put(key, kept, h.Wall())
		return view, nil
	}
	if last, ok := h.known.get(key); ok && h.Away(err) {
		page.SetAge(c, h.Wall().Sub(last.at))
		return last.view.(T), nil
	}
	return view, err
}
