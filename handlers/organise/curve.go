package organise

import (
	"fmt"
	"math"
	"strings"
	"time"

	"jauge/attendance"
	"jauge/handlers/lookup"
	"jauge/handlers/page"
)

// The drawing's size and its plot, in SVG units. Text is sized so that it can still be read at phone width.
const (
	plotLeft, plotRight = 64.0, 700.0
	plotTop, plotBottom = 44.0, 250.0
)

// curve is the attendance curve, ready to be drawn by the template "curve".
type curve struct {
	Title, Desc string
	Line        string    // the points of a polyline
	Levels      []caption // three quiet lines
	Ticks       []caption // minutes from the start
	Flags       []caption // planned start and end of the session
	Peak        *caption
	Rows        []curveRow // the same as a table
}

type caption struct {
	X, Y   float64
	Anchor string // of the text: start, middle or end
	Text   string
}

type curveRow struct {
	Clock   string
	Present string
}

// maxRows keeps the table that stands for the drawing readable aloud.
const maxRows = 25

// drawCurve lays out the points; nil: there are none yet. Times are written in the session's zone.
func drawCurve(l *page.Lang, f attendance.Figures, points []attendance.Point) (*curve, error) {
	if len(points) == 0 {
		return nil, nil
	}
	axis := newAxes(points)
	d := &curve{Line: axis.line(points), Levels: axis.levels(l), Rows: tableRows(l, f, points)}
	var err error
	if d.Ticks, err = axis.ticks(l); err != nil {
		return nil, err
	}
	if d.Flags, err = axis.flags(l, f); err != nil {
		return nil, err
	}
	if f.Peak != nil && f.PeakAt != nil && *f.Peak > 0 {
		text, err := l.T("live.peak", "N", l.Number(*f.Peak), "Time", l.Clock(lookup.Local(f, *f.PeakAt)))
		if err != nil {
			return nil, err
		}
		x := axis.x(*f.PeakAt)
		d.Peak = &caption{X: x, Y: axis.y(*f.Peak), Anchor: anchor(x), Text: text}
	}
	if d.Title, err = l.T("curve.title"); err != nil {
		return nil, err
	}
	first, last := points[0], points[len(points)-1]
	d.Desc, err = l.T("curve.desc", "From", l.Clock(lookup.Local(f, first.At)), "To", l.Clock(lookup.Local(f, last.At)),
		"First", l.Number(first.Present), "Last", l.Number(last.Present), "Peak", l.Maybe(f.Peak))
	return d, err
}

// axes maps times and heads to the plot.
type axes struct {
	from, to time.Time
	top      int
}

func newAxes(points []attendance.Point) axes {
	highest := 0
	for _, p := range points {
		highest = max(highest, p.Present)
	}
	a := axes{from: points[0].At, to: points[len(points)-1].At, top: niceTop(highest)}
	if a.to.Sub(a.from) < time.Minute {
		a.to = a.from.Add(time.Minute)
	}
	return a
}

// niceTop is the smallest of 2, 4, 6, 8, 10, 20, 40 … that is not below n, so that its half is whole, too.
func niceTop(n int) int {
	for unit := 1; ; unit *= 10 {
		for _, factor := range []int{2, 4, 6, 8, 10} {
			if unit*factor >= n {
				return unit * factor
			}
		}
	}
}

func (a axes) x(t time.Time) float64 {
	share := float64(t.Sub(a.from)) / float64(a.to.Sub(a.from))
	return round(plotLeft + min(max(share, 0), 1)*(plotRight-plotLeft))
}

func (a axes) y(n int) float64 {
	return round(plotBottom - min(float64(n)/float64(a.top), 1)*(plotBottom-plotTop))
}

func round(v float64) float64 { return math.Round(v*10) / 10 }

// line is a staircase: a count holds until the next point.
func (a axes) line(points []attendance.Point) string {
	var line strings.Builder
	for i, p := range points {
		x := a.x(p.At)
		if i > 0 && p.Present != points[i-1].Present {
			fmt.Fprintf(&line, "%g,%g ", x, a.y(points[i-1].Present))
		}
		if i == 0 || i == len(points)-1 || p.Present != points[i-1].Present {
			fmt.Fprintf(&line, "%g,%g ", x, a.y(p.Present))
		}
	}
	return strings.TrimSpace(line.String())
}

func (a axes) levels(l *page.Lang) []caption {
	levels := make([]caption, 0, 3)
	for _, n := range []int{0, a.top / 2, a.top} {
		levels = append(levels, caption{X: plotLeft - 8, Y: a.y(n), Text: l.Number(n)})
	}
	return levels
}

// ticks are at whole minutes from the start, at most six.
func (a axes) ticks(l *page.Lang) ([]caption, error) {
	span := int(a.to.Sub(a.from).Minutes())
	step := 1
	for _, step = range []int{1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440} {
		if span/step <= 5 {
			break
		}
	}
	var ticks []caption
	for minute := 0; minute <= span && len(ticks) < 7; minute += step {
		text, err := l.T("curve.minute", "N", l.Number(minute))
		if err != nil {
			return nil, err
		}
		x := a.x(a.from.Add(time.Duration(minute) * time.Minute))
		ticks = append(ticks, caption{X: x, Y: plotBottom + 30, Anchor: anchor(x), Text: text})
	}
	return ticks, nil
}

// flags mark the planned start and the end, where they lie within the drawing.
func (a axes) flags(l *page.Lang, f attendance.Figures) ([]caption, error) {
	var flags []caption
	for _, mark := range []struct {
		id string
		at time.Time
	}{{"curve.planned", f.Session.StartsAt}, {"curve.ended", f.EndedAt}} {
		if mark.at.IsZero() || mark.at.Before(a.from) || mark.at.After(a.to) {
			continue
		}
		text, err := l.T(mark.id)
		if err != nil {
			return nil, err
		}
		x := a.x(mark.at)
		flags = append(flags, caption{X: x, Y: plotTop - 22, Anchor: anchor(x), Text: text})
	}
	return flags, nil
}

// anchor keeps a text at x within the drawing.
func anchor(x float64) string {
	switch {
	case x < plotLeft+90:
		return "start"
	case x > plotRight-90:
		return "end"
	}
	return "middle"
}

// tableRows takes the points at round distances from the first.
func tableRows(l *page.Lang, f attendance.Figures, points []attendance.Point) []curveRow {
	first, last := points[0].At, points[len(points)-1].At
	step := lookup.NiceStep(last.Sub(first), maxRows)
	var rows []curveRow
	for _, p := range points {
		if next := first.Add(time.Duration(len(rows)) * step); !p.At.Before(next) {
			rows = append(rows, curveRow{l.Clock(lookup.Local(f, p.At)), l.Number(p.Present)})
		}
	}
	return rows
}
