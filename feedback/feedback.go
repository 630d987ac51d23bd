// Package feedback asks people and counts what they answer. A survey is a definition in the configuration; an answer is
// one person's values, kept under the keyed hash of a receipt code that only that person holds; tallies are kept beside
// the answers, corrected in the same script by the difference between the old answer and the new one, and can be
// recomputed from the answers at any time.
//
// What is asked, and what is a valid answer, is in package survey, and what may be shown of answers in package figures.
//
// The story in files: asked.go (what one session asks, of whom, under which promise: everything about its answers goes through it) and
// promise.go (what people were told). Answers in: submit.go (what one person sends, changes, deletes), linked.go (several answers of one
// person, if they were told so), package receipt (the code in their hands), invitations.go with lua/claim.lua (who may answer), row.go
// (one answer), ledger.go with lua/apply.lua (all of them, tallies corrected), versions.go (what they were asked). Before that: draft.go with
// lua/draft.lua and lua/progress.lua (what is half said, and where people stop). Answers out: publication.go with lua/publish.lua (changes shown
// together or not at all), results.go with lua/read.lua (figures), export.go (answers as rows), recount.go (tallies checked). What people
// write: scrub.go (what is taken out of it) and texts.go with lua/moderate.lua (what is shown of it). What webhooks bring: delivery.go (from a
// room to what its session asks), aside.go with lua/aside.lua and lua/unaside.lua (what cannot be used yet). store.go puts the parts together,
// and keys.go has the Redis keys.
package feedback

import "errors"

// The refusals of the store.
var (
	ErrNotFound = errors.New("no answer has this receipt")                     // never given, or mistyped
	ErrDeleted  = errors.New("the answer with this receipt was deleted")       // and cannot come back
	ErrEmpty    = errors.New("nothing was answered")                           // such a submission would count a respondent who said nothing
	ErrConflict = errors.New("the answer is being changed by another request") // try again
	ErrReused   = errors.New("the key was used for other answers")             // which are changed through their receipt
	ErrUnlinked = errors.New("answers of several waves are not kept together") // it was promised so
	ErrNoSurvey = errors.New("the session asks nothing")
	ErrSegment  = errors.New("the segment is not an id") // the caller checks that the session has it
)

// errRepeated says that a submission was kept before, as it is.
var errRepeated = errors.New("the submission was kept before")
