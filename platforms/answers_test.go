package platforms

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fixture is one body as a platform would send it, invented after the vendor's documentation.
type fixture struct {
	Name string
	Body json.RawMessage
}

func fixtures(t testing.TB, platform string) []fixture {
	t.Helper()
	var all []fixture
	readJSON(t, filepath.Join("testdata", platform+".json"), &all)
	return all
}

// What each fixture becomes, as golden files.
func TestFixtures(t *testing.T) {
	t.Parallel()
	for _, platform := range []string{"bigbluebutton", "typeform", "tally", "formbricks"} {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			s := subjects[platform]
			var golden bytes.Buffer
			for _, f := range fixtures(t, platform) {
				d, err := receive(platform, s.source(platform), signed(platform, s.secrets[0], now, s.body(string(f.Body))))
				if err != nil {
					t.Fatalf("%s: %v", f.Name, err)
				}
				golden.WriteString("# " + f.Name + "\n")
				for _, e := range d.Events {
					golden.Write(append(mustJSON(e), '\n'))
				}
				for _, a := range d.Answers {
					golden.Write(append(mustJSON(a), '\n'))
				}
				for range d.Unsupported {
					golden.WriteString("unsupported\n")
				}
			}
			checkGolden(t, filepath.Join("testdata", platform+".golden"), golden.Bytes())
		})
	}
}

func checkGolden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// Both were made outside of this code; the second is that of github.com/betagouv/mon-aide-cyber.
func TestBase64MAC(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ secret, body, want string }{
		{"secret", `{"event_id":"1"}`, "yS8v9QizAPx9eUM++qKgk3vvwAtMaAL4zEXj+gy9SUE="},
		{"", `{"body":""}`, "dJiTp1hkvdSvPEL51kGtiwcQhSmMSJ7RGXOFjmTJBqg="},
	} {
		if got := base64MAC([]byte(row.secret), "", []byte(row.body)); got != row.want {
			t.Errorf("of %s: %s, want %s", row.body, got, row.want)
		}
	}
}

func TestTypeformSignature(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]error{
		"sha256=yS8v9QizAPx9eUM++qKgk3vvwAtMaAL4zEXj+gy9SUE=": nil,
		"yS8v9QizAPx9eUM++qKgk3vvwAtMaAL4zEXj+gy9SUE=":        ErrMissing,
		"sha1=yS8v9QizAPx9eUM++qKgk3vvwAtMaAL4zEXj+gy9SUE=":   ErrMissing,
		"sha256=": ErrMissing,
		"sha256=yS8v9QizAPx9eUM++qKgk3vvwAtMaAL4zEXj+gy9SUF=": ErrSignature,
	} {
		r := Request{Header: headerOf(map[string]string{"Typeform-Signature": given}), Body: []byte(`{"event_id":"1"}`)}
		if err := typeform.Verify(Source{Secrets: []string{"new", "secret"}}, r); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", given, err, want)
		}
	}
}

