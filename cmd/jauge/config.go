package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/goccy/go-yaml"

	"jauge/examples"
	"jauge/feedback/survey"
	"jauge/internal/problem"
	"jauge/platforms"
	"jauge/programme"
)

// Config is the whole configuration: the YAML file, then the environment.
type Config struct {
	Listen         string   `yaml:"listen" env:"LISTEN"`
	MetricsListen  string   `yaml:"metrics_listen" env:"METRICS_LISTEN"`
	PublicURL      string   `yaml:"public_url" env:"PUBLIC_URL"`
	RedisURL       string   `yaml:"redis_url" env:"REDIS_URL"`
	DataDir        string   `yaml:"data_dir" env:"DATA_DIR"`
	SecretKey      string   `yaml:"secret_key" env:"SECRET_KEY"`
	OrganiserToken string   `yaml:"organiser_token" env:"ORGANISER_TOKEN"`
	TrustedProxies []string `yaml:"trusted_proxies"`
	Log            Log      `yaml:"log" envPrefix:"LOG_"`
	Privacy        Privacy  `yaml:"privacy"`
	Staff          []string `yaml:"staff"` // e-mails, platforms' ids and names

	Sources  []Source            `yaml:"sources"`
	Series   []programme.Series  `yaml:"series"`
	Sessions []programme.Session `yaml:"sessions"`
	Surveys  []survey.Survey     `yaml:"surveys"`
	Include  Patterns            `yaml:"include"` // files of one survey each, relative to this file

	ready  []survey.Survey // the bank: those of Surveys come before them
	origin string          // the file's name, for messages; empty: the built-in example programme
}

// Log is what the service writes of itself to standard error, and how.
type Log struct {
	Level  string `yaml:"level" env:"LEVEL"`   // debug, info, warn or error
	Format string `yaml:"format" env:"FORMAT"` // text or json
}

// logger makes the log; validate has found its settings good.
func (l Log) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{}
	var level slog.Level
	if level.UnmarshalText([]byte(l.Level)) == nil {
		options.Level = level
	}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// Privacy is what keeps figures from telling what one person answered.
type Privacy struct {
	MinimumGroup  int `yaml:"minimum_group"`
	RetentionDays int `yaml:"retention_days"`
}

// Source is one sender of webhooks, as configured.
type Source struct {
	Name        string   `yaml:"name"`
	Platform    string   `yaml:"platform"`
	Secrets     []string `yaml:"secrets"`
	SecretsFile string   `yaml:"secrets_file"` // a secret a line
	Tolerance   string   `yaml:"tolerance"`    // a Go duration: 5m, 90s
	CallbackURL string   `yaml:"callback_url"`
	Path        string   `yaml:"path"`   // the secret end of the address, for senders that cannot sign
	Accept      []string `yaml:"accept"` // what the dialect takes only by choice
	Guests      string   `yaml:"guests"` // who is one person of those without an id; guestsAreConnections by default
}

// The values of Source.Guests.
const (
	guestsAreConnections = "connection" // whoever connects again is a new person
	guestsAreNames       = "name"       // guests of one name are one person
)

// Patterns is one glob pattern or several.
type Patterns []string

// UnmarshalYAML reads a string or a list of strings.
func (p *Patterns) UnmarshalYAML(text []byte) error {
	var one string
	if yaml.Unmarshal(text, &one) == nil {
		*p = Patterns{one}
		return nil
	}
	var many []string
	if err := yaml.Unmarshal(text, &many); err != nil {
		return errors.New("must be a file pattern or a list of them")
	}
	*p = many
	return nil
}

func defaults() *Config {
	return &Config{
		Listen: "127.0.0.1:8080", DataDir: "./data", Log: Log{Level: "info", Format: "text"},
		Privacy: Privacy{MinimumGroup: 5, RetentionDays: 30},
	}
}

