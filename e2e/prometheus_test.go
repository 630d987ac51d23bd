package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// startPrometheus runs a real Prometheus that scrapes the service every second, with the alerts that ship.
func startPrometheus(t *testing.T, s service) string {
	t.Helper()
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatal("prometheus is not on this machine: install the Debian package prometheus, or run make deps")
	}
	dir := t.TempDir()
	rules, err := filepath.Abs("../dashboards/prometheus/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\nscrape_configs: [{job_name: jauge, static_configs: [{targets: [%q]}]}]\n",
		rules, strings.TrimPrefix(s.url, "http://"))
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	cmd := exec.Command(binary, "--config.file", filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", address)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return "http://" + address
}

// query gives the value of the first series of an instant query, "" while there is none.
func query(t *testing.T, prometheus, expression string) string {
	t.Helper()
	r, err := http.Get(prometheus + "/api/v1/query?query=" + url.QueryEscape(expression))
	if err != nil {
		return ""
	}
	defer r.Body.Close() //nolint:errcheck // read only
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if json.NewDecoder(r.Body).Decode(&answer) != nil || len(answer.Data.Result) == 0 {
		return ""
	}
	return fmt.Sprint(answer.Data.Result[0].Value[1])
}

// What an organiser's dashboard asks is what a real Prometheus has scraped.
func TestPrometheusScrapesTheCounts(t *testing.T) {
	t.Parallel()
	s := startService(t)
	prometheus := startPrometheus(t, s)
	for i := range 4 {
		s.join(t, fmt.Sprint("person ", i))
	}
	for expression, want := range map[string]string{
		`max without (instance) (jauge_session_attendees{session="talk"})`:        "4",
		`max without (instance) (jauge_session_live{session="talk"})`:             "1",
		`sum(jauge_events_total{source="relay",kind="joined",result="recorded"})`: "4",
		`jauge_redis_up`: "1",
		`count(jauge_session_info{session="talk",capability="live"})`: "1",
	} {
		await(t, expression+" = "+want, func() bool { return query(t, prometheus, expression) == want })
	}
}

// A wrong secret on the evening itself: twenty refusals within a second, the first that the service ever had, raise the alert.
func TestPrometheusSeesTheFirstRefusals(t *testing.T) {
	t.Parallel()
	s := startService(t)
	prometheus := startPrometheus(t, s)
	const series = `{source="relay",reason="missing"}`
	await(t, "the first scrape", func() bool { return query(t, prometheus, "jauge_webhook_refused_total"+series) == "0" })
	for range 20 {
		r, err := http.Post(s.url+"/webhooks/relay", "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		if r.StatusCode != http.StatusUnauthorized {
			t.Fatalf("an unsigned webhook: %d", r.StatusCode)
		}
	}
	await(t, "the alert", func() bool {
		return query(t, prometheus, `ALERTS{alertname="JaugeWebhooksRefused",alertstate="firing",source="relay",reason="missing"}`) == "1"
	})
	await(t, "all twenty", func() bool {
		return query(t, prometheus, "sum(increase(jauge_webhook_refused_total"+series+"[5m])) >= bool 20") == "1"
	})
}
