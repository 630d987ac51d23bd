package api

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
	"jauge/handlers/door"
	"jauge/handlers/lookup"
	"jauge/internal/problem"
)

// GetTexts handles GET /api/v1/sessions/{id}/texts?state=: every text, or those in one state.
func (h *Handlers) GetTexts(c *gin.Context) error {
	state, err := lookup.TextState(c.Query("state"))
	if err != nil {
		return err
	}
	a, err := h.Sessions.Asked(c.Request.Context(), c.Param("id"))
	if err != nil {
		return err
	}
	texts, err := a.Texts(c.Request.Context())
	if err != nil {
		return err
	}
	texts = slices.DeleteFunc(texts, func(t feedback.Text) bool { return state != "" && t.State != state })
	return door.Respond(c, http.StatusOK, list(texts))
}

// PostText handles POST /api/v1/sessions/{id}/texts/{text}.
func (h *Handlers) PostText(c *gin.Context) error {
	var body struct {
		Decision feedback.Decision `json:"decision"`
	}
	if err := door.DecodeJSON(c, &body); err != nil {
		return err
	}
	if body.Decision != feedback.Approve && body.Decision != feedback.Hide {
		return problem.Problems{{Path: "decision", Message: `"approve" or "hide" belongs here`}}
	}
	a, err := h.Sessions.Asked(c.Request.Context(), c.Param("id"))
	if err != nil {
		return err
	}
	text, err := a.Moderate(c.Request.Context(), c.Param("text"), body.Decision)
	if err != nil {
		return err
	}
	return door.Respond(c, http.StatusOK, text)
}
