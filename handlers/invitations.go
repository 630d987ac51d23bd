package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
	"jauge/internal/problem"
)

// invitationJSON is one personal link. Its token is shown this once.
type invitationJSON struct {
	URL string `json:"url"`
}

// createInvitations handles POST /api/v1/sessions/{id}/invitations: as many personal links as asked for, as JSON, or as a
// CSV for a mail merge.
func (s *server) createInvitations(c *gin.Context) error {
	var body struct {
		Count   *int   `json:"count"`
		Segment string `json:"segment"`
	}
	if err := decodeJSON(c, &body); err != nil {
		return err
	}
	session, err := s.Programme.Session(c.Request.Context(), c.Param("id"))
	if err != nil {
		return err
	}
	if s.survey(session) == nil {
		return notFound("This session has no survey.")
	}
	var problems problem.Problems
	if body.Count == nil || *body.Count < 1 || *body.Count > feedback.MaxInvitations {
		problems = append(problems, problem.Problem{Path: "count", Message: fmt.Sprintf("a whole number from 1 to %d belongs here", feedback.MaxInvitations)})
	}
	if !hasSegment(session, body.Segment) {
		problems = append(problems, problem.Problem{Path: "segment", Message: "this session has no such segment"})
	}
	if len(problems) > 0 {
		return problems
	}
	tokens, err := s.Feedback.Invite(c.Request.Context(), session.ID, body.Segment, *body.Count)
	if err != nil {
		return err
	}
	address := s.link("feedback", session.ID) + "?invite="
	if c.Query("format") == "csv" || strings.Contains(c.GetHeader("Accept"), "text/csv") {
		c.Header("Content-Disposition", `attachment; filename="`+session.ID+`-invitations.csv"`)
		c.Data(http.StatusCreated, "text/csv; charset=utf-8", []byte("url\n"+address+strings.Join(tokens, "\n"+address)+"\n"))
		return nil
	}
	links := make([]invitationJSON, len(tokens))
	for i, token := range tokens {
		links[i].URL = address + token
	}
	return respond(c, http.StatusCreated, gin.H{"invitations": links})
}

var (
	errUninvited = &failure{status: http.StatusNotFound, code: "uninvited", detail: "There is no such invitation to this session."}
	errUsed      = &failure{status: http.StatusGone, code: "used", detail: "This invitation was used; the receipt changes the answer."}
)

// invitedTo gives the segment of the invitation that a survey's link carries, or, if it carries none, of its audience.
func (s *server) invitedTo(c *gin.Context, a asked) (segment string, err error) {
	token := c.Query("invite")
	if token == "" {
		return c.Query("segment"), nil
	}
	segment, used, err := s.Feedback.Invitation(c.Request.Context(), a.session.ID, token)
	switch {
	case errors.Is(err, feedback.ErrUninvited):
		return "", errUninvited
	case err != nil:
		return "", err
	case used:
		return "", errUsed
	}
	return segment, nil
}
