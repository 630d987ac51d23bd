package organise

import (
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"jauge/attendance"
	"jauge/feedback"
	"jauge/handlers/door"
	"jauge/handlers/lookup"
	"jauge/handlers/page"
	"jauge/programme"
)

// sessionView is a session as the organiser's pages show it.
type sessionView struct {
	lookup.Status
	Title      string
	Date       string
	From, To   string // planned, in the session's zone
	Zone       string
	Since      string // when it started, or ended; empty: not yet
	PeakAt     string
	Survey     string // the address of its survey; empty: none
	Kiosk      string // the same for a device that people share
	Segments   []segmentView
	Waves      []segmentView  // the links of each wave
	Progress   []progressView // on the session's own page
	SeriesName string
	Curve      *curve
	Trend      *trend
	ReadOnly   string // the read-only link; empty: the reader came by it
	Texts      *sessionTexts
	Rows       bool // the answers can be downloaded row by row
}

// OffsetMinutes is the session's offset from UTC, for the script that writes times.
func (v sessionView) OffsetMinutes() int {
	_, seconds := v.Session.StartsAt.Zone()
	return seconds / 60
}

// NotLive is the message in place of figures that are not known: because of the platform, or not yet.
func (v sessionView) NotLive() string {
	switch {
	case v.Capability == attendance.Declared:
		return "live.not_counted"
	case v.State == attendance.Over && v.Reported == nil:
		return "live.awaited"
	case v.State == attendance.Over:
		return "live.afterwards"
	}
	return "live.not_live"
}

// Least is how many people came at least, where those are fewer than were counted; nil: as many, or nothing is known of them.
func (v sessionView) Least() *int {
	if v.UniqueLow == nil || *v.UniqueLow == *v.Unique || *v.UniqueLow <= 1 {
		return nil
	}
	return v.UniqueLow
}

// Leaving is how many were only seen leaving, if there are any.
func (v sessionView) Leaving() *int {
	if v.SeenLeavingOnly == nil || *v.SeenLeavingOnly == 0 {
		return nil
	}
	return v.SeenLeavingOnly
}

// totalView is one of two counts of the same people.
type totalView struct {
	From attendance.Provenance
	attendance.Total
}

// Totals are the two counts where there are two, else none.
func (v sessionView) Totals() []totalView {
	if v.Measured == nil || v.Reported == nil {
		return nil
	}
	return []totalView{{attendance.FromPlatform, *v.Reported}, {attendance.FromMarks, *v.Measured}}
}

// segmentView is where a segment, or a wave, answers.
type segmentView struct{ Title, Survey, Kiosk string }

// progressView is how many forms came to a question, and how many answered it; nil: hidden.
type progressView struct {
	Question       string
	Seen, Answered *int
}

// trend is how many more (or fewer) are present than some minutes ago.
type trend struct {
	Change  int
	Minutes int
}

// Fall is the change without its sign.
func (t trend) Fall() int { return -t.Change }

// trendMinutes is how far back the trend looks.
const trendMinutes = 2

func (h *Handlers) sessionView(l *page.Lang, st lookup.Status) sessionView {
	session := st.Session
	v := sessionView{
		Status: st, Title: session.Title.In(l.Tag), Date: l.Date(session.StartsAt),
		From: l.Clock(session.StartsAt), To: l.Clock(session.EndsAt.In(session.StartsAt.Location())), Zone: l.Zone(session.StartsAt),
	}
	if st.State == attendance.InSession && !st.StartedAt.IsZero() {
		v.Since = l.Clock(lookup.Local(st.Figures, st.StartedAt))
	}
	if st.State == attendance.Over && !st.EndedAt.IsZero() {
		v.Since = l.Clock(lookup.Local(st.Figures, st.EndedAt))
	}
	if st.PeakAt != nil {
		v.PeakAt = l.Clock(lookup.Local(st.Figures, *st.PeakAt))
	}
	if series, ok := h.Sessions.Series(session.Series); ok {
		v.SeriesName = series.Title.In(l.Tag)
	}
	survey := h.Feedback.Survey(session)
	if survey == nil {
		return v
	}
	v.Survey = h.Public.JoinPath("feedback", session.ID).String()
	v.Kiosk = v.Survey + "?kiosk=1"
	for _, wave := range survey.Waves {
		v.Waves = append(v.Waves, segmentView{wave.Title.In(l.Tag), v.Survey + "?wave=" + wave.ID, v.Kiosk + "&wave=" + wave.ID})
	}
	for _, segment := range session.Segments {
		v.Segments = append(v.Segments, segmentView{segment.Title.In(l.Tag), v.Survey + "?segment=" + segment.ID, v.Kiosk + "&segment=" + segment.ID})
	}
	return v
}

