package handlers

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/attendance"
	"jauge/feedback"
	"jauge/internal/problem"
	"jauge/internal/text"
	"jauge/programme"
)

// listSessions handles GET /api/v1/sessions, by planned start.
func (s *server) listSessions(c *gin.Context) error {
	sessions, err := s.Programme.Sessions(c.Request.Context())
	if err != nil {
		return err
	}
	objects, err := s.objects(c.Request.Context(), sessions)
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, objects)
}

func (s *server) objects(ctx context.Context, sessions []programme.Session) ([]sessionObject, error) {
	all, err := s.statuses(ctx, sessions...)
	if err != nil {
		return nil, err
	}
	objects := make([]sessionObject, len(all))
	for i, st := range all {
		objects[i] = st.object(s.Now())
	}
	return objects, nil
}

// getSession handles GET /api/v1/sessions/{id}.
func (s *server) getSession(c *gin.Context) error {
	return s.respondSession(c, http.StatusOK, c.Param("id"))
}

func (s *server) respondSession(c *gin.Context, code int, id string) error {
	st, err := s.statusOf(c.Request.Context(), id)
	if err != nil {
		return err
	}
	return respond(c, code, st.object(s.Now()))
}

// createSession handles POST /api/v1/sessions.
func (s *server) createSession(c *gin.Context) error {
	var session programme.Session
	if err := decodeJSON(c, &session); err != nil {
		return err
	}
	if err := s.define(c.Request.Context(), session, s.Programme.Create); err != nil {
		return err
	}
	c.Header("Location", s.link("api/v1/sessions", session.ID))
	err := s.respondSession(c, http.StatusCreated, session.ID)
	if s.Away(err) { // it is accepted all the same, and nothing was counted yet
		return respond(c, http.StatusCreated, status{Status: attendance.Status{Figures: s.Attendance.Unseen(session)}}.object(s.Now()))
	}
	return err
}

// putSession handles PUT /api/v1/sessions/{id}; the body's id may be left out and must not differ.
func (s *server) putSession(c *gin.Context) error {
	session := programme.Session{ID: c.Param("id")}
	if err := decodeJSON(c, &session); err != nil {
		return err
	}
	if session.ID != c.Param("id") {
		return problem.Problems{{Path: "id", Message: "differs from the id in the address"}}
	}
	if err := s.define(c.Request.Context(), session, s.Programme.Put); err != nil {
		return err
	}
	return s.respondSession(c, http.StatusOK, session.ID)
}

// define checks what a definition refers to, which the store cannot know, and lets the catalogue check the rest. What was
// put aside may fit now.
func (s *server) define(ctx context.Context, session programme.Session, write func(context.Context, programme.Session) error) error {
	problems := s.references(session)
	if len(problems) > 0 {
		return append(session.Validate(), problems...)
	}
	if err := write(ctx, session); err != nil {
		return err
	}
	s.reclaim(ctx)
	return nil
}

// reclaimWithin is how long whoever defines a session waits for the events that were put aside to be counted.
const reclaimWithin = 10 * time.Second

// reclaim counts what was put aside for a session that is defined now. What cannot be is when all of it is tried again.
func (s *server) reclaim(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, reclaimWithin)
	defer cancel()
	if _, err := s.Attendance.Reclaim(limited); s.Away(err) {
		return
	}
	if _, err := s.Feedback.Reclaim(ctx, s.rooms); err != nil {
		s.Log.WarnContext(ctx, "answers put aside", "error", err)
	}
}

// references lists the names in a definition that nothing configured answers to.
func (s *server) references(session programme.Session) problem.Problems {
	var problems problem.Problems
	unknown := func(path string) { problems = append(problems, problem.Problem{Path: path, Message: "not configured"}) }
	if _, ok := s.series(session.Series); session.Series != "" && !ok {
		unknown("series")
	}
	if session.Survey != "" && s.Surveys[session.Survey] == nil {
		unknown("survey")
	}
	for i, room := range session.Rooms {
		if _, ok := s.Sources[room.Source]; !ok {
			unknown(fmt.Sprintf("rooms[%d].source", i))
		}
	}
	return append(problems, feedback.CheckQuestions(s.survey(session), session.Questions)...)
}

// endSession handles POST /api/v1/sessions/{id}/end.
func (s *server) endSession(c *gin.Context) error {
	if err := s.Attendance.End(c.Request.Context(), c.Param("id")); err != nil {
		return err
	}
	return s.respondSession(c, http.StatusOK, c.Param("id"))
}

// maxHeads is far above any hall, and far below what would break a figure.
const maxHeads = 10_000_000

// declareHeads handles POST /api/v1/sessions/{id}/declare.
func (s *server) declareHeads(c *gin.Context) error {
	var body struct {
		Heads *int `json:"heads"`
	}
	if err := decodeJSON(c, &body); err != nil {
		return err
	}
	if body.Heads == nil || *body.Heads < 0 || *body.Heads > maxHeads {
		return problem.Problems{{Path: "heads", Message: "a whole number from 0 to 10000000 belongs here"}}
	}
	if err := s.Attendance.Declare(c.Request.Context(), c.Param("id"), *body.Heads); err != nil {
		return err
	}
	return s.respondSession(c, http.StatusOK, c.Param("id"))
}

