package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Row is one line of the table.
type Row struct {
	What       string             `json:"what"`
	Against    string             `json:"against,omitempty"`
	Unit       string             `json:"unit,omitempty"`   // of Value; empty: a ratio or a number
	Value      float64            `json:"value"`            // the median of Rounds
	Rounds     []float64          `json:"rounds,omitempty"` // one value a pair, in the order of measuring
	Target     *Target            `json:"target,omitempty"` // nil: it is for information
	Verdict    Verdict            `json:"verdict,omitempty"`
	Unmeasured string             `json:"not_measured,omitempty"` // why there is no value
	Absolute   map[string]float64 `json:"absolute,omitempty"`     // medians that the value was made of, by what they are
}

// Target is a bound of a Row's value.
type Target struct {
	Most  bool    `json:"most"` // the value may be Bound at most; else at least
	Bound float64 `json:"bound"`
}

// Verdict says what became of a target.
type Verdict string

// The verdicts. Near says that single rounds lie on the other side of the bound: measure again, on a machine that has nothing else to do.
const (
	Met         Verdict = "met"
	Missed      Verdict = "missed"
	Near        Verdict = ", near"
	NotMeasured Verdict = "not measured"
)

func atLeast(bound float64) *Target { return &Target{Bound: bound} }
func atMost(bound float64) *Target  { return &Target{Most: true, Bound: bound} }

func (t *Target) met(value float64) bool {
	if t.Most {
		return value <= t.Bound
	}
	return value >= t.Bound
}

func (t *Target) String() string {
	switch {
	case t == nil:
		return "–"
	case t.Most:
		return "≤ " + number(t.Bound)
	default:
		return "≥ " + number(t.Bound)
	}
}

// row judges what was measured in rounds.
func row(what, against, unit string, target *Target, rounds []float64, absolute map[string]float64) Row {
	r := Row{What: what, Against: against, Unit: unit, Target: target, Rounds: rounds, Absolute: absolute, Value: median(rounds)}
	if target == nil {
		return r
	}
	r.Verdict = Missed
	if target.met(r.Value) {
		r.Verdict = Met
	}
	for _, v := range rounds {
		if target.met(v) != target.met(r.Value) {
			r.Verdict += Near
			break
		}
	}
	return r
}

// unmeasured is a row that has no value.
func unmeasured(what, against string, target *Target, why string) Row {
	return Row{What: what, Against: against, Target: target, Verdict: NotMeasured, Unmeasured: why}
}

// Report is one run.
type Report struct {
	At     time.Time `json:"at"`
	Commit string    `json:"commit"`
	Short  bool      `json:"short"`
	Cores  int       `json:"cores"`
	Model  string    `json:"processor"`
	Go     string    `json:"go"`
	Redis  string    `json:"redis"`
	Load   string    `json:"load_average"` // of the machine, before the run
	Took   string    `json:"took"`
	Noise  float64   `json:"noise"` // how far the empty handler's own rate went from its median, at most, as a part of it
	Rows   []Row     `json:"rows"`
}

// table writes a run for people.
func (r *Report) table(w io.Writer) {
	lines := [][]string{{"what", "against", "measured", "rounds", "target", "verdict"}}
	for _, row := range r.Rows {
		measured, rounds := number(row.Value)+row.Unit, ""
		if row.Unmeasured != "" {
			measured = "–"
			rounds = row.Unmeasured
		} else if len(row.Rounds) > 1 {
			rounds = number(slices.Min(row.Rounds)) + "–" + number(slices.Max(row.Rounds))
		}
		lines = append(lines, []string{row.What, row.Against, measured, rounds, row.Target.String(), string(row.Verdict)})
	}
	width := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	for n, line := range lines {
		for i, cell := range line {
			fmt.Fprint(w, "| ", cell, strings.Repeat(" ", width[i]-len([]rune(cell))), " ")
		}
		fmt.Fprintln(w, "|")
		if n == 0 {
			for _, wide := range width {
				fmt.Fprint(w, "|", strings.Repeat("-", wide+2))
			}
			fmt.Fprintln(w, "|")
		}
	}
	fmt.Fprintln(w)
	if r.Noise > 0 {
		fmt.Fprintf(w, "By itself the empty handler went ±%.0f %% around its median. ", 100*r.Noise)
	}
	fmt.Fprintf(w, "%s, %d cores, %s, redis-server %s, commit %s, load %s before, took %s.\n\n", r.Model, r.Cores, r.Go, r.Redis, r.Commit, r.Load, r.Took)
	for _, row := range r.Rows {
		if len(row.Absolute) > 0 {
			fmt.Fprintf(w, "%s: %s\n", row.What, absolutes(row.Absolute))
		}
	}
}

func absolutes(m map[string]float64) string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = name + " " + number(m[name])
	}
	return strings.Join(names, " · ")
}

// keep adds the run as one line of JSON to a file.
func (r *Report) keep(file string) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // no secret
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err = f.Write(append(line, '\n')); err != nil {
		return err
	}
	return f.Sync()
}

// number writes three digits that mean something.
func number(v float64) string {
	switch {
	case v == float64(int64(v)), v >= 1000, v <= -1000:
		return thousands(strconv.FormatInt(int64(v), 10))
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

func thousands(digits string) string {
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile is 0 of nothing.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	if q == 0.5 && len(sorted)%2 == 0 {
		return (sorted[len(sorted)/2-1] + sorted[len(sorted)/2]) / 2
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// spread is how far values go from their median, at most, as a part of it.
func spread(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	m := median(values)
	return max(slices.Max(values)-m, m-slices.Min(values)) / m
}
