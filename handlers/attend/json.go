package attend

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"regexp"
	"strings"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
	"jauge/feedback/survey"
	"jauge/handlers/door"
)

// Submission is what a program sends.
type Submission struct {
	Answers map[string]any `json:"answers"`
	Lang    string         `json:"lang"`
	Segment string         `json:"segment"`
	Wave    string         `json:"wave,omitempty"` // empty: the one that is open
	Code    string         `json:"code,omitempty"` // the receipt of an earlier wave, of which this is the same person
	Key     string         `json:"key,omitempty"`  // or the header Idempotency-Key

	Invitation string `json:"invitation,omitempty"`
}

// Invalid says what is wrong with a program's answers, by question, without repeating them.
type Invalid struct {
	Error  string            `json:"error"`
	Fields map[string]string `json:"fields"`
}

func (h *Surveys) submitJSON(c *gin.Context, a asked) error {
	body, answers, err := h.readAnswers(c, a)
	if err != nil || answers == nil {
		return err
	}
	submission := feedback.Submission{
		Segment: body.Segment, Lang: body.Lang, Answers: answers, Invitation: body.Invitation, Once: body.Key != "", Wave: cmp.Or(body.Wave, a.wave), Token: body.Code,
	}
	if submission.Once {
		submission.Key = "api:" + body.Key
	}
	receipt, err := h.submissions.send(c, a, submission)
	switch {
	case body.Code != "" && errors.Is(err, feedback.ErrNotFound):
		return invalidCode(c, "is the receipt of no answer to this session")
	case body.Code != "" && errors.Is(err, feedback.ErrDeleted):
		return invalidCode(c, "is the receipt of an answer that was deleted")
	case errors.Is(err, feedback.ErrEmpty):
		return door.Respond(c, http.StatusUnprocessableEntity, Invalid{"Nothing was answered.", map[string]string{}})
	case errors.Is(err, feedback.ErrReused):
		return door.Respond(c, http.StatusUnprocessableEntity, Invalid{
			"This key was used for other answers. They are changed through their receipt.", map[string]string{"key": "was used for other answers"},
		})
	}
	if err != nil {
		return err
	}
	c.Header("Location", h.Public.JoinPath(answerPath(a.Session.ID, receipt)).String())
	return door.Respond(c, http.StatusCreated, gin.H{"receipt": receipt})
}

func invalidCode(c *gin.Context, wrong string) error {
	return door.Respond(c, http.StatusUnprocessableEntity, Invalid{"The code does not fit.", map[string]string{"code": wrong}})
}

// readAnswers reads and checks a program's answers. If it returns neither answers nor an error, it has written the 422.
func (h *Surveys) readAnswers(c *gin.Context, a asked) (Submission, survey.Answers, error) {
	var body Submission
	fields := map[string]string{}
	var f *door.Failure
	switch err := door.DecodeJSON(c, &body); {
	case errors.As(err, &f) && f.Status == http.StatusUnprocessableEntity:
		for _, p := range f.Problems {
			fields[p.Path] = p.Message
		}
	case err != nil:
		return body, nil, err
	}
	var answers survey.Answers
	asks := a.survey
	if body.Wave != "" {
		asks = a.Survey.In(body.Wave)
	}
	if asks == nil {
		fields["wave"] = "this survey has no such wave"
	} else if parsed, mistakes := survey.ParseJSON(asks, body.Answers); len(fields) == 0 {
		answers = parsed
		maps.Copy(fields, mistakes.Reasons())
	}
	if !a.HasSegment(body.Segment) {
		fields["segment"] = "this session has no such segment"
	}
	if body.Lang != "" && !h.Pages.Speaks(body.Lang) {
		fields["lang"] = "not a language of this service"
	}
	if body.Code != "" && (!a.Promise.Linked || cmp.Or(body.Wave, a.wave) == a.Survey.Waves[0].ID) {
		fields["code"] = "is for later waves of a survey whose answers are kept together"
	}
	if wrong := body.readKey(c); wrong != "" {
		fields["key"] = wrong
	}
	if len(fields) > 0 {
		h.submissions.submitted(door.SubmissionInvalid)
		return body, nil, door.Respond(c, http.StatusUnprocessableEntity, Invalid{"The answers do not fit the survey.", fields})
	}
	return body, answers, nil
}

// keyShape is that of idempotency keys: too long to be guessed.
var keyShape = regexp.MustCompile(`^[\x20-\x7e]{16,255}$`)

// readKey takes the idempotency key from the header, a string as RFC 9651 quotes it or as it is
// (draft-ietf-httpapi-idempotency-key-header), or from the body, and says what is wrong with it; "": nothing.
func (b *Submission) readKey(c *gin.Context) (wrong string) {
	if header := c.GetHeader("Idempotency-Key"); header != "" {
		if quoted, ok := strings.CutPrefix(header, `"`); ok {
			header = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(strings.TrimSuffix(quoted, `"`))
		}
		if b.Key != "" && b.Key != header {
			return "differs from the header Idempotency-Key"
		}
		b.Key = header
	}
	if b.Key != "" && !keyShape.MatchString(b.Key) {
		return "must be 16 to 255 characters of ASCII"
	}
	return ""
}

func (h *Surveys) changeJSON(c *gin.Context, a asked) error {
	a.survey = a.Survey // what a program has read may be of several waves
	body, answers, err := h.readAnswers(c, a)
	if err != nil || answers == nil {
		return err
	}
	if body.Code != "" {
		return invalidCode(c, "is for new answers only")
	}
	if body.Key != "" {
		return door.Respond(c, http.StatusUnprocessableEntity, Invalid{"A change has no key.", map[string]string{"key": "is for new answers only"}})
	}
	if err := h.submissions.change(c, a, c.Param("receipt"), answers, body.Lang); err != nil {
		return err
	}
	return door.Respond(c, http.StatusOK, gin.H{"receipt": c.Param("receipt")})
}
