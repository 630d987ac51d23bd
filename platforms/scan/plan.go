package scan

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
)

// plan is how values of one type are read: as an object by its fields, as a list by its elements, as what it points to, or as a whole,
// by the type's own UnmarshalJSON or by encoding/json.
type plan struct {
	fields   []field
	elements *plan
	pointed  *plan
	text     bool // a plain string
}

// field is a field of a struct by the key that its tag names.
type field struct {
	key   []byte
	index int
	plan  *plan
}

// find gives the place in p.fields of what a key names; -1: nothing. It is unusual if the key is a field's but for its case, as
// encoding/json reads that too.
func (p *plan) find(key []byte) (i int, usual bool) {
	for i := range p.fields {
		switch known := p.fields[i].key; {
		case len(known) != len(key):
		case bytes.Equal(known, key):
			return i, true
		case bytes.EqualFold(known, key):
			return -1, false
		}
	}
	return -1, true
}

var (
	plans       sync.Map // reflect.Type → *plan
	unmarshaler = reflect.TypeFor[json.Unmarshaler]()
	number      = reflect.TypeFor[json.Number]()
)

// planOf makes the plan of a type, once. A type may not hold itself.
func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := &plan{}
	switch {
	case reflect.PointerTo(t).Implements(unmarshaler):
	case t.Kind() == reflect.Struct:
		p.fields = fieldsOf(t)
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8: // bytes are base64
		p.elements = planOf(t.Elem())
	case t.Kind() == reflect.Pointer:
		p.pointed = planOf(t.Elem())
	default:
		p.text = t.Kind() == reflect.String && t != number
	}
	plans.Store(t, p)
	return p
}

// maxFields of a struct: one bit each says which were there.
const maxFields = 64

// fieldsOf lists the fields of a struct; nil if its tags ask for more than a name.
func fieldsOf(t reflect.Type) []field {
	if t.NumField() > maxFields {
		return nil
	}
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		at, usual := (&plan{fields: fields}).find([]byte(key))
		if !f.IsExported() || f.Anonymous || key == "" || key == "-" || strings.Contains(options, "string") || at >= 0 || !usual {
			return nil
		}
		fields = append(fields, field{[]byte(key), i, planOf(f.Type)})
	}
	return fields
}
