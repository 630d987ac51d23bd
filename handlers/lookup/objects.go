package lookup

import (
	"time"

	"jauge/attendance"
	"jauge/feedback/figures"
	"jauge/internal/text"
)

// Object is a session as the API and the stream show it. What is not known is null.
type Object struct {
	ID         string           `json:"id"`
	Series     *string          `json:"series"`
	Title      text.Text        `json:"title"`
	State      attendance.State `json:"state"`
	StartsAt   time.Time        `json:"starts_at"`
	EndsAt     time.Time        `json:"ends_at"`
	StartedAt  *time.Time       `json:"started_at"`
	EndedAt    *time.Time       `json:"ended_at"`
	Attendance AttendanceObject `json:"attendance"`
	Feedback   FeedbackObject   `json:"feedback"`
	Note       string           `json:"note,omitempty"` // what a change does not do; for people
}

// AttendanceObject is who was there.
type AttendanceObject struct {
	AsOf            *time.Time            `json:"as_of"` // the moment of every figure in it; null: now
	Capability      attendance.Capability `json:"capability"`
	Present         *int                  `json:"present"`
	Connections     *int                  `json:"connections"`
	Peak            *int                  `json:"peak"`
	PeakAt          *time.Time            `json:"peak_at"`
	Unique          *int                  `json:"unique"`
	UniqueLow       *int                  `json:"unique_low"` // where guests have no id, unique is a count of connections
	SeenLeavingOnly *int                  `json:"seen_leaving_only"`
	Attended        *int                  `json:"attended"`
	Completed       *int                  `json:"completed"`
	StayMean        *float64              `json:"stay_mean_seconds"` // of those who attended
	StayMedian      *float64              `json:"stay_median_seconds"`
	AttendanceRate  *float64              `json:"attendance_rate"`
	Registered      *int                  `json:"registered"`
	Invited         *int                  `json:"invited"`
	Declared        *int                  `json:"declared"`
	WatchSeconds    *float64              `json:"watch_seconds"`
	WatchSecondsLow *float64              `json:"watch_seconds_low"`
	InferredShare   *float64              `json:"inferred_share"`
	NoShowRate      *float64              `json:"no_show_rate"`

	Provenance *attendance.Provenance `json:"provenance"` // of unique and watch_seconds
	Measured   *TotalObject           `json:"measured"`   // by joins and leaves; beside it:
	Reported   *TotalObject           `json:"reported"`   // by the platform, of the same people
	Replayed   *int                   `json:"replayed"`   // watched the recording; in no other figure
}

// TotalObject is one of two counts of the same people.
type TotalObject struct {
	Unique       int     `json:"unique"`
	WatchSeconds float64 `json:"watch_seconds"`
}

func total(t *attendance.Total) *TotalObject {
	if t == nil {
		return nil
	}
	return &TotalObject{t.Unique, t.Watch.Seconds()}
}

// FeedbackObject is what was answered.
type FeedbackObject struct {
	Respondents  *int          `json:"respondents"` // null: the session has no survey
	ResponseRate *figures.Rate `json:"response_rate"`
}

// Object gives the session as the API and the stream write it.
func (st Status) Object(now time.Time) Object {
	session := st.Session
	o := Object{
		ID: session.ID, Title: session.Title, State: st.State, StartsAt: session.StartsAt, EndsAt: session.EndsAt,
		StartedAt: Moment(st.Figures, st.StartedAt), EndedAt: Moment(st.Figures, st.EndedAt),
		Attendance: st.attendance(),
	}
	if now.Sub(st.AsOf) >= resolution {
		o.Attendance.AsOf = Moment(st.Figures, st.AsOf)
	}
	if session.Series != "" {
		o.Series = &session.Series
	}
	if st.Answers != nil {
		o.Feedback = FeedbackObject{Respondents: &st.Answers.Respondents, ResponseRate: st.Answers.ResponseRate}
	}
	return o
}

func (st Status) attendance() AttendanceObject {
	o := AttendanceObject{
		Capability: st.Capability, Present: st.Present, Connections: st.Connections, Peak: st.Peak,
		Unique: st.Unique, UniqueLow: st.UniqueLow, SeenLeavingOnly: st.SeenLeavingOnly,
		Registered: st.Registered, Declared: st.Declared, NoShowRate: st.NoShowRate, AttendanceRate: st.AttendanceRate,
		Measured: total(st.Measured), Reported: total(st.Reported), Replayed: st.Replayed,
	}
	if st.Unique != nil {
		o.Provenance = &st.Provenance
	}
	if st.PeakAt != nil {
		o.PeakAt = Moment(st.Figures, *st.PeakAt)
	}
	if st.Session.Invited > 0 {
		o.Invited = &st.Session.Invited
	}
	if sum := st.Summary; sum != nil {
		o.Attended, o.Completed = &sum.Attended, &sum.Completed
		o.WatchSeconds, o.WatchSecondsLow, o.InferredShare = new(sum.Watch.Seconds()), new(sum.WatchLow.Seconds()), new(sum.InferredShare())
		if sum.Attended > 0 {
			o.StayMean, o.StayMedian = new(sum.StayMean.Seconds()), new(sum.StayMedian.Seconds())
		}
	}
	return o
}

// resolution is that of the curve and of as_of: figures younger than a second count as of now.
const resolution = time.Second

// Moment is t in the session's zone, or nil for the zero time.
func Moment(f attendance.Figures, t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = Local(f, t)
	return &t
}

// Local puts t into the zone that the session was planned in.
func Local(f attendance.Figures, t time.Time) time.Time { return t.In(f.Session.StartsAt.Location()) }
