package e2e

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

// load reads the compose file as docker compose does: against the schema, with its variables filled in from env.
func load(t *testing.T, env ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../docker-compose.yml"}, cli.WithEnv(env))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestCompose(t *testing.T) {
	t.Parallel()
	project := load(t)
	if diff := cmp.Diff([]string{"grafana", "jauge", "prometheus", "redis"}, slices.Sorted(maps.Keys(project.Services))); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	for _, problem := range checkProject(project) {
		t.Error(problem)
	}
}

// pinned is an image with an exact version: three numbers, or a digest.
var pinned = regexp.MustCompile(`:v?\d+\.\d+\.\d+(-[a-z0-9.]+)?$|@sha256:[0-9a-f]{64}$`)

// checkProject returns what would not start, could not be repeated, or would be open to the network.
func checkProject(project *types.Project) (problems []string) {
	for name, service := range project.Services {
		report := func(condition bool, format string, args ...any) {
			if condition {
				problems = append(problems, name+": "+fmt.Sprintf(format, args...))
			}
		}
		report(service.Build == nil && !pinned.MatchString(service.Image), "the image %q is not pinned to an exact version", service.Image)
		report(service.Build == nil && service.HealthCheck == nil, "no health check")
		for _, port := range service.Ports {
			ip := net.ParseIP(port.HostIP)
			report(ip == nil || !ip.IsLoopback(), "port %d is published beyond the loopback interface", port.Target)
		}
		for _, volume := range service.Volumes {
			if volume.Type == types.VolumeTypeBind {
				_, err := os.Stat(volume.Source)
				report(err != nil, "mounts %s, which does not exist", filepath.Base(volume.Source))
				report(!volume.ReadOnly, "may write to %s", filepath.Base(volume.Source))
			}
		}
		for dependency, how := range service.DependsOn {
			on := project.Services[dependency]
			report(how.Condition == types.ServiceConditionHealthy && on.HealthCheck == nil, "waits for the health of %s, which tells none", dependency)
		}
	}
	slices.Sort(problems)
	return problems
}

