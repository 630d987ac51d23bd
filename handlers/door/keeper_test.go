package door

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
)

// logins are counted by nobody here.
type logins struct{}

func (logins) Login(string) {}

// Who sends a token is judged by it alone: a wrong one does not fall through to a cookie or link that would open the route, nor
// does the right one need either.
func TestATokenIsJudgedAlone(t *testing.T) {
	t.Parallel()
	k := keeper("organiser-token", "0123456789abcdef0123456789abcdef")
	clock := func() time.Time { return start }
	k.Limiter, k.Logins, k.Refusals, k.Log = NewLimiter(clock), logins{}, NewRefusals(clock), slog.New(slog.NewTextHandler(io.Discard, nil))
	all := k.seal(newGrant(opensAll, "", start.Add(time.Hour)))
	one := k.seal(newGrant(opensSession, "metier", start.Add(time.Hour)))
	for _, row := range []struct {
		name, authorization, cookie, query string
		want                               error
	}{
		{"the organiser's cookie", "", organiserCookie + "=" + all, "", nil},
		{"a viewer's cookie", "", viewerCookie + "=" + one, "", nil},
		{"a link", "", "", "?" + viewerParameter + "=" + one, nil},
		{"the right token", "Bearer organiser-token", "", "", nil},
		{"the right token beside a cookie that is no good", "Bearer organiser-token", organiserCookie + "=x", "", nil},
		{"nothing", "", "", "", ErrUnauthorized},
		{"a wrong token", "Bearer x", "", "", ErrUnauthorized},
		{"an empty token", "Bearer ", organiserCookie + "=" + all, "", ErrUnauthorized},
		{"a wrong token beside the organiser's cookie", "Bearer x", organiserCookie + "=" + all, "", ErrUnauthorized},
		{"a wrong token beside a viewer's cookie", "Bearer x", viewerCookie + "=" + one, "", ErrUnauthorized},
		{"a wrong token beside a link", "Bearer x", "", "?" + viewerParameter + "=" + one, ErrUnauthorized},
	} {
		c, _ := gin.CreateTestContext(httptest.NewRecorder())
		c.Request = httptest.NewRequest(http.MethodGet, "/sessions/metier"+row.query, nil)
		c.Params = gin.Params{{Key: "id", Value: "metier"}}
		for name, value := range map[string]string{"Authorization": row.authorization, "Cookie": row.cookie} {
			if value != "" {
				c.Request.Header.Set(name, value)
			}
		}
		if err := k.Admit(c, Viewer); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", row.name, err)
		}
		if _, noted := c.Get(grantKey); noted != (row.want == nil) {
			t.Errorf("%s: is a grant noted? %v", row.name, noted)
		}
	}
}
