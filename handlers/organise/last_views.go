package organise

import (
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/handlers/page"
)

// lastViews caches the last view of private pages, so that they can be shown while the store is away, with their age. It holds
// figures and the programme, never texts of attendees, in the memory of this process alone.
type lastViews struct {
	mu    sync.Mutex
	views map[string]lastView
}

type lastView struct {
	view any
	at   time.Time // by the process's clock
}

// maxLastViews bounds the memory: a view of each page in each language, of some hundred sessions.
const maxLastViews = 1000

func (k *lastViews) put(key string, view any, at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, there := k.views[key]; !there && len(k.views) >= maxLastViews {
		for other := range k.views { // any one: it is read again when its page is opened
			delete(k.views, other)
			break
		}
	}
	k.views[key] = lastView{view, at}
}

func (k *lastViews) get(key string) (lastView, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	v, ok := k.views[key]
	return v, ok
}

// orLast reads the view of the page with this name; with the store away it gives the last one of that page, and notes its age on the
// request.
func orLast[T any](h *Handlers, c *gin.Context, name string, read func() (T, error)) (T, error) {
	key := name + " " + c.Request.URL.Path + " " + h.Pages.Lang(c).Tag
	view, err := read()
	if err == nil {
		kept := view
		if v, ok := any(view).(interface{ withoutTexts() T }); ok {
			kept = v.withoutTexts()
		}
		h.lastViews.put(key, kept, h.Wall())
		return view, nil
	}
	if last, ok := h.lastViews.get(key); ok && h.Away(err) {
		page.SetAge(c, h.Wall().Sub(last.at))
		return last.view.(T), nil
	}
	return view, err
}
