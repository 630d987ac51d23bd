package attend

import (
	"errors"

	"github.com/gin-gonic/gin"

	"jauge/feedback"
	"jauge/feedback/survey"
	"jauge/handlers/door"
)

// submissions writes and reads single answers; it limits guesses of word receipts, and counts outcomes.
type submissions struct {
	feedback *feedback.Store
	limiter  *door.Limiter
	counts   interface{ Submission(result string) }
}

// How often three words that no answer has may be tried, from one address and in one session. That is enough for a school that mistypes
// them, and too little for guessing among 2^33: 600 an hour find one of 200 answers in eight years. The quota of one address is less
// than half of the session's, so that one address alone cannot use that up.
var (
	guessQuota        = door.Quota{PerMinute: 4, Burst: 30}
	sessionGuessQuota = door.Quota{PerMinute: 10, Burst: 300}
)

// guard looks a receipt up within the quota. Words cost a token, which is given back if an answer has them; on an empty quota nothing is
// looked up. Codes are too long to be guessed and cost none, so other people's guesses never block them.
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

// send submits answers, guarded where they carry the words of an earlier wave.
func (s submissions) send(c *gin.Context, a asked, submission feedback.Submission) (receipt string, err error) {
	err = s.guard(c, submission.Token, func() (err error) {
		receipt, err = a.Submit(c.Request.Context(), submission)
		s.submitted(outcomeOf(err))
		return err
	})
	return receipt, err
}

// byCode reads the answer under a code, guarded.
func (s submissions) byCode(c *gin.Context, a asked, code string) (row feedback.Row, err error) {
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

// submitted counts one submitted survey of a known session. The count does not name the session: that would tell when somebody answered.
func (s submissions) submitted(what door.Outcome) { s.counts.Submission(string(what)) }

// outcomeOf is the outcome of a submission that ended with err.
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

// isRefused says whether a request was rate-limited, before the answer was looked up.
func isRefused(err error) bool {
	var refused *door.Failure
	return errors.As(err, &refused)
}
