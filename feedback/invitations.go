package feedback

import (
	"cmp"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"jauge/feedback/survey"
	"jauge/internal/journal"
)

// An invitation is a link that one person can answer by, once. It is known that it was used, and never what was answered:
// no key, row or journal entry holds both, an invitation has no time, and its form's hash is no receipt's.
//
// Nobody but who was given the links knows whose they are.

// The refusals of an invitation.
var (
	ErrUninvited = errors.New("there is no such invitation")
	ErrUsed      = errors.New("the invitation was used") // by another form; the receipt changes what was answered
)

// MaxInvitations is how many invitations one call makes.
const MaxInvitations = 10_000

// invitations holds who may answer, and who has.
type invitations struct{ *base }

// invitationTokens are as rand.Text makes them.
var invitationTokens = regexp.MustCompile(`^[A-Z2-7]{26}$`)

func (s sealer) invitationHash(session, token string) string {
	return hex.EncodeToString(s.MAC("invitation", session, token)[:16])
}

// inviteEntry and useEntry are what a journal keeps, each under the invitation's hash.
type inviteEntry struct {
	Session string `json:"session"`
	Hash    string `json:"hash"`
	Segment string `json:"segment"`
}

type useEntry struct {
	Session string `json:"session"`
	Hash    string `json:"hash"`
	Form    string `json:"form"`
}

func (e useEntry) mark(used bool) []journal.Mark {
	m := journal.Mark{Kind: entryUse, Key: e.Session + " " + e.Hash}
	if used {
		m.Value = e
	}
	return []journal.Mark{m}
}

// Invite makes n invitations to the session, 1 to MaxInvitations, for a segment or, if that is empty, for none, and returns
// their tokens, which are kept nowhere. ErrSegment.
func (a *Asked) Invite(ctx context.Context, segment string, n int) ([]string, error) {
	s, session := a.store, a.Session.ID
	if segment != "" && !survey.Ids.MatchString(segment) {
		return nil, ErrSegment
	}
	if n < 1 || n > MaxInvitations {
		return nil, fmt.Errorf("feedback: %d invitations at once: not 1 to %d", n, MaxInvitations)
	}
	tokens, marks := make([]string, n), make([]journal.Mark, n)
	fields := make([]any, 0, 2*n)
	for i := range tokens {
		tokens[i] = rand.Text()
		e := inviteEntry{session, s.seal.invitationHash(session, tokens[i]), segment}
		marks[i] = journal.Mark{Kind: entryInvite, Key: session + " " + e.Hash, Value: e}
		fields = append(fields, e.Hash, segment+"|")
	}
	err := s.journal.Keep(ctx, marks, func(ctx context.Context) error {
		_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for page := range slices.Chunk(fields, 2*readAtOnce) {
				p.HSet(ctx, s.keys.invites(session), page...)
			}
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("feedback: invite: %w", err)
	}
	return tokens, nil
}

func (s *invitations) restoreInvite(ctx context.Context, e inviteEntry) error {
	return s.rdb.HSetNX(ctx, s.keys.invites(e.Session), e.Hash, e.Segment+"|").Err()
}

// restoreUse claims what was claimed before a restart, or while the store was away. If another form was faster, both
// answers count: the first of the two was taken in good faith.
func (s *invitations) restoreUse(ctx context.Context, e useEntry) error {
	_, _, err := s.runClaim(ctx, e, "use")
	return err
}

// Invitation returns the segment of an invitation and whether it was used. It returns ErrUninvited for what is none, or the
// store's error.
func (a *Asked) Invitation(ctx context.Context, token string) (segment string, used bool, err error) {
	if !invitationTokens.MatchString(token) {
		return "", false, ErrUninvited
	}
	s, session := a.store, a.Session.ID
	field, err := s.rdb.HGet(ctx, s.keys.invites(session), s.seal.invitationHash(session, token)).Result()
	if errors.Is(err, redis.Nil) {
		return "", false, ErrUninvited
	}
	if err != nil {
		return "", false, fmt.Errorf("feedback: read an invitation: %w", err)
	}
	segment, form, _ := strings.Cut(field, "|")
	return segment, form != "", nil
}

//go:embed lua/claim.lua
var claimSource string

var claimScript = redis.NewScript(claimSource)

func (s *invitations) runClaim(ctx context.Context, e useEntry, do string) (outcome, segment string, err error) {
	out, err := claimScript.Run(ctx, s.rdb, []string{s.keys.invites(e.Session)}, e.Hash, e.Form, do).StringSlice()
	if err != nil {
		return "", "", fmt.Errorf("feedback: claim an invitation: %w", err)
	}
	return out[0], out[1], nil
}

// claim uses a submission's invitation and gives the submission its segment; release gives it back, unless it was this
// form's before. With the store away, the claim waits in the journal, and the segment is what the form says.
func (s *invitations) claim(ctx context.Context, session string, sub *Submission) (release func(), err error) {
	if !invitationTokens.MatchString(sub.Invitation) {
		return nil, ErrUninvited
	}
	form := s.seal.MAC("invited", session, cmp.Or(sub.Key, rand.Text())) // without a key, each submission is another form
	e := useEntry{session, s.seal.invitationHash(session, sub.Invitation), hex.EncodeToString(form[:16])}
	outcome, segment := "", ""
	run := func(ctx context.Context) (err error) {
		outcome, segment, err = s.runClaim(ctx, e, "use")
		return err
	}
	if s.journal.Ahead() { // only the store tells whether it is this form's, and it forgets what has not been kept
		if err = run(ctx); err == nil && outcome == "fresh" {
			err = s.journal.Note(e.mark(true))
		}
	} else {
		err = s.journal.Keep(ctx, e.mark(true), run)
	}
	switch {
	case err != nil:
		return nil, err
	case outcome == "unknown":
		return nil, ErrUninvited
	case outcome == "used":
		return nil, ErrUsed
	case outcome == "":
		return func() {}, nil
	}
	sub.Segment = segment
	if outcome == "again" {
		return func() {}, nil
	}
	return func() {
		_ = s.journal.Keep(context.WithoutCancel(ctx), e.mark(false), func(ctx context.Context) error { // else the same form may still use it
			_, _, err := s.runClaim(ctx, e, "release")
			return err
		})
	}, nil
}
