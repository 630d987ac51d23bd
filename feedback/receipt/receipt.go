// Package receipt makes the receipts of answers: the codes and the three words that people keep, and the keyed hashes under which a store
// knows them. It knows no store.
//
// The story in files: receipt.go (codes, and the hashes of both), words.go (three words).
package receipt

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"strconv"
	"strings"
)

// A code is 80 random bits in Crockford's base 32 (https://www.crockford.com/base32.html), which has no I, L, O or U:
// "7M2K-0VXQ-9RTB-H4EZ". It is shown once. The store knows only its keyed hash, so neither a copy of the database nor
// whoever reads it opens an answer.

// Sealer makes receipts, and hashes what nobody who reads the store may know, under a secret key.
type Sealer struct {
	secret  []byte
	lexicon lexicon
}

// New returns the Sealer of a secret key: at least 32 bytes, the same over restarts and replicas, or no receipt is found again.
func New(secret []byte) Sealer { return Sealer{secret, newLexicon()} }

var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

const (
	codeBytes  = 10
	codeLength = 16
)

// typing undoes what people do to a code when they copy it by hand.
var typing = strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1")

// Code returns a random code.
func (Sealer) Code() string {
	b := make([]byte, codeBytes)
	rand.Read(b) // never fails: see its documentation
	return grouped(b)
}

// CodeOf returns the code of a submission's key: the same each time, so that nothing needs to be kept in clear to answer a
// repetition with the same code.
func (s Sealer) CodeOf(session, key string) string {
	return grouped(s.MAC("receipt", session, key)[:codeBytes])
}

// AsShown writes a receipt as it was shown, whatever was typed: three words in their language, without accents, or a code in
// its groups; words says which. It is empty for what is neither; whether there is such an answer is not looked up.
func (s Sealer) AsShown(typed string) (receipt string, words bool) {
	if _, ok := s.lexicon.parse(typed); ok {
		return strings.Join(split(typed), "-"), true
	}
	b, ok := decode(typed)
	if !ok {
		return "", false
	}
	return grouped(b), false
}

// Hash returns what the store knows of a receipt, a code or three words: 32 hexadecimal digits; ok is false for what is neither.
func (s Sealer) Hash(session, receipt string) (hash string, ok bool) {
	if w, ok := s.lexicon.parse(receipt); ok {
		return s.HashOf(session, w), true
	}
	b, ok := decode(receipt)
	if !ok {
		return "", false
	}
	return hex.EncodeToString(s.MAC("receipt-hash", session, string(b))[:16]), true
}

// HashOf is Hash of three words.
func (s Sealer) HashOf(session string, w Words) string {
	return hex.EncodeToString(s.MAC("words-hash", session, strconv.FormatUint(uint64(w), 10))[:16])
}

// MAC is HMAC-SHA256 under the secret key. The parts are ids but for the last, so a zero byte keeps them apart.
func (s Sealer) MAC(purpose, session, value string) []byte {
	h := hmac.New(sha256.New, s.secret)
	h.Write([]byte("jauge feedback\x00" + purpose + "\x00" + session + "\x00" + value))
	return h.Sum(nil)
}

func decode(code string) (b []byte, ok bool) {
	code = typing.Replace(strings.ToUpper(code))
	if len(code) != codeLength {
		return nil, false
	}
	b, err := crockford.DecodeString(code)
	return b, err == nil
}

// grouped writes 80 bits as four groups of four.
func grouped(b []byte) string {
	code := crockford.EncodeToString(b)
	return code[:4] + "-" + code[4:8] + "-" + code[8:12] + "-" + code[12:]
}
