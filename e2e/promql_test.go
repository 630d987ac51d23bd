// Package e2e tests what takes more than Go's own tools: the dashboards' queries with Prometheus' own parser, the
// compose file with compose's own loader. It is a module of its own so that none of this weighs on the
// product's dependencies.
package e2e

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/prometheus/prometheus/promql/parser"

	"jauge/dashboards"
)

// exported reads the names and types of the metrics from the exposition that the metrics' own tests hold.
func exported(t *testing.T) map[string]string {
	t.Helper()
	file, err := os.Open("../metrics/testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	types := map[string]string{"up": "gauge"} // Prometheus' own
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, kind, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "# TYPE "), " "); ok && strings.HasPrefix(lines.Text(), "# TYPE ") {
			types[name] = kind
			if kind == "histogram" {
				types[name+"_bucket"], types[name+"_sum"], types[name+"_count"] = "counter", "counter", "counter"
			}
		}
	}
	if len(types) < 20 {
		t.Fatalf("only %d metrics are exported", len(types))
	}
	return types
}

// perReplica lists the gauges that each replica has its own value of; all others are the same everywhere.
var perReplica = []string{"jauge_journal_pending", "jauge_journal_refused", "jauge_journal_oldest_seconds", "jauge_redis_trouble", "up"}

var labelValues = regexp.MustCompile(`^label_values\((.+), \w+\)$`)

// fill puts a value in place of Grafana's variables.
func fill(expr string) string {
	return regexp.MustCompile(`\$\w+`).ReplaceAllString(strings.ReplaceAll(expr, "$__rate_interval", "5m"), "x")
}

// check returns what is wrong with a PromQL expression: it must parse, ask for metrics that are exported, take counters
// by their rate and summed, and take one replica's word for a gauge.
func check(expr string, types map[string]string) (problems []string) {
	tree, err := parser.NewParser(parser.Options{}).ParseExpr(fill(expr))
	if err != nil {
		return []string{err.Error()}
	}
	_ = parser.Walk(visitor(func(node parser.Node, path []parser.Node) {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return
		}
		kind, known := types[selector.Name]
		calls, aggregations := above(path)
		rated := slices.Contains(calls, "rate") || slices.Contains(calls, "increase")
		switch {
		case !known:
			problems = append(problems, selector.Name+" is not exported")
		case kind == "counter" && !rated:
			problems = append(problems, selector.Name+" is a counter without rate or increase")
		case kind == "counter" && !slices.Contains(aggregations, "sum"):
			problems = append(problems, selector.Name+" is counted by each replica, but not summed")
		case kind == "gauge" && rated:
			problems = append(problems, selector.Name+" is a gauge, which has no rate")
		case kind == "gauge" && !slices.Contains(perReplica, selector.Name) && !slices.Contains(aggregations, "max"):
			problems = append(problems, selector.Name+" is the same on every replica, but not taken once with max")
		}
	}), tree, nil)
	return problems
}

// above names the functions and the aggregations around a node.
func above(path []parser.Node) (calls, aggregations []string) {
	for _, node := range path {
		switch n := node.(type) {
		case *parser.Call:
			calls = append(calls, n.Func.Name)
		case *parser.AggregateExpr:
			aggregations = append(aggregations, n.Op.String())
		}
	}
	return calls, aggregations
}

type visitor func(parser.Node, []parser.Node)

func (v visitor) Visit(node parser.Node, path []parser.Node) (parser.Visitor, error) {
	if node != nil {
		v(node, path)
	}
	return v, nil
}

func TestDashboardQueries(t *testing.T) {
	t.Parallel()
	types := exported(t)
	all, err := dashboards.All()
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range all {
		queries := expressions(d)
		if len(queries) < 10 {
			t.Errorf("%s: only %d queries", name, len(queries))
		}
		for where, expr := range queries {
			t.Run(name+"/"+where, func(t *testing.T) {
				t.Parallel()
				for _, problem := range check(expr, types) {
					t.Errorf("%s: %s", problem, expr)
				}
			})
		}
		for _, v := range d.Templating.List {
			if v.Type != dashboard.VariableTypeQuery {
				continue
			}
			match := labelValues.FindStringSubmatch(*v.Query.String)
			if match == nil {
				t.Errorf("%s: variable %s: %q is not label_values", name, v.Name, *v.Query.String)
				continue
			}
			selector, err := parser.NewParser(parser.Options{}).ParseMetricSelector(fill(match[1]))
			if err != nil {
				t.Errorf("%s: variable %s: %v", name, v.Name, err)
				continue
			}
			for _, m := range selector {
				if m.Name == "__name__" && types[m.Value] == "" {
					t.Errorf("%s: variable %s: %s is not exported", name, v.Name, m.Value)
				}
			}
		}
	}
}

// expressions lists the queries of a dashboard by panel and refId.
func expressions(d dashboard.Dashboard) map[string]string {
	queries := map[string]string{}
	add := func(p dashboard.Panel) {
		for _, target := range p.Targets {
			if query, ok := target.(prometheus.Dataquery); ok {
				queries[fmt.Sprintf("%s %s", *p.Title, *query.RefId)] = query.Expr
			}
		}
	}
	for _, p := range d.Panels {
		if p.Panel != nil {
			add(*p.Panel)
		}
		if p.RowPanel != nil {
			for _, inner := range p.RowPanel.Panels {
				add(inner)
			}
		}
	}
	return queries
}

func TestAlertQueries(t *testing.T) {
	t.Parallel()
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
			}
		}
	}
	data, err := os.ReadFile("../dashboards/prometheus/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Groups) == 0 || len(file.Groups[0].Rules) == 0 {
		t.Fatal("no alerts")
	}
	for _, rule := range file.Groups[0].Rules {
		for _, problem := range check(rule.Expr, exported(t)) {
			t.Errorf("%s: %s: %s", rule.Alert, problem, rule.Expr)
		}
	}
}

func TestCheckSeesMistakes(t *testing.T) {
	t.Parallel()
	types := map[string]string{"n_total": "counter", "present": "gauge", "jauge_journal_pending": "gauge"}
	for _, tt := range []struct{ name, expr, want string }{
		{"counter", `sum(rate(n_total[$__rate_interval]))`, ""},
		{"gauge", `max without (instance) (present{session="$session"})`, ""},
		{"gauge of each replica", `sum(jauge_journal_pending)`, ""},
		{"not PromQL", `sum(`, "1:5: parse error: unclosed left parenthesis"},
		{"MetricsQL only", `rate(n_total)`, `1:6: parse error: expected type range vector in call to function "rate", got instant vector`},
		{"unknown metric", `max(absent_friends)`, "absent_friends is not exported"},
		{"bare counter", `sum(n_total)`, "n_total is a counter without rate or increase"},
		{"one replica's counter", `rate(n_total[1m])`, "n_total is counted by each replica, but not summed"},
		{"rate of a gauge", `max(rate(present[1m]))`, "present is a gauge, which has no rate"},
		{"gauge counted twice", `sum(present)`, "present is the same on every replica, but not taken once with max"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, strings.Join(check(tt.expr, types), "\n")); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}