// rowObject is one person's attendance under a pseudonym.
type rowObject struct {
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

func (s *server) rows(c *gin.Context) ([]rowObject, error) {
	session, err := s.Programme.Session(c.Request.Context(), c.Param("id"))
	if err != nil {
		return nil, err
	}
	rows, err := s.Attendance.Rows(c.Request.Context(), session.ID)
	if err != nil {
		return nil, err
	}
	f := attendance.Figures{Session: session}
	objects := make([]rowObject, len(rows))
	for i, r := range rows {
		objects[i] = rowObject{
			Attendee: r.Attendee, FirstJoinedAt: moment(f, r.FirstJoinedAt), LastLeftAt: moment(f, r.LastLeftAt), Visits: r.Visits,
			WatchSeconds: r.Watch.Seconds(), WatchSecondsLow: r.WatchLow.Seconds(),
			Attended: r.Attended, Completed: r.Completed, Provenance: string(r.Provenance),
		}
	}
	return objects, nil
}

// getAttendance handles GET /api/v1/sessions/{id}/attendance.
func (s *server) getAttendance(c *gin.Context) error {
	rows, err := s.rows(c)
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, rows)
}

// getCurve handles GET /api/v1/sessions/{id}/curve?step=: a Go duration or whole seconds, at least 1 s.
func (s *server) getCurve(c *gin.Context) error {
	session, err := s.Programme.Session(c.Request.Context(), c.Param("id"))
	if err != nil {
		return err
	}
	figures, err := s.Attendance.Figures(c.Request.Context(), session)
	if err != nil {
		return err
	}
	span := s.span(figures[0])
	step := niceStep(span, 500)
	if given := c.Query("step"); given != "" {
		if step, err = parseStep(given, span); err != nil {
			return err
		}
	}
	points, err := s.Attendance.Curve(c.Request.Context(), figures[0], step)
	if err != nil {
		return err
	}
	for i := range points {
		points[i].At = local(figures[0], points[i].At)
	}
	return respond(c, http.StatusOK, list(points))
}

// list is v as JSON writes lists: an empty one is [] and not null.
func list[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}

// span is how long the session has lasted.
func (s *server) span(f attendance.Figures) time.Duration {
	if f.StartedAt.IsZero() {
		return 0
	}
	end := f.EndedAt
	if end.IsZero() {
		end = s.Now()
	}
	return max(0, end.Sub(f.StartedAt))
}

// niceStep is the smallest round step that needs no more than this number of points.
func niceStep(span time.Duration, points int) time.Duration {
	for _, seconds := range []int{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400} {
		if step := time.Duration(seconds) * time.Second; int(span/step)+2 <= points {
			return step
		}
	}
	return 7 * 24 * time.Hour
}

// maxPoints bounds what one request for a curve may ask for.
const maxPoints = 100_000

func parseStep(given string, span time.Duration) (time.Duration, error) {
	step, err := time.ParseDuration(given)
	if err != nil {
		seconds, err := strconv.Atoi(given)
		if err != nil || seconds > 24*60*60 {
			return 0, badRequest("step is a duration such as 30s or 5m, or whole seconds.")
		}
		step = time.Duration(seconds) * time.Second
	}
	if step < time.Second || step > 24*time.Hour || span/step > maxPoints {
		return 0, badRequest("step is at least 1 s, at most 24 h, and leaves no more than 100000 points.")
	}
	return step, nil
}

// results reads the answers of the session in the path, with its segments.
func (s *server) results(c *gin.Context) (status, feedback.Results, error) {
	ctx := c.Request.Context()
	st, err := s.statusOf(ctx, c.Param("id"))
	if err != nil {
		return st, feedback.Results{}, err
	}
	survey := s.survey(st.Session)
	if survey == nil {
		return st, feedback.Results{}, notFound("This session has no survey.")
	}
	results, err := s.Feedback.Results(ctx, st.Session.ID, survey, segmentIDs(st.Session), s.MinimumGroup)
	return st, withRate(results, st.Summary), err
}

// getFeedback handles GET /api/v1/sessions/{id}/feedback.
func (s *server) getFeedback(c *gin.Context) error {
	st, results, err := s.results(c)
	if err != nil {
		return err
	}
	progress, err := s.Feedback.Progress(c.Request.Context(), st.Session.ID, s.survey(st.Session), s.MinimumGroup)
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, feedbackJSON{results, progress})
}

// feedbackJSON is what was answered, and where people stopped.
type feedbackJSON struct {
	feedback.Results
	Progress []feedback.ItemProgress `json:"progress"`
}

// seriesObject is a series with its sessions, by planned start.
type seriesObject struct {
	ID       string          `json:"id"`
	Title    text.Text       `json:"title"`
	Sessions []sessionObject `json:"sessions"`
}

func (s *server) series(id string) (programme.Series, bool) {
	i := slices.IndexFunc(s.Series, func(series programme.Series) bool { return series.ID == id })
	if i < 0 {
		return programme.Series{}, false
	}
	return s.Series[i], true
}

var errSeries = notFound("There is no series with this id.")

// sessionsOf lists the sessions of a series.
func (s *server) sessionsOf(ctx context.Context, series string) ([]programme.Session, error) {
	sessions, err := s.Programme.Sessions(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(sessions, func(session programme.Session) bool { return session.Series != series }), nil
}

// getSeries handles GET /api/v1/series/{id}.
func (s *server) getSeries(c *gin.Context) error {
	series, ok := s.series(c.Param("id"))
	if !ok {
		return errSeries
	}
	sessions, err := s.sessionsOf(c.Request.Context(), series.ID)
	if err != nil {
		return err
	}
	objects, err := s.objects(c.Request.Context(), sessions)
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, seriesObject{series.ID, series.Title, objects})
}
