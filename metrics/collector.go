package metrics

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"jauge/attendance"
	"jauge/feedback/figures"
	"jauge/internal/journal"
	"jauge/programme"
)

// Sources is where a scrape reads what this process does not count itself. Every field must be set, but Webhooks may be
// empty.
type Sources struct {
	Attendance  Attendance
	Feedback    Feedback
	AsideEvents func(context.Context) (map[string]int, error) // events and answers aside, by source
	Journal     func() journal.Stats                          // what waits on this replica's disk
	Trouble     func(context.Context) string                  // why the store takes no writes now, one of a few fixed words; empty: it takes them
	Pools       func() map[string]Pool                        // connection pools to Redis, by name
	Webhooks    []string                                      // names of the configured sources
	Refusals    map[string][]string                           // by source, every reason that a webhook request is refused for
	Outcomes    []string                                      // everything that may become of a submitted survey
	Store       string                                        // "redis" or "embedded"
	Version     string                                        // of the program
	Now         func() time.Time
	Log         *slog.Logger
}

// Attendance is what a scrape needs of the attendance domain.
type Attendance interface {
	// Scrape returns the figures of the sessions that are to be seen now, read in one round trip: from an hour before
	// their planned start, or their first event, until a day after their end or last event, whichever is later.
	Scrape(ctx context.Context) ([]attendance.Status, error)
}

// Feedback is what a scrape needs of the feedback domain.
type Feedback interface {
	// Scrape returns what may be shown of the answers of those sessions that have a survey; nil figures are hidden.
	Scrape(ctx context.Context, sessions []programme.Session) ([]figures.Results, error)
}

// scrapeTimeout bounds the reads of one scrape, below the 5 s that the Prometheus of docker-compose.yml waits: a store that
// hangs must show as jauge_redis_up 0, not as a service that is down.
const scrapeTimeout = 3 * time.Second

// collector reads the sessions for one scrape, within ctx.
type collector struct {
	ctx context.Context
	Sources
}

func desc(name, unit, help string, labels ...string) *prometheus.Desc {
	return prometheus.V2.NewDesc(name, help, prometheus.UnconstrainedLabels(labels), nil, prometheus.WithUnit(unit))
}

// The descriptions never change after start; the figures are defined in docs, "what every number means".
var (
	sessionInfo = desc("jauge_session_info", "",
		"A session that is to be seen now: its series, its title and what its platform can tell; always 1.",
		"session", "series", "title", "capability")
	sessionLive = desc("jauge_session_live", "",
		"Whether the session is going on: 1 from its start to its end, else 0.", "session")
	sessionAttendees = desc("jauge_session_attendees", "",
		"Persons present now: with an open visit in an occurrence that has not ended; staff are not counted.", "session")
	sessionConnections = desc("jauge_session_connections", "",
		"Open connections now: a person on two devices has two.", "session")
	sessionPeak = desc("jauge_session_attendees_peak", "",
		"The highest number of persons present so far, by event time.", "session")
	sessionUnique = desc("jauge_session_attendees_unique", "",
		"Persons with at least one visit so far, of whatever length.", "session")
	sessionLeaving = desc("jauge_session_seen_leaving_only", "",
		"Persons of whom nothing but a leave was seen, because their joins were lost; in no other figure.", "session")
	sessionReported = desc("jauge_session_attendees_reported", "",
		"Persons in the platform's own totals, which come after the end; absent before, and where the platform reports none.", "session")
	sessionReplay = desc("jauge_session_replay_viewers", "",
		"Persons who watched the recording, where the platform tells; in no other figure.", "session")
	sessionRegistered = desc("jauge_session_registered", "",
		"Persons who registered on the platform.", "session")
	sessionInvited = desc("jauge_session_invited", "",
		"Persons who were expected, as the session's definition says.", "session")
	sessionAttended = desc("jauge_session_attended", "",
		"Persons whose stay is 5 minutes or more. Needs everybody's marks, so it is here only while a page or the API asks for it, "+
			"and from then on once the session is over.", "session")
	sessionInferred = desc("jauge_session_inferred_ratio", "",
		"Share of watch time that is inferred, because leaves are missing; here when jauge_session_attended is.", "session")
	sessionDeclared = desc("jauge_session_declared", "",
		"Heads declared by the host, such as a class behind one screen; in no other figure.", "session")
	sessionWatch = desc("jauge_session_watch_seconds", "seconds",
		"Sum of all stays so far; overlapping visits of a person count once, open visits until now.", "session")
	sessionLastEvent = desc("jauge_session_last_event_timestamp_seconds", "seconds",
		"When the latest event of the session happened, by the platform's clock, in Unix time.", "session")
	respondents = desc("jauge_feedback_respondents", "",
		"Persons with a submitted answer.", "session")
	choices = desc("jauge_feedback_choices", "",
		"Persons who gave this answer to this question, as far as answers are shown; absent for a group too small to be shown.",
		"session", "question", "choice")
	score = desc("jauge_feedback_score", "",
		"Mean answer to a scale or number question; absent for a group too small to be shown.", "session", "question")
	nps = desc("jauge_feedback_nps", "",
		"Net promoter score, from -100 to 100: percentage of 9 and 10 less percentage of 0 to 6; "+
			"absent for a group too small to be shown.", "session", "question")
	aside = desc("jauge_aside_events", "",
		"Authentic events and answers kept aside: no session claims their room, or they cannot be used, or not whole.", "source")
	redisUp = desc("jauge_redis_up", "",
		"Whether the store takes writes now: 0 also while it is full, read-only, loading or refuses us.")
	redisTrouble = desc("jauge_redis_trouble", "",
		"Why jauge_redis_up is 0: the first word of the store's answer, or what is wrong on the way to it; 1, absent while it is up.", "why")
	collectSuccess = desc("jauge_collect_success", "",
		"Whether everything could be read from the store in time for this scrape.")
	collectDuration = desc("jauge_collect_duration_seconds", "seconds",
		"Time that reading the store took for this scrape.")
)

