package api

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// writeHeaders names the file that follows.
func (t table) writeHeaders(c *gin.Context, extension, contentType string) {
	c.Header("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s.%s"`, c.Param("id"), t.name, extension))
	c.Header("Content-Type", contentType)
	c.Status(http.StatusOK)
}

// writeCSV writes a table with commas (RFC 4180). An empty cell is nil.
func writeCSV(c *gin.Context, t table) error {
	t.writeHeaders(c, "csv", "text/csv; charset=utf-8")
	if t.words {
		_, _ = c.Writer.WriteString("\ufeff")
	}
	w := csv.NewWriter(c.Writer)
	write := func(record []string) { _ = w.Write(record) } // fails if the caller hung up
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

// harmless puts an apostrophe before what could begin a formula. Where a semicolon separates cells, as in French, programs ignore
// quotes after a comma, so a cell may begin after each semicolon, tab or line end, too.
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
