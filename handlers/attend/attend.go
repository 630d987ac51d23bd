// Package attend is what attendees read and send: surveys and their answers, check-ins and beacons.
//
// The story in files, of surveys: survey.go (the addresses that open a form), submit.go (a page that is sent), step.go (from page
// to page), json.go (answers of a program), answers.go (what is done with a receipt), code.go (the receipt of an earlier wave),
// notice.go; below them: view.go and question.go (the page of a form), answer_view.go, code_view.go, kiosk.go (a device that
// people share), submissions.go (what is written, rate-limited and counted), form.go (a form half-way), names.go (its tokens and
// keys), asked.go (what is asked). Of presence: beacon.go, here.go (the check-in page).
package attend

import (
	"log/slog"
	"net/url"
	"time"

	"jauge/feedback"
	"jauge/handlers/door"
	"jauge/handlers/lookup"
	"jauge/handlers/page"
)

// Deps is what the handlers of surveys work with. Everything is required.
type Deps struct {
	Sessions *lookup.Sessions
	Feedback *feedback.Store
	Pages    *page.Pages
	Limiter  *door.Limiter
	Counts   interface{ Submission(result string) } // counts submitted surveys

	Public *url.URL // of links and QR codes
	Key    []byte   // derives the tokens of forms
	Log    *slog.Logger
	Now    func() time.Time
}

// Surveys are the handlers of surveys and their answers.
type Surveys struct {
	Deps
	submissions submissions
	layout      layout
}

// NewSurveys returns the handlers of surveys.
func NewSurveys(d Deps) *Surveys {
	return &Surveys{d, submissions{d.Feedback, d.Limiter, d.Counts}, layout{d.Pages, d.Public, d.Now}}
}
