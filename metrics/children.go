package metrics

import "sync"

// children are the metrics of one vector by a key of their own type: what a request counts is found several times faster than by its
// labels. Keys are bounded, as labels are. It is safe for concurrent use.
type children[K comparable, M any] struct {
	mu    sync.RWMutex
	known map[K]M
	child func(K) M // of the vector
}

func childrenOf[K comparable, M any](child func(K) M) *children[K, M] {
	return &children[K, M]{known: map[K]M{}, child: child}
}

// of gives the metric of a key; one that is new begins at 0.
func (c *children[K, M]) of(key K) M {
	c.mu.RLock()
	m, ok := c.known[key]
	c.mu.RUnlock()
	if ok {
		return m
	}
	m = c.child(key)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[key] = m
	return m
}

// What is counted, by its labels.
type (
	event   struct{ source, kind, result string }
	refusal struct{ source, reason string }
	request struct {
		route, method string
		code          int
	}
)
