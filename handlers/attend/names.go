package attend

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"maps"
	"regexp"
)

// blank gives a form its two names: the token under which it is sent, which opens the answer and is in no address, and the one under
// which an address resumes it. The first is derived from the second by a keyed hash, so an address alone opens no answer.
func (f form) blank(key []byte) form {
	f.said = maps.Clone(f.said)
	f.said.Set("resume", rand.Text())
	f.said.Set("token", formToken(key, f.Session.ID, f.said.Get("resume")))
	return f
}

// formToken is the token of the form that an address resumes.
func formToken(key []byte, session, resume string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("form\x00" + session + "\x00" + resume))
	return base32.StdEncoding.EncodeToString(mac.Sum(nil))[:26]
}

// resumable says whether the form is one that an address resumes.
func (f form) resumable(key []byte) bool {
	resume := f.said.Get("resume")
	return tokenShape.MatchString(resume) && formToken(key, f.Session.ID, resume) == f.said.Get("token")
}

// tokenShape is that of rand.Text: too long to be guessed.
var tokenShape = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// formKey is the idempotency key of a form's submission; empty for a form without our token.
func formKey(token string) string {
	if !tokenShape.MatchString(token) {
		return ""
	}
	return "form:" + token
}

func answerPath(session, receipt string) string {
	return "/feedback/" + session + "/answers/" + receipt
}
