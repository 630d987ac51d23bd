// Package mac makes HMAC-SHA256 of many messages under few keys: what a key costs is paid once.
package mac

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"
)

// Key signs messages. It is safe for concurrent use.
type Key struct{ states sync.Pool } // of *state

// state is an HMAC that has taken its key in, and room to write in: what is passed to a hash does not stay on the stack.
type state struct {
	hash.Hash
	text []byte
	sum  [sha256.Size]byte
}

// New returns a key of any length.
func New(key []byte) *Key {
	key = bytes.Clone(key)
	return &Key{states: sync.Pool{New: func() any { return &state{Hash: hmac.New(sha256.New, key)} }}}
}

// Keys remembers keys by what they are made of. The zero value is ready, and safe for concurrent use.
type Keys struct {
	mu   sync.RWMutex
	keys map[string]*Key
}

// mostKeys bounds what Keys remember: a service has a few, and beyond, all are made anew.
const mostKeys = 1000

// Of returns the key that is made of these bytes.
func (k *Keys) Of(raw []byte) *Key {
	k.mu.RLock()
	key := k.keys[string(raw)]
	k.mu.RUnlock()
	if key != nil {
		return key
	}
	key = New(raw)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil || len(k.keys) >= mostKeys {
		k.keys = map[string]*Key{}
	}
	k.keys[string(raw)] = key
	return key
}

// Sum is the MAC of a message in two parts: a text, which write appends to what it is given, and after it a body.
func (k *Key) Sum(write func([]byte) []byte, body []byte) [sha256.Size]byte {
	s := k.states.Get().(*state)
	s.Reset()
	s.text = write(s.text[:0])
	s.Write(s.text)
	s.Write(body)
	s.Sum(s.sum[:0])
	sum := s.sum
	k.states.Put(s)
	return sum
}
