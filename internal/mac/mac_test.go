package mac

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// Whatever was signed before, and by whoever at the same time, a sum is that of crypto/hmac.
func TestSum(t *testing.T) {
	t.Parallel()
	var keys Keys
	for _, key := range []string{"", "k", strings.Repeat("key", 100), "k"} {
		raw := []byte(key)
		k := keys.Of(raw)
		clear(raw) // the key is the caller's
		var callers sync.WaitGroup
		for c := range 8 {
			callers.Go(func() {
				for i := range 200 {
					text, body := fmt.Sprint("v0:", c, i, ":"), bytes.Repeat([]byte{byte(i)}, i)
					want := hmac.New(sha256.New, []byte(key))
					want.Write([]byte(text))
					want.Write(body)
					got := k.Sum(func(b []byte) []byte { return append(b, text...) }, body)
					if !bytes.Equal(got[:], want.Sum(nil)) {
						t.Errorf("key %q, text %q, %d bytes: another sum", key, text, len(body))
						return
					}
				}
			})
		}
		callers.Wait()
	}
}

func TestKeysAreBounded(t *testing.T) {
	t.Parallel()
	var keys Keys
	first := keys.Of([]byte("first"))
	if keys.Of([]byte("first")) != first {
		t.Error("a key is not remembered")
	}
	for i := range 3 * mostKeys {
		keys.Of(fmt.Append(nil, i))
	}
	if n := len(keys.keys); n > mostKeys {
		t.Errorf("%d keys are remembered", n)
	}
}
