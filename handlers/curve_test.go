package handlers

import (
	"encoding/xml"
	"strings"
	"testing"
)

func TestLiveFragmentIsXML(t *testing.T) {
	t.Parallel()
	s := one(t)
	s.play(3)
	page := s.get("/sessions/metier/live").Body.String()
	_, page, _ = strings.Cut(page, "<svg")
	page, _, _ = strings.Cut(page, "</svg>")
	var drawing struct {
		Title string `xml:"title"`
		Desc  string `xml:"desc"`
	}
	if err := xml.Unmarshal([]byte("<svg"+page+"</svg>"), &drawing); err != nil || drawing.Title == "" || !strings.Contains(drawing.Desc, "au plus haut") {
		t.Errorf("%v %+v", err, drawing)
	}
}
