package handlers

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"jauge/feedback"
)

// opened reads a workbook back.
func opened(t testing.TB, body *bytes.Buffer) *excelize.File {
	t.Helper()
	f, err := excelize.OpenReader(body)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// records reads an export, in CSV and XLSX, which must agree but for how times and booleans are written.
func (s *site) records(path string) [][]string {
	s.t.Helper()
	w := s.get(path + ".csv")
	text := w.Body.String()
	fromCSV, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff"))).ReadAll()
	if err != nil {
		s.t.Fatal(err)
	}
	name := strings.ReplaceAll(strings.TrimPrefix(path, "/api/v1/sessions/"), "/", "-")
	if got := w.Header().Get("Content-Disposition"); got != `attachment; filename="`+name+`.csv"` {
		s.t.Error(got)
	}
	book := s.get(path + ".xlsx")
	if got := book.Header().Get("Content-Disposition"); got != `attachment; filename="`+name+`.xlsx"` {
		s.t.Error(got)
	}
	fromXLSX, err := opened(s.t, book.Body).GetRows(path[strings.LastIndex(path, "/")+1:])
	if err != nil {
		s.t.Fatal(err)
	}
	for i := range fromXLSX {
		for len(fromXLSX[i]) < len(fromCSV[0]) { // empty cells at the end
			fromXLSX[i] = append(fromXLSX[i], "")
		}
	}
	normal := func(records [][]string) []string { // Excel shows fifteen digits; both are read in random order
		var lines []string
		for _, record := range records {
			record = slices.Clone(record)
			for i, cell := range record {
				cell = strings.ReplaceAll(cell, "'", "") // which CSV puts before what could begin a formula
				record[i] = cell
				if n, err := strconv.ParseFloat(cell, 64); err == nil {
					record[i] = strconv.FormatFloat(n, 'g', 12, 64)
				}
			}
			line := strings.ToLower(strings.Join(record, ","))
			lines = append(lines, regexp.MustCompile(`(\d{4}-\d\d-\d\d)[t ](\d\d:\d\d:\d\d)[^,]*`).ReplaceAllString(line, "$1 $2"))
		}
		slices.Sort(lines)
		return lines
	}
	if diff := cmp.Diff(normal(fromCSV), normal(fromXLSX)); diff != "" {
		s.t.Errorf("%s (-csv +xlsx):\n%s", path, diff)
	}
	return fromCSV
}

func TestExports(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *site) {
		s.play(2)
		for i := range 12 {
			s.answer("metier", map[string]any{"before": 1 + i%2, "now": 2 + i%2, "liked": []string{"talk", "format"}, "words": fmt.Sprintf("=été %d", i)})
		}
		texts := decode[[]feedback.Text](t, s.get("/api/v1/sessions/metier/texts"))
		s.decide(texts[0].ID, "approve", http.StatusOK)

		rows := s.records("/api/v1/sessions/metier/attendance")
		if len(rows) != 3 || rows[0][0] != "attendee" || !slices.ContainsFunc(rows, func(r []string) bool { return r[1] == start.Format(time.RFC3339) && r[4] == "600" }) {
			t.Errorf("attendance %v", rows)
		}
		rows = s.records("/api/v1/sessions/metier/feedback")
		if want := strings.Fields("segment question kind n value count share share_low share_high suppressed"); !slices.Equal(rows[0], want) {
			t.Errorf("feedback %v", rows[0])
		}
		rows = s.records("/api/v1/sessions/metier/answers")
		if want := []string{"segment", "before", "known", "now", "recommend", "liked", "words"}; !slices.Equal(rows[0], want) {
			t.Errorf("answers %v", rows[0])
		}
		approved := 0
		for _, row := range rows[1:] {
			if row[5] != "talk|format" || row[6] != "" && row[6] != "'"+texts[0].Text {
				t.Errorf("answer %q", row)
			}
			if row[6] != "" {
				approved++
			}
		}
		if len(rows) != 13 || approved != 1 {
			t.Errorf("%d answers, %d texts", len(rows)-1, approved)
		}
		if text := s.get("/api/v1/sessions/metier/answers.csv").Body.String(); !strings.HasPrefix(text, "\ufeffsegment,") {
			t.Error("no byte order mark before people's words")
		}
		if text := s.get("/api/v1/sessions/metier/feedback.csv").Body.String(); !strings.HasPrefix(text, "segment,") {
			t.Error("a byte order mark where there are names of ours only")
		}
	})
}

func TestAnswersAreRefused(t *testing.T) {
	t.Parallel()
	doc := document(t)
	s := one(t)
	for i := range 9 {
		s.answer("metier", map[string]any{"before": 2, "now": 4})
		s.answer("eleves", map[string]any{"before": 2, "now": 4})
		if strings.Contains(s.get("/sessions/metier").Body.String(), "answers.csv") {
			t.Errorf("%d answers are offered", i+1)
		}
	}
	for range 9 {
		s.answer("eleves", map[string]any{"before": 3, "now": 5})
	}
	for session, code := range map[string]int{"metier": http.StatusConflict, "eleves": http.StatusForbidden, "salle": http.StatusNotFound, "none": http.StatusNotFound} {
		for _, extension := range []string{"csv", "xlsx"} {
			w := s.do(call{path: "/api/v1/sessions/" + session + "/answers." + extension, organiser: true})
			if w.Code != code || w.Header().Get("Content-Disposition") != "" {
				t.Errorf("%s: %d %s", session, w.Code, w.Body)
			}
			fits(t, doc, http.MethodGet, "/api/v1/sessions/{id}/answers."+extension, w)
		}
	}
	s.answer("metier", map[string]any{"before": 3, "now": 3})
	if !strings.Contains(s.get("/sessions/metier").Body.String(), "/api/v1/sessions/metier/answers.csv") {
		t.Error("ten answers are not offered")
	}
	if strings.Contains(s.get("/sessions/eleves").Body.String(), "answers.csv") {
		t.Error("answers of minors are offered")
	}
}