// loadConfig reads the file named on the command line, else $JAUGE_CONFIG, else ./jauge.yaml if it exists, else the
// built-in example programme; then the environment. Every mistake is reported at once, as problem.Problems.
func loadConfig(file string) (*Config, error) {
	if file == "" {
		file = os.Getenv("JAUGE_CONFIG")
	}
	if _, err := os.Stat("jauge.yaml"); file == "" && err == nil {
		file = "jauge.yaml"
	}
	if file == "" {
		return readConfig(examples.Files, examples.Programme, "")
	}
	return readConfig(os.DirFS(filepath.Dir(file)), filepath.Base(file), file)
}

// beginNow moves the built-in example programme so that its first session begins about now. It took place in 2020, in Paris, where clocks may
// have changed since.
func (c *Config) beginNow(now time.Time) {
	if c.origin != "" || len(c.Sessions) == 0 {
		return
	}
	first := slices.MinFunc(c.Sessions, func(a, b programme.Session) int { return a.StartsAt.Compare(b.StartsAt) }).StartsAt
	by, paris := now.Truncate(5*time.Minute).Sub(first), first.Location()
	if here, err := time.LoadLocation("Europe/Paris"); err == nil {
		paris = here
	}
	for i := range c.Sessions {
		s := &c.Sessions[i]
		s.StartsAt, s.EndsAt = s.StartsAt.Add(by).In(paris), s.EndsAt.Add(by).In(paris)
	}
}

func readConfig(files fs.FS, name, origin string) (*Config, error) {
	c := defaults()
	c.origin = origin
	var ps problem.Problems
	var err error
	if c.ready, err = bank(); err != nil {
		return nil, err
	}
	switch text, err := fs.ReadFile(files, name); {
	case err != nil:
		return nil, problem.Problems{{Message: fmt.Sprintf("cannot read %s: %s", origin, reason(err))}}
	default:
		ps = decodeYAML(text, c)
	}
	ps = append(ps, c.include(files, name)...)
	ps = append(ps, c.environment()...)
	if len(ps) > 0 && c.unreadable(ps) {
		return nil, ps
	}
	ps = append(ps, c.validate(files, path.Dir(name))...)
	return c, ps.Err()
}

// reachable is a listen address as a browser on this machine can name it.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip, ipErr := netip.ParseAddr(host); err == nil && (host == "" || ipErr == nil && ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return listen
}

// unreadable says whether the file could not be decoded at all: then what follows would be noise.
func (c *Config) unreadable(ps problem.Problems) bool {
	return slices.ContainsFunc(ps, func(p problem.Problem) bool { return strings.HasPrefix(p.Path, "line ") })
}

// reason is an error's own words, without the path that the message names already.
func reason(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}

// include adds the surveys of the files that `include` names.
func (c *Config) include(files fs.FS, name string) (ps problem.Problems) {
	for i, pattern := range c.Include {
		at := fmt.Sprintf("include[%d]", i)
		matches, err := fs.Glob(files, path.Join(path.Dir(name), pattern))
		if err != nil || len(matches) == 0 {
			ps = append(ps, problem.Problem{Path: at, Message: "no file matches"})
		}
		for _, match := range matches {
			text, err := fs.ReadFile(files, match)
			if err != nil {
				ps = append(ps, problem.Problem{Path: at, Message: fmt.Sprintf("cannot read %s: %s", match, reason(err))})
				continue
			}
			var survey survey.Survey
			ps = append(ps, decodeYAML(text, &survey).Under(match)...)
			c.Surveys = append(c.Surveys, survey)
		}
	}
	return ps
}

// environment lets JAUGE_… variables override the file, and reads secrets from files.
func (c *Config) environment() (ps problem.Problems) {
	if err := env.ParseWithOptions(c, env.Options{Prefix: "JAUGE_"}); err != nil {
		ps = append(ps, problem.Problem{Path: "environment", Message: err.Error()})
	}
	for name, value := range c.secretFiles() {
		file := os.Getenv(name)
		if file == "" {
			continue
		}
		text, err := os.ReadFile(file) //nolint:gosec // the operator names it
		if err != nil {
			ps = append(ps, problem.Problem{Path: name, Message: "cannot read the file: " + reason(err)})
			continue
		}
		if *value = strings.TrimSpace(string(text)); *value == "" {
			ps = append(ps, problem.Problem{Path: name, Message: "the file is empty"})
		}
	}
	return ps
}

