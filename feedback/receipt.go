package feedback

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"strconv"
	"strings"
)

// A receipt is 80 random bits in Crockford's base 32 (https://www.crockford.com/base32.html), which has no I, L, O or U:
// "7M2K-0VXQ-9RTB-H4EZ". It is shown once. The store knows only its keyed hash, so neither a copy of the database nor
// whoever reads it opens an answer.

// sealer makes the hashes and codes of a store, under its secret key.
type sealer struct {
	secret  []byte
	lexicon lexicon
}

var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

const (
	receiptBytes  = 10
	receiptLength = 16
)

// typed undoes what people do to a code when they copy it by hand.
var typed = strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1")

// newReceipt returns a random receipt code.
func newReceipt() string {
	b := make([]byte, receiptBytes)
	rand.Read(b) // never fails: see its documentation
	return grouped(b)
}

// receiptOf returns the receipt code of a submission's key: the same each time, so that nothing needs to be kept in clear
// to answer a repetition with the same code.
func (s sealer) receiptOf(session, key string) string {
	return grouped(s.mac("receipt", session, key)[:receiptBytes])
}

// receipt writes a receipt as it was shown, whatever was typed: three words in their language, without accents, or a code in
// its groups; words says which. It is empty for what is neither; whether there is such an answer is not looked up.
func (s sealer) receipt(typed string) (receipt string, words bool) {
	if _, ok := s.lexicon.parse(typed); ok {
		return strings.Join(split(typed), "-"), true
	}
	b, ok := decodeCode(typed)
	if !ok {
		return "", false
	}
	return grouped(b), false
}

// receiptHash returns what the store knows of a receipt, a code or three words: 32 hexadecimal digits; ok is false for what
// is neither.
func (s sealer) receiptHash(session, receipt string) (hash string, ok bool) {
	if p, ok := s.lexicon.parse(receipt); ok {
		return s.wordsHash(session, p), true
	}
	b, ok := decodeCode(receipt)
	if !ok {
		return "", false
	}
	return hex.EncodeToString(s.mac("receipt-hash", session, string(b))[:16]), true
}

func decodeCode(code string) (b []byte, ok bool) {
	code = typed.Replace(strings.ToUpper(code))
	if len(code) != receiptLength {
		return nil, false
	}
	b, err := crockford.DecodeString(code)
	return b, err == nil
}

func (s sealer) wordsHash(session string, p places) string {
	return hex.EncodeToString(s.mac("words-hash", session, strconv.FormatUint(uint64(p), 10))[:16])
}

// mac is HMAC-SHA256 under the secret key. The parts are ids but for the last, so a zero byte keeps them apart.
func (s sealer) mac(purpose, session, value string) []byte {
	h := hmac.New(sha256.New, s.secret)
	h.Write([]byte("jauge feedback\x00" + purpose + "\x00" + session + "\x00" + value))
	return h.Sum(nil)
}

// grouped writes 80 bits as four groups of four.
func grouped(b []byte) string {
	code := crockford.EncodeToString(b)
	return code[:4] + "-" + code[4:8] + "-" + code[8:12] + "-" + code[12:]
}
