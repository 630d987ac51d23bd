package scan

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// said keeps whatever stands in its place, as it was written.
type said string

func (s *said) UnmarshalJSON(b []byte) error {
	if *s = said(b); strings.Contains(string(b), "wrong") {
		return errors.New("wrong")
	}
	return nil
}

// everything has a field of each kind that there is.
type everything struct {
	Event   said `json:"event"`
	Payload struct {
		PlainToken said           `json:"plainToken"`
		Object     object         `json:"object"`
		Answers    map[string]any `json:"answers"`
	} `json:"payload"`
	Data   []object          `json:"data"`
	Items  []json.RawMessage `json:"items"`
	Joins  []said            `json:"joins,omitempty"`
	Text   string            `json:"text"`
	Number json.Number       `json:"number"`
	Truth  *bool             `json:"truth"`
	Said   *said             `json:"said"`
	At     time.Time         `json:"at"`
	Bytes  []byte            `json:"bytes"`
	Any    any               `json:"any"`
	Other  struct {
		Untagged string
	} `json:"other"`
	Nothing struct{}   `json:"nothing"`
	Lists   [][]object `json:"lists"`
}

type object struct {
	ID     said `json:"id"`
	Name   said `json:"user_name"`
	Kelvin int  `json:"k"`
}

// decoded reads a text as Read has to.
func decoded(text []byte, v any) error {
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more")
	}
	return nil
}

// usual and unusual are texts that are read, and texts that are left to encoding/json.
var (
	usual = []string{
		`{}`, ` {"event" : "x" , "payload":{"plainToken":1.5e-3,"object":{"id":null,"user_name":"\ud83d\ude00é\n"},"unknown":[{"a":[true,false,null,-0,0.1E+2]}]}}` + "\r\n\t ",
		`{"data":[{"id":"1"},{"id":2,"k":3},{}],"items":[1,"a",{"b":[]}],"joins":["a",{"b":1},[]],"lists":[[],[{"id":1}]]}`,
		`{"data":[],"joins":[ ],"any":{"a":12345678901234567890},"answers":1,"other":{"untagged":"x"},"nothing":{"event":"y"}}`,
		`{"text":"a\"\\\/\b\f\n\r\tb","number":1e400,"truth":true,"said":"x","at":"2026-11-23T10:00:00Z","bytes":"aGVsbG8="}`,
		`{"text":null,"number":null,"truth":null,"said":null,"at":null,"bytes":null,"any":null}`,
		`{"payload":{"answers":{"q":[1,"x",null],"q":2}}}`,
		`{"Evented":1,"EVEN":2,"":3,"x":{"EVENT":1,"\u0065vent":2,"événement":[]}}`,
		strings.Repeat(`{"x":[`, 16) + strings.Repeat(`]}`, 16), `{"x":[` + strings.Repeat(`{},[],`, 40) + `0]}`,
	}
	unusual = []string{
		``, ` `, `null`, `[]`, `1`, `"x"`, `{`, `{"event":"x"`, `{"event":"x"} {}`, `{"event":"x"}]`, `{"event":"x",}`, `{,}`, `{"event"}`, `{"event" "x"}`, `{event:1}`,
		`{"Event":"x"}`, `{"EVENT":"x"}`, `{"payload":{"plaintoken":1}}`, `{"data":[{"` + "\u212a" + `":1}]}`, `{"` + "\u017f" + `aid":1}`, `{"\u0065vent":1}`, `{"é":1}`,
		`{"event":1,"event":2}`, `{"payload":{"object":{"id":1}},"payload":{"object":{}}}`, `{"payload":null}`, `{"payload":1}`, `{"data":null}`, `{"data":{}}`, `{"data":[1]}`, `{"data":[null]}`,
		`{"event":"wrong"}`, `{"text":1}`, `{"number":"x"}`, `{"truth":"yes"}`, `{"at":"today"}`, `{"bytes":"#"}`, `{"data":[{"k":1.5}]}`, `{"data":[{"k":"1"}]}`,
		`{"x":01}`, `{"x":-}`, `{"x":1.}`, `{"x":.5}`, `{"x":1e}`, `{"x":+1}`, `{"x":0x1}`, `{"x":tru}`, `{"x":nul}`, `{"x":fals}`, `{"x":NaN}`, `{"x":"` + "\n" + `"}`, `{"x":"\x"}`, `{"x":"\u12g4"}`, `{"x":"\u12`, `{"x":"`,
		`{"x":"\`, `{"x":[1,]}`, `{"x":[1 2]}`, `{"x":[}`, "{\"x\":1}\x00", "\ufeff{}", `{"x":1}` + "\v",
		strings.Repeat(`{"x":[`, 17) + strings.Repeat(`]}`, 17),
	}
)

func TestRead(t *testing.T) {
	t.Parallel()
	for want, texts := range map[bool][]string{true: usual, false: unusual} {
		for _, text := range texts {
			if got := check(t, []byte(text)); got != want {
				t.Errorf("%s: read %v, want %v", text, got, want)
			}
		}
	}
}

// check reads a text, and compares with encoding/json where it was read.
func check(t *testing.T, text []byte) bool {
	t.Helper()
	var got, want everything
	ok := Read(text, &got)
	if ok {
		if err := decoded(text, &want); err != nil {
			t.Fatalf("%q was read: %v", text, err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" { // what is not read leaves nothing
		t.Fatalf("%q (-encoding/json +scan):\n%s", text, diff)
	}
	return ok
}

// What is read is what encoding/json reads, or nothing is, whatever the text.
func FuzzRead(f *testing.F) {
	for _, text := range append(usual, unusual...) {
		f.Add([]byte(text))
	}
	files, err := filepath.Glob("../testdata/*/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal(err, "no bodies")
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if utf8.Valid(text) {
			check(t, text)
		}
	})
}

// Types whose tags ask for more than a name are left to encoding/json, field by field.
func TestPlans(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		v    any
		want bool
	}{
		{"fields", object{}, true},
		{"no tag", struct{ A int }{}, false},
		{"an option", struct {
			A int `json:"a,string"`
		}{}, false},
		{"left out", struct {
			A int `json:"-"`
		}{}, false},
		{"embedded", struct {
			object `json:"a"`
		}{}, false},
		{"the same but for the case", struct {
			A int `json:"a"`
			B int `json:"A"`
		}{}, false},
		{"fields of its own", time.Time{}, false},
	} {
		if got := planOf(reflect.TypeOf(row.v)).fields != nil; got != row.want {
			t.Errorf("%s: %v", row.name, got)
		}
	}
}
