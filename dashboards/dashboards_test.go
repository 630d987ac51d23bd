package dashboards

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
)

var update = flag.Bool("update", false, "write the JSON files")

func all(t *testing.T) map[string]dashboard.Dashboard {
	t.Helper()
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no dashboards")
	}
	return all
}

func TestJSONIsCurrent(t *testing.T) {
	t.Parallel()
	dashboards := all(t)
	for name, d := range dashboards {
		file := filepath.Join("json", name)
		want, err := JSON(d)
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the code builds, make dashboards writes it anew (-committed +built):\n%s", file, cmp.Diff(string(got), string(want)))
		}
	}
	committed, err := filepath.Glob("json/*")
	if err != nil {
		t.Fatal(err)
	}
	if len(committed) != len(dashboards) {
		t.Errorf("json holds %q, the code builds %d dashboards", committed, len(dashboards))
	}
}

// panels lists the panels of a dashboard without its rows.
func panels(d dashboard.Dashboard) (list []dashboard.Panel) {
	for _, p := range d.Panels {
		if p.Panel != nil {
			list = append(list, *p.Panel)
		}
		if p.RowPanel != nil {
			list = append(list, p.RowPanel.Panels...)
		}
	}
	return list
}

// TestDashboardsAreSound holds the rules of Grafana's dashboard-linter that have a meaning here, and those of the house;
// what needs a PromQL parser is in the module e2e.
func TestDashboardsAreSound(t *testing.T) {
	t.Parallel()
	for name, d := range all(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, problem := range lint(d) {
				t.Error(problem)
			}
		})
	}
}

// variables that Grafana fills in by itself.
var reserved = []string{"__rate_interval"}

var variableUse = regexp.MustCompile(`\$\{?(\w+)`)

func lint(d dashboard.Dashboard) (problems []string) {
	report := func(condition bool, where, what string) {
		if condition {
			problems = append(problems, where+": "+what)
		}
	}
	report(d.Uid == nil || *d.Uid == "", "dashboard", "no uid, so links to it break")
	report(d.Editable == nil || *d.Editable, "dashboard", "editable, although the code is what is kept")
	declared := slices.Clone(reserved)
	for _, v := range d.Templating.List {
		declared = append(declared, v.Name)
		report(v.Label == nil, "variable "+v.Name, "no label")
		report(v.Name != "datasource" && (v.Datasource == nil || *v.Datasource.Uid != "${datasource}"), "variable "+v.Name, "not from ${datasource}")
	}
	report(len(d.Templating.List) == 0 || d.Templating.List[0].Type != dashboard.VariableTypeDatasource, "dashboard", "no datasource variable in front")
	fold := 0
	for _, p := range panels(d) {
		problems = append(problems, lintPanel(p, declared)...)
		if p.GridPos != nil && p.GridPos.Y+p.GridPos.H <= 16 {
			fold++
		}
	}
	report(fold == 0 || fold > 7, "dashboard", "not one to seven panels before the fold")
	return problems
}

func lintPanel(p dashboard.Panel, declared []string) (problems []string) {
	title := ""
	if p.Title != nil {
		title = *p.Title
	}
	report := func(condition bool, what string) {
		if condition {
			problems = append(problems, "panel "+title+": "+what)
		}
	}
	report(title == "", "no title")
	report(p.Description == nil || *p.Description == "", "no description that says what is counted")
	report(p.Datasource == nil || p.Datasource.Uid == nil || *p.Datasource.Uid != "${datasource}", "not from ${datasource}")
	report(p.FieldConfig == nil || p.FieldConfig.Defaults.Unit == nil || *p.FieldConfig.Defaults.Unit == "", "no unit")
	report(p.FieldConfig == nil || p.FieldConfig.Defaults.NoValue == nil, "nothing to show for what is not known")
	report(p.FieldConfig != nil && p.FieldConfig.Defaults.Thresholds != nil, "thresholds where nobody would act")
	report(len(p.Targets) == 0, "no query")
	refs, legends := map[string]bool{}, map[string]bool{}
	for _, target := range p.Targets {
		query, ok := target.(prometheus.Dataquery)
		if !ok {
			report(true, "a query that is not for Prometheus")
			continue
		}
		report(query.RefId == nil || refs[*query.RefId], "two queries with one refId")
		if query.RefId != nil {
			refs[*query.RefId] = true
		}
		report(query.LegendFormat == nil || *query.LegendFormat == "", "a query without a legend")
		if query.LegendFormat != nil {
			legends[*query.LegendFormat] = true
		}
		report(strings.Contains(query.Expr, "[") && !strings.Contains(query.Expr, "[$__rate_interval]"), "a range other than $__rate_interval")
		for _, use := range variableUse.FindAllStringSubmatch(query.Expr+title, -1) {
			report(!slices.Contains(declared, use[1]), "the variable "+use[1]+" is not declared")
		}
	}
	if p.FieldConfig != nil {
		for _, override := range p.FieldConfig.Overrides {
			name, ok := override.Matcher.Options.(*string)
			report(!ok || override.Matcher.Id != "byName", "an override that is not by name")
			report(ok && !legends[*name], "an override of a name that is the legend of no query")
		}
	}
	return problems
}

