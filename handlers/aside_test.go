package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"jauge/attendance"
	"jauge/handlers/api"
	"jauge/handlers/lookup"
)

// rehearse lets two people meet in the room of a session the day before.
func (s *site) rehearse() {
	s.t.Helper()
	for i, who := range []string{"ann", "bob"} {
		at := start.AddDate(0, 0, -1).Add(time.Duration(i) * 38 * time.Minute)
		s.event("zoom", attendance.Event{Kind: attendance.Joined, Room: "951", Occurrence: "rehearsal", Attendee: who, Connection: who, At: at})
	}
}

// What a room was used for at other times is listed, counted, and put back, by the API.
func TestOpeningsByTheAPI(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		s.rehearse()
		aside := decode[api.Aside](t, s.get("/api/v1/aside"))
		if len(aside.Openings) != 1 || aside.Openings[0].People != 2 || aside.Openings[0].Reason != "outside" || aside.Groups[0].Reason != "outside" {
			t.Fatalf("%+v", aside)
		}
		o := aside.Openings[0]
		if strings.Contains(o.Occurrence, "rehearsal") || strings.Contains(o.Occurrence, "ann") {
			t.Errorf("named %q", o.Occurrence)
		}
		unique := func() any {
			return *decode[lookup.Object](t, s.get("/api/v1/sessions/metier")).Attendance.Unique
		}
		claim := map[string]string{"source": "zoom", "room": "951", "occurrence": o.Occurrence, "session": "metier"}
		for _, row := range []struct {
			what, value string
			code        int
		}{{"session", "", 422}, {"source", "", 422}, {"room", "", 422}, {"session", "nobody", 404}, {"occurrence", "another", 404}, {"room", "952", 404}, {"", "", 200}} {
			body := map[string]string{}
			for k, v := range claim {
				body[k] = v
			}
			if row.what != "" {
				body[row.what] = row.value
			}
			if w := s.do(call{method: "POST", path: "/api/v1/aside/claim", json: body, organiser: true}); w.Code != row.code {
				t.Errorf("%s %q: %d %s", row.what, row.value, w.Code, w.Body)
			}
		}
		if w := s.do(call{method: "POST", path: "/api/v1/aside/claim", json: claim}); w.Code != http.StatusUnauthorized {
			t.Errorf("by anybody: %d", w.Code)
		}
		aside = decode[api.Aside](t, s.get("/api/v1/aside"))
		if unique() != 2 || aside.Total != 0 || len(aside.Counted) != 1 || *aside.Counted[0].Session != "metier" || aside.Counted[0].Until == nil {
			t.Errorf("counted: %v %+v", unique(), aside)
		}
		delete(claim, "session")
		for _, code := range []int{200, 404} {
			if w := s.do(call{method: "POST", path: "/api/v1/aside/unclaim", json: claim, organiser: true}); w.Code != code {
				t.Errorf("put back: %d, not %d: %s", w.Code, code, w.Body)
			}
		}
		if aside = decode[api.Aside](t, s.get("/api/v1/aside")); unique() != 0 || len(aside.Counted) != 0 || len(aside.Openings) != 1 {
			t.Errorf("put back: %v %+v", unique(), aside)
		}
	})
}

// The programme says when a room was open at another time, and with how many people; a button counts it, another one puts it back.
func TestOpeningsOnTheProgramme(t *testing.T) {
	t.Parallel()
	s := one(t)
	s.rehearse()
	for lang, words := range map[string]string{
		"en": "was also open on Wednesday, April 29, 2020, 18:00 to 18:38: 2 people", "fr": "a aussi été ouverte le mercredi 29 avril 2020, de 18\u00a0h\u00a000 à 18\u00a0h\u00a038\u00a0: 2 personnes",
	} {
		if text := s.get("/?lang=" + lang).Body.String(); !strings.Contains(text, words) {
			t.Errorf("%s: %s", lang, text)
		}
	}
	o := decode[api.Aside](t, s.get("/api/v1/aside")).Openings[0]
	form := url.Values{"source": {"zoom"}, "room": {"951"}, "occurrence": {o.Occurrence}, "session": {"metier"}}
	for path, people := range map[string]int{"/aside/claim": 2} {
		if w := s.do(call{method: "POST", path: path, form: form, organiser: true}); w.Code != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		if n := *decode[lookup.Object](t, s.get("/api/v1/sessions/metier")).Attendance.Unique; n != people {
			t.Errorf("%d people", n)
		}
	}
	if text := s.get("/?lang=en").Body.String(); !strings.Contains(text, "Counted by hand in “An exceptional profession!”") {
		t.Errorf("%s", text)
	}
	if w := s.do(call{method: "POST", path: "/aside/unclaim", form: form, organiser: true}); w.Code != http.StatusSeeOther {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if text := s.get("/?lang=en").Body.String(); !strings.Contains(text, "was also open") {
		t.Errorf("%s", text)
	}
}

// Who changes the place of a session that has counted people is told that they stay.
func TestAChangeOfPlaceSaysWhatStays(t *testing.T) {
	t.Parallel()
	s := one(t)
	definition := func(room, before string) map[string]any {
		return map[string]any{
			"title": map[string]string{"fr": "Un métier"}, "starts_at": start, "ends_at": start.Add(time.Hour), "rooms": []map[string]string{{"source": "zoom", "id": room}},
			"window": map[string]string{"before": before},
		}
	}
	for _, row := range []struct {
		what         string
		room, before string
		note         bool
	}{
		{"created", "88", "1h", false}, {"nobody has come", "89", "1h", false}, {"the same place", "89", "60m", false}, {"another window", "89", "2h", true}, {"another room", "90", "2h", true},
	} {
		if row.what == "the same place" {
			s.event("zoom", attendance.Event{Kind: attendance.Joined, Room: "89", Occurrence: "o", Attendee: "x", Connection: "1", At: start})
		}
		w := s.do(call{method: "PUT", path: "/api/v1/sessions/autre", json: definition(row.room, row.before), organiser: true})
		if got := decode[lookup.Object](t, w); w.Code != http.StatusOK || (got.Note != "") != row.note {
			t.Errorf("%s: %d %s", row.what, w.Code, w.Body)
		}
	}
	if n := *decode[lookup.Object](t, s.get("/api/v1/sessions/autre")).Attendance.Unique; n != 1 {
		t.Errorf("%d people", n)
	}
}
