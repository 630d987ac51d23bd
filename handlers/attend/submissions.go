package attend

import (
	"errors"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
	"jauge/feedback/survey"
	"jauge/handlers/door"
)

// submissions writes and reads single answers: guarded where words name them, and counted.
type submissions struct {
	feedback *feedback.Store
	limiter  *door.Limiter
	counts   interface{ Submission(result string) }
}

// How often an answer may be named by three words that are none's, from one address and in one session. A school that types
// them wrongly has room; whoever tries some of the 2^33 out, from wherever, does not get far: 600 an hour find one of 200
// answers in eight years. One address can use up less than half of what fills up of a session's, so that nobody shuts a
// session's words out alone.
var (
	guessQuota        = door.Quota{PerMinute: 4, Burst: 30}
	sessionGuessQuota = door.Quota{PerMinute: 10, Burst: 300}
)

// guard lets a receipt be looked up. Words cost a token, which comes back unless they were none's: with an empty budget nothing
// is looked up. Codes are too long to be tried, and what is neither opens nothing: nobody is shut out from them because
// somebody else was wrong.
func (s submissions) guard(c *gin.Context, receipt string, lookUp func() error) error {
	if _, words := s.feedback.Receipt(receipt); !words {
		return lookUp()
	}
	giveBack, wait := s.limiter.Take(
		door.Claim{Who: c.ClientIP(), What: "guess", Quota: guessQuota},
		door.Claim{Who: c.Param("session"), What: "guesses in a session", Quota: sessionGuessQuota})
	if wait > 0 {
		return door.TooMany(c, wait, "too_many_codes", "Too many wrong codes were tried. Please wait.")
	}
	err := lookUp()
	if !errors.Is(err, feedback.ErrNotFound) {
		giveBack()
	}
	return err
}

// guarded guards a handler of the receipt in the path.
func (s submissions) guarded(c *gin.Context, h door.Handle) error {
	return s.guard(c, c.Param("receipt"), func() error { return h(c) })
}

// send submits answers, guarded where they name one that is there.
func (s submissions) send(c *gin.Context, a asked, submission feedback.Submission) (receipt string, err error) {
	err = s.guard(c, submission.Token, func() (err error) {
		receipt, err = a.Submit(c.Request.Context(), submission)
		s.submitted(outcomeOf(err))
		return err
	})
	return receipt, err
}

// bring reads the answer under a code, guarded.
func (s submissions) bring(c *gin.Context, a asked, code string) (row feedback.Row, err error) {
	err = s.guard(c, code, func() (err error) {
		row, err = a.Get(c.Request.Context(), code)
		return err
	})
	return row, err
}

// change replaces the answers under a receipt.
func (s submissions) change(c *gin.Context, a asked, receipt string, answers survey.Answers, lang string) error {
	err := a.Change(c.Request.Context(), receipt, answers, lang)
	s.count(door.SubmissionChanged, err)
	return err
}

// remove deletes the answers under a receipt.
func (s submissions) remove(c *gin.Context, a asked, receipt string) error {
	err := a.Delete(c.Request.Context(), receipt)
	s.count(door.SubmissionDeleted, err)
	return err
}

func (s submissions) count(done door.Outcome, err error) {
	if err != nil {
		done = outcomeOf(err)
	}
	s.submitted(done)
}

// submitted counts one submitted survey of a known session, which the count does not name: it would tell when somebody answered.
func (s submissions) submitted(what door.Outcome) { s.counts.Submission(string(what)) }

// outcomeOf is what became of a submission that ended with err.
func outcomeOf(err error) door.Outcome {
	switch {
	case err == nil:
		return door.SubmissionRecorded
	case errors.Is(err, feedback.ErrEmpty):
		return door.SubmissionEmpty
	case errors.Is(err, feedback.ErrDeleted), errors.Is(err, feedback.ErrNotFound), errors.Is(err, feedback.ErrSegment),
		errors.Is(err, feedback.ErrUninvited), errors.Is(err, feedback.ErrUsed), errors.Is(err, feedback.ErrReused):
		return door.SubmissionInvalid
	}
	return door.SubmissionFailed
}

// isRefused says whether a request was turned away, and nothing is known of the answer.
func isRefused(err error) bool {
	var refused *door.Failure
	return errors.As(err, &refused)
}
