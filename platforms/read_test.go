package platforms

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"jauge/platforms/scan"
)

// read are the types that bodies are read into.
var read = []any{
	zoomBody{}, livekitBody{}, bbbBody{}, bbbRecord{}, standardItem{}, dailyBody{}, jaasBody{}, jitsiBody{}, livestormBody{},
	typeformBody{}, tallyBody{}, formbricksBody{}, []json.RawMessage{},
}

// FuzzRead holds what check.read does of any body against encoding/json alone: the same values, and the same words for what is wrong.
func FuzzRead(f *testing.F) {
	for i := range read {
		for _, s := range subjects {
			f.Add(uint8(i), []byte(s.good))
			f.Add(uint8(i), []byte(s.unknown))
		}
		for _, text := range []string{
			``, `{`, `{}x`, `null`, `[null]`, `[1,{"type":"x"}]`, `{"event":1,"event":"2"}`, `{"Event":"x"}`, `{"\u0065vent":"x"}`, "{\"event\":\"\xff\"}", "\ufeff{}",
			`{"payload":null}`, `{"payload":[]}`, `{"data":{"fields":null,"answers":[],"seconds":"1"},"form_response":{"answers":[{"number":"x"}]}}`,
		} {
			f.Add(uint8(i), []byte(text))
		}
	}
	files, err := filepath.Glob("testdata/*/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal(err, "no bodies")
	}
	for i, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), body)
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		typ := reflect.TypeOf(read[int(which)%len(read)])
		got, want := reflect.New(typ), reflect.New(typ)
		var scanned, decoded check
		scanned.read(body, got.Interface())
		if plain := bytes.TrimPrefix(body, byteOrderMark); utf8.Valid(plain) {
			decoded.readUnusual(plain, want.Interface())
		} else {
			decoded.refuse("not UTF-8")
		}
		if diff := cmp.Diff(messageOf(decoded.err), messageOf(scanned.err)); diff != "" {
			t.Errorf("%s, %q (-encoding/json +read):\n%s", typ, body, diff)
		}
		if diff := cmp.Diff(want.Elem().Interface(), got.Elem().Interface(), anything, numbers); diff != "" {
			t.Errorf("%s, %q (-encoding/json +read):\n%s", typ, body, diff)
		}
	})
}

var (
	anything = cmp.Exporter(func(reflect.Type) bool { return true })
	numbers  = cmp.Comparer(func(a, b decimal) bool { return a == b || a != a && b != b }) // NaN is one of them
)

func messageOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// The memory of a body is that of another one once it is decoded: nothing of a delivery lies in it.
func TestNothingOfABodyIsKept(t *testing.T) {
	t.Parallel()
	for platform, s := range subjects {
		r := signed(platform, s.secrets[0], now, s.body(s.good))
		d, err := Dialects[platform].Decode(s.source(platform), r)
		if err != nil {
			t.Fatalf("%s: %v", platform, err)
		}
		before := string(mustJSON(d))
		for i := range r.Body {
			r.Body[i] = 'x'
		}
		if diff := cmp.Diff(before, string(mustJSON(d))); diff != "" {
			t.Errorf("%s: %s", platform, diff)
		}
	}
}

// The bodies that platforms send are read by the scan of their fields, and not by what stands in for it.
func TestBodiesAreScanned(t *testing.T) {
	t.Parallel()
	for platform, body := range map[string]any{
		"zoom": &zoomBody{}, "livekit": &livekitBody{}, "standard": &standardItem{}, "daily": &dailyBody{}, "jaas": &jaasBody{}, "jitsi": &jitsiBody{},
		"livestorm": &livestormBody{}, "typeform": &typeformBody{}, "tally": &tallyBody{}, "formbricks": &formbricksBody{}, "bigbluebutton": &[]bbbBody{},
	} {
		if !scan.Read([]byte(subjects[platform].good), body) {
			t.Errorf("%s: a usual body is read by encoding/json", platform)
		}
	}
	record, err := os.ReadFile("testdata/bbb-record/meeting.json")
	if err != nil {
		t.Fatal(err)
	}
	if !scan.Read(record, &bbbRecord{}) {
		t.Error("the record of a meeting is read by encoding/json")
	}
}
