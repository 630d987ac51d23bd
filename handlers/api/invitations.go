package api

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
	"jauge/handlers/door"
	"jauge/internal/problem"
)

// Invitation is one personal link. Its token is shown this once.
type Invitation struct {
	URL string `json:"url"`
}

// CreateInvitations handles POST /api/v1/sessions/{id}/invitations: as many personal links as asked for, as JSON, or as a
// CSV for a mail merge.
func (h *Handlers) CreateInvitations(c *gin.Context) error {
	var body struct {
		Count   *int   `json:"count"`
		Segment string `json:"segment"`
	}
	if err := door.DecodeJSON(c, &body); err != nil {
		return err
	}
	a, err := h.Sessions.Asked(c.Request.Context(), c.Param("id"))
	if err != nil {
		return err
	}
	var problems problem.Problems
	if body.Count == nil || *body.Count < 1 || *body.Count > feedback.MaxInvitations {
		problems = append(problems, problem.Problem{Path: "count", Message: fmt.Sprintf("a whole number from 1 to %d belongs here", feedback.MaxInvitations)})
	}
	if !a.HasSegment(body.Segment) {
		problems = append(problems, problem.Problem{Path: "segment", Message: "this session has no such segment"})
	}
	if len(problems) > 0 {
		return problems
	}
	tokens, err := a.Invite(c.Request.Context(), body.Segment, *body.Count)
	if err != nil {
		return err
	}
	address := h.Public.JoinPath("feedback", a.Session.ID).String() + "?invite="
	if c.Query("format") == "csv" || strings.Contains(c.GetHeader("Accept"), "text/csv") {
		c.Header("Content-Disposition", `attachment; filename="`+a.Session.ID+`-invitations.csv"`)
		c.Data(http.StatusCreated, "text/csv; charset=utf-8", []byte("url\n"+address+strings.Join(tokens, "\n"+address)+"\n"))
		return nil
	}
	links := make([]Invitation, len(tokens))
	for i, token := range tokens {
		links[i].URL = address + token
	}
	return door.Respond(c, http.StatusCreated, gin.H{"invitations": links})
}
