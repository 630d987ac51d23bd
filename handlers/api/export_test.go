package api

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/xuri/excelize/v2"
)

// start is the moment of the tests.
var start = time.Date(2020, 4, 30, 18, 0, 0, 0, time.FixedZone("", 2*60*60))

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

func TestXLSXRunsNothing(t *testing.T) {
	t.Parallel()
	w := written(t, writeXLSX, attackTable())
	if got := w.Header().Get("Content-Type"); got != XLSX {
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
