package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/attendance"
	"jauge/feedback"
	"jauge/feedback/figures"
	"jauge/handlers/door"
	"jauge/handlers/lookup"
)

// Row is one person's attendance under a pseudonym.
type Row struct {
	Attendee        string     `json:"attendee"`
	FirstJoinedAt   *time.Time `json:"first_joined_at"` // null: only a total is known
	LastLeftAt      *time.Time `json:"last_left_at"`    // null: still in, or only a total is known
	Visits          int        `json:"visits"`
	WatchSeconds    float64    `json:"watch_seconds"`
	WatchSecondsLow float64    `json:"watch_seconds_low"`
	Attended        bool       `json:"attended"`
	Completed       bool       `json:"completed"`
	Provenance      string     `json:"provenance"`
}

func (h *Handlers) rows(c *gin.Context) ([]Row, error) {
	session, err := h.Sessions.Programme.Session(c.Request.Context(), c.Param("id"))
	if err != nil {
		return nil, err
	}
	rows, err := h.Attendance.Rows(c.Request.Context(), session.ID)
	if err != nil {
		return nil, err
	}
	f := attendance.Figures{Session: session}
	objects := make([]Row, len(rows))
	for i, r := range rows {
		objects[i] = Row{
			Attendee: r.Attendee, FirstJoinedAt: lookup.Moment(f, r.FirstJoinedAt), LastLeftAt: lookup.Moment(f, r.LastLeftAt), Visits: r.Visits,
			WatchSeconds: r.Watch.Seconds(), WatchSecondsLow: r.WatchLow.Seconds(),
			Attended: r.Attended, Completed: r.Completed, Provenance: string(r.Provenance),
		}
	}
	return objects, nil
}

// GetAttendance handles GET /api/v1/sessions/{id}/attendance.
func (h *Handlers) GetAttendance(c *gin.Context) error {
	rows, err := h.rows(c)
	if err != nil {
		return err
	}
	return door.Respond(c, http.StatusOK, rows)
}

// GetCurve handles GET /api/v1/sessions/{id}/curve?step=: a Go duration or whole seconds, at least 1 s.
func (h *Handlers) GetCurve(c *gin.Context) error {
	session, err := h.Sessions.Programme.Session(c.Request.Context(), c.Param("id"))
	if err != nil {
		return err
	}
	figures, err := h.Attendance.Figures(c.Request.Context(), session)
	if err != nil {
		return err
	}
	span := h.Sessions.Span(figures[0])
	step := lookup.NiceStep(span, 500)
	if given := c.Query("step"); given != "" {
		if step, err = parseStep(given, span); err != nil {
			return err
		}
	}
	points, err := h.Attendance.Curve(c.Request.Context(), figures[0], step)
	if err != nil {
		return err
	}
	for i := range points {
		points[i].At = lookup.Local(figures[0], points[i].At)
	}
	return door.Respond(c, http.StatusOK, list(points))
}

// maxPoints bounds what one request for a curve may ask for.
const maxPoints = 100_000

func parseStep(given string, span time.Duration) (time.Duration, error) {
	step, err := time.ParseDuration(given)
	if err != nil {
		seconds, err := strconv.Atoi(given)
		if err != nil || seconds > 24*60*60 {
			return 0, door.BadRequest("step is a duration such as 30s or 5m, or whole seconds.")
		}
		step = time.Duration(seconds) * time.Second
	}
	if step < time.Second || step > 24*time.Hour || span/step > maxPoints {
		return 0, door.BadRequest("step is at least 1 s, at most 24 h, and leaves no more than 100000 points.")
	}
	return step, nil
}

// GetFeedback handles GET /api/v1/sessions/{id}/feedback.
func (h *Handlers) GetFeedback(c *gin.Context) error {
	a, results, err := h.Sessions.Results(c.Request.Context(), c.Param("id"))
	if err != nil {
		return err
	}
	progress, err := a.Progress(c.Request.Context())
	if err != nil {
		return err
	}
	return door.Respond(c, http.StatusOK, feedbackJSON{results, progress})
}

// feedbackJSON is what was answered, and where people stopped.
type feedbackJSON struct {
	figures.Results
	Progress []feedback.ItemProgress `json:"progress"`
}
