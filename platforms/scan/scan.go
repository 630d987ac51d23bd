// Package scan reads JSON that others wrote into structs, by an allow-list: the fields that a struct names are read, everything else is
// passed over. It does what encoding/json does, several times faster, for the texts that platforms send; of any other it says so, and
// encoding/json has to read it.
//
// The story in files: scan.go (a text is read once, from its beginning to its end), plan.go (what is read of it).
package scan

import (
	"bytes"
	"encoding/json"
	"reflect"
)

// Read reads a JSON text, in valid UTF-8, into the zero value that v points to, as a json.Decoder with UseNumber would. It returns
// false, and leaves the value zero, for what is no JSON text, what that decoder would report an error for, and what is unusual enough
// to be left to it: keys that are a field's but for the case, have an escape or are not ASCII, a field twice, null for an
// object or a list, or more than 32 levels.
//
// Only what the fields' own UnmarshalJSON keep of the text is kept.
func Read(text []byte, v any) bool {
	target := reflect.ValueOf(v).Elem()
	s := scanner{text: text}
	if s.value(planOf(target.Type()), target) && s.next() == 0 && s.at == len(text) {
		return true
	}
	target.SetZero()
	return false
}

// maxDepth of objects and lists in one another.
const maxDepth = 32

// scanner is a place in a text. Its methods go past one thing each, and return false if it is not there.
type scanner struct {
	text  []byte
	at    int
	depth int
}

// next passes white space, and gives the byte after it; 0 at the end, which is no byte that JSON begins anything with.
func (s *scanner) next() byte {
	for ; s.at < len(s.text); s.at++ {
		switch b := s.text[s.at]; b {
		case ' ', '\t', '\r', '\n':
		default:
			return b
		}
	}
	return 0
}

// value reads what a plan says into v.
func (s *scanner) value(p *plan, v reflect.Value) bool {
	first := s.next()
	switch {
	case p.fields != nil:
		return first == '{' && s.fields(p, v)
	case p.elements != nil:
		return first == '[' && s.elements(p, v)
	case p.pointed != nil && first == 'n':
		return s.word("null")
	case p.pointed != nil:
		v.Set(reflect.New(v.Type().Elem()))
		return s.value(p.pointed, v.Elem())
	}
	start := s.at
	return s.skip() && whole(s.text[start:s.at], p, v)
}

// whole reads a value that is not taken apart.
func whole(raw []byte, p *plan, v reflect.Value) bool {
	if p.text && raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 {
		v.SetString(string(raw[1 : len(raw)-1]))
		return true
	}
	field := v.Addr().Interface()
	if u, ok := field.(json.Unmarshaler); ok {
		return u.UnmarshalJSON(raw) == nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return d.Decode(field) == nil
}

// fields reads an object into a struct.
func (s *scanner) fields(p *plan, v reflect.Value) bool {
	var seen uint64
	return s.members(func(key []byte, plain bool) bool {
		i, usual := p.find(key)
		switch {
		case !plain || !usual:
			return false
		case i < 0:
			return s.skip()
		case seen&(1<<i) != 0:
			return false
		}
		seen |= 1 << i
		f := p.fields[i]
		return s.value(f.plan, v.Field(f.index))
	})
}

// elements reads a list into a slice.
func (s *scanner) elements(p *plan, v reflect.Value) bool {
	n := 0
	v.Set(reflect.MakeSlice(v.Type(), 0, 0)) // no elements are not nil
	return s.items(func() bool {
		if n++; n > v.Cap() {
			v.Grow(1)
		}
		v.SetLen(n)
		return s.value(p.elements, v.Index(n-1))
	})
}

// skip passes any value.
func (s *scanner) skip() bool {
	switch b := s.next(); b {
	case '{':
		return s.members(func([]byte, bool) bool { return s.skip() })
	case '[':
		return s.items(s.skip)
	case '"':
		_, _, ok := s.string()
		return ok
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	}
	return s.number()
}

// members passes an object; member passes the value of each key. A key is plain if it is in ASCII and has no escapes.
func (s *scanner) members(member func(key []byte, plain bool) bool) bool {
	return s.within('}', func() bool {
		if s.next() != '"' {
			return false
		}
		key, plain, ok := s.string()
		return ok && s.next() == ':' && s.step() && member(key, plain)
	})
}

// items passes a list; item passes each of its values.
func (s *scanner) items(item func() bool) bool { return s.within(']', item) }

// within passes what stands between a bracket and its end, with commas between.
func (s *scanner) within(end byte, each func() bool) bool {
	s.depth++
	s.at++
	if s.depth > maxDepth {
		return false
	}
	for more := s.next() != end; more; {
		if !each() {
			return false
		}
		switch s.next() {
		case ',':
			s.at++
		case end:
			more = false
		default:
			return false
		}
	}
	s.depth--
	s.at++
	return true
}

// step passes one byte.
func (s *scanner) step() bool {
	s.at++
	return true
}

// string passes a string, and gives what is between its quotes.
func (s *scanner) string() (raw []byte, plain, ok bool) {
	s.at++
	start, plain := s.at, true
	for at := start; at < len(s.text); {
		switch b := s.text[at]; {
		case b == '"':
			s.at = at + 1
			return s.text[start:at], plain, true
		case b == '\\':
			n := escape(s.text[at+1:])
			if n == 0 {
				return nil, false, false
			}
			at, plain = at+1+n, false
		case b < ' ':
			return nil, false, false
		default:
			plain = plain && b < 0x80
			at++
		}
	}
	return nil, false, false
}

// escape is how many bytes after a backslash belong to it; 0: it is none.
func escape(rest []byte) int {
	switch {
	case len(rest) > 0 && bytes.IndexByte([]byte(`"\/bfnrt`), rest[0]) >= 0:
		return 1
	case len(rest) < 5 || rest[0] != 'u':
		return 0
	}
	for _, b := range rest[1:5] {
		if lower := b | 0x20; (b < '0' || b > '9') && (lower < 'a' || lower > 'f') {
			return 0
		}
	}
	return 5
}

// word passes one of the three words of JSON.
func (s *scanner) word(w string) bool {
	ok := bytes.HasPrefix(s.text[s.at:], []byte(w))
	s.at += len(w)
	return ok
}

// number passes a number.
func (s *scanner) number() bool {
	s.sign('-', '-')
	switch {
	case s.at < len(s.text) && s.text[s.at] == '0':
		s.at++
	case !s.digits():
		return false
	}
	if s.at < len(s.text) && s.text[s.at] == '.' {
		s.at++
		if !s.digits() {
			return false
		}
	}
	if s.at < len(s.text) && s.text[s.at]|0x20 == 'e' {
		s.at++
		s.sign('+', '-')
		return s.digits()
	}
	return true
}

// sign passes one of two signs, if there is one.
func (s *scanner) sign(a, b byte) {
	if s.at < len(s.text) && (s.text[s.at] == a || s.text[s.at] == b) {
		s.at++
	}
}

// digits passes one digit or more.
func (s *scanner) digits() bool {
	start := s.at
	for s.at < len(s.text) && '0' <= s.text[s.at] && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at > start
}