// Describe implements prometheus.Collector.
func (collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		sessionInfo, sessionLive, sessionAttendees, sessionConnections, sessionPeak, sessionUnique, sessionLeaving, sessionReported,
		sessionReplay, sessionRegistered, sessionInvited, sessionAttended, sessionInferred, sessionDeclared, sessionWatch, sessionLastEvent, respondents, choices, score, nps, aside, redisUp, redisTrouble, collectSuccess, collectDuration,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector: one read of each domain. What could be read is shown even when the rest
// could not.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	start := c.Now()
	ctx, cancel := context.WithTimeout(c.ctx, scrapeTimeout)
	defer cancel()
	err := c.read(ctx, ch)
	success := 1.0
	if err != nil {
		success = 0
		c.Log.WarnContext(ctx, "metrics: the store could not be read for a scrape", "error", err)
	}
	gauge(ch, collectSuccess, success)
	c.health(ch)
	gauge(ch, collectDuration, c.Now().Sub(start).Seconds())
}

// health probes the store apart from the reads: slow reads are another trouble than a store that takes no writes.
func (c collector) health(ch chan<- prometheus.Metric) {
	why := c.Trouble(c.ctx)
	if why == "" {
		gauge(ch, redisUp, 1)
		return
	}
	gauge(ch, redisUp, 0)
	gauge(ch, redisTrouble, 1, why)
}

func (c collector) read(ctx context.Context, ch chan<- prometheus.Metric) error {
	statuses, err := c.Attendance.Scrape(ctx)
	if err != nil {
		return err
	}
	sessions := make([]programme.Session, len(statuses))
	for i, st := range statuses {
		sessions[i] = st.Session
		emitFigures(ch, st.Figures)
		emitSummary(ch, st)
	}
	answers, feedbackErr := c.Feedback.Scrape(ctx, sessions)
	for _, r := range answers {
		emitResults(ch, r)
	}
	events, asideErr := c.AsideEvents(ctx)
	if asideErr == nil {
		counts := map[string]int{}
		for _, source := range c.Webhooks { // a source of which nothing is aside is at 0
			counts[source] = 0
		}
		maps.Copy(counts, events)
		for source, n := range counts {
			gauge(ch, aside, float64(n), source)
		}
	}
	return errors.Join(feedbackErr, asideErr)
}

func emitFigures(ch chan<- prometheus.Metric, f attendance.Figures) {
	s := f.Session
	gauge(ch, sessionInfo, 1, s.ID, s.Series, s.Title.In("fr"), string(f.Capability))
	live := 0.0
	if f.State == attendance.InSession {
		live = 1
	}
	gauge(ch, sessionLive, live, s.ID)
	for d, n := range map[*prometheus.Desc]*int{
		sessionAttendees: f.Present, sessionConnections: f.Connections, sessionPeak: f.Peak, sessionUnique: f.Unique,
		sessionLeaving: f.SeenLeavingOnly, sessionRegistered: f.Registered, sessionDeclared: f.Declared, sessionReplay: f.Replayed,
	} {
		if n != nil {
			gauge(ch, d, float64(*n), s.ID)
		}
	}
	if f.Reported != nil {
		gauge(ch, sessionReported, float64(f.Reported.Unique), s.ID)
	}
	if staysKnown(f) {
		gauge(ch, sessionWatch, f.Watch.Seconds(), s.ID)
	}
	if !f.LastEventAt.IsZero() {
		gauge(ch, sessionLastEvent, float64(f.LastEventAt.UnixMilli())/1000, s.ID)
	}
}

// emitSummary leaves out what is not known just now.
func emitSummary(ch chan<- prometheus.Metric, st attendance.Status) {
	if st.Session.Invited > 0 {
		gauge(ch, sessionInvited, float64(st.Session.Invited), st.Session.ID)
	}
	if st.Summary != nil {
		gauge(ch, sessionAttended, float64(st.Summary.Attended), st.Session.ID)
		gauge(ch, sessionInferred, st.Summary.InferredShare(), st.Session.ID)
	}
}

// staysKnown says whether the platform reports how long people stayed: as it happens, or in total after the end.
func staysKnown(f attendance.Figures) bool {
	return f.Capability == attendance.Live || f.Reported != nil
}

func emitResults(ch chan<- prometheus.Metric, r figures.Results) {
	gauge(ch, respondents, float64(r.Respondents), r.Session)
	for _, q := range r.Questions {
		for _, c := range q.Choices {
			if c.Count != nil {
				gauge(ch, choices, float64(*c.Count), r.Session, q.ID, c.Value)
			}
		}
		if q.Mean != nil {
			gauge(ch, score, *q.Mean, r.Session, q.ID)
		}
		if q.NPS != nil {
			gauge(ch, nps, q.NPS.Value, r.Session, q.ID)
		}
	}
}

// gauge emits one sample, or the reason why it cannot be one (a label that is not UTF-8), which spares the others.
func gauge(ch chan<- prometheus.Metric, d *prometheus.Desc, value float64, labels ...string) {
	m, err := prometheus.NewConstMetric(d, prometheus.GaugeValue, value, labels...)
	if err != nil {
		m = prometheus.NewInvalidMetric(d, err)
	}
	ch <- m
}