func TestAnswersDecode(t *testing.T) {
	t.Parallel()
	const typeformResponse = `{"event_type":"form_response","form_response":{"form_id":"f","token":"t","submitted_at":"2026-11-23T10:00:00Z","answers":[ANSWER]}}`
	const tallyResponse = `{"eventType":"FORM_RESPONSE","createdAt":"2026-11-23T10:00:00Z","data":{"formId":"f","responseId":"t","fields":[ANSWER]}}`
	const formbricksResponse = `{"event":"responseUpdated","data":{"surveyId":"f","id":"t","createdAt":"2026-11-23T10:00:00Z","finished":true,"data":{ANSWER}}}`
	of := func(ref string, value any) Delivery {
		return Delivery{Answers: []Answers{{
			Room: "f", Key: "t", At: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), Foreign: true, Values: map[string]any{ref: value},
		}}}
	}
	unnamed := func(key string) Delivery {
		d := of("q", json.Number("3"))
		d.Answers[0].Key = key
		return d
	}
	rows := []struct {
		platform, name, body, answer string
		want                         Delivery
		err                          string
	}{
		{"typeform", "a number that is 0", typeformResponse, `{"type":"number","number":0,"field":{"ref":"q"}}`, of("q", json.Number("0")), ""},
		{"typeform", "no choice", typeformResponse, `{"type":"choice","choice":null,"field":{"ref":"q"}}`, Delivery{Unsupported: 1}, ""},
		{"typeform", "no choices", typeformResponse, `{"type":"choices","choices":{"labels":[]},"field":{"ref":"q"}}`, Delivery{Unsupported: 1}, ""},
		{"typeform", "a type to come", typeformResponse, `{"type":"video","video":{"url":"x"},"field":{"ref":"q"}}`, Delivery{Unsupported: 1}, ""},
		{"typeform", "no reference", typeformResponse, `{"type":"text","text":"Jill","field":{}},{"type":"number","number":3,"field":{"ref":"q"}}`, of("q", json.Number("3")), "form_response.answers.field.ref: missing"},
		{"typeform", "not a list", `{"event_type":"form_response","form_response":{"form_id":"f","token":"t","answers":"Jill"}}`, "", Delivery{Unsupported: 1}, ""},
		{"typeform", "no form", strings.Replace(typeformResponse, `"form_id":"f",`, "", 1), `{"type":"number","number":3,"field":{"ref":"q"}}`, Delivery{}, "form_response.form_id: missing"},
		{"typeform", "no token", strings.Replace(typeformResponse, `"token":"t",`, "", 1), `{"type":"number","number":3,"field":{"ref":"q"}}`, unnamed("f7341f9daaca5962553baeb7a1c681ed"), "form_response.token: missing"},
		{"typeform", "no time", strings.Replace(typeformResponse, `"submitted_at":"2026-11-23T10:00:00Z",`, "", 1), `{"type":"number","number":3,"field":{"ref":"q"}}`, of("q", json.Number("3")), ""},

		{"tally", "no value", tallyResponse, `{"key":"q","type":"INPUT_TEXT"}`, Delivery{Unsupported: 1}, ""},
		{"tally", "an unknown option", tallyResponse, `{"key":"q","type":"DROPDOWN","value":["x"],"options":[{"id":"a","text":"A"}]}`, of("q", "x"), ""},
		{
			"tally", "several of a multiple choice", tallyResponse, `{"key":"q","type":"MULTIPLE_CHOICE","value":["b","a"],"options":[{"id":"a","text":"A"},{"id":"b","text":"B"}]}`,
			of("q", []any{"B", "A"}), "",
		},
		{"tally", "one of several", tallyResponse, `{"key":"q","type":"MULTI_SELECT","value":["a"],"options":[{"id":"a","text":"A"}]}`, of("q", []any{"A"}), ""},
		{"tally", "a grid", tallyResponse, `{"key":"q","type":"MATRIX","value":{"r":["c"]}}`, Delivery{Unsupported: 1}, ""},
		{"tally", "no key", tallyResponse, `{"type":"INPUT_TEXT","value":"Jill"},{"key":"q","type":"RATING","value":3}`, of("q", json.Number("3")), "data.fields.key: missing"},
		{"tally", "no form", `{"eventType":"FORM_RESPONSE","data":{"responseId":"t"}}`, "", Delivery{}, "data.formId: missing"},
		{"tally", "no response", `{"eventType":"FORM_RESPONSE","data":{"formId":"f"}}`, "", Delivery{}, "data.responseId: missing"},
		{"tally", "no time", strings.Replace(tallyResponse, `"createdAt":"2026-11-23T10:00:00Z",`, "", 1), `{"key":"q","type":"RATING","value":3}`, of("q", json.Number("3")), ""},

		{"formbricks", "a number", formbricksResponse, `"q":3`, of("q", json.Number("3")), ""},
		{"formbricks", "skipped", formbricksResponse, `"q":"","r":[],"s":null`, Delivery{Unsupported: 1}, ""},
		{"formbricks", "a list of something else", formbricksResponse, `"q":[{"name":"Jill"}]`, Delivery{Unsupported: 1}, ""},
		{"formbricks", "a question called segment, without text", formbricksResponse, `"segment":3`, of("segment", json.Number("3")), ""},
		{"formbricks", "no id", `{"event":"responseCreated","data":{"surveyId":"f"}}`, "", Delivery{}, "data.id: missing"},
		{"formbricks", "no survey", `{"event":"responseCreated","data":{"id":"t"}}`, "", Delivery{}, "data.surveyId: missing"},
		{"formbricks", "no time", strings.Replace(formbricksResponse, `"createdAt":"2026-11-23T10:00:00Z",`, "", 1), `"q":3`, of("q", json.Number("3")), ""},
	}
	for _, row := range rows {
		t.Run(row.platform+"/"+row.name, func(t *testing.T) {
			t.Parallel()
			body := bytes.Replace([]byte(row.body), []byte("ANSWER"), []byte(row.answer), 1)
			got, err := Dialects[row.platform].Decode(Source{}, Request{Body: body, Now: now})
			checkDecoded(t, row.want, row.err, got, err)
		})
	}
}
