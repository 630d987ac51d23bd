package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"jauge/attendance"
	"jauge/examples"
	"jauge/internal/problem"
	"jauge/programme"
	"jauge/simulator"
)

// demoCmd is `jauge demo`.
type demoCmd struct {
	Listen string  `placeholder:"HOST:PORT" help:"Where to listen (default: $JAUGE_LISTEN, 127.0.0.1:8080, a free port when that one is in use)."`
	Speed  float64 `default:"60" help:"How many times as fast as life the conversations go; their pages show the planned dates and durations all the same."`
	Seed   uint64  `default:"1" help:"The same seed gives the same audiences and answers."`
	Exit   bool    `help:"Stop when everything was played."`
}

// Run plays the example programme and serves it until SIGINT or SIGTERM. It returns an error if a figure was not what was
// played.
func (cmd demoCmd) Run(out output) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return cmd.play(ctx, out)
}

func (cmd demoCmd) play(ctx context.Context, out output) error {
	if cmd.Speed <= 0 {
		return problem.Problems{{Path: "--speed", Message: "must be above 0"}}
	}
	dir, err := os.MkdirTemp("", "jauge-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the system clears its temporary directory in the end
	c, err := cmd.config(dir, out.out)
	if err != nil {
		return err
	}
	d := &demo{demoCmd: cmd, config: c, clock: &clock{}, out: out.out, client: httpClient(1)}
	defer d.client.CloseIdleConnections()
	d.clock.jump(d.sessions()[0].StartsAt.Add(-simulator.Lead(d.sessions()[0])))
	serving, stop := context.WithCancel(ctx)
	defer stop()
	played := make(chan error, 1)
	err = serve(serving, c, output{io.Discard, out.err}, d.clock.Now, func(v service) {
		d.token = v.token
		go func() {
			err := d.run(serving)
			if err != nil || cmd.Exit {
				stop()
			}
			played <- err
		}()
	})
	stop()
	if d.token == "" { // serving never began
		return err
	}
	if failed := <-played; ctx.Err() == nil && !errors.Is(failed, context.Canceled) {
		err = errors.Join(err, failed)
	}
	return errors.Join(err, d.wrong)
}

// config is the example programme on the embedded store, in a directory that is removed at the end.
func (cmd demoCmd) config(dir string, w io.Writer) (*Config, error) {
	c, err := readConfig(examples.Files, examples.Programme, "")
	if err != nil {
		return nil, err
	}
	c.RedisURL, c.DataDir, c.MetricsListen = "", dir, ""
	c.Log = Log{Level: "warn", Format: "text"} // a line per request would bury the demo's own
	configured := c.Listen
	c.Listen = cmp.Or(cmd.Listen, c.Listen)
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return nil, problem.Problems{{Path: "--listen", Message: "must be host:port"}}
	}
	l, err := net.Listen("tcp", c.Listen)
	if errors.Is(err, syscall.EADDRINUSE) && cmd.Listen == "" {
		fmt.Fprintf(w, "%s is in use by another program: a free port is used instead\n", c.Listen)
		port = "0"
		l, err = net.Listen("tcp", net.JoinHostPort(host, port))
	}
	if err != nil {
		return c, nil //nolint:nilerr // serve says what is wrong with the address
	}
	if port == "0" {
		c.Listen = net.JoinHostPort(host, fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
	}
	if c.PublicURL == "http://"+configured {
		c.PublicURL = "http://" + c.Listen
	}
	return c, l.Close()
}

// demo plays the programme against the service of its own process, over HTTP.
type demo struct {
	demoCmd
	config *Config
	clock  *clock
	client *http.Client
	out    io.Writer
	token  string
	wrong  error // figures that differ from what was played
}

// sessions are those whose attendance can be played, by planned start. Answers come by jauge's own survey.
func (d *demo) sessions() []programme.Session {
	sessions := slices.DeleteFunc(slices.Clone(d.config.Sessions), func(s programme.Session) bool {
		return len(simulator.Cast(s, d.config.sources(), nil)) == 0
	})
	slices.SortStableFunc(sessions, func(a, b programme.Session) int { return a.StartsAt.Compare(b.StartsAt) })
	return sessions
}

func (d *demo) run(ctx context.Context) error {
	d.announce()
	for _, session := range d.sessions() {
		d.clock.jump(session.StartsAt.Add(-simulator.Lead(session)))
		if err := d.converse(ctx, session); err != nil {
			return fmt.Errorf("%s: %w", session.ID, err)
		}
	}
	d.clock.release()
	if !d.Exit {
		fmt.Fprintln(d.out, "\nEverything was played; the pages stay up until Ctrl-C.")
	}
	return nil
}

// announce prints where to look.
func (d *demo) announce() {
	c := d.config
	fmt.Fprintf(d.out, "jauge %s plays %d conversations, %s times as fast as life, on a store that is forgotten at the end.\n\n", version, len(d.sessions()), strconv.FormatFloat(d.Speed, 'f', -1, 64))
	login := "/login"
	if c.OrganiserToken == "" { // a configured one is not printed
		login += "?token=" + url.QueryEscape(d.token)
	}
	fmt.Fprintf(d.out, "  organiser   %s%s\n", c.PublicURL, login)
	fmt.Fprintf(d.out, "  metrics     %s/metrics\n", c.PublicURL)
	for _, session := range d.sessions() {
		if session.Survey == "" {
			continue
		}
		fmt.Fprintf(d.out, "  survey      %s/feedback/%s\n", c.PublicURL, session.ID)
		for _, segment := range session.Segments {
			fmt.Fprintf(d.out, "              %s/feedback/%s?segment=%s\n", c.PublicURL, session.ID, segment.ID)
		}
	}
	fmt.Fprintln(d.out)
}

// act is one request of a conversation, and its moment.
type act struct {
	at time.Time
	do func(context.Context) error
}

// publicAudience is how many come to a session without a number of invitations.
const publicAudience = 320

// converse plays one session with its answers, one request after the other, and checks the figures.
func (d *demo) converse(ctx context.Context, session programme.Session) error {
	chance := rand.New(rand.NewPCG(d.Seed, uint64(session.StartsAt.Unix()))) //nolint:gosec // invented people need no secrecy
	attendees := publicAudience
	if session.Invited > 0 {
		attendees = max(1, session.Invited*(75+chance.IntN(20))/100)
	}
	performance, err := simulator.New(session, d.config.sources(), simulator.Options{
		Attendees: attendees, Seed: d.Seed, Start: session.StartsAt, Faults: simulator.LightFaults(),
	})
	if err != nil {
		return err
	}
	answers := d.answers(chance, session, *performance.Truth.Unique)
	poster := simulator.Poster{URL: d.address(), Client: d.client, Now: d.clock.Now, Patience: 10 * time.Second}
	acts := answers
	for _, delivery := range performance.Deliveries {
		acts = append(acts, act{delivery.At, func(ctx context.Context) error { return poster.Post(ctx, delivery) }})
	}
	slices.SortStableFunc(acts, func(a, b act) int { return a.at.Compare(b.at) })
	d.say(session, session.StartsAt.Add(-simulator.Lead(session)), "the room opens")
	for _, a := range acts {
		if err := d.clock.run(ctx, a.at, d.Speed); err != nil {
			return err
		}
		if err := a.do(ctx); err != nil {
			return err
		}
	}
	return d.checkFigures(ctx, session, performance.Truth, len(answers))
}

// checkFigures compares what the service shows with what was played, and prints the figures.
func (d *demo) checkFigures(ctx context.Context, session programme.Session, truth simulator.Truth, answers int) error {
	got, err := d.fetchFigures(ctx, session.ID)
	if err != nil {
		return err
	}
	if wrong := got.differs(truth, answers); wrong != nil {
		wrong = fmt.Errorf("%s: the service does not show what was played: %w", session.ID, wrong)
		fmt.Fprintln(d.out, wrong)
		d.wrong = errors.Join(d.wrong, wrong)
	}
	watched := (time.Duration(*truth.WatchSeconds) * time.Second).Round(time.Minute)
	more := ""
	if truth.PeakAt != nil {
		more = fmt.Sprintf(", at most %d at once (%s)", *truth.Peak, truth.PeakAt.In(session.StartsAt.Location()).Format("15:04"))
	}
	if truth.Registered != nil {
		more = fmt.Sprintf(" of %d who registered, as the platform reports", *truth.Registered)
	}
	d.say(session, d.clock.Now(), fmt.Sprintf("%d people came%s, watched for %s in all, %d answered",
		*truth.Unique, more, strings.TrimSuffix(watched.String(), "0s"), answers))
	return nil
}

func (d *demo) say(session programme.Session, at time.Time, what string) {
	fmt.Fprintf(d.out, "%s  %s: %s\n", at.In(session.StartsAt.Location()).Format("2 Jan 2006 15:04"), session.Title.In("fr"), what)
}

// Half of an audience answers, from the last minutes of a session until a quarter of an hour after it.
const (
	answersFrom = -5 * time.Minute
	answersTo   = 12 * time.Minute
)

// answers are the survey answers of 40 to 60 % of those who came.
func (d *demo) answers(chance *rand.Rand, session programme.Session, came int) []act {
	survey := d.config.survey(session.Survey)
	if survey == nil {
		return nil
	}
	acts := make([]act, came*(40+chance.IntN(21))/100)
	for i := range acts {
		lang := "fr"
		if chance.IntN(12) == 0 {
			lang = "en"
		}
		body := map[string]any{"lang": lang, "answers": simulator.Answers(chance, survey.For(session.Minors), lang)}
		if n := len(session.Segments); n > 0 {
			body["segment"] = session.Segments[chance.IntN(n)].ID
		}
		after := answersFrom + time.Duration(chance.Int64N(int64(answersTo-answersFrom)))
		acts[i] = act{session.EndsAt.Add(after), func(ctx context.Context) error {
			return d.call(ctx, http.MethodPost, "/feedback/"+session.ID, body, http.StatusCreated, nil)
		}}
	}
	return acts
}

// shownFigures is what the API shows of a session, as far as it is checked.
type shownFigures struct {
	State      attendance.State `json:"state"`
	Attendance struct {
		Present, Connections, Peak, Unique, Registered *int

		PeakAt       *time.Time `json:"peak_at"`
		WatchSeconds *float64   `json:"watch_seconds"`
		NoShowRate   *float64   `json:"no_show_rate"`
	} `json:"attendance"`
	Feedback struct{ Respondents *int } `json:"feedback"`
}

// differs lists the figures that are not what was played; nil: there are none.
func (s shownFigures) differs(truth simulator.Truth, answers int) error {
	a := s.Attendance
	var wrong []error
	same := func(name string, got, want any) {
		if got != want {
			wrong = append(wrong, fmt.Errorf("%s is %v, not %v", name, got, want))
		}
	}
	same("state", s.State, attendance.Over)
	same("present", orUnknown(a.Present), orUnknown(truth.Present))
	same("connections", orUnknown(a.Connections), orUnknown(truth.Connections))
	same("unique", orUnknown(a.Unique), orUnknown(truth.Unique))
	same("peak", orUnknown(a.Peak), orUnknown(truth.Peak))
	same("registered", orUnknown(a.Registered), orUnknown(truth.Registered))
	same("no_show_rate", orUnknown(a.NoShowRate), orUnknown(truth.NoShowRate))
	if answers > 0 {
		same("respondents", orUnknown(s.Feedback.Respondents), answers)
	}
	same("watch_seconds", orUnknown(a.WatchSeconds), orUnknown(truth.WatchSeconds))
	if a.PeakAt == nil || truth.PeakAt == nil || !a.PeakAt.Equal(*truth.PeakAt) {
		same("peak_at", orUnknown(a.PeakAt), orUnknown(truth.PeakAt))
	}
	return errors.Join(wrong...)
}

// orUnknown is what a pointer points to, or "unknown".
func orUnknown[T any](p *T) any {
	if p == nil {
		return "unknown"
	}
	return *p
}

func (d *demo) fetchFigures(ctx context.Context, id string) (shownFigures, error) {
	var s shownFigures
	return s, d.call(ctx, http.MethodGet, "/api/v1/sessions/"+id, nil, http.StatusOK, &s)
}

// address is where this process reaches its own service, whatever its public URL.
func (d *demo) address() string {
	host, port, _ := net.SplitHostPort(d.config.Listen)
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// call sends JSON and reads JSON, with the organiser's token.
func (d *demo) call(ctx context.Context, method, path string, body any, want int, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, d.address()+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+d.token)
	r.Header.Set("Content-Type", "application/json")
	response, err := d.client.Do(r)
	if err != nil {
		return cmp.Or(context.Cause(ctx), err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return err
	case response.StatusCode != want:
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, answer)
	case into == nil:
		return nil
	}
	return json.Unmarshal(answer, into)
}
