package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/attendance"
	"jauge/feedback/survey"
	"jauge/handlers/door"
	"jauge/handlers/lookup"
	"jauge/internal/problem"
	"jauge/internal/text"
	"jauge/programme"
)

// ListSessions handles GET /api/v1/sessions, by planned start.
func (h *Handlers) ListSessions(c *gin.Context) error {
	sessions, err := h.Sessions.Programme.Sessions(c.Request.Context())
	if err != nil {
		return err
	}
	objects, err := h.objects(c.Request.Context(), sessions)
	if err != nil {
		return err
	}
	return door.Respond(c, http.StatusOK, objects)
}

func (h *Handlers) objects(ctx context.Context, sessions []programme.Session) ([]lookup.Object, error) {
	all, err := h.Sessions.Statuses(ctx, sessions...)
	if err != nil {
		return nil, err
	}
	objects := make([]lookup.Object, len(all))
	for i, st := range all {
		objects[i] = st.Object(h.Now())
	}
	return objects, nil
}

// GetSession handles GET /api/v1/sessions/{id}.
func (h *Handlers) GetSession(c *gin.Context) error {
	return h.respondSession(c, http.StatusOK, c.Param("id"))
}

func (h *Handlers) respondSession(c *gin.Context, code int, id string) error {
	st, err := h.Sessions.Status(c.Request.Context(), id)
	if err != nil {
		return err
	}
	return door.Respond(c, code, st.Object(h.Now()))
}

// CreateSession handles POST /api/v1/sessions.
func (h *Handlers) CreateSession(c *gin.Context) error {
	var session programme.Session
	if err := door.DecodeJSON(c, &session); err != nil {
		return err
	}
	if err := h.define(c.Request.Context(), session, h.Programme.Create); err != nil {
		return err
	}
	c.Header("Location", h.Public.JoinPath("api/v1/sessions", session.ID).String())
	err := h.respondSession(c, http.StatusCreated, session.ID)
	if h.Away(err) { // the journal has the session, and no event was counted yet
		return door.Respond(c, http.StatusCreated, lookup.Status{Status: attendance.Status{Figures: h.Attendance.Unseen(session)}}.Object(h.Now()))
	}
	return err
}

// PutSession handles PUT /api/v1/sessions/{id}; the body's id may be left out and must not differ.
func (h *Handlers) PutSession(c *gin.Context) error {
	session := programme.Session{ID: c.Param("id")}
	if err := door.DecodeJSON(c, &session); err != nil {
		return err
	}
	if session.ID != c.Param("id") {
		return problem.Problems{{Path: "id", Message: "differs from the id in the address"}}
	}
	before, known := h.Programme.Session(c.Request.Context(), session.ID)
	if err := h.define(c.Request.Context(), session, h.Programme.Put); err != nil {
		return err
	}
	st, err := h.Sessions.Status(c.Request.Context(), session.ID)
	if err != nil {
		return err
	}
	o := st.Object(h.Now())
	if known == nil && !st.StartedAt.IsZero() && !before.SamePlace(session) {
		o.Note = "What was counted in this session stays, whatever its rooms, times and window are now; they hold for what is to come."
	}
	return door.Respond(c, http.StatusOK, o)
}

// define checks that what a definition refers to is configured, lets the catalogue check the rest, and reclaims what is aside of its
// rooms.
func (h *Handlers) define(ctx context.Context, session programme.Session, write func(context.Context, programme.Session) error) error {
	problems := h.references(session)
	if len(problems) > 0 {
		return append(session.Validate(), problems...)
	}
	if err := write(ctx, session); err != nil {
		return err
	}
	h.reclaim(ctx)
	return nil
}

// reclaimWithin is how long a request that defines a session waits for the events aside to be counted.
const reclaimWithin = 10 * time.Second

// reclaim counts what was aside for a session that is defined now. What fails is tried again by the periodic reclaim.
func (h *Handlers) reclaim(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, reclaimWithin)
	defer cancel()
	if _, err := h.Inbox.ReclaimEvents(limited); h.Away(err) {
		return
	}
	if _, err := h.Inbox.ReclaimAnswers(ctx); err != nil {
		h.Log.WarnContext(ctx, "answers put aside", "error", err)
	}
}

// references lists the names in a definition that the configuration does not have.
func (h *Handlers) references(session programme.Session) problem.Problems {
	var problems problem.Problems
	unknown := func(path string) { problems = append(problems, problem.Problem{Path: path, Message: "not configured"}) }
	if _, ok := h.Sessions.Series(session.Series); session.Series != "" && !ok {
		unknown("series")
	}
	if session.Survey != "" && !h.Feedback.Asks(session) {
		unknown("survey")
	}
	for i, room := range session.Rooms {
		if !h.HasSource(room.Source) {
			unknown(fmt.Sprintf("rooms[%d].source", i))
		}
	}
	return append(problems, survey.CheckQuestions(h.Feedback.Survey(session), session.Questions)...)
}

// EndSession handles POST /api/v1/sessions/{id}/end.
func (h *Handlers) EndSession(c *gin.Context) error {
	if err := h.Attendance.End(c.Request.Context(), c.Param("id")); err != nil {
		return err
	}
	return h.respondSession(c, http.StatusOK, c.Param("id"))
}

// maxHeads is far above any hall, and far below an overflow.
const maxHeads = 10_000_000

// DeclareHeads handles POST /api/v1/sessions/{id}/declare.
func (h *Handlers) DeclareHeads(c *gin.Context) error {
	var body struct {
		Heads *int `json:"heads"`
	}
	if err := door.DecodeJSON(c, &body); err != nil {
		return err
	}
	if body.Heads == nil || *body.Heads < 0 || *body.Heads > maxHeads {
		return problem.Problems{{Path: "heads", Message: "a whole number from 0 to 10000000 belongs here"}}
	}
	if err := h.Attendance.Declare(c.Request.Context(), c.Param("id"), *body.Heads); err != nil {
		return err
	}
	return h.respondSession(c, http.StatusOK, c.Param("id"))
}

// seriesObject is a series with its sessions, by planned start.
type seriesObject struct {
	ID       string          `json:"id"`
	Title    text.Text       `json:"title"`
	Sessions []lookup.Object `json:"sessions"`
}

// GetSeries handles GET /api/v1/series/{id}.
func (h *Handlers) GetSeries(c *gin.Context) error {
	series, ok := h.Sessions.Series(c.Param("id"))
	if !ok {
		return lookup.ErrSeries
	}
	sessions, err := h.Sessions.InSeries(c.Request.Context(), series.ID)
	if err != nil {
		return err
	}
	objects, err := h.objects(c.Request.Context(), sessions)
	if err != nil {
		return err
	}
	return door.Respond(c, http.StatusOK, seriesObject{series.ID, series.Title, objects})
}