// TestLintSeesMistakes breaks the session's dashboard in every way that lint is there for.
func TestLintSeesMistakes(t *testing.T) {
	t.Parallel()
	for what, breakIt := range map[string]func(*dashboard.Dashboard, *dashboard.Panel){
		"dashboard: no uid, so links to it break":                func(d *dashboard.Dashboard, _ *dashboard.Panel) { d.Uid = nil },
		"dashboard: editable, although the code is what is kept": func(d *dashboard.Dashboard, _ *dashboard.Panel) { d.Editable = new(true) },
		"variable session: no label":                             func(d *dashboard.Dashboard, _ *dashboard.Panel) { d.Templating.List[1].Label = nil },
		"variable session: not from ${datasource}": func(d *dashboard.Dashboard, _ *dashboard.Panel) {
			d.Templating.List[1].Datasource.Uid = new("prometheus")
		},
		"panel Présents: no description that says what is counted": func(_ *dashboard.Dashboard, p *dashboard.Panel) { p.Description = nil },
		"panel Présents: not from ${datasource}":                   func(_ *dashboard.Dashboard, p *dashboard.Panel) { p.Datasource.Uid = new("prometheus") },
		"panel Présents: no unit":                                  func(_ *dashboard.Dashboard, p *dashboard.Panel) { p.FieldConfig.Defaults.Unit = nil },
		"panel Présents: nothing to show for what is not known":    func(_ *dashboard.Dashboard, p *dashboard.Panel) { p.FieldConfig.Defaults.NoValue = nil },
		"panel Présents: thresholds where nobody would act": func(_ *dashboard.Dashboard, p *dashboard.Panel) {
			p.FieldConfig.Defaults.Thresholds = &dashboard.ThresholdsConfig{}
		},
		"panel Présents: no query":                            func(_ *dashboard.Dashboard, p *dashboard.Panel) { p.Targets = nil },
		"panel Présents: a query without a legend":            requery(func(q *prometheus.Dataquery) { q.LegendFormat = nil }),
		"panel Présents: two queries with one refId":          requery(func(q *prometheus.Dataquery) { q.RefId = nil }),
		"panel Présents: a range other than $__rate_interval": requery(func(q *prometheus.Dataquery) { q.Expr = "rate(a_total[5m])" }),
		"panel Présents: the variable room is not declared":   requery(func(q *prometheus.Dataquery) { q.Expr = `a{b="$room"}` }),
		"panel Présents: an override of a name that is the legend of no query": func(_ *dashboard.Dashboard, p *dashboard.Panel) {
			p.FieldConfig.Overrides = []dashboard.DashboardFieldConfigSourceOverrides{{Matcher: dashboard.MatcherConfig{Id: "byName", Options: new("absents")}}}
		},
		"dashboard: no datasource variable in front":         func(d *dashboard.Dashboard, _ *dashboard.Panel) { slices.Reverse(d.Templating.List) },
		"dashboard: not one to seven panels before the fold": func(d *dashboard.Dashboard, _ *dashboard.Panel) { d.Panels = slices.Concat(d.Panels[:6], d.Panels[:6]) },
		"panel : no title": func(_ *dashboard.Dashboard, p *dashboard.Panel) { p.Title = nil },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			d, err := session().Build()
			if err != nil {
				t.Fatal(err)
			}
			breakIt(&d, d.Panels[1].Panel)
			if diff := cmp.Diff([]string{what}, lint(d)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// requery changes the panel's query.
func requery(change func(*prometheus.Dataquery)) func(*dashboard.Dashboard, *dashboard.Panel) {
	return func(_ *dashboard.Dashboard, p *dashboard.Panel) {
		query := p.Targets[0].(prometheus.Dataquery)
		change(&query)
		p.Targets = append(p.Targets[:0:0], query)
	}
}

// TestHues: one hue means one thing, and what is presence has the hue of presence.
func TestHues(t *testing.T) {
	t.Parallel()
	hues := map[string]bool{presenceHue: true, arrivalHue: true, leaveHue: true, answerHue: true, wrongHue: true, quietHue: true}
	if len(hues) != 6 {
		t.Error("two things share a hue")
	}
	used := regexp.MustCompile(`"fixedColor": "([^"]*)"`)
	for name, d := range all(t) {
		data, err := JSON(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range used.FindAllSubmatch(data, -1) {
			if hue := string(match[1]); !hues[hue] {
				t.Errorf("%s: %s stands for nothing, of %q", name, hue, slices.Sorted(maps.Keys(hues)))
			}
		}
	}
}

func TestPromtool(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatal("promtool is not on this machine: install the Debian package prometheus, or run make deps")
	}
	for _, args := range [][]string{
		{"check", "config", "prometheus/prometheus.yml"},
		{"check", "rules", "prometheus/rules.yml"},
		{"test", "rules", "prometheus/rules_test.yml"},
	} {
		t.Run(strings.Join(args[:2], " "), func(t *testing.T) {
			t.Parallel()
			if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
				t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
			}
		})
	}
}
