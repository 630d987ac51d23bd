package handlers

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"jauge/feedback"
)

// attacks are texts that somebody may write so that a spreadsheet runs them, or breaks on them.
var attacks = []string{
	"=cmd|'/C calc'!A0", "=1+1", "+1", "-1", "@SUM(A1:A2)", "\t=1+1", "\r=1+1", "\n=1+1", "＝1+1", "＋1", "－1", "＠x", `=HYPERLINK("http://x";"y")`,
	"a;=1+1", "a; =1+1;b", "a\n=1+1", "a\r\n-1", "a\t@x", `a;"=1+1"`, `"=1+1"`, `a,"=1+1`, "'=1+1", "x=1", "deux lignes\net trois", `"guillemets"`, `""`, ",", ";",
	" ", "plain", "é€😀", "_x0041_", "<b>&amp;</b>", "]]>", strings.Repeat("😀é", 20_000), "=" + strings.Repeat("A1+", 20_000) + "1",
}

func attackTable() table {
	t := table{name: "attacks", words: true}
	t.Header = []string{"text", "-x", "n"}
	for i, attack := range attacks {
		t.Rows = append(t.Rows, []any{attack, attack, i})
	}
	return t
}

// written is a table as a download.
func written(t *testing.T, write func(*gin.Context, table) error, what table) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	c, _ := gin.CreateTestContext(w)
	if err := write(c, what); err != nil {
		t.Fatal(err)
	}
	return w
}

// runs says whether a spreadsheet would take a cell for a formula.
func runs(cell string) bool {
	cell = strings.TrimLeft(cell, ` "`)
	return cell != "" && strings.ContainsAny(string([]rune(cell)[:1]), "=+-@＝＋－＠\t\r\n")
}

func TestCSVRunsNothing(t *testing.T) {
	t.Parallel()
	text := written(t, writeCSV, attackTable()).Body.String()
	if !strings.HasPrefix(text, "\ufeff"+"text,'-x,n\n") {
		t.Errorf("begins with %q", text[:20])
	}
	records, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff"))).ReadAll()
	if err != nil || len(records) != len(attacks)+1 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	for i, record := range records[1:] {
		if c := record[0]; record[1] != c || record[2] != strconv.Itoa(i) || c != "" && strings.ContainsAny(c[:1], "=+-@\t\r\n") {
			t.Errorf("%.40q: %.40q", attacks[i], record)
		}
		if back := strings.ReplaceAll(record[0], "'", ""); back != strings.ReplaceAll(strings.ReplaceAll(attacks[i], "\r\n", "\n"), "'", "") {
			t.Errorf("%.40q becomes %.40q", attacks[i], record[0])
		}
	}
	// Where a semicolon parts cells, quotes after a comma mean nothing.
	for _, cell := range regexp.MustCompile(`[;\t\r\n]`).Split(text, -1) {
		if runs(cell) {
			t.Errorf("with semicolons, %.40q would run", cell)
		}
	}
	for _, unchanged := range []string{"x=1", "plain", "é€😀", `"guillemets"`, "deux lignes\net trois"} {
		if harmless(unchanged) != unchanged {
			t.Errorf("%q becomes %q", unchanged, harmless(unchanged))
		}
	}
}

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

func TestXLSXRunsNothing(t *testing.T) {
	t.Parallel()
	w := written(t, writeXLSX, attackTable())
	if got := w.Header().Get("Content-Type"); got != xlsxType {
		t.Error(got)
	}
	f := opened(t, w.Body)
	const most = 32_767 // UTF-16 units that a cell may hold
	for i, attack := range attacks {
		at := fmt.Sprintf("A%d", i+2)
		got, err := f.GetCellValue("attacks", at)
		want := attack
		if units := len([]rune(attack)); units > most/2 {
			want = attack[:len(got)]
			if len(got) < most {
				t.Errorf("%s: only %d bytes are left", at, len(got))
			}
		}
		// XML has no carriage return of its own: readers take it for a line's end.
		if normal := strings.NewReplacer("\r\n", "\n", "\r", "\n"); err != nil || normal.Replace(got) != normal.Replace(want) {
			t.Errorf("%s: %.40q, not %.40q, %v", at, got, want, err)
		}
		formula, _ := f.GetCellFormula("attacks", at)
		kind, _ := f.GetCellType("attacks", at)
		id, _ := f.GetCellStyle("attacks", at)
		style, err := f.GetStyle(id)
		if formula != "" || kind != excelize.CellTypeInlineString || err != nil || style.NumFmt != 49 {
			t.Errorf("%s: formula %q, type %v, style %+v, %v", at, formula, kind, style, err)
		}
		if n, _ := f.GetCellType("attacks", fmt.Sprintf("C%d", i+2)); n != excelize.CellTypeNumber && n != excelize.CellTypeUnset {
			t.Errorf("a number is of type %v", n)
		}
	}
	panes, err := f.GetPanes("attacks")
	if err != nil || !panes.Freeze || panes.YSplit != 1 || panes.TopLeftCell != "A2" {
		t.Errorf("panes %+v, %v", panes, err)
	}
	for column, want := range map[string]float64{"A": 60, "C": 8} {
		if got, err := f.GetColWidth("attacks", column); got != want || err != nil {
			t.Errorf("column %s is %v wide, not %v, %v", column, got, want, err)
		}
	}
}

// A workbook that passes through a temporary file is whole, and nothing of it stays on the disk.
func TestLargeXLSX(t *testing.T) { // not in parallel: TMPDIR is the process's
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	large := table{name: "large"}
	large.Header = []string{"n", "text", "at", "share", "yes"}
	text := strings.Repeat("x", 30_000)
	for i := range 700 { // 21 MB, where excelize keeps 16 in memory
		large.Rows = append(large.Rows, []any{i, text, start, 0.25, true})
	}
	book := written(t, writeXLSX, large).Body
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	f := opened(t, book)
	for cell, want := range map[string]string{"A701": "699", "B701": text, "C701": "2020-04-30 18:00:00", "D701": "0.25", "E701": "TRUE", "A702": ""} {
		if got, err := f.GetCellValue("large", cell); got != want || err != nil {
			t.Errorf("%s: %.40q, %v", cell, got, err)
		}
	}
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
		for j, cell := range fromXLSX[i] {
			fromXLSX[i][j] = harmless(cell)
		}
		for len(fromXLSX[i]) < len(fromCSV[0]) { // empty cells at the end
			fromXLSX[i] = append(fromXLSX[i], "")
		}
	}
	normal := func(records [][]string) []string { // Excel shows fifteen digits; both are read in random order
		var lines []string
		for _, record := range records {
			record = slices.Clone(record)
			for i, cell := range record {
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