func (h *Handlers) sessionViews(c *gin.Context, sessions []programme.Session) ([]sessionView, error) {
	all, err := h.Sessions.Statuses(c.Request.Context(), sessions...)
	if err != nil {
		return nil, err
	}
	views := make([]sessionView, len(all))
	for i, st := range all {
		views[i] = h.sessionView(h.Pages.Lang(c), st)
	}
	return views, nil
}

// programmeView is every session, and what is aside.
type programmeView struct {
	Sessions  []sessionView
	Aside     []asideView // the largest
	MoreAside int         // rooms that are not named

	Openings     []openingView // of rooms outside the times of their sessions, the first
	MoreOpenings int           // that are not named
	Counted      []openingView // by hand
}

// ProgrammePage handles GET /.
func (h *Handlers) ProgrammePage(c *gin.Context) error {
	v, err := orLast(h, c, "programme", func() (programmeView, error) { return h.programmeView(c) })
	if err != nil {
		return err
	}
	return h.Pages.Render(c, http.StatusOK, "programme", "programme.title", v)
}

// programmeView reads counts alone, no marks and no answers.
func (h *Handlers) programmeView(c *gin.Context) (v programmeView, err error) {
	sessions, err := h.Sessions.Programme.Sessions(c.Request.Context())
	if err != nil {
		return v, err
	}
	figures, err := h.Attendance.Figures(c.Request.Context(), sessions...)
	if err != nil {
		return v, err
	}
	for _, f := range figures {
		v.Sessions = append(v.Sessions, h.sessionView(h.Pages.Lang(c), lookup.Status{Status: attendance.Status{Figures: f}}))
	}
	aside, err := h.Inbox.Groups(c.Request.Context())
	if err != nil {
		return v, err
	}
	v.Aside = asideViews(aside)
	if more := len(v.Aside) - maxAsideViews; more > 0 {
		v.Aside, v.MoreAside = v.Aside[:maxAsideViews], more
	}
	v.Openings, v.Counted, err = h.openingViews(c.Request.Context(), h.Pages.Lang(c), sessions)
	if more := len(v.Openings) - maxOpenings; more > 0 {
		v.Openings, v.MoreOpenings = v.Openings[:maxOpenings], more
	}
	return v, err
}

type seriesView struct {
	Sessions []sessionView
	Widest   int // the greatest number of unique persons, the length of the bars
}

// Bar is n as a length from 0 to 100.
func (v seriesView) Bar(n *int) int { return 100 * *n / v.Widest }

// SeriesPage handles GET /series/{id}: its sessions side by side.
func (h *Handlers) SeriesPage(c *gin.Context) error {
	series, ok := h.Sessions.Series(c.Param("id"))
	if !ok {
		return lookup.ErrSeries
	}
	v, err := orLast(h, c, "series", func() (seriesView, error) { return h.seriesView(c, series.ID) })
	if err != nil {
		return err
	}
	return h.Pages.RenderTitled(c, http.StatusOK, "series", series.Title.In(h.Pages.Lang(c).Tag), v)
}

func (h *Handlers) seriesView(c *gin.Context, series string) (v seriesView, err error) {
	sessions, err := h.Sessions.InSeries(c.Request.Context(), series)
	if err != nil {
		return v, err
	}
	v.Widest = 1
	if v.Sessions, err = h.sessionViews(c, sessions); err != nil {
		return v, err
	}
	for _, session := range v.Sessions {
		if session.Unique != nil {
			v.Widest = max(v.Widest, *session.Unique)
		}
	}
	return v, nil
}

