package platforms

import (
	"maps"

	"jauge/attendance"
)

// formbricks: responses to a survey, signed with Standard Webhooks (see standard.go). One response comes several times,
// as it grows: each time under the same key, with all that is answered so far and the time of the change, so that the
// latest replaces the others.
// Source: https://formbricks.com/docs (webhooks) and github.com/formbricks/formbricks
var formbricks = Dialect{
	Capability:    attendance.Declared,
	Scheme:        standardScheme,
	Decode:        reading(formbricksRead),
	Sign:          standardSign,
	Encode:        answersEncode,
	EncodeAnswers: formbricksEncodeAnswers,
	Grows:         true,
}

// formbricksBody is what is read of a body; the contact, its attributes, the browser and the country are never decoded.
type formbricksBody struct {
	Event id `json:"event"`
	Data  struct {
		ID        id             `json:"id"` // of the response
		SurveyID  id             `json:"surveyId"`
		CreatedAt stamp          `json:"createdAt"` // RFC 3339
		UpdatedAt stamp          `json:"updatedAt"`
		Finished  truth          `json:"finished"`
		Language  string         `json:"language"` // a code; "default" is the survey's own
		Data      map[string]any `json:"data"`     // question id, or name of a hidden field → answer
	} `json:"data"`
}

func formbricksRead(c *check, _ Source, r Request) Delivery {
	var body formbricksBody
	c.read(r.Body, &body)
	switch c.kind("event", body.Event) {
	default:
		return unsupported
	case "responseCreated", "responseUpdated", "responseFinished":
	}
	response := body.Data
	a := Answers{
		Room:    c.need("data.surveyId", response.SurveyID),
		Key:     c.need("data.id", response.ID),
		At:      c.answeredAt(c.time("data.updatedAt", response.UpdatedAt), c.time("data.createdAt", response.CreatedAt)),
		Foreign: true,
		Partial: !bool(response.Finished),
	}
	if response.Language != "default" {
		a.Lang = c.id("data.language", id(response.Language))
	}
	for ref, value := range response.Data {
		if text, ok := value.(string); ok && a.hidden(c, "data.data", ref, id(text)) {
			continue
		}
		a.set(c.need("data.data", id(ref)), value)
	}
	return a.delivery(r.Body)
}

func formbricksEncodeAnswers(a Answers) (string, []byte) {
	stamp := a.At.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	event := "responseFinished"
	if a.Partial {
		event = "responseUpdated"
	}
	data := maps.Clone(a.Values)
	for name, value := range a.hiddenFields() {
		data[name] = value
	}
	return "application/json", mustJSON(map[string]any{
		"webhookId": "webhook", "event": event,
		"data": map[string]any{
			"id": a.Key, "surveyId": a.Room, "createdAt": stamp, "updatedAt": stamp, "finished": !a.Partial, "language": "default", "data": data,
		},
	})
}
