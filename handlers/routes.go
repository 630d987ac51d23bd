package handlers

import (
	"jauge/handlers/attend"
	"jauge/handlers/door"
)

// The words of the table.
const (
	attendees  = door.Attendees
	organisers = door.Organisers
	programs   = door.Programs

	public    = door.Public
	signed    = door.Signed
	viewer    = door.Viewer
	organiser = door.Organiser
)

// beaconPath is the one address that other sites' pages send to.
const beaconPath = "/beacon/:session"

// route is one row of the table.
type route struct {
	method, path string
	reader       door.Reader
	who          door.Access
	handle       door.Handle
}

// routes is every route with its reader and its access rule; openapi.yaml documents the same list, and a test compares
// the two.
func (s *server) routes() []route {
	routes := []route{
		{"GET", "/feedback/:session", attendees, public, s.surveys.Page},
		{"POST", "/feedback/:session", attendees, public, s.surveys.Submit},
		{"GET", "/feedback/:session/qr.svg", attendees, public, s.surveys.QR},
		{"GET", "/feedback/:session/notice", attendees, public, s.surveys.Notice},
		{"GET", "/feedback/:session/answers/:receipt", attendees, public, s.surveys.AnswerPage},
		{"POST", "/feedback/:session/answers/:receipt", attendees, public, s.surveys.ChangeAnswer},
		{"PUT", "/feedback/:session/answers/:receipt", attendees, public, s.surveys.ChangeAnswer},
		{"DELETE", "/feedback/:session/answers/:receipt", attendees, public, s.surveys.DeleteAnswer},

		{"GET", "/forget", attendees, public, attend.Forget},

		{"GET", "/beacon.js", programs, public, s.presence.Script},
		{"POST", beaconPath, programs, public, s.presence.Beacon},
		{"GET", "/here/:session", attendees, public, s.presence.Page},
		{"POST", "/here/:session", attendees, public, s.presence.CheckIn},
		{"GET", "/here/:session/qr.svg", attendees, public, s.presence.QR},

		{"GET", "/", organisers, organiser, s.organise.ProgrammePage},
		{"GET", "/sessions/:id", organisers, viewer, s.organise.SessionPage},
		{"GET", "/sessions/:id/live", organisers, viewer, s.organise.LiveFragment},
		{"GET", "/sessions/:id/results", organisers, viewer, s.organise.ResultsPage},
		{"GET", "/sessions/:id/stream", organisers, viewer, s.organise.Stream},
		{"GET", "/sessions/:id/texts", organisers, organiser, s.organise.TextsPage},
		{"POST", "/sessions/:id/texts/:text", organisers, organiser, s.organise.ModerateForm},
		{"GET", "/series/:id", organisers, organiser, s.organise.SeriesPage},
		{"POST", "/aside/claim", organisers, organiser, s.organise.ClaimForm},
		{"POST", "/aside/unclaim", organisers, organiser, s.organise.UnclaimForm},
		{"GET", "/login", organisers, public, s.organise.LoginForm},
		{"POST", "/login", organisers, public, s.organise.Login},
		{"POST", "/logout", organisers, public, s.organise.Logout},

		{"GET", "/api/v1/sessions", programs, organiser, s.api.ListSessions},
		{"POST", "/api/v1/sessions", programs, organiser, s.api.CreateSession},
		{"GET", "/api/v1/sessions/:id", programs, organiser, s.api.GetSession},
		{"PUT", "/api/v1/sessions/:id", programs, organiser, s.api.PutSession},
		{"GET", "/api/v1/sessions/:id/attendance", programs, organiser, s.api.GetAttendance},
		{"GET", "/api/v1/sessions/:id/attendance.csv", programs, organiser, s.api.AttendanceCSV},
		{"GET", "/api/v1/sessions/:id/attendance.xlsx", programs, organiser, s.api.AttendanceXLSX},
		{"GET", "/api/v1/sessions/:id/curve", programs, organiser, s.api.GetCurve},
		{"GET", "/api/v1/sessions/:id/feedback", programs, organiser, s.api.GetFeedback},
		{"GET", "/api/v1/sessions/:id/feedback.csv", programs, organiser, s.api.FeedbackCSV},
		{"GET", "/api/v1/sessions/:id/feedback.xlsx", programs, organiser, s.api.FeedbackXLSX},
		{"GET", "/api/v1/sessions/:id/answers.csv", programs, organiser, s.api.AnswersCSV},
		{"GET", "/api/v1/sessions/:id/answers.xlsx", programs, organiser, s.api.AnswersXLSX},
		{"GET", "/api/v1/sessions/:id/texts", programs, organiser, s.api.GetTexts},
		{"POST", "/api/v1/sessions/:id/texts/:text", programs, organiser, s.api.PostText},
		{"POST", "/api/v1/sessions/:id/end", programs, organiser, s.api.EndSession},
		{"POST", "/api/v1/sessions/:id/declare", programs, organiser, s.api.DeclareHeads},
		{"POST", "/api/v1/sessions/:id/invitations", programs, organiser, s.api.CreateInvitations},
		{"GET", "/api/v1/series/:id", programs, organiser, s.api.GetSeries},
		{"GET", "/api/v1/aside", programs, organiser, s.api.GetAside},
		{"POST", "/api/v1/aside/claim", programs, organiser, s.api.ClaimAside},
		{"POST", "/api/v1/aside/unclaim", programs, organiser, s.api.UnclaimAside},

		{"GET", "/assets/:file", programs, public, s.pages.Asset},
		{"GET", "/healthz", programs, public, s.healthz},
		{"GET", "/readyz", programs, public, s.readyz},
		{"GET", "/openapi.yaml", programs, public, s.openapi},
	}
	for _, method := range []string{"POST", "GET", "HEAD", "OPTIONS"} { // POST delivers, the others are handshakes
		routes = append(routes, route{method, "/webhooks/:source", programs, signed, s.hooks.Webhook}, route{method, "/webhooks/:source/*path", programs, signed, s.hooks.Webhook})
	}
	if s.MetricsHandler != nil {
		routes = append(routes, route{"GET", "/metrics", programs, public, s.metrics})
	}
	return routes
}
