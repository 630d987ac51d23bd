package api

import (
	"time"

	"github.com/gin-gonic/gin"

	"jauge/feedback/figures"
)

// table is what an export holds. Besides what feedback.Table says, a cell may be a time.Time.
type table struct {
	figures.Table
	name  string // of the file, after the session's id
	words bool   // it holds people's words, and so letters that Excel reads wrong without a byte order mark
}

// The downloads of a session.

// AttendanceCSV handles GET /api/v1/sessions/{id}/attendance.csv.
func (h *Handlers) AttendanceCSV(c *gin.Context) error {
	return download(c, h.attendanceTable, writeCSV)
}

// AttendanceXLSX handles GET /api/v1/sessions/{id}/attendance.xlsx.
func (h *Handlers) AttendanceXLSX(c *gin.Context) error {
	return download(c, h.attendanceTable, writeXLSX)
}

// FeedbackCSV handles GET /api/v1/sessions/{id}/feedback.csv.
func (h *Handlers) FeedbackCSV(c *gin.Context) error { return download(c, h.feedbackTable, writeCSV) }

// FeedbackXLSX handles GET /api/v1/sessions/{id}/feedback.xlsx.
func (h *Handlers) FeedbackXLSX(c *gin.Context) error { return download(c, h.feedbackTable, writeXLSX) }

// AnswersCSV handles GET /api/v1/sessions/{id}/answers.csv.
func (h *Handlers) AnswersCSV(c *gin.Context) error { return download(c, h.answersTable, writeCSV) }

// AnswersXLSX handles GET /api/v1/sessions/{id}/answers.xlsx.
func (h *Handlers) AnswersXLSX(c *gin.Context) error { return download(c, h.answersTable, writeXLSX) }

// download reads a table and writes it as one.
func download(c *gin.Context, read func(*gin.Context) (table, error), write func(*gin.Context, table) error) error {
	t, err := read(c)
	if err != nil {
		return err
	}
	return write(c, t)
}

// attendanceTable is what GetAttendance answers, one row per person.
func (h *Handlers) attendanceTable(c *gin.Context) (table, error) {
	rows, err := h.rows(c)
	if err != nil {
		return table{}, err
	}
	t := table{name: "attendance"}
	t.Header = []string{
		"attendee", "first_joined_at", "last_left_at", "visits", "watch_seconds", "watch_seconds_low", "attended", "completed", "provenance",
	}
	for _, r := range rows {
		t.Rows = append(t.Rows, []any{
			r.Attendee, known(r.FirstJoinedAt), known(r.LastLeftAt), r.Visits, r.WatchSeconds, r.WatchSecondsLow, r.Attended, r.Completed, r.Provenance,
		})
	}
	return t, nil
}

func known(t *time.Time) any {
	if t == nil {
		return nil
	}
	return *t
}

// feedbackTable is a line per question and value, of everybody and of each segment.
func (h *Handlers) feedbackTable(c *gin.Context) (table, error) {
	_, results, err := h.Sessions.Results(c.Request.Context(), c.Param("id"))
	return table{Table: results.Table(), name: "feedback"}, err
}

// answersTable is a row per answer, without what results hide.
func (h *Handlers) answersTable(c *gin.Context) (table, error) {
	a, err := h.Sessions.Asked(c.Request.Context(), c.Param("id"))
	if err != nil {
		return table{}, err
	}
	rows, err := a.Rows(c.Request.Context())
	return table{Table: rows, name: "answers", words: true}, err
}
