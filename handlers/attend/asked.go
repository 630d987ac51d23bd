package attend

import (
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
	"jauge/feedback/survey"
	"jauge/handlers/door"
	"jauge/programme"
)

// asked is what a request about a survey is about.
type asked struct {
	*feedback.Asked
	survey *survey.Survey // what is asked now: see in
	wave   string
}

// asked opens what the session in the path asks. A wrong link leads to a page that says so.
func (h *Surveys) asked(c *gin.Context) (asked, error) {
	whole, err := h.Sessions.Asked(c.Request.Context(), c.Param("session"))
	if errors.Is(err, programme.ErrNotFound) || errors.Is(err, feedback.ErrNoSurvey) {
		return asked{}, noSurvey("There is no survey for this session.")
	}
	if err != nil {
		return asked{}, err
	}
	return asked{Asked: whole}.in(c.Query("wave"), h.Now())
}

// in sets which wave of the survey is asked: the one that is named, else the one that is open at a time.
func (a asked) in(wave string, now time.Time) (asked, error) {
	if wave == "" {
		wave = a.Survey.WaveAt(a.Session.StartsAt, a.Session.EndsAt, now)
	}
	a.wave, a.survey = wave, a.Survey.In(wave)
	if a.survey == nil {
		return asked{}, noSurvey("The survey of this session has no such wave.")
	}
	return a, nil
}

// noSurvey is the failure of a wrong link.
func noSurvey(detail string) *door.Failure {
	return &door.Failure{Status: http.StatusNotFound, Code: "no_survey", Detail: detail}
}
