package platforms

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"jauge/attendance"
)

// tally: submissions of a form. Tally-Signature is the base64 of the body's HMAC-SHA256; Tally sends it only where the
// webhook has a signing secret.
// Source: https://tally.so/help/webhooks
var tally = Dialect{
	Capability:    attendance.Declared,
	Scheme:        Scheme{Key: plainKey, Read: tallyCredentials, Untimed: true},
	Decode:        reading(tallyRead),
	Sign:          tallySign,
	Encode:        answersEncode,
	EncodeAnswers: tallyEncodeAnswers,
}

const (
	tallySignature = "Tally-Signature"
	tallyEvent     = "FORM_RESPONSE"
)

// tallyBody is what is read of a body; the form's name and the respondent's id are never decoded.
type tallyBody struct {
	EventType id    `json:"eventType"`
	CreatedAt stamp `json:"createdAt"` // RFC 3339
	Data      struct {
		ResponseID   id           `json:"responseId"`
		SubmissionID id           `json:"submissionId"`
		FormID       id           `json:"formId"`
		CreatedAt    stamp        `json:"createdAt"`
		Fields       []tallyField `json:"fields"`
	} `json:"data"`
}

// tallyField is one question. Its key stays when the question is worded anew, and no two questions share one, which can
// be said of no label; so the key is the reference.
type tallyField struct {
	Key     id              `json:"key"`
	Label   string          `json:"label"`
	Type    string          `json:"type"`
	Value   json.RawMessage `json:"value"`
	Options []tallyOption   `json:"options,omitempty"`
}

type tallyOption struct {
	ID   id     `json:"id"`
	Text string `json:"text"`
}

func tallyCredentials(_ Source, r Request) (Credentials, error) {
	return Credentials{
		Given:    single(r.Header.Get(tallySignature)),
		Expected: signing(func(key []byte) string { return base64MAC(key, "", r.Body) }),
	}, nil
}

func tallyRead(c *check, _ Source, r Request) Delivery {
	var body tallyBody
	c.read(r.Body, &body)
	if c.kind("eventType", body.EventType) != tallyEvent {
		return unsupported
	}
	a := Answers{
		Room:    c.need("data.formId", body.Data.FormID),
		Key:     c.need("data.responseId", cmp.Or(body.Data.ResponseID, body.Data.SubmissionID)),
		At:      c.answeredAt(c.time("data.createdAt", body.Data.CreatedAt), c.time("createdAt", body.CreatedAt)),
		Foreign: true,
	}
	for _, f := range body.Data.Fields {
		tallyInto(&a, c, f)
	}
	return a.delivery(r.Body)
}

// tallyInto adds one field. Types that are not named (addresses, phone numbers, links, files, signatures, payments, grids,
// and what is to come) are not looked into.
func tallyInto(a *Answers, c *check, f tallyField) {
	const at = "data.fields."
	if len(f.Value) == 0 {
		return
	}
	var value any
	switch f.Type {
	case "HIDDEN_FIELDS":
		var text id
		if json.Unmarshal(f.Value, &text) == nil {
			a.hidden(c, at+"value", f.Label, text)
		}
		return
	case "INPUT_TEXT", "TEXTAREA", "INPUT_NUMBER", "INPUT_DATE", "INPUT_TIME", "LINEAR_SCALE", "RATING":
		c.read(f.Value, &value)
	case "MULTIPLE_CHOICE", "DROPDOWN", "CHECKBOXES", "MULTI_SELECT", "RANKING":
		c.read(f.Value, &value)
		value = f.labels(value)
	default:
		return
	}
	a.set(c.need(at+"key", f.Key), value)
}

// labels replaces the ids of chosen options by their texts. One choice of a question that is not for several is the text
// itself. Checkboxes also send one field more for each box, ticked or not, which repeats what the list says.
func (f tallyField) labels(value any) any {
	label := func(chosen any) any {
		at := slices.IndexFunc(f.Options, func(o tallyOption) bool { return chosen == string(o.ID) })
		if at < 0 {
			return chosen
		}
		return f.Options[at].Text
	}
	switch v := value.(type) {
	case string:
		return label(v)
	case []any:
		for i := range v {
			v[i] = label(v[i])
		}
		if len(v) == 1 && (f.Type == "MULTIPLE_CHOICE" || f.Type == "DROPDOWN") {
			return v[0]
		}
		return v
	}
	return nil
}

func tallySign(s Source, r *Request) {
	r.set(tallySignature, base64MAC([]byte(s.Secrets[0]), "", r.Body))
}

func tallyEncodeAnswers(a Answers) (string, []byte) {
	fields := []any{}
	add := func(key, label, kind string, value any, more ...tallyOption) {
		fields = append(fields, map[string]any{"key": key, "label": label, "type": kind, "value": value, "options": more})
	}
	hidden := a.hiddenFields()
	for _, name := range slices.Sorted(maps.Keys(hidden)) {
		add("question_"+name, name, "HIDDEN_FIELDS", hidden[name])
	}
	for _, key := range slices.Sorted(maps.Keys(a.Values)) {
		switch v := a.Values[key].(type) {
		case json.Number:
			add(key, key, "LINEAR_SCALE", v)
		case []any:
			var options []tallyOption
			var chosen []string
			for _, label := range v {
				o := tallyOption{ID: id("option-" + string(mustJSON(label))), Text: label.(string)}
				options, chosen = append(options, o), append(chosen, string(o.ID))
			}
			add(key, key, "MULTI_SELECT", chosen, options...)
		default:
			add(key, key, "INPUT_TEXT", v)
		}
	}
	stamp := a.At.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	return "application/json", mustJSON(map[string]any{
		"eventId": "event-" + a.Key, "eventType": tallyEvent, "createdAt": stamp,
		"data": map[string]any{"responseId": a.Key, "submissionId": a.Key, "formId": a.Room, "createdAt": stamp, "fields": fields},
	})
}