// SessionPage handles GET /sessions/{id}. A read-only link is exchanged for its cookie; the redirect cleans the address.
func (h *Handlers) SessionPage(c *gin.Context) error {
	if h.Keeper.Follow(c) {
		c.Redirect(http.StatusSeeOther, c.Request.URL.Path)
		return nil
	}
	var asked *feedback.Asked
	v, err := orLast(h, c, "session", func() (v sessionView, err error) {
		v, asked, err = h.sessionPageView(c)
		return v, err
	})
	if err != nil {
		return err
	}
	if page.AgeOf(c) == nil && asked != nil { // texts are never cached
		if v.Texts, err = h.sessionTexts(c, asked, v.Answers.Respondents); err != nil {
			return err
		}
	}
	if door.IsOrganiser(c) {
		v.ReadOnly = h.Keeper.ReadOnlyLink(v.Session.ID)
	}
	return h.Pages.RenderTitled(c, http.StatusOK, "session", v.Title, v)
}

// sessionPageView reads the session's page, without the texts, and opens what it asks; nil: it has no survey.
func (h *Handlers) sessionPageView(c *gin.Context) (sessionView, *feedback.Asked, error) {
	v, err := h.liveView(c)
	if err != nil || v.Answers == nil {
		return v, nil, err
	}
	a, err := h.Feedback.Open(c.Request.Context(), v.Session)
	if err != nil {
		return v, nil, err
	}
	v.Rows = v.Answers.Respondents >= 2*a.Promise.MinimumGroup && !a.Promise.Minors
	v.Progress, err = progress(c, h.Pages.Lang(c), a)
	return v, a, err
}

// progress reads where people stop in a session's survey; none before enough forms were begun.
func progress(c *gin.Context, l *page.Lang, a *feedback.Asked) ([]progressView, error) {
	items, err := a.Progress(c.Request.Context())
	if err != nil || !slices.ContainsFunc(items, func(p feedback.ItemProgress) bool { return p.Seen != nil }) {
		return nil, err
	}
	views := make([]progressView, len(items))
	for i, p := range items {
		q, _ := a.Survey.Question(p.Question)
		views[i] = progressView{q.Label.In(l.Tag), p.Seen, p.Answered}
	}
	return views, nil
}

// LiveFragment handles GET /sessions/{id}/live: the part of the page that the script replaces while the session runs.
func (h *Handlers) LiveFragment(c *gin.Context) error {
	v, err := h.liveView(c)
	if err != nil {
		return err
	}
	return h.Pages.RenderPart(c, "session", "live", v.Title, v)
}

func (h *Handlers) liveView(c *gin.Context) (sessionView, error) {
	l := h.Pages.Lang(c)
	st, err := h.Sessions.Live(c.Request.Context(), c.Param("id"))
	if err != nil {
		return sessionView{}, err
	}
	v := h.sessionView(l, st)
	if st.Capability != attendance.Live {
		return v, nil
	}
	points, err := h.Attendance.Curve(c.Request.Context(), st.Figures, lookup.NiceStep(h.Sessions.Span(st.Figures), 300))
	if err != nil {
		return sessionView{}, err
	}
	v.Trend = trendOf(st, points, h.Now())
	v.Curve, err = drawCurve(l, st.Figures, points)
	return v, err
}

// trendOf compares present with the curve some minutes ago; nil when the session is not live, or has not been that long.
func trendOf(st lookup.Status, points []attendance.Point, now time.Time) *trend {
	past := now.Add(-trendMinutes * time.Minute)
	i, exact := slices.BinarySearchFunc(points, past, func(p attendance.Point, t time.Time) int { return p.At.Compare(t) })
	if exact {
		i++
	}
	if st.State != attendance.InSession || st.Present == nil || i == 0 {
		return nil
	}
	return &trend{Change: *st.Present - points[i-1].Present, Minutes: trendMinutes}
}