// secretFiles are the variables that name a file of what is better not in the environment.
func (c *Config) secretFiles() map[string]*string {
	return map[string]*string{"JAUGE_SECRET_KEY_FILE": &c.SecretKey, "JAUGE_ORGANISER_TOKEN_FILE": &c.OrganiserToken}
}

func (c *Config) validate(files fs.FS, dir string) (ps problem.Problems) {
	add := func(path, message string) { ps = append(ps, problem.Problem{Path: path, Message: message}) }
	for name, address := range map[string]string{"listen": c.Listen, "metrics_listen": c.MetricsListen} {
		if _, _, err := net.SplitHostPort(address); err != nil && (name == "listen" || address != "") {
			add(name, "must be host:port")
		}
	}
	if c.PublicURL == "" {
		c.PublicURL = "http://" + reachable(c.Listen)
	}
	if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		add("public_url", "must be an http or https URL")
	}
	if c.RedisURL != "" {
		if _, err := parseRedisURL(c.RedisURL); err != nil {
			add("redis_url", err.Error())
		}
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		add("log.level", "must be debug, info, warn or error")
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		add("log.format", "must be text or json")
	}
	if c.SecretKey != "" && len(c.SecretKey) < 32 {
		add("secret_key", "must be at least 32 bytes")
	}
	if c.OrganiserToken != "" && len(c.OrganiserToken) < 16 {
		add("organiser_token", "must be at least 16 characters")
	}
	for i, proxy := range c.TrustedProxies {
		_, addrErr := netip.ParseAddr(proxy)
		if _, err := netip.ParsePrefix(proxy); err != nil && addrErr != nil {
			add(fmt.Sprintf("trusted_proxies[%d]", i), "must be an address or a range such as 10.0.0.0/8")
		}
	}
	if c.Privacy.MinimumGroup < 1 {
		add("privacy.minimum_group", "must be at least 1")
	}
	if c.Privacy.RetentionDays < 1 {
		add("privacy.retention_days", "must be at least 1")
	}
	ps = append(ps, programme.ValidateStaff(c.Staff)...)
	ps = append(ps, c.validateSources(files, dir)...)
	ps = append(ps, c.validateSurveys()...)
	return append(ps, c.validateSessions()...)
}

func (c *Config) validateSources(files fs.FS, dir string) (ps problem.Problems) {
	seen := map[string]int{}
	for i := range c.Sources {
		s, at := &c.Sources[i], fmt.Sprintf("sources[%d]", i)
		add := func(path, message string) { ps = append(ps, problem.Problem{Path: path, Message: message}) }
		if !sourceName(s.Name) {
			add(at+".name", "must be 1 to 64 of a-z, 0-9 and -")
		}
		if first, ok := seen[s.Name]; ok {
			add(at+".name", fmt.Sprintf("the same as of sources[%d]", first))
		}
		seen[s.Name] = i
		if s.SecretsFile != "" {
			text, err := readBeside(files, dir, s.SecretsFile)
			if err != nil {
				add(at+".secrets_file", "cannot be read: "+reason(err))
			}
			s.Secrets = append(s.Secrets, strings.Fields(string(text))...)
		}
		if d, err := time.ParseDuration(s.Tolerance); s.Tolerance != "" && (err != nil || d < 0) {
			add(at+".tolerance", "must be a duration such as 90s or 5m")
		}
		if !slices.Contains([]string{"", guestsAreConnections, guestsAreNames}, s.Guests) {
			add(at+".guests", "must be "+guestsAreConnections+" or "+guestsAreNames)
		}
		if dialect, known := platforms.Dialects[s.Platform]; known && !dialect.Guests && s.Guests == guestsAreNames {
			add(at+".guests", "must be left out, as "+s.Platform+" gives everybody an id")
		}
		if err := platforms.Verifiable(s.source()); err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				ps = append(ps, problem.Problem{Message: at + "." + line})
			}
		}
	}
	return ps
}

// readBeside reads a file that is named relative to the configuration, or absolutely.
func readBeside(files fs.FS, dir, name string) ([]byte, error) {
	if filepath.IsAbs(name) {
		return os.ReadFile(name)
	}
	return fs.ReadFile(files, path.Join(dir, name))
}

