package organise

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"jauge/handlers/door"
)

type loginView struct {
	Next  string
	Wrong bool
}

// Mistaken says whether a wrong token was tried.
func (v loginView) Mistaken() bool { return v.Wrong }

// LoginForm handles GET /login. A ready link (?token=…) is exchanged for the cookie; the redirect cleans the address.
func (h *Handlers) LoginForm(c *gin.Context) error {
	token, given := c.GetQuery("token")
	if !given {
		return h.askToken(c, http.StatusOK, loginView{Next: "/"})
	}
	return h.signIn(c, token, "/")
}

// Login handles POST /login, the form.
func (h *Handlers) Login(c *gin.Context) error {
	form, err := door.ReadForm(c)
	if err != nil {
		return err
	}
	return h.signIn(c, strings.TrimSpace(form.Get("token")), localPath(form.Get("next")))
}

func (h *Handlers) signIn(c *gin.Context, token, next string) error {
	err := h.Keeper.SignIn(c, token)
	if errors.Is(err, door.ErrUnauthorized) {
		return h.askToken(c, http.StatusUnauthorized, loginView{Next: next, Wrong: true})
	}
	if err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, next)
	return nil
}

// Unauthorized answers a request that is not signed in with the login form, which leads back.
func (h *Handlers) Unauthorized(c *gin.Context) error {
	return h.askToken(c, http.StatusUnauthorized, loginView{Next: localPath(c.Request.URL.Path)})
}

func (h *Handlers) askToken(c *gin.Context, status int, v loginView) error {
	return h.Pages.Render(c, status, "login", "login.title", v)
}

// Logout handles POST /logout.
func (h *Handlers) Logout(c *gin.Context) error {
	if err := h.Keeper.SignOut(c); err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, "/login")
	return nil
}

// localPath returns path if it leads to this service's organiser pages, else "/": a login is no open redirect.
func localPath(path string) string {
	if strings.HasPrefix(path, "/sessions/") || strings.HasPrefix(path, "/series/") {
		return path
	}
	return "/"
}
