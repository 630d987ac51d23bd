package platforms

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"jauge/attendance"
)

// What the dialects of survey platforms share. They say nothing about attendance, which is the capability Declared: a
// session whose only room is a survey has the heads that its host declares, and every other count is unknown.

// answersEncode is the Encode of a platform that has no word for attendance.
func answersEncode(attendance.Event) (string, []byte) { return "", nil }

// hidden takes what the survey's address passed on (?attendee=…&segment=…&lang=…), and says whether it did.
func (a *Answers) hidden(c *check, field, name string, value id) bool {
	switch name {
	case "attendee":
		a.Attendee = c.id(field, value)
	case "segment":
		a.Segment = c.id(field, value)
	case "lang":
		a.Lang = c.id(field, value)
	default:
		return false
	}
	return true
}

// set keeps an answer that is one: text, a number, yes or no, or a list of texts. Questions that were skipped (null, an
// empty text, an empty list) and what no question of a survey can take (grids, files, payments) are left out.
func (a *Answers) set(ref string, value any) {
	if ref == "" {
		return
	}
	switch v := value.(type) {
	case string:
		if v == "" {
			return
		}
	case json.Number, bool:
	case []any:
		for _, item := range v {
			if _, ok := item.(string); !ok {
				return
			}
		}
		if len(v) == 0 {
			return
		}
	default:
		return
	}
	if a.Values == nil {
		a.Values = map[string]any{}
	}
	a.Values[ref] = value
}

// delivery is what a submission proves: nothing that is jauge's business if no question was answered yet, or if nobody can tell
// which form it is of. One without an id is known by its text, which is the same when it comes again.
func (a Answers) delivery(body []byte) Delivery {
	if len(a.Values) == 0 || a.Room == "" {
		return unsupported
	}
	if a.Key == "" {
		sum := sha256.Sum256(body)
		a.Key = hex.EncodeToString(sum[:16])
	}
	return Delivery{Answers: []Answers{a}}
}

// hiddenFields is the reverse of hidden, without what is empty.
func (a Answers) hiddenFields() map[string]string {
	fields := map[string]string{}
	for name, value := range map[string]string{"attendee": a.Attendee, "segment": a.Segment, "lang": a.Lang} {
		if value != "" {
			fields[name] = value
		}
	}
	return fields
}
