package handlers

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/xuri/excelize/v2"

	"jauge/feedback"
)

// table is what an export holds. Besides what feedback.Table says, a cell may be a time.Time.
type table struct {
	feedback.Table
	name  string // of the file, after the session's id
	words bool   // it holds people's words, and so letters that Excel reads wrong without a byte order mark
}

// export reads a table and writes it as a download.
func (s *server) export(read func(*gin.Context) (table, error), write func(*gin.Context, table) error) handle {
	return func(c *gin.Context) error {
		t, err := read(c)
		if err != nil {
			return err
		}
		return write(c, t)
	}
}

// attendanceTable is what getAttendance answers, one row per person.
func (s *server) attendanceTable(c *gin.Context) (table, error) {
	rows, err := s.rows(c)
	if err != nil {
		return table{}, err
	}
	t := table{name: "attendance"}
	t.Header = []string{
		"attendee", "first_joined_at", "last_left_at", "visits", "watch_seconds", "watch_seconds_low", "attended", "completed", "provenance",
	}
	for _, r := range rows {
		t.Rows = append(t.Rows, []any{
			r.Attendee, known(r.FirstJoinedAt), known(r.LastLeftAt), r.Visits, r.WatchSeconds, r.WatchSecondsLow, r.Attended, r.Completed, r.Provenance,
		})
	}
	return t, nil
}

func known(t *time.Time) any {
	if t == nil {
		return nil
	}
	return *t
}

// feedbackTable is a line per question and value, of everybody and of each segment.
func (s *server) feedbackTable(c *gin.Context) (table, error) {
	_, results, err := s.results(c)
	return table{Table: results.Table(), name: "feedback"}, err
}

// answersTable is a row per answer, without what results hide.
func (s *server) answersTable(c *gin.Context) (table, error) {
	a, err := s.organised(c)
	if err != nil {
		return table{}, err
	}
	if a.promise.Minors {
		return table{}, &failure{status: http.StatusForbidden, code: "minors", detail: "Answers of minors are shown in groups only."}
	}
	rows, err := s.Feedback.Rows(c.Request.Context(), a.session.ID, a.whole, segmentIDs(a.session), s.MinimumGroup)
	return table{Table: rows, name: "answers", words: true}, err
}

// download names the file that follows.
func (t table) download(c *gin.Context, extension, contentType string) {
	c.Header("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s.%s"`, c.Param("id"), t.name, extension))
	c.Header("Content-Type", contentType)
	c.Status(http.StatusOK)
}

// writeCSV writes a table with commas (RFC 4180). An empty cell is nil.
func writeCSV(c *gin.Context, t table) error {
	t.download(c, "csv", "text/csv; charset=utf-8")
	if t.words {
		_, _ = c.Writer.WriteString("\ufeff")
	}
	w := csv.NewWriter(c.Writer)
	write := func(record []string) { _ = w.Write(record) } // the caller hung up; there is nobody to tell
	record := make([]string, len(t.Header))
	for i, name := range t.Header {
		record[i] = harmless(name)
	}
	write(record)
	for _, row := range t.Rows {
		for i, cell := range row {
			record[i] = asCSV(cell)
		}
		write(record)
	}
	w.Flush()
	return nil
}

func asCSV(cell any) string {
	switch v := cell.(type) {
	case nil:
		return ""
	case string:
		return harmless(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	}
	return fmt.Sprint(cell)
}

// formulas are the characters that make a spreadsheet run a cell which begins with them.
const formulas = "=+-@＝＋－＠"

// harmless puts an apostrophe before what could begin a formula. Where a semicolon parts cells, as in French, programs take
// no notice of quotes after a comma, so a cell may begin after each semicolon, tab or line's end, too.
// Source: OWASP, "CSV Injection".
func harmless(text string) string {
	var b strings.Builder
	begins := true
	for i, r := range text {
		blank := strings.ContainsRune("\t\r\n", r)
		if begins && strings.ContainsRune(formulas, r) || i == 0 && blank {
			b.WriteByte('\'')
		}
		b.WriteRune(r)
		begins = blank || r == ';' || begins && strings.ContainsRune(` "'`, r)
	}
	return b.String()
}

// writeXLSX writes a table as an Office Open XML workbook (ISO/IEC 29500) of one sheet. Texts are text cells in text format:
// none becomes a formula, not even when somebody edits it. Its rows are streamed; a large table passes through a
// temporary file, which is removed.
func writeXLSX(c *gin.Context, t table) error {
	f := excelize.NewFile()
	defer func() { _ = f.Close() }()
	if err := t.fill(f); err != nil {
		return fmt.Errorf("spreadsheet: %w", err)
	}
	book, err := f.WriteToBuffer()
	if err != nil {
		return fmt.Errorf("spreadsheet: %w", err)
	}
	t.download(c, "xlsx", xlsxType)
	_, _ = book.WriteTo(c.Writer)
	return nil
}

const xlsxType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// fill writes the one sheet: a header that stays in view, then the rows.
func (t table) fill(f *excelize.File) error {
	if err := f.SetDocProps(&excelize.DocProperties{Creator: "jauge", Title: t.name}); err != nil {
		return err
	}
	if err := f.SetSheetName("Sheet1", t.name); err != nil {
		return err
	}
	styles, err := newStyles(f)
	if err != nil {
		return err
	}
	w, err := f.NewStreamWriter(t.name)
	if err != nil {
		return err
	}
	for i, width := range t.widths() {
		if err := w.SetColWidth(i+1, i+1, width); err != nil {
			return err
		}
	}
	if err := w.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	header := make([]any, len(t.Header))
	for i, name := range t.Header {
		header[i] = excelize.Cell{StyleID: styles.header, Value: name}
	}
	if err := w.SetRow("A1", header); err != nil {
		return err
	}
	cells := make([]any, len(t.Header))
	for i, row := range t.Rows {
		for j, cell := range row {
			cells[j] = styles.cell(cell)
		}
		if err := w.SetRow(fmt.Sprintf("A%d", i+2), cells); err != nil {
			return err
		}
	}
	return w.Flush()
}

// styles are the ids of a workbook's formats.
type styles struct{ header, text, time int }

func newStyles(f *excelize.File) (s styles, err error) {
	const asText = 49 // the built-in number format "@"
	moment := "yyyy-mm-dd hh:mm:ss"
	for id, style := range map[*int]*excelize.Style{
		&s.header: {NumFmt: asText, Font: &excelize.Font{Bold: true}},
		&s.text:   {NumFmt: asText, Alignment: &excelize.Alignment{WrapText: true, Vertical: "top"}},
		&s.time:   {CustomNumFmt: &moment},
	} {
		if *id, err = f.NewStyle(style); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s styles) cell(cell any) any {
	switch v := cell.(type) {
	case string:
		if v == "" {
			return nil
		}
		return excelize.Cell{StyleID: s.text, Value: v}
	case time.Time:
		return excelize.Cell{StyleID: s.time, Value: v}
	}
	return cell
}

// The bounds of a column's width, in characters, and how many rows are looked at for it.
const (
	narrow  = 8
	wide    = 60
	sampled = 100
)

// widths gives every column room for its name and its first cells.
func (t table) widths() []float64 {
	widths := make([]float64, len(t.Header))
	for i, name := range t.Header {
		longest := utf8.RuneCountInString(name)
		for _, row := range t.Rows[:min(sampled, len(t.Rows))] {
			longest = max(longest, utf8.RuneCountInString(asCSV(row[i])))
		}
		widths[i] = float64(min(max(longest+2, narrow), wide))
	}
	return widths
}