func TestCheckProjectSeesMistakes(t *testing.T) {
	t.Parallel()
	for want, breakIt := range map[string]func(*types.ServiceConfig){
		`grafana: the image "grafana/grafana:latest" is not pinned to an exact version`: func(s *types.ServiceConfig) { s.Image = "grafana/grafana:latest" },
		`grafana: the image "grafana/grafana:12" is not pinned to an exact version`:     func(s *types.ServiceConfig) { s.Image = "grafana/grafana:12" },
		`grafana: no health check`:                                      func(s *types.ServiceConfig) { s.HealthCheck = nil },
		`grafana: port 3000 is published beyond the loopback interface`: func(s *types.ServiceConfig) { s.Ports[0].HostIP = "" },
		`grafana: mounts nowhere, which does not exist`:                 func(s *types.ServiceConfig) { s.Volumes[0].Source = "/nowhere" },
		`grafana: may write to grafana`:                                 func(s *types.ServiceConfig) { s.Volumes[0].ReadOnly = false },
		`grafana: waits for the health of jauge, which tells none`: func(s *types.ServiceConfig) {
			s.DependsOn = types.DependsOnConfig{"jauge": {Condition: types.ServiceConditionHealthy}}
		},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			project := load(t)
			service := project.Services["grafana"]
			breakIt(&service)
			project.Services["grafana"] = service
			if diff := cmp.Diff([]string{want}, checkProject(project)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// TestComposeFitsTogether follows every address from the one who asks to the one who answers.
func TestComposeFitsTogether(t *testing.T) {
	t.Parallel()
	project := load(t)
	jauge := project.Services["jauge"].Environment

	var scrape struct {
		ScrapeConfigs []struct {
			JobName       string                       `yaml:"job_name"`
			StaticConfigs []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	read(t, "../dashboards/prometheus/prometheus.yml", &scrape)
	_, metricsPort, err := net.SplitHostPort(*jauge["JAUGE_METRICS_LISTEN"])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"jauge:" + metricsPort}, scrape.ScrapeConfigs[0].StaticConfigs[0].Targets); diff != "" {
		t.Errorf("Prometheus does not scrape where jauge serves its metrics (-want +got):\n%s", diff)
	}
	for _, port := range project.Services["jauge"].Ports {
		if fmt.Sprint(port.Target) == metricsPort {
			t.Error("the metrics are published on the host")
		}
		if _, listen, _ := net.SplitHostPort(*jauge["JAUGE_LISTEN"]); fmt.Sprint(port.Target) != listen {
			t.Errorf("port %d is published, jauge listens on %s", port.Target, listen)
		}
	}

	redis, err := url.Parse(*jauge["JAUGE_REDIS_URL"])
	if err != nil || redis.Scheme != "redis" || redis.Hostname() != "redis" {
		t.Errorf("jauge does not use the service redis: %v, %v", redis, err)
	}
	if command := strings.Join(project.Services["redis"].Command, " "); !strings.Contains(command, "--appendonly yes") {
		t.Errorf("Redis keeps no append-only file: %s", command)
	}
	if got := *jauge["JAUGE_DATA_DIR"]; mounted(project, "jauge", types.VolumeTypeVolume, got) == "" {
		t.Errorf("the journal in %s would be lost with the container", got)
	}

	var datasources struct {
		Datasources []struct{ UID, URL, Type string }
	}
	read(t, filepath.Join(mounted(project, "grafana", types.VolumeTypeBind, "/etc/grafana/provisioning"), "datasources/jauge.yml"), &datasources)
	if d := datasources.Datasources[0]; d.UID != "prometheus" || d.URL != "http://prometheus:9090" || d.Type != "prometheus" {
		t.Errorf("datasource: %+v", d)
	}
	var providers struct {
		Providers []struct{ Options struct{ Path string } }
	}
	read(t, filepath.Join(mounted(project, "grafana", types.VolumeTypeBind, "/etc/grafana/provisioning"), "dashboards/jauge.yml"), &providers)
	folder := mounted(project, "grafana", types.VolumeTypeBind, providers.Providers[0].Options.Path)
	if found, err := filepath.Glob(filepath.Join(folder, "*.json")); err != nil || len(found) == 0 {
		t.Errorf("no dashboards in %s: %v", folder, err)
	}
	home := *project.Services["grafana"].Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
	if _, err := os.Stat(filepath.Join(folder, filepath.Base(home))); err != nil {
		t.Errorf("Grafana's first page: %v", err)
	}
}

// mounted returns what a service mounts at target, empty if nothing of this type.
func mounted(project *types.Project, service, kind, target string) string {
	for _, volume := range project.Services[service].Volumes {
		if volume.Type == kind && volume.Target == target {
			return volume.Source
		}
	}
	return ""
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// TestComposeSettings: .env.example names exactly what docker-compose.yml can be told, and telling it works.
func TestComposeSettings(t *testing.T) {
	t.Parallel()
	names := func(file, pattern string) []string {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for _, match := range regexp.MustCompile(pattern).FindAllSubmatch(data, -1) {
			found[string(match[1])] = true
		}
		return slices.Sorted(maps.Keys(found))
	}
	want := slices.DeleteFunc(names("../docker-compose.yml", `\$\{([A-Z_]+)`), func(name string) bool { return name == "JAUGE_VERSION" }) // for builds of a release
	if diff := cmp.Diff(want, names("../.env.example", `(?m)^#([A-Z_]+)=`)); diff != "" {
		t.Errorf(".env.example (-compose +example):\n%s", diff)
	}
	grafana := load(t).Services["grafana"].Environment
	if *grafana["GF_AUTH_ANONYMOUS_ENABLED"] != "false" || *grafana["GF_USERS_ALLOW_SIGN_UP"] != "false" {
		t.Error("Grafana lets strangers in by default")
	}
	project := load(t, "GRAFANA_ADMIN_PASSWORD=s3cret", "JAUGE_ORGANISER_TOKEN=t0ken")
	if got := *project.Services["grafana"].Environment["GF_SECURITY_ADMIN_PASSWORD"]; got != "s3cret" {
		t.Errorf("Grafana's password is %q", got)
	}
	if got := *project.Services["jauge"].Environment["JAUGE_ORGANISER_TOKEN"]; got != "t0ken" {
		t.Errorf("the organiser's token is %q", got)
	}
}

func TestDockerfile(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	stages := regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(string(data), -1)
	if len(stages) != 2 || !regexp.MustCompile(`^golang:1\.\d+\.\d+-[a-z]+$`).MatchString(stages[0][1]) || stages[1][1] != "scratch" {
		t.Errorf("stages: %q", stages)
	}
	for _, line := range []string{`USER 65532:65532`, `ENTRYPOINT ["/jauge"]`} {
		if !strings.Contains(string(data), "\n"+line+"\n") {
			t.Errorf("the Dockerfile does not say %s", line)
		}
	}
	// What is copied out of the build must be what make builds.
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), "/src/bin/jauge /jauge") || !strings.Contains(string(makefile), "CGO_ENABLED=0 go build") ||
		!strings.Contains(string(makefile), "-o bin/jauge ") {
		t.Error("the image does not hold the static binary that make build makes")
	}
}
