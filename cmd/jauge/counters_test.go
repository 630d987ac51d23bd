package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"jauge/platforms"
)

// samples gives the series of /metrics with their values.
func (p *program) samples() map[string]string {
	p.t.Helper()
	code, text := p.do(http.MethodGet, "/metrics", http.Header{}, nil)
	if code != http.StatusOK {
		p.t.Fatalf("/metrics: %d", code)
	}
	samples := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if at := strings.LastIndexByte(line, ' '); at > 0 && !strings.HasPrefix(line, "#") {
			samples[line[:at]] = strings.TrimSpace(line[at:])
		}
	}
	return samples
}

// source parses a package of this module without its tests.
func source(t *testing.T, folder string) (files []*ast.File) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", "..", folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(gotoken.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// words lists the constants of a type that a package declares, wherever that is.
func words(t *testing.T, folder, kind string) (words []string) {
	t.Helper()
	for _, file := range source(t, folder) {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if of, ok := spec.Type.(*ast.Ident); !ok || of.Name != kind {
				return true
			}
			for _, value := range spec.Values {
				if literal, ok := value.(*ast.BasicLit); ok {
					word, err := strconv.Unquote(literal.Value)
					if err != nil {
						t.Fatal(err)
					}
					words = append(words, word)
				}
			}
			return true
		})
	}
	if len(words) < 4 {
		t.Fatalf("%s has only these words of the type %s: %q", folder, kind, words)
	}
	return words
}

// increase() does not see the first of a series that appears with it, so every count that can be named is there before it counts.
func TestCountersBeginAtZero(t *testing.T) {
	t.Parallel()
	p := start(t, todaysTalk())
	var want []string
	for _, source := range []string{"relay", "unknown"} {
		for _, reason := range append(words(t, "handlers/hooks", "refusal"), platforms.Reasons()...) {
			want = append(want, fmt.Sprintf(`jauge_webhook_refused_total{reason=%q,source=%q}`, reason, source))
		}
	}
	for _, result := range words(t, "handlers/door", "Outcome") {
		want = append(want, fmt.Sprintf(`jauge_feedback_submissions_total{result=%q}`, result))
	}
	for _, source := range []string{"relay", "beacon"} {
		for _, kind := range words(t, "attendance/marks", "Kind") {
			for _, result := range words(t, "attendance", "Result") {
				want = append(want, fmt.Sprintf(`jauge_events_total{kind=%q,result=%q,source=%q}`, kind, result, source))
			}
		}
	}
	want = append(want,
		`jauge_events_total{kind="unsupported",result="unsupported",source="relay"}`,
		`jauge_events_total{kind="answers",result="recorded",source="relay"}`, `jauge_events_total{kind="answers",result="aside",source="relay"}`,
		`jauge_webhook_duration_seconds_count{source="relay"}`,
		`jauge_http_requests_total{code="500",method="GET",route="/readyz"}`, `jauge_http_requests_total{code="503",method="POST",route="/webhooks/:source"}`)
	got := p.samples()
	for _, series := range want {
		if got[series] != "0" {
			t.Errorf("%s begins with %q", series, got[series])
		}
	}
}

// A reason that is written where it is used, and not in the list, would have no series at the start.
func TestRefusalsAreNamedByConstants(t *testing.T) {
	t.Parallel()
	calls := 0
	for _, file := range slices.Concat(source(t, "handlers/hooks"), source(t, "handlers/attend")) {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || method.Sel.Name != "refuse" && method.Sel.Name != "submitted" {
				return true
			}
			calls++
			for _, argument := range call.Args {
				if literal, ok := argument.(*ast.BasicLit); ok {
					t.Errorf("%s is given %s instead of a constant", method.Sel.Name, literal.Value)
				}
			}
			return true
		})
	}
	if calls < 10 {
		t.Errorf("only %d calls were found", calls)
	}
}

var seriesOf = regexp.MustCompile(`(\w+)="([^"]*)"`)

// The tests of the alerts begin each series as a service does that has just started, or they would prove alerts of a program
// that does not exist.
func TestRuleTestsBeginAsTheServiceDoes(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../dashboards/prometheus/rules_test.yml")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Tests []struct {
			Name  string
			Input []struct{ Series, Values string } `yaml:"input_series"`
		}
	}
	if err := yaml.Unmarshal(data, &rules); err != nil {
		t.Fatal(err)
	}
	p := start(t, `sources: [{name: zoom-main, platform: zoom, secrets: ["example-zoom-secret-token"]}]`)
	fresh, seen := p.samples(), map[string]bool{}
	fresh["up"] = "1" // Prometheus' own, of a service that it has reached
	for _, test := range rules.Tests {
		for _, input := range test.Input {
			name, labels, _ := strings.Cut(input.Series, "{")
			own := map[string]string{}
			for _, label := range seriesOf.FindAllStringSubmatch(labels, -1) {
				if label[1] != "job" && label[1] != "instance" { // Prometheus', too
					own[label[1]] = label[0]
				}
			}
			series := name
			if len(own) > 0 {
				var pairs []string
				for _, label := range slices.Sorted(maps.Keys(own)) {
					pairs = append(pairs, own[label])
				}
				series += "{" + strings.Join(pairs, ",") + "}"
			}
			seen[name] = true
			first := regexp.MustCompile(`^-?[0-9.]+`).FindString(input.Values)
			if value, ok := fresh[series]; !ok || value != first {
				t.Errorf("%s: %s begins with %s; a service that has just started serves %q", test.Name, input.Series, first, value)
			}
		}
	}
	if len(seen) < 5 {
		t.Errorf("only %d metrics are in the tests", len(seen))
	}
}
