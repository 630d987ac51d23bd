// Package dashboards builds the Grafana dashboards from code. Their JSON is committed under json, where Grafana's
// provisioning (grafana/) picks it up; prometheus/ holds the configuration and the alerts of Prometheus.
//
// The story in files: dashboards.go (what all dashboards share), session.go (one session, live).
package dashboards

//go:generate go test -run TestJSONIsCurrent -update .

import (
	"encoding/json"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// All returns every dashboard by the name of its JSON file.
func All() (map[string]dashboard.Dashboard, error) {
	session, err := session().Build()
	if err != nil {
		return nil, err
	}
	return map[string]dashboard.Dashboard{"session.json": session}, nil
}

// JSON returns a dashboard as it is committed: indented, with a newline at its end.
func JSON(d dashboard.Dashboard) ([]byte, error) {
	data, err := json.MarshalIndent(d, "", "  ")
	return append(data, '\n'), err
}

// The same thing has the same hue on every dashboard; the hues are told apart by the colour-blind (Okabe and Ito,
// "Color Universal Design", 2008).
const (
	presenceHue = "#0072b2"
	arrivalHue  = "#009e73"
	leaveHue    = "#e69f00"
	answerHue   = "#cc79a7"
	wrongHue    = "#b3261e"
	quietHue    = "#8a8a94"
)

// unknown is shown for what a platform does not tell: never a 0.
const unknown = "non connu"

// source is the Prometheus server chosen at the top of the dashboard.
func source() common.DataSourceRef {
	return common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}")}
}

func base(uid, title, description string) *dashboard.DashboardBuilder {
	return dashboard.NewDashboardBuilder(title).
		Uid(uid).Description(description).Tags([]string{"jauge"}).
		Readonly().Timezone("browser").Time("now-2h", "now").Refresh("5s").
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Source").Type("prometheus"))
}

// variable lists the values of a label.
func variable(name, label, query string) *dashboard.QueryVariableBuilder {
	return dashboard.NewQueryVariableBuilder(name).Label(label).Datasource(source()).
		Query(dashboard.StringOrMap{String: cog.ToPtr(query)}).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).
		Sort(dashboard.VariableSortAlphabeticalAsc)
}

// now asks for the value at the end of the time range.
func now(expr, legend string) cog.Builder[variants.Dataquery] {
	return prometheus.NewDataqueryBuilder().RefId("A").Expr(expr).LegendFormat(legend).Instant()
}

// over asks for the values over the time range; ref tells the queries of one panel apart.
func over(ref, expr, legend string) cog.Builder[variants.Dataquery] {
	return prometheus.NewDataqueryBuilder().RefId(ref).Expr(expr).LegendFormat(legend).Range()
}

func fixed(hue string) *dashboard.FieldColorBuilder {
	return dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdFixed).FixedColor(hue)
}

// figure is one large number.
func figure(title, description, hue string, target cog.Builder[variants.Dataquery]) *stat.PanelBuilder {
	return stat.NewPanelBuilder().
		Title(title).Description(description).Datasource(source()).Height(5).
		Unit("none").NoValue(unknown).ColorScheme(fixed(hue)).
		ColorMode(common.BigValueColorModeValue).GraphMode(common.BigValueGraphModeNone).
		WithTarget(target)
}

// course is one or several lines over time, from zero up.
func course(title, description, unit string) *timeseries.PanelBuilder {
	return timeseries.NewPanelBuilder().
		Title(title).Description(description).Datasource(source()).Height(8).
		Unit(unit).Min(0).NoValue(unknown).
		LineWidth(2).FillOpacity(0).ShowPoints(common.VisibilityModeNever).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).
			DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti))
}

// hued gives the series of a legend its fixed hue.
func hued(hue string) []dashboard.DynamicConfigValue {
	return []dashboard.DynamicConfigValue{{Id: "color", Value: map[string]string{"mode": "fixed", "fixedColor": hue}}}
}

// dashed is a hue for a line that is context and not measure.
func dashed(hue string) []dashboard.DynamicConfigValue {
	return append(hued(hue),
		dashboard.DynamicConfigValue{Id: "custom.lineStyle", Value: map[string]any{"fill": "dash", "dash": []int{6, 6}}},
		dashboard.DynamicConfigValue{Id: "custom.lineWidth", Value: 1},
		dashboard.DynamicConfigValue{Id: "custom.fillOpacity", Value: 0},
	)
}
