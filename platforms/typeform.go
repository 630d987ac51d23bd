package platforms

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"jauge/attendance"
)

// typeform: submissions of a form. Typeform-Signature is "sha256=" and the base64 of the body's HMAC-SHA256; Typeform
// sends it only where the webhook has a secret.
// Source: https://www.typeform.com/developers/webhooks/ (secure your webhooks, example payload)
var typeform = Dialect{
	Capability:    attendance.Declared,
	Scheme:        Scheme{Key: plainKey, Read: typeformCredentials, Untimed: true},
	Decode:        reading(typeformRead),
	Sign:          typeformSign,
	Encode:        answersEncode,
	EncodeAnswers: typeformEncodeAnswers,
	SaysBooleans:  true,
}

const (
	typeformSignature = "Typeform-Signature"
	typeformEvent     = "form_response"
)

// typeformBody is what is read of a body; the form's definition, its variables and all other hidden fields are never
// decoded.
type typeformBody struct {
	EventType string `json:"event_type"`
	Response  struct {
		FormID      id               `json:"form_id"`
		Token       id               `json:"token"`        // of the submission
		SubmittedAt stamp            `json:"submitted_at"` // RFC 3339
		Hidden      typeformHidden   `json:"hidden"`
		Answers     []typeformAnswer `json:"answers"`
	} `json:"form_response"`
}

type typeformHidden struct {
	Attendee id `json:"attendee,omitempty"`
	Segment  id `json:"segment,omitempty"`
	Lang     id `json:"lang,omitempty"`
}

// typeformAnswer holds its value in the field that its type names. E-mail addresses, phone numbers, links, files and
// payments have types of their own and are never decoded.
type typeformAnswer struct {
	Type  string `json:"type"`
	Field struct {
		Ref id `json:"ref"`
	} `json:"field"`
	Text    string      `json:"text,omitempty"`
	Number  json.Number `json:"number,omitempty"`
	Boolean *bool       `json:"boolean,omitempty"`
	Date    string      `json:"date,omitempty"`
	Choice  *struct {
		Label string `json:"label,omitempty"`
		Other string `json:"other,omitempty"` // what was typed instead
	} `json:"choice,omitempty"`
	Choices *struct {
		Labels []string `json:"labels"`
		Other  string   `json:"other,omitempty"`
	} `json:"choices,omitempty"`
}

// value is the answer as plain JSON; nil for a type that is not taken, or nothing.
func (a typeformAnswer) value() any {
	switch {
	case a.Type == "text":
		return a.Text
	case a.Type == "number" && a.Number != "":
		return a.Number
	case a.Type == "boolean" && a.Boolean != nil:
		return *a.Boolean
	case a.Type == "date":
		return a.Date
	case a.Type == "choice" && a.Choice != nil && a.Choice.Label != "":
		return a.Choice.Label
	case a.Type == "choice" && a.Choice != nil:
		return a.Choice.Other
	case a.Type == "choices" && a.Choices != nil:
		var labels []any
		for _, label := range a.Choices.Labels {
			labels = append(labels, label)
		}
		if a.Choices.Other != "" {
			labels = append(labels, a.Choices.Other)
		}
		return labels
	}
	return nil
}

func typeformCredentials(_ Source, r Request) (Credentials, error) {
	signature, ok := strings.CutPrefix(r.Header.Get(typeformSignature), "sha256=")
	if !ok {
		return Credentials{}, nil
	}
	return Credentials{Given: single(signature), Expected: signing(func(key []byte) string { return base64MAC(key, "", r.Body) })}, nil
}

func typeformRead(c *check, _ Source, r Request) Delivery {
	var head struct {
		EventType id `json:"event_type"`
	}
	c.read(r.Body, &head)
	if c.kind("event_type", head.EventType) != typeformEvent { // a submission that was begun and left, for one
		return unsupported
	}
	const at = "form_response."
	var body typeformBody
	c.read(r.Body, &body)
	response := body.Response
	a := Answers{
		Room:    c.need(at+"form_id", response.FormID),
		Key:     c.need(at+"token", response.Token),
		At:      c.answeredAt(c.time(at+"submitted_at", response.SubmittedAt)),
		Foreign: true,
	}
	a.hidden(c, at+"hidden.attendee", "attendee", response.Hidden.Attendee)
	a.hidden(c, at+"hidden.segment", "segment", response.Hidden.Segment)
	a.hidden(c, at+"hidden.lang", "lang", response.Hidden.Lang)
	for _, answer := range response.Answers {
		a.set(c.need(at+"answers.field.ref", answer.Field.Ref), answer.value())
	}
	return a.delivery(r.Body)
}

func typeformSign(s Source, r *Request) {
	r.set(typeformSignature, "sha256="+base64MAC([]byte(s.Secrets[0]), "", r.Body))
}

func typeformEncodeAnswers(a Answers) (string, []byte) {
	answers := []any{}
	for _, ref := range slices.Sorted(maps.Keys(a.Values)) {
		answer := map[string]any{"field": map[string]any{"ref": ref}}
		kind, value := "text", a.Values[ref]
		switch v := value.(type) {
		case json.Number:
			kind = "number"
		case bool:
			kind = "boolean"
		case []any:
			kind, value = "choices", map[string]any{"labels": v}
		}
		answer["type"], answer[kind] = kind, value
		answers = append(answers, answer)
	}
	return "application/json", mustJSON(map[string]any{
		"event_id": "event-" + a.Key, "event_type": typeformEvent,
		"form_response": map[string]any{
			"form_id": a.Room, "token": a.Key, "submitted_at": a.At.UTC().Format(time.RFC3339), // whole seconds
			"hidden": a.hiddenFields(), "answers": answers,
		},
	})
}
