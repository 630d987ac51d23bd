package organise

import (
	"fmt"
	"testing"
	"time"
)

// TestLastViewsAreBounded whatever is asked for.
func TestLastViewsAreBounded(t *testing.T) {
	t.Parallel()
	k := lastViews{views: map[string]lastView{}}
	for i := range 2 * maxLastViews {
		k.put(fmt.Sprint(i), i, time.Now())
	}
	if last, ok := k.get(fmt.Sprint(2*maxLastViews - 1)); len(k.views) != maxLastViews || !ok || last.view != 2*maxLastViews-1 {
		t.Errorf("%d views, the last %v", len(k.views), last.view)
	}
}
