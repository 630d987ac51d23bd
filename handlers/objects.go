package handlers

import (
	"context"
	"time"

	"jauge/attendance"
	"jauge/feedback"
	"jauge/internal/text"
	"jauge/programme"
)

// sessionObject is a session as the API and the stream show it. What is not known is null.
type sessionObject struct {
	ID         string           `json:"id"`
	Series     *string          `json:"series"`
	Title      text.Text        `json:"title"`
	State      attendance.State `json:"state"`
	StartsAt   time.Time        `json:"starts_at"`
	EndsAt     time.Time        `json:"ends_at"`
	StartedAt  *time.Time       `json:"started_at"`
	EndedAt    *time.Time       `json:"ended_at"`
	Attendance attendanceObject `json:"attendance"`
	Feedback   feedbackObject   `json:"feedback"`
}

type attendanceObject struct {
	AsOf            *time.Time            `json:"as_of"` // the moment of every figure in it; null: now
	Capability      attendance.Capability `json:"capability"`
	Present         *int                  `json:"present"`
	Connections     *int                  `json:"connections"`
	Peak            *int                  `json:"peak"`
	PeakAt          *time.Time            `json:"peak_at"`
	Unique          *int                  `json:"unique"`
	Attended        *int                  `json:"attended"`
	Completed       *int                  `json:"completed"`
	Registered      *int                  `json:"registered"`
	Invited         *int                  `json:"invited"`
	Declared        *int                  `json:"declared"`
	WatchSeconds    *float64              `json:"watch_seconds"`
	WatchSecondsLow *float64              `json:"watch_seconds_low"`
	InferredShare   *float64              `json:"inferred_share"`
	NoShowRate      *float64              `json:"no_show_rate"`

	Provenance *attendance.Provenance `json:"provenance"` // of unique and watch_seconds
	Measured   *totalObject           `json:"measured"`   // by joins and leaves; beside it:
	Reported   *totalObject           `json:"reported"`   // by the platform, of the same people
	Replayed   *int                   `json:"replayed"`   // watched the recording; in no other figure
}

type totalObject struct {
	Unique       int     `json:"unique"`
	WatchSeconds float64 `json:"watch_seconds"`
}

func total(t *attendance.Total) *totalObject {
	if t == nil {
		return nil
	}
	return &totalObject{t.Unique, t.Watch.Seconds()}
}

type feedbackObject struct {
	Respondents  *int           `json:"respondents"` // null: the session has no survey
	ResponseRate *feedback.Rate `json:"response_rate"`
}

// status is everything known of one session: who was there, as of one moment, and what was answered.
type status struct {
	attendance.Status
	Answers *feedback.Results // nil: no survey
}

// statuses reads many sessions, each as of one moment.
func (s *server) statuses(ctx context.Context, sessions ...programme.Session) ([]status, error) {
	all, err := s.Attendance.Status(ctx, sessions...)
	if err != nil {
		return nil, err
	}
	return s.withAnswers(ctx, all)
}

// liveStatus reads one session as it is now: see attendance.Live.
func (s *server) liveStatus(ctx context.Context, id string) (status, error) {
	session, err := s.Programme.Session(ctx, id)
	if err != nil {
		return status{}, err
	}
	now, err := s.Attendance.Live(ctx, session)
	if err != nil {
		return status{}, err
	}
	all, err := s.withAnswers(ctx, []attendance.Status{now})
	if err != nil {
		return status{}, err
	}
	return all[0], nil
}

// withAnswers adds what was answered, read in one pipeline.
func (s *server) withAnswers(ctx context.Context, sessions []attendance.Status) ([]status, error) {
	surveys := map[string]*feedback.Survey{}
	for _, st := range sessions {
		if survey := s.survey(st.Session); survey != nil {
			surveys[st.Session.ID] = survey
		}
	}
	results, err := s.Feedback.Scrape(ctx, surveys, s.MinimumGroup)
	if err != nil {
		return nil, err
	}
	all := make([]status, len(sessions))
	for i, st := range sessions {
		all[i] = status{Status: st}
		if r, ok := results[st.Session.ID]; ok {
			r = withRate(r, st.Summary)
			all[i].Answers = &r
		}
	}
	return all, nil
}

// statusOf reads one session by its id.
func (s *server) statusOf(ctx context.Context, id string) (status, error) {
	session, err := s.Programme.Session(ctx, id)
	if err != nil {
		return status{}, err
	}
	all, err := s.statuses(ctx, session)
	if err != nil {
		return status{}, err
	}
	return all[0], nil
}

// withRate relates those who answered to those who attended, if that is known.
func withRate(r feedback.Results, summary *attendance.Summary) feedback.Results {
	if summary == nil {
		return r
	}
	return r.WithAttended(summary.Attended, summary.Completed)
}

// object writes a session down, as of now, or of before.
func (st status) object(now time.Time) sessionObject {
	session := st.Session
	o := sessionObject{
		ID: session.ID, Title: session.Title, State: st.State, StartsAt: session.StartsAt, EndsAt: session.EndsAt,
		StartedAt: moment(st.Figures, st.StartedAt), EndedAt: moment(st.Figures, st.EndedAt),
		Attendance: st.attendance(),
	}
	if now.Sub(st.AsOf) >= resolution {
		o.Attendance.AsOf = moment(st.Figures, st.AsOf)
	}
	if session.Series != "" {
		o.Series = &session.Series
	}
	if st.Answers != nil {
		o.Feedback = feedbackObject{Respondents: &st.Answers.Respondents, ResponseRate: st.Answers.ResponseRate}
	}
	return o
}

func (st status) attendance() attendanceObject {
	o := attendanceObject{
		Capability: st.Capability, Present: st.Present, Connections: st.Connections, Peak: st.Peak, Unique: st.Unique,
		Registered: st.Registered, Declared: st.Declared, NoShowRate: st.NoShowRate,
		Measured: total(st.Measured), Reported: total(st.Reported), Replayed: st.Replayed,
	}
	if st.Unique != nil {
		o.Provenance = &st.Provenance
	}
	if st.PeakAt != nil {
		o.PeakAt = moment(st.Figures, *st.PeakAt)
	}
	if st.Session.Invited > 0 {
		o.Invited = &st.Session.Invited
	}
	if st.Summary != nil {
		watch, low, share := st.Summary.Watch.Seconds(), st.Summary.WatchLow.Seconds(), st.Summary.InferredShare()
		o.Attended, o.Completed = &st.Summary.Attended, &st.Summary.Completed
		o.WatchSeconds, o.WatchSecondsLow, o.InferredShare = &watch, &low, &share
	}
	return o
}

// resolution is that of the curve and of as_of: figures of less than a second ago are of now.
const resolution = time.Second

// moment is t in the session's zone, or nil for the zero time.
func moment(f attendance.Figures, t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = local(f, t)
	return &t
}
