package attend

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"jauge/feedback"

	"github.com/gin-gonic/gin"
)

func TestPersonalLinkSaysWhatIsKnown(t *testing.T) {
	t.Parallel()
	v := surveyView{}
	f := form{asked: asked{Asked: &feedback.Asked{}}, said: url.Values{"invite": {"x"}}}
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	c.Request = httptest.NewRequest(http.MethodGet, "/feedback/metier", nil)
	layout{}.explain(c, f, &v)
	if !v.Personal {
		t.Error("a personal link is not said to be one")
	}
}