func sourceName(name string) bool {
	return len(name) >= 1 && len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// source is what the platform's dialect needs; an empty tolerance means the dialect's own.
func (s Source) source() platforms.Source {
	tolerance, _ := time.ParseDuration(s.Tolerance) // validated
	return platforms.Source{
		Name: s.Name, Platform: s.Platform, Secrets: s.Secrets,
		Tolerance: tolerance, CallbackURL: s.CallbackURL, Path: s.Path, Accept: s.Accept,
	}
}

// warnings says what the configuration's choices risk, a line each.
func (c *Config) warnings() (lines []string) {
	for i, s := range c.Sources {
		for _, word := range s.Accept {
			if risk := platforms.Dialects[s.Platform].Accepts[word]; risk != "" {
				lines = append(lines, fmt.Sprintf("warning: sources[%d] (%s) accepts %s: %s", i, s.Name, word, risk))
			}
		}
		if s.Guests == guestsAreNames {
			lines = append(lines, fmt.Sprintf("warning: sources[%d] (%s) takes guests of one name for one person: two who share a name count once, and who changes it counts twice", i, s.Name))
		}
	}
	return lines
}

func (c *Config) validateSurveys() (ps problem.Problems) {
	seen := map[string]bool{}
	for i := range c.Surveys {
		at := fmt.Sprintf("surveys[%d]", i)
		ps = append(ps, c.Surveys[i].Validate().Under(at)...)
		if seen[c.Surveys[i].ID] {
			ps = append(ps, problem.Problem{Path: at + ".id", Message: "duplicate"})
		}
		seen[c.Surveys[i].ID] = true
	}
	return ps
}

func (c *Config) validateSessions() (ps problem.Problems) {
	add := func(path, message string) { ps = append(ps, problem.Problem{Path: path, Message: message}) }
	series := map[string]bool{}
	for i, s := range c.Series {
		if !sourceName(s.ID) {
			add(fmt.Sprintf("series[%d].id", i), "must be 1 to 64 of a-z, 0-9 and -")
		}
		if series[s.ID] {
			add(fmt.Sprintf("series[%d].id", i), "duplicate")
		}
		series[s.ID] = true
	}
	first := map[string]int{}
	for i, s := range c.Sessions {
		at := fmt.Sprintf("sessions[%d]", i)
		ps = append(ps, s.Validate().Under(at)...)
		if j, ok := first[s.ID]; ok {
			add(at+".id", fmt.Sprintf("the same as of sessions[%d]", j))
		} else {
			first[s.ID] = i
		}
		if s.Series != "" && !series[s.Series] {
			add(at+".series", fmt.Sprintf("no series has the id %q", s.Series))
		}
		if s.Survey != "" && c.survey(s.Survey) == nil {
			add(at+".survey", fmt.Sprintf("no survey has the id %q", s.Survey))
		} else {
			ps = append(ps, survey.CheckQuestions(c.asks(s), s.Questions).Under(at)...)
		}
		for k, room := range s.Rooms {
			if room.Source != "" && !slices.ContainsFunc(c.Sources, func(s Source) bool { return s.Name == room.Source }) {
				add(fmt.Sprintf("%s.rooms[%d].source", at, k), fmt.Sprintf("no source has the name %q", room.Source))
			}
		}
	}
	return ps
}

// asks is what a session may ask; nil: it asks nothing.
func (c *Config) asks(session programme.Session) *survey.Survey {
	survey := c.survey(session.Survey)
	if survey == nil {
		return nil
	}
	return survey.For(session.Minors)
}

// survey finds a survey by its id: the configuration's before a ready one; nil: there is none.
func (c *Config) survey(id string) *survey.Survey { return c.surveys()[id] }

// surveys are all that a session may ask, by id.
func (c *Config) surveys() map[string]*survey.Survey {
	all := map[string]*survey.Survey{}
	for _, surveys := range [][]survey.Survey{c.ready, c.Surveys} {
		for i := range surveys {
			all[surveys[i].ID] = &surveys[i]
		}
	}
	return all
}
