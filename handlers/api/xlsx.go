package api

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/xuri/excelize/v2"
)

// writeXLSX writes a table as an Office Open XML workbook (ISO/IEC 29500) of one sheet. Texts are text cells in text format, so that
// none becomes a formula, not even when it is edited. Rows are streamed; a large table goes through a temporary file, which is removed.
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
	t.writeHeaders(c, "xlsx", XLSX)
	_, _ = book.WriteTo(c.Writer)
	return nil
}

// XLSX is the media type of a workbook.
const XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

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
